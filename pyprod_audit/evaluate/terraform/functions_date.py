"""Terraform's functions of times. Times are RFC 3339 texts; the verbs of `formatdate` are its own."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NamedTuple

from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.numbers import Counted
from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved, Value
from pyprod_audit.model.patterns import lazy

_MOMENT = lazy(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_DURATION = lazy(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_TOKEN = lazy(r"''|'(?:[^']|'')*'|'|([A-Za-z])\1*|[^'A-Za-z]+", re.DOTALL)
_NANOSECONDS: Final = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
_LONGEST_DURATION: Final = 1 << 63
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class _Moment(NamedTuple):
    """A time as it is written: the clock there, nanoseconds apart, and the offset of the clock in minutes."""

    clock: dt.datetime
    nanoseconds: int
    offset: int

    @property
    def absolute(self) -> tuple[dt.datetime, int]:
        """Something to compare times by."""
        return self.clock - dt.timedelta(minutes=self.offset), self.nanoseconds


def _moment(text: str) -> _Moment:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise Invalid("it is not a time of RFC 3339")
    zone = found[8]
    hours, minutes = (0, 0) if zone == "Z" else (int(zone[1:3]), int(zone[4:6]))
    if hours > 24 or minutes > 60:
        raise Invalid("it is not a time of RFC 3339")
    if hours > 23 or minutes > 59:
        raise Unresolved("the offset of the time is unusual")
    try:
        year, month, day, hour, minute, second = (int(found[at]) for at in range(1, 7))
        clock = dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (its offset is kept apart)
    except ValueError:
        if found[1] == "0000":
            raise Unresolved("the year is out of range") from None
        raise Invalid("it is not a time of RFC 3339") from None
    offset = hours * 60 + minutes
    return _Moment(clock, int((found[7] or ".0")[1:10].ljust(9, "0")), -offset if zone.startswith("-") else offset)


def _zone(offset: int, *, colon: bool) -> str:
    sign = "-" if offset < 0 else "+"
    return f"{sign}{abs(offset) // 60:02d}{':' if colon else ''}{abs(offset) % 60:02d}"


def _formatdate(_call: Call, pattern: str, text: str) -> Value:
    moment = _moment(text)
    made: list[str] = []
    for found in _TOKEN.finditer(pattern):
        token = found[0]
        if token.startswith("'"):
            if len(token) < 2 or not token.endswith("'"):
                raise Invalid("a quote is not closed")
            made.append(token[1:-1].replace("''", "'") or "'")
        elif found[1] is not None:
            made.append(_part(token, moment))
        else:
            made.append(token)
    return "".join(made)


def _part(verb: str, moment: _Moment) -> str:
    """What a verb of `formatdate` stands for."""
    clock = moment.clock
    numbers = {
        "D": clock.day, "h": clock.hour, "H": clock.hour % 12 or 12, "m": clock.minute, "s": clock.second,
        "M": clock.month,
    }  # fmt: skip
    letter, length = verb[0], len(verb)
    if letter in numbers and length < 3:
        return f"{numbers[letter]:0{length}d}"
    if verb in ("YYYY", "YY"):
        return f"{clock.year:04d}"[4 - length :]
    if verb in ("MMM", "MMMM"):
        name = _MONTHS[clock.month - 1]
        return name[:3] if length == 3 else name
    if verb in ("EEE", "EEEE"):
        name = _WEEKDAYS[clock.weekday()]
        return name[:3] if length == 3 else name
    if verb in ("AA", "aa"):
        half = "AM" if clock.hour < 12 else "PM"
        return half if letter == "A" else half.lower()
    if letter == "Z" and length in (1, 3, 4, 5):
        if length == 1:
            return "Z" if not moment.offset else _zone(moment.offset, colon=True)
        if length == 3 and not moment.offset:
            return "UTC"
        return _zone(moment.offset, colon=length == 5)
    raise Invalid("there is no such verb of dates")


def _duration(text: str) -> int:
    """A duration of Go's in nanoseconds."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    at = total = 0
    while at < len(body):
        found = _DURATION.match(body, at)
        if found is None:
            raise Invalid("it is not a duration")
        total += int(Fraction(found[1] if not found[1].endswith(".") else found[1] + "0") * _NANOSECONDS[found[2]])
        at = found.end()
    if not body:
        raise Invalid("it is not a duration")
    if total >= _LONGEST_DURATION:
        raise Invalid("the duration is too long")
    return -total if text.startswith("-") else total


def _timeadd(_call: Call, text: str, duration: str) -> Value:
    moment = _moment(text)
    nanoseconds = moment.nanoseconds + _duration(duration)
    try:
        clock = moment.clock + dt.timedelta(seconds=nanoseconds // 10**9)
    except OverflowError:
        raise Unresolved("the year is out of range") from None
    zone = _zone(moment.offset, colon=True) if moment.offset else "Z"
    return f"{clock:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + zone


def _timecmp(_call: Call, left: str, right: str) -> Value:
    a, b = _moment(left).absolute, _moment(right).absolute
    return Counted((a > b) - (a < b))


FUNCTIONS: Final[Mapping[str, Function]] = {
    "formatdate": function(_formatdate, "text text"),
    "timeadd": function(_timeadd, "text text"),
    "timecmp": function(_timecmp, "text text"),
}
