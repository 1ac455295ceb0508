"""Bodies of templates made into functions that run them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pyprod_audit.evaluate.gotemplate.branches import undecided
from pyprod_audit.evaluate.gotemplate.comparison import shown_type
from pyprod_audit.evaluate.gotemplate.expressions import pipeline
from pyprod_audit.evaluate.gotemplate.formatting import Inexact, show
from pyprod_audit.evaluate.gotemplate.frames import (
    BREAK,
    CONTINUE,
    DONE,
    MAYBE_BREAK,
    MAYBE_CONTINUE,
    NIL,
    Doubt,
    Frame,
    Placed,
    Places,
    Run,
)
from pyprod_audit.evaluate.gotemplate.syntax import (
    Action,
    Body,
    Branch,
    Chain,
    Definition,
    Invocation,
    Leave,
    Literal,
    Operand,
    Pipeline,
    Range,
    Statement,
)
from pyprod_audit.evaluate.gotemplate.truth import truth
from pyprod_audit.evaluate.gotemplate.values import Callables, List, Map, Value
from pyprod_audit.model import Span, Unknown, Via

NO_VALUE: Final = "<no value>"
"""What Go prints for nil."""


class Program:
    """A definition that can run; `frames` is how many of Python's frames it takes at most."""

    __slots__ = ("frames", "run")

    def __init__(self, definition: Definition) -> None:
        self.run = body(definition.body, definition)
        self.frames = _frames(definition.body)


def body(statements: Body, definition: Definition) -> Run:
    """Statements in a row."""
    steps = [statement(one, definition) for one in statements]
    if not steps:
        return lambda _frame: DONE
    if len(steps) == 1:
        return steps[0]

    def run(frame: Frame) -> int:
        for at, step in enumerate(steps):
            signal = step(frame)
            if signal:
                return signal if signal < MAYBE_BREAK else _perhaps(frame, signal, steps[at + 1 :])
        return DONE

    return run


def _perhaps(frame: Frame, signal: int, rest: list[Run]) -> int:
    """The statements behind one that may have left the loop."""

    def run(frame: Frame) -> int:
        for step in rest:
            left = step(frame)
            if left:
                return left
        return DONE

    undecided(frame, frame.doubt, [run, lambda _frame: DONE])
    return signal


def statement(node: Statement, definition: Definition) -> Run:
    """One statement."""
    match node:
        case Literal():
            return _literal(node, definition)
        case Action():
            return _action(node)
        case Branch():
            return _branch(node, definition)
        case Range():
            return _range(node, definition)
        case Invocation():
            return _invocation(node)
        case Leave():
            signal = BREAK if node.is_break else CONTINUE
            return lambda _frame: signal


def _literal(node: Literal, definition: Definition) -> Run:
    text = node.text
    source, first, last, own = definition.span(node.start, node.end)
    plain = Span(source, first, last, own)
    exact = definition.anchor is None

    def run(frame: Frame) -> int:
        if not frame.via:
            frame.write(text, plain, literal=exact)
        elif exact:
            frame.write(text, Span(source, first, last, frame.via), literal=True)
        else:
            frame.write(text, frame.span(node.start, node.end, ()))
        return DONE

    return run


def _action(node: Action) -> Run:
    evaluate = pipeline(node.pipeline)
    start, end = node.start, node.end
    if node.pipeline.variables:

        def declare(frame: Frame) -> int:
            frame.renderer.spend()
            evaluate(frame)
            return DONE

        return declare

    def run(frame: Frame) -> int:
        frame.renderer.spend()
        value, via = evaluate(frame)
        if isinstance(value, str):
            frame.copy(value, start, end, via)
        else:
            frame.copy(_printed(frame, value, start, end, via), start, end, via)
        return DONE

    return run


def _printed(frame: Frame, value: Value, start: int, end: int, via: Places) -> str:
    """A value as an action prints it."""
    renderer = frame.renderer
    if value is None:
        return NO_VALUE
    span = frame.span(start, end, ())
    if isinstance(value, Unknown):
        return renderer.mark(value, span, via)
    if callable(value) and not isinstance(value, Callables):
        raise frame.error(f"can't print value of type {shown_type(value)}", start, end)
    try:
        return show(value, lambda unknown: renderer.mark(unknown, span, via))
    except Inexact as inexact:
        return renderer.mark(Unknown(span.text, str(inexact)), span, via)


def _branch(node: Branch, definition: Definition) -> Run:
    """`if` and `with`."""
    evaluate = pipeline(node.pipeline)
    inner = body(node.body, definition)
    otherwise = body(node.otherwise, definition)
    start, end = node.start, node.end
    if not node.is_with:

        def run_if(frame: Frame) -> int:
            frame.renderer.spend()
            count = len(frame.names)
            value, via = evaluate(frame)
            taken = truth(value)
            if taken is None:
                signal = undecided(frame, _way(frame, value, via, start, end), [inner, otherwise])
            else:
                signal = inner(frame) if taken else otherwise(frame)
            frame.pop(count)
            return signal

        return run_if

    def run_with(frame: Frame) -> int:
        frame.renderer.spend()
        count = len(frame.names)
        value, via = evaluate(frame)
        taken = truth(value)
        if taken is None:
            way = _way(frame, value, via, start, end)
            signal = undecided(frame, way, [lambda frame: _within(frame, (value, via), inner), otherwise])
        else:
            signal = _within(frame, (value, via), inner) if taken else otherwise(frame)
        frame.pop(count)
        return signal

    return run_with


def _within(frame: Frame, dot: Placed, run: Run) -> int:
    """Runs with another dot."""
    before = frame.dot, frame.dot_via
    frame.dot, frame.dot_via = dot
    signal = run(frame)
    frame.dot, frame.dot_via = before
    return signal


def _way(frame: Frame, value: Value, via: Places, start: int, end: int) -> Doubt:
    """What is undecided at a condition."""
    span = frame.span(start, end, ())
    if isinstance(value, Unknown):
        unknown = Unknown(span.text, value.because)
    elif isinstance(value, str):
        unknown = Unknown(span.text, frame.renderer.unknown_in(value).because)
    else:
        unknown = Unknown(span.text, value.open.because if isinstance(value, Map) and value.open else "")
    return Doubt(unknown, span, via)


# -- range -----------------------------------------------------------------------------------------------------


class _Loop:
    """A `range`; `members` of what it goes over are (index or key, element, places)."""

    __slots__ = ("end", "inner", "otherwise", "start", "variables")

    def __init__(self, node: Range, definition: Definition) -> None:
        self.inner = body(node.body, definition)
        self.otherwise = body(node.otherwise, definition)
        self.variables = node.pipeline.variables
        self.start, self.end = node.start, node.end

    def turn(self, frame: Frame, key: Value, element: Value, places: Places) -> int:
        """One iteration."""
        frame.renderer.spend()
        count = len(frame.names)
        dot = NIL if element is None else element
        values = [(dot, places)] if len(self.variables) == 1 else [(key, places), (dot, places)]
        for name, value in zip(self.variables, values, strict=False):
            frame.values[frame.position(name, self.start, self.end)] = value
        signal = _within(frame, (dot, places), self.inner)
        frame.pop(count)
        return signal

    def turns(self, frame: Frame, members: Iterator[tuple[Value, Value, Places]]) -> int:
        """All iterations; after one that may have left the loop, the others are undecided."""
        for key, element, places in members:
            signal = self.turn(frame, key, element, places)
            if signal == BREAK:
                return BREAK
            if signal == MAYBE_BREAK:
                undecided(frame, frame.doubt, [lambda frame: self.turns(frame, members), lambda _frame: DONE])
                return DONE
        return DONE

    def perhaps(self, frame: Frame, way: Doubt, rest: Run) -> None:
        """Members that are not known: none, or any number of those that the body writes for an Unknown one."""

        def once(frame: Frame) -> int:
            signal = self.turn(frame, way.unknown, way.unknown, way.via)
            return DONE if signal in (BREAK, CONTINUE, MAYBE_BREAK, MAYBE_CONTINUE) else signal

        undecided(frame, way, [once, rest], repeats=True)


def _range(node: Range, definition: Definition) -> Run:
    evaluate = pipeline(node.pipeline)
    loop = _Loop(node, definition)
    start, end = node.start, node.end
    two = len(node.pipeline.variables) > 1

    def run(frame: Frame) -> int:
        frame.renderer.spend()
        count = len(frame.names)
        value, via = evaluate(frame)
        if isinstance(value, Unknown):
            loop.perhaps(frame, _way(frame, value, via, start, end), loop.otherwise)
            frame.pop(count)
            return DONE
        if isinstance(value, int) and not isinstance(value, bool) and two:
            raise frame.error(f"can't use {value} to iterate over more than one variable", start, end)
        members = _members(value, via)
        if members is None:
            raise frame.error(f"range can't iterate over {_shown(value)}", start, end)
        signal = DONE
        is_open = isinstance(value, Map) and value.open is not None
        if truth(value) and not (isinstance(value, int) and value < 0):
            loop.turns(frame, iter(members))
            if is_open:
                loop.perhaps(frame, _way(frame, value, via, start, end), lambda _frame: DONE)
        elif is_open:
            loop.perhaps(frame, _way(frame, value, via, start, end), loop.otherwise)
        else:
            signal = loop.otherwise(frame)
        frame.pop(count)
        return signal

    return run


def _shown(value: Value) -> str:
    try:
        return str(show(value, lambda _unknown: "?"))
    except Inexact:
        return shown_type(value)


def _members(value: Value, via: Places) -> Iterable[tuple[Value, Value, Places]] | None:
    """What a range goes over; None for what it cannot go over."""
    if isinstance(value, dict):
        places: Any = value.places if isinstance(value, Map) else {}
        return [(key, value[key], places.get(key, via)) for key in sorted(value, key=str)]
    if isinstance(value, (list, tuple, bytes)):
        places = value.places if isinstance(value, List) else {}
        return [(at, element, places.get(at, via)) for at, element in enumerate(value)]
    if isinstance(value, int) and not isinstance(value, bool):
        return ((None, at, via) for at in range(value))
    return [] if value is None else None


def _invocation(node: Invocation) -> Run:
    evaluate = pipeline(node.pipeline) if node.pipeline is not None else None
    start, end, name = node.start, node.end, node.name

    def run(frame: Frame) -> int:
        renderer = frame.renderer
        renderer.spend()
        if name not in renderer.templates:
            raise frame.error(f'template "{name}" not defined', start, end)
        data, via = evaluate(frame) if evaluate is not None else (None, ())
        output = renderer.invoke(name, data, via, (Via(frame.definition.span(start, end), INCLUDED), *frame.via))
        frame.copy(output, start, end, via)
        return DONE

    return run


INCLUDED: Final = "included here"
"""What the action is that includes a template."""


# -- depth -----------------------------------------------------------------------------------------------------


def _frames(statements: Body) -> int:
    """How many frames of Python's stack the statements take at most, those of called functions set at 8."""
    most = 0
    for node in statements:
        match node:
            case Branch() | Range():
                inner = 4 + max(_frames(node.body), _frames(node.otherwise))
                most = max(most, inner, 2 + _deep(node.pipeline))
            case Action():
                most = max(most, 1 + _deep(node.pipeline))
            case Invocation():
                most = max(most, 4 + (_deep(node.pipeline) if node.pipeline is not None else 0))
    return most + 1


def _deep(node: Pipeline | Operand) -> int:
    most = 8
    if isinstance(node, Chain):
        return 2 + _deep(node.operand)
    if isinstance(node, Pipeline):
        for command in node.commands:
            for one in command.operands:
                if isinstance(one, (Chain, Pipeline)):
                    most = max(most, 4 + _deep(one))
    return most
