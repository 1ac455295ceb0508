"""Terraform's functions of lists, sets and tuples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_text, convert, identity
from pyprod_audit.evaluate.terraform.equality import equal
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.graphemes import clusters
from pyprod_audit.evaluate.terraform.numbers import Counted, Number, arithmetic
from pyprod_audit.evaluate.terraform.unification import unified
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    NUMBER,
    OPEN,
    STRING,
    EncodedMapping,
    EncodedSequence,
    Invalid,
    ListValue,
    SetValue,
    Type,
    Unresolved,
    Value,
    is_sequence,
    mapping_of,
    members_of,
    require_known,
    size_of,
    type_of,
)
from pyprod_audit.model import Node, Unknown

_LONGEST_RANGE: Final = 1024  # Terraform's own limit


def _alltrue(_call: Call, members: tuple[Node, ...]) -> bool:
    for member in members:
        if isinstance(member.value, Unknown):
            raise Unresolved(member.value.because)
        if not member.value:
            return False
    return True


def _anytrue(_call: Call, members: tuple[Node, ...]) -> bool:
    undecided: Unknown | None = None
    for member in members:
        if isinstance(member.value, Unknown):
            undecided = member.value
        elif member.value:
            return True
    if undecided is not None:
        raise Unresolved(undecided.because)
    return False


def _chunklist(call: Call, members: ListValue, size: int) -> Value:
    if size < 0:
        raise Invalid("the size of chunks is not positive")
    kind: Type = ("list", members.element)
    if not members:
        return ListValue((), kind)
    step = size or len(members)
    starts = range(0, len(members), step)
    return ListValue([call.node(ListValue(members[at : at + step], members.element)) for at in starts], kind)


def _coalesce(call: Call, *values: Value) -> Value:
    _pay(call, *values)
    kind = unified([type_of(value) for value in values]) if values else None
    if kind is None:
        raise Invalid("all values are null or empty")
    for value in values:
        if isinstance(value, Unknown):
            raise Unresolved(value.because)
        if value is None or value == "":
            continue
        return convert(value, kind)
    raise Invalid("all values are null or empty")


def _coalescelist(_call: Call, *lists: Value) -> Value:
    for value in lists:
        if isinstance(value, Unknown):
            raise Unresolved(value.because)
        if value is None or not is_sequence(value) or isinstance(value, SetValue):
            raise Invalid("it is not a list")
    found = next((value for value in lists if value), None)
    if found is None:
        raise Invalid("all lists are empty")
    return found


def _compact(_call: Call, members: tuple[Node, ...]) -> Value:
    require_known(members)
    return ListValue([member for member in members if member.value is not None and as_text(member.value)], STRING)


def _concat(call: Call, *lists: Value) -> Value:
    if not lists:
        raise Invalid("concat has the wrong number of arguments")
    if any(isinstance(value, SetValue) for value in lists):
        raise Invalid("a set cannot be concatenated")
    members = [member for value in lists for member in members_of(value)]
    call.charge(len(members))
    if all(isinstance(value, ListValue) for value in lists):
        common = unified([type_of(value) for value in lists])
        if common is not None and common != ANY:
            parts = [convert(value, common) for value in lists]
            element = next((part.element for part in parts if isinstance(part, ListValue)), OPEN)
            return ListValue([member for part in parts for member in members_of(part)], element)
    return tuple(members)


def _contains(call: Call, value: Value, wanted: Value) -> bool:
    undecided: Unresolved | None = None
    _pay(call, value)
    for member in members_of(value):
        try:
            if equal(wanted, member.value):
                return True
        except Unresolved as why:
            undecided = why
    if undecided is not None:
        raise undecided
    return False


def _distinct(call: Call, members: ListValue) -> Value:
    _pay(call, members)
    require_known(members)
    seen: dict[object, Node] = {}
    for member in members:
        seen.setdefault(identity(member.value), member)
    return ListValue(seen.values(), members.element)


def _element(_call: Call, value: Value, index: int) -> Value:
    if isinstance(value, SetValue):
        raise Invalid("a set has no order")
    members = members_of(value)
    if not members:
        raise Invalid("the list is empty")
    if index < 0 and not isinstance(value, ListValue) and index % len(members):
        raise Invalid("a tuple has no negative index")  # lists count from their end
    return members[index % len(members)].value


def _flatten(call: Call, value: Value) -> Value:
    flat: list[Node] = []
    stack = list(reversed(members_of(value)))
    require_known_order(value)
    while stack:
        node = stack.pop()
        call.charge(1)
        inner = node.value
        if isinstance(inner, Unknown):
            raise Unresolved(inner.because)
        if isinstance(inner, tuple) and is_sequence(inner):
            require_known_order(inner)
            stack.extend(reversed(inner))
        else:
            flat.append(node)
    return tuple(flat)


def require_known_order(value: Value) -> None:
    """Raises Unresolved for a set that is not wholly known: its order is not, either."""
    if isinstance(value, SetValue):
        require_known(value)


def _index(_call: Call, value: Value, wanted: Value) -> Number:
    if isinstance(value, SetValue):
        raise Invalid("a set has no order")
    for at, member in enumerate(members_of(value)):
        if equal(member.value, wanted):
            return Counted(at)
    raise Invalid("it is not in the list")


def _length(_call: Call, value: Value) -> Number:
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        value = as_text(value)
    if isinstance(value, str):
        return Counted(len(clusters(value)))
    if isinstance(value, dict):
        return Counted(len(mapping_of(value)))
    if isinstance(value, SetValue):
        require_known(value)
    if isinstance(value, tuple):
        return Counted(len(value))
    raise Invalid("it has no length")


def _matchkeys(call: Call, values: ListValue, keys: ListValue, wanted: ListValue) -> Value:
    common = unified([type_of(keys), type_of(wanted)])
    if common is None:
        raise Invalid("keys and what is searched are of different types")
    if len(values) != len(keys):
        raise Invalid("there are not as many keys as values")
    if not wanted:
        return ListValue((), values.element)
    _pay(call, keys, wanted)
    require_known(keys)
    require_known(values)
    require_known(wanted)
    searched = {identity(member.value) for member in members_of(convert(wanted, common))}
    pairs = zip(values, members_of(convert(keys, common)), strict=True)
    return ListValue([value for value, key in pairs if identity(key.value) in searched], values.element)


def _one(_call: Call, value: Value) -> Value:
    members = members_of(value)
    if isinstance(value, SetValue) and len(members) > 1:
        require_known(value)  # of members that are not known, some may be the same
    if len(members) > 1:
        raise Invalid("the list has several members")
    return members[0].value if members else None


def _range(call: Call, *numbers: Number) -> Value:
    if not 1 <= len(numbers) <= 3:
        raise Invalid("range has the wrong number of arguments")
    start, end = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else Counted(-1 if end < start else 1)
    if not step:
        raise Invalid("a range cannot go on by nothing")
    if (step < 0 and end > start) or (step > 0 and end < start):
        raise Invalid("the range goes the wrong way")
    members: list[Node] = []
    at: Number = start
    while at > end if step < 0 else at < end:
        if len(members) >= _LONGEST_RANGE:
            raise Invalid("the range is too long")
        members.append(call.node(at))
        at = arithmetic("+", at, step)
    call.charge(len(members))
    return ListValue(members, NUMBER)


def _reverse(_call: Call, value: Value) -> Value:
    members = members_of(value)
    require_known_order(value)
    backwards = members[::-1]
    return ListValue(backwards, value.element) if isinstance(value, (ListValue, SetValue)) else tuple(backwards)


def _slice(_call: Call, value: Value, start: int, end: int) -> Value:
    if isinstance(value, SetValue):
        raise Invalid("a set has no order")
    members = members_of(value)
    if not 0 <= start <= end <= len(members):
        raise Invalid("the list is not as long")
    part = members[start:end]
    return ListValue(part, value.element) if isinstance(value, ListValue) else tuple(part)


def _pay(call: Call, *values: Value) -> None:
    for value in values:
        if isinstance(value, (dict, tuple)):
            call.charge(size_of(value))


FUNCTIONS: Final[Mapping[str, Function]] = {
    "alltrue": function(_alltrue, "bools"),
    "anytrue": function(_anytrue, "bools"),
    "chunklist": function(_chunklist, "list whole"),
    "coalesce": function(_coalesce, rest="open"),
    "coalescelist": function(_coalescelist, rest="open"),
    "compact": function(_compact, "texts"),
    "concat": function(_concat, rest="value"),
    "contains": function(_contains, "value value"),
    "distinct": function(_distinct, "list"),
    "element": function(_element, "value whole"),
    "flatten": function(_flatten, "value"),
    "index": function(_index, "value value"),
    "length": function(_length, "value"),
    "matchkeys": function(_matchkeys, "list list list"),
    "one": function(_one, "value"),
    "range": function(_range, rest="number"),
    "reverse": function(_reverse, "value"),
    "slice": function(_slice, "value whole whole"),
}
