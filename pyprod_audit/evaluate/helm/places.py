"""Where the parts of a rendered text were written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyprod_audit.evaluate.gotemplate.values import Text
from pyprod_audit.model import SourceFile, Span, Via

_MAX_VIA = 4
_MAX_PIECES = 40


class Edit(NamedTuple):
    """The characters from `start` to `end` of a text, replaced."""

    start: int
    end: int
    text: str


class Places:
    """Answers for a part of a rendered text, after some edits to it, where it was written.

    All offsets that it is asked about are into `text`.
    """

    def __init__(self, rendered: Text, start: int, end: int, edits: Sequence[Edit] = ()) -> None:
        """`edits` are in order and apart; their offsets are into the rendered text."""
        self._pieces = rendered.pieces
        self._starts = [piece.start for piece in rendered.pieces]
        # Offsets into the edited text from which on another distance to the original holds.
        self._from = [0]
        self._distance = [start]
        parts: list[str] = []
        at, length = start, 0
        for edit in edits:
            parts += (rendered[at : edit.start], edit.text)
            length += edit.start - at
            self._from.append(length)
            self._distance.append(edit.start - length)
            length += len(edit.text)
            at = edit.end
            self._from.append(length)
            self._distance.append(at - length)
        # Helm ends every manifest with a line feed, whatever stood there.
        parts += (rendered[at:end], "\n")
        self.text = "".join(parts)
        self._edited = bool(edits)

    def original(self, offset: int) -> int:
        """The offset into the rendered text."""
        return offset + self._distance[bisect_right(self._from, offset) - 1 if self._edited else 0]

    def span(self, start: int, end: int) -> Span | None:
        """Where a range was written: the characters themselves, or the action that made them.

        Its `via` are the places that any part of the range came through. None when the text has no places.
        """
        first, last = self.original(start), self.original(max(end - 1, start))
        index = bisect_right(self._starts, first) - 1
        if index < 0:
            return None
        piece = self._pieces[index]
        source, _, until, via = piece.span
        since = piece.span.start + (first - piece.start if piece.literal else 0)
        if last < (self._starts[index + 1] if index + 1 < len(self._starts) else last + 1):
            return Span(source, since, piece.span.start + last - piece.start + 1 if piece.literal else until, via)
        final = bisect_right(self._starts, last) - 1
        tail = self._pieces[final]
        if tail.span.file is source:
            ending = tail.span.start + last - tail.start + 1 if tail.literal else tail.span.end
            until = ending if ending > since else until
        parts = self._pieces[index : min(final + 1, index + _MAX_PIECES)]
        return Span(source, since, max(until, since), joined(part.span.via for part in parts))

    def start(self, offset: int) -> Span | None:
        """Where the character at `offset` was written."""
        return self.span(offset, offset + 1)


def joined(ways: Iterable[Iterable[Via]]) -> tuple[Via, ...]:
    """The stops of several ways, each once, as many as are shown."""
    found: dict[tuple[SourceFile, int, int], Via] = {}
    for way in ways:
        for via in way:
            found.setdefault(via.span[:3], via)
            if len(found) == _MAX_VIA:
                return tuple(found.values())
    return tuple(found.values())


def within(span: Span, file: SourceFile) -> Span:
    """The same place as seen from `file`: the action there that led to it, when there is one.

    What stood for the place becomes the first of its `via`.
    """
    if span.file is file:
        return span
    index = next((number for number, via in enumerate(span.via) if via.span.file is file), None)
    if index is None:
        return span
    stop = span.via[index].span
    here = Via(Span(*span[:3]), "what the template includes")
    return Span(file, stop.start, stop.end, joined(((here,), span.via[:index], span.via[index + 1 :])))
