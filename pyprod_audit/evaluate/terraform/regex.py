"""Matching Terraform's regular expressions in time that grows with pattern and text only, never exponentially.

All ways through the program are followed at once, in order of preference (Thompson's simulation with captures), so that
what is found is what RE2 finds: the leftmost match, and of those that start there the preferred one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Final

from pyprod_audit.evaluate.terraform.regex_syntax import ASSERT, CHAR, MATCH, SAVE, SPLIT, Program, compiled
from pyprod_audit.model.patterns import lazy

Groups = tuple[int, ...]
"""Start and end of the match, then of each group; -1 for one that took no part."""

_WORD: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_VARIABLE = lazy(r"\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})")


@functools.lru_cache(maxsize=256)
def program_of(pattern: str) -> Program:
    """The compiled pattern. Raises Invalid, Unresolved."""
    return compiled(pattern)


def search(program: Program, text: str, start: int, charge: Callable[[int], None]) -> Groups | None:
    """The first match at or behind `start`; `charge` is told of the work."""
    runner = _Runner(program, text)
    found: Groups | None = None
    current: list[tuple[int, Groups]] = []
    empty = (-1,) * (2 * len(program.groups) + 2)
    for at in range(start, len(text) + 1):
        if found is None:
            runner.follow(current, program.start, empty, at)
        elif not current:
            break
        charge(len(current) // 8 + 1)
        following: list[tuple[int, Groups]] = []
        runner.seen.clear()
        char = text[at] if at < len(text) else ""
        for place, groups in current:
            step = program.instructions[place]
            if step.operation == MATCH:
                found = groups
                break  # what is less preferred does not matter any more
            if char and step.accepts is not None and step.accepts(char):
                runner.follow(following, step.next, groups, at + 1)
        current = following
    return found


class _Runner:
    """Follows the steps of a program that take no character."""

    def __init__(self, program: Program, text: str) -> None:
        self._instructions = program.instructions
        self._text = text
        self.seen: set[int] = set()

    def follow(self, threads: list[tuple[int, Groups]], place: int, groups: Groups, at: int) -> None:
        """Adds the steps that wait for a character behind `place`, in order of preference, each once."""
        stack = [(place, groups)]
        while stack:
            place, groups = stack.pop()
            if place in self.seen or place < 0:
                continue
            self.seen.add(place)
            step = self._instructions[place]
            if step.operation in (CHAR, MATCH):
                threads.append((place, groups))
            elif step.operation == SPLIT:
                stack.append((step.other, groups))
                stack.append((step.next, groups))
            elif step.operation == SAVE:
                number = int(step.value)
                stack.append((step.next, (*groups[:number], at, *groups[number + 1 :])))
            elif step.operation == ASSERT and self._holds(str(step.value), at):
                stack.append((step.next, groups))

    def _holds(self, assertion: str, at: int) -> bool:
        text = self._text
        if assertion == "start":
            return at == 0
        if assertion == "end":
            return at == len(text)
        if assertion == "line start":
            return at == 0 or text[at - 1] == "\n"
        if assertion == "line end":
            return at == len(text) or text[at] == "\n"
        boundary = (at > 0 and text[at - 1] in _WORD) is not (at < len(text) and text[at] in _WORD)
        return boundary is (assertion == "word boundary")


def matches(program: Program, text: str, charge: Callable[[int], None]) -> Iterator[Groups]:
    """All matches that do not overlap; an empty one right behind another does not count."""
    at = 0
    last = -1
    while at <= len(text):
        found = search(program, text, at, charge)
        if found is None:
            return
        start, end = found[:2]
        if end == at:
            at += 1
            if start == last:
                last = end
                continue
        else:
            at = end
        last = end
        yield found


def replaced(program: Program, text: str, by: str, charge: Callable[[int], None]) -> str:
    """The text with every match replaced; `$1` and `${name}` in `by` are what a group matched."""
    made: list[str] = []
    at = last = 0
    while at <= len(text):
        found = search(program, text, at, charge)
        if found is None:
            break
        start, end = found[:2]
        made.append(text[last:start])
        if end > last or start == 0:
            made.append(_filled(program, text, by, found))
            charge(len(made[-1]) // 64)
        last = end
        at = max(at + 1, end)
    return "".join((*made, text[last:]))


def _filled(program: Program, text: str, by: str, groups: Groups) -> str:
    def fill(name: str) -> str:
        number = int(name) if name.isdigit() and len(name) < 6 else -1
        if not name.isdigit() and name in program.groups:
            number = program.groups.index(name) + 1
        if not 0 <= number <= len(program.groups) or groups[2 * number] < 0:
            return ""
        return text[groups[2 * number] : groups[2 * number + 1]]

    if "$" not in by:
        return by
    return _VARIABLE.sub(lambda found: "$" if found[1] else fill(found[2] or found[3]), by)
