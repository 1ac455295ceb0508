"""Classes of characters in Go's regular expressions, as ranges of code points."""

from __future__ import annotations

from typing import Final, TypeAlias

LAST: Final = 0x10FFFF
"""The last code point."""
Ranges: TypeAlias = list[tuple[int, int]]
"""First and last code points, in any order."""
_DIGIT: Final[Ranges] = [(0x30, 0x39)]
_WORD: Final[Ranges] = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_SPACE: Final[Ranges] = [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)]
PERL: Final = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
POSIX: Final[dict[str, Ranges]] = {
    "alnum": [(0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)],
    "alpha": [(0x41, 0x5A), (0x61, 0x7A)],
    "ascii": [(0, 0x7F)],
    "blank": [(0x09, 0x09), (0x20, 0x20)],
    "cntrl": [(0, 0x1F), (0x7F, 0x7F)],
    "digit": _DIGIT,
    "graph": [(0x21, 0x7E)],
    "lower": [(0x61, 0x7A)],
    "print": [(0x20, 0x7E)],
    "punct": [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
    "space": [(0x09, 0x0D), (0x20, 0x20)],
    "upper": [(0x41, 0x5A)],
    "word": _WORD,
    "xdigit": [(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
}


def negated(ranges: Ranges) -> Ranges:
    """All other characters."""
    made: Ranges = []
    at = 0
    for low, high in sorted(ranges):
        if low > at:
            made.append((at, low - 1))
        at = max(at, high + 1)
    return [*made, (at, LAST)] if at <= LAST else made
