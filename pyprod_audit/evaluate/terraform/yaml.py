"""YAML as Terraform writes it: as libyaml does, but with the printable characters and line breaks of its Go port.

Source: go-cty-yaml (a copy of go-yaml's emitter), compared with `terraform console` 1.11.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

from yaml.emitter import Emitter
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from pyprod_audit.model.patterns import lazy

_WIDTH: Final = 80
_LONGEST_KEY: Final = 128
_BREAK: Final = lazy("[\r\n\x85\u2028\u2029]")
_ESCAPES: Final = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e", '"': '"',
    "\\": "\\", "\x85": "N", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


def written(events: Iterable[Event]) -> str:
    """The text of one document."""
    stream = io.StringIO()
    emitter = _Emitter(stream, width=_WIDTH, allow_unicode=True)
    emitter.emit(StreamStartEvent())
    emitter.emit(DocumentStartEvent(explicit=False))
    for event in events:
        emitter.emit(event)
    emitter.emit(DocumentEndEvent(explicit=False))
    emitter.emit(StreamEndEvent())
    return stream.getvalue()


class _Emitter(Emitter):
    """PyYAML's emitter, which is the same design, with the double quotes of the Go port."""

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Writes a scalar in double quotes; a long one is broken at single spaces when `split`."""
        self.write_indicator('"', need_whitespace=True)
        spaces = False
        for at, char in enumerate(text):
            if char == " " and split and not spaces and self.column > _WIDTH and 0 < at < len(text) - 1:
                self.write_indent()
                if text[at + 1] == " ":
                    self._put("\\")
            else:
                self._put(_in_quotes(char))
            spaces = char == " "
        self.write_indicator('"', need_whitespace=False)

    def write_literal(self, text: str) -> None:
        """Writes a scalar of several lines; nothing marks the end of the document behind it."""
        super().write_literal(text)
        self.open_ended = False

    def check_simple_key(self) -> bool:
        """Whether a key is written in front of a colon, without a question mark: when it is short and of one line."""
        if not isinstance(self.event, ScalarEvent):
            return super().check_simple_key()
        text = self.event.value
        return len(text.encode("utf-8", "surrogatepass")) <= _LONGEST_KEY and _BREAK.search(text) is None

    def check_empty_document(self) -> bool:
        """Whether the document must be marked as one because nothing is in it: never."""
        return False

    def _put(self, text: str) -> None:
        self.column += len(text)
        self.stream.write(text)


def _in_quotes(char: str) -> str:
    if char in _ESCAPES:
        return "\\" + _ESCAPES[char]
    code = ord(char)
    if 0x20 <= code <= 0x7E or (0xA0 <= code <= 0xFFFD and char != "\ufeff"):
        return char
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
