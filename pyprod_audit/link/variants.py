"""Which resources are deployed together, when the same files are deployed in several ways.

A chart with each of its values files, a base with each of its overlays: what one of these ways brings must not be taken
for a part of another.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyprod_audit.model import Repository, Resource


def together(candidates: Iterable[Resource], to: Resource, repository: Repository) -> list[Resource]:
    """Those of `candidates` that may be deployed beside `to`.

    Its own variant comes first: when that has candidates, no others count. Resources without a variant go with all.
    Two variants that deploy the same files exclude each other; others (two charts, two applications) do not.
    """
    found = list(candidates)
    if not any(one.variant != to.variant for one in found):
        return found
    own = [one for one in found if one.variant == to.variant]
    if own:
        return own
    plain = [one for one in found if not one.variant]
    if plain or not found:
        return plain
    ways = repository.memo("link.other_ways", _other_ways)
    others = [one for one in found if one.variant not in ways.get(to.variant, ())]
    # Of the ways to deploy something else, one is enough: the first.
    first: dict[tuple[str, int, str], str] = {}
    return [one for one in others if first.setdefault(_place(one), one.variant) == one.variant]


def exclude_each_other(one: Resource, other: Resource, repository: Repository) -> bool:
    """Whether two resources belong to different ways of deploying the same files."""
    if one.variant == other.variant or not one.variant or not other.variant:
        return False
    return other.variant in repository.memo("link.other_ways", _other_ways).get(one.variant, ())


def _place(resource: Resource) -> tuple[str, int, str]:
    return (resource.path, resource.node.start, resource.address)


def _other_ways(repository: Repository) -> dict[str, set[str]]:
    """By variant, those that hold an object which is written at the same place."""
    variants: dict[tuple[str, int], set[str]] = {}
    for resource in repository.of_technology("k8s"):
        if resource.variant and resource.parent is None:
            variants.setdefault((resource.path, resource.node.start), set()).add(resource.variant)
    found: dict[str, set[str]] = {}
    for same in variants.values():
        if len(same) > 1:
            for variant in same:
                found.setdefault(variant, set()).update(same - {variant})
    return found
