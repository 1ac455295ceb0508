"""Terraform's numeric functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_number
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.numbers import (
    Counted,
    Number,
    arithmetic,
    exact,
    number_from,
    number_from_float,
    precision_of,
)
from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved, Value, members_of, require_known

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST: Final = 300


def _abs(_call: Call, number: Number) -> Number:
    return number_from(abs(exact(number)), precision_of(number))


def _ceil(_call: Call, number: Number) -> Number:
    return number_from(Fraction(math.ceil(exact(number))), precision_of(number))


def _floor(_call: Call, number: Number) -> Number:
    return number_from(Fraction(math.floor(exact(number))), precision_of(number))


def _log(_call: Call, number: Number, base: Number) -> Number:
    value, root = float(number), float(base)
    if value <= 0 or root <= 0 or root == 1:  # infinite, or no number at all
        raise Unresolved("the logarithm is no number")
    return number_from_float(_natural_logarithm(value) / _natural_logarithm(root))


def _natural_logarithm(value: float) -> float:
    """The logarithm to the last digit as Go computes it: the algorithm of FreeBSD's e_log.c."""
    fraction, exponent = math.frexp(value)
    if fraction < math.sqrt(2) / 2:
        fraction *= 2
        exponent -= 1
    f = fraction - 1
    s = f / (2 + f)
    s2 = s * s
    s4 = s2 * s2
    l1, l2, l3, l4, l5, l6, l7 = _LOGARITHM
    r = s2 * (l1 + s4 * (l3 + s4 * (l5 + s4 * l7))) + s4 * (l2 + s4 * (l4 + s4 * l6))
    half = 0.5 * f * f
    return exponent * _LN2_HIGH - ((half - (s * (half + r) + exponent * _LN2_LOW)) - f)


_LOGARITHM: Final = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10


def _pow(_call: Call, number: Number, power: Number) -> Number:
    """A power, multiplied out in the order in which Go does it, which the last digit shows."""
    x, y = float(number), float(power)
    if y == 0 or x == 1:
        return number_from_float(1.0)
    if x == 0:
        if y < 0:
            raise Unresolved("the number is too large")
        return number_from_float(0.0)
    if abs(y) == 0.5 and x > 0:
        return number_from_float(math.sqrt(x) if y > 0 else 1 / math.sqrt(x))
    if not y.is_integer():
        raise Unresolved("fractional powers are not evaluated")
    result, exponent = 1.0, 0
    factor, scale = math.frexp(x)
    steps = int(abs(y))
    while steps and abs(scale) <= 1 << 12:
        if steps & 1:
            result *= factor
            exponent += scale
        factor *= factor
        scale *= 2
        if factor < 0.5:
            factor += factor
            scale -= 1
        steps >>= 1
    if steps or abs(exponent) > 1 << 12:
        raise Unresolved("the number is too large")
    if y < 0:
        result, exponent = 1 / result, -exponent
    try:
        return number_from_float(math.ldexp(result, exponent))
    except OverflowError:
        raise Unresolved("the number is too large") from None


def _max(_call: Call, *numbers: Number) -> Number:
    if not numbers:
        raise Invalid("max cannot take these arguments")
    return max(numbers, key=exact)


def _min(_call: Call, *numbers: Number) -> Number:
    if not numbers:
        raise Invalid("min cannot take these arguments")
    return min(numbers, key=exact)


def _parseint(_call: Call, text: Value, base: int) -> Number:
    if not isinstance(text, str):
        raise Invalid("parseint needs a string")
    if not 2 <= base <= 62:
        raise Invalid("the base is between 2 and 62")
    digits = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if len(digits) > _LONGEST:
        raise Unresolved("the number is too large")
    number = 0
    for digit in digits if base > 36 else digits.lower():
        value = _DIGITS.find(digit)
        if not 0 <= value < base:
            raise Invalid("it is not a number of that base")
        number = number * base + value
    if not digits:
        raise Invalid("it is not a number of that base")
    return Counted(-number if text.startswith("-") else number, max(64, number.bit_length()))


def _signum(_call: Call, number: int) -> Number:
    return Counted((number > 0) - (number < 0))


def _sum(_call: Call, value: Value) -> Number:
    members = members_of(value)
    if not members:
        raise Invalid("an empty list has no sum")
    require_known(value)
    if any(member.value is None for member in members):
        raise Invalid("null is not a number")
    total, *numbers = [as_number(member.value) for member in members]
    for number in numbers:
        total = arithmetic("+", total, number)
    return total


FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": function(_abs, "number"),
    "ceil": function(_ceil, "number"),
    "floor": function(_floor, "number"),
    "log": function(_log, "number number"),
    "max": function(_max, rest="number"),
    "min": function(_min, rest="number"),
    "parseint": function(_parseint, "value whole"),
    "pow": function(_pow, "number number"),
    "signum": function(_signum, "whole"),
    "sum": function(_sum, "value"),
}
