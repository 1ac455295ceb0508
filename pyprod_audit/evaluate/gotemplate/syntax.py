"""The parsed form of templates. `start` and `end` are offsets into the text that was parsed."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from pyprod_audit.evaluate.gotemplate.literals import Number
from pyprod_audit.model import SourceFile, Span


class Constant(NamedTuple):
    """A boolean or a string; None as value: a string that is not UTF-8. `written` is how it stands there."""

    start: int
    end: int
    value: str | bool | None
    written: str


class Numeric(NamedTuple):
    """A number or a character."""

    start: int
    end: int
    number: Number


class Nil(NamedTuple):
    """`nil`."""

    start: int
    end: int


class Dot(NamedTuple):
    """The dot, `.`."""

    start: int
    end: int


class Field(NamedTuple):
    """`.a.b`: fields of the dot."""

    start: int
    end: int
    names: tuple[str, ...]


class Variable(NamedTuple):
    """`$x.a.b`; `name` has its dollar sign."""

    start: int
    end: int
    name: str
    names: tuple[str, ...]


class Name(NamedTuple):
    """The name of a function."""

    start: int
    end: int
    name: str


class Chain(NamedTuple):
    """`(…).a.b`: fields of something else."""

    start: int
    end: int
    operand: Operand
    names: tuple[str, ...]


class Command(NamedTuple):
    """Operands in a row; the first one may be a function, the others are its arguments."""

    start: int
    end: int
    operands: tuple[Operand, ...]


class Pipeline(NamedTuple):
    """Commands that pass their value on, and the variables that get the last one's."""

    start: int
    end: int
    variables: tuple[str, ...]
    assigns: bool
    commands: tuple[Command, ...]


Operand: TypeAlias = Constant | Numeric | Nil | Dot | Field | Variable | Name | Chain | Pipeline


class Literal(NamedTuple):
    """Text that is written as it stands."""

    start: int
    end: int
    text: str


class Action(NamedTuple):
    """`{{ pipeline }}`; the offsets of actions are those of their delimiters."""

    start: int
    end: int
    pipeline: Pipeline


class Branch(NamedTuple):
    """`if` or `with`."""

    start: int
    end: int
    is_with: bool
    pipeline: Pipeline
    body: Body
    otherwise: Body


class Range(NamedTuple):
    """`range`."""

    start: int
    end: int
    pipeline: Pipeline
    body: Body
    otherwise: Body


class Invocation(NamedTuple):
    """`template "name" pipeline`, and what a `block` leaves in its place."""

    start: int
    end: int
    name: str
    pipeline: Pipeline | None


class Leave(NamedTuple):
    """`break` or `continue`."""

    start: int
    end: int
    is_break: bool


Statement: TypeAlias = Literal | Action | Branch | Range | Invocation | Leave
Body: TypeAlias = tuple[Statement, ...]


class Definition:
    """A named template.

    `anchor` is the place of everything in it when it was parsed from a text that stands in no file. `blank`: nothing
    but spaces and comments. `program` is what the interpreter made of the body when it first ran it.
    """

    __slots__ = ("anchor", "blank", "body", "name", "program", "source")

    def __init__(self, name: str, source: SourceFile, body: Body, anchor: Span | None = None) -> None:
        self.name = name
        self.source = source
        self.body = body
        self.anchor = anchor
        self.blank = all(isinstance(part, Literal) and not part.text.strip() for part in body)
        self.program: Any = None

    def span(self, start: int, end: int) -> Span:
        """The place of the characters `start` to `end` of the parsed text."""
        return self.anchor if self.anchor is not None else Span(self.source, start, end)
