"""Shell scripts: the commands they run, in files of their own and inside other files.

`docs/model.md`, section "Shell", describes the nodes. Commands inside `$(…)` are part of the word that holds them.
"""

from __future__ import annotations

import re

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Span, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import placeholders, shell_tree
from pyprod_audit.parsers.joined import Joined
from pyprod_audit.parsers.shell_tree import Range, RawCommand
from pyprod_audit.parsers.shell_words import SPECIAL, meaning

_SHEBANG = lazy(r"#!\s*(\S+)([^\r\n]*)")
_ASSIGNMENT = lazy(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?\+?=")
_SET_FLAGS = {"e": "errexit", "u": "nounset", "x": "xtrace", "f": "noglob", "n": "noexec", "E": "errtrace"}
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"})
_EXEC_FLAG = lazy(r"-[cl]*(a?)")

Commands = tuple[Node, ...]


def parse(source: SourceFile) -> Parsed:
    """A script file as one `shell.script` resource. A script of another language has an interpreter and no commands."""
    parsed = Parsed()
    shebang = _SHEBANG.match(source.text)
    interpreter, flags = _interpreter(shebang) if shebang else ("", "")
    reader = _Reader(Joined.lines(source, 0, len(source.text)))
    options: dict[str, Node] = {}
    found: Commands = ()
    functions: tuple[Node, ...] = ()
    if not interpreter or interpreter in _SHELLS:
        found = reader.commands()
        functions = tuple(reader.functions)
        if shebang and flags:
            words = [Node(word, source, 0, shebang.end()) for word in ("set", *flags.split())]
            _add_options(words, options)
        for command in found:
            if command.mapping["condition"].value == "":
                _add_options(command.items_at("words"), options)
    if reader.error is not None:
        line = source.span(reader.error, reader.error).line
        parsed.problems.append(Problem("parse", source.path, "shell syntax not understood here", line))
        parsed.partial = True
    end = len(source.text)
    value: dict[str, Node] = {
        "options": Node(tuple(options.values()), source, 0, end),
        "commands": Node(found, source, 0, end),
        "functions": Node(functions, source, 0, end),
    }
    if shebang and interpreter:
        value["interpreter"] = Node(interpreter, source, shebang.start(1), len(shebang[0].rstrip()))
    parsed.resources.append(Resource("shell.script", source.path, Node(value, source, 0, end)))
    return parsed


def commands_in(source: SourceFile, start: int, end: int) -> Commands:
    """The commands of the script that stands in the range `start` to `end` of a file; nodes point into the file."""
    return _Reader(Joined.lines(source, start, end)).commands()


def commands_of(text: str, anchor: Span) -> Commands:
    """The commands of the script `text`, which does not stand in a file as such; all nodes point at `anchor`."""
    return _Reader(Joined(anchor.file, text.replace("\r\n", "\n"), [0], [0]), anchor).commands()


def commands_of_joined(script: Joined, start: int = 0) -> Commands:
    """The commands of the script `script.text` from `start` on; nodes point to where its pieces stand in the file."""
    return _Reader(script, start=start).commands()


def command_of_words(words: tuple[Node, ...], place: Node) -> Node:
    """The `command` that words run that no shell reads (`["gunicorn", "app:app"]`), placed at `place`."""
    reader = _Reader(Joined(place.source, "", [0], [place.start]))
    return reader.command(list(words), {}, (), shell_tree.Context(), place.start, place.end)


def is_posix_shell(program: str) -> bool:
    """Whether the program (`/bin/bash`) reads the language of this module."""
    return program.rpartition("/")[2] in _SHELLS


def reads_shebang(script: str) -> bool:
    """Whether the script, by its `#!` line, is one for a POSIX shell; one without such a line is."""
    found = _SHEBANG.match(script)
    return not found or _interpreter(found)[0] in _SHELLS


def _interpreter(shebang: re.Match[str]) -> tuple[str, str]:
    """The basename of the interpreter and its arguments; `env` and its `-S` are looked through."""
    program, arguments = shebang[1].rpartition("/")[2], shebang[2].split()
    if program == "env":
        arguments = [word for word in arguments if word != "-S" and "=" not in word]
        program = arguments.pop(0).rpartition("/")[2] if arguments else ""
    return program, " ".join(arguments)


def _add_options(words: tuple[Node, ...] | list[Node], options: dict[str, Node]) -> None:
    """Add what `set -euo pipefail` switches on; the node of an option points at the word that does it."""
    if len(words) < 2 or words[0].value != "set":
        return
    long_follows = False
    for word in words[1:]:
        text = word.text
        if text is None or text in ("-", "--"):
            return
        if long_follows:
            options.setdefault(text, Node(text, word.source, word.start, word.end))
            long_follows = False
        elif text.startswith("-"):
            for flag in text[1:]:
                name = _SET_FLAGS.get(flag)
                if name:
                    options.setdefault(name, Node(name, word.source, word.start, word.end))
            long_follows = "o" in text
        elif not text.startswith("+"):
            return


class _Reader:
    """Turns the ranges that `shell_tree` finds in one script into nodes."""

    def __init__(self, script: Joined, anchor: Span | None = None, start: int = 0) -> None:
        self.script = script
        self.source = script.source
        self.anchor = anchor
        self.start = start
        self.text = script.text[start:] if start else script.text
        self.masked = placeholders.as_variables(self.text)
        self.error: int | None = None
        self.functions: list[Node] = []
        self._shift = script.origins[0] + start if anchor is None and len(script.starts) == 1 else None

    def commands(self) -> Commands:
        """Read the script; also sets `functions` and `error` (a place in the file)."""
        if not self.text.strip():
            return ()
        raw, functions, error = shell_tree.commands(self.masked)
        self.error = None if error is None else self.place((error, error))[0]
        found = [self._raw_command(command) for command in raw]
        self.functions = [
            Node(self.masked[start:end], self.source, *self.place((start, end))) for start, end in functions
        ]
        return tuple(found)

    def place(self, where: Range) -> Range:
        """The place in the file of a range of the script."""
        start, end = where
        if self._shift is not None:
            return start + self._shift, end + self._shift
        if self.anchor is not None:
            return self.anchor.start, self.anchor.end
        first = self.script.start(start + self.start)
        return first, max(first, self.script.end(end + self.start))

    def _raw_command(self, raw: RawCommand) -> Node:
        words = [self._word(where) for where in raw.words if where[1] > where[0]]
        env: dict[str, Node] = {}
        for start, end in raw.assignments:
            found = _ASSIGNMENT.match(self.masked, start, end)
            if found:
                env[found[1]] = self._word((found.end(), end))
        redirects = tuple(self._scalar(where) for where in raw.redirects)
        return self.command(words, env, redirects, raw.context, *self.place((raw.start, raw.end)))

    def command(
        self,
        words: list[Node],
        env: dict[str, Node],
        redirects: tuple[Node, ...],
        context: shell_tree.Context,
        start: int,
        end: int,
    ) -> Node:
        """The node of one command; `exec` and `env A=1` in front of the program are taken off `words`."""
        source = self.source
        executed = False
        while words:
            first = words[0].value
            if first == "exec":
                executed = True
                words = _without_exec_flags(words)
            elif first == "env" or (isinstance(first, str) and first.endswith("/env")):
                rest = _behind_env(words, env)
                if not rest:
                    break
                words = rest
            else:
                break
        if words:
            start, end = min(start, words[0].start), max(end, words[-1].end)
        head = words[0] if words else None
        head_start, head_end = (head.start, head.end) if head else (start, end)

        def here(value: str | int | bool) -> Node:
            return Node(value, source, head_start, head_end)

        value: dict[str, Node] = {
            "words": Node(tuple(words), source, start, end),
            "env": Node(env, source, start, end),
            "exec": here(executed),
            "background": here(context.background),
            "last": here(context.last),
            "condition": here(context.condition),
            "operator": here(context.operator),
            "redirects": Node(redirects, source, start, end),
        }
        if head is not None:
            value["name"] = Node(
                head.value.rpartition("/")[2] if isinstance(head.value, str) else head.value,
                source,
                head.start,
                head.end,
            )
        if context.pipeline is not None:
            value["pipeline"] = here(context.pipeline)
        if context.function is not None:
            value["function"] = self._scalar(context.function)
        return Node(value, source, start, end)

    def _scalar(self, where: Range) -> Node:
        return Node(self.text[where[0] : where[1]], self.source, *self.place(where))

    def _word(self, where: Range) -> Node:
        start, end = where
        word = self.masked[start:end]
        value: str | Unknown = meaning(word) if SPECIAL.search(word) else word
        if self.masked is not self.text:
            original = self.text[start:end]
            if original != word:
                value = Unknown(original, "a template fills it in")
        return Node(value, self.source, *self.place(where))


def _without_exec_flags(words: list[Node]) -> list[Node]:
    at = 1
    while at < len(words):
        text = words[at].text
        found = _EXEC_FLAG.fullmatch(text) if text and text != "-" else None
        if text == "--":
            return words[at + 1 :]
        if not found:
            break
        at += 2 if found[1] else 1
    return words[at:]


def _behind_env(words: list[Node], env: dict[str, Node]) -> list[Node]:
    """The words after `env`, its options and its assignments, which are added to `env`; empty without a program."""
    at = 1
    while at < len(words):
        word = words[at]
        text = word.value.expression if isinstance(word.value, Unknown) else str(word.value)
        found = _ASSIGNMENT.match(text)
        if found:
            env[found[1]] = _assigned(word, found.end())
        elif text in ("-u", "--unset", "-C", "--chdir"):
            at += 1
        elif not text.startswith("-") or text in ("-S", "--split-string"):
            break
        at += 1
    return words[at:] if at < len(words) and words[at].text not in ("-S", "--split-string") else []


def _assigned(word: Node, length: int) -> Node:
    """The part of the word `NAME=value` behind the `=`, `length` characters in."""
    written = word.source.text[word.start : word.start + length]
    start = word.start + length if written.endswith("=") and '"' not in written else word.start
    if isinstance(word.value, Unknown):
        expression = word.value.expression[length:]
        value: str | Unknown = Unknown(expression, word.value.because)
    else:
        value = str(word.value)[length:]
    return Node(value, word.source, min(start, word.end), word.end)
