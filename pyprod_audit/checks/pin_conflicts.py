"""Sources of one image's dependencies that pin different versions of the same distribution."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import files_of, production_stage_of, stages_behind
from pyprod_audit.checks.locks import LOCKS
from pyprod_audit.checks.pip_installs import Step, resolved, steps_in
from pyprod_audit.checks.requirement_files import by_path, installed_files, is_pinned, locks_in, requirements_of
from pyprod_audit.model import Node, Repository, Resource, Service
from pyprod_audit.parsers.requirement_line import normal_name, read_requirement

# What installs the rest; its version at build time and at run time need not be the same.
_INSTALLERS = frozenset(("pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pdm", "pip-tools", "virtualenv"))
_SHOWN = 3


@dataclass(slots=True)
class Source:
    """Where versions are pinned: `pins` by name, several when markers choose."""

    label: str
    pins: dict[str, list[tuple[str, Node]]] = field(default_factory=dict)

    def add(self, name: str | None, version: str | None, node: Node) -> None:
        """Take over one pin."""
        if name and version and name not in _INSTALLERS:
            self.pins.setdefault(name, []).append((version, node))


def pins_disagree(service: Service, context: Context) -> Outcomes:
    """The requirements files, the lock and the commands of one image pin the same version of each distribution."""
    repository = context.repository
    stage = production_stage_of(service.image, repository)
    sources = list(_sources(stage, repository)) if stage is not None else []
    if stage is None or len(sources) < 2:
        yield Skip("no image with two sources of pinned versions")
        return
    for first, second in itertools.combinations(sources, 2):
        differing = [
            (name, first.pins[name][0], second.pins[name][0])
            for name in sorted(first.pins.keys() & second.pins.keys())
            if _versions(first, name).isdisjoint(_versions(second, name))
        ]
        if not differing:
            continue
        name, (version, node), (other, at) = differing[0]
        rest = len(differing) - _SHOWN
        also = "".join(f", {one} {a} and {b}" for one, (a, _), (b, _) in differing[1:_SHOWN])
        more = f" and {rest} more" if rest > 0 else ""
        values = {"name": name, "version": version, "first": first.label, "other": other, "second": second.label,
                  "also": also + more}  # fmt: skip
        related = [(at.anchor, f"{other} here")]
        related += [(pin[1].anchor, f"{one} {pin[0]}") for one, _, pin in differing[1:8]]
        yield Hit(node.anchor, values, related=tuple(related), address=f"{first.label}: {second.label}")


def _versions(source: Source, name: str) -> set[str]:
    """The versions without their local part and trailing zeros: 2.1.0+cpu and 2.1 are the same release."""
    found = set()
    for version, _ in source.pins[name]:
        release = version.partition("+")[0]
        while release.endswith(".0"):
            release = release[:-2]
        found.add(release)
    return found


def _sources(stage: Resource, repository: Repository) -> Iterator[Source]:
    steps = [one for one in steps_in(stages_behind(stage, repository), repository) if not one.install.conditional]
    files = by_path(repository)
    paths = list(dict.fromkeys(path for step in steps for path in installed_files(step, repository)))
    folders = {posixpath.dirname(path) for path in paths}
    folders |= {folder for step in steps if (folder := _lock_folder(step, stage, repository)) is not None}
    for path in paths:
        source = Source(path)
        for one in requirements_of(files[path]):
            if is_pinned(one):
                source.add(one.text_at("name"), one.text_at("version"), one)
        yield source
    for lock in (one for folder in sorted(folders) for one in locks_in(folder, repository)):
        if posixpath.basename(lock.path) in LOCKS:
            source = Source(lock.path)
            for package in lock.node.items_at("packages"):
                groups = [one.text for one in package.items_at("groups")]
                if not groups or {"main", "default"} & set(groups):
                    source.add(package.text_at("name"), package.text_at("version"), package.get("version") or package)
            yield source
    for step in steps:
        if step.install.tool in ("pip", "uv pip"):
            yield from _inline(step)


def _lock_folder(step: Step, stage: Resource, repository: Repository) -> str | None:
    """The folder whose lock a step of a project tool installs."""
    if step.install.resolves_names or step.install.tool == "uv tool":
        return None
    return files_of(stage, repository).context


def _inline(step: Step) -> Iterator[Source]:
    source = Source(f"{posixpath.basename(step.owner.path)} ({step.install.tool} {step.install.action})")
    for word in step.install.words:
        text = resolved(word, step).text
        requirement = read_requirement(text) if text is not None else ""
        if not isinstance(requirement, str) and requirement.pinned and not requirement.url:
            source.add(normal_name(requirement.name), requirement.version, word)
    if source.pins:
        yield source
