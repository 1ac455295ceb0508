"""What a word of a shell script means: quotes removed, or unknown because the shell fills something in."""

from __future__ import annotations

import re

from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

SPECIAL = lazy(r"[\\'\"$`]")
"""What makes a word more than its own text."""

_FILLED_IN = lazy(r"\$[A-Za-z_0-9{(\[@*#?!$-]|`")
_DOUBLE = lazy(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_DOUBLE_PIECE = lazy(r'[^\\$`]+|\\[$`"\\\n]|\\|\$[A-Za-z_0-9{(\[@*#?!$-]|\$|`', re.DOTALL)
_ANSI = lazy(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ANSI_ESCAPE = lazy(r"\\(x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|[0-7]{1,3}|.)", re.DOTALL)
_PLAIN = lazy(r"[^\\'\"$`]+")
_ANSI_NAMES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


def meaning(word: str) -> str | Unknown:
    """The word with its quotes and escapes removed; Unknown when a variable or a command fills part of it in."""
    if not SPECIAL.search(word):
        return word
    pieces: list[str] = []
    at, length = 0, len(word)
    while at < length:
        char = word[at]
        if plain := _PLAIN.match(word, at):
            pieces.append(plain[0])
            at = plain.end()
        elif char == "\\":
            if word[at + 1 : at + 2] != "\n":
                pieces.append(word[at + 1 : at + 2])
            at += 2
        elif char == "'" and (close := word.find("'", at + 1)) >= 0:
            pieces.append(word[at + 1 : close])
            at = close + 1
        elif char == '"' and (double := _DOUBLE.match(word, at)):
            inner = _in_double_quotes(double[1])
            if inner is None:
                return Unknown(word, "the shell fills it in")
            pieces.append(inner)
            at = double.end()
        elif char == "$" and (ansi := _ANSI.match(word, at)):
            pieces.append(_ANSI_ESCAPE.sub(_ansi_escape, ansi[1]))
            at = ansi.end()
        elif char == "$" and word.startswith('"', at + 1):
            at += 1
        elif _FILLED_IN.match(word, at):
            return Unknown(word, "the shell fills it in")
        else:
            pieces.append(char)
            at += 1
    return "".join(pieces)


def _in_double_quotes(text: str) -> str | None:
    if not SPECIAL.search(text):
        return text
    pieces: list[str] = []
    for piece in _DOUBLE_PIECE.findall(text):
        if piece[0] == "`" or (piece[0] == "$" and len(piece) > 1):
            return None
        if piece[0] == "\\" and len(piece) > 1:
            if piece[1] != "\n":
                pieces.append(piece[1])
        else:
            pieces.append(piece)
    return "".join(pieces)


def _ansi_escape(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8))
    return _ANSI_NAMES.get(code, code)
