"""Variables in Dockerfile arguments, as BuildKit expands them (`frontend/dockerfile/shell/lex.go`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.placeholders import FILL

NO_DEFAULT = "a build argument without default"
"""Why an ARG that has no default is unknown: a build that sets nothing sees it as unset."""

Lookup: TypeAlias = Callable[[str], "str | Unknown | None"]
"""The value of a variable; None when it is certainly unset."""

_NAME = lazy(r"[0-9]+|[^\W\d]\w*|[@*#?$!-]")
_MAX_DEPTH = 8
_MAX_LENGTH = 32_768


class _UnknownError(Exception):
    """The word cannot be known; the argument says why."""


def expand(word: str, original: str, lookup: Lookup, escape: str) -> str | Unknown:
    """`word` with quotes removed and variables replaced; Unknown (written `original`) when that cannot be told."""
    if FILL in word:
        return Unknown(original, "a template fills it in")
    if "$" not in word and '"' not in word and "'" not in word and escape not in word:
        return word
    try:
        value = _Expander(word, lookup, escape).until("", 0)
    except _UnknownError as error:
        return Unknown(original, str(error))
    return value if len(value) <= _MAX_LENGTH else Unknown(original, "its value is too long")


class _Expander:
    """One pass over one word; each method reads from `at` on."""

    def __init__(self, word: str, lookup: Lookup, escape: str) -> None:
        self.word = word
        self.lookup = lookup
        self.escape = escape
        self.at = 0

    def until(self, stop: str, depth: int, keep_escapes: bool = False) -> str:
        """Read up to the character `stop` (behind it) or, without one, to the end."""
        if depth > _MAX_DEPTH:
            raise _UnknownError("nested too deeply")
        word = self.word
        pieces: list[str] = []
        while self.at < len(word):
            char = word[self.at]
            if char == stop:
                self.at += 1
                return "".join(pieces)
            if char == "$":
                pieces.append(self._dollar(depth))
            elif char == "'":
                close = word.find("'", self.at + 1)
                if close < 0:
                    raise _UnknownError("a quote is not closed")
                pieces.append(word[self.at + 1 : close])
                self.at = close + 1
            elif char == '"':
                self.at += 1
                pieces.append(self._double_quotes(depth))
            elif char == self.escape:
                pieces.append((char if keep_escapes else "") + word[self.at + 1 : self.at + 2])
                self.at += 2
            else:
                pieces.append(char)
                self.at += 1
        if stop:
            raise _UnknownError("a brace is not closed")
        return "".join(pieces)

    def _double_quotes(self, depth: int) -> str:
        word = self.word
        pieces: list[str] = []
        while self.at < len(word):
            char = word[self.at]
            if char == '"':
                self.at += 1
                return "".join(pieces)
            if char == "$":
                pieces.append(self._dollar(depth))
                continue
            self.at += 1
            if char == self.escape and self.at < len(word):
                if word[self.at] in ('"', "$", self.escape):
                    char = word[self.at]
                    self.at += 1
            pieces.append(char)
        raise _UnknownError("a quote is not closed")

    def _dollar(self, depth: int) -> str:
        self.at += 1
        braced = self.word.startswith("{", self.at)
        found = _NAME.match(self.word, self.at + braced)
        if not found:
            if braced:
                raise _UnknownError("bad substitution")
            return "$"
        self.at = found.end()
        name = found[0]
        if not braced:
            return self._plain(name)
        return self._braced(name, depth)

    def _plain(self, name: str) -> str:
        value = self._value(name)
        if isinstance(value, Unknown):
            raise _UnknownError(f"{name}: {value.because}" if value.because else f"{name} is unknown")
        return value or ""

    def _value(self, name: str) -> str | Unknown | None:
        return self.lookup(name) if name[0] == "_" or name[0].isalpha() else None

    def _braced(self, name: str, depth: int) -> str:
        word = self.word
        mark = word[self.at : self.at + 1]
        self.at += 1
        if mark == "}":
            return self._plain(name)
        if mark == "/":
            return self._replaced(name, depth)
        empty_is_unset = mark == ":"
        if empty_is_unset:
            mark = word[self.at : self.at + 1]
            self.at += 1
        if not mark or mark not in "-+?#%":
            raise _UnknownError("bad substitution")
        argument = self.until("}", depth + 1, keep_escapes=mark in "#%")
        value = self._value(name)
        if mark in "-+" and isinstance(value, Unknown) and value.because == NO_DEFAULT:
            value = None
        if isinstance(value, Unknown):
            raise _UnknownError(f"{name}: {value.because}" if value.because else f"{name} is unknown")
        unset = value is None or (empty_is_unset and not value)
        if mark == "-":
            return argument if unset else value or ""
        if mark == "+":
            return "" if unset else argument
        if mark == "?":
            if unset:
                raise _UnknownError(f"{name} is not set")
            return value or ""
        longest = argument.startswith(mark)
        pattern = argument[1:] if longest else argument
        return (
            _without_suffix(value or "", pattern, longest)
            if mark == "%"
            else _without_prefix(value or "", pattern, longest)
        )

    def _replaced(self, name: str, depth: int) -> str:
        everywhere = self.word.startswith("/", self.at)
        self.at += everywhere
        pattern = self.until("/", depth + 1, keep_escapes=True)
        replacement = self.until("}", depth + 1, keep_escapes=True)
        value = self._plain(name)
        if not pattern or any(char in pattern for char in "*?\\"):
            raise _UnknownError("a pattern that is not read")
        count = value.count(pattern) if everywhere else 1
        if len(value) + count * len(replacement) > _MAX_LENGTH:
            raise _UnknownError("its value is too long")
        return value.replace(pattern, replacement, count)


def _literals(pattern: str) -> tuple[str, str | None]:
    """The pattern as what stands before and behind its one `*`; None behind when there is no `*`."""
    if "?" in pattern or "\\" in pattern or pattern.count("*") > 1:
        raise _UnknownError("a pattern that is not read")
    before, star, behind = pattern.partition("*")
    return before, behind if star else None


def _without_prefix(value: str, pattern: str, longest: bool) -> str:
    before, behind = _literals(pattern)
    if not value.startswith(before):
        return value
    if behind is None:
        return value[len(before) :]
    found = value.rfind(behind, len(before)) if longest else value.find(behind, len(before))
    return value if found < 0 else value[found + len(behind) :]


def _without_suffix(value: str, pattern: str, longest: bool) -> str:
    before, behind = _literals(pattern)
    if behind is None:
        return value[: len(value) - len(before)] if value.endswith(before) else value
    if not value.endswith(behind):
        return value
    stop = len(value) - len(behind)
    found = value.find(before, 0, stop) if longest else value.rfind(before, 0, stop)
    return value if found < 0 else value[:found]
