"""Sprig's functions for regular expressions."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.re2 import Captures, InvalidPatternError, Regex, compile_pattern
from pyprod_audit.evaluate.gotemplate.sprig_types import INT, STRING
from pyprod_audit.evaluate.gotemplate.text import cut
from pyprod_audit.evaluate.gotemplate.undecided import MAX_SIZE, too_deep
from pyprod_audit.evaluate.gotemplate.values import NilStrings, Strings, TemplateError
from pyprod_audit.model.patterns import lazy

_NAME = lazy(r"\{(\w+)\}|(\w+)")
_SPECIAL: Final = frozenset("\\.+*?()|[]{}^$")


def _compiled(pattern: str) -> Regex:
    try:
        return compile_pattern(str(pattern))
    except InvalidPatternError as error:
        raise TemplateError(f"error parsing regexp: {error}: `{pattern}`") from error


@takes(STRING, STRING)
def match(pattern: str, text: str) -> bool:
    """`regexMatch`: false for a pattern that is refused."""
    try:
        return compile_pattern(str(pattern)).search(text, 0) is not None
    except InvalidPatternError:
        return False


@takes(STRING, STRING)
def must_match(pattern: str, text: str) -> bool:
    """`mustRegexMatch`."""
    return _compiled(pattern).search(text, 0) is not None


@takes(STRING, STRING)
def find(pattern: str, text: str) -> str:
    """`regexFind`: the first match, or the empty text."""
    found = _compiled(pattern).search(text, 0)
    return "" if found is None else cut(text, found[0], found[1])


@takes(STRING, STRING, INT)
def find_all(pattern: str, text: str, limit: int) -> Strings:
    """`regexFindAll`: all matches, or at most `limit`."""
    found = [cut(text, start, end) for start, end, *_ in _compiled(pattern).find_all(text, limit)]
    return Strings(found) if found else NilStrings()


def _replaced(pattern: str, text: str, replacement: str, literal: bool) -> str:
    regex = _compiled(pattern)
    out: list[str] = []
    last = at = size = 0
    while at <= len(text):
        found = regex.search(text, at)
        if found is None:
            break
        start, end = found[:2]
        out.append(text[last:start])
        # Not for an empty match next to the last one.
        if end > last or start == 0:
            out.append(replacement if literal else _expanded(replacement, regex, text, found))
            size += len(out[-1])
            if size > MAX_SIZE:
                raise too_deep("regexReplaceAll")
        last = end
        at = end if end > at else at + 1
    return "".join([*out, text[last:]])


def _expanded(template: str, regex: Regex, text: str, found: Captures) -> str:
    """The replacement of a match: $1, ${1} and ${name} stand for groups, $$ for itself."""
    before, *parts = template.split("$")
    out = [before]
    skip = False
    for number, part in enumerate(parts, 1):
        if skip:
            out.append(part)
            skip = False
            continue
        if not part and number < len(parts):
            # Two signs in a row.
            out.append("$")
            skip = True
            continue
        name = _NAME.match(part)
        if name is None:
            out.append("$" + part)
            continue
        out.append(_group(name[1] or name[2], regex, text, found) + part[name.end() :])
    return "".join(out)


def _group(name: str, regex: Regex, text: str, found: Captures) -> str:
    index = -1
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 9:
        index = int(name)
    else:
        index = next((number for number, known in regex.names.items() if known == name), -1)
    if index < 0 or index * 2 + 1 >= len(found) or found[index * 2] < 0:
        return ""
    return str(text[found[index * 2] : found[index * 2 + 1]])


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
    regex = _compiled(pattern)
    if limit == 0:
        return NilStrings()
    if pattern and not text:
        return Strings([""])
    parts = Strings()
    start = end = 0
    for found in regex.find_all(text, limit):
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
    return "".join([f"\\{character}" if character in _SPECIAL else character for character in text])


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
