"""Sprig's functions that ask what a value is, and Go's reflect.DeepEqual."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, lenient, takes
from pyprod_audit.evaluate.gotemplate.marks import is_marked
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, PARTLY, STRING, Object, kind_of, type_of
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import Callables, List, Map, Value
from pyprod_audit.model import Unknown


class _Comparison:
    """Counts what one comparison looks at."""

    def __init__(self) -> None:
        self.members = 0

    def same(self, one: Value, other: Value, depth: int) -> bool | None:
        """Whether two values are equal; None: that depends on something unknown."""
        self.members += 1
        if depth > MAX_DEPTH or self.members > MAX_MEMBERS:
            raise too_deep("deepEqual")
        if isinstance(one, Unknown) or isinstance(other, Unknown):
            return None
        if isinstance(one, str) and isinstance(other, str):
            return None if is_marked(one) or is_marked(other) else str(one) == str(other)
        if isinstance(one, Callables) or isinstance(other, Callables):
            return self.objects(one, other)
        if type_of(one) != type_of(other):
            return False
        if isinstance(one, dict):
            return self.maps(one, other, depth)
        if isinstance(one, list):
            return self.slices(one, other, depth)
        return bool(one == other)

    def objects(self, one: Value, other: Value) -> bool | None:
        """Times and versions; objects of the engine cannot be compared here."""
        if isinstance(one, Object) and isinstance(other, Object):
            return None if one.go_type == other.go_type else False
        return None if isinstance(one, Callables) and isinstance(other, Callables) else False

    def maps(self, one: Value, other: Value, depth: int) -> bool | None:
        """Two maps of one type."""
        open_maps = any(isinstance(value, Map) and value.open is not None for value in (one, other))
        if not open_maps and (len(one) != len(other) or _is_nil(one) != _is_nil(other)):
            return False
        result: bool | None = None if open_maps else True
        for key, value in one.items():
            if key not in other:
                if isinstance(other, Map) and other.open is not None:
                    continue
                return False
            found = self.same(value, other[key], depth + 1)
            if found is False:
                return False
            result = None if found is None else result
        return result

    def slices(self, one: Value, other: Value, depth: int) -> bool | None:
        """Two slices of one type."""
        if len(one) != len(other) or _is_nil(one) != _is_nil(other):
            # An Unknown member may stand for any number of them.
            unknown = any(isinstance(item, Unknown) for item in (*one, *other))
            return None if unknown else False
        result: bool | None = True
        for left, right in zip(one, other, strict=True):
            found = self.same(left, right, depth + 1)
            if found is False:
                return False
            result = None if found is None else result
        return result


def _is_nil(value: Value) -> bool:
    return isinstance(value, (Map, List)) and value.nil


def same(one: Value, other: Value) -> bool | None:
    """reflect.DeepEqual: types count, so that 1 and int64 1 differ. None: that depends on something unknown."""
    return _Comparison().same(one, other, 0)


@lenient
@takes(ANY, ANY)
def deep_equal(one: Value, other: Value) -> Value:
    """`deepEqual`."""
    found = same(one, other)
    if found is not None:
        return found
    for value in (one, other):
        if isinstance(value, Unknown):
            return value
    return Unknown("deepEqual", PARTLY)


def _known(value: Value) -> Value:
    if isinstance(value, Unknown):
        raise Undecided(value)
    return value


@lenient
@takes(ANY)
def type_of_value(value: Value) -> str:
    """`typeOf`."""
    return type_of(_known(value))


@lenient
@takes(ANY)
def kind_of_value(value: Value) -> str:
    """`kindOf`."""
    return kind_of(_known(value))


@lenient
@takes(STRING, ANY)
def type_is(name: Value, value: Value) -> Value:
    """`typeIs`."""
    return bool(_known(name) == type_of(_known(value)))


@lenient
@takes(STRING, ANY)
def type_is_like(name: Value, value: Value) -> Value:
    """`typeIsLike`: pointers count as what they point to."""
    return type_of(_known(value)) in (_known(name), f"*{name}")


@lenient
@takes(STRING, ANY)
def kind_is(name: Value, value: Value) -> Value:
    """`kindIs`."""
    return bool(_known(name) == kind_of(_known(value)))


REFLECTION: Final[dict[str, Registered]] = {
    "typeOf": type_of_value,
    "kindOf": kind_of_value,
    "typeIs": type_is,
    "typeIsLike": type_is_like,
    "kindIs": kind_is,
    "deepEqual": deep_equal,
}
