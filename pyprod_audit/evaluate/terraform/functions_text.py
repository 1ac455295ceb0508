"""Terraform's functions of strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_text
from pyprod_audit.evaluate.terraform.encoding import MAX_TEXT
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.graphemes import clusters
from pyprod_audit.evaluate.terraform.values import STRING, Invalid, ListValue, Unresolved, Value, require_known
from pyprod_audit.model import Node
from pyprod_audit.parsers.hcl_text import WHITESPACE

_SHARP_S: Final = frozenset("ŉǰΐΰևẖẗẘẙẚßﬀﬁﬂﬃﬄﬅﬆﬓﬔﬕﬖﬗİ")


def _chomp(_call: Call, text: str) -> Value:
    return text.rstrip("\r\n")


def _indent(_call: Call, spaces: int, text: str) -> Value:
    if spaces < 0:
        raise Invalid("spaces cannot be less than none")
    lines = text.count("\n")
    if len(text) + lines * spaces > MAX_TEXT:
        raise Unresolved("the text is too long")
    return text.replace("\n", "\n" + " " * spaces) if lines else text


def _join(_call: Call, separator: str, *lists: tuple[Node, ...]) -> Value:
    if not lists:
        raise Invalid("join has the wrong number of arguments")
    for members in lists:
        require_known(members)
    words = [as_text(member.value) for members in lists for member in members]
    if sum(map(len, words)) + len(separator) * len(words) > MAX_TEXT:
        raise Unresolved("the text is too long")
    return separator.join(words)


def _mapped(text: str, convert: str) -> str:
    """The text in upper or lower case, character by character as Go does it."""
    if text.isascii():
        return text.upper() if convert == "upper" else text.lower()
    made: list[str] = []
    for char in text:
        found = char.upper() if convert == "upper" else char.lower()
        if len(found) != 1:
            found = "i" if char == "İ" else char  # Go maps one character to one
        made.append(found)
    return "".join(made)


def _upper(_call: Call, text: str) -> Value:
    return _mapped(text, "upper")


def _lower(_call: Call, text: str) -> Value:
    return _mapped(text, "lower")


def _title(_call: Call, text: str) -> Value:
    made: list[str] = []
    before = " "
    for char in text:
        starts = not (before.isalnum() or before == "_") if before.isascii() else _separates(before)
        made.append(_title_case(char) if starts else char)
        before = char
    return "".join(made)


def _separates(char: str) -> bool:
    return not char.isalnum() and char in WHITESPACE


def _title_case(char: str) -> str:
    found = char.title()
    return found if len(found) == 1 else char


def _split(call: Call, separator: str, text: str) -> Value:
    words = list(text) if not separator else text.split(separator)
    call.charge(len(words))
    return ListValue([call.node(word) for word in words], STRING)


def _strrev(_call: Call, text: str) -> Value:
    return "".join(reversed(clusters(text)))


def _substr(_call: Call, text: str, offset: int, length: int) -> Value:
    chars = clusters(text)
    if offset < 0:
        offset += len(chars)
    elif length == 0:
        return ""
    if offset > 0:
        if offset >= len(chars):
            return ""
        chars = chars[offset:]
    return "".join(chars if length <= 0 else chars[:length])


def _trim(_call: Call, text: str, cut: str) -> Value:
    return text.strip(cut) if cut else text


def _sort(call: Call, members: tuple[Node, ...]) -> Value:
    require_known(members)
    if any(member.value is None for member in members):
        raise Invalid("null cannot be sorted")
    call.charge(len(members))
    return ListValue(sorted(members, key=lambda member: as_text(member.value)), STRING)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "chomp": function(_chomp, "text"),
    "endswith": function(lambda _, text, end: text.endswith(end), "text text"),
    "indent": function(_indent, "whole text"),
    "join": function(_join, "text", "texts"),
    "lower": function(_lower, "text"),
    "sort": function(_sort, "texts"),
    "split": function(_split, "text text"),
    "startswith": function(lambda _, text, start: text.startswith(start), "text text"),
    "strcontains": function(lambda _, text, part: part in text, "text text"),
    "strrev": function(_strrev, "text"),
    "substr": function(_substr, "text whole whole"),
    "title": function(_title, "text"),
    "trim": function(_trim, "text text"),
    "trimprefix": function(lambda _, text, start: text.removeprefix(start), "text text"),
    "trimspace": function(lambda _, text: text.strip(WHITESPACE), "text"),
    "trimsuffix": function(lambda _, text, end: text.removesuffix(end), "text text"),
    "upper": function(_upper, "text"),
}
