"""Classes of characters in Go's regular expressions."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from pyprod_audit.evaluate.re2.failures import Unsupported

LAST: Final = 0x10FFFF
"""The last code point."""
Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last code points, in any order."""

_ASCII: Final = frozenset(map(chr, range(128)))
_LAST_CASED: Final = 0x1E943
# The two letters beyond ASCII that fold to letters of ASCII: the sign of kelvin and the long s.
_OUTSIDERS: Final = (("\u212a", "kK"), ("\u017f", "sS"))
# Not C: it has what is not assigned since Go 1.25 only.
_KINDS: Final = {"L": "lmotu", "M": "cen", "N": "dlo", "P": "cdefios", "S": "ckmo", "Z": "lps"}
_CATEGORIES: Final = frozenset(
    {"Cc", "Cf", "Co", "Cs", *_KINDS, *(major + minor for major, minors in _KINDS.items() for minor in minors)}
)


class CharClass(NamedTuple):
    """A set of characters: those of ASCII, and a test for the others (None: there are no others)."""

    ascii: frozenset[str]
    beyond: Callable[[str], bool] | None

    def accepts(self, character: str) -> bool:
        """Whether a character is in the class. Raises Unsupported for one of a later version of Unicode."""
        if character < "\x80":
            return character in self.ascii
        return self.beyond is not None and self.beyond(character)

    def negated(self) -> CharClass:
        """All other characters."""
        beyond = self.beyond
        if beyond is None:
            return CharClass(_ASCII - self.ascii, _anything)
        return CharClass(_ASCII - self.ascii, lambda character: not beyond(character))

    def folded(self) -> CharClass:
        """The class with the other cases of its letters."""
        letters = {*self.ascii, *(character.swapcase() for character in self.ascii)}
        for outsider, insiders in _OUTSIDERS:
            if self.beyond is not None and self.beyond(outsider):
                letters.update(insiders)
        beyond: Callable[[str], bool] | None = lambda character: any(map(self.accepts, variants(character)))  # noqa: E731
        if self.beyond is None:
            outsiders = "".join(outsider for outsider, insiders in _OUTSIDERS if not letters.isdisjoint(insiders))
            beyond = outsiders.__contains__ if outsiders else None
        return CharClass(frozenset(letters), beyond)


def _anything(_character: str) -> bool:
    return True


def of_ranges(ranges: Ranges) -> CharClass:
    """The class of the characters of ranges."""
    inside = frozenset(chr(code) for low, high in ranges if low < 128 for code in range(low, min(high, 127) + 1))
    others = tuple((chr(low), chr(high)) for low, high in ranges if high >= 128)
    if not others:
        return CharClass(inside, None)
    return CharClass(inside, lambda character: any(low <= character <= high for low, high in others))


def union(classes: list[CharClass]) -> CharClass:
    """The characters of any of the classes."""
    if len(classes) == 1:
        return classes[0]
    tests = tuple(one.beyond for one in classes if one.beyond is not None)
    beyond = (lambda character: any(test(character) for test in tests)) if tests else None
    return CharClass(frozenset().union(*(one.ascii for one in classes)), beyond)


@lru_cache(maxsize=1024)
def single(code: int, fold: bool) -> CharClass:
    """One character; `fold`: in any case."""
    plain = of_ranges(((code, code),))
    return plain.folded() if fold else plain


def variants(character: str) -> str:
    """The character in all of its cases (unicode.SimpleFold)."""
    return _orbits().get(character, character)


@lru_cache(maxsize=1)
def _orbits() -> dict[str, str]:
    """Letters by any of them. Asked for only when a text beyond ASCII meets a pattern that ignores case."""
    groups: dict[str, str] = {}
    for character in map(chr, range(_LAST_CASED + 1)):
        key = _simple_fold(character)
        if key != character:
            groups[key] = groups.get(key, key) + character
    return {character: group for group in groups.values() for character in group}


def _simple_fold(character: str) -> str:
    """What CaseFolding.txt has with status C or S; Python's casefold also has F, which makes more than one."""
    folded = character.casefold()
    if len(folded) > 1:
        folded = character.lower()
    return folded if len(folded) == 1 else character


def property_class(name: str) -> CharClass:
    r"""What `\p{name}` stands for. Raises Unsupported for scripts and for what depends on the version of Go."""
    if name == "Any":
        return of_ranges(((0, LAST),))
    if name not in _CATEGORIES:
        raise Unsupported("the pattern names a class of Unicode that is not known here")

    def belongs(character: str) -> bool:
        category = unicodedata.category(character)
        if category == "Cn":
            raise Unsupported("the text has a character whose class depends on the version of Unicode")
        return category.startswith(name)

    return CharClass(frozenset(filter(belongs, _ASCII)), belongs)


_DIGIT: Final = of_ranges(((0x30, 0x39),))
_WORD: Final = of_ranges(((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)))
ANY: Final = of_ranges(((0, LAST),))
NOT_NEWLINE: Final = of_ranges(((10, 10),)).negated()
PERL: Final = {"d": _DIGIT, "w": _WORD, "s": of_ranges(((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)))}
POSIX: Final = {
    "alnum": of_ranges(((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A))),
    "alpha": of_ranges(((0x41, 0x5A), (0x61, 0x7A))),
    "ascii": of_ranges(((0, 0x7F),)),
    "blank": of_ranges(((0x09, 0x09), (0x20, 0x20))),
    "cntrl": of_ranges(((0, 0x1F), (0x7F, 0x7F))),
    "digit": _DIGIT,
    "graph": of_ranges(((0x21, 0x7E),)),
    "lower": of_ranges(((0x61, 0x7A),)),
    "print": of_ranges(((0x20, 0x7E),)),
    "punct": of_ranges(((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E))),
    "space": of_ranges(((0x09, 0x0D), (0x20, 0x20))),
    "upper": of_ranges(((0x41, 0x5A),)),
    "word": _WORD,
    "xdigit": of_ranges(((0x30, 0x39), (0x41, 0x46), (0x61, 0x66))),
}
