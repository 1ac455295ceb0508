"""Sprig's snakecase, kebabcase and camelcase: huandu/xstrings 1.5.0, for ASCII."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.sprig_types import STRING
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

_CONNECTORS: Final = frozenset("-_ \t\n\v\f\r")
# A capital before a small letter begins a word, so it is left out of the capitals before it.
_WORDS = lazy(
    r"(?P<connector>[-_ \t\n\v\f\r]+)|(?P<punctuation>[!\"#%&'()*,./:;?@\[\\\]{}][-_!\"#%&'()*,./:;?@\[\\\]{}]*)"
    r"|(?P<upper>[A-Z]+(?=[A-Z][a-z])|[A-Z][A-Z]+|[A-Z][a-z]*)|(?P<lower>[a-z]+)|(?P<number>[0-9]+)"
    r"|(?P<other>[^-_ \t\n\v\f\rA-Za-z0-9!\"#%&'()*,./:;?@\[\\\]{}]+)"
)
_NO_CONNECTOR: Final = frozenset({"connector", "punctuation", "end"})


def _ascii(text: str) -> None:
    if not text.isascii():
        raise Undecided(Unknown("", "words of other scripts are not told apart here"))


class _Words:
    """The words of a text, and what is written of them."""

    def __init__(self, text: str, connector: str) -> None:
        self.words = [(str(found.lastgroup), found.group()) for found in _WORDS.finditer(text)]
        self.connector = connector
        self.at = 0
        self.out: list[str] = []

    @property
    def kind(self) -> str:
        """The kind of the current word."""
        return self.words[self.at][0] if self.at < len(self.words) else "end"

    @property
    def is_last(self) -> bool:
        """Whether nothing follows the current word."""
        return self.at >= len(self.words) - 1

    def write(self, at: int) -> None:
        """Writes a word: capitals become small letters, connectors the one that is wanted."""
        if at >= len(self.words):
            return
        kind, word = self.words[at]
        if kind == "upper":
            word = word.lower()
        elif kind == "connector":
            word = self.connector * len(word)
        self.out.append(word)

    def write_run(self) -> None:
        """Writes small letters and numbers as long as they go on, and a connector to what follows."""
        while self.kind in ("lower", "number"):
            self.write(self.at)
            self.at += 1
        self.connect()

    def connect(self) -> None:
        """Writes a connector unless the current word stands apart already."""
        if self.kind not in _NO_CONNECTOR:
            self.out.append(self.connector)


def _joined(text: str, connector: str) -> str:
    _ascii(text)
    words = _Words(text, connector)
    while not words.is_last:
        if words.kind != "connector":
            words.write(words.at)
        before = words.kind
        words.at += 1
        if before == "number":
            words.write_run()
        elif before == "connector":
            words.write(words.at - 1)
        elif before != "punctuation":
            _behind_letters(words)
    words.write(words.at)
    return "".join(words.out)


def _behind_letters(words: _Words) -> None:
    """A number behind letters belongs to them, unless small letters follow it."""
    if words.kind != "number":
        words.connect()
        return
    if words.is_last:
        return
    words.at += 1
    if words.kind != "lower":
        words.write(words.at - 1)
        words.connect()
        return
    words.out.append(words.connector)
    words.write(words.at - 1)
    words.write_run()


@takes(STRING)
def snakecase(text: str) -> str:
    """`snakecase`."""
    return _joined(text, "_")


@takes(STRING)
def kebabcase(text: str) -> str:
    """`kebabcase`."""
    return _joined(text, "-")


@takes(STRING)
def camelcase(text: str) -> str:
    """`camelcase`: each word begins with a capital; leading connectors stay."""
    _ascii(text)
    leading = len(text) - len(text.lstrip("-_ \t\n\v\f\r"))
    if leading == len(text):
        # Nothing but connectors: the last one is written twice.
        return text + text[-1:]
    out = [text[:leading]]
    capital = text[leading].isupper()
    current = text[leading].upper()
    for following in text[leading + 1 :]:
        if current in _CONNECTORS and following in _CONNECTORS:
            out.append(current)
            current = following
            continue
        if current in _CONNECTORS:
            capital = following.isupper()
            current = following.upper()
            continue
        if capital and following.isupper():
            lowered = following.lower()
        else:
            lowered = following
            capital = False
        out.append(current)
        current = lowered
    return "".join([*out, current])


CASES: Final[dict[str, Registered]] = {"snakecase": snakecase, "kebabcase": kebabcase, "camelcase": camelcase}
