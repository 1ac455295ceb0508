"""Marks: what stands in rendered text for a value that only the deployment knows.

A mark is one token, an opening and a closing character of the private use area with a number between them; it holds
no character that means anything in YAML. The renderer keeps what each number stands for (`Renderer.marks`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.model import Span, Unknown, Via
from pyprod_audit.model.patterns import lazy

OPEN: Final = "\ue010"
CLOSE: Final = "\ue011"
MARK: Final = lazy(r"\ue010([0-9]{1,9})\ue011")
"""One mark; group 1 is the index into `Renderer.marks`."""


class Mark(NamedTuple):
    """What a mark stands for: the Unknown, the action that wrote it, and the places that it came through."""

    unknown: Unknown
    span: Span
    via: tuple[Via, ...] = ()


_GAPS: Final = " \t\r\n,"
_SIGNS: Final = frozenset({"-", "#", "---"})


def certain_parts(text: str) -> list[str]:
    """What stands before, between and behind the marks of `text` in any case.

    What `shapes.py` writes around marks to keep YAML readable is none of it: the real text may be empty.
    """
    parts = MARK.split(text)[::2]
    last = len(parts) - 1
    for at, part in enumerate(parts):
        if at and last:
            part = "" if part == ": " and at < last else _without_signs(part, first=True)
        if at < last:
            part = _without_signs(part, first=False)
        parts[at] = part
    return parts


def _without_signs(part: str, *, first: bool) -> str:
    """Without blank lines, commas and the signs of YAML that stand alone, at its beginning or its end."""
    while True:
        part = part.lstrip(_GAPS) if first else part.rstrip(_GAPS)
        line = part.partition("\n")[0] if first else part.rpartition("\n")[2]
        if line.strip() not in _SIGNS:
            return part
        part = part[len(line) :] if first else part[: len(part) - len(line)]


def is_marked(text: str) -> bool:
    """Whether `text` holds a mark."""
    return OPEN in text
