"""Classes of characters in Terraform's regular expressions."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved
from pyprod_audit.model.patterns import lazy

CharClass = Callable[[str], bool]

_RANGES: Final = {
    "d": ("09",),
    "s": ("\t\n", "\f\r", "  "),
    "w": ("09", "AZ", "__", "az"),
}
_POSIX: Final = {
    "alnum": ("09", "AZ", "az"), "alpha": ("AZ", "az"), "ascii": ("\0\x7f",), "blank": ("\t\t", "  "),
    "cntrl": ("\0\x1f", "\x7f\x7f"), "digit": ("09",), "graph": ("!~",), "lower": ("az",), "print": (" ~",),
    "punct": ("!/", ":@", "[`", "{~"), "space": ("\t\r", "  "), "upper": ("AZ",), "word": ("09", "AZ", "__", "az"),
    "xdigit": ("09", "AF", "af"),
}  # fmt: skip
_CATEGORIES: Final = {
    "C": "cfos", "L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps",
}  # fmt: skip
_NAMED = lazy(r"\[:(\^?)([a-z]+):\]")
_PROPERTY = lazy(r"\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))")
_HEX = lazy(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_OCTAL = lazy(r"\\(?:0[0-7]{0,2}|[1-7][0-7]{1,2})")
_CONTROL: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_FOLDED: Final = {"k": "kK\u212a", "s": "sS\u017f", "å": "åÅ\u212b", "ω": "ωΩ\u2126", "ß": "ßẞ"}


def ANY(_char: str) -> bool:  # noqa: N802 (a class like the others)
    """Every character."""
    return True


def NOT_NEWLINE(char: str) -> bool:  # noqa: N802 (a class like the others)
    """Every character but a line feed."""
    return char != "\n"


def literal(char: str, *, fold: bool) -> CharClass:
    """One character; `fold`: in either case."""
    if not fold:
        return lambda found: found == char
    variants = _variants(char)
    return lambda found: found in variants


def _variants(char: str) -> frozenset[str]:
    """The character in its cases."""
    lower = char.lower()
    found = _FOLDED.get(lower) or _FOLDED.get(char)
    variants = {char, lower, char.upper(), *(found or "")}
    return frozenset(one for one in variants if len(one) == 1)


def _folded(accepts: CharClass) -> CharClass:
    return lambda char: any(accepts(variant) for variant in _variants(char))


def _ranges(ranges: Iterable[str]) -> CharClass:
    pairs = tuple((pair[0], pair[1]) for pair in ranges)
    return lambda char: any(low <= char <= high for low, high in pairs)


def _not(accepts: CharClass) -> CharClass:
    return lambda char: not accepts(char)


def escaped_class(pattern: str, at: int, *, fold: bool) -> tuple[CharClass, int]:
    """What a backslash at `at` stands for, and where it ends. Raises Invalid, Unresolved."""
    letter = pattern[at + 1 : at + 2]
    if letter.lower() in _RANGES and letter:
        found = _ranges(_RANGES[letter.lower()])
        found = _folded(found) if fold and letter in "wW" else found
        return (_not(found) if letter.isupper() else found), at + 2
    if letter in ("p", "P"):
        return _property(pattern, at, fold=fold)
    char, end = _escaped_char(pattern, at)
    return literal(char, fold=fold), end


def _property(pattern: str, at: int, *, fold: bool) -> tuple[CharClass, int]:
    found = _PROPERTY.match(pattern, at)
    if found is None:
        raise Invalid("the pattern names no class of characters")
    name = found[3] or found[4]
    if name == "Any":
        accepts: CharClass = ANY
    elif name[1:] in tuple(_CATEGORIES.get(name[0], "")) or (len(name) == 1 and name in _CATEGORIES):
        accepts = lambda char: unicodedata.category(char).startswith(name)  # noqa: E731
    else:
        raise Unresolved("the pattern names a script")
    accepts = _folded(accepts) if fold else accepts
    return (_not(accepts) if (found[1] == "P") is not bool(found[2]) else accepts), found.end()


def _escaped_char(pattern: str, at: int) -> tuple[str, int]:
    """The one character that a backslash stands for."""
    letter = pattern[at + 1 : at + 2]
    if letter in _CONTROL:
        return _CONTROL[letter], at + 2
    found = _HEX.match(pattern, at) or _OCTAL.match(pattern, at)
    if found is not None:
        digits = found[0].strip("\\x{}")
        code = int(digits, 16) if letter == "x" else int(digits, 8)
        if code > 0x10FFFF:
            raise Invalid("the pattern names no character")
        return chr(code), found.end()
    if letter and letter.isascii() and not letter.isalnum():
        return letter, at + 2
    raise Invalid("the pattern has an escape that there is not")


def read_class(pattern: str, at: int, *, fold: bool) -> tuple[CharClass, int]:
    """The class in brackets that starts at `at`, and where it ends. Raises Invalid, Unresolved."""
    at += 1
    negated = pattern.startswith("^", at)
    at += negated
    parts: list[CharClass] = []
    ranges: list[str] = []
    first = True
    while first or not pattern.startswith("]", at):
        if at >= len(pattern):
            raise Invalid("the pattern lacks a closing bracket")
        first = False
        named = _NAMED.match(pattern, at)
        if named is not None:
            if named[2] not in _POSIX:
                raise Invalid("the pattern names no class of characters")
            accepts = _folded(_ranges(_POSIX[named[2]])) if fold else _ranges(_POSIX[named[2]])
            parts.append(_not(accepts) if named[1] else accepts)
            at = named.end()
            continue
        if pattern.startswith("[:", at) and ":]" in pattern[at:]:
            raise Invalid("the pattern names no class of characters")
        if pattern.startswith("\\", at) and pattern[at + 1 : at + 2] in tuple("dDsSwWpP"):
            accepts, at = escaped_class(pattern, at, fold=fold)
            parts.append(accepts)
            continue
        low, at = _class_char(pattern, at)
        high = low
        if pattern.startswith("-", at) and at + 1 < len(pattern) and pattern[at + 1] != "]":
            high, at = _class_char(pattern, at + 1)
            if high < low:
                raise Invalid("the pattern has a range that ends before it starts")
        ranges.append(low + high)
    parts.append(_folded(_ranges(ranges)) if fold else _ranges(ranges))
    accepts = parts[0] if len(parts) == 1 else _any_of(parts)
    return (_not(accepts) if negated else accepts), at + 1


def _any_of(parts: list[CharClass]) -> CharClass:
    return lambda char: any(part(char) for part in parts)


def _class_char(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern):
        raise Invalid("the pattern lacks a closing bracket")
    return _escaped_char(pattern, at) if pattern[at] == "\\" else (pattern[at], at + 1)
