"""Scripts as rules about shell commands see them: files, and the `sh -c` texts of Kubernetes containers."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from pyprod_audit.model import Node, Resource, SourceFile
from pyprod_audit.model.patterns import lazy

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh"})
_BLOCK = lazy(r"[|>][0-9+-]{0,2}[ \t]*(?:#[^\r\n]*)?\r?\n")
_FLAGS = {"e": "errexit", "u": "nounset"}


class Script(NamedTuple):
    """The commands of one script with the options that are on (`errexit`, `pipefail`, …) and its text.

    `source` holds the places of the commands; `exact` says that a command points at its own words, not at the script.
    """

    commands: tuple[Node, ...]
    options: frozenset[str]
    text: str
    source: SourceFile
    exact: bool = True


def script_of(resource: Resource) -> Script | None:
    """The script that a `shell.script`, a `cron.entry` or a container by its command runs; None when there is none."""
    if resource.kind == "cron.entry":
        text = resource.node.text_at("command") or ""
        return Script(resource.node.items_at("commands"), frozenset(), text, resource.source)
    if resource.kind == "shell.script":
        options = frozenset(str(option.scalar) for option in resource.node.items_at("options"))
        return Script(resource.node.items_at("commands"), options, resource.source.text, resource.source)
    words = (*resource.node.items_at("command"), *resource.node.items_at("args"))
    return _of_words(words) if words else None


def _of_words(words: Sequence[Node]) -> Script | None:
    from pyprod_audit.parsers.shell import command_of_words

    program = posixpath.basename(words[0].text or "")
    if program not in _SHELLS:
        command = command_of_words(tuple(words), words[0])
        # The exit status of the only command is that of the container.
        return Script((command,), frozenset({"errexit"}), " ".join(w.text or "" for w in words), words[0].source)
    options: set[str] = set()
    rest = iter(words[1:])
    for word in rest:
        flag = word.text or ""
        if not flag.startswith(("-", "+")):
            return None  # a script file of the image
        options |= {_FLAGS[letter] for letter in flag[1:] if letter in _FLAGS}
        if flag.startswith("-") and flag.endswith("o"):
            following = next(rest, None)
            options.add(following.text or "" if following is not None else "")
        elif "c" in flag and not flag.startswith("--"):
            script = next((one for one in rest if not (one.text or "-").startswith("-")), None)
            return _of_text(script, options) if script is not None else None
    return None


def _of_text(script: Node, options: set[str]) -> Script | None:
    from pyprod_audit.parsers.shell import commands_in, commands_of

    if script.text is None:
        return None
    block = _BLOCK.match(script.source.text, script.start, script.end)
    if block is not None and script.source.text[script.start] == "|":
        commands, exact = commands_in(script.source, block.end(), script.end), True
    else:
        commands, exact = commands_of(script.text, script.span.first_line), False
    for command in commands:
        if command.text_at("name") == "set" and not command.text_at("condition"):
            options |= _switched_on(command.items_at("words")[1:])
    return Script(commands, frozenset(options), script.text, script.source, exact)


def _switched_on(words: Sequence[Node]) -> set[str]:
    """What `set -euo pipefail` switches on."""
    found: set[str] = set()
    for before, word in zip((None, *words), words, strict=False):
        flag = word.text or ""
        if flag.startswith("-"):
            found |= {_FLAGS[letter] for letter in flag[1:] if letter in _FLAGS}
        elif before is not None and (before.text or "").startswith("-") and (before.text or "").endswith("o"):
            found.add(flag)
    return found
