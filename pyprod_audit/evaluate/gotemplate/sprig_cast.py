"""Numbers of any value: spf13/cast 1.7.0, which gives 0 for what is no number."""

from __future__ import annotations

import math

from pyprod_audit.evaluate.gotemplate.go_numbers import MAX_INT64, MIN_INT64, parse_float, parse_int, wrap_int64
from pyprod_audit.evaluate.gotemplate.sprig_types import Object
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import Value
from pyprod_audit.model import Unknown


def to_int(value: Value) -> int:
    """cast.ToInt and cast.ToInt64. Raises `Undecided` for floats that do not fit, which depend on the processor."""
    if isinstance(value, int):
        return wrap_int64(int(value))
    if isinstance(value, float):
        if not math.isfinite(value) or not MIN_INT64 <= int(value) <= MAX_INT64:
            raise Undecided(Unknown("int64", "the number is out of range"))
        return int(value)
    if isinstance(value, str):
        return parse_int(_without_zero_decimals(value), 0) or 0
    if isinstance(value, Object):
        raise Undecided(Unknown("int64", f"it is a {value.go_type}"))
    return 0


def _without_zero_decimals(text: str) -> str:
    """Without a point and the zeros behind it: "8.00" is 8."""
    head = text.rstrip("0")
    return head[:-1] if head.endswith(".") and len(head) < len(text) else text


def to_float(value: Value) -> float:
    """cast.ToFloat64."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        number = parse_float(value)
        return 0.0 if number is None else number
    if isinstance(value, Object):
        raise Undecided(Unknown("float64", f"it is a {value.go_type}"))
    return 0.0
