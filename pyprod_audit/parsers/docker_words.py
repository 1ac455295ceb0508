"""The arguments of one Dockerfile instruction as words: JSON arrays, quoted pairs, white space."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.docker_reader import Instruction
from pyprod_audit.parsers.placeholders import FILL

Range: TypeAlias = tuple[int, int]

_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*+"'
_JSON_STRING = lazy(_STRING)
_JSON_ARRAY = lazy(rf"\[\s*(?:{_STRING}\s*(?:,\s*{_STRING}\s*+)*+)?\]\s*")
_WORD = lazy(r"\S+")
_QUOTED_WORD = {
    escape: lazy(
        rf"""(?:[^\s"'{mark}]++|{mark}.|"(?:[^"{mark}]|{mark}.)*+(?:"|\Z|{mark}\Z)|'[^']*+(?:'|\Z)|{mark})++""",
        re.DOTALL,
    )
    for escape, mark in (("\\", r"\\"), ("`", "`"))
}


class NotStringsError(ValueError):
    """A JSON array of something else than strings: BuildKit refuses it."""


def json_words(instruction: Instruction) -> tuple[Node, ...] | None:
    """The members of the JSON array that the arguments are; None when they are none (then it is shell form)."""
    rest = instruction.rest
    if not rest.startswith("["):
        return None
    if not _JSON_ARRAY.fullmatch(rest):
        if rest.endswith("]") and len(rest) < 4096 and rest.count("[") < 50:
            try:
                json.loads(rest)
            except ValueError:
                return None
            raise NotStringsError("a JSON array here must hold strings only")
        return None
    base = instruction.arguments
    words = []
    for found in _JSON_STRING.finditer(rest):
        try:
            value = json.loads(found[0])
        except ValueError:
            return None
        words.append(node(instruction, base + found.start() + 1, base + found.end() - 1, value))
    return tuple(words)


def plain_words(instruction: Instruction) -> list[Range]:
    """The arguments split at white space, as ranges of the logical line."""
    return [
        found.span() for found in _WORD.finditer(instruction.masked, instruction.arguments, instruction.arguments_end)
    ]


def quoted_words(instruction: Instruction, escape: str) -> list[Range]:
    """The arguments split at white space outside quotes, as ranges of the logical line."""
    pattern = _QUOTED_WORD[escape]
    return [
        found.span() for found in pattern.finditer(instruction.masked, instruction.arguments, instruction.arguments_end)
    ]


def node(instruction: Instruction, start: int, end: int, value: str | None = None) -> Node:
    """The range `start` to `end` of the logical line as a scalar: its text, or `value`; Unknown when templated."""
    line = instruction.line
    content: str | Unknown = instruction.masked[start:end] if value is None else value
    if isinstance(content, str) and FILL in content:
        content = Unknown(line.text[start:end], "a template fills it in")
    first = line.start(start)
    return Node(content, line.source, first, max(first, line.end(end)))


def pairs(instruction: Instruction, escape: str) -> tuple[list[tuple[Range, Range]], list[Range]]:
    """`NAME=value …` or `NAME value` (ENV, LABEL): ranges of names and values, and the words that are neither."""
    words = quoted_words(instruction, escape)
    masked = instruction.masked
    if not words:
        return [], []
    first_start, first_end = words[0]
    if "=" not in masked[first_start:first_end]:
        if len(words) < 2:
            return [], words
        return [((first_start, first_end), (words[1][0], instruction.arguments_end))], []
    found, wrong = [], []
    for start, end in words:
        equals = masked.find("=", start, end)
        if equals <= start:
            wrong.append((start, end))
        else:
            found.append(((start, equals), (equals + 1, end)))
    return found, wrong
