"""Sprig's functions for numbers: whole ones are int64 and wrap around, the others go through exact decimals."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from pyprod_audit.evaluate.gotemplate.formatting import Inexact, show
from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.go_numbers import MAX_INT64, MIN_INT64, parse_int, wrap_int64
from pyprod_audit.evaluate.gotemplate.sprig_cast import to_float, to_int
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, FLOATS, INT, INTS, REST, STRING, Object
from pyprod_audit.evaluate.gotemplate.undecided import MAX_MEMBERS, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import Int64, Ints, LimitReached, TemplateError, Value
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

_NUMBER = lazy(r"[-+]?[0-9]+")
# shopspring/decimal divides to 16 digits behind the point.
_DIVISION: Final = 10**16
_EXACT_POWERS: Final = 22


# -- whole numbers -----------------------------------------------------------------------------------------------


@takes(REST)
def add(*values: Value) -> Int64:
    """`add`."""
    return Int64(wrap_int64(sum(to_int(value) for value in values)))


@takes(ANY)
def add1(value: Value) -> Int64:
    """`add1`."""
    return Int64(wrap_int64(to_int(value) + 1))


@takes(ANY, ANY)
def sub(one: Value, other: Value) -> Int64:
    """`sub`."""
    return Int64(wrap_int64(to_int(one) - to_int(other)))


def _quotient(one: int, other: int) -> int:
    if other == 0:
        raise TemplateError("runtime error: integer divide by zero")
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


@takes(ANY, ANY)
def div(one: Value, other: Value) -> Int64:
    """`div`: cut towards zero."""
    return Int64(wrap_int64(_quotient(to_int(one), to_int(other))))


@takes(ANY, ANY)
def mod(one: Value, other: Value) -> Int64:
    """`mod`: has the sign of the first operand."""
    dividend, divisor = to_int(one), to_int(other)
    return Int64(dividend - divisor * _quotient(dividend, divisor))


@takes(ANY, REST)
def mul(value: Value, *values: Value) -> Int64:
    """`mul`."""
    product = to_int(value)
    for other in values:
        product = wrap_int64(product * to_int(other))
    return Int64(product)


@takes(ANY, REST)
def maximum(value: Value, *values: Value) -> Int64:
    """`max` and `biggest`."""
    return Int64(max(map(to_int, (value, *values))))


@takes(ANY, REST)
def minimum(value: Value, *values: Value) -> Int64:
    """`min`."""
    return Int64(min(map(to_int, (value, *values))))


@takes(ANY)
def int_(value: Value) -> int:
    """`int`."""
    return to_int(value)


@takes(ANY)
def int64(value: Value) -> Int64:
    """`int64`."""
    return Int64(to_int(value))


@takes(ANY)
def float64(value: Value) -> float:
    """`float64`."""
    return to_float(value)


@takes(STRING)
def atoi(text: str) -> int:
    """`atoi`: 0 for what is no number, the nearest one for what does not fit."""
    number = parse_int(text)
    if number is None and _NUMBER.fullmatch(text):
        return MIN_INT64 if text[0] == "-" else MAX_INT64
    return number or 0


@takes(ANY)
def to_decimal(value: Value) -> Int64:
    """`toDecimal`: the octal digits that the value is written with."""
    if isinstance(value, Object):
        raise Undecided(Unknown("toDecimal", f"it is a {value.go_type}"))
    try:
        text = show(value, _no_mark)
    except Inexact as inexact:
        raise Undecided(Unknown("toDecimal", str(inexact))) from inexact
    return Int64(parse_int(str(text), 8) or 0)


def _no_mark(unknown: Unknown) -> str:
    raise Undecided(unknown)


# -- floating point ----------------------------------------------------------------------------------------------


def _decimal(value: Value) -> Fraction:
    number = to_float(value)
    if not math.isfinite(number):
        raise TemplateError(f"Cannot create a Decimal from {number}")
    return Fraction(repr(number))


def _float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError as error:
        raise Undecided(Unknown("", "the number is out of range")) from error


def _over(number: Fraction, operation: Callable[[Fraction, Fraction], Fraction], values: tuple[Value, ...]) -> float:
    for value in values:
        number = operation(number, _decimal(value))
        if number.denominator.bit_length() + number.numerator.bit_length() > MAX_MEMBERS:
            raise too_deep("mulf")
    return _float(number)


def _divided(one: Fraction, other: Fraction) -> Fraction:
    if other == 0:
        raise TemplateError("decimal division by 0")
    exact = one / other
    # Halves are rounded away from zero.
    rounded = math.floor(abs(exact) * _DIVISION + Fraction(1, 2))
    return Fraction(-rounded if exact < 0 else rounded, _DIVISION)


@takes(REST)
def addf(*values: Value) -> float:
    """`addf`."""
    return _over(Fraction(0), lambda one, other: one + other, values)


@takes(ANY)
def add1f(value: Value) -> float:
    """`add1f`."""
    return _float(_decimal(value) + 1)


@takes(ANY, REST)
def subf(value: Value, *values: Value) -> float:
    """`subf`."""
    return _over(_decimal(value), lambda one, other: one - other, values)


@takes(ANY, REST)
def mulf(value: Value, *values: Value) -> float:
    """`mulf`."""
    return _over(_decimal(value), lambda one, other: one * other, values)


@takes(ANY, REST)
def divf(value: Value, *values: Value) -> float:
    """`divf`: to 16 digits behind the point."""
    return _over(_decimal(value), _divided, values)


def _numbers(values: tuple[Value, ...]) -> list[float]:
    return [to_float(value) for value in values]


@takes(ANY, REST)
def maxf(*values: Value) -> float:
    """`maxf`: NaN wins, unless there is an infinity."""
    numbers = _numbers(values)
    if math.inf in numbers:
        return math.inf
    if any(math.isnan(number) for number in numbers):
        return math.nan
    return max(numbers, key=lambda number: (number, math.copysign(1, number)))


@takes(ANY, REST)
def minf(*values: Value) -> float:
    """`minf`: NaN wins, unless there is an infinity below zero."""
    numbers = _numbers(values)
    if -math.inf in numbers:
        return -math.inf
    if any(math.isnan(number) for number in numbers):
        return math.nan
    return min(numbers, key=lambda number: (number, math.copysign(1, number)))


def _floor(number: float) -> float:
    return math.copysign(math.floor(number), number) if math.isfinite(number) else number


def _ceil(number: float) -> float:
    return math.copysign(math.ceil(number), number) if math.isfinite(number) else number


@takes(ANY)
def floor(value: Value) -> float:
    """`floor`."""
    return _floor(to_float(value))


@takes(ANY)
def ceil(value: Value) -> float:
    """`ceil`."""
    return _ceil(to_float(value))


@takes(ANY, INT, FLOATS)
def rounded(value: Value, places: int, *thresholds: float) -> float:
    """`round`: up from the threshold on (0.5), which counts downwards for numbers below zero."""
    threshold = thresholds[0] if thresholds else 0.5
    if abs(places) > _EXACT_POWERS:
        raise Undecided(Unknown("round", "powers of ten differ there"))
    power = 10.0**places
    digits = power * to_float(value)
    if not math.isfinite(digits):
        raise Undecided(Unknown("round", "the number is out of range"))
    return (_ceil(digits) if math.modf(digits)[0] >= threshold else _floor(digits)) / power


# -- sequences of whole numbers ----------------------------------------------------------------------------------


def _steps(start: int, stop: int, step: int) -> range:
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return range(0)
    numbers = range(start, stop, step)
    if len(numbers) > MAX_MEMBERS:
        raise LimitReached(f"a list of {len(numbers)} numbers is more than {MAX_MEMBERS}")
    return numbers


@takes(INT)
def until(count: int) -> Ints:
    """`until`."""
    return Ints(_steps(0, count, -1 if count < 0 else 1))


@takes(INT, INT, INT)
def until_step(start: int, stop: int, step: int) -> Ints:
    """`untilStep`."""
    return Ints(_steps(start, stop, step))


@takes(INTS)
def seq(*numbers: int) -> str:
    """`seq`, as the command of that name, on one line."""
    if len(numbers) == 1:
        start, step, end = 1, -1 if numbers[0] < 1 else 1, numbers[0]
    elif len(numbers) == 2:
        start, end = numbers
        step = -1 if end < start else 1
    elif len(numbers) == 3:
        start, step, end = numbers
        if end < start and step > 0:
            return ""
    else:
        return ""
    return " ".join(map(str, _steps(start, end + (-1 if end < start else 1), step)))


MATH: Final[dict[str, Registered]] = {
    "add": add,
    "add1": add1,
    "sub": sub,
    "div": div,
    "mod": mod,
    "mul": mul,
    "max": maximum,
    "biggest": maximum,
    "min": minimum,
    "int": int_,
    "int64": int64,
    "float64": float64,
    "atoi": atoi,
    "toDecimal": to_decimal,
    "addf": addf,
    "add1f": add1f,
    "subf": subf,
    "mulf": mulf,
    "divf": divf,
    "maxf": maxf,
    "minf": minf,
    "floor": floor,
    "ceil": ceil,
    "round": rounded,
    "until": until,
    "untilStep": until_step,
    "seq": seq,
}
