"""Times as Go's package time reads and writes them: layouts made of parts of "Mon Jan 2 15:04:05 MST 2006"."""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.model.patterns import lazy

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY: Final = 86_400
# The order decides: the longer form of two that start alike stands first.
_CHUNKS = lazy(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|_2006|_2|__2|3|4|5|PM|pm"
    r"|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,](?:0+|9+)(?![0-9])"
)
_DIGITS = frozenset("0123456789")
_YEAR_DAYS: Final = frozenset({"002", "__2"})


class UnreadableError(ValueError):
    """The text is not of the layout."""


class UndeterminedError(ValueError):
    """What the layout asks for is not known here: abbreviations of zones, days of the year."""


class Moment(NamedTuple):
    """A time on the clock: `seconds` since 1970-01-01 00:00:00 on that clock, `nanoseconds` beyond it.

    `zone` is the clock's distance to UTC in seconds, or None for the machine's own clock.
    """

    seconds: int
    nanoseconds: int = 0
    zone: int | None = 0
    zero: bool = False


def days_before(year: int, month: int, day: int) -> int:
    """The days from 1970-01-01 to a date of the Gregorian calendar, which goes on into the past."""
    year -= month < 3
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month and day: what `days_before` counts, backwards."""
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, day


def _split(layout: str) -> list[tuple[str, str]]:
    """The literal text in front of each chunk, and the chunk; the last has none."""
    parts = []
    end = 0
    for found in _CHUNKS.finditer(layout):
        chunk = found.group()
        start = found.start() + (chunk == "_2006")
        parts.append((layout[end:start], chunk.removeprefix("_") if chunk == "_2006" else chunk))
        end = found.end()
    return [*parts, (layout[end:], "")]


# -- writing -----------------------------------------------------------------------------------------------------


def write(moment: Moment, layout: str) -> str:
    """The moment in `layout`, on its own clock. Raises `UndeterminedError` for zones of the machine's own clock."""
    return "".join(literal + _written(moment, chunk) for literal, chunk in _split(layout))


def _written(moment: Moment, chunk: str) -> str:
    if not chunk:
        return ""
    if chunk[0] in ".,":
        return _fraction(moment.nanoseconds, chunk)
    if chunk[0] in "-Z" or chunk == "MST":
        return _zone(moment.zone, chunk)
    days, second = divmod(moment.seconds, _DAY)
    hour, minute, second = second // 3600, second // 60 % 60, second % 60
    if chunk in ("15", "3", "03", "4", "04", "5", "05", "PM", "pm"):
        return _clock(chunk, hour, minute, second)
    year, month, day = date_of(days)
    texts = {
        "2006": f"{year:04d}" if year >= 0 else f"-{-year:04d}", "06": f"{abs(year) % 100:02d}",
        "01": f"{month:02d}", "1": str(month), "Jan": MONTHS[month - 1][:3], "January": MONTHS[month - 1],
        "02": f"{day:02d}", "2": str(day), "_2": f"{day:2d}",
        "Mon": WEEKDAYS[(days + 4) % 7][:3], "Monday": WEEKDAYS[(days + 4) % 7],
        "002": f"{days - days_before(year, 1, 1) + 1:03d}", "__2": f"{days - days_before(year, 1, 1) + 1:3d}",
    }  # fmt: skip
    return texts[chunk]


def _clock(chunk: str, hour: int, minute: int, second: int) -> str:
    if chunk in ("PM", "pm"):
        half = "PM" if hour >= 12 else "AM"
        return half if chunk == "PM" else half.lower()
    number = {"15": hour, "3": hour % 12 or 12, "03": hour % 12 or 12, "4": minute, "04": minute}.get(chunk, second)
    return str(number) if len(chunk) == 1 else f"{number:02d}"


def _fraction(nanoseconds: int, chunk: str) -> str:
    digits = f"{nanoseconds:09d}"[: len(chunk) - 1].ljust(len(chunk) - 1, "0")
    if chunk[1] == "9":
        digits = digits[:9].rstrip("0")
    return chunk[0] + digits if digits else ""


def _zone(zone: int | None, chunk: str) -> str:
    if zone is None or (chunk == "MST" and zone != 0):
        raise UndeterminedError(chunk)
    if chunk == "MST":
        return "UTC"
    if chunk[0] == "Z" and zone == 0:
        return "Z"
    size = abs(zone)
    parts = [f"{size // 3600:02d}", f"{size // 60 % 60:02d}", f"{size % 60:02d}"]
    digits = len(chunk.replace(":", "")) - 1
    return ("-" if zone < 0 else "+") + (":" if ":" in chunk else "").join(parts[: digits // 2])


# -- reading -----------------------------------------------------------------------------------------------------


def read(text: str, layout: str, zone: int | None) -> Moment:
    """What `text` says; `zone` is that of texts that tell none.

    Raises:
        UnreadableError: where time.Parse returns an error.
        UndeterminedError: for chunks that are not implemented.
    """
    fields: dict[str, int] = {}
    chunks = _split(layout)
    for at, (literal, chunk) in enumerate(chunks):
        text = _skip(text, literal)
        if not chunk:
            if text:
                raise UnreadableError(text)
            break
        following = chunks[at + 1][1] if not chunks[at + 1][0] else ""
        text = _read_chunk(text, chunk, fields, following)
    return _moment(fields, zone)


def _skip(text: str, literal: str) -> str:
    """What is behind `literal`; a space in it stands for any number of them, none at the end of the text."""
    while literal:
        if literal[0] == " ":
            if text and text[0] != " ":
                raise UnreadableError(text)
            literal, text = literal.lstrip(" "), text.lstrip(" ")
            continue
        if text[:1] != literal[0]:
            raise UnreadableError(text)
        literal, text = literal[1:], text[1:]
    return text


def _read_chunk(text: str, chunk: str, fields: dict[str, int], following: str) -> str:
    if chunk in ("January", "Jan", "Monday", "Mon"):
        names = MONTHS if chunk[0] == "J" else WEEKDAYS
        for index, name in enumerate(names):
            wanted = name if len(chunk) > 3 else name[:3]
            if text[: len(wanted)].lower() == wanted.lower():
                if chunk[0] == "J":
                    fields["month"] = index + 1
                return text[len(wanted) :]
        raise UnreadableError(text)
    if chunk == "MST" or chunk in _YEAR_DAYS:
        raise UndeterminedError(chunk)
    if chunk[0] in "-Z":
        return _read_zone(text, chunk, fields)
    if chunk[0] in ".,":
        return _read_fraction(text, chunk, fields)
    if chunk in ("PM", "pm"):
        halves = ("AM", "PM") if chunk == "PM" else ("am", "pm")
        if text[:2] not in halves:
            raise UnreadableError(text)
        fields["half"] = halves.index(text[:2])
        return text[2:]
    return _read_number(text, chunk, fields, following)


_FIELDS: Final = {
    "2006": "year", "06": "year", "01": "month", "1": "month", "02": "day", "2": "day", "_2": "day", "15": "hour",
    "3": "hour", "03": "hour", "4": "minute", "04": "minute", "5": "second", "05": "second",
}  # fmt: skip
_RANGES: Final = {"month": (1, 12), "minute": (0, 59), "second": (0, 59)}


def _read_number(text: str, chunk: str, fields: dict[str, int], following: str) -> str:
    if chunk == "_2":
        text = text.removeprefix(" ") if text[:1] == " " else text
    if chunk in ("2006", "06"):
        size = len(chunk) if chunk == "2006" else 2
        if len(text) < size or not _DIGITS.issuperset(text[:size]):
            raise UnreadableError(text)
    else:
        size = 2 if _DIGITS.issuperset(text[1:2]) and len(text) > 1 else 1
        if not text or text[0] not in _DIGITS or (size == 1 and chunk[0] == "0"):
            raise UnreadableError(text)
    number, text = int(text[:size]), text[size:]
    if chunk == "06":
        number += 1900 if number >= 69 else 2000
    name = _FIELDS[chunk]
    low, high = _RANGES.get(name, (0, 9999))
    if name == "hour":
        high = 23 if chunk == "15" else 12
    if not low <= number <= high:
        raise UnreadableError(text)
    fields[name] = number
    if name == "second" and following[:1] not in (".", ",") and text[:1] in (".", ",") and text[1:2] in _DIGITS:
        # A fraction is read behind the seconds even where the layout has none.
        return _read_fraction(text, ".9", fields)
    return text


def _read_fraction(text: str, chunk: str, fields: dict[str, int]) -> str:
    if chunk[1] == "0":
        size = len(chunk) - 1
        if text[:1] not in (".", ",") or not _DIGITS.issuperset(text[1 : size + 1]) or len(text) < size + 1:
            raise UnreadableError(text)
    else:
        size = len(text[1:]) - len(text[1:].lstrip("0123456789")) if text[:1] in (".", ",") else 0
        if not size:
            return text
    fields["nanoseconds"] = int(text[1 : size + 1][:9].ljust(9, "0"))
    return text[size + 1 :]


def _read_zone(text: str, chunk: str, fields: dict[str, int]) -> str:
    if chunk[0] == "Z" and text[:1] == "Z":
        fields["zone"] = 0
        return text[1:]
    size = len(chunk)
    written = text[:size]
    if len(written) < size or written[0] not in "+-":
        raise UnreadableError(text)
    for have, want in zip(written[1:], chunk[1:], strict=True):
        if (have != ":") if want == ":" else (have not in _DIGITS):
            raise UnreadableError(text)
    digits = written[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 24 or minutes > 60 or seconds > 60:
        raise UnreadableError(text)
    distance = hours * 3600 + minutes * 60 + seconds
    fields["zone"] = -distance if written[0] == "-" else distance
    return text[size:]


def _moment(fields: dict[str, int], zone: int | None) -> Moment:
    year, month, day = fields.get("year", 0), fields.get("month", 1), fields.get("day", 1)
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTH_DAYS[month - 1] + leap:
        raise UnreadableError("day out of range")
    hour = fields.get("hour", 0)
    if "half" in fields:
        hour = hour % 12 + 12 * fields["half"] if hour <= 12 else hour
    clock = hour * 3600 + fields.get("minute", 0) * 60 + fields.get("second", 0)
    seconds = days_before(year, month, day) * _DAY + clock
    return Moment(seconds, fields.get("nanoseconds", 0), fields.get("zone", zone))
