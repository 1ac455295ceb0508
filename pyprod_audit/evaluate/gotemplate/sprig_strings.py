"""Sprig's functions that change, ask and put together strings."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Final

from pyprod_audit.evaluate.gotemplate import text as texts
from pyprod_audit.evaluate.gotemplate.formatting import escape
from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Registered, takes, transparent
from pyprod_audit.evaluate.gotemplate.marks import OPEN, certain_parts
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, INT, PARTLY, REST, STRING, need_whole, strval
from pyprod_audit.evaluate.gotemplate.undecided import MAX_SIZE, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import TemplateError, Value
from pyprod_audit.model import Unknown

# -- case and spaces ---------------------------------------------------------------------------------------------


def upper_rune(character: str) -> str:
    """unicode.ToUpper: one rune gives one rune, where Python knows forms of several (SS for ß, which has none)."""
    upper = character.upper()
    return upper if len(upper) == 1 else title_rune(character)


def lower_rune(character: str) -> str:
    """unicode.ToLower."""
    lower = character.lower()
    return lower if len(lower) == 1 else lower[0]


def title_rune(character: str) -> str:
    """unicode.ToTitle."""
    title = character.title()
    return title if len(title) == 1 else character


def _upper(text: str) -> str:
    return text.upper() if text.isascii() else "".join([upper_rune(character) for character in text])


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join([lower_rune(character) for character in text])


@transparent
@takes(STRING)
def upper(text: str) -> str:
    """`upper`."""
    return texts.map_parts(text, _upper)


@transparent
@takes(STRING)
def lower(text: str) -> str:
    """`lower`."""
    return texts.map_parts(text, _lower)


def _separates(character: str) -> bool:
    """Whether a word may begin behind the character (strings.Title)."""
    if character.isascii():
        return not (character.isalnum() or character == "_")
    return not character.isalnum() and character in texts.SPACE


@takes(STRING)
def title(text: str) -> str:
    """`title`: every word begins with its title case."""
    before = " "
    out = []
    for character in text:
        out.append(title_rune(character) if _separates(before) else character)
        before = character
    return "".join(out)


@takes(STRING)
def untitle(text: str) -> str:
    """`untitle`: every word begins in lower case."""
    out = []
    begins = True
    for character in text:
        space = character in texts.SPACE
        out.append(lower_rune(character) if begins and not space else character)
        begins = space
    return "".join(out)


@takes(STRING)
def swapcase(text: str) -> str:
    """`swapcase`, but words that begin in lower case get their title case there."""
    out = []
    begins = True
    for character in text:
        category = unicodedata.category(character)
        if category in ("Lu", "Lt"):
            out.append(lower_rune(character))
            begins = False
        elif category == "Ll":
            out.append(title_rune(character) if begins else upper_rune(character))
            begins = False
        else:
            out.append(character)
            begins = character in texts.SPACE
    return "".join(out)


# goutils takes every byte for a character.
_BYTE_SPACES: Final = frozenset("\t\n\v\f\r \x85\xa0")


def _byte_characters(text: str) -> str:
    return text if text.isascii() else text.encode(errors="surrogatepass").decode("latin-1")


@takes(STRING)
def nospace(text: str) -> str:
    """`nospace`; bytes that are no ASCII change when anything is taken out."""
    characters = _byte_characters(text)
    left = "".join([character for character in characters if character not in _BYTE_SPACES])
    return text if len(left) == len(characters) else left


@takes(STRING)
def initials(text: str) -> str:
    """`initials`: the first byte of every word."""
    characters = " " + _byte_characters(text)
    begun = [now for before, now in pairwise(characters) if before in _BYTE_SPACES and now not in _BYTE_SPACES]
    return "".join(begun)


# -- asking ------------------------------------------------------------------------------------------------------


def _undecided() -> Unknown:
    return Unknown("", PARTLY)


@transparent
@takes(STRING, STRING)
def contains(part: str, text: str) -> Value:
    """`contains`; of a text with a mark it is known when what is known has it."""
    need_whole(part)
    if OPEN not in text:
        return str(part) in str(text)
    return True if any(part in known for known in certain_parts(text)) else _undecided()


@transparent
@takes(STRING, STRING)
def has_prefix(prefix: str, text: str) -> Value:
    """`hasPrefix`; of a text with a mark it is known when what stands before the mark decides it."""
    need_whole(prefix)
    if OPEN not in text:
        return text.startswith(prefix)
    head = certain_parts(text)[0]
    if head.startswith(prefix):
        return True
    return _undecided() if prefix.startswith(head) else False


@transparent
@takes(STRING, STRING)
def has_suffix(suffix: str, text: str) -> Value:
    """`hasSuffix`; of a text with a mark it is known when what stands behind the mark decides it."""
    need_whole(suffix)
    if OPEN not in text:
        return text.endswith(suffix)
    tail = certain_parts(text)[-1]
    if tail.endswith(suffix):
        return True
    return _undecided() if suffix.endswith(tail) else False


# -- putting together --------------------------------------------------------------------------------------------


@transparent
@takes(INT, STRING)
def repeat(count: int, text: str) -> str:
    """`repeat`."""
    if count < 0:
        raise TemplateError("strings: negative Repeat count")
    if count * len(text) > MAX_SIZE:
        raise too_deep("repeat")
    return str(text) * count


def _padding(spaces: int, text: str) -> str:
    if spaces < 0:
        raise TemplateError("strings: negative Repeat count")
    if spaces * (text.count("\n") + 1) > MAX_SIZE:
        raise too_deep("indent")
    return " " * spaces


@transparent
@takes(INT, STRING)
def indent(spaces: int, text: str) -> str:
    """`indent`."""
    return texts.indent(text, _padding(spaces, text))


@transparent
@takes(INT, STRING)
def nindent(spaces: int, text: str) -> str:
    """`nindent`: `indent` behind a line feed."""
    return texts.concat(("\n", texts.indent(text, _padding(spaces, text))))


@transparent
@takes(STRING, STRING, STRING)
def replace(old: str, new: str, text: str) -> str:
    """`replace`."""
    need_whole(old)
    if OPEN in text and (old == "" or old.isdigit() or OPEN in old):
        raise Undecided(_undecided())
    if text.count(old) * len(new) > MAX_SIZE:
        raise too_deep("replace")
    return texts.replace(text, old, new)


def _quoted(text: str) -> str:
    return escape(text, '"')


def _quote(call: Call, *values: Value) -> str:
    """`quote`: each in double quotes, without nil."""
    parts = [
        texts.surround(texts.map_parts(strval(call, value), _quoted), '"', '"') for value in values if value is not None
    ]
    return texts.join(" ", parts)


def _squote(call: Call, *values: Value) -> str:
    """`squote`: each in single quotes, without nil."""
    return texts.join(" ", [texts.surround(strval(call, value), "'", "'") for value in values if value is not None])


def _cat(call: Call, *values: Value) -> str:
    """`cat`: with spaces in between, without nil."""
    return texts.join(" ", [strval(call, value) for value in values if value is not None])


def _to_string(call: Call, value: Value) -> str:
    """`toString`."""
    return strval(call, value)


@takes(STRING, STRING, INT)
def plural(one: str, many: str, count: int) -> str:
    """`plural`."""
    return one if count == 1 else many


STRINGS: Final[dict[str, Registered]] = {
    "upper": upper,
    "lower": lower,
    "title": title,
    "untitle": untitle,
    "swapcase": swapcase,
    "nospace": nospace,
    "initials": initials,
    "contains": contains,
    "hasPrefix": has_prefix,
    "hasSuffix": has_suffix,
    "repeat": repeat,
    "indent": indent,
    "nindent": nindent,
    "replace": replace,
    "quote": Contextual(_quote, takes=(REST,)),
    "squote": Contextual(_squote, takes=(REST,)),
    "cat": Contextual(_cat, takes=(REST,)),
    "toString": Contextual(_to_string, takes=(ANY,)),
    "plural": plural,
}
