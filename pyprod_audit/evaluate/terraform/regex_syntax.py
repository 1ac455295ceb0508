"""Regular expressions as Terraform has them (RE2, Go's dialect), read into programs for `regex`.

Source: github.com/google/re2/wiki/Syntax, and what Go's package regexp accepts of it; compared with
`terraform console`.
A program is a list of instructions; every one has up to two successors, the preferred one first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pyprod_audit.evaluate.terraform.regex_classes import (
    ANY,
    NOT_NEWLINE,
    CharClass,
    escaped_class,
    literal,
    read_class,
)
from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved
from pyprod_audit.model.patterns import lazy

CHAR: Final = 0
SPLIT: Final = 1
SAVE: Final = 2
ASSERT: Final = 3
MATCH: Final = 4

_MOST: Final = 4000
_LONGEST: Final = 2000
_DEEPEST: Final = 60
_REPEATS: Final = 1000
_REPEAT = lazy(r"\{([0-9]+)(,)?([0-9]+)?\}")
_GROUP = lazy(r"\(\?(?:P?<([A-Za-z0-9_]+)>|([imsU]*)(?:-([imsU]+))?([:)]))")


class Instruction:
    """A step: `CHAR` (a class of characters), `SPLIT`, `SAVE` (a position), `ASSERT` (something between characters)."""

    __slots__ = ("accepts", "next", "operation", "other", "value")

    def __init__(self, operation: int, value: str | int = 0, accepts: CharClass | None = None) -> None:
        self.operation = operation
        self.value = value
        self.accepts = accepts
        self.next = -1
        self.other = -1


class Program(NamedTuple):
    """A compiled pattern: its instructions, where it starts, and the names of its groups ("" for those without)."""

    instructions: list[Instruction]
    start: int
    groups: list[str]


class _Piece(NamedTuple):
    """Part of a program: where it starts, which exits wait for what follows, whether it may match nothing."""

    start: int
    exits: list[tuple[int, bool]]
    empty: bool


class _Tree(NamedTuple):
    """A parsed part of a pattern: `kind` is chars, assert, concat, either, repeat or group."""

    kind: str
    parts: tuple[_Tree, ...] = ()
    accepts: CharClass | None = None
    value: str | int = ""
    fewest: int = 0
    most: int | None = None
    lazy: bool = False


def compiled(pattern: str) -> Program:
    """The program of a pattern. Raises Invalid when it is none, Unresolved when it is too large or not known here."""
    if len(pattern) > _LONGEST:
        raise Unresolved("the pattern is too long")
    parser = _Parser(pattern)
    tree = parser.either(0)
    if parser.at < len(pattern):
        raise Invalid("the pattern has a closing parenthesis too many")
    compiler = _Compiler()
    whole = compiler.compile(_Tree("group", (tree,), None, 0))
    end = compiler.add(Instruction(MATCH))
    compiler.join(whole.exits, end)
    return Program(compiler.instructions, whole.start, parser.groups)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.groups: list[str] = []
        self.flags = frozenset[str]()

    def either(self, depth: int) -> _Tree:
        """Alternatives up to a closing parenthesis or the end."""
        if depth > _DEEPEST:
            raise Unresolved("the pattern is nested too deeply")
        branches = [self._concatenation(depth)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            branches.append(self._concatenation(depth))
        return branches[0] if len(branches) == 1 else _Tree("either", tuple(branches))

    def _concatenation(self, depth: int) -> _Tree:
        parts: list[_Tree] = []
        repeatable = False
        repeated = False
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            quantifier = self._quantifier()
            if quantifier is None:
                found = self._atom(depth)
                parts += found
                repeatable, repeated = bool(found), False
                continue
            if not repeatable and parts:
                raise Unresolved("the pattern repeats a change of flags")
            if not repeatable or repeated:
                raise Invalid("the pattern repeats nothing")
            fewest, most, sparing = quantifier
            if (most if most is not None else fewest) * _repeats(parts[-1]) > _REPEATS:
                raise Invalid("the pattern repeats too often")
            parts[-1] = _Tree("repeat", (parts[-1],), None, "", fewest, most, sparing)
            repeated = True
        return parts[0] if len(parts) == 1 else _Tree("concat", tuple(parts))

    def _quantifier(self) -> tuple[int, int | None, bool] | None:
        """How often what stands before is repeated, and whether as rarely as possible; None when nothing says it."""
        char = self.pattern[self.at]
        if char in "*+?":
            self.at += 1
            fewest, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        else:
            found = _REPEAT.match(self.pattern, self.at) if char == "{" else None
            if found is None:
                return None
            if len(found[1]) > 4 or len(found[3] or "") > 4:
                raise Invalid("the pattern repeats too often")
            fewest = int(found[1])
            most = int(found[3]) if found[3] else None if found[2] else fewest
            if fewest > _REPEATS or (most is not None and (most > _REPEATS or most < fewest)):
                raise Invalid("the pattern repeats too often")
            self.at = found.end()
        sparing = self.pattern.startswith("?", self.at)
        self.at += sparing
        return fewest, most, sparing is not ("U" in self.flags)

    def _atom(self, depth: int) -> list[_Tree]:
        char = self.pattern[self.at]
        if char == "(":
            return self._group(depth)
        if char == "[":
            accepts, self.at = read_class(self.pattern, self.at, fold="i" in self.flags)
            return [_Tree("chars", (), accepts)]
        if char == "\\":
            return self._escape()
        self.at += 1
        if char == ".":
            return [_Tree("chars", (), ANY if "s" in self.flags else NOT_NEWLINE)]
        if char == "^":
            return [_Tree("assert", (), None, "line start" if "m" in self.flags else "start")]
        if char == "$":
            return [_Tree("assert", (), None, "line end" if "m" in self.flags else "end")]
        return [self._literal(char)]

    def _literal(self, char: str) -> _Tree:
        return _Tree("chars", (), literal(char, fold="i" in self.flags))

    def _escape(self) -> list[_Tree]:
        letter = self.pattern[self.at + 1 : self.at + 2]
        if letter in ("A", "z", "b", "B"):
            self.at += 2
            names = {"A": "start", "z": "end", "b": "word boundary", "B": "no word boundary"}
            return [_Tree("assert", (), None, names[letter])]
        if letter == "Q":
            end = self.pattern.find("\\E", self.at + 2)
            text = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            return [self._literal(char) for char in text]
        accepts, self.at = escaped_class(self.pattern, self.at, fold="i" in self.flags)
        return [_Tree("chars", (), accepts)]

    def _group(self, depth: int) -> list[_Tree]:
        outer = self.flags
        number = 0
        if self.pattern.startswith("(?", self.at):
            found = _GROUP.match(self.pattern, self.at)
            if found is None or (found[4] and found[3] is None and found[0].endswith("-)")):
                raise Invalid("the pattern has a group of a kind that there is not")
            self.at = found.end()
            if found[1]:
                self.groups.append(found[1])
                number = len(self.groups)
            else:
                self.flags = (self.flags | set(found[2])) - set(found[3] or "")
                if found[4] == ")":
                    return []  # holds up to the end of the surrounding group, which restores them
        else:
            self.at += 1
            self.groups.append("")
            number = len(self.groups)
        inner = self.either(depth + 1)
        if not self.pattern.startswith(")", self.at):
            raise Invalid("the pattern lacks a closing parenthesis")
        self.at += 1
        self.flags = outer
        return [_Tree("group", (inner,), None, number) if number else _Tree("concat", (inner,))]


def _repeats(tree: _Tree) -> int:
    """How often the innermost part is repeated by numbers."""
    inner = max((_repeats(part) for part in tree.parts), default=1)
    return inner * max(1, tree.most if tree.most is not None else tree.fewest) if tree.kind == "repeat" else inner


class _Compiler:
    def __init__(self) -> None:
        self.instructions: list[Instruction] = []

    def add(self, instruction: Instruction) -> int:
        """The position of a new instruction."""
        if len(self.instructions) >= _MOST:
            raise Unresolved("the pattern is too large")
        self.instructions.append(instruction)
        return len(self.instructions) - 1

    def join(self, exits: list[tuple[int, bool]], target: int) -> None:
        """Leads exits to an instruction."""
        for at, second in exits:
            if second:
                self.instructions[at].other = target
            else:
                self.instructions[at].next = target

    def compile(self, tree: _Tree) -> _Piece:
        """The instructions of a part of a pattern."""
        return _COMPILERS[tree.kind](self, tree)

    def _chars(self, tree: _Tree) -> _Piece:
        at = self.add(Instruction(CHAR, 0, tree.accepts))
        return _Piece(at, [(at, False)], False)

    def _assertion(self, tree: _Tree) -> _Piece:
        at = self.add(Instruction(ASSERT, tree.value))
        return _Piece(at, [(at, False)], True)

    def _nothing(self) -> _Piece:
        at = self.add(Instruction(SPLIT))
        self.instructions[at].other = -2  # one way only
        return _Piece(at, [(at, False)], True)

    def _concat(self, tree: _Tree) -> _Piece:
        if not tree.parts:
            return self._nothing()
        whole = self.compile(tree.parts[0])
        for part in tree.parts[1:]:
            following = self.compile(part)
            self.join(whole.exits, following.start)
            whole = _Piece(whole.start, following.exits, whole.empty and following.empty)
        return whole

    def _alternatives(self, tree: _Tree) -> _Piece:
        pieces = [self.compile(part) for part in tree.parts]
        whole = pieces[-1]
        for piece in reversed(pieces[:-1]):
            at = self.add(Instruction(SPLIT))
            self.instructions[at].next, self.instructions[at].other = piece.start, whole.start
            whole = _Piece(at, piece.exits + whole.exits, piece.empty or whole.empty)
        return whole

    def _captured(self, tree: _Tree) -> _Piece:
        number = int(tree.value)
        start = self.add(Instruction(SAVE, 2 * number))
        inner = self.compile(tree.parts[0])
        end = self.add(Instruction(SAVE, 2 * number + 1))
        self.instructions[start].next = inner.start
        self.join(inner.exits, end)
        return _Piece(start, [(end, False)], inner.empty)

    def _repetition(self, tree: _Tree) -> _Piece:
        part, sparing = tree.parts[0], tree.lazy
        if tree.most is None:
            if tree.fewest == 0:
                return self._star(part, sparing)
            pieces = [self.compile(part) for _ in range(tree.fewest - 1)]
            return self._in_turn([*pieces, self._plus(self.compile(part), sparing)])
        pieces = [self.compile(part) for _ in range(tree.fewest)]
        rest: _Piece | None = None
        for _ in range(tree.most - tree.fewest):
            inner = self.compile(part)
            if rest is not None:
                self.join(inner.exits, rest.start)
                inner = _Piece(inner.start, rest.exits, inner.empty and rest.empty)
            rest = self._perhaps(inner, sparing)
        if rest is not None:
            pieces.append(rest)
        return self._in_turn(pieces) if pieces else self._nothing()

    def _in_turn(self, pieces: list[_Piece]) -> _Piece:
        whole = pieces[0]
        for following in pieces[1:]:
            self.join(whole.exits, following.start)
            whole = _Piece(whole.start, following.exits, whole.empty and following.empty)
        return whole

    def _star(self, part: _Tree, sparing: bool) -> _Piece:
        inner = self.compile(part)
        if inner.empty:  # as `(x+)?`, so that the order of preference is right
            return self._perhaps(self._plus(inner, sparing), sparing)
        at, exit_ = self._branch(inner.start, sparing)
        self.join(inner.exits, at)
        return _Piece(at, [exit_], True)

    def _plus(self, inner: _Piece, sparing: bool) -> _Piece:
        at, exit_ = self._branch(inner.start, sparing)
        self.join(inner.exits, at)
        return _Piece(inner.start, [exit_], inner.empty)

    def _perhaps(self, inner: _Piece, sparing: bool) -> _Piece:
        at, exit_ = self._branch(inner.start, sparing)
        return _Piece(at, [*inner.exits, exit_], True)

    def _branch(self, target: int, sparing: bool) -> tuple[int, tuple[int, bool]]:
        """A choice between `target`, preferred unless `sparing`, and an exit."""
        at = self.add(Instruction(SPLIT))
        self.join([(at, sparing)], target)
        return at, (at, not sparing)


_COMPILERS: Final[dict[str, Callable[[_Compiler, _Tree], _Piece]]] = {
    "chars": _Compiler._chars,
    "assert": _Compiler._assertion,
    "concat": _Compiler._concat,
    "either": _Compiler._alternatives,
    "group": _Compiler._captured,
    "repeat": _Compiler._repetition,
}
