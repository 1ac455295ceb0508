"""Virtual environments in images: that they are used, and where they were made.

Sources: https://docs.python.org/3/library/venv.html (scripts hold the absolute path of their interpreter),
https://docs.astral.sh/uv/reference/environment/#uv_venv_relocatable.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcome, Outcomes, Skip
from pyprod_audit.checks.docker_view import (
    build_environment,
    copies_from,
    index_of,
    production_stage_of,
    root_reference,
    stage_called,
    stages_behind,
    workdir_at,
)
from pyprod_audit.checks.made_environments import Made, environments_made
from pyprod_audit.checks.pip_installs import Step, steps_in
from pyprod_audit.lifecycles import product_of_image
from pyprod_audit.link.environment import expand_shell
from pyprod_audit.model import Node, Process, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

_PYTHON = lazy(r"python[0-9.]*")
_NAME = lazy(r"[\[=<>~! ]")
_VARIABLE = lazy(r"\$(?:(\w+)|\{(\w+)\})")
# Commands that name an environment without using what is in it.
_PREPARES = lazy(r"pip[0-9.]*|python[0-9.]*|virtualenv|uv|\.|source|chown|chmod|mkdir|rm|find|test|\[")
_NOT_PYTHON = frozenset(("sh", "bash", "uv", "nginx", "node", "npm", "java", "supervisord"))
_RUNNERS = frozenset(("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "pipx"))
_INTERPRETERS = frozenset(("python", "sh", "bash"))


def environment_unused_or_moved(service: Service, context: Context) -> Outcomes:
    """The virtual environment of an image stands where it was made, and what the image starts comes from it."""
    repository = context.repository
    stage = production_stage_of(service.image, repository)
    found = environments_made(stage, repository) if stage is not None else ()
    made = list({(one.path, id(one.stage)): one for one in found}.values())
    if stage is None or not made:
        yield Skip("no image that makes a virtual environment")
        return
    process = service.process
    if process is None:
        yield Cannot(made[0].command.anchor, "what the image starts is not known")
        return
    for one in made:
        for now, copy in _places(one, stage, repository):
            moved = copy is not None and now != one.path
            if copy is not None and moved and _starts_a_script(process, stage, now):
                if not one.relocatable:
                    yield Hit(
                        copy.anchor,
                        {"made": one.path, "now": now, "program": _program(process)},
                        related=((one.command.anchor, f"made in {one.path}"),),
                        address=f"{stage.path}: {one.path}",
                    )
            elif len(made) == 1:
                yield from _unused(stage, one, now, process, repository)


def _places(made: Made, stage: Resource, repository: Repository) -> Iterator[tuple[str, Node | None]]:
    """Where `stage` has an environment: where it was made, when that was in its own past, or where COPY puts it."""
    stages = repository.children(stage.parent, "docker.stage") if stage.parent is not None else [stage]
    if made.stage in _lineage(stage, stages):
        yield made.path, None
        return
    for holder in _lineage(stage, stages):
        for copy, name in copies_from(holder):
            origin = stage_called(name, stages, index_of(holder))
            words = [word.text for word in copy.items_at("expanded")]
            if origin is None or len(words) < 2 or None in words or made.stage not in _lineage(origin, stages):
                continue
            target = posixpath.normpath(posixpath.join(_workdir_before(holder, copy), words[-1] or ""))
            for source in words[:-1]:
                absolute = posixpath.normpath(posixpath.join(origin.node.text_at("workdir") or "/", source or ""))
                if _within(made.path, absolute):
                    yield posixpath.normpath(target + "/" + made.path[len(absolute.rstrip("/")) :]), copy


def _lineage(stage: Resource, stages: list[Resource]) -> list[Resource]:
    """The stage and those it is built on."""
    found = [stage]
    while (base := found[-1].node.get("from.stage")) is not None and isinstance(base.value, int):
        found.append(stages[base.value])
    return found


def _workdir_before(stage: Resource, instruction: Node) -> str:
    return workdir_at(Resource("docker.run", "", instruction, stage))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _program(process: Process) -> str:
    return (process.argv[0].text or "") if process.argv else ""


def _starts_a_script(process: Process, stage: Resource, folder: str) -> bool:
    """Whether what the image starts is a script in the environment: one that names its interpreter by the old path."""
    program = _program(process)
    name = posixpath.basename(program)
    if not name or _PYTHON.fullmatch(name) or name in _INTERPRETERS:
        return False
    if program.startswith("/"):
        return _within(program, folder)
    return f"{folder}/bin" in _search_path(stage)


def _search_path(stage: Resource) -> list[str]:
    node = stage.node.get("env.PATH")
    if node is None:
        return []
    text = node.value.expression if isinstance(node.value, Unknown) else node.text or ""
    environment = build_environment(stage)
    text = _VARIABLE.sub(lambda found: environment.text(found[1] or found[2]) or "", text)
    return [part.strip("\"' ").rstrip("/") for part in text.split(":")]


def _unused(stage: Resource, made: Made, now: str, process: Process, repository: Repository) -> Iterator[Outcome]:
    """The one environment of an image, at `now`, is on nobody's way: not on PATH, not named, not activated."""
    program = _program(process)
    runners = {wrapper.split()[0] for wrapper in process.wrappers if wrapper}
    if not program or "/" in program or program.endswith(".sh") or program in _NOT_PYTHON or runners & _RUNNERS:
        return
    base = root_reference(stage)
    if base is None or product_of_image(base.name or "") is None:
        return  # somebody's own image may have the folder on its PATH
    if f"{now}/bin" in _search_path(stage) or _mentions(stage, made._replace(path=now), repository):
        return
    steps = [step for step in steps_in(stages_behind(stage, repository), repository) if step.install.resolves_names]
    inside = [step for step in steps if _installs_into(step, made)]
    if made.by_project_tool and (
        _installs_beside(steps, program) or not (process.server or _PYTHON.fullmatch(program))
    ):
        return
    if made.filled:
        what = "what was installed into it is not found"
    elif inside:
        named = {
            (word.text or "").partition("[")[0].partition("=")[0] for step in inside for word in step.install.words
        }
        if program not in named and not any(step.install.files or step.install.local for step in inside):
            return  # the environment of a tool
        what = "what was installed into it is not found"
    elif steps:
        what = "packages are installed beside it"
    else:
        return
    yield Hit(
        made.command.anchor,
        {"made": now, "program": program, "what": what},
        related=((process.span, f"starts {program} without the environment"),),
        address=f"{stage.path}: {made.path}",
        message="the image starts {program}, but {made}/bin is not on its PATH: {what}",
    )


def _installs_beside(steps: list[Step], program: str) -> bool:
    """Whether pip installs a list, a project, a wheel or `program` too: the environment may serve the build only."""
    words = [
        word.text or "*" for step in steps if step.install.tool in ("pip", "uv pip") for word in step.install.words
    ]
    return any(step.install.files or step.install.local for step in steps) or any(
        "*" in word or "/" in word or word.endswith(".whl") or _NAME.split(word, maxsplit=1)[0] == program
        for word in words
    )


def _installs_into(step: Step, made: Made) -> bool:
    """Whether an install goes into the environment: its own pip, an activated shell, PATH, or uv, which finds it."""
    words = step.install.command.items_at("words")
    if any((word.text or "").startswith(f"{made.path}/bin/") for word in words[:1]):
        return True
    if step.stage is not None and f"{made.path}/bin" in _search_path(step.stage):
        return True
    if step.install.tool == "uv pip":
        return not {"--system", "--target", "--prefix"} & set(step.install.options)
    return any(
        command.text_at("name") in (".", "source") and command.start < step.install.command.start
        for command in step.owner.node.items_at("commands")
    )


def _scripts_with_environments(repository: Repository) -> list[str]:
    texts = (script.source.text for script in repository.of_kind("shell.script"))
    return [text for text in texts if "bin/" in text or "venv" in text]


def _mentions(stage: Resource, made: Made, repository: Repository) -> bool:
    """Whether something uses the environment by its path: a variable, what starts the image, a script, a build step."""
    path = made.path.removeprefix("~/").removesuffix("/*")
    names = (path, posixpath.basename(path) + "/bin")
    texts = [value.span.text for value in stage.node.mapping_at("env").values()]
    texts += [node.span.text for key in ("cmd", "entrypoint") if (node := stage.node.get(key)) is not None]
    texts += repository.memo("checks.scripts_with_environments", _scripts_with_environments)
    for one in stages_behind(stage, repository):
        environment = build_environment(one)
        for run in repository.children(one, "docker.run"):
            for command in run.node.items_at("commands"):
                words = [expand_shell(word, environment).text or "" for word in command.items_at("words")]
                name = posixpath.basename(words[0]) if words else ""
                if not _PREPARES.fullmatch(name):
                    texts += words
    return any(name in text for name in names for text in texts)
