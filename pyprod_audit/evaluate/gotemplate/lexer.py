"""Tokens of Go templates: literal text, and what stands between {{ and }}.

Offsets are in characters. The rules are those of Go's text/template/parse (lex.go, Go 1.26) with the default
delimiters, without its tokens for comments.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from pyprod_audit.model.patterns import lazy

SPACES: Final = " \t\r\n"
"""What trim markers remove, and what separates operands."""

_NUMBER = lazy(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_WORD = lazy(r"[A-Za-z0-9_]*")
_SPACE = lazy(r"[ \t\r\n]+")


class Kind(Enum):
    """What a token is."""

    ERROR = auto()
    TEXT = auto()
    LEFT = auto()
    RIGHT = auto()
    SPACE = auto()
    CHAR = auto()
    ASSIGN = auto()
    DECLARE = auto()
    PIPE = auto()
    OPEN = auto()
    CLOSE = auto()
    STRING = auto()
    RAW = auto()
    RUNE = auto()
    NUMBER = auto()
    COMPLEX = auto()
    BOOL = auto()
    NIL = auto()
    DOT = auto()
    FIELD = auto()
    VARIABLE = auto()
    IDENTIFIER = auto()
    KEYWORD = auto()
    END = auto()


KEYWORDS: Final = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"},
)


class Token(NamedTuple):
    """One token; `value` is its text, for an error its message."""

    kind: Kind
    start: int
    end: int
    value: str


class LexicalError(Exception):
    """A text that is no template, from `start` on."""

    def __init__(self, message: str, start: int) -> None:
        super().__init__(message)
        self.start = start


def tokens(text: str) -> list[Token]:
    """The tokens of `text`; the last one is the end, or the error that ends the reading."""
    found: list[Token] = []
    at = 0
    try:
        while True:
            opening = text.find("{{", at)
            if opening < 0:
                break
            trimmed = text[opening + 2 : opening + 3] == "-" and text[opening + 3 : opening + 4] in _SPACE_SET
            before = text[at:opening]
            if trimmed:
                before = before.rstrip(SPACES)
            if before:
                found.append(Token(Kind.TEXT, at, at + len(before), before))
            inside = opening + (4 if trimmed else 2)
            if text.startswith("/*", inside):
                at = _comment(text, inside)
            else:
                found.append(Token(Kind.LEFT, opening, inside, "{{"))
                at = _action(text, inside, found)
    except LexicalError as error:
        found.append(Token(Kind.ERROR, error.start, error.start, str(error)))
        return found
    if at < len(text):
        found.append(Token(Kind.TEXT, at, len(text), text[at:]))
    found.append(Token(Kind.END, len(text), len(text), "EOF"))
    return found


_SPACE_SET: Final = frozenset(SPACES)


def _closing(text: str, at: int) -> int:
    """The length of the closing delimiter at `at`: 2, 4 with a trim marker, 0 for none."""
    if text.startswith("}}", at):
        return 2
    if text[at : at + 1] in _SPACE_SET and text.startswith("-}}", at + 1):
        return 4
    return 0


def _after(text: str, at: int, length: int) -> int:
    """Where the text goes on after the closing delimiter of `length` at `at`."""
    at += length
    if length == 4:
        found = _SPACE.match(text, at)
        return found.end() if found else at
    return at


def _comment(text: str, start: int) -> int:
    end = text.find("*/", start + 2)
    if end < 0:
        raise LexicalError("unclosed comment", start)
    end += 2
    length = _closing(text, end)
    if not length:
        raise LexicalError("comment ends before closing delimiter", start)
    return _after(text, end, length)


def _action(text: str, at: int, found: list[Token]) -> int:
    """Reads the tokens of one action up to and with its closing delimiter; returns where the text goes on."""
    depth = 0
    match = _COMMON.match
    while True:
        common = match(text, at)
        if common is None:
            if at >= len(text):
                raise LexicalError("unclosed action", at)
            token = _token(text, at)
        else:
            end = common.end()
            kind = _KINDS[common.lastindex or 0]
            if kind is Kind.SPACE or kind is Kind.RIGHT:
                length = _closing(text, at)
                if length:
                    if depth:
                        raise LexicalError("unclosed left paren", at)
                    found.append(Token(Kind.RIGHT, at, at + length, "}}"))
                    return _after(text, at, length)
                if text.startswith("-}}", end):
                    end -= 1  # the last space belongs to the closing delimiter
            token = Token(kind, at, end, text[at:end])
            if kind is Kind.IDENTIFIER and token.value in _WORDS:
                token = token._replace(kind=_WORDS[token.value])
        if token.kind is Kind.OPEN:
            depth += 1
        elif token.kind is Kind.CLOSE:
            depth -= 1
            if depth < 0:
                raise LexicalError("unexpected right paren", at)
        found.append(token)
        at = token.end


_COMMON = lazy(
    r"(\}\})|([ \t\r\n]+)|(\.)(?=[ \t\r\n.,|:()]|\}\}|\Z)|(\.[A-Za-z_][A-Za-z0-9_]*)(?=[ \t\r\n.,|:()]|\}\}|\Z)"
    r"|(\$[A-Za-z0-9_]*)(?=[ \t\r\n.,|:()]|\}\}|\Z)|([A-Za-z_][A-Za-z0-9_]*)(?=[ \t\r\n.,|:()]|\}\}|\Z)"
    r'|("(?:[^"\\\n]|\\[^\n])*")|(\()|(\))|(\|)|(:=)|(=)'
)
"""The tokens that nearly all actions consist of; `_token` reads the others, and knows what is wrong with them."""
_KINDS: Final = (
    Kind.ERROR,
    Kind.RIGHT,
    Kind.SPACE,
    Kind.DOT,
    Kind.FIELD,
    Kind.VARIABLE,
    Kind.IDENTIFIER,
    Kind.STRING,
    Kind.OPEN,
    Kind.CLOSE,
    Kind.PIPE,
    Kind.DECLARE,
    Kind.ASSIGN,
)
_WORDS: Final = {**dict.fromkeys(KEYWORDS, Kind.KEYWORD), "true": Kind.BOOL, "false": Kind.BOOL, "nil": Kind.NIL}


def _token(text: str, start: int) -> Token:
    char = text[start]
    if char == ":":
        raise LexicalError("expected :=", start)
    if char in "\"'":
        return _quoted(text, start, char)
    if char == "`":
        end = text.find("`", start + 1)
        if end < 0:
            raise LexicalError("unterminated raw quoted string", start)
        return Token(Kind.RAW, start, end + 1, text[start : end + 1])
    if char == "$":
        return _name(text, start, Kind.VARIABLE)
    if char == "." and text[start + 1 : start + 2] not in _DIGITS:
        return _name(text, start, Kind.FIELD)
    if char in "+-." or char in _DIGITS:
        return _number(text, start)
    if is_word(char):
        return _identifier(text, start)
    if " " <= char <= "~":
        return Token(Kind.CHAR, start, start + 1, char)
    raise LexicalError(f"unrecognized character in action: U+{ord(char):04X}", start)


_DIGITS: Final = frozenset("0123456789")


def _quoted(text: str, start: int, quote: str) -> Token:
    at = start + 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
            if at >= len(text) or text[at] == "\n":
                break
        elif char == "\n":
            break
        elif char == quote:
            return Token(Kind.STRING if quote == '"' else Kind.RUNE, start, at + 1, text[start : at + 1])
        at += 1
    raise LexicalError(f"unterminated {'quoted string' if quote == chr(34) else 'character constant'}", start)


def is_word(char: str) -> bool:
    """Whether an identifier may hold the character: a letter, a decimal digit, an underscore."""
    return char == "_" or char.isalpha() or char.isdecimal()


def _word_end(text: str, at: int) -> int:
    while True:
        found = _WORD.match(text, at)
        at = found.end() if found else at
        if at < len(text) and text[at] > "\x7f" and is_word(text[at]):
            at += 1
            continue
        return at


def _check_end(text: str, start: int, end: int) -> None:
    """A name must be followed by something that may follow one."""
    if end < len(text) and text[end] not in " \t\r\n.,|:)(" and not text.startswith("}}", end):
        raise LexicalError(f"bad character U+{ord(text[end]):04X} {text[end]!r}", start)


def _name(text: str, start: int, kind: Kind) -> Token:
    end = _word_end(text, start + 1)
    _check_end(text, start, end)
    if kind is Kind.FIELD and end == start + 1:
        kind = Kind.DOT
    return Token(kind, start, end, text[start:end])


def _identifier(text: str, start: int) -> Token:
    end = _word_end(text, start)
    _check_end(text, start, end)
    return Token(Kind.IDENTIFIER, start, end, text[start:end])


def _number(text: str, start: int) -> Token:
    end = _number_end(text, start, start)
    kind = Kind.NUMBER
    if text[end : end + 1] in ("+", "-"):
        end = _number_end(text, start, end)
        if text[end - 1] != "i":
            raise LexicalError(f'bad number syntax: "{text[start:end]}"', start)
        kind = Kind.COMPLEX
    return Token(kind, start, end, text[start:end])


def _number_end(text: str, start: int, at: int) -> int:
    found = _NUMBER.match(text, at)
    end = found.end() if found else at
    if end < len(text) and is_word(text[end]):
        raise LexicalError(f'bad number syntax: "{text[start : end + 1]}"', start)
    return end
