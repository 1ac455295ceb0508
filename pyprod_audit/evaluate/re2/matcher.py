"""Searching with Go's results, in time that grows with pattern and text only.

All alternatives are followed at once, in the order of their preference (Pike's machine, as in regexp/exec.go), so the
result is that of leftmost-first matching, whichever quantifiers are nested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, TypeAlias

from pyprod_audit.evaluate.re2.failures import Unsupported
from pyprod_audit.evaluate.re2.program import ASSERT, JUMP, MATCH, SAVE, SET, SPLIT, Instruction, program_of
from pyprod_audit.evaluate.re2.replacement import Part, parts_of
from pyprod_audit.evaluate.re2.syntax import Pattern, parse

MAX_STEPS: Final = 3_000_000
"""Instructions that one call may run when nobody else counts them."""
_WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

Captures: TypeAlias = tuple[int, ...]
"""Start and end of a match, then of each group (-1: it took no part)."""
Charge: TypeAlias = Callable[[int], None]
"""Is told of every instruction that is run, some at a time, and may raise to end the search."""
_Threads: TypeAlias = list[tuple[Instruction, Captures]]


class Steps:
    """A limit of work, for one search or for several together."""

    __slots__ = ("left",)

    def __init__(self, most: int = MAX_STEPS) -> None:
        self.left = most

    def __call__(self, count: int) -> None:
        """Counts steps. Raises Unsupported when there are no more."""
        self.left -= count
        if self.left < 0:
            raise Unsupported("the pattern takes too many steps")


class Regex:
    """A compiled pattern; it does not change. `groups` are the names of its groups in order ("": without).

    Every method takes a `charge` (None: `MAX_STEPS` for the call) and raises what that raises, and Unsupported for a
    text with characters that are classified differently by versions of Unicode.
    """

    __slots__ = ("_anchored", "_program", "groups", "text")

    def __init__(self, text: str, pattern: Pattern) -> None:
        """Raises Unsupported when the program is too large."""
        self.text = text
        self.groups = pattern.groups
        self._program = program_of(pattern.root)
        self._anchored = _is_anchored(self._program)

    def search(self, text: str, start: int = 0, charge: Charge | None = None) -> Captures | None:
        """The first match from offset `start` on."""
        charge = charge or Steps()
        found: Captures | None = None
        threads: _Threads = []
        seen: set[int] = set()
        none = (-1,) * (2 * len(self.groups) + 1)
        for at in range(start, len(text) + 1):
            if found is None and not (self._anchored and at):
                self._follow(threads, seen, 0, (at, *none), text, at)
            if not threads and (found is not None or self._anchored):
                break
            charge(len(seen) + len(threads) + 1)
            character = text[at] if at < len(text) else ""
            following: _Threads = []
            seen = set()
            for instruction, captures in threads:
                if instruction.operation == MATCH:
                    found = (captures[0], at, *captures[2:])
                    break  # what is less preferred does not matter any more
                accepted = instruction.accepted
                if character and accepted is not None and accepted.accepts(character):
                    self._follow(following, seen, instruction.out, captures, text, at + 1)
            threads = following
        return found

    def _follow(self, threads: _Threads, seen: set[int], place: int, captures: Captures, text: str, at: int) -> None:
        """Adds the instructions that wait for a character (or end the match) from `place` on, the preferred first."""
        program = self._program
        stack = [(place, captures)]
        while stack:
            place, captures = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            instruction = program[place]
            operation = instruction.operation
            if operation in (SET, MATCH):
                threads.append((instruction, captures))
            elif operation == SPLIT:
                stack.append((instruction.other, captures))
                stack.append((instruction.out, captures))
            elif operation == JUMP:
                stack.append((instruction.out, captures))
            elif operation == SAVE:
                slot = instruction.other
                stack.append((instruction.out, (*captures[:slot], at, *captures[slot + 1 :])))
            elif _holds(instruction.name, text, at):
                stack.append((instruction.out, captures))

    def found_in(self, text: str, charge: Charge | None = None) -> bool:
        """Whether any part of the text matches."""
        return self.search(text, 0, charge) is not None

    def matches(self, text: str, limit: int = -1, charge: Charge | None = None) -> Iterator[Captures]:
        """At most `limit` matches that do not overlap (all, for a negative one); no empty one next to another match."""
        charge = charge or Steps()
        limit = len(text) + 1 if limit < 0 else limit
        at, count, before = 0, 0, -1
        while count < limit and at <= len(text):
            found = self.search(text, at, charge)
            if found is None:
                return
            accepted = True
            if found[1] == at:
                accepted = found[0] != before
                at += 1
            else:
                at = found[1]
            before = found[1]
            if accepted:
                yield found
                count += 1

    def replace(self, text: str, by: str, *, most: int, literal: bool = False, charge: Charge | None = None) -> str:
        """The text with every match replaced; groups that `by` names ($1, ${name}) are filled in unless `literal`.

        Raises Unsupported when the replacements have more than `most` characters.
        """
        charge = charge or Steps()
        parts = [Part(by)] if literal else parts_of(by)
        made: list[str] = []
        last = at = size = 0
        while at <= len(text):
            found = self.search(text, at, charge)
            if found is None:
                break
            start, end = found[:2]
            made.append(text[last:start])
            # Not for an empty match next to the last one.
            if end > last or start == 0:
                for part in parts:
                    number = part.group(self.groups, found) if part.name else -1
                    made.append(text[found[number * 2] : found[number * 2 + 1]] if number >= 0 else part.text)
                    size += len(made[-1])
                    if size > most:
                        raise Unsupported("the text is too long")
            last = end
            at = end if end > at else at + 1
        return "".join([*made, text[last:]])


def _is_anchored(program: list[Instruction]) -> bool:
    """Whether a match can only start where the text does."""
    place = 0
    while program[place].operation in (SAVE, JUMP):
        place = program[place].out
    return program[place].operation == ASSERT and program[place].name == "A"


def _holds(name: str, text: str, at: int) -> bool:
    """Whether an assertion holds at an offset."""
    if name == "A":
        return at == 0
    if name == "z":
        return at == len(text)
    if name == "^":
        return at == 0 or text[at - 1] == "\n"
    if name == "$":
        return at == len(text) or text[at] == "\n"
    before = at > 0 and text[at - 1] in _WORD
    behind = at < len(text) and text[at] in _WORD
    return (before != behind) == (name == "b")


@lru_cache(maxsize=256)
def compile_pattern(text: str, *, whole: bool = False) -> Regex:
    """The pattern, ready to search; `whole`: it has to match from the start of a text to its end.

    Raises InvalidPatternError where Go refuses the pattern, Unsupported where it is not followed here.
    """
    text = str(text)
    return Regex(text, parse(f"^(?:{text})$" if whole else text))
