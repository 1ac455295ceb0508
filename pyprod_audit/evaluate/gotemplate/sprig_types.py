"""The types of parameters in Go, by the names that `functions.takes` knows, and what Sprig asks about values."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.formatting import Inexact, show
from pyprod_audit.evaluate.gotemplate.functions import Call
from pyprod_audit.evaluate.gotemplate.marks import is_marked
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import Callables, Int64, List, Map, TemplateError, Value
from pyprod_audit.model import Unknown

STRING: Final = "string"
STRINGS: Final = "...string"
INT: Final = "int"
INTS: Final = "...int"
FLOATS: Final = "...float64"
BOOL: Final = "bool"
ANY: Final = "interface {}"
REST: Final = "...interface {}"
MAP: Final = "map[string]interface {}"
MAPS: Final = "...map[string]interface {}"

PARTLY: Final = "part of it is known only when deployed"


class Object(Callables):
    """A value of a Go type with methods: `text` is what its String gives (None: not known), `go_type` its type."""

    def __init__(self, methods: dict[str, Value], text: str | None, go_type: str, kind: str) -> None:
        super().__init__({}, methods)
        self.text = text
        self.go_type = go_type
        self.kind = kind


def unknown_methods(*names: str) -> dict[str, Value]:
    """Methods that exist, but are not implemented: their results are Unknown."""
    return {name: lambda *_, name=name: Unknown(name, f"the method {name} is not followed") for name in names}


class Uint64(int):
    """A uint64: what the methods of versions give."""

    __slots__ = ()


def need_whole(*texts: str) -> None:
    """Raises `Undecided` when one of the texts has a mark in it."""
    if any(is_marked(text) for text in texts):
        raise Undecided(Unknown("", PARTLY))


def strval(call: Call, value: Value) -> str:
    """A value as `toString` writes it; Unknown as its mark."""
    if isinstance(value, Object):
        if value.text is None:
            raise Undecided(Unknown("toString", "it depends on the clock of the machine"))
        return value.text
    try:
        return show(value, call.mark)
    except Inexact as inexact:
        raise Undecided(Unknown("toString", str(inexact))) from inexact


def type_of(value: Value) -> str:
    """The type of a value in Go, as %T writes it. Raises `Undecided` for objects of the engine."""
    if isinstance(value, (Map, List, Object)):
        return value.go_type
    if value is None:
        return "<nil>"
    for known, name in _TYPES:
        if isinstance(value, known):
            return name
    raise Undecided(Unknown("typeOf", "it is a type of the engine"))


_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"),
    (Int64, "int64"),
    (Uint64, "uint64"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (dict, "map[string]interface {}"),
    (list, "[]interface {}"),
    (bytes, "[]uint8"),
)


def kind_of(value: Value) -> str:
    """The kind of a value in Go: "map", "slice", "string", "int64", "invalid" for nil."""
    if isinstance(value, dict):
        return "map"
    if isinstance(value, (list, bytes)):
        return "slice"
    if isinstance(value, Object):
        return value.kind
    return "invalid" if value is None else type_of(value)


def items_of(value: Value, verb: str) -> list[Value]:
    """The members of a slice; `verb` is for the error about anything else."""
    if isinstance(value, list):
        return value
    if value is None:
        raise TemplateError("runtime error: invalid memory address or nil pointer dereference")
    raise TemplateError(f"Cannot {verb} type {kind_of(value)}")
