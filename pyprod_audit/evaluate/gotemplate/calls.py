"""Calls of functions: Unknown arguments, Go's rules for the types of arguments, and what functions get to know."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.builtin_functions import BUILTINS
from pyprod_audit.evaluate.gotemplate.comparison import shown_type
from pyprod_audit.evaluate.gotemplate.frames import Evaluate, Frame, Placed, Places
from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Registered
from pyprod_audit.evaluate.gotemplate.functions import Placed as PlacedResult
from pyprod_audit.evaluate.gotemplate.marks import OPEN
from pyprod_audit.evaluate.gotemplate.syntax import Command, Constant, Nil, Numeric
from pyprod_audit.evaluate.gotemplate.text import union
from pyprod_audit.evaluate.gotemplate.truth import HalfKnown
from pyprod_audit.evaluate.gotemplate.values import Function, Int64, List, Map, StringMap, TemplateError, Text, Value
from pyprod_audit.model import Unknown


class Argument(NamedTuple):
    """An argument: how to evaluate it, and the node of a constant, which takes the type of the parameter.

    `is_member` says of nil that it is a member of a map, which is no map or slice to Go; other nils are empty ones.
    """

    evaluate: Evaluate
    constant: Constant | Nil | Numeric | None
    is_member: bool


class Entry(NamedTuple):
    """A function with what it says about itself."""

    function: Function
    contextual: bool
    lenient: bool
    transparent: bool
    takes: tuple[str, ...] | None


def entry(registered: Registered) -> Entry:
    """What the interpreter needs to know of a function."""
    contextual = isinstance(registered, Contextual)
    return Entry(
        registered.function if isinstance(registered, Contextual) else registered,
        contextual,
        getattr(registered, "lenient", False),
        getattr(registered, "transparent", False),
        getattr(registered, "takes", None),
    )


def lookup(functions: Any, name: str) -> Entry | None:
    """The function of the name, builtin ones after all others."""
    registered = functions.get(name) or BUILTINS.get(name)
    return entry(registered) if registered is not None else None


def call(frame: Frame, name: str, arguments: Sequence[Argument], final: Placed | None, node: Command) -> Placed:
    """The result of a function, and its places."""
    found = frame.renderer.entry(name)
    values: list[Value] = []
    places: list[Places] = []
    via: Places = ()
    for argument in arguments:
        value, came = argument.evaluate(frame)
        values.append(value)
        places.append(came)
        if came:
            via = union(via, came)
    if final is not None:
        values.append(final[0])
        places.append(final[1])
        via = union(via, final[1])
    if found is None:
        return Unknown(name, f"the function {name} is not known here"), via
    if found.takes is not None:
        _convert(frame, name, found.takes, arguments, values, node)
    unknown = _undecided(frame, found, values, places, node)
    if unknown is not None:
        return unknown, via
    return _run(frame, name, found, values, places, via, node)


def call_method(
    frame: Frame, name: str, method: Function, arguments: Sequence[Argument], final: Placed | None, node: Command
) -> Placed:
    """The result of a method of an object."""
    found = entry(method)
    placed = [argument.evaluate(frame) for argument in arguments]
    if final is not None:
        placed.append(final)
    values = [value for value, _ in placed]
    via: Places = ()
    for _, came in placed:
        via = union(via, came)
    places = [came for _, came in placed]
    unknown = _undecided(frame, found, values, places, node)
    if unknown is not None:
        return unknown, via
    return _run(frame, name, found, values, places, via, node)


def _run(
    frame: Frame, name: str, found: Entry, values: list[Value], places: Sequence[Places], via: Places, node: Command
) -> Placed:
    renderer = frame.renderer
    renderer.spend()
    function = found.function
    try:
        if found.contextual:
            renderer.frame = frame
            span = frame.span(node.start, node.end, via)
            result = function(Call(renderer, span, places, renderer.undecided > 0), *values)
        else:
            result = function(*values)
    except TemplateError as error:
        if error.span is None:
            error.span = frame.span(node.start, node.end, ())
        raise
    except Exception as error:  # noqa: BLE001 - a function's own fault must not end the scan, nor be a wrong value
        if isinstance(error, TypeError) and not _fits(function, len(values) + found.contextual):
            raise frame.error(f"wrong number of args for {name}: got {len(values)}", node.start, node.end) from None
        return Unknown(name, f"the result of {name} is not known here"), via
    if type(result) is PlacedResult:
        result, via = result
    if isinstance(result, (str, list)):
        renderer.weigh(result)
    return result, via


def _undecided(
    frame: Frame, found: Entry, values: list[Value], places: Sequence[Places], node: Command
) -> Unknown | None:
    """The result of a function that is not called because of what its arguments are."""
    if found.lenient:
        return None
    if found.transparent and found.takes is not None:
        _write_out(frame, found.takes, values, places, node)
    for value in values:
        kind = type(value)
        if isinstance(value, Unknown):
            return Unknown(value.expression, value.because) if kind is HalfKnown else value
        if (kind is Text or kind is str) and OPEN in value and not found.transparent:
            return frame.renderer.unknown_in(value)
    return None


def _write_out(
    frame: Frame, types: tuple[str, ...], values: list[Value], places: Sequence[Places], node: Command
) -> None:
    """Unknown strings become marks for a function that keeps marks whole: what it adds to them is then certain."""
    for at, value in enumerate(values):
        if isinstance(value, Unknown) and types[min(at, len(types) - 1)].removeprefix("...") == "string":
            unknown = Unknown(value.expression, value.because)
            values[at] = frame.renderer.mark(unknown, frame.span(node.start, node.end, ()), places[at])


def _fits(function: Any, count: int) -> bool:
    """Whether a function takes this number of arguments."""
    while hasattr(function, "function"):
        function = function.function
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


# -- types -----------------------------------------------------------------------------------------------------


def _convert(
    frame: Frame, name: str, types: tuple[str, ...], arguments: Sequence[Argument], values: list[Value], node: Command
) -> None:
    """Checks `values` against the parameters, and gives constants and nil the type that is wanted."""
    count = len(values)
    variadic = bool(types) and types[-1].startswith("...")
    fixed = len(types) - variadic
    if count < fixed or (count > fixed and not variadic):
        least = "at least " if variadic else ""
        raise frame.error(f"wrong number of args for {name}: want {least}{fixed} got {count}", node.start, node.end)
    for at in range(count):
        wanted = types[at] if at < fixed else types[-1][3:]
        if wanted in _ANYTHING:
            continue
        value = values[at]
        constant, is_member = arguments[at][1:] if at < len(arguments) else (None, False)
        if constant is not None:
            values[at] = _constant(frame, wanted, constant, value)
        elif value is None:
            if wanted not in _NILS or (is_member and frame.renderer.missing_key == "zero"):
                message = f"wrong type for value; expected {wanted}; got interface {{}}"
                raise frame.error(message, node.start, node.end)
            values[at] = _NILS[wanted]()
        elif not isinstance(value, Unknown) and not _assignable(wanted, value):
            message = f"wrong type for value; expected {wanted}; got {shown_type(value)}"
            raise frame.error(message, node.start, node.end)


_ANYTHING: Final = frozenset({"interface {}", "reflect.Value"})
_NILS: Final[dict[str, type]] = {
    "[]interface {}": List,
    "[]string": List,
    "map[string]interface {}": Map,
    "map[string]string": StringMap,
    "[]uint8": bytes,
}
_ASSIGNABLE: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "int": (int,),
    "int64": (int,),
    "float64": (float,),
    "bool": (bool,),
    "[]interface {}": (list, tuple),
    "[]string": (list, tuple),
    "map[string]interface {}": (dict,),
    "map[string]string": (dict,),
    "[]uint8": (bytes,),
}


def _assignable(wanted: str, value: Value) -> bool:
    types = _ASSIGNABLE.get(wanted)
    if types is None:
        return True
    if isinstance(value, bool) and wanted != "bool":
        return False
    if wanted == "int" and isinstance(value, Int64):
        return False
    if isinstance(value, (List, Map)):
        return isinstance(value, types) and value.go_type in (wanted, "chartutil.Values")
    return isinstance(value, types)


def _constant(frame: Frame, wanted: str, constant: Constant | Nil | Numeric, value: Value) -> Value:
    """A constant as a value of the type that is wanted."""
    if isinstance(constant, Nil):
        if wanted in _NILS:
            return _NILS[wanted]()
        raise frame.error(f"cannot assign nil to {wanted}", constant.start, constant.end)
    if isinstance(constant, Constant):
        if wanted == ("bool" if isinstance(value, bool) else "string"):
            return value
        shown = constant.written
    else:
        number = constant.number
        if wanted == "float64" and number.floating is not None:
            return number.floating
        if wanted in ("int", "int64") and number.integer is not None:
            return Int64(number.integer) if wanted == "int64" else number.integer
        shown = number.text
    words = {"int": "integer", "int64": "integer", "float64": "float"}.get(wanted, wanted)
    raise frame.error(f"expected {words}; found {shown}", constant.start, constant.end)
