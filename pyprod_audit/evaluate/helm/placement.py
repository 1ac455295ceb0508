"""Rendered text read as YAML, with every node placed where its owner finds it: in templates, by way of values files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.evaluate.gotemplate.marks import MARK, OPEN, Mark
from pyprod_audit.evaluate.gotemplate.values import Text
from pyprod_audit.evaluate.helm import marks as marked
from pyprod_audit.evaluate.helm.places import Places, joined, within
from pyprod_audit.model import Node, OpenMapping, SourceFile, Span, Unknown, Via
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_events import Documents, parse_documents

# Where Helm cuts what a template gives into manifests: pkg/releaseutil/manifest.go (`sep`).
_SEPARATOR = lazy(r"\n---[ \t\r\n\f\v]*")
_BLANK_START = lazy(r"[ \t\r\n\f\v]*(?:---[ \t\r\n\f\v]*)?")
_SPACE = " \t\r\n\f\v"
_CONTENT = lazy(r"^[ \t]*+[^\s#]", 8)  # re.MULTILINE
_MAX_EXCERPT = 200


class Repeated(NamedTuple):
    """A key that a mapping holds twice: the keys that lead to it, and the second value."""

    path: tuple[str, ...]
    node: Node


class Fault(NamedTuple):
    """Why a part of the text could not be read, and where that part was written."""

    message: str
    span: Span


@dataclass(slots=True)
class Placed:
    """The YAML documents of one template; `text`: what was read, for questions about the whole."""

    nodes: list[Node] = field(default_factory=list)
    repeated: list[tuple[Node, Repeated]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read(rendered: Text, marks: Sequence[Mark], template: SourceFile) -> Placed:
    """The documents that a template gave.

    Args:
        rendered: What it gave.
        marks: What the marks in it stand for.
        template: The file whose lines are named when a text has no place.
    """
    found = Placed()
    for start, end in _manifests(rendered):
        if _CONTENT.search(rendered[start:end]):
            _read_manifest(rendered, start, end, marks, template, found)
    return found


def _manifests(text: str) -> Iterator[tuple[int, int]]:
    """Where each manifest starts and ends, without the white space behind it."""
    for start, end in _between_separators(text):
        yield start, start + len(text[start:end].rstrip(_SPACE))


def _between_separators(text: str) -> Iterator[tuple[int, int]]:
    opening = _BLANK_START.match(text)
    start = opening.end() if opening else 0
    for separator in _SEPARATOR.finditer(text, max(start - 1, 0)):
        if separator.start() >= start:
            yield start, separator.start()
        start = max(start, separator.end())
    yield start, len(text)


def _read_manifest(
    rendered: Text, start: int, end: int, marks: Sequence[Mark], template: SourceFile, found: Placed
) -> None:
    has_marks = OPEN in rendered[start:end]
    places = Places(rendered, start, end, marked.edits(rendered, start, end, marks) if has_marks else ())
    documents = parse_documents(SourceFile(template.path, places.text))
    everywhere = None
    if documents.partial and has_marks:
        # What a mark stands for may have been needed to read the rest; without its line all is open.
        places = Places(rendered, start, end, marked.without(rendered, start, end))
        documents = parse_documents(SourceFile(template.path, places.text))
        everywhere = next(_marks_in(rendered[start:end], marks), None)
        if documents.partial and everywhere is not None:
            found.nodes.append(_standing_at(everywhere))
            return
    _add(documents, _Builder(places, marks, template, everywhere), found)


def _add(documents: Documents, builder: _Builder, found: Placed) -> None:
    roots = [builder.root(node) for node in documents.nodes]
    found.nodes.extend(roots)
    for duplicate in documents.duplicates:
        if duplicate.document < len(roots):
            found.repeated.append((roots[duplicate.document], Repeated(duplicate.path, builder.placed(duplicate.node))))
    for problem in documents.problems:
        lines = SourceFile("", builder.places.text).line_starts
        line = min(max((problem.line or 1) - 1, 0), len(lines) - 1)
        found.faults.append(Fault(problem.message, builder.place(*_content_of(builder.places.text, lines[line]))))


def _content_of(text: str, start: int) -> tuple[int, int]:
    """The line that starts at `start`, without its indentation."""
    end = text.find("\n", start)
    line = text[start : end if end >= 0 else len(text)]
    return start + len(line) - len(line.lstrip()), start + len(line)


class _Builder:
    """Makes the nodes of one manifest again, placed in the files that they were written in."""

    def __init__(
        self, places: Places, marks: Sequence[Mark], template: SourceFile, everywhere: Mark | None = None
    ) -> None:
        """`everywhere`: what may add members to every mapping."""
        self.places = places
        self._marks = marks
        self._template = template
        self._everywhere = everywhere
        self._done: dict[int, Value] = {}
        self._has_marks = OPEN in places.text
        self._line = (-1, -1, template)

    def place(self, start: int, end: int) -> Span:
        """Where a range was written; the template as a whole for want of a place."""
        return self.places.span(start, end) or Span(self._template, 0, 0)

    def root(self, node: Node) -> Node:
        """A document, seen from the template that gave it."""
        made = self.placed(node)
        first = within(self.place(node.start, node.start + 1), self._template)
        if first.file is not self._template:
            return made
        last = self.place(node.end - 1, node.end)
        end = max(last.end if last.file is self._template else first.end, first.end)
        return _node(made.value, Span(first.file, first.start, end, first.via), None)

    def placed(self, node: Node) -> Node:
        """A node with everything below it."""
        value = node.value
        if isinstance(value, (dict, tuple)):
            return self._container(node, value)
        span = within(self.place(node.start, max(node.end, node.start + 1)), self._file_of_line(node.start))
        if self._has_marks and isinstance(value, str) and OPEN in value:
            value, via = self._undecided(value)
            span = span._replace(via=joined((span.via, via)))
        return _node(value, span, self._key(node))

    def _container(self, node: Node, value: dict[str, Node] | tuple[Node, ...]) -> Node:
        made = self._done.get(id(value))
        if made is None:
            made = self._members(value) if isinstance(value, dict) else tuple(self.placed(one) for one in value)
            self._done[id(value)] = made
        key = self._key(node)
        span = self.place(node.start, node.end)
        first = self.places.start(node.start) or span
        if key is not None:
            first = within(first, key.file)
            if first.file is not key.file:
                # What the mapping holds stands in another file: the key is where one finds it.
                return _node(made, key._replace(via=joined((key.via, first.via))), key)
        end = span.end if span.file is first.file else first.end
        return _node(made, Span(first.file, first.start, max(end, first.start), first.via), key)

    def _members(self, members: dict[str, Node]) -> Value:
        made: dict[str, Node] = {}
        rest: Node | None = None
        for key, member in members.items():
            if self._has_marks and OPEN in key:
                rest = rest or self._rest(key, member)
            else:
                made[key] = self.placed(member)
        if rest is not None and not made:
            return rest.value
        if rest is None and self._everywhere is not None:
            rest = _standing_at(self._everywhere)
        return made if rest is None else OpenMapping(made, rest)

    def _rest(self, key: str, member: Node) -> Node:
        """What may bring further members: the mark that stands for a key."""
        unknown, via = self._undecided(key)
        span = self.place(max(member.key_start, 0), max(member.key_end, 1))
        return _node(unknown, span._replace(via=joined((span.via, via))), None)

    def _undecided(self, text: str) -> tuple[Unknown, tuple[Via, ...]]:
        """What a text with marks amounts to, and the places that the marks came through."""
        found = list(_marks_in(text, self._marks))
        if not found:
            return Unknown(text[:_MAX_EXCERPT], "filled in by a template"), ()
        via = joined(mark.via for mark in found)
        if MARK.fullmatch(text):
            return found[0].unknown, via
        told = iter(found)
        shown = MARK.sub(lambda _: one.unknown.expression if (one := next(told, None)) else "…", text)
        return Unknown(shown[:_MAX_EXCERPT], found[0].unknown.because), via

    def _key(self, node: Node) -> Span | None:
        return self.place(node.key_start, node.key_end) if node.key_start >= 0 else None

    def _file_of_line(self, offset: int) -> SourceFile:
        """The file that the line at `offset` begins in: the one whose owner reads what follows as its value."""
        since, until, file = self._line
        if since <= offset < until:
            return file
        text = self.places.text
        since = text.rfind("\n", 0, offset) + 1
        until = text.find("\n", offset)
        until = len(text) + 1 if until < 0 else until + 1
        content = since
        while content < offset and text[content] in " \t":
            content += 1
        span = self.places.start(content)
        file = span.file if span is not None else self._template
        self._line = (since, until, file)
        return file


def _marks_in(text: str, marks: Sequence[Mark]) -> Iterator[Mark]:
    """What the marks in a text stand for; signs that only look like one are the author's own."""
    for found in MARK.finditer(text):
        if int(found[1]) < len(marks):
            yield marks[int(found[1])]


def _standing_at(mark: Mark) -> Node:
    return Node(mark.unknown, *mark.span[:3]).coming(*mark.via)


def _node(value: Value, span: Span, key: Span | None) -> Node:
    """A node at a place, under a key when that stands in the same file."""
    if key is not None and key.file is span.file:
        made = Node(value, span.file, span.start, span.end, key.start, key.end)
    else:
        made = Node(value, span.file, span.start, span.end)
    return made.coming(*span.via)
