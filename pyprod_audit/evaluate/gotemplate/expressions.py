"""Pipelines made into functions that evaluate them.

Facts from text/template/exec.go of Go 1.26: what a field of nil is, which nil counts as none, how arguments are passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pyprod_audit.evaluate.gotemplate.builtin_functions import SHORT_CIRCUIT, missing
from pyprod_audit.evaluate.gotemplate.calls import Argument, call, call_method
from pyprod_audit.evaluate.gotemplate.comparison import shown_type
from pyprod_audit.evaluate.gotemplate.frames import NIL, Evaluate, Frame, Placed, Places
from pyprod_audit.evaluate.gotemplate.syntax import (
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Name,
    Nil,
    Numeric,
    Operand,
    Pipeline,
    Variable,
)
from pyprod_audit.evaluate.gotemplate.text import union
from pyprod_audit.evaluate.gotemplate.truth import HalfKnown, truth
from pyprod_audit.evaluate.gotemplate.values import Callables, LimitReached, Map, TemplateError, Value
from pyprod_audit.model import Unknown

Stage: TypeAlias = Callable[[Frame, Placed | None], Placed]
"""A command: gets the result of the one before it, or None when it is the first."""

_NOTHING: Final[Places] = ()


def pipeline(node: Pipeline) -> Evaluate:
    """A pipeline, which sets its variables."""
    stages = [command(one) for one in node.commands]
    first, rest = stages[0], stages[1:]
    if not rest and not node.variables:
        return lambda frame: first(frame, None)

    def evaluate(frame: Frame) -> Placed:
        value = first(frame, None)
        for stage in rest:
            value = stage(frame, value)
        for name in node.variables:
            if node.assigns:
                frame.values[frame.position(name, node.start, node.end)] = value
            else:
                frame.push(name, *value)
        return value

    return evaluate


def command(node: Command) -> Stage:
    """A command of a pipeline."""
    first, *others = node.operands
    if isinstance(first, Name):
        return _function(first, others, node)
    if isinstance(first, (Field, Variable, Chain)) and (not isinstance(first, Variable) or first.names):
        return _fields(first, others, node)
    evaluate = operand(first)
    shown = "nil is not a command" if isinstance(first, Nil) else ""

    def run(frame: Frame, final: Placed | None) -> Placed:
        if others or final is not None:
            raise frame.error("can't give argument to non-function", node.start, node.end)
        if shown:
            raise frame.error(shown, node.start, node.end)
        return evaluate(frame)

    return run


# -- operands --------------------------------------------------------------------------------------------------


def operand(node: Operand) -> Evaluate:
    """An operand as a value of its own, as arguments are."""
    match node:
        case Pipeline():
            return pipeline(node)
        case Dot():
            return _dot
        case Nil():
            return _constant(None)
        case Constant():
            return _constant(Unknown(node.written, "it is not UTF-8") if node.value is None else node.value)
        case Numeric():
            return _numeric(node)
        case Variable() if not node.names:
            return _variable(node)
        case Name():
            stage = _function(node, (), Command(node.start, node.end, (node,)))
            return lambda frame: stage(frame, None)
    chain = _fields(node, (), Command(node.start, node.end, (node,)))
    return lambda frame: chain(frame, None)


def _dot(frame: Frame) -> Placed:
    return (None if frame.dot is NIL else frame.dot), frame.dot_via


def _constant(value: Value) -> Evaluate:
    found = (value, _NOTHING)
    return lambda _frame: found


def _numeric(node: Numeric) -> Evaluate:
    number = node.number
    if number.looks_float and number.floating is not None:
        return _constant(number.floating)
    if number.integer is not None:
        return _constant(number.integer)
    if number.floating is None:
        return _constant(Unknown(number.text, "it is a complex number"))

    def overflow(frame: Frame) -> Placed:
        raise frame.error(f"{number.text} overflows int", node.start, node.end)

    return overflow


def _variable(node: Variable) -> Evaluate:
    def evaluate(frame: Frame) -> Placed:
        found = frame.values[frame.position(node.name, node.start, node.end)]
        return (None, found[1]) if found[0] is NIL else found

    return evaluate


# -- fields ----------------------------------------------------------------------------------------------------


def _fields(node: Field | Variable | Chain, others: Sequence[Operand], whole: Command) -> Stage:
    """Fields of fields; the last one may be a method, which gets the arguments."""
    arguments = [argument(one) for one in others]
    head = _head(node)
    *path, last = node.names
    start, end = node.start, node.end

    def run(frame: Frame, final: Placed | None) -> Placed:
        value, via = head(frame)
        is_nil = value is NIL
        for name in path:
            value, via, is_nil = _step(frame, value, via, is_nil, name, whole)
        if type(value) is not Callables and not isinstance(value, Callables):
            if (arguments or final is not None) and value is not None and not isinstance(value, Unknown):
                raise frame.error(f"{last} is not a method but has arguments", start, end)
        elif last in value.methods:
            return call_method(frame, last, value.methods[last], arguments, final, whole)
        elif arguments or final is not None:
            raise frame.error(f"{last} has arguments but cannot be invoked as function", start, end)
        value, via, _ = _step(frame, value, via, is_nil, last, whole)
        return value, via

    return run


def _head(node: Field | Variable | Chain) -> Evaluate:
    if isinstance(node, Field):
        return lambda frame: (frame.dot, frame.dot_via)
    if isinstance(node, Variable):
        return lambda frame: frame.values[frame.position(node.name, node.start, node.end)]
    if isinstance(node.operand, Nil):

        def refuse(frame: Frame) -> Placed:
            raise frame.error("indirection through explicit nil", node.start, node.end)

        return refuse
    return operand(node.operand)


def _step(
    frame: Frame, value: Value, via: Places, is_nil: bool, name: str, node: Command
) -> tuple[Value, Places, bool]:
    """One field. `is_nil` says of None that it is a nil member, whose fields are an error; other nils have nil ones."""
    if isinstance(value, dict):
        if name in value:
            found = value[name]
            places = value.places.get(name, via) if isinstance(value, Map) else via
            return found, places, found is None
        found = missing(value)
        if found is None and frame.renderer.missing_key == "error":
            raise frame.error(f'map has no entry for key "{name}"', node.start, node.end)
        return found, via if isinstance(found, Unknown) else _NOTHING, frame.renderer.missing_key == "zero"
    if value is None or value is NIL:
        if is_nil:
            raise frame.error(f"nil pointer evaluating interface {{}}.{name}", node.start, node.end)
        if frame.renderer.missing_key == "error":
            raise frame.error(f'nil data; no entry for key "{name}"', node.start, node.end)
        return None, via, False
    if isinstance(value, Unknown):
        return value, via, False
    if isinstance(value, Callables):
        if name in value.methods:
            found, via = call_method(frame, name, value.methods[name], (), None, node)
            return found, via, False
        if name in value.fields:
            fields = value.fields
            return fields[name], fields.places.get(name, via) if isinstance(fields, Map) else via, False
    raise frame.error(f"can't evaluate field {name} in type {shown_type(value)}", node.start, node.end)


# -- functions -------------------------------------------------------------------------------------------------


def argument(node: Operand) -> Argument:
    """An operand that is passed to a function; constants take the type of the parameter."""
    is_member = isinstance(node, (Field, Chain)) or (isinstance(node, Variable) and bool(node.names))
    return Argument(operand(node), node if isinstance(node, (Constant, Nil, Numeric)) else None, is_member)


def _function(name: Name, others: Sequence[Operand], node: Command) -> Stage:
    arguments = [argument(one) for one in others]
    called = name.name

    def run(frame: Frame, final: Placed | None) -> Placed:
        return call(frame, called, arguments, final, node)

    if called not in SHORT_CIRCUIT:
        return run
    decided_by = called == "or"

    def short_circuit(frame: Frame, final: Placed | None) -> Placed:
        if called in frame.renderer.functions:
            return run(frame, final)
        return _short_circuit(frame, decided_by, arguments, final, node)

    return short_circuit


def _short_circuit(
    frame: Frame, decided_by: bool, arguments: Sequence[Argument], final: Placed | None, node: Command
) -> Placed:
    """`and` and `or`: the first operand that decides, else the last one.

    After an undecided operand the others are looked at for whether they decide. One that fails then shows that the real
    engine, which does render this chart, does not get as far.
    """
    count = len(arguments) + (final is not None)
    if not count:
        name = "or" if decided_by else "and"
        raise frame.error(f"wrong number of args for {name}: want at least 1 got 0", node.start, node.end)
    doubt: Placed | None = None
    value: Placed = (None, _NOTHING)
    for at in range(count):
        try:
            value = arguments[at].evaluate(frame) if at < len(arguments) else final or value
        except LimitReached:
            raise
        except TemplateError:
            if doubt is None:
                raise
            return _half(doubt, decided_by)
        taken = truth(value[0])
        if taken is decided_by:
            return value if doubt is None else _half((doubt[0], union(doubt[1], value[1])), decided_by)
        if taken is None and at + 1 < count:
            doubt = doubt or value
    if doubt is None:
        return value
    unknown = _unknown(doubt[0])
    return Unknown(unknown.expression, unknown.because), union(doubt[1], value[1])


def _half(value: Placed, taken: bool) -> Placed:
    unknown = _unknown(value[0])
    return HalfKnown(unknown.expression, unknown.because, taken), value[1]


def _unknown(value: Value) -> Unknown:
    return value if isinstance(value, Unknown) else Unknown("", "part of it is known only when deployed")
