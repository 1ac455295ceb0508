"""Models with members added, changed, left out, or left open."""

from __future__ import annotations

from collections.abc import Callable

from pyprod_audit.evaluate.compose.texts import members_like
from pyprod_audit.model import Node, OpenMapping, Unknown


def opened(node: Node, because: str, place: Node, expression: str = "") -> Node:
    """A mapping to which something unknown at `place` may add members."""
    unknown = Unknown(expression or place.text or "…", because)
    rest = Node(unknown, place.source, place.start, place.end)
    members = node.value if isinstance(node.value, dict) else {}
    return node.holding(OpenMapping(members, rest))


def with_member(model: Node, name: str, member: Node) -> Node:
    """The mapping with another member in the place of the one of this name."""
    return model.holding(members_like({**model.mapping, name: member}, model.value))


def without_member(model: Node, *names: str) -> Node:
    """The mapping without members of these names."""
    members = {name: node for name, node in model.mapping.items() if name not in names}
    return model.holding(members_like(members, model.value))


Change = Callable[[Node], Node]


def each_member(model: Node, section: str, change: Change) -> Node:
    """The model with `change` made to every member of one of its sections."""
    found = model.mapping.get(section)
    if found is None or not isinstance(found.value, dict):
        return model
    members = {name: change(node) for name, node in found.value.items()}
    return with_member(model, section, found.holding(members_like(members, found.value)))
