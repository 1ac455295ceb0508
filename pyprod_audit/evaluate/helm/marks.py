"""Makes rendered text with marks (what only the deployment knows) readable as YAML.

A mark inside of a value is read as a part of it. A mark on a line of its own stands for any number of members of the
mapping or list around it: it becomes one, so that reading goes on, and is taken out of the tree again afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.evaluate.gotemplate.marks import CLOSE, MARK, OPEN, Mark
from pyprod_audit.evaluate.helm.places import Edit
from pyprod_audit.model.patterns import lazy

_ALONE = lazy(rf"[ \t]*(?:{OPEN}[0-9]{{1,9}}{CLOSE}[ \t]*)+")
_ITEM = lazy(r"-(?:[ \t]|$)")
_UNSPACED = lazy(r"""[ \t]*(?:-[ \t]+)*(?:-|["']?[A-Za-z_][^\s:"']*["']?:)""")
_NEW_LINES = lazy(r"\bnindent[ \t]+([0-9]{1,3})\b")
_MAX_LOOK = 300


def edits(text: str, start: int, end: int, marks: Sequence[Mark]) -> list[Edit]:
    """What to change in `text` from `start` to `end`, in order, so that its marks are parts of values or members."""
    lines = text[start:end].split("\n")
    found: list[Edit] = []
    at = start
    for number, line in enumerate(lines):
        if OPEN in line:
            found.extend(_alone(lines, number, at) if _ALONE.fullmatch(line) else _inline(lines, number, at, marks))
        at += len(line) + 1
    return found


def without(text: str, start: int, end: int) -> list[Edit]:
    """The edits that leave out every line that holds nothing but marks: what is left may be readable at least."""
    found: list[Edit] = []
    at = start
    for line in text[start:end].split("\n"):
        if OPEN in line and _ALONE.fullmatch(line):
            found.append(Edit(at, at + len(line), ""))
        at += len(line) + 1
    return found


def _alone(lines: Sequence[str], number: int, at: int) -> list[Edit]:
    line = lines[number]
    indent = len(line) - len(line.lstrip())
    mark = MARK.search(line)
    if mark is None:
        return []
    return [Edit(at + indent, at + len(line.rstrip()), _member(lines, number, number - 1, indent, mark[0]))]


def _member(lines: Sequence[str], number: int, above: int, indent: int, token: str) -> str:
    """The mark as a key or an item at `indent`, between the lines from `above` upwards and those behind `number`."""
    before = _neighbour(lines, above, -1, indent)
    behind = _neighbour(lines, number + 1, 1, indent)
    item = f"- {token}"
    opened = _is_opened(lines, above, indent)
    if behind == "item" and (opened or before != "key"):
        return item
    if opened:
        # The value of that key, a list, or further keys beside it.
        return f"{item}\n{' ' * indent}{token}:"
    if before == "item":
        # A list may stand at the depth of its key: then what is undecided belongs to either.
        return f"{item}\n{' ' * indent}{token}:" if _is_at_its_key(lines, above, indent) else item
    return f"{token}:"


def _neighbour(lines: Sequence[str], at: int, step: int, indent: int) -> str:
    """What the nearest line at the same depth is: "item", "key", or "" when the block ends before there is one."""
    for _ in range(_MAX_LOOK):
        if not 0 <= at < len(lines):
            return ""
        line = lines[at]
        content = line.lstrip()
        depth = len(line) - len(content)
        if content and content[0] not in ("#", OPEN):
            if depth < indent:
                return ""
            if depth == indent:
                return "item" if _ITEM.match(content) else "key"
        at += step
    return ""


def _is_opened(lines: Sequence[str], above: int, indent: int) -> bool:
    """Whether the nearest line above is a key at the same depth that has no value yet."""
    for at in range(above, max(-1, above - _MAX_LOOK), -1):
        content = lines[at].strip()
        if content and content[0] not in ("#", OPEN):
            depth = len(lines[at]) - len(lines[at].lstrip())
            return depth == indent and content.endswith(":") and not _ITEM.match(content)
    return False


def _is_at_its_key(lines: Sequence[str], above: int, indent: int) -> bool:
    """Whether the list above stands at the depth of the mapping that it is a value in."""
    for at in range(above, max(-1, above - _MAX_LOOK), -1):
        content = lines[at].lstrip()
        depth = len(lines[at]) - len(content)
        if content and content[0] not in ("#", OPEN) and depth <= indent and not _ITEM.match(content):
            return depth == indent
    return False


def _inline(lines: Sequence[str], number: int, at: int, marks: Sequence[Mark]) -> list[Edit]:
    """A mark behind something else: a value whose space is missing, or lines that `nindent` would have begun anew."""
    found = []
    line = lines[number]
    for mark in MARK.finditer(line):
        before = line[: mark.start()]
        place = at + mark.start()
        indent = _indentation(marks, mark[1])
        if _UNSPACED.fullmatch(before):
            found.append(Edit(place, place, " "))
        elif indent is not None and before.strip() and mark.end() == len(line.rstrip()):
            member = _member(lines, number, number, indent, mark[0])
            found.append(Edit(place, at + mark.end(), f"\n{' ' * indent}{member}"))
    return found


def _indentation(marks: Sequence[Mark], number: str) -> int | None:
    """How far the action behind a mark would have indented, when it ends in `nindent`."""
    span = marks[int(number)].span if int(number) < len(marks) else None
    found = _NEW_LINES.search(span.text) if span is not None else None
    return int(found[1]) if found else None
