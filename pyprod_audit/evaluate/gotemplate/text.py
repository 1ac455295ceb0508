"""Texts that keep their places through the operations that templates are full of.

Every function takes plain strings too; a result without any piece is a plain string. A part without a place has a
piece that is *unplaced*: the interpreter puts it at the action that prints it. An unplaced piece may have `via`
(`toYaml`: the line of each member).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Final

from pyprod_audit.evaluate.gotemplate.values import Piece, Text
from pyprod_audit.model import SourceFile, Span, Via

NOWHERE: Final = SourceFile("", "")
UNPLACED: Final = Span(NOWHERE, 0, 0)
"""The span of a piece whose place is the action that will print it."""
SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What Go's unicode.IsSpace calls space; Python's `strip` without an argument takes four control characters more."""
_START = itemgetter(0)


def unplaced(via: tuple[Via, ...] = ()) -> Span:
    """A span for a piece that an action will place, which came through `via`."""
    return Span(NOWHERE, 0, 0, via) if via else UNPLACED


def origin(text: str, start: int, end: int) -> Span | None:
    """Where the characters `start` to `end` of a rendered text were written: exact for literal text, else the action.

    What goes on in the next piece is left out. None when the text has no place for `start`.
    """
    if not isinstance(text, Text):
        return None
    at = bisect_right(text.pieces, start, key=_START) - 1
    if at < 0 or text.pieces[at].span.file is NOWHERE:
        return None
    piece = text.pieces[at]
    if not piece.literal:
        return piece.span
    source, first, last, via = piece.span
    begin = min(first + start - piece.start, last)
    return Span(source, begin, min(max(first + end - piece.start, begin), last), via)


def concat(parts: Iterable[str]) -> str:
    """The parts one after the other."""
    kept = [part for part in parts if part]
    whole = "".join(kept)
    if not any(isinstance(part, Text) and part.pieces for part in kept):
        return whole
    pieces: list[Piece] = []
    at = 0
    for part in kept:
        _add(pieces, part, at)
        at += len(part)
    return Text(whole, pieces)


def _add(pieces: list[Piece], part: str, at: int) -> None:
    """The pieces of `part`, which stands at `at`."""
    if not isinstance(part, Text) or not part.pieces:
        pieces.append(Piece(at, UNPLACED))
        return
    if part.pieces[0].start:
        pieces.append(Piece(at, UNPLACED))
    pieces.extend([Piece(at + start, span, literal) for start, span, literal in part.pieces])


def join(separator: str, parts: Iterable[str]) -> str:
    """The parts with `separator` in between."""
    joined: list[str] = []
    for part in parts:
        joined.append(part)
        joined.append(separator)
    return concat(joined[:-1])


def cut(text: str, start: int, end: int) -> str:
    """The characters from `start` to `end`, as a slice takes them; both are not negative."""
    part = text[start:end]
    if not part or not isinstance(text, Text) or not text.pieces:
        return part
    end = start + len(part)
    pieces = text.pieces
    first = max(bisect_right(pieces, start, key=_START) - 1, 0)
    last = bisect_right(pieces, end - 1, key=_START)
    kept = [Piece(piece.start - start, piece.span, piece.literal) for piece in pieces[first:last]]
    if kept and kept[0].start < 0:
        kept[0] = _from(kept[0], 0)
    return Text(part, kept)


def _from(piece: Piece, start: int) -> Piece:
    """The rest of a piece from `start` on."""
    if not piece.literal or start == piece.start:
        return Piece(start, piece.span, piece.literal)
    source, first, last, via = piece.span
    return Piece(start, Span(source, min(first + start - piece.start, last), last, via), literal=True)


def trim(text: str, characters: str | None = None, *, left: bool = True, right: bool = True) -> str:
    """Without the characters at its ends; None: Go's white space."""
    characters = SPACE if characters is None else characters
    if not characters:
        return text
    start = len(text) - len(text.lstrip(characters)) if left else 0
    end = len(text.rstrip(characters)) if right else len(text)
    return text if start == 0 and end == len(text) else cut(text, start, max(start, end))


def trim_prefix(text: str, prefix: str) -> str:
    """Without `prefix` when it begins with it."""
    return cut(text, len(prefix), len(text)) if prefix and text.startswith(prefix) else text


def trim_suffix(text: str, suffix: str) -> str:
    """Without `suffix` when it ends with it."""
    return cut(text, 0, len(text) - len(suffix)) if suffix and text.endswith(suffix) else text


def replace(text: str, old: str, new: str, limit: int = -1) -> str:
    """`old` replaced by `new`, at most `limit` times if that is not negative; the new parts are unplaced."""
    if not old or not isinstance(text, Text) or not text.pieces:
        return text.replace(old, new, limit)
    parts: list[str] = []
    at = 0
    while limit:
        found = text.find(old, at)
        if found < 0:
            break
        parts += (cut(text, at, found), new)
        at = found + len(old)
        limit -= 1
    return concat([*parts, cut(text, at, len(text))]) if at else text


def indent(text: str, pad: str) -> str:
    """`pad` before the text and after every line feed, as Sprig's `indent` does."""
    padded = pad + text.replace("\n", "\n" + pad)
    if not isinstance(text, Text) or not text.pieces:
        return padded
    return Text(padded, _indented(text, len(pad)))


def _indented(text: Text, width: int) -> Iterator[Piece]:
    """The pieces of an indented text: a literal one begins anew on each of its lines."""
    shift = width
    line = text.find("\n") + 1
    pieces = text.pieces
    for index, piece in enumerate(pieces):
        while line and line <= piece.start:
            shift += width
            line = text.find("\n", line) + 1
        # The padding belongs to the piece before it.
        yield Piece(piece.start + shift, piece.span, piece.literal)
        end = pieces[index + 1].start if index + 1 < len(pieces) else len(text)
        while line and line < end:
            shift += width
            if piece.literal:
                rest = _from(piece, line)
                yield Piece(line + shift, rest.span, literal=True)
            line = text.find("\n", line) + 1


def surround(text: str, before: str, after: str) -> str:
    """`before` and `after` around the text, unplaced."""
    return concat((before, text, after))


def map_lines(text: str, change: Callable[[str], str]) -> str:
    """Every line (without its line feed) through `change`, which works by cutting and adding."""
    lines: list[str] = []
    at = 0
    while True:
        end = text.find("\n", at)
        if end < 0:
            return concat([*lines, change(cut(text, at, len(text)))])
        lines += (change(cut(text, at, end)), cut(text, end, end + 1))
        at = end + 1


def map_parts(text: str, change: Callable[[str], str]) -> str:
    """Every piece's characters through `change`: for operations that work character by character (quoting, case)."""
    if not isinstance(text, Text) or not text.pieces:
        return change(text)
    written: list[str] = []
    pieces: list[Piece] = []
    at = text.pieces[0].start
    if at:
        pieces.append(Piece(0, UNPLACED))
        written.append(change(str(text[:at])))
    size = len(written[0]) if written else 0
    ends = [piece.start for piece in text.pieces[1:]] + [len(text)]
    for piece, end in zip(text.pieces, ends, strict=True):
        before = str(text[piece.start : end])
        after = change(before)
        pieces.append(Piece(size, piece.span, piece.literal and before == after))
        written.append(after)
        size += len(after)
    return Text("".join(written), pieces)


def come_through(text: str, via: tuple[Via, ...]) -> str:
    """The same text whose pieces also came through `via`."""
    if not via or not isinstance(text, Text) or not text.pieces:
        return text
    return Text(
        text,
        [
            Piece(start, Span(span.file, span.start, span.end, union(span.via, via)), literal)
            for start, span, literal in text.pieces
        ],
    )


MAX_VIA: Final = 4
"""How many places a value tells that it came through."""


def union(one: tuple[Via, ...], other: tuple[Via, ...]) -> tuple[Via, ...]:
    """The places of both, those of `one` first, at most `MAX_VIA`."""
    if not other or one is other or len(one) >= MAX_VIA:
        return one
    if not one:
        return other
    return tuple(dict.fromkeys(one + other))[:MAX_VIA]
