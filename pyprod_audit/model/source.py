"""Files as read, and places in them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One file of the scanned tree.

    `path` is POSIX and relative to the scan root; `text` is decoded, without a byte order mark and with its line
    ends as they were; `kind` is what `discover.classify` called it; `encoding` is how it was decoded ("latin-1" is the
    guess when nothing else fits). Every span points back into `text`.
    """

    path: str
    text: str
    kind: str = ""
    encoding: str = "utf-8"

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets at which lines start; a line feed ends a line (a carriage return before it belongs to the end)."""
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends, by the same rule as `line_starts`."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    @cached_property
    def digest(self) -> str:
        """A hash of the text: 32 hexadecimal digits."""
        import hashlib  # loads OpenSSL: not at start-up

        return hashlib.blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def span(self, start: int, end: int) -> Span:
        """The half-open range of characters `start` to `end`."""
        return Span(self, start, end)

    def line_span(self, line: int) -> Span:
        """The text of the 1-based `line`, without indentation and line end; the nearest line when out of range."""
        index = min(max(line, 1), len(self.lines)) - 1
        content = self.lines[index]
        start = self.line_starts[index] + len(content) - len(content.lstrip())
        return Span(self, start, start + len(content.strip()))


class Via(NamedTuple):
    """A stop on the way of a value to where it takes effect: another place, and what that place is.

    `.Values.image.tag` of a chart's template passes through a line of `values.yaml`, a module's variable through an
    argument of its caller, a field of a manifest through an overlay's patch.
    """

    span: Span
    label: str


class Span(NamedTuple):
    """A half-open range of characters of one file. Lines and columns are derived, never stored.

    `via` are the other places that the value here came through, the nearest first; they are shown as related places.
    """

    file: SourceFile
    start: int
    end: int
    via: tuple[Via, ...] = ()

    def position(self, offset: int) -> tuple[int, int]:
        """1-based line and column (in code points) of `offset`."""
        starts = self.file.line_starts
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    @property
    def line(self) -> int:
        """1-based line of the first character."""
        return self.position(self.start)[0]

    @property
    def column(self) -> int:
        """1-based column of the first character, in code points."""
        return self.position(self.start)[1]

    @property
    def end_position(self) -> tuple[int, int]:
        """1-based line and exclusive column of the end."""
        return self.position(self.end)

    @property
    def text(self) -> str:
        """The characters of the range."""
        return self.file.text[self.start : self.end]

    @property
    def first_line(self) -> Span:
        """The part of this span on its first line: what an annotation should point at."""
        newline = self.file.text.find("\n", self.start, self.end)
        if newline < 0:
            return self
        end = newline - 1 if newline > self.start and self.file.text[newline - 1] == "\r" else newline
        return Span(self.file, self.start, max(end, self.start), self.via)
