"""The state of one running template."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pyprod_audit.evaluate.gotemplate.syntax import Definition
from pyprod_audit.evaluate.gotemplate.text import NOWHERE, UNPLACED, union
from pyprod_audit.evaluate.gotemplate.values import Piece, TemplateError, Text, Value
from pyprod_audit.model import Span, Unknown, Via

if TYPE_CHECKING:
    from pyprod_audit.evaluate.gotemplate.interpreter import Renderer

Places: TypeAlias = tuple[Via, ...]
Placed: TypeAlias = tuple[Value, Places]


class Doubt(NamedTuple):
    """What is undecided: the condition, the action that it stands in, and the places that it came through."""

    unknown: Unknown
    span: Span
    via: Places = ()


NO_DOUBT: Final = Doubt(Unknown(""), UNPLACED)


class NilInterface:
    """The type of `NIL`."""


NIL: Final = NilInterface()
"""A nil member of a map or slice as the dot or a variable of `range`: unlike any other nil, it has no fields."""


class Frame:
    """What a template has while it runs: dot, variables (a stack, the last of a name counts), and the output so far.

    `via` are the actions that included it, the nearest first. `prefix` is what stands on the current line before the
    output began (for branches, which are run on an output of their own); `doubt` is what made the last signal unsure.
    """

    __slots__ = (
        "definition",
        "dot",
        "dot_via",
        "doubt",
        "line_start",
        "names",
        "out",
        "pieces",
        "prefix",
        "renderer",
        "size",
        "values",
        "via",
    )

    def __init__(self, renderer: Renderer, definition: Definition, data: Value, places: Places, via: Places) -> None:
        self.renderer = renderer
        self.definition = definition
        self.dot: Value = data
        self.dot_via = places
        self.names = ["$"]
        self.values: list[Placed] = [(data, places)]
        self.out: list[str] = []
        self.pieces: list[Piece] = []
        self.size = 0
        self.via = via
        self.prefix = ""
        self.line_start = NO_LINE
        self.doubt = NO_DOUBT

    def error(self, message: str, start: int, end: int) -> TemplateError:
        """An error at the characters `start` to `end` of the template."""
        return TemplateError(message, self.span(start, end, ()))

    def span(self, start: int, end: int, via: Places) -> Span:
        """A place in the template, with the places that a value came through and the actions that included it."""
        source, first, last, own = self.definition.span(start, end)
        return Span(source, first, last, union(union(via, own), self.via))

    # -- output ------------------------------------------------------------------------------------------------

    def write(self, text: str, span: Span, *, literal: bool = False) -> None:
        """Adds a part without places of its own."""
        self.pieces.append(Piece(self.size, span, literal))
        self._append(text)

    def copy(self, text: str, start: int, end: int, via: Places) -> None:
        """Adds a text; what is not placed in it is placed at the characters `start` to `end` of the template."""
        if not text:
            return
        if not isinstance(text, Text) or not text.pieces:
            self.write(text, self.span(start, end, via))
            return
        at = self.size
        pieces = self.pieces
        if text.pieces[0].start:
            pieces.append(Piece(at, self.span(start, end, via)))
        for begin, span, literal in text.pieces:
            if span.file is NOWHERE:
                pieces.append(Piece(at + begin, self.span(start, end, span.via or via)))
            else:
                pieces.append(Piece(at + begin, span, literal))
        self._append(text)

    def _append(self, text: str) -> None:
        at = text.rfind("\n")
        if at >= 0:
            self.line_start = (len(self.out), at + 1)
        self.out.append(text)
        self.size += len(text)
        self.renderer.spend(len(text))

    def extend(self, text: str) -> None:
        """Adds a text whose parts all have their places."""
        self.copy(text, 0, 0, ())

    def text(self) -> Text:
        """The output so far."""
        return Text("".join(self.out), self.pieces)

    def line(self) -> str:
        """What stands on the current line so far; of a long line its beginning and its end."""
        part, at = self.line_start
        text = self.prefix if part < 0 else self.out[part][at:]
        for at in range(part + 1, len(self.out)):
            text += self.out[at]
            if len(text) > _LINE:
                return text[:_LINE] + self.out[-1][-_LINE:]
        return text

    # -- variables ---------------------------------------------------------------------------------------------

    def push(self, name: str, value: Value, via: Places) -> None:
        """Declares a variable."""
        self.names.append(name)
        self.values.append((value, via))

    def pop(self, count: int) -> None:
        """Forgets the variables declared since there were `count`."""
        if len(self.names) > count:
            del self.names[count:]
            del self.values[count:]

    def position(self, name: str, start: int, end: int) -> int:
        """Where the last variable of the name is on the stack."""
        names = self.names
        for at in range(len(names) - 1, -1, -1):
            if names[at] == name:
                return at
        raise self.error(f"undefined variable: {name}", start, end)


Evaluate: TypeAlias = Callable[[Frame], Placed]
"""Gives a value and its places."""
Run: TypeAlias = Callable[[Frame], int]
"""Runs statements; the result is one of the signals below."""

_LINE: Final = 200
"""How much of a line is looked at to tell what may come next."""
NO_LINE: Final = (-1, 0)
"""No line began in the output so far."""

DONE: Final = 0
BREAK: Final = 1
CONTINUE: Final = 2
MAYBE_BREAK: Final = 3
MAYBE_CONTINUE: Final = 4
"""How statements end: as usual, or leaving a loop, for certain or perhaps (in a branch that may not be taken)."""
