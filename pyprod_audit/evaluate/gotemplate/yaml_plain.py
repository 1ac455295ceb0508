"""What YAML's plain style can hold, by the rules of go-yaml's emitters and resolvers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.go_numbers import parse_float, parse_int, parse_uint
from pyprod_audit.evaluate.gotemplate.go_time import UndeterminedError, UnreadableError, read
from pyprod_audit.model.patterns import lazy


class Scalar(NamedTuple):
    """A text, and the style that is asked for: "plain", "single", "double", "literal"."""

    text: str
    style: str


class Analysis(NamedTuple):
    """Which styles can hold a text outside of flow collections."""

    multiline: bool
    plain: bool
    single: bool
    block: bool


_PLAIN_WORDS = lazy(r"[A-Za-z0-9_./+=@][A-Za-z0-9_./+=@-]*")
_STARTS_SPECIAL = lazy(r"---|\.\.\.|[#,\[\]{}&*!|>'\"%@`]|[-?:](?:[ \t]|$)")
_HOLDS_SPECIAL = lazy(r":(?:[ \t]|$)|(?<=[ \t\n\r\x00])#")
_UNPRINTABLE = lazy("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_UNPRINTABLE_OR_TAB: Final = {
    2: _UNPRINTABLE,
    3: lazy("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]"),
}


def analyse(text: str, version: int) -> Analysis:
    """What the emitter of go-yaml `version` (2 or 3) finds out about a text without Unicode's line separators."""
    if not text:
        return Analysis(multiline=False, plain=True, single=True, block=False)
    if text[0] != "@" and _PLAIN_WORDS.fullmatch(text) and text[:3] not in ("---", "..."):
        return Analysis(multiline=False, plain=True, single=True, block=True)
    special = bool(_UNPRINTABLE_OR_TAB[version].search(text))
    breaks = "\n" in text or "\r" in text
    ragged = " \n" in text or " \r" in text or special
    break_space = "\n " in text or "\r " in text
    indicators = bool(_STARTS_SPECIAL.match(text) or _HOLDS_SPECIAL.search(text))
    edges = text[0] in " \n\r" or text[-1] in " \n\r"
    tabs = version == 3 and "\t" in text
    return Analysis(
        multiline=breaks,
        plain=not (edges or break_space or ragged or breaks or indicators or tabs),
        single=not (break_space or ragged or tabs),
        block=not (text[-1] == " " or ragged),
    )


_READ_WORDS: Final[dict[str, bool | float | None]] = {
    **{form: True for word in ("y", "yes", "true", "on") for form in (word, word.upper(), word.capitalize())},
    **{form: False for word in ("n", "no", "false", "off") for form in (word, word.upper(), word.capitalize())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{sign + form: float(sign + "inf") for sign in ("", "+", "-") for form in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_STARTS: Final = frozenset("+-.0123456789")
_FLOAT = lazy(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASE_60 = lazy(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_TIMESTAMPS: Final = (
    "2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2",
)  # fmt: skip
_YEAR = lazy(r"[0-9]{4}-")


def is_read_as_text(text: str) -> bool:
    """Whether go-yaml writes the text without quotes: its readers take it for a string, and so do those of YAML 1.1."""
    if text in _READ_WORDS:
        return False
    if text[0] not in _STARTS:
        return True
    if _is_timestamp(text) or not isinstance(read_plain(text), str):
        return False
    return not _BASE_60.fullmatch(text)


def _is_timestamp(text: str) -> bool:
    if not _YEAR.match(text):
        return False
    for layout in _TIMESTAMPS:
        try:
            read(text, layout, 0)
        except (UnreadableError, UndeterminedError):
            continue
        return True
    return False


def sort_key(version: int) -> Callable[[str, str], int]:
    """How go-yaml `version` orders the keys of a map: letters behind everything else, numbers by their value."""

    def compare(one: str, other: str) -> int:
        if one == other:
            return 0
        return -1 if _is_less(one, other, version) else 1

    return compare


def _is_less(one: str, other: str, version: int) -> bool:
    at = 0
    for have, want in zip(one, other, strict=False):
        if have != want:
            break
        at += 1
    else:
        return len(one) < len(other)
    a, b = one[at], other[at]
    letters = a.isalpha(), b.isalpha()
    if all(letters):
        return a < b
    if any(letters):
        behind_digits = version == 3 and at > 0 and one[at - 1].isdecimal()
        return letters[0] if behind_digits else letters[1]
    first, first_end = _number(one, at, other)
    second, second_end = _number(other, at, one)
    if first != second:
        return first < second
    return a < b if first_end == second_end else first_end < second_end


def _number(text: str, at: int, other: str) -> tuple[int, int]:
    """The number that the digits from `at` on are, and where they end, when the two texts are the same up to there."""
    end = at
    while end < len(text) and text[end].isdecimal():
        end += 1
    before = at
    while before > 0 and text[before - 1].isdecimal():
        before -= 1
    leading = "0" in (text[at], other[at]) and text[before:at].strip("0") != ""
    value = 1 if leading else 0
    for digit in text[at:end]:
        # Go's runes minus '0', in 64 bits.
        value = (value * 10 + ord(digit) - 48 + 2**63) % 2**64 - 2**63
    return value, end


def read_plain(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar for go-yaml 2: the words of YAML 1.1, Go's numbers; dates stay text."""
    if text in _READ_WORDS:
        return _READ_WORDS[text]
    if text[0] not in _STARTS:
        return text
    if text[0] == ".":
        value = parse_float(text)
        return text if value is None else value
    if _is_timestamp(text):
        return text
    plain = text.replace("_", "")
    integer = parse_int(plain, 0)
    if integer is None:
        integer = parse_uint(plain, 0)
    if integer is not None:
        return integer
    value = parse_float(plain) if _FLOAT.fullmatch(plain) else None
    return text if value is None else value
