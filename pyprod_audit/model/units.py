"""Quantities, durations and percentages as the technologies write them."""

from __future__ import annotations

import re

from pyprod_audit.model.patterns import lazy

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_QUANTITY = lazy(r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?")
_DURATION_UNITS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
    "M": 2592000.0, "y": 31536000.0,
}  # fmt: skip
_DURATION = lazy(r"([0-9]+(?:\.[0-9]+)?)\s*(ns|us|µs|ms|min|[smhdwMy])?\s*")


def quantity(value: object) -> float:
    """A Kubernetes quantity (`512Mi`, `100m`, `1e3`, 2) in bytes, cores or units. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError(f"not a quantity: {value!r}")
    if isinstance(value, (int, float)):
        return float(value)
    found = _QUANTITY.fullmatch(str(value).strip()[:64])
    if not found:
        raise ValueError(f"not a quantity: {value!r}")
    number, suffix, exponent = found.groups()
    if exponent:
        return float(number) * 10.0 ** int(exponent)
    return float(number) * (_BINARY[suffix] if suffix in _BINARY else _DECIMAL[suffix or ""])


def duration(value: object, unit: str = "s") -> float:
    """A duration (`30s`, `1m30s`, `500ms`, `1d`, 30) in seconds; a bare number counts in `unit`. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError(f"not a duration: {value!r}")
    if isinstance(value, (int, float)):
        return float(value) * _DURATION_UNITS[unit]
    text = str(value).strip()[:64].replace("µ", "u")
    total, at = 0.0, 0
    while at < len(text):
        found = _DURATION.match(text, at)
        if not found:
            break
        total += float(found[1]) * _DURATION_UNITS[found[2] or unit]
        at = found.end()
    if not text or at < len(text):
        raise ValueError(f"not a duration: {value!r}")
    return total


def percentage(value: object) -> float | None:
    """`25%` as 0.25; None when the value is not a percentage."""
    found = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%\s*", str(value)[:32])
    return float(found[1]) / 100 if found else None


def measure(value: object) -> float:
    """Any of the three as one comparable number: percentages, then quantities, then durations. Raises ValueError."""
    share = percentage(value)
    if share is not None:
        return share
    try:
        return quantity(value)
    except ValueError:
        return duration(value)


def in_words(seconds: float) -> str:
    """Seconds for people: `30 s`, `1.5 s`, `5 min`."""
    return f"{seconds / 60:g} min" if seconds >= 300 and seconds % 60 == 0 else f"{seconds:g} s"
