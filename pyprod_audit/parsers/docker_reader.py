"""Dockerfiles as BuildKit reads them: lines, continuations, parser directives, flags and here-documents.

Follows BuildKit's `frontend/dockerfile/parser` (github.com/moby/buildkit) and docs.docker.com/reference/dockerfile.
Names and values are not interpreted here; `docker_words` splits arguments, `docker_stage` says what they amount to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyprod_audit.model import Problem, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import placeholders
from pyprod_audit.parsers.joined import Joined

INSTRUCTIONS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip

_WITH_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})
_DIRECTIVE = lazy(r"#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(\S.*)")
_DIRECTIVES = frozenset({"escape", "syntax", "check"})
_KEYWORD = lazy(r"\s*(\S+)\s*")
_FLAG = lazy(r"""--(?:[^\s"'\\]++|\\.|"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|["'\\])*+""", re.DOTALL)
_FLAG_QUOTES = lazy(r"""\\(.)|["']""", re.DOTALL)
_SHELL_WORD = lazy(r"""(?:[^\s"'\\]++|\\.|"(?:\\.|[^"\\])*+"|'[^']*+'|["'\\])++""", re.DOTALL)
_HEREDOC = lazy(r"(\d*)<<([-+~]?)([^<]+)")
_MAX_UNKNOWN = 20


@dataclass(slots=True)
class Heredoc:
    """The body of a here-document as a range of the file, and whether variables in it are expanded."""

    delimiter: str
    start: int
    end: int
    expands: bool


@dataclass(slots=True)
class Flag:
    """`--name=value`; `start` and `end` delimit the value in the logical line (the name when there is no value)."""

    name: str
    value: str | None
    start: int
    end: int


@dataclass(slots=True)
class Instruction:
    """One instruction: a logical line, its parts as offsets into `line.text`, and its here-documents.

    `masked` is `line.text` with template expressions filled (`placeholders.FILL`); `arguments` and `arguments_end`
    delimit what follows keyword and flags; `start` and `end` are places in the file, here-documents included.
    """

    name: str
    line: Joined
    masked: str
    keyword: tuple[int, int]
    arguments: int
    arguments_end: int
    start: int
    end: int
    flags: list[Flag] = field(default_factory=list)
    heredocs: list[Heredoc] = field(default_factory=list)
    only_heredoc: bool = False
    after_line: int = 0

    @property
    def rest(self) -> str:
        """The arguments, template expressions filled."""
        return self.masked[self.arguments : self.arguments_end]


class DockerfileReader:
    """Reads one file; `instructions`, `escape` and `problems` hold the result of `read`."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.text = source.text
        self.escape = "\\"
        self.instructions: list[Instruction] = []
        self.problems: list[Problem] = []
        self.partial = False
        self._unknown = 0

    def read(self) -> None:
        """Read the whole file: linear, and nothing stops it."""
        text = self.text
        length = len(text)
        at = self._directives()
        while at < length:
            next_line = self._next_line(at)
            start, end = self._content(at, next_line)
            if start < end and text[start] in "{<":
                start, next_line = self._after_control(start, end, next_line)
            if start >= end or text[start] == "#":
                at = next_line
                continue
            at = self._instruction(start, end, next_line)

    def problem(self, message: str, place: int) -> None:
        """Report `message` at the line of `place`; the file counts as partly read."""
        self.problems.append(Problem("parse", self.source.path, message, self.source.span(place, place).line))
        self.partial = True

    # -- lines ---------------------------------------------------------------------------------------------

    def _next_line(self, at: int) -> int:
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found + 1

    def _content(self, at: int, next_line: int) -> tuple[int, int]:
        """The line from `at` on without its end and its indentation."""
        line = self.text[at:next_line].rstrip("\r\n")
        return at + len(line) - len(line.lstrip()), at + len(line)

    def _after_control(self, start: int, end: int, next_line: int) -> tuple[int, int]:
        """Skip template statements that open a line; also says where the next line starts (comments span lines)."""
        if self.text.startswith("{#", start) and self.text.find("#}", start, end) < 0:
            close = self.text.find("#}", end)
            return end, len(self.text) if close < 0 else self._next_line(close)
        return placeholders.control_end(self.text, start, end), next_line

    def _directives(self) -> int:
        """Read parser directives; return where the first other line starts."""
        at, seen = 0, set()
        while at < len(self.text):
            next_line = self._next_line(at)
            start, end = self._content(at, next_line)
            found = _DIRECTIVE.match(self.text, start, end)
            name = found[1].lower() if found else ""
            if not found or name not in _DIRECTIVES or name in seen:
                break
            seen.add(name)
            if name == "escape":
                value = found[2].strip()
                if value in ("\\", "`"):
                    self.escape = value
                else:
                    self.problem(f"invalid escape character {value[:10]!r}", start)
            at = next_line
        return at

    def _continued(self, end: int, start: int) -> int:
        """Where the continuation mark of the line `start` to `end` stands; -1 without one."""
        while end > start and self.text[end - 1] in " \t":
            end -= 1
        escape = self.escape
        if end > start and self.text[end - 1] == escape and (end - 1 == start or self.text[end - 2] != escape):
            return end - 1
        return -1

    def _logical_line(self, start: int, end: int, next_line: int) -> tuple[list[tuple[int, int]], int, int]:
        """Follow continuations; return the pieces, the end of the last and the start of the line after it."""
        text = self.text
        mark = self._continued(end, start)
        if mark < 0:
            return [(start, end)], end, next_line
        pieces = [(start, mark)]
        last_end = mark
        at = next_line
        while mark >= 0 and at < len(text):
            next_line = self._next_line(at)
            content, end = self._content(at, next_line)
            if content >= end or text[content] == "#":
                at = next_line
                continue
            if text[content] in "{<" and not text.startswith("{{", content):
                after = placeholders.control_end(text, content, end)
                if after >= end:
                    at = next_line
                    continue
            mark = self._continued(end, at)
            last_end = end if mark < 0 else mark
            pieces.append((at, last_end))
            at = next_line
        return pieces, last_end, at

    # -- instructions --------------------------------------------------------------------------------------

    def _instruction(self, start: int, end: int, next_line: int) -> int:
        """Read the instruction that starts on the line `start` to `end`; return where to go on."""
        pieces, last_end, at = self._logical_line(start, end, next_line)
        line = Joined.of(self.source, pieces)
        instruction = split(line, 0, start, last_end)
        if instruction is None:
            return at
        if instruction.name not in INSTRUCTIONS:
            self._unknown_instruction(instruction, start)
            return at
        instruction.after_line = at
        carrier = instruction
        if instruction.name == "ONBUILD":
            carrier = trigger(instruction) or instruction
        if carrier.name in _WITH_HEREDOCS and "<<" in line.text and not carrier.rest.startswith('["'):
            at = self._heredocs(instruction, carrier, at)
        self.instructions.append(instruction)
        return at

    def _unknown_instruction(self, instruction: Instruction, start: int) -> None:
        self._unknown += 1
        self.partial = True
        if placeholders.FILL in instruction.masked[slice(*instruction.keyword)]:
            return
        if self._unknown <= _MAX_UNKNOWN:
            word = instruction.line.text[slice(*instruction.keyword)]
            self.problem(f"unknown instruction {word[:30]!r}", start)

    def _heredocs(self, instruction: Instruction, carrier: Instruction, at: int) -> int:
        """Read the bodies that the words of `carrier` announce; return where the line after the last one starts."""
        words = _SHELL_WORD.findall(carrier.rest)
        first = at
        for word in words:
            found = _HEREDOC.fullmatch(word)
            if not found:
                continue
            delimiter = _FLAG_QUOTES.sub(r"\1", found[3])
            if not delimiter or " " in delimiter:
                continue
            strip_tabs = found[2] == "-"
            body = at
            while at < len(self.text):
                next_line = self._next_line(at)
                content = self.text[at:next_line].rstrip("\r\n")
                if (content.lstrip("\t") if strip_tabs else content) == delimiter:
                    instruction.heredocs.append(Heredoc(delimiter, body, at, found[3] == delimiter))
                    instruction.end = at + len(content)
                    at = next_line
                    break
                at = next_line
            else:
                self.problem(f"here-document {delimiter[:30]!r} does not end", carrier.start)
                instruction.heredocs.append(Heredoc(delimiter, body, at, found[3] == delimiter))
                instruction.end = at
                break
        instruction.after_line = first
        instruction.only_heredoc = len(words) == 1 and len(instruction.heredocs) == 1
        return at


def split(line: Joined, offset: int, start: int, end: int) -> Instruction | None:
    """The instruction that begins at `offset` of a logical line; None when there is nothing."""
    masked = placeholders.filled(line.text)
    found = _KEYWORD.match(masked, offset)
    if not found:
        return None
    at, stop = found.end(), len(masked)
    while stop > at and masked[stop - 1].isspace():
        stop -= 1
    name = found[1].upper()
    instruction = Instruction(name, line, masked, found.span(1), at, max(at, stop), start, end)
    while masked.startswith("--", at):
        flag = _FLAG.match(masked, at)
        if not flag:
            break
        written = flag[0]
        at = flag.end()
        while at < stop and masked[at].isspace():
            at += 1
        if written == "--":
            break
        key, equals, value = written[2:].partition("=")
        value_start = flag.start() + (len(key) + 3 if equals else 2)
        cooked = _FLAG_QUOTES.sub(r"\1", value) if equals else None
        instruction.flags.append(Flag(key, cooked, value_start, flag.end()))
    instruction.arguments = min(at, instruction.arguments_end)
    return instruction


def trigger(instruction: Instruction) -> Instruction | None:
    """The instruction that an ONBUILD holds."""
    if instruction.arguments >= instruction.arguments_end:
        return None
    place = instruction.line.start(instruction.arguments)
    inner = split(instruction.line, instruction.arguments, place, instruction.end)
    if inner is not None:
        inner.heredocs, inner.after_line = instruction.heredocs, instruction.after_line
        inner.only_heredoc = instruction.only_heredoc
    return inner
