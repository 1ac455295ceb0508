"""The whole model of one scanned tree, with the look-ups that rules need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, cast

from pyprod_audit.model.resource import Resource
from pyprod_audit.model.service import Service
from pyprod_audit.model.source import SourceFile

T = TypeVar("T")


class Repository:
    """Files, resources by kind, and services. Built once per scan, then only read."""

    def __init__(
        self,
        files: Mapping[str, SourceFile],
        paths: Iterable[str],
        resources: Iterable[Resource],
        services: Iterable[Service] = (),
    ) -> None:
        """`files`: those read, by path; `paths`: every path seen, read or not; `resources` in stable order."""
        self.files = files
        self.paths = frozenset(paths)
        self.by_kind: dict[str, list[Resource]] = {}
        self._children: dict[int, list[Resource]] = {}
        for resource in resources:
            self.by_kind.setdefault(resource.kind, []).append(resource)
            if resource.parent is not None:
                self._children.setdefault(id(resource.parent), []).append(resource)
        self.services: tuple[Service, ...] = tuple(services)
        self.notes: dict[str, object] = {}

    def of_kind(self, *kinds: str) -> list[Resource]:
        """The resources of these kinds, in order of the kinds, then of discovery."""
        found = self.by_kind
        return found.get(kinds[0], []) if len(kinds) == 1 else [r for kind in kinds for r in found.get(kind, [])]

    def of_technology(self, technology: str) -> list[Resource]:
        """All resources whose kind starts with `technology` and a dot."""
        prefix = technology + "."
        return [r for kind, found in self.by_kind.items() if kind.startswith(prefix) for r in found]

    def children(self, resource: Resource, kind: str = "") -> list[Resource]:
        """The resources whose parent is `resource`, all or of one kind."""
        found = self._children.get(id(resource), [])
        return [r for r in found if r.kind == kind] if kind else found

    def memo(self, key: str, build: Callable[[Repository], T]) -> T:
        """What `build` makes of this repository, made once: an index that several rules share."""
        if key not in self.notes:
            self.notes[key] = build(self)
        return cast("T", self.notes[key])
