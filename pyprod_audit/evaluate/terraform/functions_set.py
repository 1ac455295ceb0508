"""Terraform's functions of sets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_set, convert, converted, identity
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.unification import unified
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    Invalid,
    ListValue,
    SetValue,
    Type,
    Unresolved,
    Value,
    members_of,
    require_known,
    size_of,
    type_of,
)
from pyprod_audit.model import Node


def _common(call: Call, sets: Sequence[Value], *, known: bool = True) -> tuple[Type, list[SetValue]]:
    """The sets with members of one type. Raises Invalid when there is none."""
    kinds: list[Type] = []
    for value in sets:
        call.charge(size_of(value))
        if known:
            require_known(value)
        if isinstance(value, SetValue) and (value or value.element != ANY):
            kinds.append(value.element)
    element = unified(kinds) if kinds else ANY
    if element is None:
        raise Invalid("the members of the sets are of different types")
    if element == ANY and any(kind != ANY for kind in kinds):
        raise Unresolved("the types of the nulls in it are not known")
    found = [convert(value, ("set", element)) for value in sets]
    return element, [value for value in found if isinstance(value, SetValue)]


def _union(call: Call, *sets: Value) -> Value:
    element, found = _common(call, sets, known=False)
    return as_set(itertools.chain.from_iterable(found), element)


def _intersection(call: Call, *sets: Value) -> Value:
    element, (first, *others) = _common(call, sets)
    kept: Sequence[Node] = first
    for other in others:
        members = {identity(member.value) for member in other}
        kept = [member for member in kept if identity(member.value) in members]
    return SetValue(kept, element)


def _subtract(call: Call, *sets: Value) -> Value:
    element, (first, other) = _common(call, sets)
    gone = {identity(member.value) for member in other}
    return SetValue([member for member in first if identity(member.value) not in gone], element)


def _product(call: Call, *sets: Value) -> Value:
    if len(sets) < 2:
        raise Invalid("setproduct has the wrong number of arguments")
    columns: list[tuple[Node, ...]] = []
    kinds: list[Type] = []
    size = 1
    for value in sets:
        members = members_of(value)
        if isinstance(value, SetValue):
            require_known(value)
        if isinstance(value, (ListValue, SetValue)):
            kind: Type | None = value.element
        else:
            call.charge(size_of(value))
            types = [type_of(member.value) for member in members]
            kind = unified(types)
            if kind == ANY and any(one != ANY for one in types):
                raise Unresolved("the types of the nulls in it are not known")
        if kind is None:
            raise Invalid("the members of a set are of different types")
        columns.append(tuple(converted(member, kind) for member in members))
        kinds.append(kind)
        size *= len(members)
    call.charge(size * len(sets))
    element: Type = ("tuple", *kinds)
    products = [call.node(tuple(product)) for product in itertools.product(*columns)]
    if any(isinstance(value, SetValue) for value in sets):
        return as_set(products, element)
    return ListValue(products, element)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "setintersection": function(_intersection, "set", "set"),
    "setproduct": function(_product, rest="value"),
    "setsubtract": function(_subtract, "set set"),
    "setunion": function(_union, "set", "set"),
}
