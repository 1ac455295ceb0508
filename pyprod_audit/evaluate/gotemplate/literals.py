"""Constants of templates: strings, characters and numbers as Go's syntax writes them."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.go_numbers import parse_float, parse_int, parse_uint

_SIMPLE: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_HEX_LENGTHS: Final = {"x": 2, "u": 4, "U": 8}
_DECIMAL: Final = frozenset("0123456789")
_OCTAL: Final = frozenset("01234567")
_HEX: Final = frozenset("0123456789abcdefABCDEF")


class LiteralError(Exception):
    """A constant that is not Go's."""


class Number(NamedTuple):
    """A numeric constant as each of the types that can hold it; all None for a complex one.

    `looks_float`: without a parameter's type to go by it is a float64.
    """

    text: str
    integer: int | None
    floating: float | None
    looks_float: bool


def unquote(literal: str) -> str | None:
    """The string of a quoted or raw literal, quotes included; None when its bytes are no UTF-8."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    body = literal[1:-1]
    if "\\" not in body:
        return body
    written = bytearray()
    at = 0
    while at < len(body):
        if body[at] != "\\":
            end = body.find("\\", at)
            end = len(body) if end < 0 else end
            written += body[at:end].encode("utf-8", "surrogatepass")
            at = end
            continue
        code, at, is_byte = _escape(body, at + 1, '"')
        written += bytes((code,)) if is_byte else chr(code).encode("utf-8", "surrogatepass")
    try:
        return written.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _escape(body: str, at: int, quote: str) -> tuple[int, int, bool]:
    """The value of the escape whose letter stands at `at`, where it ends, and whether it is one byte."""
    letter = body[at : at + 1]
    if letter in _SIMPLE:
        return _SIMPLE[letter], at + 1, False
    if letter == quote and letter:
        return ord(quote), at + 1, False
    if letter in _HEX_LENGTHS:
        end = at + 1 + _HEX_LENGTHS[letter]
        digits = body[at + 1 : end]
        if len(digits) < _HEX_LENGTHS[letter] or not _HEX.issuperset(digits):
            raise LiteralError("invalid syntax")
        code = int(digits, 16)
        if letter != "x" and (code > 0x10FFFF or 0xD800 <= code <= 0xDFFF):
            raise LiteralError("invalid syntax")
        return code, end, letter == "x"
    digits = body[at : at + 3]
    if len(digits) == 3 and _OCTAL.issuperset(digits) and int(digits, 8) <= 255:
        return int(digits, 8), at + 3, True
    raise LiteralError("invalid syntax")


def rune(literal: str) -> Number:
    """A character constant, quotes included."""
    body = literal[1:-1]
    if not body:
        raise LiteralError("invalid syntax")
    if body[0] == "\\":
        code, end, _ = _escape(body, 1, "'")
    else:
        code, end = ord(body[0]), 1
    if end != len(body):
        raise LiteralError(f"malformed character constant: {literal}")
    return Number(literal, code, float(code), looks_float=False)


def number(literal: str) -> Number:
    """A number that is not written as a sum of a real and an imaginary part."""
    if literal.endswith("i") and parse_float(_plain(literal[:-1])) is not None:
        return Number(literal, None, None, looks_float=False)
    integer = parse_int(literal, 0)
    unsigned = parse_uint(literal, 0) if integer is None else None
    if integer is not None or unsigned is not None:
        # What fits only into a uint64 overflows where an int is wanted.
        return Number(literal, integer, float(integer if integer is not None else unsigned or 0), _is_float(literal))
    floating = parse_float(_plain(literal))
    if floating is None:
        raise LiteralError(f'illegal number syntax: "{literal}"')
    if not any(letter in literal for letter in ".eEpP"):
        raise LiteralError(f'integer overflow: "{literal}"')
    whole = int(floating) if abs(floating) < 2**63 and floating == int(floating) else None
    return Number(literal, whole, floating, _is_float(literal))


def _plain(literal: str) -> str:
    """Without underscores where all of them stand between two digits, or between the prefix 0x and one."""
    if "_" not in literal:
        return literal
    prefixed = literal.lstrip("+-")[:2].lower() == "0x"
    after_ok = _HEX if prefixed else _DECIMAL
    before_ok = after_ok | {"x", "X"} if prefixed else after_ok
    parts = literal.split("_")
    for before, after in pairwise(parts):
        if before[-1:] not in before_ok or after[:1] not in after_ok:
            return literal
    return "".join(parts)


def _is_float(literal: str) -> bool:
    """Whether the syntax says float64: a point or an exponent, but not the digit e of a hexadecimal integer."""
    if literal.lstrip("+-")[:2].lower() == "0x" and not literal.startswith(("+", "-")):
        return "p" in literal or "P" in literal
    return any(letter in literal for letter in ".eEpP")
