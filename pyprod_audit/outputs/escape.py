"""Text from the scanned tree, made harmless for the place where it is shown."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from pyprod_audit.model.patterns import lazy

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Controls (ESC and C1 start terminal sequences), format characters (bidi overrides reorder what one reads, zero-width
# ones hide it), lone surrogates (cannot be encoded), line and paragraph separators.
_DANGEROUS: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# An entity is never read as Markdown or HTML structure (CommonMark 0.31, section 2.5); ":" and "@" would make links.
_MARKDOWN: Final = lazy(r"""[&<>"'`*_\[\](){}#~|\\!@:^$+=]|(?<=[wW]{3})\.""")


def visible(char: str) -> str:
    r"""The character itself, or an escape such as `\x1b` when a terminal would act on it or hide it."""
    if char.isprintable() or char == " ":
        return char
    if char in _NAMED:
        return _NAMED[char]
    if unicodedata.category(char) not in _DANGEROUS:
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def terminal(text: str) -> str:
    """The text on one line, without anything that a terminal acts on."""
    return text if text.isprintable() else "".join(map(visible, text))


def markdown(text: str) -> str:
    """The text as plain words inside GitHub-flavoured Markdown, table cells included."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", terminal(text))


def markdown_code(text: str) -> str:
    """The text as an inline code span that may hold any character."""
    return f"<code>{markdown(text)}</code>"


def fence(text: str, language: str = "") -> str:
    """The text as a fenced Markdown block; the fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{text.rstrip()}\n{marks}"


def workflow_data(text: str) -> str:
    """The message of a GitHub workflow command; as @actions/core's `escapeData`."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """A property of a GitHub workflow command; as @actions/core's `escapeProperty`."""
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")


def json_text(value: object) -> str:
    """The value as indented JSON in UTF-8 order; lone surrogates, which UTF-8 cannot hold, stay escaped."""
    import json  # not at start-up

    text = json.dumps(value, ensure_ascii=False, indent=2)
    return re.sub(r"[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"
