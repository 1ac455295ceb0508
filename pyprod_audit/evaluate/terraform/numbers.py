"""Terraform's numbers: binary floats of up to 512 bits, and how they are written as text.

A whole number is an `int`, any other a `float` that stands for the decimal fraction it is written as (0.1 is the
512-bit number nearest to one tenth), or an `ExactNumber` when no such float exists. Functions that compute with machine
numbers return fewer bits (`Counted`), which shows when two of them are divided.

Source: math/big of Go and go-cty's arithmetic; corner cases were compared with `terraform console` 1.11.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple, Self

from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved
from pyprod_audit.parsers.hcl_number import PRECISION, ExactNumber, rounded

Number = int | float
_LARGEST: Final = 1 << 1000
_MACHINE: Final = 64
_TOO_LARGE: Final = "the number is too large"


class Counted(int):
    """A whole number that a function made of a machine integer (`precision` 64) or float (53)."""

    precision: int

    def __new__(cls, number: int, precision: int = _MACHINE) -> Self:
        """The number."""
        made = super().__new__(cls, number)
        made.precision = precision
        return made


class Digits(NamedTuple):
    """A number as decimal digits: 0.`digits` times ten to the power of `point`; no zeros at either end."""

    negative: bool
    digits: str
    point: int


def exact(number: Number) -> Fraction:
    """The value that Terraform computes with."""
    if isinstance(number, ExactNumber):
        return number.exact
    if isinstance(number, int):
        return Fraction(int(number))
    return rounded(Fraction(Decimal(repr(number))), PRECISION)


def precision_of(number: Number) -> int:
    """How many binary digits it was rounded to."""
    return number.precision if isinstance(number, (ExactNumber, Counted)) else PRECISION


def number_from(value: Fraction, precision: int = PRECISION) -> Number:
    """The number of a value that is already rounded. Raises Unresolved when it is beyond all measure."""
    if value.denominator == 1:
        if abs(value.numerator) > _LARGEST:
            raise Unresolved(_TOO_LARGE)
        return value.numerator if precision == PRECISION else Counted(value.numerator, precision)
    number = float(value)
    if precision == PRECISION and number and exact(number) == value:
        return number
    return ExactNumber(value, precision)


def number_from_float(number: float) -> Number:
    """What a function returns that computes with machine floats. Raises Unresolved for infinity, Invalid for NaN."""
    if math.isnan(number):
        raise Invalid("it is not a number")
    if math.isinf(number):
        raise Unresolved(_TOO_LARGE)
    return number_from(Fraction(number), 53)


def whole(number: Number, *, bits: int | None = 64) -> int:
    """The number as a whole one of that size. Raises Invalid when it is none."""
    if not isinstance(number, int) and number:
        raise Invalid("it is not a whole number")
    if bits is not None and not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise Invalid("the number is too large")
    return int(number)


# -- arithmetic -----------------------------------------------------------------------------------------------------


def arithmetic(operator: str, a: Number, b: Number) -> Number | bool:
    """The value of `+ - * / % < > <= >=`. Raises Unresolved."""
    if operator in _COMPARISONS:
        return _COMPARISONS[operator](exact(a), exact(b))
    if isinstance(a, int) and isinstance(b, int) and operator in "+-*" and max(abs(a), abs(b)) < 1 << 128:
        if type(a) is int or type(b) is int:
            found = _WHOLE[operator](int(a), int(b))
            return found if found or operator != "*" else _zero((a < 0) is not (b < 0))
    precision = max(precision_of(a), precision_of(b))
    left, right = exact(a), exact(b)
    if operator == "+":
        return number_from(rounded(left + right, precision), precision)
    if operator == "-":
        return number_from(rounded(left - right, precision), precision)
    if operator == "*":
        product = rounded(left * right, PRECISION)
        if not product:
            return _zero(_is_negative(a) is not _is_negative(b))
        return number_from(product, min(PRECISION, max(precision, _bits(product))))
    if operator == "/":
        if not right and not left:
            raise Invalid("it divides zero by zero")
        if not right:  # infinity in Terraform: nothing that can be deployed
            raise Unresolved("it divides by zero")
        if not left:
            return _zero(_is_negative(a) is not _is_negative(b))
        return number_from(rounded(left / right, precision), precision)
    if operator == "%":
        return _remainder(a, left, right, precision)
    raise Unresolved(f"operator {operator} is not known")


def _is_negative(number: Number) -> bool:
    return number < 0 or (not number and isinstance(number, float))


def _zero(negative: bool) -> Number:
    """Zero has a sign in Terraform, which its text shows."""
    return -0.0 if negative else 0


def _remainder(a: Number, left: Fraction, right: Fraction, precision: int) -> Number:
    """What is left of a division that is rounded towards zero; the number itself when it is divided by zero."""
    if not right or not left:
        return a
    own = precision_of(a)
    times = rounded(Fraction(math.trunc(rounded(left / right, precision))), own)
    product = rounded(times * right, own)
    return number_from(rounded(left - product, own), own)


def _bits(value: Fraction) -> int:
    """How many binary digits the value needs."""
    numerator = abs(value.numerator)
    return (numerator // (numerator & -numerator)).bit_length() if numerator else 0


_WHOLE: Final[dict[str, Callable[[int, int], int]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
_COMPARISONS: Final[dict[str, Callable[[Fraction, Fraction], bool]]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def negative(number: Number) -> Number:
    """`-x`; zero has a sign, too."""
    if not number:
        return -0.0 if isinstance(number, int) else 0
    return number_from(-exact(number), precision_of(number))


def same_number(a: Number, b: Number) -> bool:
    """Whether two numbers are equal."""
    if type(a) is type(b) and not isinstance(a, ExactNumber):
        return a == b
    return exact(a) == exact(b)


# -- text -----------------------------------------------------------------------------------------------------------


def digits_of(number: Number) -> Digits:
    """The fewest decimal digits that lead back to the same number."""
    value = exact(number)
    if not value:
        return Digits(False, "", 0)
    if isinstance(number, ExactNumber):
        digits, point = _shortest(abs(value), number.precision)
    elif isinstance(number, int):
        if abs(number).bit_length() <= precision_of(number) - 1:
            digits, point = _decimal(abs(value))
        else:
            digits, point = _shortest(abs(value), precision_of(number))
    else:
        _, figures, exponent = Decimal(repr(number)).as_tuple()
        digits = "".join(map(str, figures))
        point = len(digits) + int(exponent)
        stripped = digits.lstrip("0")
        point -= len(digits) - len(stripped)
        digits = stripped.rstrip("0")
    return Digits(value < 0, digits, point)


def _decimal(value: Fraction) -> tuple[str, int]:
    """All decimal digits of a positive number whose denominator is a power of two."""
    twos = value.denominator.bit_length() - 1
    text = str(value.numerator * 5**twos)
    return text.rstrip("0"), len(text) - twos


def _shortest(value: Fraction, precision: int) -> tuple[str, int]:
    """The shortest digits between the midpoints to the neighbours of a positive number."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if value < Fraction(2) ** exponent:
        exponent -= 1
    half = Fraction(2) ** (exponent - precision)  # half of the last binary digit
    inclusive = not (value / (2 * half)).numerator & 1
    digits, point = _decimal(value)
    lower, _ = _decimal(value - half)
    upper, _ = _decimal(value + half)
    for at, digit in enumerate(digits):
        low = lower[at] if at < len(lower) else "0"
        high = upper[at] if at < len(upper) else "0"
        down = low != digit or (inclusive and at + 1 == len(lower))
        up = digit != high and (inclusive or int(digit) + 1 < int(high) or at + 1 < len(upper))
        if down or up:
            kept = digits[: at + 1]
            rest = digits[at + 1 :]
            if up and (not down or rest > "5" or (rest == "5" and int(digit) % 2 == 1)):
                text = str(int(kept) + 1)
                point += len(text) - len(str(int(kept))) if kept.strip("0") else 0
                kept = text
            return kept.rstrip("0"), point
    return digits, point


def plain_text(number: Number) -> str:
    """The number as Terraform turns it into a string: all digits, no exponent."""
    if isinstance(number, int) and abs(number).bit_length() < _MACHINE - 12:
        return str(int(number))
    return _plain(digits_of(number)) if number else "-0"  # the only float that is zero


def significant_text(number: Number, count: int) -> str:
    """The number with at most `count` significant digits, as Go's `%g` writes it."""
    found = rounded_digits(number, count)
    return general(found, len(found.digits) if count > len(found.digits) >= found.point else count)


def _plain(number: Digits) -> str:
    sign = "-" if number.negative else ""
    digits, point = number.digits, number.point
    if not digits:
        return "0"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return sign + digits + "0" * (point - len(digits))
    return f"{sign}{digits[:point]}.{digits[point:]}"


def general_text(number: Number) -> str:
    """The number as Go's `%g` and `%v` write it: with an exponent from a million on."""
    return general(digits_of(number), 6)


def general(found: Digits, most: int, letter: str = "e") -> str:
    """Digits with an exponent when that is below -4 or not below `most`, without otherwise."""
    exponent = found.point - 1
    if not found.digits or -4 <= exponent < most:
        return _plain(found)
    return scientific(found, exponent, letter)


def scientific(number: Digits, exponent: int, letter: str = "e") -> str:
    """Digits with an exponent: `1.5e+06`."""
    fraction = f".{number.digits[1:]}" if len(number.digits) > 1 else ""
    sign = "-" if number.negative else ""
    return f"{sign}{number.digits[:1] or '0'}{fraction}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def rounded_digits(number: Number, count: int) -> Digits:
    """The number with `count` significant digits; ties go to the even digit."""
    value = exact(number)
    if not value:
        return Digits(False, "", 0)
    digits, point = _decimal(abs(value))
    if len(digits) > count:
        last = int(digits[:count] or "0")
        rest = digits[count:]
        if rest > "5" or (rest == "5" and last & 1):
            last += 1
        text = str(last)
        point += len(text) - max(count, 1) if last and len(text) > count else 0
        digits = text.rstrip("0")
    return Digits(value < 0, digits, point)
