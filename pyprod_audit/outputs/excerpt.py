"""One line of source with a place underlined, as wide as a terminal and without secrets."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from pyprod_audit.findings import Finding
from pyprod_audit.model import Span
from pyprod_audit.outputs.escape import visible

REDACTED: Final = "****"
TAB: Final = 4
_BEFORE: Final = 500
_AFTER: Final = 1000

Ranges = Sequence[tuple[int, int]]


class Excerpt(NamedTuple):
    """`text` is the source line, `mark` starts at the cell where the underline starts, `size` is its length."""

    line: int
    text: str
    mark: int
    size: int


class _Cell(NamedTuple):
    text: str
    width: int
    marked: bool


def secret_ranges(findings: Iterable[Finding]) -> dict[str, list[tuple[int, int]]]:
    """The ranges that no excerpt may show, by path: a secret is hidden from findings of other rules too.

    The ranges of a path are sorted and do not overlap.
    """
    found: dict[str, set[tuple[int, int]]] = {}
    for finding in findings:
        for place in (finding.primary, *finding.related):
            if place.redact:
                found.setdefault(place.span.file.path, set()).add((place.span.start, place.span.end))
    return {path: _merged(ranges) for path, ranges in found.items()}


def display_width(text: str) -> int:
    """How many terminal cells the text takes (Unicode Standard Annex 11; combining marks take none)."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def excerpt(span: Span, width: int, secrets: Mapping[str, Ranges] | None = None) -> Excerpt:
    """The first line of `span`, at most `width` cells wide, cut around the marked place when it is longer.

    `secrets` is what `secret_ranges` gives.
    """
    source = span.file
    line, column = span.position(span.start)
    begin = source.line_starts[line - 1]
    newline = source.text.find("\n", begin)
    end = len(source.text) if newline < 0 else newline
    if end > begin and source.text[end - 1] == "\r":
        end -= 1
    low = max(begin, begin + column - 1 - _BEFORE)
    high = min(end, begin + column - 1 + _AFTER)
    hidden = (secrets or {}).get(source.path, ())
    cells = _cells(source.text, low, high, (span.start, max(span.end, span.start + 1)), hidden)
    return _cut(line, cells, width, more_before=low > begin, more_after=high < end)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cells(text: str, low: int, high: int, marked: tuple[int, int], hidden: Ranges) -> list[_Cell]:
    cells: list[_Cell] = []
    cell = 0
    at = low
    next_hidden = bisect_right(hidden, low, key=itemgetter(1))
    while at < high:
        if next_hidden < len(hidden) and hidden[next_hidden][0] <= at:
            until = min(hidden[next_hidden][1], high)
            next_hidden += 1
            shown, width = REDACTED, len(REDACTED)
        else:
            until = at + 1
            char = text[at]
            shown = " " * (TAB - cell % TAB) if char == "\t" else visible(char)
            width = len(shown) if char == "\t" else display_width(shown)
        cells.append(_Cell(shown, width, at < marked[1] and until > marked[0]))
        cell += width
        at = until
    return cells


def _cut(line: int, cells: list[_Cell], width: int, *, more_before: bool, more_after: bool) -> Excerpt:
    first = next((index for index, cell in enumerate(cells) if cell.marked), len(cells))
    start, stop = 0, len(cells)
    room = max(width, 20)
    if more_before or more_after or sum(cell.width for cell in cells) > room:
        room -= 2  # an ellipsis on either side
        start = first
        before = 0
        while start > 0 and before + cells[start - 1].width <= room // 3:
            start -= 1
            before += cells[start].width
        stop, used = start, 0
        while stop < len(cells) and used + cells[stop].width <= room:
            used += cells[stop].width
            stop += 1
        while start > 0 and used + cells[start - 1].width <= room:
            start -= 1
            used += cells[start].width
    left = "…" if start > 0 or more_before else ""
    right = "…" if stop < len(cells) or more_after else ""
    mark = len(left) + sum(cell.width for cell in cells[start:first])
    size = max(1, sum(cell.width for cell in cells[start:stop] if cell.marked))
    shown = left + "".join(cell.text for cell in cells[start:stop]) + right
    return Excerpt(line, shown.rstrip(), mark, size)


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
