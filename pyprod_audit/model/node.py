"""Parsed values that know their place and may be unknown."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pyprod_audit.model.source import SourceFile, Span, Via


class Missing(enum.Enum):
    """The type of `MISSING`."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that exists only at deploy time: `var.x` without default, `{{ .Values.y }}`, `${IMAGE}`.

    `expression` is how it is written; `because` says in a few words why it is unknown ("var.x has no default").
    """

    expression: str
    because: str = ""


Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = "Scalar | Unknown | dict[str, Node] | tuple[Node, ...]"


class OpenMapping(dict["str", "Node"]):
    """A mapping that may hold more keys than are known, because something undecided stands inside of it.

    `rest` is an Unknown node at what may bring them: it is the answer for every key that is not here.
    """

    __slots__ = ("rest",)

    def __init__(self, members: Mapping[str, Node], rest: Node) -> None:
        super().__init__(members)
        self.rest = rest


class Node:
    """A value with its place: a scalar, `Unknown`, a mapping (dict) or a sequence (tuple) of nodes.

    `start`/`end` delimit the value in `source`, `key_start`/`key_end` the key it stands under (-1: no key).
    Made by the hundred thousand, so a plain slotted class; treat it as immutable.
    """

    __slots__ = ("end", "key_end", "key_start", "source", "start", "value")

    def __init__(
        self, value: Value, source: SourceFile, start: int, end: int, key_start: int = -1, key_end: int = -1
    ) -> None:
        self.value = value
        self.source = source
        self.start = start
        self.end = end
        self.key_start = key_start
        self.key_end = key_end

    def __repr__(self) -> str:
        return f"Node({self.value!r} @{self.source.path}:{self.span.line})"

    # -- place ---------------------------------------------------------------------------------------------

    @property
    def span(self) -> Span:
        """The place of the value."""
        return Span(self.source, self.start, self.end)

    @property
    def key(self) -> Span | None:
        """The place of the key, when the value stands under one."""
        return None if self.key_start < 0 else Span(self.source, self.key_start, self.key_end)

    @property
    def anchor(self) -> Span:
        """A short place to point at: the value of a scalar, the key (else the first line) of a container."""
        if self.key_start >= 0 and isinstance(self.value, (dict, tuple)):
            return Span(self.source, self.key_start, self.key_end)
        return self.span.first_line

    @property
    def via(self) -> tuple[Via, ...]:
        """The other places that the value came through, the nearest first."""
        return ()

    def holding(self, value: Value) -> Node:
        """The same place with another value."""
        return Node(value, self.source, self.start, self.end, self.key_start, self.key_end)

    def coming(self, *via: Via) -> Node:
        """The same value, which came here through these places too."""
        return Derived(self, (*self.via, *via)) if via else self

    # -- value ---------------------------------------------------------------------------------------------

    @property
    def is_unknown(self) -> bool:
        """Whether the value exists only at deploy time."""
        return isinstance(self.value, Unknown)

    @property
    def mapping(self) -> Mapping[str, Node]:
        """The members of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The members of a sequence; empty for anything else."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def text(self) -> str | None:
        """The string, or None when this is anything else (Unknown included)."""
        return self.value if isinstance(self.value, str) else None

    @property
    def scalar(self) -> Scalar:
        """The scalar value; None for Unknown and containers."""
        return None if isinstance(self.value, (Unknown, dict, tuple)) else self.value

    def find(self, path: tuple[str, ...]) -> tuple[Node | Missing, Span]:
        """The node at `path`, or MISSING, and the nearest place that exists. An Unknown on the way is the answer."""
        node = self
        for part in path:
            value = node.value
            if isinstance(value, dict):
                found = value.get(part)
                if found is None:
                    if type(value) is OpenMapping:
                        return value.rest, value.rest.anchor
                    return MISSING, node.anchor
                node = found
            elif isinstance(value, tuple) and part.isdigit() and int(part) < len(value):
                node = value[int(part)]
            elif isinstance(value, Unknown):
                return node, node.anchor
            else:
                return MISSING, node.anchor
        return node, node.anchor

    def get(self, path: str) -> Node | None:
        """The node at the dotted `path`, or None. Keys that contain dots: use `find`."""
        if isinstance(self.value, dict) and "." not in path:
            return self.value.get(path) or _rest(self.value)
        node = self
        for part in path.split("."):
            value = node.value
            if isinstance(value, dict):
                found = value.get(part) or _rest(value)
                if found is None:
                    return None
                node = found
            elif isinstance(value, tuple) and part.isdigit() and int(part) < len(value):
                node = value[int(part)]
            else:
                return node if isinstance(value, Unknown) else None
        return node

    def text_at(self, path: str) -> str | None:
        """The string at the dotted `path`, or None."""
        found = self.get(path)
        return found.value if found is not None and isinstance(found.value, str) else None

    def items_at(self, path: str) -> tuple[Node, ...]:
        """The members of the sequence at the dotted `path`; empty when there is none."""
        found = self.get(path)
        return found.value if found is not None and isinstance(found.value, tuple) else ()

    def mapping_at(self, path: str) -> Mapping[str, Node]:
        """The members of the mapping at the dotted `path`; empty when there is none."""
        found = self.get(path)
        return found.value if found is not None and isinstance(found.value, dict) else {}

    def walk(self) -> Iterator[Node]:
        """This node and everything below, outer first; iterative, so depth cannot exhaust the stack."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            if isinstance(node.value, dict):
                stack.extend(reversed(node.value.values()))
            elif isinstance(node.value, tuple):
                stack.extend(reversed(node.value))


class Derived(Node):
    """A node whose value was written elsewhere: evaluators make them. Every place that it tells has its `via`."""

    __slots__ = ("_via",)

    def __init__(self, node: Node, via: tuple[Via, ...]) -> None:
        super().__init__(node.value, node.source, node.start, node.end, node.key_start, node.key_end)
        self._via = via

    @property
    def via(self) -> tuple[Via, ...]:
        """The other places that the value came through, the nearest first."""
        return self._via

    def holding(self, value: Value) -> Node:
        """The same place with another value."""
        return Derived(super().holding(value), self._via)

    @property
    def span(self) -> Span:
        """The place of the value."""
        return Span(self.source, self.start, self.end, self._via)

    @property
    def anchor(self) -> Span:
        """A short place to point at: the value of a scalar, the key (else the first line) of a container."""
        if self.key_start >= 0 and isinstance(self.value, (dict, tuple)):
            return Span(self.source, self.key_start, self.key_end, self._via)
        return self.span.first_line


def _rest(members: dict[str, Node]) -> Node | None:
    return members.rest if type(members) is OpenMapping else None
