"""Sprig's functions for times. The clock and the time zone of the machine are Unknown, where they matter."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.go_numbers import MAX_INT64, MIN_INT64, parse_int, wrap_int64
from pyprod_audit.evaluate.gotemplate.go_time import (
    Moment,
    UndeterminedError,
    UnreadableError,
    date_of,
    days_before,
    read,
    write,
)
from pyprod_audit.evaluate.gotemplate.sprig_types import ANY, STRING, Object, unknown_methods
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import Int64, TemplateError, Value
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

_TIME: Final = "time.Time"
_SHOWN: Final = "2006-01-02 15:04:05.999999999 -0700 MST"
_DATE: Final = "2006-01-02"
_DAY: Final = 86_400
_SECOND: Final = 10**9
_UNITS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND,
}  # fmt: skip
_DURATION_PART = lazy(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
# Zones reach from 12 hours behind UTC to 14 hours before it.
_ZONES: Final = (-12 * 3600, 0, 14 * 3600)


_OTHER_METHODS: Final = unknown_methods(
    "Add", "AddDate", "After", "AppendFormat", "Before", "Clock", "Compare", "Date", "Equal", "GoString", "ISOWeek",
    "In", "IsDST", "IsZero", "Local", "Location", "MarshalJSON", "MarshalText", "Month", "Round", "String", "Sub",
    "Truncate", "UnixMicro", "UnixMilli", "UnixNano", "Weekday", "Zone", "ZoneBounds",
)  # fmt: skip


class Time(Object):
    """A time.Time."""

    def __init__(self, moment: Moment) -> None:
        days, second = divmod(moment.seconds, _DAY)
        year, _, day = date_of(days)
        methods: dict[str, Value] = {
            **_OTHER_METHODS,
            "Unix": self.unix,
            "Format": self.format,
            "UTC": self.utc,
            "Year": lambda: year,
            "Day": lambda: day,
            "YearDay": lambda: days - days_before(year, 1, 1) + 1,
            "Hour": lambda: second // 3600,
            "Minute": lambda: second // 60 % 60,
            "Second": lambda: second % 60,
            "Nanosecond": lambda: moment.nanoseconds,
        }
        super().__init__(methods, _shown(moment), _TIME, "struct")
        self.moment = moment

    def seconds(self) -> int:
        """Seconds since 1970 in UTC. Raises `Undecided` for times on the machine's own clock."""
        if self.moment.zone is None:
            raise _own_clock()
        return self.moment.seconds - self.moment.zone

    def unix(self) -> Value:
        """Unix."""
        return Unknown("", _OWN_CLOCK) if self.moment.zone is None else Int64(self.seconds())

    def format(self, layout: str) -> Value:
        """Format."""
        try:
            return write(self.moment, layout)
        except UndeterminedError:
            return Unknown("", _OWN_CLOCK)

    def utc(self) -> Value:
        """UTC."""
        if self.moment.zone is None:
            return Unknown("", _OWN_CLOCK)
        return Time(Moment(self.seconds(), self.moment.nanoseconds, 0))


_OWN_CLOCK: Final = "it depends on the time zone of the machine"


def _own_clock() -> Undecided:
    return Undecided(Unknown("", _OWN_CLOCK))


def _shown(moment: Moment) -> str | None:
    """What String gives: without the clock's name for zones that are only numbers."""
    if moment.zone is None:
        return None
    layout = _SHOWN if moment.zone == 0 else _SHOWN.replace("MST", "-0700")
    return write(moment, layout)


def _formatted(layout: str, value: Value, zone: str) -> str:
    if isinstance(value, Time):
        moment = value.moment
    elif isinstance(value, int) and not isinstance(value, bool):
        moment = Moment(int(value))
    else:
        raise Undecided(Unknown("now", "it is the time of the deployment"))
    try:
        if zone == "Local":
            return _on_own_clock(moment, layout)
        if zone not in ("", "UTC"):
            raise Undecided(Unknown(zone, "time zones are those of the machine"))
        if moment.zone is None:
            raise _own_clock()
        return write(Moment(moment.seconds - moment.zone, moment.nanoseconds, 0), layout)
    except UndeterminedError as error:
        raise _own_clock() from error


def _on_own_clock(moment: Moment, layout: str) -> str:
    """The moment on the machine's clock: known for times of that clock, or where every zone gives the same text."""
    if moment.zone is None:
        return write(moment, layout)
    utc = moment.seconds - moment.zone
    texts = {write(Moment(utc + zone, moment.nanoseconds, None), layout) for zone in _ZONES}
    if len(texts) > 1:
        raise _own_clock()
    return texts.pop()


@takes(STRING, ANY)
def date(layout: str, value: Value) -> str:
    """`date`."""
    return _formatted(layout, value, "Local")


@takes(STRING, ANY, STRING)
def date_in_zone(layout: str, value: Value, zone: str) -> str:
    """`dateInZone`."""
    return _formatted(layout, value, zone)


@takes(ANY)
def html_date(value: Value) -> str:
    """`htmlDate`."""
    return _formatted(_DATE, value, "Local")


@takes(ANY, STRING)
def html_date_in_zone(value: Value, zone: str) -> str:
    """`htmlDateInZone`."""
    return _formatted(_DATE, value, zone)


def _parse_duration(text: str) -> int | None:
    """time.ParseDuration in nanoseconds; None where it returns an error."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = 0
    if not rest:
        return None
    while rest:
        found = _DURATION_PART.match(rest)
        if found is None or not (found[1] or found[2]):
            return None
        unit = _UNITS[found[3]]
        total += int(found[1] or 0) * unit
        if found[2]:
            if len(found[2]) > 15:
                raise Undecided(Unknown(text, "the duration has too many digits"))
            total += int(found[2]) * unit // 10 ** len(found[2])
        rest = rest[found.end() :]
    total *= sign
    return total if MIN_INT64 <= total <= MAX_INT64 else None


def _time(value: Value) -> Time:
    if not isinstance(value, Time):
        raise TemplateError("wrong type for value; expected time.Time")
    return value


def _moved(text: str, value: Time, duration: int) -> Time:
    if value.moment.zone is None and duration:
        raise Undecided(Unknown(text, _OWN_CLOCK))
    total = value.moment.seconds * _SECOND + value.moment.nanoseconds + duration
    return Time(Moment(total // _SECOND, total % _SECOND, value.moment.zone))


@takes(STRING, ANY)
def date_modify(text: str, value: Value) -> Time:
    """`dateModify`: the same time when the duration cannot be read."""
    moment = _time(value)
    duration = _parse_duration(text)
    return moment if duration is None else _moved(text, moment, duration)


@takes(STRING, ANY)
def must_date_modify(text: str, value: Value) -> Time:
    """`mustDateModify`."""
    moment = _time(value)
    duration = _parse_duration(text)
    if duration is None:
        raise TemplateError(f'time: invalid duration "{text}"')
    return _moved(text, moment, duration)


@takes(ANY)
def ago(value: Value) -> Unknown:
    """`ago`: what has passed at deployment."""
    return value if isinstance(value, Unknown) else Unknown("ago", "it counts from the time of the deployment")


def _duration_text(duration: int) -> str:
    """time.Duration.String for whole seconds."""
    if duration == 0:
        return "0s"
    seconds = abs(duration) // _SECOND
    text = f"{seconds % 60}s"
    if seconds >= 60:
        text = f"{seconds // 60 % 60}m{text}"
    if seconds >= 3600:
        text = f"{seconds // 3600}h{text}"
    return "-" + text if duration < 0 else text


@takes(ANY)
def duration(value: Value) -> str:
    """`duration`: seconds as hours, minutes and seconds; 0 for what is neither a string nor an int64."""
    seconds = 0
    if isinstance(value, str):
        number = parse_int(value)
        if number is None and value.lstrip("+-").isdigit():
            raise Undecided(Unknown("duration", "the number is out of range"))
        seconds = number or 0
    elif isinstance(value, Int64):
        seconds = int(value)
    if wrap_int64(seconds * _SECOND) != seconds * _SECOND:
        raise Undecided(Unknown("duration", "the number is out of range"))
    return _duration_text(seconds * _SECOND)


_ROUND_UNITS: Final = (
    ("y", 365 * 86_400), ("mo", 30 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1),
)  # fmt: skip


@takes(ANY)
def duration_round(value: Value) -> str:
    """`durationRound`: the largest unit of a duration; 0s for what is neither a string nor an int64."""
    nanoseconds = 0
    if isinstance(value, Time):
        raise Undecided(Unknown("durationRound", "it counts from the time of the deployment"))
    if isinstance(value, str):
        nanoseconds = _parse_duration(value) or 0
    elif isinstance(value, Int64):
        nanoseconds = int(value)
    size = abs(nanoseconds)
    for unit, seconds in _ROUND_UNITS:
        if size > seconds * _SECOND:
            return f"{size // (seconds * _SECOND)}{unit}"
    return "0s"


def _read(layout: str, text: str) -> Time:
    try:
        return Time(read(text, layout, None))
    except UndeterminedError as error:
        raise Undecided(Unknown("toDate", "a part of the layout is not read here")) from error


@takes(STRING, STRING)
def to_date(layout: str, text: str) -> Time:
    """`toDate`: the first of January of year 1 for what cannot be read."""
    try:
        return _read(layout, text)
    except UnreadableError:
        return Time(Moment(days_before(1, 1, 1) * _DAY))


@takes(STRING, STRING)
def must_to_date(layout: str, text: str) -> Time:
    """`mustToDate`."""
    try:
        return _read(layout, text)
    except UnreadableError as error:
        raise TemplateError(f'parsing time "{text}" as "{layout}": cannot parse') from error


@takes(ANY)
def unix_epoch(value: Value) -> str:
    """`unixEpoch`."""
    return str(_time(value).seconds())


DATES: Final[dict[str, Registered]] = {
    "date": date,
    **dict.fromkeys(("dateInZone", "date_in_zone"), date_in_zone),
    "htmlDate": html_date,
    "htmlDateInZone": html_date_in_zone,
    **dict.fromkeys(("dateModify", "date_modify"), date_modify),
    **dict.fromkeys(("mustDateModify", "must_date_modify"), must_date_modify),
    "ago": ago,
    "duration": duration,
    "durationRound": duration_round,
    "toDate": to_date,
    "mustToDate": must_to_date,
    "unixEpoch": unix_epoch,
}
