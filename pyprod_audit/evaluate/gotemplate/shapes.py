"""What stands for text that is not certain, so that the YAML around it stays readable.

In a line it is a mark. For lines it is a line `MARK: MARK` where keys may come, `- MARK` where list items may, at their
indentation; lines further in belong to them. A branch that goes back to a lesser indentation gets a line there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pyprod_audit.model.patterns import lazy

_KEY: Final = lazy(r"""(?:"[^"\n]*"|'[^'\n]*'|[^\s#\[{"'&*!|>%@`,][^:\n]*(?::[^\s:][^:\n]*)*)\s*:(?:\s|$)""")
_STRUCTURE: Final = " \t,"


def common(texts: Sequence[str]) -> tuple[int, int]:
    """How many characters of whole lines all texts have in common at their beginning, and at their end."""
    head = _shared(texts)
    return head, _shared([text[: head - 1 if head else None : -1] for text in texts])


def _shared(texts: Sequence[str]) -> int:
    """The length of the whole lines that all texts begin with."""
    first, last = min(texts), max(texts)
    low, high = 0, min(map(len, texts))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == last[:middle]:
            low = middle
        else:
            high = middle - 1
    return first.rfind("\n", 0, low) + 1


def outline(line: str, texts: Sequence[str], mark: str) -> str:
    """Text with marks that stands for one of `texts`, behind what is on the current line."""
    written = [text for text in texts if text.strip()]
    if not written:
        return max(texts, key=len)
    if not any(_content(text) for text in written):
        # Comments only. In a block of text they would count.
        first = written[0]
        start, end = len(first) - len(first.lstrip()), len(first.rstrip())
        return f"{first[:start]}# {mark}{first[end:]}"
    column = _column(line)
    if not any("\n" in text for text in written):
        return _inline(written, column, mark)
    return _lines(line, written, column, mark)


class _Column(NamedTuple):
    """Where the content of a line begins, and whether there is any."""

    at: int
    empty: bool


def _column(line: str) -> _Column:
    """A line of spaces and list item signs is empty, so that keys may come on it."""
    at = 0
    while at < len(line) and (line[at] == " " or (line[at] == "-" and line[at + 1 : at + 2] in ("", " "))):
        at += 1
    return _Column(at, at == len(line))


def _content(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.split("\n"))


def _kind(line: str) -> str:
    """`line` has no indentation: what may stand for it, "key", "item" or "text"."""
    if line == "-" or line.startswith("- "):
        return "item"
    return "key" if _KEY.match(line) else "text"


def _drawn(kind: str, mark: str) -> str:
    return {"key": f"{mark}: {mark}", "item": f"- {mark}", "text": mark}[kind]


def _inline(texts: Sequence[str], column: _Column, mark: str) -> str:
    """All in the current line: a part of a value, or a key or item that begins here."""
    first = texts[0]
    before = first[: len(first) - len(first.lstrip(_STRUCTURE))]
    after = first[len(first.rstrip(_STRUCTURE)) :]
    kinds = {_kind(text.strip(_STRUCTURE)) for text in texts} if column.empty else {"text"}
    kind = kinds.pop() if len(kinds) == 1 else "text"
    return f"{before}{_drawn(kind, mark)}{after}"


class _Level(NamedTuple):
    """Lines of one indentation; `after` counts the document separators before it."""

    after: int
    indentation: int
    kind: str


def _lines(line: str, texts: Sequence[str], column: _Column, mark: str) -> str:
    heads = [text.partition("\n")[0].strip() for text in texts]
    out = ""
    own_line = False
    if not column.empty and any(heads):
        # The value of the current line, or the end of a flow that goes on.
        if all(head in ("", ",") for head in heads):
            out = ","
        else:
            gap = " " if any(text.startswith(" ") for text in texts) and not line.endswith(" ") else ""
            out = f"{gap}{mark}"
    elif column.empty and any(heads):
        own_line = True
    levels = _levels(texts, column, out not in ("", ","), own_line)
    separators = 0
    for level in levels:
        while separators < level.after:
            out += "\n---" if out or not own_line or line else "---"
            separators += 1
            own_line = False
        pad = level.indentation
        if own_line:
            out += " " * max(pad - len(line), 0)
            own_line = False
        else:
            out += "\n" + " " * pad
        out += _drawn(level.kind, mark)
    if any(_last(text).startswith("---") for text in texts):
        out += "\n---"
    return out + _ending(texts)


def _last(text: str) -> str:
    """The last line that is not blank."""
    return text.rstrip().rpartition("\n")[2]


def _ending(texts: Sequence[str]) -> str:
    """The comma that goes on, the line end and the indentation behind it, as the first text has them."""
    comma = "," if all(text.rstrip().endswith(",") for text in texts) else ""
    body, _, last = texts[0].rpartition("\n")
    return f"{comma}\n{last}" if not last.strip() and body is not None and "\n" in texts[0] else comma


def _levels(texts: Sequence[str], column: _Column, has_head: bool, own_line: bool) -> list[_Level]:
    """The indentations at which the texts may write, the outermost of each document last."""
    kinds: dict[tuple[int, int], str] = {}
    for text in texts:
        for level in _outdents(text, column, has_head, own_line):
            place = (level.after, level.indentation)
            before = kinds.setdefault(place, level.kind)
            if before != level.kind:
                kinds[place] = "text"
    most = max((after for after, _ in kinds), default=0)
    # What stands between the first and the last separator is one document: all are as unknown.
    merged: dict[tuple[int, int], str] = {}
    for (after, indentation), kind in kinds.items():
        merged.setdefault((min(after, 1) if after < most or most <= 1 else 2, indentation), kind)
    return [
        _Level(after, indentation, kind)
        for (after, indentation), kind in sorted(merged.items(), key=lambda one: (one[0][0], -one[0][1]))
    ]


def _outdents(text: str, column: _Column, has_head: bool, own_line: bool) -> Iterator[_Level]:
    """The first line of a text, and each one that is further out than all before it."""
    least = column.at + 1 if has_head else 10**9
    separators = 0
    for number, line in enumerate(text.split("\n")):
        stripped = line.strip()
        if not stripped or stripped[0] in "#}])":
            continue
        indentation = len(line) - len(line.lstrip())
        if number == 0 and not own_line:
            continue
        if line.startswith("---") and (number or not column.at):
            separators += 1
            least = 10**9
            continue
        if number == 0:
            indentation += column.at
        if indentation < least:
            least = indentation
            yield _Level(separators, indentation, _kind(stripped))
