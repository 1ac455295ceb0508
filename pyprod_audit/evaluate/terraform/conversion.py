"""Terraform's conversions of values, and sets, whose members convert to one type.

Source: the behaviour of go-cty's package `convert`, which Terraform uses for `tostring` and its kin, for function
arguments and wherever several values get one type; compared with `terraform console` 1.11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pyprod_audit.evaluate.terraform.encoding import encoded_text, quoted_by_go
from pyprod_audit.evaluate.terraform.numbers import exact, plain_text, significant_text
from pyprod_audit.evaluate.terraform.unification import (
    attributes_of,
    convertible,
    element_of,
    elements_of,
    is_open,
    object_type,
    unified,
)
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    BOOL,
    NUMBER,
    OPEN,
    STRING,
    EncodedMapping,
    EncodedSequence,
    Invalid,
    ListValue,
    MapValue,
    SetValue,
    Type,
    Unresolved,
    Value,
    mapping_of,
    members_of,
    type_of,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import OpenMapping
from pyprod_audit.parsers.hcl_number import number_of

__all__ = ["as_bool", "as_number", "as_set", "as_text", "convert", "converted", "identity", "object_type", "unified"]

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


# -- scalars --------------------------------------------------------------------------------------------------------


def as_text(value: Value) -> str:
    """The string that Terraform converts `value` to. Raises Unresolved."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return plain_text(value)
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return encoded_text(value)
    raise Invalid("null is not a string" if value is None else "a collection is not a string")


def as_number(value: Value) -> int | float:
    """The number that Terraform converts `value` to. Raises Unresolved."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    number = number_of(value) if isinstance(value, str) else None
    if number is None:
        if isinstance(value, str) and _strange(value):
            raise Unresolved("the number is too large")
        raise Invalid("it is not a number")
    return number


def _strange(text: str) -> bool:
    """Whether it may be a number after all: infinite, with a binary exponent, or beyond what is kept here."""
    bare = text.lstrip("+-")
    return bare.lower() in ("inf", "infinity") or (
        (bare[:1].isdigit() or bare[:1] == ".") and not bare.strip("0123456789.eEpP+-_")
    )


def as_bool(value: Value) -> bool:
    """The boolean that Terraform converts `value` to. Raises Unresolved."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise Invalid("it is neither true nor false")


# -- conversions of values ------------------------------------------------------------------------------------------


def convert(value: Value, want: Type) -> Value:
    """The value as one of type `want`. Raises Invalid when it does not convert, Unresolved."""
    if want in (ANY, OPEN) or value is None or isinstance(value, Unknown):
        return value
    if isinstance(want, str):
        if want == STRING:
            return value if isinstance(value, (str, EncodedMapping, EncodedSequence)) else as_text(value)
        if isinstance(value, (EncodedMapping, EncodedSequence)):
            value = as_text(value)
        return as_number(value) if want == NUMBER else as_bool(value)
    if isinstance(value, OpenMapping):
        return value
    kind = want[0]
    if kind == "list":
        element, members = _converted_members(members_of(value), value, element_of(want))
        return ListValue(members, element)
    if kind == "set":
        element, members = _converted_members(members_of(value), value, element_of(want))
        return as_set(members, element)
    if kind == "map":
        mapping = mapping_of(value)
        element, members = _converted_members(tuple(mapping.values()), value, element_of(want))
        return MapValue(dict(zip(mapping, members, strict=True)), element)
    if kind == "tuple":
        given = members_of(value)
        kinds = elements_of(want)
        if isinstance(value, (ListValue, SetValue)) or len(given) != len(kinds):
            raise Invalid("it is not such a tuple")
        return tuple(converted(member, one) for member, one in zip(given, kinds, strict=True))
    attributes, mapping = attributes_of(want), mapping_of(value)
    if not attributes.keys() <= mapping.keys():
        raise Invalid("it lacks an attribute")
    return {name: converted(mapping[name], one) for name, one in attributes.items()}


def converted(node: Node, want: Type) -> Node:
    """The node with its value converted, at the same place."""
    value = convert(node.value, want)
    return node if value is node.value else node.holding(value)


def _converted_members(members: tuple[Node, ...], whole: Value, element: Type) -> tuple[Type, tuple[Node, ...]]:
    """Members of one type, and that type: `element`, or what fits all of them when that leaves it open."""
    if isinstance(whole, (ListValue, SetValue, MapValue)):
        if element in (ANY, whole.element):
            return whole.element, members
        if not convertible(whole.element, element):
            raise Invalid("its members are of another type")
    elif element == ANY:
        if not members:
            return ANY, members
        if all(isinstance(member.value, str) for member in members):
            return STRING, members
        types = [type_of(member.value) for member in members]
        found = unified(types)
        others = {kind for kind in types if kind != ANY} if found == ANY else set()
        if found is None or len(others) > 1 or (others and not isinstance(whole, dict)):
            if any(is_open(kind) for kind in types):
                raise Unresolved("not all types of its members are known")
            raise Invalid("its members are of different types")
        element = found
    result = tuple([converted(member, element) for member in members])
    return element, result


# -- sets ------------------------------------------------------------------------------------------------------------


def as_set(members: Iterable[Node], element: Type) -> SetValue:
    """The members of one type, each once, in Terraform's order; what is not known comes last."""
    seen: set[object] = set()
    known: list[Node] = []
    unknown: list[Node] = []
    for member in members:
        try:
            key = identity(member.value)
        except Unresolved:
            unknown.append(member)
            continue
        if key not in seen:
            seen.add(key)
            known.append(member)
    known.sort(key=_order(element))
    return SetValue([*known, *unknown], element)


def _order(element: Type) -> Callable[[Node], tuple[bool, object]]:
    if element == STRING:
        return lambda node: (node.value is None, "" if node.value is None else as_text(node.value))
    if element == NUMBER:
        return lambda node: (node.value is None, 0 if node.value is None else exact(as_number(node.value)))
    if element == BOOL:
        return lambda node: (node.value is None, bool(node.value))
    return lambda node: (node.value is None, _set_order(node.value).encode("utf-8", "surrogatepass"))


def identity(value: Value) -> object:
    """Something hashable that is equal for equal values of one type, and for no others. Raises Unresolved."""
    if value is None or isinstance(value, bool):
        return (value,)
    if isinstance(value, (int, float)):
        return exact(value)
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return as_text(value)
    if isinstance(value, dict):
        return frozenset((key, identity(member.value)) for key, member in mapping_of(value).items())
    if isinstance(value, tuple):
        return tuple([identity(member.value) for member in value])
    return value


def _set_order(value: Value) -> str:
    """The text by which sets of anything but primitives are ordered (go-cty, set_internals.go)."""
    if value is None:
        return "~"
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, (int, float)):
        return significant_text(value, 10)
    if isinstance(value, str):
        return quoted_by_go(value)
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return quoted_by_go(as_text(value))
    if isinstance(value, Unknown):
        return "?"
    if isinstance(value, MapValue):
        inner = "".join(f"{quoted_by_go(key)}:{_set_order(value[key].value)};" for key in sorted(value))
        return f"{{{inner}}}"
    if isinstance(value, dict):
        return "<" + "".join(f"{_set_order(value[key].value)};" for key in sorted(value)) + ">"
    inner = "".join(f"{_set_order(member.value)};" for member in value)
    return f"[{inner}]" if isinstance(value, (ListValue, SetValue)) else f"<{inner}>"
