"""What a namespace's LimitRange gives to containers that say nothing.

Defaults as the API server fills them in (SetDefaults_LimitRangeItem): the maximum is the default limit where none is
set; the default request is the default limit, else the minimum. https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pyprod_audit.checks.workload_view import present
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import namespace_of

_LIMIT: Final = ("default", "max")
_REQUEST: Final = ("defaultRequest", "default", "max", "min")


class Supplied(NamedTuple):
    """A LimitRange that supplies a value; `certain` is False when it may be for another namespace."""

    limit_range: Resource
    value: Node
    certain: bool


@dataclass(slots=True)
class _Index:
    """LimitRanges by the namespace they name, and those that name one (True) or none by the folders they are near."""

    by_namespace: dict[str, tuple[Resource, Node]] = field(default_factory=dict)
    by_folder: dict[tuple[str, bool], tuple[Resource, Node]] = field(default_factory=dict)

    def add(self, limit_range: Resource, value: Node) -> None:
        namespace, folder = namespace_of(limit_range), posixpath.dirname(limit_range.path)
        self.by_namespace.setdefault(namespace, (limit_range, value))
        self.by_folder.setdefault((folder, bool(namespace)), (limit_range, value))
        above = posixpath.dirname(folder)
        if above:
            self.by_folder.setdefault((above, bool(namespace)), (limit_range, value))


def supplied(container: Resource, resource: str, repository: Repository, *, request: bool) -> Supplied | None:
    """The LimitRange that gives the container its limit (or request) of `resource` ("cpu", "memory"), if any."""
    index = repository.memo("k8s.limit_ranges", _index).get((resource, request))
    if index is None:
        return None
    namespace = namespace_of(container)
    found = index.by_namespace.get(namespace)
    if found is not None:
        return Supplied(*found, certain=True)
    # An absent namespace is filled in by `kubectl -n` or a kustomization: what lies together may go to the same one.
    for folder in _folders(container.path):
        found = index.by_folder.get((folder, not namespace))
        if found is not None:
            return Supplied(*found, certain=False)
    return None


def _index(repository: Repository) -> Mapping[tuple[str, bool], _Index]:
    found: dict[tuple[str, bool], _Index] = {}
    for limit_range in repository.of_kind("k8s.limitrange"):
        for item in limit_range.node.items_at("spec.limits"):
            if item.text_at("type") != "Container":
                continue
            for request, keys in ((False, _LIMIT), (True, _REQUEST)):
                for resource in ("cpu", "memory"):
                    value = next(filter(None, (present(item, key, resource) for key in keys)), None)
                    if value is not None:
                        found.setdefault((resource, request), _Index()).add(limit_range, value)
    return found


def _folders(path: str) -> Iterator[str]:
    """The folder of a file and those above it, nearest first."""
    folder = path
    while folder:
        folder = posixpath.dirname(folder)
        yield folder
