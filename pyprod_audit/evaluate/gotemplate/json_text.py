"""JSON as Go's encoding/json writes and reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Final, NoReturn

from pyprod_audit.evaluate.gotemplate.go_numbers import json_number, parse_float
from pyprod_audit.evaluate.gotemplate.text import UNPLACED, unplaced
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import List, Map, Piece, Text, Value
from pyprod_audit.model import Unknown, Via
from pyprod_audit.model.patterns import lazy

Marker = Callable[[Unknown, tuple[Via, ...]], str]
"""Gives the text that stands for an Unknown."""

_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip
_ALWAYS = lazy('["\\\\\x00-\x1f\u2028\u2029]')
_HTML = lazy('["\\\\\x00-\x1f\u2028\u2029<>&]')
_SURROGATES = lazy("[\ud800-\udfff]")


class UnsupportedError(ValueError):
    """The value has no JSON: infinity, or not a number."""


def quoted(text: str, html: bool = True) -> str:
    """A string in quotes; `html`: with <, > and & escaped."""
    return f'"{(_HTML if html else _ALWAYS).sub(_escape, text)}"'


def _escape(found: Any) -> str:
    character: str = found.group()
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def to_json(value: Value, mark: Marker, *, html: bool = True, indent: str = "") -> str:
    """The value as JSON: keys sorted, on one line unless `indent` says how deep each level of a pretty form stands.

    Pieces: an unplaced one at every key and item whose place is known, with that as `via`. An Unknown is its mark; the
    keys that an open map may have beyond its own are `MARK: MARK` behind them.

    Raises:
        UnsupportedError: where json.Marshal returns an error.
        Undecided: for values too deep or too large.
    """
    writer = _Writer(mark, html, indent)
    writer.node(value, 0, ())
    text = "".join(writer.out)
    pieces = writer.pieces
    if not any(piece.span.via for piece in pieces):
        return text
    return Text(text, pieces if pieces[0].start == 0 else [Piece(0, UNPLACED), *pieces])


class _Writer:
    def __init__(self, mark: Marker, html: bool, indent: str) -> None:
        self.mark = mark
        self.html = html
        self.indent = indent
        self.out: list[str] = []
        self.pieces: list[Piece] = []
        self.length = 0
        self.members = 0

    def put(self, text: str) -> None:
        self.out.append(text)
        self.length += len(text)

    def start(self, depth: int, via: tuple[Via, ...]) -> None:
        """Begins a member: on a line of its own in the pretty form."""
        if self.indent:
            self.put("\n" + self.indent * depth)
        if via:
            self.pieces.append(Piece(self.length, unplaced(via)))
        elif self.pieces and self.pieces[-1].span.via:
            self.pieces.append(Piece(self.length, UNPLACED))

    def node(self, value: Value, depth: int, via: tuple[Via, ...]) -> None:
        self.members += 1
        if depth > MAX_DEPTH or self.members > MAX_MEMBERS:
            raise too_deep("toJson")
        if isinstance(value, Unknown):
            self.put(self.mark(value, via))
        elif isinstance(value, dict):
            self.mapping(value, depth)
        elif isinstance(value, list):
            self.sequence(value, depth)
        else:
            self.put(self.scalar(value))

    def mapping(self, value: dict[str, Value], depth: int) -> None:
        if isinstance(value, Map) and value.nil:
            self.put("null")
            return
        rest = value.open if isinstance(value, Map) else None
        places = value.places if isinstance(value, Map) else {}
        self.put("{")
        colon = ": " if self.indent else ":"
        for number, key in enumerate(sorted(value, key=_bytes)):
            if number:
                self.put(",")
            self.start(depth + 1, places.get(key, ()))
            self.put(quoted(key, self.html) + colon)
            self.node(value[key], depth + 1, places.get(key, ()))
        if rest is not None:
            self.put("," if value else "")
            self.start(depth + 1, ())
            mark = self.mark(rest, ())
            self.put(f"{mark}: {mark}")
        self.finish(bool(value) or rest is not None, depth)
        self.put("}")

    def sequence(self, value: list[Value], depth: int) -> None:
        if isinstance(value, List) and value.nil:
            self.put("null")
            return
        places = value.places if isinstance(value, List) else {}
        self.put("[")
        for index, item in enumerate(value):
            if index:
                self.put(",")
            self.start(depth + 1, places.get(index, ()))
            self.node(item, depth + 1, places.get(index, ()))
        self.finish(bool(value), depth)
        self.put("]")

    def finish(self, filled: bool, depth: int) -> None:
        if filled:
            if self.pieces and self.pieces[-1].span.via:
                self.pieces.append(Piece(self.length, UNPLACED))
            if self.indent:
                self.put("\n" + self.indent * depth)

    def scalar(self, value: Value) -> str:
        if isinstance(value, str):
            return quoted(str(value), self.html)
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(int(value))
        if isinstance(value, float):
            if math.isnan(value) or math.isinf(value):
                raise UnsupportedError("json: unsupported value")
            return json_number(value)
        raise Undecided(Unknown("toJson", f"it writes a {type(value).__name__}"))


def _bytes(key: str) -> bytes:
    """Go sorts by the bytes of UTF-8, which is the order of code points."""
    if not isinstance(key, str):
        raise Undecided(Unknown("toJson", "a key is no text"))
    return key.encode(errors="surrogatepass")


# -- reading -----------------------------------------------------------------------------------------------------

_BRACKETS = lazy(r"""[\[{]|[\]}]|"(?:[^"\\]|\\.)*\"""")


class MalformedError(ValueError):
    """The text is no JSON."""


def from_json(text: str) -> Value:
    """The value that json.Unmarshal puts into an interface: numbers are float64, the last of equal keys wins.

    Raises:
        MalformedError: where json.Unmarshal returns an error.
        Undecided: for values too deep, and numbers out of range, where Go goes on with a part of the values.
    """
    if len(text) > MAX_MEMBERS * 8:
        raise too_deep("fromJson")
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found.group(), 0)
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise too_deep("fromJson")
    try:
        value: Value = json.loads(
            text,
            parse_int=_float,
            parse_float=_float,
            parse_constant=_refuse,
            object_pairs_hook=dict,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedError(str(error)) from error
    return _listed(value)


def _float(text: str) -> float:
    value = parse_float(text)
    if value is None:
        raise Undecided(Unknown("fromJson", "a number is out of range"))
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _listed(value: Value) -> Value:
    """The same with slices as `List` and, as Go has it, U+FFFD for halves of surrogate pairs."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return List([_listed(item) for item in value])
    if isinstance(value, dict):
        return Map((_listed(key), _listed(item)) for key, item in value.items())
    return value
