"""Lock files: that a service has one, and that its image is built from it.

Sources: https://docs.astral.sh/uv/concepts/projects/sync/, https://python-poetry.org/docs/cli/#install,
https://pipenv.pypa.io/en/latest/commands.html#install, https://pdm-project.org/latest/usage/lockfile/.
"""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import files_of, mounts_of, production_stage_of, stages_behind
from pyprod_audit.checks.pip_installs import Step, path_in_tree, steps_in
from pyprod_audit.checks.requirement_files import (
    by_path,
    compiled_from_manifest,
    installed_files,
    is_fully_pinned,
    is_pinned,
    manifests_in,
    requirements_of,
)
from pyprod_audit.model import Node, Repository, Resource, Service
from pyprod_audit.model.patterns import lazy

LOCKS = {"uv.lock": "uv", "poetry.lock": "poetry", "Pipfile.lock": "pipenv", "pdm.lock": "pdm", "pylock.toml": "pylock"}
MANIFEST_OF = {"uv": "pyproject.toml", "poetry": "pyproject.toml", "pdm": "pyproject.toml", "pipenv": "Pipfile"}
_LOCAL = lazy(r"\.{0,2}/|\.{1,2}(?:$|\[)")
_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_FROZEN = {
    "uv": frozenset(("--frozen", "--locked")),
    "pipenv": frozenset(("--deploy", "--ignore-pipfile")),
    "pdm": frozenset(("--frozen-lockfile", "--no-lock", "--check")),
}
_FROZEN_VARIABLES = ("UV_FROZEN", "UV_LOCKED", "PIPENV_IGNORE_PIPFILE", "PDM_FROZEN_LOCKFILE")


def lock_of(folder: str, repository: Repository) -> str | None:
    """The lock of the project in a folder: beside its manifest, or at the root of the workspace it belongs to."""
    for name in (*LOCKS, "conda-lock.yml"):
        if posixpath.join(folder, name) in repository.paths:
            return posixpath.join(folder, name)
    roots = repository.memo("checks.workspaces", lambda repo: {
        posixpath.dirname(one.path): one for one in repo.of_kind("py.manifest") if one.node.get("workspace") is not None
    })  # fmt: skip
    current = folder
    while current:
        current = posixpath.dirname(current)
        lock = posixpath.join(current, "uv.lock")
        if current in roots and lock in repository.paths and _is_member(folder, current, roots[current]):
            return lock
    return None


def _is_member(folder: str, root: str, manifest: Resource) -> bool:
    inside = posixpath.relpath(folder, root or ".")
    return any(fnmatch.fnmatch(inside, (one.text or "").rstrip("/")) for one in manifest.node.items_at("workspace"))


def no_lock(service: Service, context: Context) -> Outcomes:
    """A project that an image installs from its manifest has a lock, or requirements that are all pinned."""
    repository = context.repository
    steps = _steps(service, repository)
    project = service.project
    if project is None or not steps:
        yield Skip("no image installs a Python project of the repository")
        return
    installing = [step for step in steps if _installs_manifest(step, project, repository)]
    if not installing:
        yield Skip("the image does not install from the project's manifest")
        return
    if _lock_of(service, repository) is not None or _has_pinned_requirements(project, steps, repository):
        return
    if any(step.install.constraints for step in installing):
        return
    for manifest in manifests_in(project, repository):
        loose = list(_ranges(manifest))
        if not loose:
            continue
        asked = manifest.node.get("dependencies")
        yield Hit(
            asked.anchor if asked is not None and asked.key is not None else loose[0].anchor,
            {"manifest": manifest.path, "count": len(loose), "first": loose[0].text_at("name") or ""},
            related=((installing[0].install.command.anchor, "the image installs the project here"),),
            address=manifest.path,
        )
        return


def _steps(service: Service, repository: Repository) -> list[Step]:
    """What the image of a service installs, in order."""
    stage = production_stage_of(service.image, repository)
    return steps_in(stages_behind(stage, repository), repository) if stage is not None else []


def _lock_of(service: Service, repository: Repository) -> str | None:
    """The lock of the service's project, else the one in the folder that its image is built from."""
    folders = [service.project, service.files.context if service.files is not None else None]
    found = (lock_of(folder, repository) for folder in folders if folder is not None)
    return next((lock for lock in found if lock is not None), None)


def _installs_manifest(step: Step, project: str, repository: Repository) -> bool:
    """Whether a step takes the dependencies from the project's manifest (or its lock) instead of a list."""
    install = step.install
    if not install.resolves_names:
        return install.action in ("install", "sync", "update", "lock", "export", "requirements") and not install.words
    if install.tool in ("pipx", "uv tool") or "--no-deps" in install.options or "--no-index" in install.options:
        return False
    names = [word.text or "" for word in install.files]
    if any(posixpath.basename(name) in ("pyproject.toml", "setup.cfg", "setup.py") for name in names):
        return True
    return any(_names_project(word.text or "", step, project, repository) for word in (*install.words, *install.local))


def _names_project(text: str, step: Step, project: str, repository: Repository) -> bool:
    """Whether a word of `pip install` is the folder of the project: `.`, `./[prod]`, `/app`."""
    if not _LOCAL.match(text) or _is_archive(text):
        return False
    folder = text.partition("[")[0]
    found = {path_in_tree(posixpath.join(folder, name), step, repository) for name in _MANIFESTS} - {None}
    return posixpath.normpath(folder) == "." if not found else project in map(posixpath.dirname, filter(None, found))


def _is_archive(text: str) -> bool:
    return text.endswith((".whl", ".tar.gz", ".zip", "/*")) or "*" in text


def _ranges(manifest: Resource) -> Iterator[Node]:
    for requirement in manifest.node.items_at("dependencies"):
        if requirement.get("path") is None and is_pinned(requirement) is False:
            yield requirement


def _has_pinned_requirements(project: str, steps: list[Step], repository: Repository) -> bool:
    prefix = f"{project}/" if project else ""
    paths = {path for step in steps for path in installed_files(step, repository)}
    paths |= {path for path in by_path(repository) if path.startswith(prefix)}
    files = by_path(repository)
    return any(is_fully_pinned(files[path]) and len(list(requirements_of(files[path]))) > 1 for path in paths)


def lock_ignored(service: Service, context: Context) -> Outcomes:
    """The image of a service installs what the committed lock says."""
    repository = context.repository
    steps = _steps(service, repository)
    project = service.project
    lock = _lock_of(service, repository) or _compiled_list(project, repository)
    name = posixpath.basename(lock or "")
    tool = "pip-compile" if name == "requirements.txt" else LOCKS.get(name)
    if project is None or lock is None or tool is None or not steps:
        yield Skip("no image that installs a project with a lock")
        return
    locked = False
    for step in steps:
        install = step.install
        if (
            install.constraints
            or install.tool in ("poetry", "pipenv", "pdm", "uv")
            or any("pylock" in (word.text or "") for word in install.files)
        ):
            locked = True
        elif install.files and not _installs_manifest(step, project, repository):
            locked = True  # a list that was exported, or is judged by the rule about requirements
        why = _ignores(step, tool, lock, project, repository, locked=locked)
        if why:
            yield Hit(
                install.command.anchor,
                {"command": _shown(step), "lock": lock, "why": why},
                related=((repository.files[lock].line_span(1), "the lock"),) if lock in repository.files else (),
                address=f"{step.owner.path}/{step.owner.address}/{_shown(step)}",
            )


def _compiled_list(folder: str | None, repository: Repository) -> str | None:
    """The pinned `requirements.txt` of a project that was compiled from its manifest, which makes it the lock."""
    listed = by_path(repository).get(posixpath.join(folder, "requirements.txt")) if folder is not None else None
    if listed is None or not is_fully_pinned(listed) or compiled_from_manifest(listed) is None:
        return None
    return listed.path


def _shown(step: Step) -> str:
    install = step.install
    first = (*install.words, *install.local)[:1]
    parts = [install.tool, install.action, *(["-e"] if install.local else []), *(word.text or "" for word in first)]
    return " ".join(part for part in parts if part)


def _ignores(step: Step, tool: str, lock: str, project: str, repository: Repository, *, locked: bool) -> str:
    """Why a step does not install what the lock says; empty when it does, or has nothing to do with it."""
    install = step.install
    options = set(install.options)
    if install.resolves_names:
        if not locked and _installs_manifest(step, project, repository):
            return "resolves the dependencies anew"
        return ""
    if install.tool != tool:
        return ""
    if (
        install.action == "update"
        or (install.tool, install.action) == ("pipenv", "lock")
        or (install.action == "sync" and options & {"--upgrade", "--upgrade-package"})
    ):
        return "updates the locked versions"
    if "--skip-lock" in options:
        return "leaves the lock aside"
    if install.words or options & {"--help", "--dry-run"}:
        return ""
    frozen = bool(options & _FROZEN.get(tool, frozenset())) or _frozen_by_variable(step)
    resolving = (tool, install.action) in (("uv", "sync"), ("pipenv", "install"), ("pdm", "install"))
    if (resolving and not frozen) or (tool, install.action) == ("poetry", "install"):
        if _has_manifest_only(step, tool, lock, repository):
            return "finds no lock, since none is copied before it, and resolves the dependencies anew"
    if resolving and not frozen:
        return f"rewrites the lock when it does not fit the manifest instead of failing: {_ADVICE[tool]} is not given"
    return ""


_ADVICE = {"uv": "--locked", "pipenv": "--deploy", "pdm": "--frozen-lockfile"}


def _frozen_by_variable(step: Step) -> bool:
    stage = step.stage
    values = (stage.node.text_at(f"env.{name}") for name in _FROZEN_VARIABLES) if stage is not None else ()
    prefixed = step.install.command.mapping_at("env")
    return any(value not in (None, "", "0", "false") for value in values) or not prefixed.keys().isdisjoint(
        _FROZEN_VARIABLES
    )


def _has_manifest_only(step: Step, tool: str, lock: str, repository: Repository) -> bool:
    """Whether, when the step runs, the manifest has been copied by name and no copy can have brought the lock."""
    stage = step.stage
    if stage is None or step.owner.kind != "docker.run":
        return False
    lineage = stages_behind(stage, repository)
    names: list[str] = []
    for one in lineage:
        for instruction in one.node.items_at("instructions"):
            if one is stage and instruction.start >= step.owner.node.start:
                break
            if instruction.text_at("name") in ("COPY", "ADD"):
                if instruction.get("flags.from") is not None:
                    return False  # what another stage or image brings is not looked through here
                names += [word.text or "*" for word in instruction.items_at("expanded")[:-1]]
    names += [source for mount in mounts_of(step.owner) for source in mount.sources]
    manifest = MANIFEST_OF.get(tool, "")
    files = files_of(stage, repository)
    folders = {posixpath.normpath(posixpath.join(files.context, name)).lstrip("/") for name in names}
    if any(path == "." or lock.startswith(f"{path}/") for path in folders) or "." in names:
        return False
    base = posixpath.basename(lock)
    if any(fnmatch.fnmatch(base, posixpath.basename(name.rstrip("/"))) for name in names):
        return False
    return any(fnmatch.fnmatch(manifest, posixpath.basename(name)) for name in names)
