"""What a function of templates may say about itself, and what it can ask of the interpreter.

Most functions are plain: values in, value out. The interpreter does not call a plain function when one of its arguments
is Unknown, or a text with a mark in it (see `marks.py`): the result is that Unknown. Three attributes change this:

- `lenient`: it is called all the same and deals with Unknown itself (`default`, `ternary`, `list`, `dict`, `toYaml`).
- `transparent`: texts with marks are passed to it, because it keeps them whole and decides nothing by them (`indent`,
  `quote`, `trim`). A top-level Unknown still is the result.
- `takes`: the types of its parameters in Go, for the errors that Go gives about arguments.

A function that needs more than its values is a `Contextual`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from pyprod_audit.evaluate.gotemplate.values import Function, Text, Value
from pyprod_audit.model import Span, Unknown, Via

F = TypeVar("F", bound=Callable[..., Any])


class Calling(Protocol):
    """What a `Contextual` function can do with the renderer that calls it (`Renderer` is the implementation)."""

    def include(self, name: str, data: Value, call: Call, places: tuple[Via, ...] = ()) -> Text:
        """The template `name` rendered with `data`; its text keeps its places, with the call's as `via`.

        Raises `TemplateError` when there is no such template, and what the template raises.
        """
        ...

    def expand(self, text: str, data: Value, call: Call, places: tuple[Via, ...] = ()) -> Text:
        """`text` parsed as a template and rendered with `data` (`tpl`); all of it is placed at the call.

        Definitions in `text` hold for its own includes only. Raises `TemplateError`, also for text that does not parse.
        """
        ...

    def mark(self, unknown: Unknown, span: Span, via: tuple[Via, ...] = ()) -> str:
        """The mark that stands for `unknown` in rendered text."""
        ...

    def unknown_in(self, text: str) -> Unknown:
        """What the first mark of a text stands for."""
        ...


class Call(NamedTuple):
    """One call of a `Contextual` function.

    `span` is the action that it stands in, with the places of all arguments as `via`; `places` are those of each
    argument. `undecided` says that the call stands in a branch that may not be taken: it must not change a value for
    good, so `set` writes an Unknown unless the value is the same.
    """

    renderer: Calling
    span: Span
    places: Sequence[tuple[Via, ...]] = ()
    undecided: bool = False

    def mark(self, unknown: Unknown, via: tuple[Via, ...] = ()) -> str:
        """The mark that stands for `unknown` in text that this call writes."""
        return self.renderer.mark(unknown, self.span, via or self.span.via)


class Placed(NamedTuple):
    """A result that did not come from all of the arguments: the member that `index` found, what `default` chose.

    Any function may return it; else the places of a result are those of all arguments.
    """

    value: Value
    places: tuple[Via, ...]


class Contextual:
    """A function called as `function(call, *arguments)`.

    It is lenient unless `lenient=False`: it must deal with Unknown arguments itself.
    """

    __slots__ = ("function", "lenient", "takes", "transparent")

    def __init__(
        self,
        function: Callable[..., Value],
        *,
        lenient: bool = True,
        transparent: bool = True,
        takes: tuple[str, ...] | None = None,
    ) -> None:
        self.function = function
        self.lenient = lenient
        self.transparent = transparent
        self.takes = takes

    def __call__(self, *arguments: Value) -> Value:
        """`arguments` begin with the `Call`."""
        return self.function(*arguments)


def lenient(function: F) -> F:
    """Called with Unknown arguments and texts with marks too."""
    function.lenient = True  # type: ignore[attr-defined]  # functions carry attributes; there is no type for it
    return function


def transparent(function: F) -> F:
    """Called with texts that have marks in them, which it leaves whole."""
    function.transparent = True  # type: ignore[attr-defined]  # as above
    return function


def takes(*types: str) -> Callable[[F], F]:
    """The types of the parameters as Go's signature has them.

    "string", "int", "int64", "float64", "bool", "interface {}", "[]interface {}", "[]string",
    "map[string]interface {}", "map[string]string", "[]uint8", or "reflect.Value" (anything); "..." before the last one
    makes it variadic. The interpreter then raises what Go raises for the wrong number or types of arguments.
    """

    def mark(function: F) -> F:
        function.takes = types  # type: ignore[attr-defined]  # as above
        return function

    return mark


Registered = Function | Contextual
