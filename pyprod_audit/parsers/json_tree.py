"""JSON as nodes with exact places, for formats that are JSON and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from typing import Any, Final, NamedTuple

from pyprod_audit.model import Node, Scalar, SourceFile
from pyprod_audit.model.patterns import lazy

_MAX_DEPTH: Final = 200
_TOKEN = lazy(
    r'[ \t\r\n]*(?:(?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*)*")'
    r"|(?P<number>-?[0-9][0-9.eE+-]{0,399})|(?P<word>true|false|null)|(?P<mark>[][{},:]))"
)
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


class JsonError(Exception):
    """The text is not JSON, or nested too deeply; `offset` is where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def read_json(source: SourceFile) -> Node:
    """The whole text as one node. A trailing comma is accepted; of equal keys the last counts. Raises JsonError."""
    reader = _Reader(source)
    root = reader.read()
    rest = re.compile(r"[ \t\r\n]*").match(source.text, reader.position)
    if rest is None or rest.end() < len(source.text):
        raise JsonError("unexpected text after the end", reader.position)
    return root


class Members(NamedTuple):
    """Members of a top-level object: `placed` are nodes, `plain` what the json module makes of them."""

    placed: dict[str, Node]
    plain: dict[str, Any]


def read_members(source: SourceFile, placed: Container[str], plain: Container[str]) -> Members:
    """The named members of the object that the text is; the others are passed over quickly. Raises JsonError."""
    reader, found = _Reader(source), Members({}, {})
    scan = json.JSONDecoder(strict=False).raw_decode
    if reader.mark() != "{":
        raise JsonError("it is not an object", 0)
    if reader.peek() == "}":
        return found
    while True:
        kind, start, _, text = reader.token()
        if kind != "string":
            raise JsonError(f"expected a key, found {text[:20]}", start)
        key = str(reader.scalar(kind, start, text))
        if reader.mark() != ":":
            raise JsonError("expected a colon", reader.position)
        if key in placed:
            found.placed[key] = reader.read()
        else:
            reader.peek()
            try:
                value, reader.position = scan(source.text, reader.position)
            except (ValueError, RecursionError):
                raise JsonError("it is not valid or nested too deeply", reader.position) from None
            if key in plain:
                found.plain[key] = value
        mark = reader.mark()
        if mark == "}":
            return found
        if mark != ",":
            raise JsonError("expected a comma", reader.position)


class _Reader:
    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.text = source.text
        self.position = 0

    def peek(self) -> str:
        """The next character that is no white space, which is passed over; "" at the end."""
        text, at = self.text, self.position
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        self.position = at
        return text[at : at + 1]

    def mark(self) -> str:
        """The next token, which is taken; "" for anything but a bracket, a comma or a colon."""
        kind, _, _, text = self.token()
        return text if kind == "mark" else ""

    def token(self) -> tuple[str, int, int, str]:
        found = _TOKEN.match(self.text, self.position)
        if found is None:
            raise JsonError("unexpected end or character", min(self.position, len(self.text)))
        self.position = found.end()
        kind = str(found.lastgroup)
        return kind, found.start(kind), found.end(kind), found[kind]

    def scalar(self, kind: str, start: int, text: str) -> Scalar:
        if kind == "word":
            return _WORDS[text]
        try:
            value: Scalar = json.loads(text, strict=False) if kind == "string" else _number(text)
        except ValueError:
            raise JsonError(f"not a valid {kind}", start) from None
        return value

    def read(self) -> Node:
        """One value; open containers are kept on a list of our own, so depth cannot exhaust the stack."""
        open_containers: list[tuple[Node, list[Node] | dict[str, Node]]] = []
        key: tuple[str, int, int] | None = None
        while True:
            kind, start, end, text = self.token()
            if text in ("]", "}") and kind == "mark":
                if not open_containers or key or isinstance(open_containers[-1][1], dict) is not (text == "}"):
                    raise JsonError(f"unexpected {text}", start)
                node, members = open_containers.pop()
                node.value = members if isinstance(members, dict) else tuple(members)
                node.end = end
            elif open_containers and key is None and isinstance(open_containers[-1][1], dict):
                if kind != "string":
                    raise JsonError(f"expected a key, found {text[:20]}", start)
                key = (str(self.scalar(kind, start, text)), start + 1, end - 1)
                colon = self.token()
                if colon[3] != ":" or colon[0] != "mark":
                    raise JsonError("expected a colon", colon[1])
                continue
            else:
                if kind == "mark" and text not in ("[", "{"):
                    raise JsonError(f"unexpected {text}", start)
                node = Node(None, self.source, start, end, *(key[1:] if key else (-1, -1)))
                if open_containers:
                    around = open_containers[-1][1]
                    if isinstance(around, list):
                        around.append(node)
                    elif key is not None:
                        around[key[0]] = node
                key = None
                if kind == "mark":
                    if len(open_containers) >= _MAX_DEPTH:
                        raise JsonError("nested too deeply", start)
                    open_containers.append((node, [] if text == "[" else {}))
                    continue
                node.value = self.scalar(kind, start, text)
            if not open_containers:
                return node
            self._separator()

    def _separator(self) -> None:
        """Passes over a comma, which must stand unless the container ends here."""
        before = self.position
        kind, start, _, text = self.token()
        if kind != "mark" or text not in (",", "]", "}"):
            raise JsonError("expected a comma", start)
        if text != ",":
            self.position = before


def _number(text: str) -> int | float:
    number: int | float = json.loads(text)
    if isinstance(number, float) and number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number
