"""YAML as Helm's `toYaml` and `toYamlPretty` write it, byte by byte.

`toYaml` is sigs.k8s.io/yaml 1.6.0: the value as JSON, read as YAML, written by go.yaml.in/yaml/v2 2.4.2 with folded
lines. `toYamlPretty` is go.yaml.in/yaml/v3 3.0.4 with an indentation of 2. Both emitters are libyaml's, in Go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.go_numbers import MAX_INT64, general, json_number, parse_int, parse_uint
from pyprod_audit.evaluate.gotemplate.json_text import quoted
from pyprod_audit.evaluate.gotemplate.text import UNPLACED, unplaced
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import List, Map, Piece, Text, Value
from pyprod_audit.evaluate.gotemplate.yaml_plain import Scalar, analyse, is_read_as_text, sort_key
from pyprod_audit.model import Unknown, Via
from pyprod_audit.model.patterns import lazy

Marker = Callable[[Unknown, tuple[Via, ...]], str]
"""Gives the text that stands for an Unknown."""

_WIDTH: Final = 80
_LONGEST_KEY: Final = 128
_LONGEST_JSON_KEY: Final = 1024
# What JSON leaves as it is and the YAML reader behind it refuses, so that toYaml fails, silently.
_REFUSED = lazy("[\x7f-\x84\x86-\x9f\ufffe\uffff]")
# Line ends of YAML 1.1, which the reader and the emitter treat in ways of their own.
_ODD_BREAKS = lazy("[\x85\u2028\u2029]")
_SURROGATES = lazy("[\ud800-\udfff]")
_ESCAPES: Final = {
    0x00: "0", 0x07: "a", 0x08: "b", 0x09: "t", 0x0A: "n", 0x0B: "v", 0x0C: "f", 0x0D: "r", 0x1B: "e", 0x22: '"',
    0x5C: "\\", 0xA0: "_",
}  # fmt: skip
_ESCAPED = lazy(r"[^ !#-\[\]-~\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


class RefusedError(ValueError):
    """The real function fails for this value, and writes nothing."""


class Dialect(NamedTuple):
    """What differs between the two emitters."""

    version: int
    width: int | None


V2: Final = Dialect(2, _WIDTH)
V3: Final = Dialect(3, None)


def to_yaml(value: Value, mark: Marker, dialect: Dialect = V2) -> str:
    """The value as YAML without the line feed at its end.

    Pieces: an unplaced one at every key and item whose place is known, with that as `via`. An Unknown is its mark; the
    keys that an open map may have beyond its own are a line `MARK: MARK`.

    Raises:
        RefusedError: where the real function gives the empty text.
        Undecided: for values too deep or too large, and characters whose treatment is not implemented.
    """
    writer = _Writer(dialect, mark)
    writer.node(value, -1, in_mapping=False, depth=0)
    writer.start_line(0)
    text = "".join(writer.out).removesuffix("\n")
    pieces = [piece for piece in writer.pieces if piece.start < len(text)]
    if not any(piece.span.via for piece in pieces):
        return text
    return Text(text, pieces if pieces[0].start == 0 else [Piece(0, UNPLACED), *pieces])


class _Writer:
    """The emitter: where it stands in the line decides what it writes.

    `spaced`: what was written last needs no space before an indicator; `indented`: nothing but indentation and the
    indicators "-", "?" and ":" stand in the line.
    """

    def __init__(self, dialect: Dialect, mark: Marker) -> None:
        self.dialect = dialect
        self.mark = mark
        self.out: list[str] = []
        self.pieces: list[Piece] = []
        self.length = 0
        self.column = 0
        self.spaced = True
        self.indented = True
        self.members = 0

    # -- characters ----------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        """Writes characters other than line feeds."""
        self.out.append(text)
        self.length += len(text)
        self.column += len(text)

    def end_line(self) -> None:
        """Writes a line feed."""
        self.out.append("\n")
        self.length += 1
        self.column = 0

    def start_line(self, indent: int) -> None:
        """Goes to column `indent`: of a new line, unless it stands there already."""
        indent = max(indent, 0)
        if not self.indented or self.column > indent or (self.column == indent and not self.spaced):
            self.end_line()
        if self.column < indent:
            self.put(" " * (indent - self.column))
        self.spaced = self.indented = True

    def indicator(self, text: str, *, before: bool, spaced: bool = False, indents: bool = False) -> None:
        """Writes punctuation; `before`: with a space before it unless there is one."""
        if before and not self.spaced:
            self.put(" ")
        self.put(text)
        self.spaced = spaced
        self.indented = self.indented and indents

    def come_through(self, places: Mapping[str, tuple[Via, ...]] | Mapping[int, tuple[Via, ...]], key: Value) -> None:
        """What is written from here on came through the places of a member."""
        via = places.get(key)
        if via:
            self.pieces.append(Piece(self.length, unplaced(via)))
        elif self.pieces and self.pieces[-1].span.via:
            self.pieces.append(Piece(self.length, UNPLACED))

    # -- nodes ---------------------------------------------------------------------------------------------------

    def node(self, value: Value, indent: int, *, in_mapping: bool, depth: int, via: tuple[Via, ...] = ()) -> None:
        """Writes a value inside of something that is indented by `indent` (-1: nothing)."""
        self.members += 1
        if depth > MAX_DEPTH or self.members > MAX_MEMBERS:
            raise too_deep("toYaml")
        if isinstance(value, Unknown):
            self.indicator(self.mark(value, via), before=True)
        elif isinstance(value, dict):
            self.mapping(value, indent, depth)
        elif isinstance(value, list):
            self.sequence(value, indent, in_mapping, depth)
        else:
            self.scalar(self.scalar_of(value), indent + 2 if indent >= 0 else 2, simple_key=False)

    def mapping(self, value: Mapping[str, Value], indent: int, depth: int) -> None:
        """Writes a block mapping, or "{}"."""
        rest = value.open if isinstance(value, Map) else None
        if not value and rest is None:
            nil = self.dialect.version == 2 and isinstance(value, Map) and value.nil
            self.indicator("null" if nil else "{}", before=True)
            return
        indent = indent + 2 if indent >= 0 else 0
        places = value.places if isinstance(value, Map) else {}
        for key in sorted(value, key=cmp_to_key(sort_key(self.dialect.version))):
            if not isinstance(key, str):
                raise Undecided(Unknown("toYaml", "a key is no text"))
            self.start_line(indent)
            self.come_through(places, key)
            if self.dialect.version == 2 and len(key) > _LONGEST_KEY and len(quoted(key)) > _LONGEST_JSON_KEY:
                raise RefusedError("yaml: could not find expected ':'")
            name = self.scalar_of(key)
            analysis = analyse(name.text, self.dialect.version)
            if analysis.multiline or len(name.text.encode(errors="surrogatepass")) > _LONGEST_KEY:
                self.indicator("?", before=True, indents=True)
                self.scalar(name, indent + 2, simple_key=False)
                self.start_line(indent)
                self.indicator(":", before=True, indents=True)
            else:
                self.scalar(name, indent + 2, simple_key=True)
                self.indicator(":", before=False)
            self.node(value[key], indent, in_mapping=True, depth=depth + 1, via=places.get(key, ()))
        if rest is not None:
            self.start_line(indent)
            self.come_through({}, None)
            mark = self.mark(rest, ())
            self.put(f"{mark}: {mark}")
            self.spaced = self.indented = False

    def sequence(self, value: Sequence[Value], indent: int, in_mapping: bool, depth: int) -> None:
        """Writes a block sequence, or "[]"."""
        if not value:
            nil = self.dialect.version == 2 and isinstance(value, List) and value.nil
            self.indicator("null" if nil else "[]", before=True)
            return
        at_parent = self.dialect.version == 2 and in_mapping and not self.indented
        indent = 0 if indent < 0 else indent if at_parent else indent + 2
        places = value.places if isinstance(value, List) else {}
        for index, item in enumerate(value):
            self.start_line(indent)
            self.come_through(places, index)
            self.indicator("-", before=True, indents=True)
            self.node(item, indent, in_mapping=False, depth=depth + 1, via=places.get(index, ()))

    # -- scalars -------------------------------------------------------------------------------------------------

    def scalar_of(self, value: Value) -> Scalar:
        """The text of a scalar and the style that the encoder asks for."""
        if isinstance(value, str):
            return self.string(str(value))
        if value is None:
            return Scalar("null", "plain")
        if isinstance(value, bool):
            return Scalar("true" if value else "false", "plain")
        if isinstance(value, int):
            return Scalar(str(int(value)), "plain")
        if isinstance(value, float):
            return Scalar(self.number(value), "plain")
        raise Undecided(Unknown("toYaml", f"it writes a {type(value).__name__}"))

    def number(self, value: float) -> str:
        """A float64: whole numbers below 2**64 come out of the way over JSON as integers."""
        if self.dialect.version == 3:
            return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(text := general(value), text)
        if math.isnan(value) or math.isinf(value):
            raise RefusedError("json: unsupported value")
        text = json_number(value)
        integer = parse_int(text, 10, MAX_INT64)
        if integer is None:
            integer = parse_uint(text)
        return general(value) if integer is None else str(integer)

    def string(self, text: str) -> Scalar:
        """A string in the style that keeps it a string."""
        if _ODD_BREAKS.search(text) or _SURROGATES.search(text):
            raise Undecided(Unknown("toYaml", "the text has line separators of Unicode in it"))
        if self.dialect.version == 2 and _REFUSED.search(text):
            raise RefusedError("yaml: control characters are not allowed")
        if "\n" in text:
            return Scalar(text, "literal")
        return Scalar(text, "plain" if is_read_as_text(text) else "double")

    def scalar(self, scalar: Scalar, indent: int, *, simple_key: bool) -> None:
        """Writes it in its style, or the nearest that can hold it; `indent` is that of its further lines."""
        text, style = scalar
        analysis = analyse(text, self.dialect.version)
        if style == "plain" and not analysis.plain:
            style = "single"
        if style == "single" and not analysis.single:
            style = "double"
        if style == "literal" and not analysis.block:
            style = "double"
        if style == "literal":
            self.literal(text, indent)
            return
        if style == "plain":
            if not self.spaced:
                self.put(" ")
            self.folded(text, indent, str, simple_key=simple_key)
        else:
            quote = "'" if style == "single" else '"'
            self.indicator(quote, before=True)
            self.folded(text, indent, _single if style == "single" else _double, simple_key=simple_key, quote=quote)
            self.put(quote)
        self.spaced = self.indented = False

    def folded(
        self, text: str, indent: int, escape: Callable[[str], str], *, simple_key: bool, quote: str = ""
    ) -> None:
        """Writes `text`, going to a new line at single spaces behind the preferred width."""
        width = self.dialect.width
        if quote == '"' and text[:1] == "\ufeff":
            # The emitter looks for a byte order mark at the start of the text, whichever character it is at.
            self.put("".join(_escape(ord(character)) for character in text))
            return
        if simple_key or width is None or self.column + len(text) * 2 <= width or " " not in text:
            self.put(escape(text))
            return
        self.indented = False
        last = len(text) - 1
        start = 0
        at = text.find(" ")
        while at >= 0:
            self.put(escape(text[start:at]))
            doubled = text[at + 1 : at + 2] == " "
            inside = 0 < at < last if quote else True
            if self.column > width and text[at - 1 : at] != " " and inside and (quote == '"' or not doubled):
                self.start_line(indent)
                if doubled:
                    self.put("\\")
            else:
                self.put(" ")
            self.indented = False
            start = at + 1
            at = text.find(" ", start)
        self.put(escape(text[start:]))

    def literal(self, text: str, indent: int) -> None:
        """Writes a block scalar: "|", its hints, and the lines."""
        hint = "2" if text[0] in " \n" else ""
        if not text.endswith("\n"):
            hint += "-"
        elif text == "\n" or text.endswith("\n\n"):
            hint += "+"
        self.indicator("|", before=True)
        self.put(hint)
        self.end_line()
        self.spaced = self.indented = True
        lines = text.split("\n")
        for line in lines[:-1]:
            self.literal_line(line, indent)
            self.end_line()
            self.indented = True
        self.literal_line(lines[-1], indent)

    def literal_line(self, line: str, indent: int) -> None:
        """Writes a line of a block scalar; empty ones are not indented."""
        if line:
            self.start_line(indent)
            self.put(line)
            self.indented = False


def _single(text: str) -> str:
    return text.replace("'", "''")


def _double(text: str) -> str:
    return _ESCAPED.sub(lambda found: _escape(ord(found.group())), text)


def _escape(code: int) -> str:
    if code in _ESCAPES:
        return "\\" + _ESCAPES[code]
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
