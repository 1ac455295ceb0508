"""The values that templates work on: Go's, as Python has them, with the places that they came from on the side.

Nil is None, Go's int and int64 are int, float64 (every number of a values file) is float, maps are `Map` or dict,
slices are `List` or list, and `Unknown` stands for what only the deployment knows. Places are a side matter: a function
that knows nothing of them works on plain values, and its result then comes from wherever its arguments came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from pyprod_audit.model import Span, Unknown, Via

Value: TypeAlias = Any
"""None, bool, int, float, str, list, dict, `Unknown`, or an object with methods (`Callables`)."""

Function: TypeAlias = Callable[..., Value]
"""Takes and returns values. Raises `TemplateError` where Go's returns an error."""


class TemplateError(Exception):
    """What makes the real engine stop: a wrong argument, `fail`, `required`.

    `span` is the action where it stopped; functions leave it away, the interpreter fills it in.
    """

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.span = span


class LimitReached(TemplateError):  # noqa: N818 - a limit, not a mistake
    """Rendering went past one of our own limits; Go's engine might well have gone on."""


class Int64(int):
    """An int64 where it differs from int (`kindOf`, `%T`, arguments of type int). Arithmetic gives int."""

    __slots__ = ()


class Piece(NamedTuple):
    """From `start` on, up to the next piece, a text was written at `span` of a template.

    `literal` says that it stands there as it is, character by character; else the span is the action that made it.
    """

    start: int
    span: Span
    literal: bool = False


class Text(str):
    """A string that knows where its parts were written."""

    __slots__ = ("pieces",)
    pieces: tuple[Piece, ...]

    def __new__(cls, text: str, pieces: Iterable[Piece] = ()) -> Self:
        """`pieces` are in order of `start`."""
        made = super().__new__(cls, text)
        made.pieces = tuple(pieces)
        return made


class Map(dict[str, Value]):
    """A map whose members may know where they were written; `open`: more keys may exist, for this reason.

    `go_type` is its type in Go; other types are subclasses. `nil` maps are empty, and written as null.
    """

    __slots__ = ("open", "places")
    go_type: ClassVar[str] = "map[string]interface {}"
    nil: ClassVar[bool] = False

    def __init__(
        self,
        members: Mapping[str, Value] | Iterable[tuple[str, Value]] = (),
        places: Mapping[str, tuple[Via, ...]] | None = None,
        open: Unknown | None = None,  # noqa: A002 - the word for it
    ) -> None:
        super().__init__(members)
        self.places: dict[str, tuple[Via, ...]] = dict(places or {})
        self.open = open


class NilMap(Map):
    """A map that was never made: `fromJson "null"`."""

    __slots__ = ()
    nil = True


class StringMap(Map):
    """A map[string]string, which `split` gives: no argument for functions that take a map[string]interface {}."""

    __slots__ = ()
    go_type = "map[string]string"


class ChartValues(Map):
    """`.Values` itself (maps inside of it are plain): deepEqual to no other type, and refused by `dig`."""

    __slots__ = ()
    go_type = "chartutil.Values"


class List(list[Value]):
    """A slice whose members may know where they were written.

    `go_type` is its type in Go; other types are subclasses. `nil` slices are empty, and written as null.
    """

    __slots__ = ("places",)
    go_type: ClassVar[str] = "[]interface {}"
    nil: ClassVar[bool] = False

    def __init__(self, members: Iterable[Value] = (), places: Mapping[int, tuple[Via, ...]] | None = None) -> None:
        super().__init__(members)
        self.places: dict[int, tuple[Via, ...]] = dict(places or {})


class NilList(List):
    """A slice that was never made: `rest` or `concat` of nothing."""

    __slots__ = ()
    nil = True


class Strings(List):
    """A []string: `splitList`, `keys`, `regexFindAll`, `sortAlpha`."""

    __slots__ = ()
    go_type = "[]string"


class NilStrings(Strings):
    """A []string that was never made: `regexFindAll` without a match."""

    __slots__ = ()
    nil = True


class Ints(List):
    """A []int: `until`."""

    __slots__ = ()
    go_type = "[]int"


class Lists(List):
    """A [][]interface {}: `chunk`."""

    __slots__ = ()
    go_type = "[][]interface {}"


class Maps(List):
    """A []map[string]interface {}: `fromToml` of an array of tables."""

    __slots__ = ()
    go_type = "[]map[string]interface {}"


class Callables:
    """An object of Go with methods that templates may call: `.Capabilities.APIVersions.Has`, `.Files.Get`."""

    def __init__(self, fields: Mapping[str, Value], methods: Mapping[str, Function]) -> None:
        self.fields = fields
        self.methods = methods
