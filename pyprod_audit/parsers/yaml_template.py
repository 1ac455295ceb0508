"""Makes YAML of YAML templates (Jinja, cookiecutter, Go templates) without moving a character.

`{{ x }}`, `{% if x %}` and `{# x #}` are overwritten with as many characters, so that every offset into the masked text
is one into the file. A line that holds nothing else becomes empty lines; elsewhere a tag becomes part of a scalar.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

_PLACEHOLDER = "\ue000"
_TAGS = {"{{": "}}", "{%": "%}", "{#": "#}"}
_MAX_TAG = 2_000
_APART = frozenset(["", " ", "\t", "\r", "\n"])


class Masked(NamedTuple):
    """Template text made readable: `text` is as long as the original, the overwritten ranges are sorted and apart."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def touches(self, start: int, end: int) -> bool:
        """Whether a template tag stands anywhere in the half-open range `start` to `end`."""
        index = bisect_right(self.ends, start)
        return index < len(self.starts) and self.starts[index] < end


def mask(text: str) -> Masked | None:
    """The masked form of `text`; None when it holds no template tag."""
    if "{{" not in text and "{%" not in text:
        return None
    tags = _find_tags(text)
    if not tags:
        return None
    parts: list[str] = []
    ranges: list[tuple[int, int]] = []
    at = 0
    for first, last in _by_line(text, tags):
        start, end = tags[first][0], tags[last][1]
        line_start, line_end = _line_around(text, start, end)
        leading = not text[line_start:start].strip()
        between = any(text[tags[i][1] : tags[i + 1][0]].strip() for i in range(first, last))
        if leading and not between and not text[end:line_end].strip():
            # Empty lines keep block scalars whole whatever their indentation, which neither blanks nor comments do.
            parts += (text[at:line_start], "\n" * (line_end - line_start))
            ranges.append((line_start, line_end))
            at = line_end
            continue
        for index in range(first, last + 1):
            tag_start, tag_end = tags[index]
            # `web:{% if x %} &web{% endif %}`: control that nothing is joined to must not become part of a value.
            apart = text[tag_start + 1] != "{" and text[tag_end : tag_end + 1] in _APART
            filler = " " if apart and not (leading and index == first) else _PLACEHOLDER
            parts += (text[at:tag_start], filler * (tag_end - tag_start))
            ranges.append((tag_start, tag_end))
            at = tag_end
    parts.append(text[at:])
    return Masked("".join(parts), tuple(r[0] for r in ranges), tuple(r[1] for r in ranges))


def _find_tags(text: str) -> list[tuple[int, int]]:
    """The template tags, in order. `next_close` remembers every search, so that unclosed tags cost nothing twice."""
    tags: list[tuple[int, int]] = []
    next_close: dict[str, int] = {}
    at = text.find("{")
    while at >= 0:
        closer = _TAGS.get(text[at : at + 2])
        end = -1
        if closer is not None:
            close = next_close.get(closer, 0)
            if 0 <= close < at + 2:
                close = next_close[closer] = text.find(closer, at + 2)
            end = close
        if closer is None or end < 0 or end - at > _MAX_TAG or text.rfind(text[at : at + 2], at + 1, end) > at + 1:
            at = text.find("{", at + 1)
            continue
        end += 2
        if closer == "}}" and text[end : end + 1] == "}":
            end += 1  # `{{ {"a": 1}}}`
        tags.append((at, end))
        at = text.find("{", end)
    return tags


def _by_line(text: str, tags: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs of tags, as first and last index, that stand on one line with nothing but their line between them."""
    runs = [(0, 0)]
    for index in range(1, len(tags)):
        if text.find("\n", tags[index - 1][1], tags[index][0]) < 0:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _line_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The line or lines that hold the range, without the last line end."""
    newline = text.find("\n", end)
    line_end = len(text) if newline < 0 else newline
    if line_end > end and text[line_end - 1] == "\r":
        line_end -= 1
    return text.rfind("\n", 0, start) + 1, line_end
