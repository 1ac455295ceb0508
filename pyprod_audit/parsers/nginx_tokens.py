"""Tokens of nginx configurations, with exact places.

The rules are those of `ngx_conf_read_token` (nginx, src/core/ngx_conf_file.c): blanks are space, tab, CR and LF; `#`
and quotes count only where a token starts; `${` does not open a block; a backslash takes the next character with it;
an unquoted token ends at a blank, `;` or `{`, so that `}` may stand inside one.
"""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model.patterns import lazy

VALUE_MARK: Final = "\ue000"
"""What a template expression that gives text is masked with, character by character."""
STATEMENT_MARK: Final = "\ue001"
"""What a template statement or comment, which gives no text of its own, is masked with."""

# Groups of TOKEN.
QUOTED: Final = 1
PUNCTUATION: Final = 2
STATEMENT: Final = 3
BROKEN_QUOTE: Final = 4
WORD: Final = 5

# Repetitions are possessive, so a match is one pass over its characters. The order of the alternatives matters: a quote
# without its closing quote, or with something glued to that, is a broken quote: the character alone.
TOKEN: Final = lazy(
    r"""(?:[ \t\r\n]++|\#[^\n]*+)*+
    (?: ((?:"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')(?=[ \t\r\n;{)\ue000\ue001]|\Z))
    |   ([;{}])
    |   (\ue001++)
    |   (["'])
    |   ((?:[^ \t\r\n;{\\$\ue001]++|\\.|\\\Z|\$\{*+)++)
    )""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = lazy(r"""\\(["'\\trn])""")
_CONTROL = {"t": "\t", "r": "\r", "n": "\n"}
_LUA_SKIP = lazy(
    r"""--\[(?P<comment>=*+)\[ | --[^\n]*+ | \[(?P<string>=*+)\[
    | "(?:[^"\\\n]++|\\.)*+"? | '(?:[^'\\\n]++|\\.)*+'? | [{}]""",
    re.VERBOSE | re.DOTALL,
)


def unescape(text: str) -> str:
    r"""The value of a token: `\"`, `\'` and `\\` lose the backslash, `\t`, `\r` and `\n` become control characters."""
    return _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]), text)


def end_of_lua(text: str, start: int) -> int:
    """The offset of the brace that closes the Lua block whose code starts at `start`; -1 when there is none.

    Braces inside Lua strings, long brackets and comments do not count.
    """
    depth = 1
    missing: set[str] = set()  # long brackets known to have no end in what is left
    found = _LUA_SKIP.search(text, start)
    while found:
        character, at = found[0], found.end()
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return found.start()
        elif found.lastgroup:
            closing = f"]{found[found.lastgroup]}]"
            end = -1 if closing in missing else text.find(closing, at)
            if end < 0:
                missing.add(closing)
            else:
                at = end + len(closing)
        found = _LUA_SKIP.search(text, at)
    return -1
