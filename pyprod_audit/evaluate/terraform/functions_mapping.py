"""Terraform's functions of maps and objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_text, convert
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.values import (
    STRING,
    Invalid,
    ListValue,
    MapValue,
    SetValue,
    Unresolved,
    Value,
    is_mapping,
    mapping_of,
    members_of,
    require_known,
    type_of,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import Derived, OpenMapping


def _keys(_call: Call, value: Value) -> Value:
    mapping = mapping_of(value)
    keys = [_key(key, mapping[key]) for key in sorted(mapping)]
    return ListValue(keys, STRING) if isinstance(value, MapValue) else tuple(keys)


def _key(key: str, member: Node) -> Node:
    """A key as a value of its own, where it is written."""
    place = (member.key_start, member.key_end) if member.key_start >= 0 else (member.start, member.end)
    node = Node(key, member.source, *place)
    return Derived(node, member.via) if member.via else node


def _values(_call: Call, value: Value) -> Value:
    mapping = mapping_of(value)
    members = [mapping[key] for key in sorted(mapping)]
    return ListValue(members, value.element) if isinstance(value, MapValue) else tuple(members)


def _lookup(_call: Call, value: Value, key: str, *default: Value) -> Value:
    if not isinstance(value, dict) or not is_mapping(value):
        raise Invalid("it is not a map")
    if len(default) > 1:
        raise Invalid("lookup has the wrong number of arguments")
    found = value.get(key)
    if isinstance(value, MapValue) and default and not isinstance(default[0], Unknown):
        converted = convert(default[0], value.element)  # must fit even when it is not needed
        default = (converted,)
    if found is not None:
        if isinstance(found.value, Unknown):
            raise Unresolved(found.value.because)
        return found.value
    if isinstance(value, OpenMapping):
        raise Unresolved(value.rest.value.because if isinstance(value.rest.value, Unknown) else "")
    if not default:
        raise Invalid(f"there is no {key[:80]}")
    if isinstance(default[0], Unknown):
        raise Unresolved(default[0].because)
    return default[0]


def _merge(call: Call, *values: Value) -> Value:
    merged: dict[str, Node] = {}
    rest: Node | None = None
    given = [value for value in values if value is not None]
    for value in given:
        if isinstance(value, OpenMapping):
            rest = value.rest
            merged.update(value)
            continue
        mapping = mapping_of(value)
        call.charge(len(mapping))
        merged.update(mapping)
    if rest is not None:
        raise Unresolved(rest.value.because if isinstance(rest.value, Unknown) else "not all of it is known")
    first = values[0] if values else None
    if isinstance(first, MapValue) and all(type_of(value) == type_of(first) for value in values):
        return MapValue(merged, first.element)
    return merged


def _transpose(call: Call, value: Value) -> Value:
    wanted = ("map", ("list", STRING))
    mapping = mapping_of(convert(value, wanted))
    require_known(mapping)
    turned: dict[str, list[Node]] = {}
    for key in sorted(mapping):
        if mapping[key].value is None:
            raise Invalid("null is not a list")
        for member in members_of(mapping[key].value):
            if member.value is None:
                raise Invalid("null is not a string")
            call.charge(1)
            turned.setdefault(as_text(member.value), []).append(_key(key, mapping[key]))
    return MapValue({key: call.node(ListValue(turned[key], STRING)) for key in sorted(turned)}, wanted[1])


def _zipmap(call: Call, keys: tuple[Node, ...], value: Value) -> Value:
    members = members_of(value)
    if isinstance(value, SetValue):
        raise Invalid("a set has no order")
    require_known(keys)
    if len(keys) != len(members):
        raise Invalid("there are not as many keys as values")
    call.charge(len(keys))
    zipped: dict[str, Node] = {}
    for key, member in zip(keys, members, strict=True):
        made = Node(member.value, member.source, member.start, member.end, key.start, key.end)
        if key.source is not member.source:
            made.key_start = made.key_end = -1
        zipped[as_text(key.value)] = Derived(made, member.via) if member.via else made
    return MapValue(zipped, value.element) if isinstance(value, ListValue) else zipped


FUNCTIONS: Final[Mapping[str, Function]] = {
    "keys": function(_keys, "value"),
    "lookup": function(_lookup, "value text", "open"),
    "merge": function(_merge, rest="null"),
    "transpose": function(_transpose, "value"),
    "values": function(_values, "value"),
    "zipmap": function(_zipmap, "texts value"),
}
