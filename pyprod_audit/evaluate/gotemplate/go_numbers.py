"""Numbers as Go's strconv reads and writes them."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from pyprod_audit.model.patterns import lazy

MAX_INT64: Final = 2**63 - 1
MIN_INT64: Final = -(2**63)
MAX_UINT64: Final = 2**64 - 1
_MAX_DIGITS = 400
_DECIMAL = lazy(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_HEXADECIMAL = lazy(r"([-+]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([-+]?[0-9]{1,6})")
_MISPLACED = lazy(r"(?<![0-9])_|_(?![0-9])")
_MISPLACED_HEXADECIMAL = lazy(r"(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])")
_SPECIAL: Final = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}
_PREFIXES: Final = {"0x": 16, "0b": 2, "0o": 8}
_DIGITS: Final = {base: frozenset("0123456789abcdef"[:base]) for base in (2, 8, 10, 16)}


class Digits(NamedTuple):
    """The fewest decimal digits that give the number back: `0.{digits} * 10 ** point`, as Go's and Python's writers."""

    negative: bool
    digits: str
    point: int


def shortest(value: float) -> Digits:
    """The digits of a finite number; "0" at point 1 for zero, without zeros at their end."""
    mantissa, _, exponent = f"{value!r}".removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    negative = math.copysign(1.0, value) < 0
    if not digits:
        return Digits(negative, "0", 1)
    return Digits(negative, digits.rstrip("0"), len(whole) - leading + int(exponent or 0))


def fixed(value: float) -> str:
    """Format 'f' with the fewest digits."""
    negative, digits, point = shortest(value)
    if point <= 0:
        body = "0." + "0" * -point + digits
    elif point >= len(digits):
        body = digits + "0" * (point - len(digits))
    else:
        body = f"{digits[:point]}.{digits[point:]}"
    return "-" + body if negative else body


def scientific(value: float, exponent_digits: int = 2) -> str:
    """Format 'e' with the fewest digits, and at least `exponent_digits` digits in the exponent."""
    negative, digits, point = shortest(value)
    exponent = 0 if digits == "0" else point - 1
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    sign = "-" if exponent < 0 else "+"
    return f"{'-' if negative else ''}{digits[0]}{fraction}e{sign}{abs(exponent):0{exponent_digits}d}"


def general(value: float) -> str:
    """Format 'g' with the fewest digits: what %v and go-yaml write (1e+06 for a million)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    exponent = shortest(value).point - 1
    return scientific(value) if exponent < -4 or exponent >= 6 else fixed(value)


def json_number(value: float) -> str:
    """As encoding/json writes a finite float64: exponents only from 1e21 on and below 1e-6, without a leading zero."""
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        return scientific(value, 1)
    return fixed(value)


def parse_int(text: str, base: int = 10, largest: int = MAX_INT64) -> int | None:
    """strconv.ParseInt, with 0 as `base` for Go's prefixes and underscores; None where it returns an error.

    `largest` is what still fits (one more below zero).
    """
    sign, digits = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    number = parse_uint(digits, base, largest + (sign == "-"))
    return -number if number is not None and sign == "-" else number


def parse_uint(text: str, base: int = 10, largest: int = MAX_UINT64) -> int | None:
    """strconv.ParseUint, which takes no sign; None where it returns an error."""
    if not text or len(text) > _MAX_DIGITS:
        return None
    digits = text.lower()
    if base == 0:
        base = 10
        prefixed = digits.startswith("0") and len(digits) > 1
        if prefixed:
            base = _PREFIXES.get(digits[:2], 8)
            digits = digits[2:] if digits[:2] in _PREFIXES else digits[1:]
        if "_" in digits:
            # One between digits, or between the prefix and them.
            if "__" in digits or digits.endswith("_") or (digits.startswith("_") and not prefixed):
                return None
            digits = digits.replace("_", "")
    if not digits or not _DIGITS[base].issuperset(digits):
        return None
    number = int(digits, base)
    return number if number <= largest else None


def parse_float(text: str) -> float | None:
    """strconv.ParseFloat for 64 bits; None where it returns an error (out of range included)."""
    if len(text) > _MAX_DIGITS:
        return None
    if "_" in text:
        # Only between digits, or behind the prefix of a hexadecimal number.
        hexadecimal = text.lstrip("+-")[:2] in ("0x", "0X")
        if (_MISPLACED_HEXADECIMAL if hexadecimal else _MISPLACED).search(text):
            return None
        text = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        value = float(text)
        return None if math.isinf(value) else value
    found = _HEXADECIMAL.fullmatch(text)
    if found:
        return _hexadecimal(*found.groups(default=""))
    sign = text[:1] if text[:1] in ("+", "-") else ""
    special = _SPECIAL.get(text[len(sign) :].lower())
    if special is None or (sign and math.isnan(special)):
        return None
    return -special if sign == "-" else special


def _hexadecimal(sign: str, whole: str, fraction: str, exponent: str) -> float | None:
    if not whole and not fraction:
        return None
    try:
        return float.fromhex(f"{sign}0x{whole or '0'}.{fraction or '0'}p{exponent}")
    except (OverflowError, ValueError):
        return None


def wrap_int64(number: int) -> int:
    """What is left of `number` in 64 bits with a sign."""
    return (number + 2**63) % 2**64 - 2**63
