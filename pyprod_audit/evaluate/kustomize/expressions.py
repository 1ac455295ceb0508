"""The regular expressions of kustomizations, matched in time linear in the text.

Targets of patches (`name: web-.*`), names of images and steps of field paths are Go regular expressions (RE2) that
anybody may write; Python's own matcher could be kept busy for ever by them. Here: Thompson's construction, simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

_LONGEST: Final = 1_000
_LONGEST_TEXT: Final = 10_000
_MOST_STATES: Final = 4_000
_DEEPEST: Final = 40
_META: Final = frozenset("\\.+*?()|[]{}^$")
_Test: TypeAlias = Callable[[str], bool]
_POSIX: Final = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "0-9A-Za-z", "upper": "A-Z", "lower": "a-z", "space": "\t\n\v\f\r ",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\t\n\f\r "}
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


class _State(NamedTuple):
    """A step: on a character that passes `test` to the next one; without one (None) at once to all of `jumps`.

    `at` restricts a jump to the start ("^") or the end ("$") of the text.
    """

    test: _Test | None
    jumps: tuple[int, ...] = ()
    at: str = ""


class Expression:
    """A compiled regular expression."""

    def __init__(self, states: list[_State]) -> None:
        self._states = states

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        return self._run(text, whole=True)

    def found_in(self, text: str) -> bool:
        """Whether any part of `text` matches."""
        return self._run(text, whole=False)

    def _run(self, text: str, *, whole: bool) -> bool:
        if len(text) > _LONGEST_TEXT:
            return False
        last = len(self._states)
        current: set[int] = set()
        for position in range(len(text) + 1):
            if position == 0 or not whole:
                self._enter(0, position, len(text), current)
            if last in current and (not whole or position == len(text)):
                return True
            if position == len(text):
                return False
            following: set[int] = set()
            for number in current:
                test = self._states[number].test if number < last else None
                if test is not None and test(text[position]):
                    self._enter(number + 1, position + 1, len(text), following)
            current = following
            if not current and whole:
                return False
        return False

    def _enter(self, number: int, position: int, end: int, into: set[int]) -> None:
        pending = [number]
        while pending:
            number = pending.pop()
            if number in into:
                continue
            into.add(number)
            if number < len(self._states):
                state = self._states[number]
                if (
                    state.test is None
                    and not (state.at == "^" and position)
                    and not (state.at == "$" and position < end)
                ):
                    pending.extend(state.jumps)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Expression | None:
    """The expression; None when it is not valid or uses what is not understood here (flags, word bounds, Unicode)."""
    if len(pattern) > _LONGEST:
        return None
    if _META.isdisjoint(pattern):
        return Expression([_State(_one(character)) for character in pattern])
    try:
        reader = _Reader(pattern)
        states = reader.alternatives(0)
        if reader.at < len(pattern):
            return None
    except _Unsupported:
        return None
    return Expression(states)


def escaped(text: str) -> str:
    """An expression that matches exactly `text`."""
    return "".join(f"\\{character}" if character in _META else character for character in text)


class _Unsupported(Exception):  # noqa: N818 - not an error of ours
    """The expression cannot be read."""


class _Reader:
    """Reads an expression into states whose jumps are relative until the end: code that can be moved and repeated."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def alternatives(self, depth: int) -> list[_State]:
        """`a|b|c`. Jumps are absolute within the returned list, whose end is the way out."""
        if depth > _DEEPEST:
            raise _Unsupported
        branches = [self._sequence(depth)]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence(depth))
        result = branches.pop()
        while branches:
            result = _either(branches.pop(), result)
        return result

    def _sequence(self, depth: int) -> list[_State]:
        states: list[_State] = []
        while self._peek() not in ("", "|", ")"):
            states += _moved(self._repeated(self._atom(depth)), len(states))
            if len(states) > _MOST_STATES:
                raise _Unsupported
        return states

    def _repeated(self, atom: list[_State]) -> list[_State]:
        while True:
            sign = self._peek()
            if sign == "*":
                least, most = 0, -1
            elif sign == "+":
                least, most = 1, -1
            elif sign == "?":
                least, most = 0, 1
            elif sign == "{" and (bounds := self._bounds()) is not None:
                least, most = bounds
            else:
                return atom
            self.at += sign != "{"
            if self._peek() == "?":
                self.at += 1  # lazy: the same texts match
            if len(atom) * max(least, most, 1) > _MOST_STATES:
                raise _Unsupported
            atom = _times(atom, least, most)

    def _bounds(self) -> tuple[int, int] | None:
        """The numbers of `{2,3}`; None when the brace is an ordinary character."""
        end = self.pattern.find("}", self.at)
        least, comma, most = self.pattern[self.at + 1 : end].partition(",")
        if end < 0 or not least.isdecimal() or (most and not most.isdecimal()) or len(least + most) > 6:
            return None
        self.at = end + 1
        low, high = int(least), int(most) if most else (-1 if comma else int(least))
        if max(low, high) > 1_000 or 0 <= high < low:
            raise _Unsupported
        return low, high

    def _atom(self, depth: int) -> list[_State]:
        character = self.pattern[self.at]
        self.at += 1
        if character == "(":
            if self.pattern.startswith("?:", self.at):
                self.at += 2
            elif self._peek() == "?":
                raise _Unsupported
            inner = self.alternatives(depth + 1)
            if self._peek() != ")":
                raise _Unsupported
            self.at += 1
            return inner
        if character in "*+?":
            raise _Unsupported
        if character in "^$":
            return [_State(None, (1,), character)]
        if character == ".":
            return [_State(lambda one: one != "\n")]
        if character == "[":
            return [_State(self._class())]
        return [_State(self._escape() if character == "\\" else _one(character))]

    def _escape(self) -> _Test:
        character = self._peek()
        self.at += 1
        if character.lower() in _CLASSES:
            return _members(_CLASSES[character.lower()], negated=character.isupper())
        if character in _ESCAPES:
            return _one(_ESCAPES[character])
        if not character or character.isalnum():
            raise _Unsupported
        return _one(character)

    def _class(self) -> _Test:
        negated = self._peek() == "^"
        self.at += negated
        tests: list[_Test] = []
        first = True
        while first or self._peek() != "]":
            first = False
            tests.append(self._member())
        self.at += 1
        return lambda one: any(test(one) for test in tests) != negated

    def _member(self) -> _Test:
        if self.pattern.startswith("[:", self.at):
            end = self.pattern.find(":]", self.at)
            name = self.pattern[self.at + 2 : end] if end >= 0 else ""
            if name not in _POSIX:
                raise _Unsupported
            self.at = end + 2
            return _members(_POSIX[name])
        low = self._peek()
        self.at += 1
        if low == "\\":
            following = self._peek()
            if following.lower() in _CLASSES:
                return self._escape()
            low = self._literal()
        if not low:
            raise _Unsupported
        if self._peek() != "-" or self.pattern[self.at + 1 : self.at + 2] in ("]", ""):
            return _one(low)
        self.at += 1
        high = self._peek()
        self.at += 1
        if high == "\\":
            high = self._literal()
        if not high or high < low:
            raise _Unsupported
        return lambda one: low <= one <= high

    def _literal(self) -> str:
        character = self._peek()
        self.at += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character.isalnum():
            raise _Unsupported
        return character

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]


def _one(character: str) -> _Test:
    return character.__eq__


def _members(ranges: str, *, negated: bool = False) -> _Test:
    """A test for `a-z0-9_`, which is trusted."""
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(ranges):
        if ranges[at + 1 : at + 2] == "-":
            pairs.append((ranges[at], ranges[at + 2]))
            at += 3
        else:
            pairs.append((ranges[at], ranges[at]))
            at += 1
    return lambda one: any(low <= one <= high for low, high in pairs) != negated


def _moved(states: list[_State], by: int) -> list[_State]:
    return [state._replace(jumps=tuple(jump + by for jump in state.jumps)) for state in states] if by else states


def _either(one: list[_State], other: list[_State]) -> list[_State]:
    """A fork, the first branch, a jump over the second, the second."""
    second = len(one) + 2
    end = second + len(other)
    return [_State(None, (1, second)), *_moved(one, 1), _State(None, (end,)), *_moved(other, second)]


def _times(atom: list[_State], least: int, most: int) -> list[_State]:
    states: list[_State] = []
    for _ in range(least):
        states += _moved(atom, len(states))
    if most < 0:
        start = len(states)
        end = start + len(atom) + 2
        return [*states, _State(None, (start + 1, end)), *_moved(atom, start + 1), _State(None, (start,))]
    for _ in range(most - least):
        start = len(states)
        states += [_State(None, (start + 1, -1)), *_moved(atom, start + 1)]
    end = len(states)
    return [state._replace(jumps=tuple(end if jump < 0 else jump for jump in state.jumps)) for state in states]
