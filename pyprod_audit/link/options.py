"""Reads the command lines of Python servers into settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pyprod_audit.link.server_options import GRAMMARS, Grammar
from pyprod_audit.model import Node, Unknown


class Setting(NamedTuple):
    """One option as given: its value (None for a switch) and the word that says it."""

    name: str
    value: Node | None
    word: Node


class CommandLine(NamedTuple):
    """What the options say, and the words that are not options. `complete` is False when a word is not known."""

    settings: Mapping[str, Setting]
    positional: tuple[Node, ...]
    complete: bool


def read(program: str, words: Sequence[Node]) -> CommandLine:
    """The settings and positional words of `words`, which follow the name of `program`."""
    grammar = GRAMMARS.get(program, Grammar({}))
    settings: dict[str, Setting] = {}
    positional: list[Node] = []
    complete = True
    rest = iter(words)
    for word in rest:
        text = word.text
        if text is None:
            complete = complete and _unknown_option(grammar, word, settings)
            if not positional and not _expression(word).startswith("-"):
                positional.append(word)
            continue
        if not text.startswith("-") or text == "-":
            positional.append(word)
            continue
        for setting in _option(grammar, text, word, rest):
            settings[setting.name] = setting
    return CommandLine(settings, tuple(positional), complete)


def _expression(word: Node) -> str:
    return word.value.expression if isinstance(word.value, Unknown) else ""


def _unknown_option(grammar: Grammar, word: Node, settings: dict[str, Setting]) -> bool:
    """Keep `--bind=0.0.0.0:$PORT` as a setting with an unknown value; False when the word says nothing."""
    name, equals, text = _expression(word).partition("=")
    if not equals or name not in grammar.values:
        return False
    start = min(word.start + len(name) + 1, word.end)
    value = Node(Unknown(text, f"{text} is known only at deploy time"), word.source, start, word.end)
    settings[grammar.values[name]] = Setting(grammar.values[name], value, word)
    return True


def _option(grammar: Grammar, text: str, word: Node, rest: Iterator[Node]) -> Iterator[Setting]:
    if text in grammar.values:
        value = next(rest, None)
        if value is not None:
            yield Setting(grammar.values[text], value, word)
    elif text in grammar.other_values:
        next(rest, None)
    elif text in grammar.switches:
        yield Setting(grammar.switches[text], None, word)
    elif text.startswith("--") and "=" in text:
        name, _, value_text = text.partition("=")
        if name in grammar.values:
            start = min(word.start + len(name) + 1, word.end)
            yield Setting(grammar.values[name], Node(value_text, word.source, start, word.end), word)
    elif not text.startswith("--") and len(text) > 2 and text[:2] in grammar.values:
        yield Setting(
            grammar.values[text[:2]], Node(text[2:], word.source, min(word.start + 2, word.end), word.end), word
        )
