"""TOML as nodes: every key and value with its place, and one broken line does not lose the rest.

The standard library's `tomllib` gives values without places and stops at the first error. This reader follows the same
grammar (TOML 1.0, plus 1.1's trailing commas and line breaks in inline tables), skips lines of Jinja (`{% if %}`,
`{# … #}`) as templates of `pyproject.toml` have them, and goes on with the next line after an error.
Source of the grammar: https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.model import Node, Problem, SourceFile
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy

_MAX_DEPTH: Final = 64
_BARE_KEY = lazy(r"[A-Za-z0-9_-]+")
_BLANK = lazy(r"[ \t]*")
_GAP = lazy(r"(?:[ \t\r\n]+|#[^\n]*|\{%[^\n]*|\{#[^\n]*)*+")
_LINE_REST = lazy(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_ATOM = lazy(r"[0-9A-Za-z+:._-]+(?: [0-9][0-9:.+Zz-]*)?")
_INTEGER = lazy(r"[+-]?[0-9_]{1,40}|0x[0-9A-Fa-f_]{1,32}|0o[0-7_]{1,32}|0b[01_]{1,64}")
_FLOAT = lazy(r"[+-]?[0-9_]{1,40}(?:\.[0-9_]{1,40})?(?:[eE][+-]?[0-9_]{1,6})?|[+-]?(?:inf|nan)")
_DATE = lazy(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{2}:[0-9]{2}.*")
_ESCAPE = lazy(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([btnfre\"\\])|[ \t]*\r?\n[ \t\r\n]*)")
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
_DELIMITERS: Final = ('"""', "'''", '"', "'")


class _BadTomlError(Exception):
    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(slots=True)
class TomlTree:
    """What a TOML text holds: `root` is always a mapping, `problems` say which lines were given up."""

    root: Node
    problems: list[Problem] = field(default_factory=list)


def parse_toml(source: SourceFile, start: int = 0, end: int | None = None) -> TomlTree:
    """Reads the TOML between the offsets `start` and `end` of a file. Never raises; dates become their text."""
    return _Reader(source, start, len(source.text) if end is None else end).read()


class _Reader:
    def __init__(self, source: SourceFile, start: int, end: int) -> None:
        self.source = source
        self.text = source.text[start:end]
        self.base = start
        self.end = len(self.text)
        self.root: dict[str, Node] = {}
        self.arrays: dict[int, tuple[Node, list[Node]]] = {}
        self.problems: list[Problem] = []

    def read(self) -> TomlTree:
        table = self.root
        at = self._gap(0)
        while at < self.end:
            try:
                if self.text[at] == "[":
                    table = {}  # members of a table whose header is broken belong nowhere
                    table, at = self._header(at)
                else:
                    at = self._pair(at, table, 0)
                at = self._line_end(at)
            except _BadTomlError as error:
                self._problem(str(error), error.at)
                newline = self.text.find("\n", max(at, error.at))
                at = self.end if newline < 0 else newline + 1
            at = self._gap(at)
        for array, members in self.arrays.values():
            array.value = tuple(members)
            array.end = members[-1].end
        return TomlTree(self._node(self.root, 0, self.end), self.problems)

    def _node(self, value: Value, start: int, end: int, key_start: int = -1, key_end: int = -1) -> Node:
        base = self.base
        if key_start < 0:
            return Node(value, self.source, base + start, base + end)
        return Node(value, self.source, base + start, base + end, base + key_start, base + key_end)

    def _problem(self, message: str, at: int) -> None:
        line = self.source.span(self.base + at, self.base + at).line
        if len(self.problems) < 50:
            self.problems.append(Problem("parse", self.source.path, f"invalid TOML: {message}", line))

    def _gap(self, at: int) -> int:
        found = _GAP.match(self.text, at)
        return found.end() if found else at

    def _line_end(self, at: int) -> int:
        rest = _LINE_REST.match(self.text, at)
        if not rest:
            raise _BadTomlError("expected the end of the line after the value", at)
        return rest.end()

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    # -- keys and tables -----------------------------------------------------------------------------------

    def _key(self, at: int) -> tuple[list[tuple[str, int, int]], int]:
        """The parts of a dotted key with their places, and the offset behind it."""
        parts: list[tuple[str, int, int]] = []
        while True:
            at = self._blank(at)
            if self.text.startswith(('"', "'"), at):
                value, after = self._string(at)
                parts.append((value, at, after))
            else:
                found = _BARE_KEY.match(self.text, at)
                if not found:
                    raise _BadTomlError("expected a key", at)
                parts.append((found[0], at, found.end()))
                after = found.end()
            at = self._blank(after)
            if len(parts) > _MAX_DEPTH:
                raise _BadTomlError("key with too many parts", at)
            if not self.text.startswith(".", at):
                return parts, at
            at += 1

    def _header(self, at: int) -> tuple[dict[str, Node], int]:
        many = self.text.startswith("[[", at)
        parts, after = self._key(at + (2 if many else 1))
        if not self.text.startswith("]]" if many else "]", after):
            raise _BadTomlError("table header is not closed", after)
        table = self._descend(self.root, parts[:-1])
        name, start, end = parts[-1]
        after += 2 if many else 1
        found = table.get(name)
        if many:
            fresh: dict[str, Node] = {}
            if found is None:
                # The members are collected in a list until the end: a tuple that grows would cost their square.
                found = table[name] = self._node((), at, after, start, end)
                self.arrays[id(found)] = (found, [])
            if id(found) not in self.arrays:
                raise _BadTomlError(f"{name!r} is already a value", start)
            self.arrays[id(found)][1].append(self._node(fresh, at, after))
            return fresh, after
        return self._descend(table, parts[-1:]), after

    def _descend(self, table: dict[str, Node], parts: list[tuple[str, int, int]]) -> dict[str, Node]:
        """The table that `parts` lead to, made where it is not there; the last one of an array of tables."""
        for name, start, end in parts:
            found = table.get(name)
            if found is None:
                found = table[name] = self._node({}, start, end, start, end)
            value = self.arrays[id(found)][1][-1].value if id(found) in self.arrays else found.value
            if not isinstance(value, dict):
                raise _BadTomlError(f"{name!r} is already a value", start)
            table = value
        return table

    def _pair(self, at: int, table: dict[str, Node], depth: int) -> int:
        parts, after = self._key(at)
        if not self.text.startswith("=", after):
            raise _BadTomlError("expected '=' after the key", after)
        value, begin, after = self._value(self._blank(after + 1), depth)
        table = self._descend(table, parts[:-1])
        name, start, end = parts[-1]
        if name in table:
            raise _BadTomlError(f"{name!r} is already set", start)
        table[name] = self._node(value, begin, after, start, end)
        return after

    # -- values --------------------------------------------------------------------------------------------

    def _value(self, at: int, depth: int) -> tuple[Value, int, int]:
        """The value at `at` with its start and end."""
        if depth > _MAX_DEPTH:
            raise _BadTomlError("nested too deeply", at)
        first = self.text[at : at + 1]
        if first in ('"', "'") and first:
            text, after = self._string(at)
            return text, at, after
        if first == "[":
            return self._array(at, depth + 1)
        if first == "{":
            return self._inline_table(at, depth + 1)
        return self._atom(at)

    def _atom(self, at: int) -> tuple[Value, int, int]:
        found = _ATOM.match(self.text, at)
        word = found[0] if found else ""
        if " " in word and not _DATE.fullmatch(word):
            word = word.partition(" ")[0]
        after = at + len(word)
        if word in ("true", "false"):
            return word == "true", at, after
        if _DATE.fullmatch(word):
            return word, at, after
        try:
            if _INTEGER.fullmatch(word):
                return int(word.replace("_", ""), 0 if word[:2] in ("0x", "0o", "0b") else 10), at, after
            if _FLOAT.fullmatch(word):
                return float(word.replace("_", "")), at, after
        except ValueError:
            pass
        raise _BadTomlError("expected a value", at)

    def _array(self, at: int, depth: int) -> tuple[Value, int, int]:
        begin = at
        members: list[Node] = []
        at = self._gap(at + 1)
        while not self.text.startswith("]", at):
            value, start, after = self._value(at, depth)
            members.append(self._node(value, start, after))
            at = self._gap(after)
            if self.text.startswith(",", at):
                at = self._gap(at + 1)
            elif not self.text.startswith("]", at):
                raise _BadTomlError("array is not closed", at)
        return tuple(members), begin, at + 1

    def _inline_table(self, at: int, depth: int) -> tuple[Value, int, int]:
        begin = at
        table: dict[str, Node] = {}
        at = self._gap(at + 1)
        while not self.text.startswith("}", at):
            at = self._gap(self._pair(at, table, depth))
            if self.text.startswith(",", at):
                at = self._gap(at + 1)
            elif not self.text.startswith("}", at):
                raise _BadTomlError("inline table is not closed", at)
        return table, begin, at + 1

    def _string(self, at: int) -> tuple[str, int]:
        """The text of the string at `at` and the offset behind its closing quote."""
        delimiter = next(d for d in _DELIMITERS if self.text.startswith(d, at))
        start = at + len(delimiter)
        end = self._closing(start, delimiter)
        raw = self.text[start:end]
        if len(delimiter) == 1 and "\n" in raw:
            raise _BadTomlError("string is not closed", at)
        if len(delimiter) == 3:
            raw = raw.removeprefix("\r").removeprefix("\n")
        if delimiter[0] == '"' and "\\" in raw:
            raw = _ESCAPE.sub(_unescaped, raw)
        return raw, end + len(delimiter)

    def _closing(self, start: int, delimiter: str) -> int:
        """Where the closing delimiter stands; quotes just before a closing triple belong to the string."""
        at = start
        while True:
            end = self.text.find(delimiter, at)
            if end < 0:
                raise _BadTomlError("string is not closed", start)
            if len(delimiter) == 1 and self.text.find("\n", at, end) >= 0:
                raise _BadTomlError("string is not closed", start)
            backslashes = 0
            while delimiter[0] == '"' and end - backslashes > start and self.text[end - backslashes - 1] == "\\":
                backslashes += 1
            if backslashes % 2:
                at = end + 1
                continue
            while len(delimiter) == 3 and self.text.startswith(delimiter[0], end + 3) and end < len(self.text):
                end += 1
            return end


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        number = int(code, 16)
        return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else "�"
    return _ESCAPED[found[4]] if found[4] else ""


def plain(node: Node) -> object:
    """The node as `dict`, `list` and scalars; what is unknown or nested too deeply becomes its text."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else value.expression
