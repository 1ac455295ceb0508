"""Text that is known in part, and parts of text with their places."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.go_numbers import general
from pyprod_audit.model import Node, OpenMapping, Scalar, Unknown
from pyprod_audit.model.node import Value

HOLE: Final = "\ue000"
"""Stands for one unknown part in `Template.text`; no real file contains it."""


class Gap(NamedTuple):
    """A part of a text that is not known: how it is written and why it is unknown."""

    expression: str
    because: str


@dataclass(frozen=True, slots=True)
class Template(Unknown):
    """A text with unknown parts: `text` has a `HOLE` for each of the `gaps`, in their order."""

    text: str = HOLE
    gaps: tuple[Gap, ...] = ()


def template(text: str, gaps: Sequence[Gap]) -> Template:
    """The value of `text` whose holes are `gaps`, of which there must be one at least."""
    pieces = text.split(HOLE)
    written = pieces[0] + "".join(gap.expression + piece for gap, piece in zip(gaps, pieces[1:], strict=True))
    return Template(written, gaps[0].because, text, tuple(gaps))


def text_of(node: Node) -> str | None:
    """The text of a scalar, with a `HOLE` for what is not known; None for null and containers."""
    value = node.value
    if isinstance(value, str):
        return value
    if isinstance(value, Template):
        return value.text
    if isinstance(value, Unknown):
        return HOLE
    return None if value is None or isinstance(value, (dict, tuple)) else go_text(value)


def go_text(value: Scalar) -> str:
    """A scalar as Go's `fmt.Sprint` writes it, which is what Compose makes of `DEBUG: true` and `WORKERS: 4`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return general(value)
    return "" if value is None else str(value)


def as_text(node: Node) -> Node:
    """The node with its number or boolean as text; anything else unchanged."""
    value = node.value
    if value is None or isinstance(value, (str, Unknown, dict, tuple)):
        return node
    return node.holding(go_text(value))


def part(node: Node, start: int, end: int) -> Node:
    """The part of a text that `text_of` shows as `[start:end]`, at its own place where it is written as it is.

    The result stands under no key.
    """
    value = node.value
    if isinstance(value, Template):
        cut = value.text[start:end]
        holes = cut.count(HOLE)
        before = value.text.count(HOLE, 0, start)
        inner: str | Unknown = template(cut, value.gaps[before : before + holes]) if holes else cut
    elif isinstance(value, Unknown):
        inner = value if end > start else ""
    else:
        text = text_of(node) or ""
        inner = text[start:end]
        at = _written_at(node, text)
        if at is not None:
            return Node(inner, node.source, at + start, at + start + len(inner)).coming(*node.via)
    return Node(inner, node.source, node.start, node.end).coming(*node.via)


def _written_at(node: Node, text: str) -> int | None:
    """Where in the file the text of a scalar starts, when it stands there as it is: no escapes, folding, variables."""
    written = node.source.text
    at = node.start
    if written[at : at + 1] in ("'", '"') and node.end - at == len(text) + 2:
        at += 1
    elif node.end - at != len(text):
        return None
    return at if written.startswith(text, at) else None


def keyed(value: Node, key: Node) -> Node:
    """The node `value` as a member that stands under what `key` shows."""
    moved = Node(value.value, value.source, value.start, value.end, key.start, key.end)
    return moved.coming(*value.via)


def members_like(members: dict[str, Node], *values: Value) -> dict[str, Node]:
    """`members`, open when one of `values` is an open mapping; the last such one tells what may bring more."""
    rest = next((value.rest for value in reversed(values) if isinstance(value, OpenMapping)), None)
    return members if rest is None else OpenMapping(members, rest)


def content(node: Node) -> Hashable:
    """What is equal for nodes of the same value; Unknown ones are equal when they are written the same."""
    value = node.value
    if isinstance(value, dict):
        return frozenset((name, content(member)) for name, member in value.items())
    if isinstance(value, tuple):
        return tuple(content(member) for member in value)
    return type(value), value
