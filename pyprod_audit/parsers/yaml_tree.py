"""Builds nodes from the events of one YAML stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_scalars import Schema, is_computed, resolve_tagged
from pyprod_audit.parsers.yaml_template import Masked

MAX_DEPTH: Final = 256
# Nodes that aliases may add to one file when they are followed; what is beyond stays unknown.
MAX_EXPANSION: Final = 200_000
_MAX_FAULTS = 1_000
_MAX_KEY = 200
# A merge key in a tree under construction. A quoted "<<" is an ordinary key.
_MERGE = "\0<<"
_PROPERTIES = lazy(r"(?:[&!]\S*\s*){1,2}")
_GAP = lazy(r"(?:\s|#[^\n]*)*")
_TEMPLATE = "filled in by a template"


class TooDeep(Exception):  # noqa: N818 - a limit, not an error of ours
    """The document is nested deeper than `limit`; `offset` is where, in the text that was read."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset
        self.limit = MAX_DEPTH


@dataclass(frozen=True, slots=True, eq=False)
class DuplicateKey:
    """A key that a mapping holds twice.

    `path`: the keys and list indexes that lead to it from the document's root; `first` and `node`: both values, the
    second is the one in the tree; `within`: the starts of the containers around it, outermost first.
    """

    path: tuple[str, ...]
    first: Node
    node: Node
    within: tuple[int, ...]
    document: int


class EventSource(Protocol):
    """What PyYAML's two parsers have in common. Events differ in their attributes, hence Any."""

    def get_event(self) -> Any:
        """The next event. Raises YAMLError."""


def new_parser(text: str) -> EventSource:
    """The parser of libyaml for `text`; PyYAML's own, with the same events, where it was built without libyaml."""
    if yaml.__with_libyaml__:
        return yaml.CSafeLoader(text)
    return yaml.SafeLoader(text)


# An open container: the members, items, key, key_start and key_end of the container around it, then its own start,
# anchor and tag, and how many nodes stood before it. A tuple, because it is cheaper to make than an object of a class.
_Frame: TypeAlias = tuple["dict[str, Node] | None", list[Node], Any, int, int, int, "str | None", "str | None", int]


class TreeBuilder:
    """Collects the documents of one file over one or more calls of `read`.

    `nodes`, `duplicates` and `tags` are those of `yaml_events.Documents`; `faults` are offsets and messages of aliases
    that lead nowhere; `resume_at` is the start of the first document that is not complete.
    """

    def __init__(self, source: SourceFile, text: str, masked: Masked | None, schema: Schema) -> None:
        """`text` is what is read: the file's text or its masked form."""
        self.source = source
        self.text = text
        self.masked = masked
        self.schema = schema
        self.nodes: list[Node] = []
        self.duplicates: list[DuplicateKey] = []
        self.tags: dict[int, str] = {}
        self.faults: list[tuple[int, str]] = []
        self.resume_at = 0
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._expanded = 0

    def discard_unfinished(self) -> None:
        """Forgets what was noted about a document that turned out to be broken."""
        while self.duplicates and self.duplicates[-1].document == len(self.nodes):
            self.duplicates.pop()

    def read(self, part: str, base: int) -> None:  # noqa: C901 - the hot loop: split up, it would pay a call per event
        """Reads the documents of `part`, which stands at offset `base`. Raises YAMLError, ValueError, TooDeep."""
        get_event = new_parser(part).get_event
        source, text, masked = self.source, self.text, self.masked
        words, number, first = self.schema.words, self.schema.number, self.schema.first
        frames: list[_Frame] = []
        # The open container: a mapping when `members` is one, else a sequence; `key` waits for its value.
        members: dict[str, Node] | None = None
        items: list[Node] = []
        key: Any = None
        key_start = key_end = -1
        end = count = 0
        self._anchors = {}
        while True:
            event = get_event()
            kind = type(event)
            if kind is ScalarEvent:
                start = event.start_mark.index + base
                end = event.end_mark.index + base
                raw = event.value
                anchor = event.anchor
                tag = event.tag
                if anchor is not None or tag is not None:
                    start = self._skip_properties(start, end, tag)
                if members is not None and key is None:
                    key = raw
                    if raw == "<<" and not event.style:
                        key = _MERGE
                    elif masked is not None and masked.touches(start, end):
                        key = source.text[start:end]
                    elif anchor is not None:
                        self._anchors[anchor] = (Node(raw, source, start, end), 1)
                    key_start = start
                    key_end = end
                    continue
                value: Value = raw
                style = event.style
                if style:
                    if style in "|>":
                        end = start + len(text[start:end].rstrip())
                elif raw[:1] in first:
                    value = words[raw] if raw in words else number(raw)
                if tag is not None:
                    value = self._tagged(tag, raw, value, start, end)
                if masked is not None:
                    value = self._filled_in(masked, value, start, end)
                node = Node(value, source, start, end, key_start, key_end)
                count += 1
                if anchor is not None:
                    self._anchors[anchor] = (node, 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                start = event.start_mark.index + base
                anchor = event.anchor
                tag = event.tag
                if anchor is not None or tag is not None:
                    start = self._skip_block_properties(start, anchor, tag)
                frames.append((members, items, key, key_start, key_end, start, anchor, tag, count))
                if len(frames) > MAX_DEPTH:
                    raise TooDeep(start - base)
                if kind is MappingStartEvent:
                    members = {}
                else:
                    members = None
                    items = []
                key = None
                key_start = key_end = -1
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                # The end of a block container is marked where the next token starts, past blank lines and comments.
                if event.end_mark.index > event.start_mark.index:
                    end = event.end_mark.index + base
                if members is None:
                    value = tuple(items)
                else:
                    value = members
                    if _MERGE in members:
                        _merge(members)
                members, items, key, key_start, key_end, start, anchor, tag, before = frames.pop()
                if members is not None and key is None:
                    key, key_start, key_end = source.text[start : min(end, start + _MAX_KEY)], start, end
                    continue
                node = Node(value, source, start, end, key_start, key_end)
                count += 1
                if tag is not None and is_computed(tag):
                    node.value = _computed(tag, source.text, start, end)
                if anchor is not None:
                    self._anchors[anchor] = (node, count - before)
            elif kind is AliasEvent:
                node, size = self._alias(event, base)
                count += size
                end = node.end
                if members is not None and key is None:
                    key = node.value if isinstance(node.value, str) else text[node.start : end]
                    key_start, key_end = node.start, end
                    continue
                node.key_start, node.key_end = key_start, key_end
            elif kind is DocumentStartEvent:
                self._anchors = {}
                self.resume_at = event.start_mark.index + base
                continue
            elif kind is DocumentEndEvent:
                root = items.pop()
                if root.value is not None or root.start < root.end:
                    self.nodes.append(root)
                self.resume_at = event.end_mark.index + base
                continue
            elif kind is StreamEndEvent:
                return
            else:
                continue

            if members is None:
                items.append(node)
            else:
                if key in members:
                    self._repeat(frames, members, key, node)
                else:
                    members[key] = node
                key = None

    # -- what few nodes need -------------------------------------------------------------------------------

    def _skip_properties(self, start: int, end: int, tag: str | None) -> int:
        """Where the value itself starts behind `&anchor` and `!tag`."""
        found = _PROPERTIES.match(self.text, start, end)
        start = found.end() if found else start
        if tag is not None:
            self.tags[start] = tag
        return start

    def _skip_block_properties(self, start: int, anchor: str | None, tag: str | None) -> int:
        """Where a container itself starts behind its properties, which may stand on a line of their own."""
        for pattern in (_PROPERTIES, _GAP):
            found = pattern.match(self.text, start)
            start = found.end() if found else start
        if tag is not None:
            self.tags[start] = tag
        if anchor is not None:
            self._anchors.pop(anchor, None)
        return start

    def _tagged(self, tag: str, raw: str, untagged: Value, start: int, end: int) -> Value:
        if is_computed(tag):
            return _computed(tag, self.source.text, start, end)
        return untagged if len(tag) > 1 and tag[0] == "!" else resolve_tagged(tag, raw, self.schema)

    def _filled_in(self, masked: Masked, value: Value, start: int, end: int) -> Value:
        """The value of a scalar of a template; an empty one may get its value from a tag on the lines below."""
        if end == start:
            gap = _GAP.match(self.text, start)
            end = gap.end() if gap else start
        if masked.touches(start, end):
            return Unknown(_excerpt(self.source.text, start, end), _TEMPLATE)
        return value

    def _alias(self, event: Any, base: int) -> tuple[Node, int]:
        """The node that an alias stands for, in the alias' place, and how many nodes it adds."""
        start, end = event.start_mark.index + base, event.end_mark.index + base
        name = str(event.anchor)
        found = self._anchors.get(name)
        if found is None:
            self._fault(start, f"the alias *{name} names no anchor above it")
            return Node(Unknown(f"*{name}", "the anchor is missing"), self.source, start, end), 1
        node, size = found
        self._expanded += size
        if self._expanded > MAX_EXPANSION:
            self._fault(start, f"aliases expand to more than {MAX_EXPANSION} nodes")
            return Node(Unknown(f"*{name}", "aliases expand to too many nodes"), self.source, start, end), 1
        return Node(node.value, self.source, start, end), size

    def _fault(self, start: int, message: str) -> None:
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append((start, message))

    def _repeat(self, frames: list[_Frame], members: dict[str, Node], key: str, node: Node) -> None:
        """Notes a key that its mapping already has. The last one wins, as in every reader that accepts it."""
        first = members[key]
        if key == _MERGE:
            members[f"{_MERGE}{len(members)}"] = node
            return
        members[key] = node
        if self.masked is not None and self.masked.touches(first.end, node.key_start):
            node.value = Unknown(_excerpt(self.source.text, node.start, node.end), _TEMPLATE)
        elif len(self.duplicates) < _MAX_FAULTS:
            path = (*_path(frames), key)
            within = tuple(frame[5] for frame in frames)
            self.duplicates.append(DuplicateKey(path, first, node, within, len(self.nodes)))


def _path(frames: list[_Frame]) -> list[str]:
    """The keys and indexes of the open containers, without the document's own place in the stream."""
    return [str(len(items)) if members is None else key or "" for members, items, key, *_ in frames[1:]]


def _excerpt(text: str, start: int, end: int) -> str:
    """How a value is written: quotes taken off, cut to a readable length."""
    written = text[start : min(end, start + _MAX_KEY)].strip()
    return written[1:-1] if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'" else written


def _computed(tag: str, text: str, start: int, end: int) -> Unknown:
    return Unknown(f"{tag} {_excerpt(text, start, end)}".rstrip(), f"{tag} is computed by the tool that reads the file")


def _merge(members: dict[str, Node]) -> None:
    """Adds what `<<` brings in: earlier mappings win over later ones, the mapping's own keys over all."""
    merges = [members.pop(key) for key in list(members) if key.startswith(_MERGE)]
    for merge in merges:
        parts = merge.value if isinstance(merge.value, tuple) else (merge,)
        for part in parts:
            for key, value in part.mapping.items():
                members.setdefault(key, value)
            if part.is_unknown:
                members["<<"] = part
