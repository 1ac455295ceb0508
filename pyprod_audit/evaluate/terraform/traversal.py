"""Ways into values: attributes, indexes and splats, and where a value stands that another place made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_number, as_text
from pyprod_audit.evaluate.terraform.sources import label_of
from pyprod_audit.evaluate.terraform.unification import attributes_of, unified
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    OPEN,
    EncodedMapping,
    EncodedSequence,
    Invalid,
    ListValue,
    MapValue,
    SetValue,
    Type,
    Unresolved,
    Value,
    is_mapping,
    is_sequence,
    require_known,
    type_of,
)
from pyprod_audit.model import Node, Span, Unknown, Via
from pyprod_audit.model.node import Derived, OpenMapping
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.hcl_expression import Step

_DEEPEST: Final = 60
_MOST_STOPS: Final = 4
_LONGEST: Final = 2000
_TRAVERSAL: Final = lazy(r"""[A-Za-z_][\w-]*(?:\s*\.\s*[\w*-]+|\[[^\[\]]{0,200}\])*""")


def follow(
    node: Node, steps: Sequence[Step], text: str, key: Callable[[Node], Value], charge: Callable[[int], None]
) -> Node:
    """The node that `steps` lead to from `node`; `text` is the whole expression, `key` evaluates a computed index.

    Raises Invalid when there is none, Unresolved.
    """
    for at, step in enumerate(steps):
        value = node.value
        if isinstance(value, Unknown):
            return node.holding(continued(value, steps[at:], text))
        if step is None:
            return _splat(node, steps[at + 1 :], text, key, charge)
        found = _member(value, key(step) if isinstance(step, Node) else step)
        if found is None:
            if isinstance(value, OpenMapping):
                rest = value.rest
                return (
                    rest.holding(continued(rest.value, steps[at:], text)) if isinstance(rest.value, Unknown) else rest
                )
            raise Invalid(f"{text[:80]} does not exist in the known value")
        node = found
    return node


def _member(value: Value, step: Value) -> Node | None:
    """The member with that name or position. Raises Invalid, Unresolved."""
    if isinstance(step, Unknown):
        raise Unresolved(step.because)
    if step is None:
        raise Invalid("null is no index")
    if isinstance(value, dict) and is_mapping(value):
        return value.get(as_text(step))
    if isinstance(value, tuple) and is_sequence(value) and not isinstance(value, SetValue):
        position = as_number(step)
        if isinstance(position, int) and 0 <= position < len(value):
            return value[position]
    return None


def _splat(
    node: Node, steps: Sequence[Step], text: str, key: Callable[[Node], Value], charge: Callable[[int], None]
) -> Node:
    """`value[*].x`: of each member; what is no sequence counts as its only member, null as none."""
    value = node.value
    if value is None:
        return node.holding(())
    if not is_sequence(value):
        return node.holding((follow(node, steps, text, key, charge),))
    assert isinstance(value, tuple)  # noqa: S101 (what sequences are)
    if isinstance(value, SetValue):
        require_known(value)
    charge(len(value))
    members = tuple([follow(member, steps, text, key, charge) for member in value])
    if isinstance(value, (ListValue, SetValue)):
        if not members and not _may_have(value.element, steps):
            raise Invalid(f"{text[:80]} does not exist in the known value")
        kind = unified([type_of(member.value) for member in members]) if members else ANY
        return node.holding(ListValue(members, kind or ANY))
    return node.holding(members)


def _may_have(kind: Type, steps: Sequence[Step]) -> bool:
    """Whether a value of that type may have the member that the first step names."""
    step = steps[0] if steps else None
    if not isinstance(step, str) or kind in (ANY, OPEN):
        return True
    if isinstance(kind, str):
        return False
    return kind[0] == "map" or (kind[0] == "object" and step in attributes_of(kind))


def continued(unknown: Unknown, steps: Sequence[Step], text: str) -> Unknown:
    """The unknown value that steps lead to from an unknown one: `local.vpc.id` is `aws_vpc.main.id`.

    `text` is how the whole expression is written, for when that does not say it.
    """
    if _TRAVERSAL.fullmatch(unknown.expression):
        text = unknown.expression + "".join(map(_step_text, steps))
    return replace(unknown, expression=text[:_LONGEST])


def _step_text(step: Step) -> str:
    if step is None:
        return "[*]"
    if isinstance(step, Node):
        return f"[{step.span.text}]"
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.replace("-", "_").isidentifier() else f'["{step}"]'


# -- places ---------------------------------------------------------------------------------------------------------


def stops(node: Node, label: str) -> tuple[Via, ...]:
    """What a value came through that was taken from `node`: its place, and what it came through before."""
    return (Via(Span(node.source, node.start, node.end), label_of(node, label)), *node.via)[:_MOST_STOPS]


def shortened(trail: Sequence[Via], place: Node) -> tuple[Via, ...]:
    """The first few different stops that are not the place itself."""
    if len(trail) == 1:
        span = trail[0].span
        return () if span.file is place.source and span.start == place.start else (trail[0],)
    seen: set[tuple[int, int, int]] = {(id(place.source), place.start, place.end)}
    kept: list[Via] = []
    for stop in trail:
        span = stop.span
        key = (id(span.file), span.start, span.end)
        if key not in seen and len(kept) < _MOST_STOPS:
            seen.add(key)
            kept.append(stop)
    return tuple(kept)


def placed(value: Value, place: Node, label: str, charge: Callable[[int], None], depth: int = 0) -> Value:
    """A container with all that is in it at `place`, each member with a `via` to where it was written.

    Raises Unresolved when it is too large or too deep.
    """
    if not isinstance(value, (dict, tuple)) or not value:
        return value
    charge(len(value))
    if depth > _DEEPEST:
        raise Unresolved("it is nested too deeply")
    source, start, end = place.source, place.start, place.end
    if isinstance(value, tuple):
        return like(
            value,
            [
                Derived(
                    Node(placed(member.value, place, label, charge, depth + 1), source, start, end),
                    stops(member, label),
                )
                for member in value
            ],
        )
    members: dict[str, Node] = {}
    for key, member in value.items():
        inner = placed(member.value, place, label, charge, depth + 1)
        members[key] = Derived(Node(inner, source, start, end, start, end), stops(member, label))
    return with_members(value, members)


def like(value: tuple[Node, ...], members: Sequence[Node]) -> tuple[Node, ...]:
    """A sequence of the same kind with other members."""
    if isinstance(value, ListValue):
        return ListValue(members, value.element)
    if isinstance(value, SetValue):
        return SetValue(members, value.element)
    return EncodedSequence(members, value.function) if isinstance(value, EncodedSequence) else tuple(members)


def with_members(value: dict[str, Node], members: dict[str, Node]) -> dict[str, Node]:
    """A mapping of the same kind with other members."""
    if isinstance(value, MapValue):
        return MapValue(members, value.element)
    if isinstance(value, OpenMapping):
        return OpenMapping(members, value.rest)
    return EncodedMapping(members, value.function) if isinstance(value, EncodedMapping) else members
