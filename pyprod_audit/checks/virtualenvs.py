"""Virtual environments in images: that they are used, and where they were made.

Sources: https://docs.python.org/3/library/venv.html (scripts hold the absolute path of their interpreter),
https://docs.astral.sh/uv/reference/environment/#uv_venv_relocatable.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pyprod_audit.checks.api import Context, Hit, Outcome, Outcomes, Skip
from pyprod_audit.checks.docker_view import (
    build_environment,
    copies_from,
    index_of,
    production_stage_of,
    stage_called,
    stages_behind,
    workdir_at,
)
from pyprod_audit.checks.pip_installs import steps_in
from pyprod_audit.link.environment import expand_shell
from pyprod_audit.model import Node, Process, Repository, Resource, Service, Unknown

_PYTHON = re.compile(r"python[0-9.]*")
_RUNNERS = frozenset(("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "pipx"))
_INTERPRETERS = frozenset(("python", "sh", "bash"))


@dataclass(frozen=True, slots=True)
class Made:
    """A virtual environment and the command that makes it; `path` is absolute."""

    path: str
    command: Node
    stage: Resource
    relocatable: bool = False


def environment_unused_or_moved(service: Service, context: Context) -> Outcomes:
    """The virtual environment of an image stands where it was made, and what the image starts comes from it."""
    repository = context.repository
    stage = production_stage_of(service.image, repository)
    made = list(_made(stage, repository)) if stage is not None else []
    if stage is None or not made:
        yield Skip("no image that makes a virtual environment")
        return
    moved = list(_moved(stage, made, service.process, repository))
    yield from moved
    if not moved and len(made) == 1:
        yield from _unused(stage, made[0], service.process, repository)


def _made(stage: Resource, repository: Repository) -> Iterator[Made]:
    """The environments that the stages behind `stage` make by name: `python -m venv`, `virtualenv`, `uv venv`."""
    for one in stages_behind(stage, repository):
        environment = build_environment(one)
        relocatable = (environment.text("UV_VENV_RELOCATABLE") or "") in ("1", "true")
        for run in repository.children(one, "docker.run"):
            for command in run.node.items_at("commands"):
                words = [expand_shell(word, environment) for word in command.items_at("words")]
                path = _path_of([word.text for word in words])
                if path:
                    full = posixpath.normpath(posixpath.join(workdir_at(run), path))
                    flagged = any(word.text == "--relocatable" for word in words)
                    yield Made(full, command, one, relocatable or flagged)


def _path_of(words: list[str | None]) -> str:
    """The folder that a command makes an environment in; empty when it makes none, or cannot be told."""
    if not words or words[0] is None:
        return ""
    name = posixpath.basename(words[0])
    rest = words[1:]
    if _PYTHON.fullmatch(name) and words[1:2] == ["-m"] and len(words) > 2:
        name, rest = words[2] or "", words[3:]
    elif name == "uv" and words[1:2] == ["venv"]:
        name, rest = "venv", [*(words[2:] or [None])]
        rest = [".venv"] if rest == [None] else rest
    elif name not in ("virtualenv", "pyvenv"):
        return ""
    if name not in ("venv", "virtualenv", "pyvenv"):
        return ""
    places: list[str] = []
    skip = False
    for word in rest:
        if word is None:
            return ""
        if skip or word.startswith("-"):
            skip = not skip and word in ("-p", "--python", "--prompt", "--seed-packages", "--cache-dir")
            continue
        places.append(word)
    return places[0] if len(places) == 1 else ""


def _moved(stage: Resource, made: list[Made], process: Process | None, repository: Repository) -> Iterator[Outcome]:
    """Environments that COPY puts elsewhere, when a script of theirs is what the image starts."""
    if stage.parent is None:
        return
    stages = repository.children(stage.parent, "docker.stage")
    for holder in stages_behind(stage, repository):
        for copy, name in copies_from(holder):
            origin = stage_called(name, stages, index_of(holder))
            words = [word.text for word in copy.items_at("expanded")]
            if origin is None or len(words) < 2 or None in words:
                continue
            target = posixpath.normpath(posixpath.join(_workdir_before(holder, copy), words[-1] or ""))
            behind = {id(one) for one in stages_behind(origin, repository)}
            for source in words[:-1]:
                absolute = posixpath.normpath(posixpath.join(origin.node.text_at("workdir") or "/", source or ""))
                for one in made:
                    if id(one.stage) not in behind or one.relocatable or not _within(one.path, absolute):
                        continue
                    now = posixpath.normpath(target + one.path[len(absolute.rstrip("/")) :])
                    if now != one.path and _starts_a_script(process, stage, now):
                        yield Hit(
                            copy.anchor,
                            {"made": one.path, "now": now, "program": _program(process)},
                            related=((one.command.anchor, f"made in {one.path}"),),
                            address=f"{stage.path}: {one.path}",
                        )


def _workdir_before(stage: Resource, instruction: Node) -> str:
    return workdir_at(Resource("docker.run", "", instruction, stage))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _program(process: Process | None) -> str:
    return (process.argv[0].text or "") if process is not None and process.argv else ""


def _starts_a_script(process: Process | None, stage: Resource, folder: str) -> bool:
    """Whether what the image starts is a script in the environment: one that names its interpreter by the old path."""
    program = _program(process)
    name = posixpath.basename(program)
    if process is None or not name or _PYTHON.fullmatch(name) or name in _INTERPRETERS:
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
    for name in ("VIRTUAL_ENV", "VENV", "VENV_PATH", "APP_HOME", "HOME"):
        value = environment.text(name)
        if value:
            text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return [part.strip("\"' ").rstrip("/") for part in text.split(":")]


def _unused(stage: Resource, made: Made, process: Process | None, repository: Repository) -> Iterator[Outcome]:
    """The one environment of an image is on nobody's way: not on PATH, not named, not activated where it counts."""
    program = _program(process)
    if process is None or not program or any(wrapper.split()[0] in _RUNNERS for wrapper in process.wrappers if wrapper):
        return
    if f"{made.path}/bin" in _search_path(stage) or _mentions(stage, made, repository):
        return
    if program.startswith("/") or posixpath.basename(program) in ("sh", "bash", "uv"):
        return
    inside = f"{made.path}/bin/"
    goes_in = any((word.text or "").startswith(inside) for step in steps_in(stages_behind(stage, repository), repository)
                  for word in step.install.command.items_at("words")[:1])  # fmt: skip
    what = "what was installed into it is not found" if goes_in else "packages are installed beside it"
    yield Hit(
        made.command.anchor,
        {"made": made.path, "program": program, "what": what},
        related=((process.span, f"starts {program} of the system's interpreter"),),
        address=f"{stage.path}: {made.path}",
        message="the image starts {program}, but {made}/bin is not on its PATH: {what}",
    )


def _mentions(stage: Resource, made: Made, repository: Repository) -> bool:
    """Whether anything that starts the image, or the image's variables, names the environment."""
    names = (made.path, posixpath.basename(made.path) + "/bin")
    texts = [value.span.text for value in stage.node.mapping_at("env").values()]
    texts += [node.span.text for key in ("cmd", "entrypoint") if (node := stage.node.get(key)) is not None]
    texts += [script.source.text for script in repository.of_kind("shell.script")]
    return any(name in text for name in names for text in texts)
