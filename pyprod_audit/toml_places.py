"""Where in a TOML file its keys stand; `tomllib` does not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pyprod_audit.model.patterns import lazy

KeyPath: TypeAlias = tuple[str, ...]

_PART = r"\"[^\"\n]*\"|'[^'\n]*'|[A-Za-z0-9_-]+"
_PARTS = lazy(_PART)
_HEADER = lazy(rf"[ \t]*(\[\[?)[ \t]*((?:{_PART})(?:[ \t]*\.[ \t]*(?:{_PART}))*)[ \t]*\]")
_KEY = lazy(rf"[ \t]*((?:{_PART})(?:[ \t]*\.[ \t]*(?:{_PART}))*)[ \t]*=")


class KeyLines:
    """The lines of tables and keys. Members of arrays of tables count from 0: `("services", "0", "name")`.

    Keys inside of inline tables and of strings over several lines are not told apart; the answer is then the line of
    the nearest key around them.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._found: dict[KeyPath, int] = {}
        counts: dict[KeyPath, int] = {}
        table: KeyPath = ()
        for number, line in enumerate(self._lines, 1):
            header = _HEADER.match(line)
            if header:
                table = _split(header[2])
                if header[1] == "[[":
                    index = counts.get(table, 0)
                    counts[table] = index + 1
                    self._found.setdefault(table, number)
                    table = (*table, str(index))
                self._found.setdefault(table, number)
                continue
            key = _KEY.match(line)
            if key:
                self._found.setdefault((*table, *_split(key[1])), number)

    def line(self, path: Sequence[str], item: str | None = None) -> int | None:
        """The 1-based line of the key at `path`, or of the nearest one around it; of the string `item` in its value."""
        at = tuple(path)
        while at and at not in self._found:
            at = at[:-1]
        number = self._found.get(at)
        if number is None or item is None:
            return number
        quoted = (f'"{item}"', f"'{item}'")
        following = range(number, min(number + 500, len(self._lines) + 1))
        return next((n for n in following if any(q in self._lines[n - 1] for q in quoted)), number)


def _split(dotted: str) -> KeyPath:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _PARTS.findall(dotted))
