"""Comparisons: `eq`, `ne`, `lt`, `le`, `gt`, `ge`, with the errors that Go gives for types that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pyprod_audit.evaluate.gotemplate.formatting import Inexact, type_name
from pyprod_audit.evaluate.gotemplate.functions import lenient, takes
from pyprod_audit.evaluate.gotemplate.marks import OPEN, certain_parts
from pyprod_audit.evaluate.gotemplate.values import TemplateError, Value
from pyprod_audit.model import Unknown


def kind(value: Value) -> str:
    """The kind of a value in Go, with all sizes of a number alike: "int", "float64", "string", "map", … or "nil"."""
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "nil" if value is None else "func" if callable(value) else "struct"


_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (str, "string"),
    (bool, "bool"),
    (int, "int"),
    (float, "float64"),
    (dict, "map"),
    ((list, tuple, bytes), "slice"),
)
_BASIC: Final = frozenset({"bool", "int", "float64", "string"})


def shown_type(value: Value) -> str:
    """The type for an error; only its kind where the type is not known."""
    try:
        return type_name(value)
    except Inexact:
        return kind(value)


def _equal(one: Value, other: Value) -> bool | None:
    """`eq` for two values; None: undecided."""
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return None
    first, second = kind(one), kind(other)
    if first != second:
        if one is None or other is None:
            return False
        if "func" in (first, second) or "struct" in (first, second):
            return None
        raise TemplateError(f"incompatible types for comparison: {shown_type(one)} and {shown_type(other)}")
    if first == "string":
        return _equal_texts(one, other)
    if first in _BASIC or one is None:
        return bool(one == other)
    if first in ("map", "slice"):
        raise TemplateError(f"non-comparable type: {shown_type(one)}")
    return None


def _equal_texts(one: str, other: str) -> bool | None:
    if OPEN not in one and OPEN not in other:
        return str(one) == str(other)
    if one == other:
        return True
    # What stands before the first mark and behind the last one must agree with the other text.
    first, second = certain_parts(one), certain_parts(other)
    heads, tails = (first[0], second[0]), (first[-1], second[-1])
    short = min(map(len, heads))
    if heads[0][:short] != heads[1][:short]:
        return False
    short = min(map(len, tails))
    if short and tails[0][-short:] != tails[1][-short:]:
        return False
    fixed = [sum(map(len, parts)) for parts in (first, second)]
    if (OPEN not in one and len(one) < fixed[1]) or (OPEN not in other and len(other) < fixed[0]):
        return False
    return None


def _undecided(values: Sequence[Value]) -> Unknown:
    """The first Unknown of the values."""
    for value in values:
        if isinstance(value, Unknown):
            return value if type(value) is Unknown else Unknown(value.expression, value.because)
    return Unknown("", "part of what is compared is known only when deployed")


@lenient
def eq(*values: Value) -> Value:
    """Whether the first operand equals one of the others."""
    if not values:
        raise TemplateError("wrong number of args for eq: want at least 1 got 0")
    if len(values) == 1:
        raise TemplateError("missing argument for comparison")
    unsure = False
    for other in values[1:]:
        found = _equal(values[0], other)
        if found:
            return True
        unsure = unsure or found is None
    return _undecided(values) if unsure else False


@lenient
@takes("reflect.Value", "reflect.Value")
def ne(one: Value, other: Value) -> Value:
    """Whether two operands differ."""
    found = _equal(one, other)
    return _undecided((one, other)) if found is None else not found


def _less(one: Value, other: Value) -> bool:
    first, second = kind(one), kind(other)
    if first not in _BASIC or second not in _BASIC:
        raise TemplateError("invalid type for comparison")
    if first != second:
        raise TemplateError(f"incompatible types for comparison: {shown_type(one)} and {shown_type(other)}")
    if first == "bool":
        raise TemplateError("invalid type for comparison")
    return bool(one < other)


@takes("reflect.Value", "reflect.Value")
def lt(one: Value, other: Value) -> bool:
    """Less than."""
    return _less(one, other)


@takes("reflect.Value", "reflect.Value")
def le(one: Value, other: Value) -> bool:
    """Less than or equal."""
    return _less(one, other) or bool(one == other)


@takes("reflect.Value", "reflect.Value")
def gt(one: Value, other: Value) -> bool:
    """Greater than: Go takes it for the opposite of `le`, which shows for NaN."""
    return not le(one, other)


@takes("reflect.Value", "reflect.Value")
def ge(one: Value, other: Value) -> bool:
    """Greater than or equal: the opposite of `lt`."""
    return not _less(one, other)
