"""Terraform's `==`."""

from __future__ import annotations

import functools

from pyprod_audit.evaluate.terraform.conversion import as_text, identity
from pyprod_audit.evaluate.terraform.numbers import same_number
from pyprod_audit.evaluate.terraform.unification import attributes_of, elements_of
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    OPEN,
    EncodedMapping,
    EncodedSequence,
    ListValue,
    MapValue,
    SetValue,
    Type,
    Unresolved,
    Value,
    type_of,
)
from pyprod_audit.model import Node, Unknown

_Container = dict[str, Node] | tuple[Node, ...]


def equal(left: Value, right: Value) -> bool:
    """`left == right`; values of different types are never equal. Raises Unresolved."""
    if isinstance(left, Unknown):
        raise Unresolved(left.because)
    if isinstance(right, Unknown):
        raise Unresolved(right.because)
    if left is None or right is None:
        return left is right
    if isinstance(left, (EncodedMapping, EncodedSequence)):
        left = as_text(left)
    if isinstance(right, (EncodedMapping, EncodedSequence)):
        right = as_text(right)
    if not isinstance(left, (dict, tuple)) or not isinstance(right, (dict, tuple)):
        if type_of(left) != type_of(right):
            return False
        if isinstance(left, (int, float)) and isinstance(right, (int, float)) and not isinstance(left, bool):
            return same_number(left, right)
        return left == right
    return _equal_containers(left, right)


def _equal_containers(left: _Container, right: _Container) -> bool:
    one, other = type_of(left), type_of(right)
    undecided: Unresolved | None = None
    if one != other:
        if _certainly_different(one, other):
            return False
        undecided = Unresolved("not all of what is compared is known")
    if isinstance(left, SetValue) and isinstance(right, SetValue):
        if undecided is not None:
            raise undecided
        return {identity(member.value) for member in left} == {identity(member.value) for member in right}
    pairs: list[tuple[Value, Value]] = []
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return False
        pairs = [(left[key].value, right[key].value) for key in left]
    elif isinstance(left, tuple) and isinstance(right, tuple):
        if len(left) != len(right):
            return False
        pairs = [(a.value, b.value) for a, b in zip(left, right, strict=True)]
    typed = isinstance(left, (ListValue, MapValue))
    for a, b in pairs:
        if a is None and b is None and not typed:
            # each null has a type of its own, which is not kept here: `tostring(null)` and `null` differ in an object
            undecided = Unresolved("the types of the nulls in it are not known")
            continue
        try:
            if not equal(a, b):
                return False
        except Unresolved as why:
            undecided = why.anew()
    if undecided is not None:
        raise undecided.anew()
    return True


@functools.cache
def _certainly_different(one: Type, other: Type) -> bool:
    """Whether types differ whatever the unknown parts, and the types of nulls, turn out to be."""
    if one == other or one in (OPEN, ANY) or other in (OPEN, ANY):
        return False
    if isinstance(one, str) or isinstance(other, str) or one[0] != other[0] or len(one) != len(other):
        return True
    if one[0] == "object":
        left, right = attributes_of(one), attributes_of(other)
        return left.keys() != right.keys() or any(_certainly_different(left[name], right[name]) for name in left)
    return any(_certainly_different(a, b) for a, b in zip(elements_of(one), elements_of(other), strict=True))
