"""What a namespace's LimitRange gives to containers that say nothing.

Defaults as the API server fills them in (SetDefaults_LimitRangeItem): the maximum is the default limit where none is
set; the default request is the default limit, else the minimum. https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyprod_audit.checks.workload_view import present
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import namespace_of

_LIMIT: Final = ("default", "max")
_REQUEST: Final = ("defaultRequest", "default", "max", "min")


@dataclass(frozen=True, slots=True)
class Supplied:
    """A LimitRange that supplies a value; `certain` is False when it may be for another namespace."""

    limit_range: Resource
    value: Node
    certain: bool


def supplied(container: Resource, resource: str, repository: Repository, *, request: bool) -> Supplied | None:
    """The LimitRange that gives the container its limit (or request) of `resource` ("cpu", "memory"), if any."""
    index = repository.memo("k8s.limit_ranges", _index).get((resource, request), {})
    namespace = namespace_of(container)
    found = index.get(namespace)
    if found is not None:
        return Supplied(*found, certain=True)
    # An absent namespace is filled in by `kubectl -n` or a kustomization: it may be any.
    others = index.values() if not namespace else filter(None, [index.get("")])
    near = [one for one in others if _folder(one[0].path) in ("", _folder(container.path))]
    return Supplied(*near[0], certain=False) if near else None


def _index(repository: Repository) -> Mapping[tuple[str, bool], Mapping[str, tuple[Resource, Node]]]:
    found: dict[tuple[str, bool], dict[str, tuple[Resource, Node]]] = {}
    for limit_range in repository.of_kind("k8s.limitrange"):
        for item in limit_range.node.items_at("spec.limits"):
            if item.text_at("type") != "Container":
                continue
            for request, keys in ((False, _LIMIT), (True, _REQUEST)):
                for resource in ("cpu", "memory"):
                    value = next(filter(None, (present(item, key, resource) for key in keys)), None)
                    if value is not None:
                        namespaces = found.setdefault((resource, request), {})
                        namespaces.setdefault(namespace_of(limit_range), (limit_range, value))
    return found


def _folder(path: str) -> str:
    """The first folder of a path."""
    return posixpath.dirname(path).partition("/")[0]
