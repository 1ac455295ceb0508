"""Text joined from pieces of a file: a logical line without its continuation marks, lines without carriage returns."""

from __future__ import annotations

from bisect import bisect_right

from pyprod_audit.model.source import SourceFile


class Joined:
    """Pieces of one file read as one text, with the way back to the file.

    `text` is what a reader sees; `starts` are the offsets in it at which pieces begin, `origins` the places of those
    pieces in the file.
    """

    __slots__ = ("origins", "source", "starts", "text")

    def __init__(self, source: SourceFile, text: str, starts: list[int], origins: list[int]) -> None:
        self.source = source
        self.text = text
        self.starts = starts
        self.origins = origins

    @classmethod
    def of(cls, source: SourceFile, pieces: list[tuple[int, int]]) -> Joined:
        """The ranges `pieces` of the file, one after the other; empty ones are left out."""
        whole = source.text
        texts: list[str] = []
        starts: list[int] = []
        origins: list[int] = []
        length = 0
        for start, end in pieces:
            if end > start:
                texts.append(whole[start:end])
                starts.append(length)
                origins.append(start)
                length += end - start
        if not starts:
            return cls(source, "", [0], [pieces[0][0] if pieces else 0])
        return cls(source, "".join(texts), starts, origins)

    @classmethod
    def lines(cls, source: SourceFile, start: int, end: int) -> Joined:
        """The range `start` to `end` of the file, without the carriage returns that stand before line feeds."""
        text = source.text[start:end]
        if "\r\n" not in text:
            return cls(source, text, [0], [start])
        pieces = []
        at = 0
        while True:
            found = text.find("\r\n", at)
            if found < 0:
                pieces.append((start + at, end))
                return cls.of(source, pieces)
            pieces.append((start + at, start + found))
            at = found + 1

    def start(self, offset: int) -> int:
        """The place in the file of the character at `offset`."""
        if len(self.starts) == 1:
            return self.origins[0] + offset
        index = bisect_right(self.starts, offset) - 1
        return self.origins[index] + offset - self.starts[index]

    def end(self, offset: int) -> int:
        """The place in the file after the character before `offset`: the end of a range that ends there."""
        if len(self.starts) == 1 or offset <= 0:
            return self.origins[0] + offset
        index = bisect_right(self.starts, offset - 1) - 1
        return self.origins[index] + offset - self.starts[index]
