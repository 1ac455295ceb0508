"""`!reset` and `!override`: what a file takes back of the files before it.

https://docs.docker.com/reference/compose-file/merge/#reset-value: the attribute under either tag is removed from what
earlier files say; `!override` then puts its own value there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from pyprod_audit.evaluate.compose.texts import members_like
from pyprod_audit.model import Node
from pyprod_audit.parsers.compose import OVERRIDE, RESET, Tagged

Paths: TypeAlias = tuple[tuple[str, ...], ...]
_MAX_PATHS = 1_000
_MAX_DEPTH = 32


def has_tags(text: str) -> bool:
    """Whether a file may use one of the tags."""
    return RESET in text or OVERRIDE in text


def take_back(document: Node) -> tuple[Node, Paths]:
    """The document without what it resets, and the paths of everything under a tag."""
    paths: list[tuple[str, ...]] = []
    return _without_resets(document, (), paths), tuple(paths[:_MAX_PATHS])


def _without_resets(node: Node, path: tuple[str, ...], paths: list[tuple[str, ...]]) -> Node:
    if not isinstance(node.value, dict) or len(path) > _MAX_DEPTH:
        return node
    members: dict[str, Node] = {}
    for name, member in node.value.items():
        below = (*path, name)
        if isinstance(member, Tagged):
            paths.append(below)
            if member.tag == RESET:
                continue
            members[name] = member
        else:
            members[name] = _without_resets(member, below, paths)
    return node.holding(members_like(members, node.value))


def apply_resets(model: Node, paths: Iterable[tuple[str, ...]]) -> Node:
    """The model of earlier files without what stands at `paths`."""
    for path in paths:
        model = _removed(model, path)
    return model


def _removed(node: Node, path: tuple[str, ...]) -> Node:
    name, *below = path
    found = node.mapping.get(name)
    if found is None or not isinstance(node.value, dict):
        return node
    members = dict(node.value)
    if not below:
        del members[name]
    else:
        members[name] = _removed(found, tuple(below))
    return node.holding(members_like(members, node.value))
