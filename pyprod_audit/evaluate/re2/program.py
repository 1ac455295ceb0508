"""Programs of instructions from parsed patterns; what is written first is preferred."""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.evaluate.re2.classes import CharClass
from pyprod_audit.evaluate.re2.failures import Unsupported
from pyprod_audit.evaluate.re2.syntax import Node

_MAX_PROGRAM: Final = 4_000

SET: Final = 0
SPLIT: Final = 1
SAVE: Final = 2
ASSERT: Final = 3
JUMP: Final = 4
MATCH: Final = 5


class Instruction(NamedTuple):
    """A step: `SET` takes a character of `accepted`, `SPLIT` goes to `out`, else to `other`, `SAVE` fills slot `other`.

    `ASSERT` (of `name`, as in `Node`) looks between characters, `JUMP` goes to `out`, `MATCH` is the end.
    """

    operation: int
    out: int = 0
    other: int = 0
    name: str = ""
    accepted: CharClass | None = None


def program_of(root: Node) -> list[Instruction]:
    """The program of a pattern; it starts at 0. Raises Unsupported when it is too large."""
    compiler = _Compiler()
    compiler.node(root)
    compiler.add(Instruction(MATCH))
    return compiler.program


class _Compiler:
    def __init__(self) -> None:
        self.program: list[Instruction] = []

    def add(self, instruction: Instruction) -> int:
        if len(self.program) >= _MAX_PROGRAM:
            raise Unsupported("the pattern is too large")
        self.program.append(instruction)
        return len(self.program) - 1

    def node(self, node: Node) -> None:
        """Writes the instructions of a node; they go on behind themselves."""
        if node.kind == "set":
            self.add(Instruction(SET, len(self.program) + 1, accepted=node.accepted))
        elif node.kind == "assert":
            self.add(Instruction(ASSERT, len(self.program) + 1, name=node.name))
        elif node.kind == "cat":
            for part in node.parts:
                self.node(part)
        elif node.kind == "group":
            self.add(Instruction(SAVE, len(self.program) + 1, node.number * 2))
            self.node(node.parts[0])
            self.add(Instruction(SAVE, len(self.program) + 1, node.number * 2 + 1))
        elif node.kind == "alt":
            self.alternatives(node.parts)
        elif node.kind == "repeat":
            self.repeat(node)

    def alternatives(self, parts: tuple[Node, ...]) -> None:
        jumps: list[int] = []
        for part in parts[:-1]:
            split = self.add(Instruction(SPLIT))
            self.node(part)
            jumps.append(self.add(Instruction(JUMP)))
            self.program[split] = Instruction(SPLIT, split + 1, len(self.program))
        self.node(parts[-1])
        for jump in jumps:
            self.program[jump] = Instruction(JUMP, len(self.program))

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
            splits.append(self.add(Instruction(SPLIT)))
            self.node(part)
        for split in splits:
            self.choose(split, split + 1, len(self.program), node.greedy)

    def loop(self, part: Node, least: int, greedy: bool) -> None:
        """`part` any number of times; `x*` is written `(x+)?` when x may be empty: that keeps the preferences right."""
        optional = least == 0
        outer = self.add(Instruction(SPLIT)) if optional else -1
        start = len(self.program)
        self.node(part)
        if optional and not _nullable(part):
            # The loop goes back to the one choice.
            self.add(Instruction(JUMP, outer))
        else:
            again = self.add(Instruction(SPLIT))
            self.choose(again, start, len(self.program), greedy)
        if optional:
            self.choose(outer, start, len(self.program), greedy)

    def choose(self, split: int, into: int, past: int, greedy: bool) -> None:
        """A choice that prefers to go in when `greedy`."""
        self.program[split] = Instruction(SPLIT, into, past) if greedy else Instruction(SPLIT, past, into)


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
