"""Commands written as one text, as Compose splits them into words.

Compose starts no shell for them. It splits with mattn/go-shellwords (its `Parse`, without environment and backticks),
which knows quotes and backslashes and ends at the first `;`, `&`, `|`, `<` or `>` outside of them: of
`migrate && gunicorn app:app` only `migrate` is run.
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.compose.texts import Template, part, template, text_of
from pyprod_audit.model import Node

_BLANKS: Final = frozenset(" \t\r\n")
_ENDS: Final = frozenset(";&|<>")


def command_words(node: Node) -> tuple[Node, ...] | None:
    """The words of a command that is a text, each at its place; None when Compose refuses it."""
    text = text_of(node)
    splitter = _Splitter(text or "")
    if not splitter.split():
        return None
    return tuple(_word(node, word, start, end) for word, start, end in splitter.words)


def _word(node: Node, word: str, start: int, end: int) -> Node:
    found = part(node, start, end)
    if isinstance(found.value, Template):
        return found.holding(template(word, found.value.gaps))
    return found if found.is_unknown else found.holding(word)


class _Splitter:
    """The state of the split. `words`: each word, and where the text that it is made of starts and ends."""

    def __init__(self, text: str) -> None:
        self.words: list[tuple[str, int, int]] = []
        self._text = text
        self._buffer: list[str] = []
        self._start = -1
        self._started = False
        self._single = self._double = self._back = self._dollar = False

    def split(self) -> bool:
        """Whether the text is valid; the words are then complete."""
        escaped = False
        at = 0
        for at, char in enumerate(self._text):
            if escaped:
                escaped = False
                self._add(char, at)
            elif char == "\\" and not self._single:
                escaped = True
                self._begin(at)
            elif char == "\\":
                self._buffer.append(char)
            elif char in _BLANKS:
                self._blank(char, at)
            elif char in _ENDS and not (self._single or self._double or self._back or self._dollar):
                if char == ">" and self._buffer and self._buffer[0] in "0123456789":
                    self._started = False
                break
            elif not self._step(char, at):
                return False
        else:
            at = len(self._text)
        self._end(at)
        return not (escaped or self._single or self._double or self._back or self._dollar)

    def _step(self, char: str, at: int) -> bool:
        """Takes a character that is no blank and ends nothing; False when the text cannot be valid any more."""
        plain = not self._single and not self._double
        if char == "`" and plain and not self._dollar:
            self._back = not self._back
        elif char == ")" and plain and not self._back:
            self._dollar = not self._dollar
        elif char == "(" and plain and not self._back:
            if self._dollar or self._buffer[-1:] != ["$"]:
                return False
            self._dollar = True
            self._buffer.append(char)
            return True
        elif char == '"' and not self._single and not self._dollar:
            self._double = self._quote(self._double, at)
            return True
        elif char == "'" and not self._double and not self._dollar:
            self._single = self._quote(self._single, at)
            return True
        self._add(char, at)
        return True

    def _quote(self, is_open: bool, at: int) -> bool:
        self._begin(at)
        self._started = self._started or is_open
        return not is_open

    def _blank(self, char: str, at: int) -> None:
        if self._single or self._double or self._back or self._dollar:
            self._buffer.append(char)
        else:
            self._end(at)

    def _begin(self, at: int) -> None:
        if self._start < 0:
            self._start = at

    def _add(self, char: str, at: int) -> None:
        self._begin(at)
        self._started = True
        self._buffer.append(char)

    def _end(self, at: int) -> None:
        if self._started:
            self.words.append(("".join(self._buffer), self._start, at))
            self._buffer.clear()
            self._start = -1
            self._started = False
