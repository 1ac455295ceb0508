"""What templates take for true, and the values for which that cannot be said."""

from __future__ import annotations

from dataclasses import dataclass

from pyprod_audit.evaluate.gotemplate.marks import OPEN, certain_parts
from pyprod_audit.evaluate.gotemplate.values import Map, Value
from pyprod_audit.model import Unknown


@dataclass(frozen=True, slots=True)
class HalfKnown(Unknown):
    """An unknown value of which it is known whether it is true: what `and` and `or` give for some Unknown operands."""

    truth: bool = False


def truth(value: Value) -> bool | None:
    """Whether `if` takes the value for true: what is neither nil, false, zero nor empty. None: undecided."""
    if value is None or value is True or value is False:
        return bool(value)
    if isinstance(value, str):
        if OPEN not in value:
            return value != ""
        return True if any(certain_parts(value)) else None
    if isinstance(value, (int, float)):
        return value != 0
    if isinstance(value, dict):
        return True if value else None if isinstance(value, Map) and value.open is not None else False
    if isinstance(value, (list, tuple, bytes)):
        return len(value) > 0
    if isinstance(value, Unknown):
        return value.truth if isinstance(value, HalfKnown) else None
    return True
