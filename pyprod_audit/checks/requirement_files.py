"""Which requirements files production installs, with what constraints, and how their entries are pinned."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.pip_installs import Step, file_in_tree, steps
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.patterns import lazy

_MAX_FILES = 1_000
_HEADER = 1_000
# What pip-compile and uv write into a list that they compile from a manifest: the command, and who asked for a line.
_ASKED_BY = lazy(r"\((?:\./)?(pyproject\.toml|setup\.py|setup\.cfg)\)$", re.MULTILINE)
_COMMAND = lazy(r"^# .{0,200}\bcompile\b.{0,300}[ /=](pyproject\.toml|setup\.py|setup\.cfg)", re.MULTILINE)
_PARTLY = lazy(r"^# .{0,400}--(?:group|only-group|only-deps|build-deps-for|only-build-deps)\b", re.MULTILINE)


@dataclass(slots=True)
class Use:
    """How production uses one requirements file.

    `constrained`: names that constraints files pin; `open`: a constraints file that is not in the tree may pin any.
    """

    steps: list[Step] = field(default_factory=list)
    constrained: set[str] = field(default_factory=set)
    open: bool = False


def uses(repository: Repository) -> dict[str, Use]:
    """The requirements files that a production step installs, by path, with those that they include."""
    return repository.memo("checks.requirement_uses", _uses)


def _uses(repository: Repository) -> dict[str, Use]:
    found: dict[str, Use] = {}
    for step in steps(repository):
        for path in installed_files(step, repository):
            use = found.setdefault(path, Use())
            use.steps.append(step)
            names, unseen = constraints_of(step, repository)
            use.constrained |= names
            use.open |= unseen
    for folder in {posixpath.dirname(path) for path in repository.paths if posixpath.basename(path) == "Procfile"}:
        path = posixpath.join(folder, "requirements.txt")  # Heroku's and Cloud Foundry's buildpacks install it
        if path in by_path(repository) and not is_workplace(path):
            found.setdefault(path, Use())
    return found


def by_path(repository: Repository) -> dict[str, Resource]:
    """All requirements files by path."""
    return repository.memo(
        "checks.requirements_by_path", lambda repo: {one.path: one for one in repo.of_kind("py.requirements")}
    )


def manifests_in(folder: str, repository: Repository) -> list[Resource]:
    """The manifests that stand in a folder."""
    return _by_folder("py.manifest", repository).get(folder, [])


def locks_in(folder: str, repository: Repository) -> list[Resource]:
    """The lock files that stand in a folder."""
    return _by_folder("py.lock", repository).get(folder, [])


def _by_folder(kind: str, repository: Repository) -> dict[str, list[Resource]]:
    def build(repo: Repository) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in repo.of_kind(kind):
            found.setdefault(posixpath.dirname(resource.path), []).append(resource)
        return found

    return repository.memo(f"checks.by_folder.{kind}", build)


def installed_files(step: Step, repository: Repository) -> list[str]:
    """The requirements files of the tree that a step installs, with those they include; files for developers left out.

    A file that the build itself writes (`uv export -o requirements.txt`) is not in the tree.
    """
    if not step.install.resolves_names:
        return []
    start = [file_in_tree(word, step, repository) for word in step.install.files]
    return [path for path in included([one for one in start if one], "-r", repository) if not is_workplace(path)]


def included(paths: list[str], option: str, repository: Repository) -> list[str]:
    """`paths` and what they include by `-r`; with option "-c" only what any of them includes as constraints."""
    files = by_path(repository)
    seen: dict[str, None] = {}
    constraints: dict[str, None] = {}
    waiting = list(reversed(paths))
    while waiting and len(seen) < _MAX_FILES:
        path = waiting.pop()
        if path in seen or path not in files:
            continue
        seen[path] = None
        for entry in files[path].node.items_at("includes"):
            other = entry.text_at("path")
            if other and "://" not in other:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(path), other))
                if entry.text_at("option") == "-r":
                    waiting.append(target)
                else:
                    constraints[target] = None
    return list(seen if option == "-r" else constraints)


def constraints_of(step: Step, repository: Repository) -> tuple[set[str], bool]:
    """The names that the constraints of a step pin, and whether there are constraints that the tree does not have."""
    files = by_path(repository)
    words = list(step.install.constraints)
    if step.stage is not None:
        variable = step.stage.node.get("env.PIP_CONSTRAINT") or step.stage.node.get("env.UV_CONSTRAINT")
        words += [variable] if variable is not None else []
    paths: list[str] = []
    unseen = False
    for word in words:
        path = file_in_tree(word, step, repository)
        if path in files:
            paths.append(path)
        else:
            unseen = True
    starts = [file_in_tree(word, step, repository) for word in step.install.files]
    inner = included([one for one in starts if one], "-c", repository)
    unseen = unseen or any(path not in files for path in inner)
    paths += [path for path in inner if path in files]
    return {name for path in paths for name in pinned_names(files[path])}, unseen


def requirements_of(resource: Resource) -> Iterator[Node]:
    """The entries of a requirements file that name a distribution; local code is nobody's release."""
    for requirement in resource.node.items_at("requirements"):
        if requirement.get("path") is None:
            yield requirement


def is_pinned(requirement: Node) -> bool | None:
    """Whether a requirement names one exact release; None when a template fills it in."""
    pinned = requirement.get("pinned")
    if pinned is None or pinned.is_unknown:
        return None
    return pinned.value is True


def pinned_names(resource: Resource) -> set[str]:
    """The names that a requirements file gives one exact version."""
    return {name for one in requirements_of(resource) if is_pinned(one) and (name := one.text_at("name"))}


def is_fully_pinned(resource: Resource) -> bool:
    """Whether a requirements file has entries, and each of them names one exact release."""
    entries = list(requirements_of(resource))
    return bool(entries) and all(is_pinned(one) for one in entries)


def compiled_from_manifest(resource: Resource) -> str | None:
    """The path of the manifest beside it that a requirements file was compiled from, as the compiler noted in it."""
    text, head = resource.source.text, min(len(resource.source.text), _HEADER)
    found = _COMMAND.search(text, 0, head) or _ASKED_BY.search(text)
    if found is None or _PARTLY.search(text, 0, head) or is_workplace(resource.path):
        return None
    return posixpath.join(posixpath.dirname(resource.path), found[1])
