"""What the instructions of a build stage amount to: its effective user, environment, command and so on."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import shell
from pyprod_audit.parsers.docker_commands import command_node, heredocs, run_node, written
from pyprod_audit.parsers.docker_expand import NO_DEFAULT, expand
from pyprod_audit.parsers.docker_reader import INSTRUCTIONS, DockerfileReader, Instruction, trigger
from pyprod_audit.parsers.docker_words import (
    NotStringsError,
    Range,
    json_words,
    node,
    pairs,
    plain_words,
    quoted_words,
)

PLATFORM_ARGS = frozenset(
    f"{where}{what}" for where in ("TARGET", "BUILD") for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
"""Arguments that BuildKit sets itself (docs.docker.com/reference/dockerfile, "Automatic platform ARGs")."""

MAX_NAMES = 1_000
"""Variables, labels and ports of a stage beyond this number are dropped, so that inheritance stays cheap."""

_DURATIONS = ("interval", "timeout", "start-period", "start-interval")
_PORT = lazy(r"(?:.*:)?([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/([A-Za-z]+))?")
_WINDOWS_PATH = lazy(r"[A-Za-z]:|\\")
_REPEATED_FLAGS = frozenset({"mount", "exclude"})

Names = dict[str, Node]
Expanding: TypeAlias = Callable[[Instruction, Range], Node]


@dataclass(slots=True)
class Stage:
    """One build stage while it is read. What is inherited from a stage of the file is copied at its start."""

    index: int
    opener: Instruction
    reader: DockerfileReader
    global_args: Names
    name: Node | None = None
    reference: Names = field(default_factory=dict)
    base: Names = field(default_factory=dict)
    parent: int | None = None
    platform: Node | None = None
    env: Names = field(default_factory=dict)
    args: Names = field(default_factory=dict)
    labels: Names = field(default_factory=dict)
    expose: tuple[Node, ...] = ()
    volumes: tuple[Node, ...] = ()
    single: Names = field(default_factory=dict)
    cmd: Names | None = None
    entrypoint: Names | None = None
    healthcheck: Node | None = None
    cmd_place: Node | None = None
    entrypoint_place: Node | None = None
    instructions: list[Node] = field(default_factory=list)
    runs: list[Node] = field(default_factory=list)
    copies_from: list[Node] = field(default_factory=list)
    end: int = 0

    def inherit(self, other: Stage) -> None:
        """Take over what the earlier stage `other` amounts to."""
        self.parent, self.base = other.index, other.base
        self.env, self.args, self.labels = dict(other.env), dict(other.args), dict(other.labels)
        self.expose, self.volumes = other.expose, other.volumes
        self.single = dict(other.single)
        self.cmd, self.cmd_place = _inherited(other.cmd), other.cmd_place
        self.entrypoint, self.entrypoint_place = _inherited(other.entrypoint), other.entrypoint_place
        self.healthcheck = other.healthcheck

    def lookup(self, name: str) -> str | Unknown | None:
        """The value of a variable in this stage: ENV, then ARG, then whatever an image from elsewhere sets."""
        found = self.env.get(name) or self.args.get(name)
        if found is not None:
            return found.value if isinstance(found.value, (str, Unknown)) else None
        if self.base.get("image") is not None and self.base["image"].value == "scratch":
            return None
        return Unknown(f"${name}", "it may be set by the base image")

    def read(self, instruction: Instruction) -> None:
        """Apply one instruction of this stage."""
        self.end = instruction.end
        words = self._words(instruction)
        self.instructions.append(self._instruction_node(instruction, words))
        if instruction.name != "ONBUILD":
            self._apply(instruction, words)

    # -- nodes ---------------------------------------------------------------------------------------------

    def expanded(self, instruction: Instruction, where: Range, value: str | None = None) -> Node:
        """The range of the logical line as a scalar with its variables replaced."""
        start, end = where
        written = instruction.masked[start:end] if value is None else value
        result = expand(written, instruction.line.text[start:end], self.lookup, self.reader.escape)
        line = instruction.line
        first = line.start(start)
        return Node(result, line.source, first, max(first, line.end(end)))

    def _words(self, instruction: Instruction) -> tuple[Node, ...] | None:
        """The words of an exec form; None for everything that is not a JSON array."""
        if instruction.name not in _JSON_ALLOWED:
            return None
        try:
            return json_words(instruction)
        except NotStringsError as error:
            self.reader.problem(str(error), instruction.start)
            return None

    def _instruction_node(self, instruction: Instruction, words: tuple[Node, ...] | None) -> Node:
        source = instruction.line.source
        start, end = instruction.start, instruction.end
        expanded = words
        if words is None:
            words, expanded = self._split(instruction)
        value: Names = {
            "name": _keyword(instruction),
            "flags": Node(self._flags(instruction), source, start, end),
            "words": Node(words, source, start, end),
            "expanded": Node(expanded or (), source, start, end),
            "text": node(instruction, instruction.arguments, instruction.arguments_end, written(instruction)),
            "heredocs": heredocs(instruction),
        }
        if instruction.name == "ONBUILD":
            inner = trigger(instruction)
            if inner is not None and inner.name in INSTRUCTIONS and inner.name != "ONBUILD":
                value["trigger"] = self._instruction_node(inner, self._words(inner))
        keyword_start, keyword_end = instruction.keyword
        place = instruction.line.start(keyword_start)
        return Node(value, source, start, end, place, place + keyword_end - keyword_start)

    def _split(self, instruction: Instruction) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The words of an instruction that is no JSON array, as written and expanded."""
        name = instruction.name
        if name in _SCRIPTS:
            return (), ()
        if name in _QUOTED:
            ranges = quoted_words(instruction, self.reader.escape)
        elif name in _WHOLE:
            ranges = [(instruction.arguments, instruction.arguments_end)]
        else:
            ranges = plain_words(instruction)
        words = tuple(node(instruction, *where) for where in ranges)
        rest = instruction.rest
        if name not in _EXPANDED or not ("$" in rest or '"' in rest or "'" in rest or self.reader.escape in rest):
            return words, words
        return words, tuple(self.expanded(instruction, where) for where in ranges)

    def _flags(self, instruction: Instruction) -> Names:
        flags: Names = {}
        source, line = instruction.line.source, instruction.line
        for flag in instruction.flags:
            if flag.value is None:
                place = line.start(flag.start)
                found = Node(True, source, place, max(place, line.end(flag.end)))
            else:
                found = self.expanded(instruction, (flag.start, flag.end), flag.value)
            if flag.name in _REPEATED_FLAGS:
                earlier = flags.get(flag.name)
                members = (*earlier.items, found) if earlier and len(earlier.items) < MAX_NAMES else (found,)
                flags[flag.name] = Node(members, source, members[0].start, found.end)
            else:
                flags[flag.name] = found
        return flags

    # -- effects -------------------------------------------------------------------------------------------

    def _apply(self, instruction: Instruction, words: tuple[Node, ...] | None) -> None:
        name = instruction.name
        own = self.instructions[-1]
        if name == "RUN":
            self.runs.append(run_node(instruction, words, own, self._posix()))
        elif name in ("ENV", "LABEL"):
            self._pairs(instruction, self.env if name == "ENV" else self.labels)
        elif name == "ARG":
            self._args(instruction)
        elif name == "COPY":
            if "from" in own.mapping["flags"].mapping:
                self.copies_from.append(own.mapping["flags"].mapping["from"])
        elif name == "CMD":
            self.cmd, self.cmd_place = command_node(instruction, words, self._posix()), own
        elif name == "ENTRYPOINT":
            self.entrypoint, self.entrypoint_place = command_node(instruction, words, self._posix()), own
            if self.cmd is not None and self.cmd["own"].value is False:
                self.cmd = None
        elif name == "HEALTHCHECK":
            self._healthcheck(instruction, own)
        else:
            self._settle(name, instruction, words, own)

    def _settle(self, name: str, instruction: Instruction, words: tuple[Node, ...] | None, own: Node) -> None:
        """Instructions that only set or extend one value."""
        if name == "EXPOSE":
            ports = tuple(_port(word) for word in own.mapping["expanded"].items)
            self.expose = (*self.expose, *ports)[:MAX_NAMES]
        elif name == "VOLUME":
            self.volumes = (*self.volumes, *own.mapping["expanded"].items)[:MAX_NAMES]
        elif name == "SHELL":
            if words:
                self.single["shell"] = own.mapping["words"]
            else:
                self.reader.problem("SHELL must be a JSON array", instruction.start)
        elif name in ("USER", "WORKDIR", "STOPSIGNAL"):
            self._single(instruction, own)

    def _single(self, instruction: Instruction, own: Node) -> None:
        expanded = own.mapping["expanded"].items
        if instruction.arguments >= instruction.arguments_end or not expanded:
            self.reader.problem(f"{instruction.name} without argument", instruction.start)
            return
        key = instruction.name.lower()
        self.single[key] = self._workdir(expanded[0]) if key == "workdir" else expanded[0]

    def _workdir(self, path: Node) -> Node:
        text = path.text
        if text is None or _WINDOWS_PATH.match(text):
            return path
        if not text.startswith("/"):
            before = self.single.get("workdir")
            if before is None and self.base.get("image") is not None and self.base["image"].value == "scratch":
                text = "/" + text
            elif before is None or before.text is None:
                value = Unknown(text, "relative to a working directory that is not known")
                return Node(value, path.source, path.start, path.end)
            elif len(before.text) + len(text) > 4096:
                return Node(Unknown(text, "the path is too long"), path.source, path.start, path.end)
            else:
                text = posixpath.join(before.text, text)
        return Node("/" + posixpath.normpath(text).lstrip("/"), path.source, path.start, path.end)

    def _pairs(self, instruction: Instruction, into: Names) -> None:
        found, wrong = pairs(instruction, self.reader.escape)
        if wrong or not found:
            self.reader.problem(f"{instruction.name} needs NAME=value", instruction.start)
        new: Names = {}
        for name, value in found:
            key = self.expanded(instruction, name)
            if key.text is not None:
                read = self.expanded(instruction, value)
                read.key_start, read.key_end = key.start, key.end
                new[key.text] = read
        for text, read in new.items():
            if text in into or len(into) < MAX_NAMES:
                into[text] = read

    def _args(self, instruction: Instruction) -> None:
        for text, read in arguments(instruction, self.expanded, self.reader.escape):
            if isinstance(read.value, Unknown) and read.value.because == NO_DEFAULT and text in self.global_args:
                read = self.global_args[text]
            if text in self.args or len(self.args) < MAX_NAMES:
                self.args[text] = read

    def _posix(self) -> bool:
        """Whether shell forms are read by a POSIX shell: there is no SHELL, or it names one."""
        words = self.single["shell"].items if "shell" in self.single else ()
        return not words or (words[0].text is not None and shell.is_posix_shell(words[0].text))

    def _healthcheck(self, instruction: Instruction, own: Node) -> None:
        source = instruction.line.source
        ranges = plain_words(instruction)
        if not ranges:
            self.reader.problem("HEALTHCHECK without argument", instruction.start)
            return
        start, end = ranges[0]
        kind = instruction.masked[start:end].upper()
        place = instruction.line.start(start)
        value: Names = {"none": Node(kind == "NONE", source, place, instruction.line.end(end))}
        flags = own.mapping["flags"].mapping
        for flag in _DURATIONS:
            if flag in flags:
                value[flag.replace("-", "_")] = flags[flag]
        retries = flags.get("retries")
        if retries is not None:
            text = retries.text
            number = int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
            value["retries"] = retries if number is None else Node(number, source, retries.start, retries.end)
        if kind == "CMD":
            inner = _behind(instruction, end)
            value["cmd"] = Node(command_node(inner, self._words(inner), self._posix()), source, inner.start, own.end)
        elif kind != "NONE":
            self.reader.problem(f"HEALTHCHECK {kind[:20]} is neither CMD nor NONE", instruction.start)
        self.healthcheck = Node(value, source, own.start, own.end, own.key_start, own.key_end)


_JSON_ALLOWED = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME"})
_SCRIPTS = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL"})
_QUOTED = frozenset({"ENV", "LABEL", "ARG"})
_WHOLE = frozenset({"USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"})
_EXPANDED = frozenset({"ADD", "COPY", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"})


def arguments(instruction: Instruction, expanded: Expanding, escape: str) -> list[tuple[str, Node]]:
    """What an ARG instruction declares: names with their defaults, Unknown where there is none."""
    found = []
    for start, end in quoted_words(instruction, escape):
        equals = instruction.masked.find("=", start, end)
        name_end = end if equals < 0 else equals
        name = node(instruction, start, name_end)
        text = name.text
        if text is None or not text:
            continue
        if equals >= 0:
            value = expanded(instruction, (equals + 1, end))
        else:
            because = "the platform that is built for" if text in PLATFORM_ARGS else NO_DEFAULT
            value = Node(Unknown(f"${{{text}}}", because), name.source, name.start, name.end)
        value.key_start, value.key_end = name.start, name.end
        found.append((text, value))
    return found


def _keyword(instruction: Instruction) -> Node:
    start, end = instruction.keyword
    return Node(instruction.name, instruction.line.source, instruction.line.start(start), instruction.line.end(end))


def _behind(instruction: Instruction, end: int) -> Instruction:
    """The same instruction with arguments that start behind its first word, which ends at `end`."""
    at, stop = end, instruction.arguments_end
    while at < stop and instruction.masked[at].isspace():
        at += 1
    return Instruction(
        "CMD",
        instruction.line,
        instruction.masked,
        instruction.keyword,
        at,
        stop,
        instruction.line.start(at),
        instruction.end,
    )


def _inherited(command: Names | None) -> Names | None:
    """A command taken over from another stage: the same, but not `own`."""
    if command is None:
        return None
    own = command["own"]
    return {**command, "own": Node(False, own.source, own.start, own.end)}


def _port(word: Node) -> Node:
    """One port of EXPOSE: `8000`, `8000/udp`, `8000-8005` (then with `last`)."""

    def here(value: str | int | Unknown | Names) -> Node:
        return Node(value, word.source, word.start, word.end)

    text = word.text
    found = _PORT.fullmatch(text) if text is not None and len(text) < 64 else None
    if not found:
        unknown = word.value if isinstance(word.value, Unknown) else Unknown(text or "", "not a port")
        return here({"port": here(unknown), "protocol": here("tcp")})
    value = {"port": here(int(found[1])), "protocol": here((found[3] or "tcp").lower())}
    if found[2]:
        value["last"] = here(int(found[2]))
    return here(value)
