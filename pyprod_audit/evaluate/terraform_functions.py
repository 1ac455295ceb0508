"""Terraform's conversions, operators and the functions whose result can be told from known arguments.

Source: developer.hashicorp.com/terraform/language/functions and /language/expressions/operators; conversions and corner
cases were compared with `terraform console` 1.11.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pyprod_audit.model import Node, Scalar, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.hcl_expression import number_of

Value: TypeAlias = "Scalar | Unknown | dict[str, Node] | tuple[Node, ...]"
MAX_TEXT: Final = 65_536
_LARGEST_NUMBER: Final = 10**300


class Unresolved(Exception):  # noqa: N818 (not a mistake: the value exists at deploy time only)
    """An expression cannot be evaluated here; the text says why."""


class Invalid(Unresolved):
    """Terraform itself would reject the expression: `try` goes on to its next argument."""


# -- conversions ---------------------------------------------------------------------------------------------------


def as_text(value: Value) -> str:
    """The string that Terraform converts `value` to. Raises Unresolved."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = format(value, ".15g")
        if "e" in text:
            raise Unresolved("the number is very large or very small")
        return text
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    raise Invalid("null is not a string" if value is None else "a collection is not a string")


def as_number(value: Value) -> int | float:
    """The number that Terraform converts `value` to. Raises Unresolved."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    number = number_of(value) if isinstance(value, str) else None
    if number is None:
        raise Invalid("it is not a number")
    return number


def as_bool(value: Value) -> bool:
    """The boolean that Terraform converts `value` to. Raises Unresolved."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    raise Invalid("it is neither true nor false")


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def _whole(value: Value) -> int:
    number = as_number(value)
    if isinstance(number, float):
        raise Invalid("it is not a whole number")
    return number


def _members(value: Value) -> tuple[Node, ...]:
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, tuple):
        return value
    raise Invalid("it is not a list")


def _mapping(value: Value) -> dict[str, Node]:
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, dict):
        return value
    raise Invalid("it is not a map")


# -- operators -----------------------------------------------------------------------------------------------------


def equal(left: Value, right: Value) -> bool:
    """`left == right`; values of different types are never equal. Raises Unresolved."""
    if isinstance(left, Unknown):
        raise Unresolved(left.because)
    if isinstance(right, Unknown):
        raise Unresolved(right.because)
    if left is None or right is None:
        return left is right
    if isinstance(left, (dict, tuple)) or isinstance(right, (dict, tuple)):
        raise Unresolved("comparisons of collections are not evaluated yet")
    return _type_of(left) is _type_of(right) and left == right


def _type_of(value: Scalar) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _normal(number: float) -> int | float:
    if isinstance(number, int):
        if abs(number) > _LARGEST_NUMBER:
            raise Unresolved("the number is too large")
        return number
    if not math.isfinite(number):
        raise Unresolved("the number is too large")
    return int(number) if number.is_integer() and abs(number) < 1e15 else float(format(number, ".15g"))


def arithmetic(operator: str, left: Value, right: Value) -> int | float | bool:
    """The value of `+ - * / % < > <= >=`. Raises Unresolved."""
    a, b = as_number(left), as_number(right)
    if operator in ("/", "%") and b == 0:
        raise Invalid("it divides by zero")
    try:
        if operator == "+":
            return _normal(a + b)
        if operator == "-":
            return _normal(a - b)
        if operator == "*":
            return _normal(a * b)
        if operator == "/":
            return _normal(a / b)
        if operator == "%":
            return _normal(math.fmod(a, b))
    except (OverflowError, ValueError):
        raise Unresolved("the number is too large") from None
    if operator in _COMPARISONS:
        return _COMPARISONS[operator](a, b)
    raise Unresolved(f"operator {operator} is not evaluated yet")


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


# -- functions -----------------------------------------------------------------------------------------------------


def _coalesce(arguments: Sequence[Value]) -> Value:
    for value in arguments:
        if isinstance(value, Unknown):
            raise Unresolved(value.because)
        if value is not None and value != "":
            return as_text(value) if any(isinstance(other, str) for other in arguments) else value
    raise Invalid("all values are null or empty")


def _coalescelist(arguments: Sequence[Value]) -> Value:
    found = next((members for members in map(_members, arguments) if members), None)
    if found is None:
        raise Invalid("all lists are empty")
    return found


def _lookup(mapping: Value, key: Value, *default: Value) -> Value:
    found = _mapping(mapping).get(as_text(key))
    if found is not None:
        return found.value
    if not default:
        raise Invalid(f"there is no {as_text(key)}")
    return default[0]


def _merge(arguments: Sequence[Value]) -> Value:
    merged: dict[str, Node] = {}
    for value in arguments:
        if value is not None:
            merged.update(_mapping(value))
    return merged


def _element(members: Value, index: Value) -> Value:
    found = _members(members)
    if not found:
        raise Invalid("the list is empty")
    return found[_whole(index) % len(found)].value


def _length(value: Value) -> int:
    if isinstance(value, (dict, tuple, str)):
        return len(value)
    raise Invalid("it has no length")


def _join(separator: Value, *lists: Value) -> str:
    words = [as_text(member.value) for found in lists for member in _members(found)]
    between = as_text(separator)
    if sum(map(len, words)) + len(between) * len(words) > MAX_TEXT:
        raise Unresolved("the text is too long")
    return between.join(words)


def _replace(text: Value, old: Value, new: Value) -> str:
    whole, what, by = as_text(text), as_text(old), as_text(new)
    if len(what) > 1 and what.startswith("/") and what.endswith("/"):
        raise Unresolved("replace with a regular expression is not evaluated yet")
    if len(whole) + whole.count(what) * len(by) > MAX_TEXT:
        raise Unresolved("the text is too long")
    return whole.replace(what, by)


def _contains(members: Value, wanted: Value) -> bool:
    return any(equal(member.value, wanted) for member in _members(members))


def _set(value: Value) -> Value:
    """A set keeps one of equal members; the order is the written one, Terraform's is alphabetical."""
    seen: set[tuple[type, Scalar]] = set()
    kept: list[Node] = []
    for member in _members(value):
        if isinstance(member.value, (Unknown, dict, tuple)):
            kept.append(member)
        elif (type(member.value), member.value) not in seen:
            seen.add((type(member.value), member.value))
            kept.append(member)
    return tuple(kept)


def _compact(value: Value) -> Value:
    if any(member.is_unknown for member in _members(value)):
        raise Unresolved("the list has members that are known only at deploy time")
    return tuple(member for member in _members(value) if member.value not in (None, ""))


def _flatten(value: Value) -> Value:
    flat: list[Node] = []
    stack = list(reversed(_members(value)))
    while stack:
        node = stack.pop()
        if isinstance(node.value, Unknown):
            raise Unresolved(node.value.because)
        if isinstance(node.value, tuple):
            stack.extend(reversed(node.value))
        else:
            flat.append(node)
    return tuple(flat)


def _values(value: Value) -> Value:
    mapping = _mapping(value)
    return tuple(mapping[key] for key in sorted(mapping))


def _keys(value: Value) -> Value:
    mapping = _mapping(value)
    return tuple(
        Node(key, node.source, node.key_start, node.key_end) if node.key_start >= 0 else
        Node(key, node.source, node.start, node.end)
        for key, node in sorted(mapping.items())
    )  # fmt: skip


def _one(value: Value) -> Value:
    members = _members(value)
    if len(members) > 1:
        raise Invalid("the list has several members")
    return members[0].value if members else None


_VERB = lazy(r"%(?:%|(-?)(0?)([0-9]{1,3})?(?:\.([0-9]{1,2}))?([a-zA-Z]))")


def _format(template: Value, *arguments: Value) -> str:
    pattern = as_text(template)
    waiting = list(reversed(arguments))

    def fill(found: re.Match[str]) -> str:
        left, zero, width, precision, verb = found.groups()
        if verb is None:
            return "%"
        if not waiting:
            raise Invalid("format has too few arguments")
        value = waiting.pop()
        if verb in "sv":
            text = as_text(value)
        elif verb == "d":
            text = str(_whole(value))
        elif verb == "f":
            text = f"{as_number(value):.{int(precision or 6)}f}"
        elif verb == "t":
            text = as_text(as_bool(value))
        else:
            raise Unresolved(f"%{verb} in format is not evaluated yet")
        wide = int(width or 0)
        return text.ljust(wide) if left else text.zfill(wide) if zero and verb in "df" else text.rjust(wide)

    if "%" in _VERB.sub("", pattern):
        raise Unresolved("the pattern of format is not evaluated yet")
    return _VERB.sub(fill, pattern)


def _same(value: Value) -> Value:
    return value


def _nullable(convert: Callable[[Value], Value]) -> Callable[..., Value]:
    return lambda value: None if value is None else convert(value)


FUNCTIONS: Final[dict[str, Callable[..., Value]]] = {
    "abs": lambda value: abs(as_number(value)),
    "ceil": lambda value: math.ceil(as_number(value)),
    "coalesce": lambda *values: _coalesce(values),
    "coalescelist": lambda *values: _coalescelist(values),
    "compact": _compact,
    "concat": lambda *lists: tuple(member for found in lists for member in _members(found)),
    "contains": _contains,
    "distinct": _set,
    "element": _element,
    "endswith": lambda text, end: as_text(text).endswith(as_text(end)),
    "flatten": _flatten,
    "floor": lambda value: math.floor(as_number(value)),
    "format": _format,
    "join": _join,
    "jsonencode": _same,  # rules want the structure with its places, not the text
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "lower": lambda text: as_text(text).lower(),
    "max": lambda *values: max(map(as_number, values)),
    "merge": lambda *maps: _merge(maps),
    "min": lambda *values: min(map(as_number, values)),
    "nonsensitive": _same,
    "one": _one,
    "replace": _replace,
    "sensitive": _same,
    "startswith": lambda text, start: as_text(text).startswith(as_text(start)),
    "tobool": _nullable(as_bool),
    "tolist": _members,
    "tomap": _mapping,
    "tonumber": _nullable(as_number),
    "toset": _set,
    "tostring": _nullable(as_text),
    "trimprefix": lambda text, start: as_text(text).removeprefix(as_text(start)),
    "trimspace": lambda text: as_text(text).strip(),
    "trimsuffix": lambda text, end: as_text(text).removesuffix(as_text(end)),
    "upper": lambda text: as_text(text).upper(),
    "values": _values,
    "yamlencode": _same,
}
