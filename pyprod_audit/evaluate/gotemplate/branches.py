"""Branches of which it is not known whether they are taken.

All of them are run to see what they write. Those that fail are not taken, because the chart is rendered in the end.
What all others write alike is written; where they differ, marks stand for it (see `shapes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.frames import (
    BREAK,
    DONE,
    MAYBE_BREAK,
    MAYBE_CONTINUE,
    NO_LINE,
    Doubt,
    Frame,
    Placed,
    Run,
)
from pyprod_audit.evaluate.gotemplate.shapes import common, outline
from pyprod_audit.evaluate.gotemplate.text import cut, union
from pyprod_audit.evaluate.gotemplate.values import LimitReached, Map, TemplateError, Text, Value
from pyprod_audit.model import Span, Unknown

_COST: Final = 20
"""How many steps an undecided branch counts for, because it takes as long."""


class _Outcome(NamedTuple):
    """What one branch did."""

    text: Text
    values: list[Placed]
    signal: int


def undecided(frame: Frame, way: Doubt, branches: Sequence[Run], *, repeats: bool = False) -> int:
    """Runs all branches and writes what is certain of them; `repeats`: the first one may run any number of times."""
    frame.renderer.steps += _COST + len(frame.values)
    outcomes: list[_Outcome] = []
    texts: list[Text] = []
    failure: TemplateError | None = None
    for at, branch in enumerate(branches):
        try:
            outcomes.append(_try(frame, branch))
            texts.append(outcomes[-1].text)
            if repeats and at == 0 and texts[0]:
                texts.append(Text(""))
        except LimitReached:
            raise
        except TemplateError as error:
            failure = failure or error
    if not outcomes:
        raise failure or TemplateError("no branch", way.span)
    _write(frame, way, texts)
    _merge(frame, way, outcomes)
    return _signal(frame, way, outcomes)


def _try(frame: Frame, branch: Run) -> _Outcome:
    """Runs a branch on its own output; the frame is as before afterwards."""
    renderer = frame.renderer
    out, pieces, size, line_start = frame.out, frame.pieces, frame.size, frame.line_start
    names, values = list(frame.names), list(frame.values)
    dot, frames = (frame.dot, frame.dot_via), renderer.frames
    prefix = frame.prefix
    frame.prefix = frame.line()
    frame.out, frame.pieces, frame.size, frame.line_start = [], [], 0, NO_LINE
    renderer.undecided += 1
    try:
        signal = branch(frame)
        return _Outcome(frame.text(), frame.values[: len(values)], signal)
    finally:
        renderer.undecided -= 1
        renderer.frames = frames
        frame.prefix = prefix
        frame.out, frame.pieces, frame.size, frame.line_start = out, pieces, size, line_start
        frame.names, frame.values = names, values
        frame.dot, frame.dot_via = dot


def _write(frame: Frame, way: Doubt, texts: list[Text]) -> None:
    if all(text == texts[0] for text in texts[1:]):
        frame.extend(texts[0])
        return
    head, tail = common(texts)
    first = texts[0]
    frame.extend(cut(first, 0, head))
    middles = [text[head : len(text) - tail] for text in texts]
    mark = frame.renderer.mark(way.unknown, way.span, way.via)
    drawn = outline(frame.line(), middles, mark)
    if drawn:
        frame.write(drawn, Span(*way.span[:3], union(way.via, way.span.via)))
    frame.extend(cut(first, len(first) - tail, len(first)))


def _merge(frame: Frame, way: Doubt, outcomes: Sequence[_Outcome]) -> None:
    """What the branches leave differently in a variable is Unknown."""
    for at in range(len(frame.values)):
        value, via = outcomes[0].values[at]
        for other in outcomes[1:]:
            if value is not other.values[at][0]:
                value = _either(value, other.values[at][0], Unknown(frame.names[at], way.unknown.because), 0)
                via = way.via if isinstance(value, Unknown) else via
        frame.values[at] = (value, via)


def _either(one: Value, other: Value, unknown: Unknown, depth: int) -> Value:
    """What is certain of a value that is one or the other: of maps the members that they have in common."""
    if one is other:
        return one
    if isinstance(one, (str, int, float)):
        return one if type(one) is type(other) and one == other else unknown
    if type(one) is not Map or type(other) is not Map or depth > _DEPTH:
        return unknown
    members = {key: _either(one[key], other[key], unknown, depth + 1) for key in one if key in other}
    is_open = len(members) < len(one) or len(members) < len(other) or one.open is not None or other.open is not None
    if not is_open and all(members[key] is one[key] for key in one):
        return one
    return Map(members, {**other.places, **one.places}, open=unknown if is_open else None)


_DEPTH: Final = 10
"""How deep maps are looked into for what they have in common."""


def _signal(frame: Frame, way: Doubt, outcomes: Sequence[_Outcome]) -> int:
    """How the statement ends when its branches end differently."""
    signals = {outcome.signal for outcome in outcomes}
    if len(signals) == 1:
        return signals.pop()
    frame.doubt = way
    signals.discard(DONE)
    return MAYBE_BREAK if signals & {BREAK, MAYBE_BREAK} else MAYBE_CONTINUE
