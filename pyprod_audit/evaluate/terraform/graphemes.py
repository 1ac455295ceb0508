"""What Terraform counts as one character of a string: a grapheme cluster (Unicode Standard Annex 29)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from pyprod_audit.evaluate.terraform.values import Unresolved
from pyprod_audit.model.patterns import lazy

_BREAKS: Final = lazy("\r\n|.", re.DOTALL)


def clusters(text: str) -> Sequence[str]:
    """The characters of a text. Raises Unresolved for scripts whose clusters this does not know."""
    if text.isascii() or not any(char >= "\u0300" for char in text):
        return _BREAKS.findall(text) if "\r\n" in text else text
    made: list[str] = []
    open_to_marks = False
    for char in text:
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            if open_to_marks:
                made[-1] += char
                continue
        elif char == "\n" and made and made[-1] == "\r":
            made[-1] += char
            continue
        elif char >= "\u0300" and not _stands_alone(char, category):
            raise Unresolved("it is written with characters that are counted together")
        made.append(char)
        open_to_marks = category[0] != "C" and category not in ("Zl", "Zp")
    return made


def _stands_alone(char: str, category: str) -> bool:
    if category == "Mc" or char in _JOINING:
        return False
    code = ord(char)
    return not (
        0x1100 <= code <= 0x11FF  # Hangul in parts
        or 0xA960 <= code <= 0xA97F
        or 0xD7B0 <= code <= 0xD7FF
        or 0x1F1E6 <= code <= 0x1F1FF  # flags
        or 0x1F3FB <= code <= 0x1F3FF  # skin colours
        or 0xE0000 <= code <= 0xE0FFF  # tags
        or code in (0x0E33, 0x0EB3)  # vowels that join what is before
    )


_JOINING: Final = frozenset(
    "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
