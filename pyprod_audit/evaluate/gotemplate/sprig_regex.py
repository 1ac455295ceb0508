"""Sprig's functions for regular expressions."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.sprig_types import INT, STRING
from pyprod_audit.evaluate.gotemplate.text import cut
from pyprod_audit.evaluate.gotemplate.undecided import MAX_SIZE, Undecided
from pyprod_audit.evaluate.gotemplate.values import NilStrings, Strings, TemplateError
from pyprod_audit.evaluate.re2 import Captures, InvalidPatternError, Regex, Unsupported, compile_pattern, quoted
from pyprod_audit.model import Unknown


def _undecided(pattern: str, reason: Unsupported) -> Undecided:
    return Undecided(Unknown(str(pattern), str(reason)))


def _compiled(pattern: str) -> Regex:
    try:
        return compile_pattern(str(pattern))
    except InvalidPatternError as error:
        raise TemplateError(f"error parsing regexp: {error}: `{pattern}`") from error
    except Unsupported as reason:
        raise _undecided(pattern, reason) from reason


def _first(pattern: str, text: str) -> Captures | None:
    try:
        return _compiled(pattern).search(text)
    except Unsupported as reason:
        raise _undecided(pattern, reason) from reason


def _all(pattern: str, text: str, limit: int) -> list[Captures]:
    try:
        return list(_compiled(pattern).matches(text, limit))
    except Unsupported as reason:
        raise _undecided(pattern, reason) from reason


@takes(STRING, STRING)
def match(pattern: str, text: str) -> bool:
    """`regexMatch`: false for a pattern that is refused."""
    try:
        return _first(pattern, text) is not None
    except TemplateError:
        return False


@takes(STRING, STRING)
def must_match(pattern: str, text: str) -> bool:
    """`mustRegexMatch`."""
    return _first(pattern, text) is not None


@takes(STRING, STRING)
def find(pattern: str, text: str) -> str:
    """`regexFind`: the first match, or the empty text."""
    found = _first(pattern, text)
    return "" if found is None else cut(text, found[0], found[1])


@takes(STRING, STRING, INT)
def find_all(pattern: str, text: str, limit: int) -> Strings:
    """`regexFindAll`: all matches, or at most `limit`."""
    found = [cut(text, start, end) for start, end, *_ in _all(pattern, text, limit)]
    return Strings(found) if found else NilStrings()


def _replaced(pattern: str, text: str, replacement: str, literal: bool) -> str:
    regex = _compiled(pattern)
    try:
        return regex.replace(str(text), str(replacement), most=MAX_SIZE, literal=literal)
    except Unsupported as reason:
        raise _undecided(pattern, reason) from reason


@takes(STRING, STRING, STRING)
def replace_all(pattern: str, text: str, replacement: str) -> str:
    """`regexReplaceAll`."""
    return _replaced(pattern, text, replacement, literal=False)


@takes(STRING, STRING, STRING)
def replace_all_literal(pattern: str, text: str, replacement: str) -> str:
    """`regexReplaceAllLiteral`: the replacement stands for itself."""
    return _replaced(pattern, text, replacement, literal=True)


@takes(STRING, STRING, INT)
def split(pattern: str, text: str, limit: int) -> Strings:
    """`regexSplit`: what stands between the matches."""
    _compiled(pattern)  # a pattern that is refused is an error in any case
    if limit == 0:
        return NilStrings()
    if pattern and not text:
        return Strings([""])
    parts = Strings()
    start = end = 0
    for found in _all(pattern, text, limit):
        if 0 < limit <= len(parts) + 1:
            break
        end = found[0]
        if found[1] != 0:
            parts.append(cut(text, start, end))
        start = found[1]
    if end != len(text):
        parts.append(cut(text, start, len(text)))
    return parts


@takes(STRING)
def quote_meta(text: str) -> str:
    """`regexQuoteMeta`."""
    return quoted(text)


REGEX: Final[dict[str, Registered]] = {
    "regexMatch": match,
    "mustRegexMatch": must_match,
    **dict.fromkeys(("regexFind", "mustRegexFind"), find),
    **dict.fromkeys(("regexFindAll", "mustRegexFindAll"), find_all),
    **dict.fromkeys(("regexReplaceAll", "mustRegexReplaceAll"), replace_all),
    **dict.fromkeys(("regexReplaceAllLiteral", "mustRegexReplaceAllLiteral"), replace_all_literal),
    **dict.fromkeys(("regexSplit", "mustRegexSplit"), split),
    "regexQuoteMeta": quote_meta,
}
