"""The functions that every template has: indexing, printing, escaping, and the comparisons.

`and` and `or`, which do not evaluate all of their operands, are the interpreter's. Facts from text/template/funcs.go of
Go 1.26. Errors have Go's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote_plus

from pyprod_audit.evaluate.gotemplate.comparison import eq, ge, gt, le, lt, ne, shown_type
from pyprod_audit.evaluate.gotemplate.formatting import Inexact, sprint, sprintln
from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Placed, Registered, lenient, takes
from pyprod_audit.evaluate.gotemplate.marks import OPEN
from pyprod_audit.evaluate.gotemplate.printf import sprintf
from pyprod_audit.evaluate.gotemplate.text import cut
from pyprod_audit.evaluate.gotemplate.truth import truth
from pyprod_audit.evaluate.gotemplate.values import Callables, List, Map, StringMap, TemplateError, Value
from pyprod_audit.model import Unknown, Via

# -- truth and indexing --------------------------------------------------------------------------------


@lenient
@takes("reflect.Value")
def negation(value: Value) -> Value:
    """`not`."""
    found = truth(value)
    if found is not None:
        return not found
    return value if isinstance(value, Unknown) else Unknown("", "it may be empty")


def _position(index: Value, size: int) -> int:
    if index is None:
        raise TemplateError("cannot index slice/array with nil")
    if not isinstance(index, int) or isinstance(index, bool):
        raise TemplateError(f"cannot index slice/array with type {shown_type(index)}")
    if index < 0 or index > size:
        raise TemplateError(f"index out of range: {index}")
    return index


def _member(item: Value, index: Value) -> Value:
    """One step of `index`."""
    if item is None:
        raise TemplateError("index of nil pointer")
    if isinstance(item, dict):
        return _entry(item, index)
    if isinstance(item, (list, tuple, bytes)):
        position = _position(index, len(item))
        if position == len(item):
            raise TemplateError("reflect: slice index out of range")
        return item[position]
    if isinstance(item, str):
        data = item.encode("utf-8", "surrogatepass")
        position = _position(index, len(data))
        if position == len(data):
            raise TemplateError("reflect: string index out of range")
        return data[position]
    raise TemplateError(f"can't index item of type {shown_type(item)}")


def _entry(item: Value, key: Value) -> Value:
    if key is None:
        raise TemplateError("value is nil; should be of type string")
    if not isinstance(key, str):
        raise TemplateError(f"value has type {shown_type(key)}; should be string")
    return item[key] if key in item else missing(item)


def missing(item: Value) -> Value:
    """What a map has under a key that is not there."""
    if isinstance(item, Map) and item.open is not None:
        return item.open
    return "" if isinstance(item, StringMap) else None


def places_of(item: Value, key: Value, whole: tuple[Via, ...]) -> tuple[Via, ...]:
    """The places of a member; without any of its own those of the container, `whole`."""
    if isinstance(item, Map):
        return item.places.get(key, whole)
    return item.places.get(key, whole) if isinstance(item, List) else whole


def _index(call: Call, *values: Value) -> Value:
    """`index`: a member, or a member of a member, and so on."""
    if not values:
        raise TemplateError("wrong number of args for index: want at least 1 got 0")
    item = values[0]
    if item is None:
        raise TemplateError("index of untyped nil")
    via = call.places[0] if call.places else ()
    for index in values[1:]:
        if isinstance(item, Unknown):
            return Placed(item, via)
        if isinstance(index, Unknown):
            return index
        if any(isinstance(text, str) and OPEN in text for text in (item, index)):
            return Unknown("", "part of it is known only when deployed")
        item, container = _member(item, index), item
        via = places_of(container, index, via)
    return Placed(item, via)


def _slice(_call: Call, *values: Value) -> Value:
    """`slice`: a part of a string or slice; offsets into a string count bytes."""
    if not values:
        raise TemplateError("wrong number of args for slice: want at least 1 got 0")
    item, *indexes = values
    for value in values:
        if isinstance(value, Unknown):
            return value
    if item is None:
        raise TemplateError("slice of untyped nil")
    if len(indexes) > 3:
        raise TemplateError(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, (str, list, tuple, bytes)):
        raise TemplateError(f"can't slice item of type {shown_type(item)}")
    if isinstance(item, str):
        if len(indexes) == 3:
            raise TemplateError("cannot 3-index slice a string")
        return _slice_text(item, indexes)
    # The capacity of a slice, up to which Go lets one go, is not known here.
    if any(isinstance(index, int) and index > len(item) for index in indexes):
        return Unknown("", "it reaches into the capacity of a slice")
    start, end = _bounds(indexes, len(item))
    part = item[start:end]
    if type(item) is not List:
        return part
    places = {at - start: via for at, via in item.places.items() if start <= at < end}
    return List(part, places)


def _bounds(indexes: Sequence[Value], size: int) -> tuple[int, int]:
    bounds = [_position(index, size) for index in indexes]
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else size
    if start > end:
        raise TemplateError(f"invalid slice index: {start} > {end}")
    if len(bounds) > 2 and end > bounds[2]:
        raise TemplateError(f"invalid slice index: {end} > {bounds[2]}")
    return start, end


def _slice_text(text: str, indexes: Sequence[Value]) -> Value:
    if OPEN in text:
        return Unknown("", "part of it is known only when deployed")
    if text.isascii():
        start, end = _bounds(indexes, len(text))
        return cut(text, start, end)
    data = text.encode("utf-8", "surrogatepass")
    start, end = _bounds(indexes, len(data))
    try:
        return data[start:end].decode()
    except UnicodeDecodeError:
        return Unknown("", "it ends inside of a character")


@takes("reflect.Value")
def length(item: Value) -> Value:
    """`len`; of a string in bytes."""
    if isinstance(item, str):
        return len(item) if item.isascii() else len(item.encode("utf-8", "surrogatepass"))
    if isinstance(item, (dict, list, tuple, bytes)):
        return item.open if isinstance(item, Map) and item.open is not None else len(item)
    if item is None:
        raise TemplateError("call of reflect.Value.Type on zero Value")
    raise TemplateError(f"len of type {shown_type(item)}")


# -- printing --------------------------------------------------------------------------------------------------


def _print(call: Call, *values: Value) -> Value:
    """`print`."""
    try:
        return sprint(values, call.mark)
    except Inexact as inexact:
        return Unknown("print", str(inexact))


def _println(call: Call, *values: Value) -> Value:
    """`println`."""
    try:
        return sprintln(values, call.mark)
    except Inexact as inexact:
        return Unknown("println", str(inexact))


def _printf(call: Call, form: Value, *values: Value) -> Value:
    """`printf`."""
    if isinstance(form, Unknown):
        return form
    try:
        return sprintf(form, values, call.mark)
    except Inexact as inexact:
        return Unknown("printf", str(inexact))


# -- escaping --------------------------------------------------------------------------------------------------


def _joined(values: Sequence[Value]) -> str:
    """The operands as one text, nil as the word that an action prints for it."""
    if len(values) == 1 and isinstance(values[0], str):
        return str(values[0])
    return str(sprint(["<no value>" if value is None else value for value in values], _no_mark))


def _no_mark(unknown: Unknown) -> str:
    raise Inexact(unknown.because)


_HTML: Final = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"},
)
_JS: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"},
)


def html(*values: Value) -> Value:
    """`html`: safe in HTML."""
    try:
        return _joined(values).translate(_HTML)
    except Inexact as inexact:
        return Unknown("html", str(inexact))


def js(*values: Value) -> Value:
    """`js`: safe in a string of JavaScript."""
    try:
        text = _joined(values).translate(_JS)
    except Inexact as inexact:
        return Unknown("js", str(inexact))
    return "".join([char if " " <= char <= "~" else _js_escaped(char) for char in text])


def _js_escaped(char: str) -> str:
    return char if char.isprintable() or char == "\x7f" else f"\\u{ord(char):04X}"


def urlquery(*values: Value) -> Value:
    """`urlquery`: safe in the query of a URL."""
    try:
        # Go escapes "~" no more than RFC 3986 asks for, as Python does.
        return quote_plus(_joined(values).encode("utf-8", "surrogatepass"), safe="")
    except Inexact as inexact:
        return Unknown("urlquery", str(inexact))


def _called(_call: Call, *values: Value) -> Value:
    """`call`: a function that is a value."""
    if not values:
        raise TemplateError("wrong number of args for call: want at least 1 got 0")
    function, *arguments = values
    for value in values:
        if isinstance(value, Unknown):
            return value
    if function is None:
        raise TemplateError("call of nil")
    if not callable(function) or isinstance(function, Callables):
        raise TemplateError(f"non-function of type {shown_type(function)}")
    return function(*arguments)


BUILTINS: Final[Mapping[str, Registered]] = {
    "call": Contextual(_called),
    "eq": eq,
    "ge": ge,
    "gt": gt,
    "html": html,
    "index": Contextual(_index),
    "js": js,
    "le": le,
    "len": length,
    "lt": lt,
    "ne": ne,
    "not": negation,
    "print": Contextual(_print),
    "printf": Contextual(_printf, takes=("string", "...interface {}")),
    "println": Contextual(_println),
    "slice": Contextual(_slice),
    "urlquery": urlquery,
}
"""By name, without `and` and `or`."""

SHORT_CIRCUIT: Final = frozenset({"and", "or"})
"""Builtin functions that the interpreter evaluates itself."""
