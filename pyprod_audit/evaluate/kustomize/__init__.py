"""Kustomizations: the objects that overlays deploy, with everything that bases, patches and transformers say.

Checked object by object against kustomize 5.7.1 (`tests/oracles/kustomize`). Nothing is fetched or run.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.kustomize.accumulate import Accumulator
from pyprod_audit.evaluate.kustomize.finish import finished
from pyprod_audit.evaluate.kustomize.kustomization import Kustomization, is_own
from pyprod_audit.evaluate.kustomize.objects import Item
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, placed, stop
from pyprod_audit.evaluate.kustomize.sources import Sources, located
from pyprod_audit.model import Node, Problem, Resource, Tree, Via
from pyprod_audit.model.workplaces import is_workplace
from pyprod_audit.parsers.kubernetes import objects_of
from pyprod_audit.parsers.kubernetes_variables import mark_all_variables

_STEPS: Final = 5_000_000
_TOLD: Final = 3
_INCLUDES: Final = ("resources", "bases", "components")


def evaluate(resources: Sequence[Resource], tree: Tree) -> Evaluated:
    """The objects of every kustomization that no other one includes.

    Args:
        resources: all `kustomize.kustomization`.
        tree: for the files that they name.

    Returns:
        The objects (their `variant` is the kustomization's folder) with the views of their pods, a `kustomize.build`
        for each kustomization that is deployed, problems, and the manifests that have been evaluated.
    """
    sources = Sources(tree, resources)
    budget = Budget(_STEPS)
    outcome = Evaluated()
    builds: list[_Build] = []
    seen: set[str] = set()
    ordered = sorted(resources, key=lambda one: one.path)
    # What no root leads to includes each other in a circle.
    for resource in (*_roots(ordered, sources), *ordered):
        if resource.path not in seen and not _is_component(resource):
            builds.append(_Build(resource, sources, budget))
            seen |= builds[-1].files
    left_out = [build for build in builds if build.is_for_development(builds)]
    # A tool's variables are only marked now: bases are shared, and kustomize takes them as text.
    for build in builds:
        outcome.resources.append(build.resource(judged=build not in left_out))
        if build in left_out:
            outcome.replaced.update(build.files)
            continue
        outcome.resources.extend(build.objects())
        outcome.problems.extend(build.problems)
        if build.failure is None:
            outcome.replaced.update(build.files)
    for resource in resources:
        if resource.path not in seen:
            outcome.resources.append(_unused(resource, sources))
    outcome.problems[:] = dict.fromkeys(outcome.problems)
    if left_out:
        names = [build.variant for build in left_out[:_TOLD]]
        more = f" and {len(left_out) - _TOLD} more" if len(left_out) > _TOLD else ""
        outcome.notes.append(f"overlays for development are not judged beside the others: {', '.join(names)}{more}")
    return outcome


class _Build:
    """One kustomization that is deployed, evaluated."""

    def __init__(self, root: Resource, sources: Sources, budget: Budget) -> None:
        folder = posixpath.dirname(root.path)
        self.root = root
        self.folder = folder
        self.variant = folder or "."
        self.accumulator = Accumulator(sources, budget)
        self._sources = sources
        self.items: list[Item] = []
        self.failure: Refused | None = None
        kustomization = Kustomization(root.node, folder)
        if len(sources.kustomization(folder)) > 1:
            self.failure = Refused("there are several kustomizations in this folder", root.node)
            return
        try:
            gathered = self.accumulator.gather(kustomization)
            self.items = finished(gathered, kustomization, budget, lenient=bool(self.accumulator.brings))
        except Refused as refused:
            self.failure = refused
        except RecursionError:
            self.failure = Refused("it is nested too deeply", root.node)

    @cached_property
    def files(self) -> set[str]:
        """The files that went into it, or would have gone."""
        files = self.accumulator.files
        return files if self.failure is None else files | _reached(self.root, self._sources)

    def is_for_development(self, builds: Sequence[_Build]) -> bool:
        """Whether developers or tests use this overlay, and another one of `builds` deploys the same files."""
        if self.failure is not None or not is_workplace(self.folder):
            return False
        return any(
            other.failure is None and not is_workplace(other.folder) and not self.files.isdisjoint(other.files)
            for other in builds
        )

    @property
    def problems(self) -> list[Problem]:
        """What is wrong; why it could not be evaluated comes last."""
        found = list(self.accumulator.problems)
        if self.failure is not None:
            at = self.failure.at or self.root.node
            message = f"{self.root.path} was not evaluated: {self.failure.message}"
            found.append(Problem("evaluate", at.source.path, message, at.anchor.line))
        return found

    def objects(self) -> Iterator[Resource]:
        """The objects, each followed by the views of its pods."""
        for index, item in enumerate(self.items):
            mark_all_variables(item.node)
            yield from objects_of(item.node, index, self.variant, self._via(item))

    def resource(self, *, judged: bool) -> Resource:
        """What is known about the build; without `judged` its objects are left out."""
        failure = self.failure
        changes = [text for _, text in self.accumulator.changes]
        if failure is not None:
            changes.insert(0, f"it was not evaluated: {failure.message}")
        brings = [text for _, text in self.accumulator.brings]
        flags = {"evaluated": failure is None, "judged": judged}
        return _build(self.root, self.variant, self.files, flags, (brings, changes))

    def _via(self, item: Item) -> tuple[Via, ...]:
        if is_own(self.folder, item.node.source.path) or item.entry is None:
            return ()
        return (stop(item.entry, f"included by {self.folder or self.root.path}"),)


def _build(
    root: Resource, variant: str, files: set[str], flags: dict[str, bool], reasons: tuple[list[str], list[str]]
) -> Resource:
    node = root.node
    brings, changes = (tuple(placed(text, node) for text in dict.fromkeys(texts)) for texts in reasons)
    members = {
        "kustomization": placed(root.path, node),
        **{name: placed(flag, node) for name, flag in flags.items()},
        "files": placed(tuple(placed(path, node) for path in sorted(files)), node),
        "brings": placed(brings, node),
        "changes": placed(changes, node),
    }
    return Resource("kustomize.build", variant, placed(members, node), None, variant)


def _unused(resource: Resource, sources: Sources) -> Resource:
    """A component that nothing here includes: what it does to the objects of others is not known."""
    folder = posixpath.dirname(resource.path)
    reasons: tuple[list[str], list[str]] = ([], ["it is a component that no kustomization here includes"])
    return _build(resource, folder or ".", _reached(resource, sources), {"evaluated": False, "judged": True}, reasons)


def _roots(resources: Sequence[Resource], sources: Sources) -> list[Resource]:
    included = {path for resource in resources for path in _included(resource.node, sources)}
    return [one for one in resources if posixpath.dirname(one.path) not in included and not _is_component(one)]


def _reached(root: Resource, sources: Sources) -> set[str]:
    """The files of a kustomization that was not evaluated, and of those that it includes."""
    files: set[str] = set()
    pending = [root.node]
    while pending:
        node = pending.pop()
        if node.source.path in files:
            continue
        files.add(node.source.path)
        for path in _included(node, sources):
            if sources.has(path):
                files.add(path)
            else:
                pending += sources.kustomization(path)
    return files


def _included(kustomization: Node, sources: Sources) -> Iterator[str]:
    """The paths that a kustomization includes."""
    folder = posixpath.dirname(kustomization.source.path)
    for key in _INCLUDES:
        for entry in kustomization.items_at(key):
            path = located(folder, entry.text) if entry.text else None
            if path is not None and (sources.has(path) or sources.is_listed(path)):
                yield path


def _is_component(resource: Resource) -> bool:
    return resource.node.text_at("kind") == "Component"
