"""Sprig's functions that choose by whether values are empty."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Placed, Registered, takes
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, BOOL, PARTLY, REST
from pyprod_audit.evaluate.gotemplate.truth import truth
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import TemplateError, Value
from pyprod_audit.model import Unknown


def _chosen(call: Call, values: tuple[Value, ...], at: int) -> Value:
    """An argument as the result: it came from where that argument came from."""
    return Placed(values[at], call.places[at]) if at < len(call.places) else values[at]


def _unsure(call: Call, value: Value) -> Unknown:
    """The result when it depends on whether `value` is empty."""
    if isinstance(value, Unknown):
        return Unknown(value.expression, value.because)
    return call.renderer.unknown_in(value) if isinstance(value, str) else Unknown("", PARTLY)


def _default(call: Call, *values: Value) -> Value:
    """`default`: the second argument unless it is empty (or not there)."""
    if len(values) < 2:
        return _chosen(call, values, 0)
    found = truth(values[1])
    if found is None:
        return _unsure(call, values[1])
    return _chosen(call, values, 1 if found else 0)


def _coalesce(call: Call, *values: Value) -> Value:
    """`coalesce`: the first that is not empty."""
    for at, value in enumerate(values):
        found = truth(value)
        if found is None:
            return _unsure(call, value)
        if found:
            return _chosen(call, values, at)
    return None


def _empty(call: Call, value: Value) -> Value:
    """`empty`."""
    found = truth(value)
    return _unsure(call, value) if found is None else not found


def _all(call: Call, *values: Value) -> Value:
    """`all`: whether none is empty."""
    found = [truth(value) for value in values]
    if False in found:
        return False
    return _unsure(call, values[found.index(None)]) if None in found else True


def _any(call: Call, *values: Value) -> Value:
    """`any`: whether one is not empty."""
    found = [truth(value) for value in values]
    if True in found:
        return True
    return _unsure(call, values[found.index(None)]) if None in found else False


def _ternary(call: Call, *values: Value) -> Value:
    """`ternary`: the first argument when the third is true, else the second."""
    condition = values[2]
    if isinstance(condition, Unknown):
        raise Undecided(Unknown(condition.expression, condition.because))
    if not isinstance(condition, bool):
        raise TemplateError("wrong type for value; expected bool")
    return _chosen(call, values, 0 if condition else 1)


@takes()
def hello() -> str:
    """`hello`."""
    return "Hello!"


DEFAULTS: Final[dict[str, Registered]] = {
    "default": Contextual(_default, takes=(ANY, REST)),
    "coalesce": Contextual(_coalesce, takes=(REST,)),
    "empty": Contextual(_empty, takes=(ANY,)),
    "all": Contextual(_all, takes=(REST,)),
    "any": Contextual(_any, takes=(REST,)),
    "ternary": Contextual(_ternary, takes=(ANY, ANY, BOOL)),
    "hello": hello,
}
