"""Sprig's functions that cut strings. Go's strings are bytes: what cuts into a character is Unknown here."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate import text as texts
from pyprod_audit.evaluate.gotemplate.functions import Registered, takes, transparent
from pyprod_audit.evaluate.gotemplate.marks import MARK, OPEN
from pyprod_audit.evaluate.gotemplate.sprig_types import INT, PARTLY, STRING, need_whole
from pyprod_audit.evaluate.gotemplate.undecided import MAX_SIZE, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import StringMap, Strings, TemplateError, Text
from pyprod_audit.model import Unknown


def size_of(text: str) -> int:
    """The length in bytes."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def cut_bytes(text: str, start: int, end: int) -> str:
    """The bytes from `start` to `end`, which are within the text."""
    if text.isascii():
        return texts.cut(text, start, end)
    data = text.encode(errors="surrogatepass")
    try:
        return texts.cut(text, len(data[:start].decode()), len(data[:end].decode()))
    except UnicodeDecodeError as error:
        raise Undecided(Unknown("", "it is cut inside of a character")) from error


@transparent
@takes(INT, STRING)
def trunc(count: int, text: str) -> str:
    """`trunc`: the first bytes, or the last ones for a negative count.

    Of a text with a mark, what stands before the mark and fits, then the mark for the rest.
    """
    if OPEN in text:
        return _trunc_marked(count, text)
    size = size_of(text)
    if count < 0:
        return cut_bytes(text, size + count, size) if size + count > 0 else text
    return cut_bytes(text, 0, count) if size > count else text


def _trunc_marked(count: int, text: str) -> str:
    marks = list(MARK.finditer(text))
    if not marks:
        raise Undecided(Unknown("trunc", PARTLY))
    if count < 0:
        tail = texts.cut(text, marks[-1].end(), len(text))
        if size_of(tail) < -count:
            raise Undecided(Unknown("trunc", PARTLY))
        return cut_bytes(tail, size_of(tail) + count, size_of(tail))
    head = texts.cut(text, 0, marks[0].start())
    if size_of(head) >= count:
        return cut_bytes(head, 0, count)
    return texts.cut(text, 0, marks[0].end())


@takes(INT, INT, STRING)
def substr(start: int, end: int, text: str) -> str:
    """`substr`."""
    size = size_of(text)
    if start < 0:
        start = 0
    elif end < 0 or end > size:
        end = size
    if not 0 <= start <= end <= size:
        raise TemplateError(f"slice bounds out of range [{start}:{end}]")
    return cut_bytes(text, start, end)


@takes(INT, STRING)
def abbrev(width: int, text: str) -> str:
    """`abbrev`: cut, with three points at the end."""
    return text if width < 4 else _abbreviated(text, 0, width)


@takes(INT, INT, STRING)
def abbrevboth(left: int, right: int, text: str) -> str:
    """`abbrevboth`: three points at the start too when it begins behind byte 4."""
    if right < 4 or (left > 0 and right < 7):
        return text
    return _abbreviated(text, left, right)


def _abbreviated(text: str, offset: int, width: int) -> str:
    size = size_of(text)
    if size <= width:
        return text
    if width < 4:
        return ""
    room = width - 3
    offset = min(offset, size)
    if size - offset < room:
        offset = size - room
    if offset <= 4:
        return texts.concat((cut_bytes(text, 0, room), "..."))
    if width < 7:
        return ""
    if offset + room < size:
        return texts.concat(("...", _abbreviated(cut_bytes(text, offset, size), 0, room)))
    return texts.concat(("...", cut_bytes(text, size - room, size)))


@transparent
@takes(STRING)
def trim(text: str) -> str:
    """`trim`: without the white space at its ends."""
    return texts.trim(text)


@transparent
@takes(STRING, STRING)
def trim_all(characters: str, text: str) -> str:
    """`trimAll`: without these characters at its ends."""
    need_whole(characters)
    return texts.trim(text, characters)


@transparent
@takes(STRING, STRING)
def trim_suffix(suffix: str, text: str) -> str:
    """`trimSuffix`."""
    need_whole(suffix)
    return texts.trim_suffix(text, suffix)


@transparent
@takes(STRING, STRING)
def trim_prefix(prefix: str, text: str) -> str:
    """`trimPrefix`."""
    need_whole(prefix)
    return texts.trim_prefix(text, prefix)


# -- parts -------------------------------------------------------------------------------------------------------


def split_text(text: str, separator: str, limit: int = -1) -> list[str]:
    """strings.SplitN: an empty separator splits into characters; 0 gives nothing."""
    if limit == 0:
        return []
    if separator:
        found = str(text).split(separator, limit - 1 if limit > 0 else -1)
    elif limit < 0 or limit >= len(text):
        found = list(str(text))
    else:
        found = [*str(text)[: limit - 1], str(text)[limit - 1 :]]
    if not isinstance(text, Text):
        return found
    parts = []
    at = 0
    for part in found:
        parts.append(texts.cut(text, at, at + len(part)))
        at += len(part) + len(separator)
    return parts


@takes(STRING, STRING)
def split_list(separator: str, text: str) -> Strings:
    """`splitList`."""
    return Strings(split_text(text, separator))


def _numbered(parts: list[str]) -> StringMap:
    return StringMap((f"_{index}", part) for index, part in enumerate(parts))


@takes(STRING, STRING)
def split(separator: str, text: str) -> StringMap:
    """`split`: a map with the keys _0, _1 and so on."""
    return _numbered(split_text(text, separator))


@takes(STRING, INT, STRING)
def splitn(separator: str, limit: int, text: str) -> StringMap:
    """`splitn`: a map of at most `limit` parts."""
    return _numbered(split_text(text, separator, limit))


# -- wrapping ----------------------------------------------------------------------------------------------------


@takes(INT, STRING)
def wrap(width: int, text: str) -> str:
    """`wrap`: long words stay whole."""
    return _wrapped(text, width, "\n", whole_words=True)


@takes(INT, STRING, STRING)
def wrap_with(width: int, separator: str, text: str) -> str:
    """`wrapWith`: long words are broken."""
    return _wrapped(text, width, separator or "\n", whole_words=False)


def _wrapped(text: str, width: int, separator: str, *, whole_words: bool) -> str:
    """Lines of at most `width` bytes, broken at spaces."""
    data = text.encode(errors="surrogatepass")
    width = max(width, 1)
    lines: list[bytes] = []
    at = 0
    while len(data) - at > width:
        if data[at : at + 1] == b" ":
            at += 1
            continue
        space = data.rfind(b" ", at, at + width + 1)
        if space < 0 and not whole_words:
            lines.append(data[at : at + width])
            at += width
            continue
        if space < 0:
            space = data.find(b" ", at + width)
        if space < 0:
            space = len(data)
            lines.append(data[at:])
            at = len(data)
            break
        lines.append(data[at:space])
        at = space + 1
    else:
        lines.append(data[at:])
    if len(lines) * len(separator) > MAX_SIZE:
        raise too_deep("wrap")
    try:
        return separator.join([line.decode() for line in lines])
    except UnicodeDecodeError as error:
        raise Undecided(Unknown("wrap", "it is cut inside of a character")) from error


CUTTING: Final[dict[str, Registered]] = {
    "trunc": trunc,
    "substr": substr,
    "abbrev": abbrev,
    "abbrevboth": abbrevboth,
    "trim": trim,
    "trimall": trim_all,
    "trimAll": trim_all,
    "trimSuffix": trim_suffix,
    "trimPrefix": trim_prefix,
    "splitList": split_list,
    "split": split,
    "splitn": splitn,
    "wrap": wrap,
    "wrapWith": wrap_with,
}
