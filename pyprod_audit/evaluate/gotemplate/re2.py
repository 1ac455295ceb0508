"""Regular expressions with Go's results, in time that grows with the text only.

All alternatives are followed at once, in the order of their preference (Pike's machine, as in regexp/exec.go), so the
result is that of leftmost-first matching, whichever quantifiers are nested.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.re2_syntax import InvalidPatternError, Node, Pattern, parse
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.model import Unknown

__all__ = ["InvalidPatternError", "Regex", "compile_pattern"]

_MAX_PROGRAM: Final = 4_000
MAX_STEPS: Final = 3_000_000
"""Instructions that one call may run."""
_ASCII: Final = 128
_WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

Captures = tuple[int, ...]


class _Instruction(NamedTuple):
    """`op`: "set", "split" (to `out`, else to `other`), "save" (slot `other`), "assert" (`name`), "jump", "match"."""

    op: str
    out: int = 0
    other: int = 0
    name: str = ""
    accepted: frozenset[str] = frozenset()
    ranges: tuple[tuple[int, int], ...] = ()


def _too_much(text: str) -> Undecided:
    return Undecided(Unknown(text, "the pattern takes too many steps"))


class _Compiler:
    """Instructions from nodes; what is written first is preferred."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.program: list[_Instruction] = []

    def add(self, instruction: _Instruction) -> int:
        if len(self.program) >= _MAX_PROGRAM:
            raise Undecided(Unknown(self.pattern, "the pattern is too large"))
        self.program.append(instruction)
        return len(self.program) - 1

    def node(self, node: Node) -> None:
        """Writes the instructions of a node; they go on behind themselves."""
        if node.kind == "set":
            self.set(node)
        elif node.kind == "assert":
            self.add(_Instruction("assert", len(self.program) + 1, name=node.name))
        elif node.kind == "cat":
            for part in node.parts:
                self.node(part)
        elif node.kind == "group":
            self.add(_Instruction("save", len(self.program) + 1, node.number * 2))
            self.node(node.parts[0])
            self.add(_Instruction("save", len(self.program) + 1, node.number * 2 + 1))
        elif node.kind == "alt":
            self.alternatives(node.parts)
        elif node.kind == "repeat":
            self.repeat(node)

    def set(self, node: Node) -> None:
        ascii_codes = [
            code for low, high in node.ranges if low < _ASCII for code in range(low, min(high, _ASCII - 1) + 1)
        ]
        beyond = tuple((low, high) for low, high in node.ranges if high >= _ASCII)
        accepted = frozenset(map(chr, ascii_codes))
        self.add(_Instruction("set", len(self.program) + 1, accepted=accepted, ranges=beyond))

    def alternatives(self, parts: tuple[Node, ...]) -> None:
        jumps: list[int] = []
        for part in parts[:-1]:
            split = self.add(_Instruction("split"))
            self.node(part)
            jumps.append(self.add(_Instruction("jump")))
            self.program[split] = _Instruction("split", split + 1, len(self.program))
        self.node(parts[-1])
        for jump in jumps:
            self.program[jump] = _Instruction("jump", len(self.program))

    def repeat(self, node: Node) -> None:
        part, least, most = node.parts[0], node.least, node.most
        if most < 0:
            if least <= 1:
                self.loop(part, least, node.greedy)
                return
            for _ in range(least - 1):
                self.node(part)
            self.loop(part, 1, node.greedy)
            return
        for _ in range(least):
            self.node(part)
        splits: list[int] = []
        for _ in range(most - least):
            splits.append(self.add(_Instruction("split")))
            self.node(part)
        for split in splits:
            self.choose(split, split + 1, len(self.program), node.greedy)

    def loop(self, part: Node, least: int, greedy: bool) -> None:
        """`part` any number of times; `x*` is written `(x+)?` when x may be empty: that keeps the preferences right."""
        optional = least == 0
        outer = self.add(_Instruction("split")) if optional else -1
        start = len(self.program)
        self.node(part)
        if optional and not _nullable(part):
            # The loop goes back to the one choice.
            self.add(_Instruction("jump", outer))
        else:
            again = self.add(_Instruction("split"))
            self.choose(again, start, len(self.program), greedy)
        if optional:
            self.choose(outer, start, len(self.program), greedy)

    def choose(self, split: int, into: int, past: int, greedy: bool) -> None:
        """A choice that prefers to go in when `greedy`."""
        self.program[split] = _Instruction("split", into, past) if greedy else _Instruction("split", past, into)


def _nullable(node: Node) -> bool:
    """Whether the node can match nothing, as Go's compiler sees it."""
    if node.kind == "set":
        return False
    if node.kind in ("empty", "assert"):
        return True
    if node.kind == "alt":
        return any(_nullable(part) for part in node.parts)
    if node.kind == "repeat":
        return node.least == 0 or _nullable(node.parts[0])
    return all(_nullable(part) for part in node.parts)


class Regex:
    """A compiled pattern. `steps` are left for all of its searches together."""

    def __init__(self, text: str, pattern: Pattern) -> None:
        compiler = _Compiler(text)
        compiler.node(pattern.root)
        compiler.add(_Instruction("match"))
        self.text = text
        self.names = pattern.names
        self.slots = pattern.groups * 2 + 2
        self.folds = pattern.folds
        self.steps = MAX_STEPS
        self.program = compiler.program

    def search(self, text: str, start: int) -> Captures | None:
        """The offsets of the first match from `start` on and of its groups (-1: a group that took no part).

        Raises `Undecided` when that takes too many steps, and for letters that Go folds beyond ASCII.
        """
        if self.folds and not (text.isascii() and self.text.isascii()):
            raise Undecided(Unknown(self.text, "upper and lower case of other scripts are not compared here"))
        none = (-1,) * self.slots
        found: Captures | None = None
        threads: list[tuple[int, Captures]] = []
        at = start
        while True:
            if found is None:
                begun = (at, *none[1:])
                seen: set[int] = {thread[0] for thread in threads}
                self.follow(threads, seen, 0, begun, text, at)
            if not threads and found is not None:
                return found
            character = text[at] if at < len(text) else ""
            following: list[tuple[int, Captures]] = []
            seen = set()
            self.steps -= len(threads)
            for place, captures in threads:
                instruction = self.program[place]
                if instruction.op == "match":
                    found = (captures[0], at, *captures[2:])
                    break
                if character and _accepts(instruction, character):
                    self.follow(following, seen, instruction.out, captures, text, at + 1)
            threads = following
            if at >= len(text):
                return found
            at += 1

    def follow(
        self, threads: list[tuple[int, Captures]], seen: set[int], place: int, captures: Captures, text: str, at: int
    ) -> None:
        """Adds the instructions that wait for a character (or end the match) from `place` on, the preferred first."""
        stack = [(place, captures)]
        while stack:
            place, captures = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            self.steps -= 1
            if self.steps < 0:
                raise _too_much(self.text)
            op, out, other, name, _, _ = self.program[place]
            if op == "split":
                stack.append((other, captures))
                stack.append((out, captures))
            elif op == "jump":
                stack.append((out, captures))
            elif op == "save":
                stack.append((out, (*captures[:other], at, *captures[other + 1 :])))
            elif op == "assert":
                if _holds(name, text, at):
                    stack.append((out, captures))
            else:
                threads.append((place, captures))

    def find_all(self, text: str, limit: int) -> Iterator[Captures]:
        """At most `limit` matches that do not overlap (all, for a negative one); no empty one next to another match."""
        limit = len(text) + 1 if limit < 0 else limit
        at, count, before = 0, 0, -1
        while count < limit and at <= len(text):
            found = self.search(text, at)
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


def _accepts(instruction: _Instruction, character: str) -> bool:
    if character in instruction.accepted:
        return True
    code = ord(character)
    return code >= _ASCII and any(low <= code <= high for low, high in instruction.ranges)


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


def compile_pattern(text: str) -> Regex:
    """The pattern, ready to search. Raises `InvalidPatternError` and `Undecided` as `re2_syntax.parse` does."""
    return Regex(text, parse(text))
