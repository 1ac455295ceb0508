"""Numbers of HCL: decimal fractions that are kept exactly, where a float would only come near."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final, Self

from pyprod_audit.model.patterns import lazy

PRECISION: Final = 512
"""Bits of a number that is written: HCL reads decimal text into binary floats of that size (go-cty, ParseNumberVal)."""

_LARGEST: Final = 400
_LARGEST_EXPONENT: Final = 300
_NUMBER = lazy(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class ExactNumber(float):
    """A number that a Python float only comes near: the float is the nearest one, `exact` the true value.

    `precision` is the number of binary digits that it was rounded to.
    """

    __slots__ = ("exact", "precision")
    exact: Fraction
    precision: int

    def __new__(cls, exact: Fraction, precision: int) -> Self:
        """The number. Raises OverflowError when it is beyond a float's range."""
        number = super().__new__(cls, exact)
        number.exact = exact
        number.precision = precision
        return number


def number_of(text: str) -> int | float | None:
    """The number that `text` writes, whole numbers as int; None when it is none or beyond all measure.

    A fraction with more digits than a float holds is an `ExactNumber`.
    """
    if len(text) > _LARGEST or _NUMBER.fullmatch(text) is None:
        return None
    if len(text) < 16 and text.isdigit():
        return int(text)
    decimal = Decimal(text)
    if not decimal:
        return -0.0 if text.startswith("-") else 0
    if abs(decimal.adjusted()) > _LARGEST_EXPONENT:
        return None
    number = float(text)
    if not number.is_integer() and Decimal(repr(number)) == decimal:
        return number
    exact = rounded(Fraction(decimal), PRECISION)
    return exact.numerator if exact.denominator == 1 else ExactNumber(exact, PRECISION)


def rounded(exact: Fraction, precision: int) -> Fraction:
    """The nearest number of `precision` binary digits; of two that are as near, the even one."""
    numerator, denominator = abs(exact.numerator), exact.denominator
    if not numerator or (denominator == 1 and numerator.bit_length() <= precision):
        return exact
    shift = precision - numerator.bit_length() + denominator.bit_length()
    digits, rest, divisor = _divided(numerator, denominator, shift)
    if digits.bit_length() > precision:  # the quotient has one digit more or less, depending on the leading ones
        shift -= 1
        digits, rest, divisor = _divided(numerator, denominator, shift)
    if 2 * rest > divisor or (2 * rest == divisor and digits & 1):
        digits += 1
    result = Fraction(digits) / (1 << shift) if shift >= 0 else Fraction(digits << -shift)
    return -result if exact < 0 else result


def _divided(numerator: int, denominator: int, shift: int) -> tuple[int, int, int]:
    """The quotient of `numerator * 2**shift` and `denominator`, the rest, and what it is a rest of."""
    if shift >= 0:
        return (*divmod(numerator << shift, denominator), denominator)
    return (*divmod(numerator, denominator << -shift), denominator << -shift)
