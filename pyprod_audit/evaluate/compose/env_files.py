"""Environment files: `.env` beside a Compose file, and what `env_file` and `label_file` name.

The format is that of compose-go's `dotenv` package: `export`, `KEY: value`, comments behind a blank, quotes over
several lines, escapes in double quotes, variables except in single quotes, keys without a value, which are passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.evaluate.compose.interpolation import InvalidTemplate, Lookup, interpolate
from pyprod_audit.model import Node, SourceFile, Unknown, Via
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy

_BLANKS: Final = " \t\v\f\r\x85\xa0"
_EXPORT = lazy(r"export[ \t\n\v\f\r]+")
_ESCAPE = lazy(r"""\\(?:[abcfnrtv$"\\]|0[0-9]{0,3})""")
_ESCAPES: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_MAX_VARIABLES: Final = 10_000
_MAX_CHARACTERS: Final = 2_000_000


@dataclass(slots=True)
class EnvironmentFile:
    """What an environment file sets.

    `variables`: values by name, each a text or Unknown at its place; `passed_on`: the names without a value;
    `fault`: why the rest of the file cannot be read, with the offset, when it cannot.
    """

    variables: dict[str, Node] = field(default_factory=dict)
    passed_on: dict[str, Node] = field(default_factory=dict)
    fault: tuple[int, str] | None = None


class _Fault(Exception):  # noqa: N818 - a finding about the file, not an error of ours
    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


def read_environment_file(source: SourceFile, stronger: Lookup, weaker: Lookup) -> EnvironmentFile:
    """Reads `source`; its `$VAR`s are looked up with `stronger`, then in the file so far, then with `weaker`."""
    result = EnvironmentFile()

    def inner(name: str) -> Node | None:
        return stronger(name) or result.variables.get(name) or weaker(name)

    characters = 0
    try:
        for name, node in _statements(source, inner):
            characters += len(node.value) if isinstance(node.value, str) else 0
            if node.value is None:
                result.passed_on[name] = node
            else:
                result.variables[name] = node
            if len(result.variables) > _MAX_VARIABLES or characters > _MAX_CHARACTERS:
                result.fault = node.start, "too many variables: the rest is not read"
                break
    except _Fault as fault:
        result.fault = fault.offset, fault.message
    return result


def _statements(source: SourceFile, lookup: Lookup) -> Iterator[tuple[str, Node]]:
    """Names and values; the value of a name that is passed on is None."""
    text = source.text
    at, end = 0, len(text)
    while True:
        while at < end and text[at].isspace():
            at += 1
        if at >= end:
            return
        if text[at] == "#":
            newline = text.find("\n", at)
            if newline < 0:
                return
            at = newline
            continue
        exported = _EXPORT.match(text, at)
        if exported:
            at = _skip_blanks(text, at + len("export"))
        key_start = at
        key_end, at, inherited = _key(text, at)
        name = text[key_start:key_end].rstrip()
        key_end = key_start + len(name)
        if " " in name:
            raise _Fault(key_start, f"the name of a variable holds a blank: {name[:60]!r}")
        at = _skip_blanks(text, at)
        if inherited:
            yield name, Node(None, source, key_start, key_end, key_start, key_end)
            continue
        value, start, stop, at = _value(text, at, lookup)
        filled, via = value if isinstance(value, tuple) else (value, ())
        if is_templated(text[start:stop]):
            filled = Unknown(text[start:stop], "filled in by a template")
        yield name, Node(filled, source, start, stop, key_start, key_end).coming(*via)


def _key(text: str, start: int) -> tuple[int, int, bool]:
    """The end of the name that starts here, where its value starts, and whether it has none.

    A name that ends with the file is a value without a name, as for Compose.
    """
    for at in range(start, len(text)):
        char = text[at]
        if char in "=:":
            return at, at + 1, False
        if char == "\n":
            return at, at + 1, True
        if char not in "_.-[]" and char not in _BLANKS and not (char.isalpha() or char.isnumeric()):
            raise _Fault(start, f"unexpected character {char!r} in the name of a variable")
    return start, start, False


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


_Expanded = tuple[Value, tuple[Via, ...]]


def _value(text: str, at: int, lookup: Lookup) -> tuple[str | _Expanded, int, int, int]:
    """The value that starts here, where it starts and ends, and where the next statement may start."""
    quote = text[at : at + 1]
    if quote not in ("'", '"') or not quote:
        newline = text.find("\n", at)
        line_end = len(text) if newline < 0 else newline
        raw = text[at:line_end].partition(" #")[0].rstrip()
        value = _expanded(raw, lookup, at) if "$" in raw else raw
        return value, at, at + len(raw), min(line_end + 1, len(text))
    close = at + 1
    while True:
        close = text.find(quote, close)
        if close < 0:
            raise _Fault(at, "a quote that is not closed")
        if not _escaped(text, close, at):
            break
        close += 1
    raw = text[at + 1 : close].replace("\\" + quote, quote) if "\\" in text[at:close] else text[at + 1 : close]
    start, stop = at + 1, close
    if quote == '"' and ("$" in raw or "\\" in raw):
        return _expanded(_unescaped(raw), lookup, at), start, stop, close + 1
    return raw, start, stop, close + 1


def _escaped(text: str, quote: int, start: int) -> bool:
    """Whether an odd number of backslashes stands before the quote; pairs of them stay as they are."""
    at = quote - 1
    while at > start and text[at] == "\\":
        at -= 1
    return (quote - 1 - at) % 2 == 1


def _unescaped(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        escape = found[0][1:]
        if escape == "$":
            return "$$"
        if escape.startswith("0"):
            digits = escape[1:]
            number = int(digits, 8) if len(digits) == 3 and not set(digits) & {"8", "9"} else 256
            return chr(number) if number < 256 else f"\\{digits}"
        return _ESCAPES.get(escape, found[0])

    return _ESCAPE.sub(replace, text)


def _expanded(text: str, lookup: Lookup, at: int) -> _Expanded:
    try:
        filled = interpolate(text, lookup)
    except InvalidTemplate:
        raise _Fault(at, "an invalid variable expression") from None
    return filled.value, via_of(filled.variables)


def is_templated(text: str) -> bool:
    """Whether a tool fills the text in before it is an environment file."""
    return "{{" in text or "{%" in text


def via_of(variables: tuple[Node, ...]) -> tuple[Via, ...]:
    """The places that a text with these variables came through, at most four."""
    places: dict[tuple[str, int], Via] = {}
    for variable in variables:
        span = variable.key or variable.span
        name = span.file.path.rpartition("/")[2]
        for via in (Via(span, f"set in {name}"), *variable.via):
            places.setdefault((via.span.file.path, via.span.start), via)
    return tuple(places.values())[:4]
