"""What stands for a match: Go's `$1` and `${name}` (Regexp.Expand), and texts as patterns (regexp.QuoteMeta)."""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

_SPECIAL: Final = frozenset("\\.+*?()|[]{}^$")
_MAX_NUMBER: Final = 8


def quoted(text: str) -> str:
    """A pattern that matches exactly `text`."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in text)


class Part(NamedTuple):
    """A part of a replacement: `text` as it is, or what the group of this `name` (or number) matched."""

    text: str
    name: str = ""

    def group(self, groups: tuple[str, ...], found: tuple[int, ...]) -> int:
        """The number of the group that is meant; -1 when there is none, or it took no part in the match."""
        name = self.name
        if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) <= _MAX_NUMBER:
            number = int(name)
            return number if number <= len(groups) and found[number * 2] >= 0 else -1
        return next((at for at, known in enumerate(groups, 1) if known == name and found[at * 2] >= 0), -1)


def parts_of(template: str) -> list[Part]:
    """The parts of a replacement. A `$` before anything else than a name or another `$` stands for itself."""
    parts: list[Part] = []
    at = 0
    while at < len(template):
        sign = template.find("$", at)
        if sign < 0:
            break
        parts.append(Part(template[at:sign]))
        at = sign + 1
        if template.startswith("$", at):
            parts.append(Part("$"))
            at += 1
            continue
        braced = template.startswith("{", at)
        start = at + braced
        end = start
        while end < len(template) and _in_name(template[end]):
            end += 1
        if end == start or (braced and not template.startswith("}", end)):
            parts.append(Part("$"))
            continue
        parts.append(Part("", template[start:end]))
        at = end + braced
    parts.append(Part(template[at:]))
    return parts


def _in_name(character: str) -> bool:
    """Letters and digits as unicode.IsLetter and unicode.IsDigit know them."""
    if character < "\x80":
        return character == "_" or character.isalnum()
    category = unicodedata.category(character)
    return category[0] == "L" or category == "Nd"
