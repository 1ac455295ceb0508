"""Where effective values stand, and how nodes are changed without touching those that other overlays share."""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Node, Span, Via
from pyprod_audit.model.node import OpenMapping, Value

WRITTEN: Final = "written here in the base"
_MOST_STOPS: Final = 4


class Refused(Exception):  # noqa: N818 - what kustomize refuses, not an error of ours
    """Kustomize would end with an error here; `at` is the node that is to blame."""

    def __init__(self, message: str, at: Node | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class Budget:
    """How much work is left for all kustomizations of a scan."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def spend(self, steps: int = 1) -> None:
        """Counts work done. Raises Refused when there is no more."""
        self.steps -= steps
        if self.steps < 0:
            raise Refused("the kustomizations of this repository take too much work to evaluate")


def stop(node: Node, label: str) -> Via:
    """The place of a node as a stop of another value."""
    return Via(Span(*node.anchor[:3]), label)


def over(new: Node, old: Node | None, label: str = WRITTEN) -> Node:
    """`new`, which takes the place of `old`: where that is written is the next stop."""
    if old is None or old is new:
        return new
    return _through(new, (stop(old, label), *old.via))


def changed(old: Node, value: Value, by: Node, label: str) -> Node:
    """The value at `old` changed by an entry of a kustomization: it still stands where it is written."""
    return _through(old.holding(value), (stop(by, label),))


def lessened(holder: Node, by: Node) -> Node:
    """A mapping from which a patch takes a member away at `by`: what is missing there was written once."""
    return _through(holder, (stop(by, "a part is removed here"),))


def placed(value: Value, at: Node) -> Node:
    """A value that stands at `at`, without its key."""
    return Node(value, at.source, at.start, at.end).coming(*at.via)


def with_member(node: Node, key: str, member: Node | None) -> Node:
    """The mapping `node` with another value under `key`; without the key when `member` is None."""
    members = dict(node.mapping)
    if member is None:
        members.pop(key, None)
    else:
        members[key] = member
    return with_members(node, members)


def with_members(node: Node, members: dict[str, Node]) -> Node:
    """The mapping `node` with other members; what it leaves open stays open."""
    value = node.value
    return node.holding(OpenMapping(members, value.rest) if isinstance(value, OpenMapping) else members)


def with_items(node: Node, items: tuple[Node, ...]) -> Node:
    """The sequence `node` with other members; itself when they are the same ones."""
    same = len(items) == len(node.items) and all(new is old for new, old in zip(items, node.items, strict=True))
    return node if same else node.holding(items)


def with_item(node: Node, index: int, item: Node) -> Node:
    """The sequence `node` with another member at `index`."""
    items = node.items
    return node.holding((*items[:index], item, *items[index + 1 :]))


def _through(node: Node, stops: tuple[Via, ...]) -> Node:
    room = _MOST_STOPS - len(node.via)
    return node.coming(*stops[:room]) if room > 0 else node
