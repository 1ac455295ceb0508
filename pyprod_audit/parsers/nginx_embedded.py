"""nginx configurations that stand as text in another format: the values of a ConfigMap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from pyprod_audit.model.node import Derived, Node
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.resource import Problem
from pyprod_audit.model.source import SourceFile
from pyprod_audit.parsers.nginx import parse_range

_LITERAL = lazy(r"\|(?:([1-9])[+-]?|[+-]([1-9])?)?[ \t]*+(?:#[^\n]*+)?\r?\n")
_FIRST_LINE = lazy(r"(?:[ \t]*+\r?\n)*+([ ]*+)")


class _Literal(NamedTuple):
    """A block literal of YAML: where its text begins, its lines without their ends, and what is in front of each."""

    start: int
    indentation: str
    lines: list[str]


class _Place(NamedTuple):
    """Where a range of the configuration stands in the file; `made` when it was made from what stands there."""

    start: int
    end: int
    made: bool


def parse_text(text: Node, name: str) -> tuple[Node, list[Problem]]:
    """The configuration that a scalar of YAML holds, as `parse_range` gives it, and what is malformed.

    In a block literal (`|`) every directive has its exact place, or its line where a template made the line. Of any
    other scalar all places are its first line.

    Args:
        text: the scalar; an Unknown one is read when it is a block literal, with its templates masked.
        name: of the configuration, which tells templates from others.
    """
    literal = _literal(text)
    if literal is not None and (text.is_unknown or _is_as_written(literal, text.text or "")):
        return parse_range(text.source, literal.start, text.end, name=name, indentation=literal.indentation)
    written = text.text or ""
    node, problems = parse_range(SourceFile(text.source.path, written), 0, len(written), name=name)
    place = _by_line(literal, written) if literal is not None else None
    return _moved(node, text, place), [p._replace(line=_line(text, place, written, p.line)) for p in problems]


def _literal(scalar: Node) -> _Literal | None:
    """The block literal that the scalar stands in, when it is one."""
    source = scalar.source.text
    head = _LITERAL.match(source, scalar.start, scalar.end)
    if head is None or not (scalar.is_unknown or scalar.text is not None):
        return None
    start = head.end()
    digit = head[1] or head[2]
    if digit:
        line = scalar.source.line_starts[scalar.source.span(scalar.key_start, scalar.key_start).line - 1]
        indentation = " " * (scalar.key_start - line + int(digit)) if scalar.key_start >= 0 else ""
    else:
        first = _FIRST_LINE.match(source, start, scalar.end)
        indentation = first[1] if first else ""
    return _Literal(start, indentation, source[start : scalar.end].split("\n"))


def _is_as_written(literal: _Literal, text: str) -> bool:
    """Whether the text is what stands in the file, and not what a template made of it."""
    lines = (line.removesuffix("\r").removeprefix(literal.indentation) for line in literal.lines)
    return "\n".join(lines).rstrip() == text.rstrip()


def _by_line(literal: _Literal, text: str) -> Callable[[int, int], _Place] | None:
    """Finds ranges of a text that a template made line by line; None when it has other lines than the file."""
    made = text.rstrip("\n").split("\n")
    written = literal.lines
    while written and not written[-1].strip():
        written = written[:-1]
    if len(made) != len(written):
        return None
    starts, origins = [0], [literal.start]
    for index, line in enumerate(made[:-1]):
        starts.append(starts[-1] + len(line) + 1)
        origins.append(origins[-1] + len(written[index]) + 1)
    lead = len(literal.indentation)
    same = [line.removesuffix("\r") == literal.indentation + made[index] for index, line in enumerate(written)]

    def find(start: int, end: int) -> _Place:
        first, last = bisect_right(starts, start) - 1, bisect_right(starts, max(end - 1, start)) - 1
        begin = origins[first] + lead + start - starts[first] if same[first] else _begin(origins[first], written[first])
        if same[last]:
            stop = origins[last] + lead + end - starts[last]
        else:
            stop = origins[last] + len(written[last].rstrip())
        return _Place(begin, max(begin, stop), not (same[first] and same[last]))

    return find


def _begin(origin: int, line: str) -> int:
    return origin + len(line) - len(line.lstrip())


def _moved(node: Node, text: Node, place: Callable[[int, int], _Place] | None) -> Node:
    """The node with its places in the file of the scalar; without `place` all are the scalar's first line."""
    whole = text.span.first_line
    everywhere = _Place(whole.start, whole.end, True)
    moved: dict[int, Node] = {}
    # Members before what holds them, so that each is made with those that were moved.
    for one in reversed(list(node.walk())):
        value = one.value
        if isinstance(value, dict):
            value = {key: moved[id(member)] for key, member in value.items()}
        elif isinstance(value, tuple):
            value = tuple(moved[id(member)] for member in value)
        at = place(one.start, one.end) if place is not None else everywhere
        key = (-1, -1)
        if one.key_start >= 0:
            key = place(one.key_start, one.key_end)[:2] if place is not None else everywhere[:2]
        made = Node(value, text.source, at.start, at.end, *key)
        moved[id(one)] = Derived(made, text.via) if at.made and text.via else made
    return moved[id(node)]


def _line(text: Node, place: Callable[[int, int], _Place] | None, written: str, line: int | None) -> int:
    """The line in the file of the scalar for a line of its text."""
    if place is None or line is None:
        return text.span.line
    start = SourceFile("", written).line_span(line).start
    return text.source.span(place(start, start).start, text.end).line
