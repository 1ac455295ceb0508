"""YAML as Helm's `fromYaml` reads it: sigs.k8s.io/yaml 1.6.0, which is go-yaml 2 and then JSON."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from pyprod_audit.evaluate.gotemplate.go_numbers import general
from pyprod_audit.evaluate.gotemplate.marks import is_marked
from pyprod_audit.evaluate.gotemplate.text import origin, union
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import List, Map, Text, Value
from pyprod_audit.evaluate.gotemplate.yaml_plain import read_plain
from pyprod_audit.model import Unknown, Via
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_tree import new_parser

Unmark = Callable[[str], Value]
"""Gives the value of a scalar that has a mark in it."""

_START = itemgetter(0)
_STANDARD: Final = "tag:yaml.org,2002:"
_LABEL: Final = "the text that fromYaml reads"
_LONE_MARK = lazy(r"^((?:[ ]|-[ ])*\ue010[0-9]{1,9}\ue011)[ ]*$", 8)


class MalformedError(ValueError):
    """The real function reads the text, and cannot make a value of it."""


class _Node(NamedTuple):
    """A parsed node: `value` is the text of a scalar, pairs of a mapping, items of a sequence."""

    kind: str
    value: Any
    start: int = 0
    end: int = 0
    plain: bool = False
    tag: str | None = None


def from_yaml(text: str, unmark: Unmark) -> Value:
    """The first document of `text`, as JSON would have it: every number is a float64, every key a string.

    Members of maps and slices know where they were written when `text` does. A mark on a line of its own opens the
    mapping that it stands in.

    Raises:
        MalformedError: where the real function returns an error.
        Undecided: for texts that libyaml does not read (go-yaml is more tolerant), and what is not implemented.
    """
    if len(text) > MAX_MEMBERS * 8:
        raise too_deep("fromYaml")
    for candidate in (text, _LONE_MARK.sub(r"\1:", text)) if is_marked(text) else (text,):
        try:
            root = _Parser(str(candidate)).document()
        except MalformedError:
            raise
        except (yaml.YAMLError, ValueError):
            continue
        # Offsets are those of `text` as long as no colon was put in.
        places = text if candidate is text and isinstance(text, Text) else None
        return None if root is None else _Builder(unmark, places).value(root, 0)
    raise Undecided(Unknown("fromYaml", "the text is no YAML that can be read here"))


class _Parser:
    """Nodes from events, without recursion."""

    def __init__(self, text: str) -> None:
        self.events = new_parser(text)
        self.anchors: dict[str, _Node] = {}

    def document(self) -> _Node | None:
        """The first document. Raises YAMLError, ValueError, Undecided."""
        open_nodes: list[tuple[Any, list[_Node]]] = []
        flow = 0
        items: list[_Node] = []
        nodes = 0
        while True:
            event = self.events.get_event()
            kind = type(event)
            nodes += 1
            if nodes > MAX_MEMBERS:
                raise too_deep("fromYaml")
            if kind is ScalarEvent:
                if flow and event.implicit[0] and "?" in event.value:
                    raise Undecided(Unknown("fromYaml", "readers differ about question marks in flow style"))
                node = _Node(
                    "scalar", event.value, event.start_mark.index, event.end_mark.index, event.implicit[0], event.tag
                )
                self.remember(event, node)
            elif kind is AliasEvent:
                if event.anchor not in self.anchors:
                    raise MalformedError(f"yaml: unknown anchor '{event.anchor}' referenced")
                node = self.anchors[event.anchor]
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if len(open_nodes) > MAX_DEPTH:
                    raise too_deep("fromYaml")
                open_nodes.append((event, items))
                flow += bool(event.flow_style)
                items = []
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                start, outer = open_nodes.pop()
                flow -= bool(start.flow_style)
                mapping = kind is MappingEndEvent
                made: Any = list(zip(items[::2], items[1::2], strict=True)) if mapping else items
                node = _Node("mapping" if mapping else "sequence", made, start.start_mark.index, tag=start.tag)
                self.remember(start, node)
                items = outer
            elif kind is DocumentEndEvent:
                self.events.get_event()  # what cannot stand behind the document
                return items[0]
            elif kind is StreamEndEvent:
                return None
            else:
                continue
            items.append(node)

    def remember(self, event: Any, node: _Node) -> None:
        """Notes the node under its anchor."""
        if event.anchor is not None:
            self.anchors[event.anchor] = node


class _Builder:
    """Values from nodes; aliases are followed, so what is made is counted."""

    def __init__(self, unmark: Unmark, text: Text | None) -> None:
        self.unmark = unmark
        self.text = text
        self.members = 0

    def value(self, node: _Node, depth: int) -> Value:
        self.members += 1
        if depth > MAX_DEPTH or self.members > MAX_MEMBERS:
            raise too_deep("fromYaml")
        if node.kind == "scalar":
            value = self.scalar(node)
            if isinstance(value, int) and not isinstance(value, bool):
                return float(value)
            if isinstance(value, float) and not math.isfinite(value):
                raise MalformedError("json: unsupported value")
            return value
        if node.kind == "sequence":
            items = List()
            for index, item in enumerate(node.value):
                items.append(self.value(item, depth + 1))
                places = self.places(item)
                if places:
                    items.places[index] = places
            return items
        made = Map()
        self.fill(made, node, depth, {})
        return made

    def fill(self, made: Map, node: _Node, depth: int, names: dict[str, Value]) -> None:
        """Puts the members of a mapping into `made`, one after the other: merges win over what stands before them."""
        if depth > MAX_DEPTH:
            raise too_deep("fromYaml")
        for key, item in node.value:
            if key.kind == "scalar" and key.value == "<<" and (key.plain or key.tag == _STANDARD + "merge"):
                self.merge(made, item, depth + 1, names)
                continue
            if key.kind != "scalar":
                raise Undecided(Unknown("fromYaml", "a key is a map or a slice"))
            if is_marked(key.value):
                unknown = self.unmark(key.value)
                made.open = unknown if isinstance(unknown, Unknown) else Unknown(key.value, "a key is not known")
                continue
            resolved = self.scalar(key)
            name = _key(resolved)
            if name in names and (type(names[name]) is not type(resolved) or names[name] != resolved):
                raise Undecided(Unknown("fromYaml", "two keys are the same text"))
            names[name] = resolved
            made[name] = self.value(item, depth + 1)
            places = self.places(item if item.kind == "scalar" and item.start < item.end else key)
            made.places.pop(name, None)
            if places:
                made.places[name] = places

    def merge(self, made: Map, node: _Node, depth: int, names: dict[str, Value]) -> None:
        """Puts in what `<<` brings; of several mappings the first wins."""
        parts = reversed(node.value) if node.kind == "sequence" else [node]
        for part in parts:
            if part.kind != "mapping":
                raise MalformedError("yaml: map merge requires map or sequence of maps as the value")
            self.members += 1
            if self.members > MAX_MEMBERS:
                raise too_deep("fromYaml")
            self.fill(made, part, depth, names)

    def places(self, node: _Node) -> tuple[Via, ...]:
        """Where a node was written, if the text knows."""
        if self.text is None or not self.text.pieces:
            return ()
        span = origin(self.text, node.start, node.end)
        if span is not None:
            return union((Via(span._replace(via=()), _LABEL),), span.via)
        # A part that no action has printed yet may know what it came through.
        at = bisect_right(self.text.pieces, node.start, key=_START) - 1
        return self.text.pieces[at].span.via if at >= 0 else ()

    def scalar(self, node: _Node) -> Value:
        """The value of a scalar before it becomes JSON."""
        text: str = node.value
        if is_marked(text):
            return self.unmark(text)
        tag = node.tag
        if tag is None:
            return read_plain(text) if node.plain else text
        if tag == _STANDARD + "str":
            return text
        if tag == _STANDARD + "binary":
            return _binary(text)
        if not tag.startswith(_STANDARD):
            raise Undecided(Unknown(tag, "tags are not followed"))
        return _tagged(tag.removeprefix(_STANDARD), read_plain(text))


def _tagged(name: str, value: Value) -> Value:
    kinds = {"int": int, "float": float, "bool": bool, "null": type(None)}
    wanted = kinds.get(name)
    if wanted is None:
        raise Undecided(Unknown(f"!!{name}", "tags are not followed"))
    if type(value) is wanted:
        return value
    if wanted is float and type(value) is int and value < 2**63:
        return float(value)
    raise MalformedError(f"yaml: cannot decode as a !!{name}")


def _binary(text: str) -> str:
    # Go's decoder skips line ends, and nothing else.
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode()
    except UnicodeDecodeError as error:
        raise Undecided(Unknown("!!binary", "its bytes are no text")) from error
    except (binascii.Error, ValueError) as error:
        raise MalformedError("yaml: !!binary value contains invalid base64 data") from error


def _key(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value < 2**63:
        return str(value)
    if isinstance(value, float):
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(text := _single_precision(value), text)
    raise MalformedError("unsupported map key")


def _single_precision(value: float) -> str:
    """Format 'g' with the fewest digits that give the same number in 32 bits."""
    if not math.isfinite(value):
        return general(value)
    try:
        wanted = struct.pack("f", value)
    except OverflowError as error:
        raise Undecided(Unknown("fromYaml", "a key is a large number")) from error
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == wanted:
            return general(short)
    return general(value)
