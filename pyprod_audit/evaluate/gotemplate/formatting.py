"""Values as Go's package fmt writes them: `print`, `println`, and `printf` with its verbs.

Facts from fmt/print.go and fmt/format.go of Go 1.26. Unknown values become marks; what cannot be written exactly as Go
does it (`%p`, the type of a slice that may be a []string) raises `Inexact`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.go_numbers import general
from pyprod_audit.evaluate.gotemplate.marks import MARK, OPEN
from pyprod_audit.evaluate.gotemplate.text import concat
from pyprod_audit.evaluate.gotemplate.values import Callables, Int64, List, Map, Text, Value
from pyprod_audit.model import Unknown

Marker = Callable[[Unknown], str]
"""Gives the mark of an Unknown."""

MAX_DEPTH: Final = 60
"""How deep containers are followed; beyond it, the value is `Inexact`."""


class Inexact(Exception):  # noqa: N818 - no error: Go writes something, but not what we could write
    """Go's text for a value is not known here; the message says why."""


class Verb(NamedTuple):
    """One verb with its flags; `width` and `precision` are None when not given."""

    letter: str = "v"
    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None


PLAIN: Final = Verb()


def sprint(values: Sequence[Value], mark: Marker) -> str:
    """Operands in their default format, with a space between two that are both no strings."""
    parts: list[str] = []
    was_text = True
    for value in values:
        is_text = isinstance(value, str)
        if parts and not is_text and not was_text:
            parts.append(" ")
        parts.append(show(value, mark))
        was_text = is_text
    return concat(parts)


def sprintln(values: Sequence[Value], mark: Marker) -> str:
    """Operands in their default format with spaces in between, and a line feed."""
    parts: list[str] = []
    for value in values:
        parts += (show(value, mark), " ")
    return concat([*parts[:-1], "\n"])


def show(value: Value, mark: Marker) -> str:
    """One value in its default format (%v). The text of a string keeps its pieces."""
    if isinstance(value, str):
        return value
    return Writer(mark).value(value, PLAIN, 0)


def type_name(value: Value) -> str:
    """The Go type of a value (%T). Raises `Inexact` for what could be of several."""
    kind = _TYPES.get(type(value))
    if kind is None and isinstance(value, (dict, list)):
        kind = getattr(value, "go_type", Map.go_type if isinstance(value, dict) else List.go_type)
    if kind is None:
        raise Inexact("its type in Go is not known")
    return str(kind)


_TYPES: Final = {
    bool: "bool",
    int: "int",
    Int64: "int64",
    float: "float64",
    str: "string",
    Text: "string",
    bytes: "[]uint8",
    type(None): "<nil>",
}


def quote(text: str, *, ascii_only: bool = False) -> str:
    """A string as a constant of Go in double quotes (%q); marks stay whole."""
    return f'"{escape(text, chr(34), ascii_only=ascii_only)}"'


_ESCAPES: Final = {7: "\\a", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 92: "\\\\"}


def escape(text: str, delimiter: str, *, ascii_only: bool = False) -> str:
    """What stands between the quotes of a constant of Go; marks stay whole."""
    if OPEN in text:
        at = 0
        parts: list[str] = []
        for found in MARK.finditer(text):
            parts += (escape(text[at : found.start()].replace(OPEN, ""), delimiter, ascii_only=ascii_only), found[0])
            at = found.end()
        return "".join((*parts, escape(text[at:].replace(OPEN, ""), delimiter, ascii_only=ascii_only)))
    if text.isascii() and text.isprintable() and "\\" not in text and delimiter not in text:
        return str(text)
    return "".join([_escaped(char, delimiter, ascii_only) for char in text])


def _escaped(char: str, delimiter: str, ascii_only: bool) -> str:
    code = ord(char)
    if code in _ESCAPES:
        return _ESCAPES[code]
    if char == delimiter:
        return "\\" + char
    if char.isprintable() and (code < 127 or not ascii_only):
        return char
    if code < 32 or code == 127:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Writer:
    """Writes values with a verb; `mark` gives the marks of Unknown ones."""

    def __init__(self, mark: Marker) -> None:
        self.mark = mark

    def argument(self, value: Value, verb: Verb) -> str:
        """An operand of printf."""
        if value is None:
            return _pad("<nil>", verb) if verb.letter in "vT" else f"%!{verb.letter}(<nil>)"
        if verb.letter == "T":
            return _pad(type_name(value), verb)
        return self.value(value, verb, 0)

    def value(self, value: Value, verb: Verb, depth: int) -> str:
        """Any value; inside of containers nil is "<nil>" for every verb."""
        if isinstance(value, Unknown):
            return self.unknown(value, verb)
        if isinstance(value, str):
            return _string(value, verb, self)
        if isinstance(value, bool):
            return _pad("true" if value else "false", verb) if verb.letter in "tv" else self.bad(value, verb)
        if isinstance(value, int):
            return _integer(value, verb, self)
        if isinstance(value, float):
            return _float(value, verb, self)
        if value is None:
            return ("interface {}(nil)" if verb.letter == "v" and verb.sharp else "<nil>") if depth else "<nil>"
        return self.container(value, verb, depth)

    def container(self, value: Value, verb: Verb, depth: int) -> str:
        """A map or a slice: the verb goes to all members."""
        if depth > MAX_DEPTH:
            raise Inexact("it is nested too deeply")
        text = getattr(value, "text", None)
        if isinstance(value, Callables) and isinstance(text, str) and verb.letter in "vs" and not verb.sharp:
            return _pad(text, verb)  # what its method String gives
        if verb.letter == "p" or isinstance(value, Callables):
            raise Inexact("only the real engine knows how it is written")
        syntax = verb.letter == "v" and verb.sharp
        if isinstance(value, dict):
            members = [
                f"{self.value(key, verb, depth + 1)}:{self.value(value[key], verb, depth + 1)}"
                for key in sorted(value, key=str)
            ]
            if isinstance(value, Map) and value.open is not None:
                members.append(self.unknown(value.open, verb))
            if syntax:
                return f"{type_name(value)}{{{', '.join(members)}}}"
            return f"map[{' '.join(members)}]"
        if isinstance(value, bytes):
            return _bytes(value, verb, self)
        if isinstance(value, (list, tuple)):
            members = [self.value(member, verb, depth + 1) for member in value]
            if syntax:
                return f"{type_name(value)}{{{', '.join(members)}}}"
            return f"[{' '.join(members)}]"
        raise Inexact("only the real engine knows how it is written")

    def unknown(self, value: Unknown, verb: Verb) -> str:
        """The mark, where the verb leaves text as it is."""
        if verb.width is not None or verb.precision is not None or verb.letter not in "vsdqtf":
            raise Inexact(value.because or "it is known only when deployed")
        return f'"{self.mark(value)}"' if verb.letter == "q" else self.mark(value)

    def bad(self, value: Value, verb: Verb) -> str:
        """What Go writes for a verb that does not fit the type: the value in its default format, with the flags."""
        plain = verb._replace(letter=_DEFAULTS.get(type_name(value), "v"))
        return f"%!{verb.letter}({type_name(value)}={self.value(value, plain, 0)})"


# The verb that writes a type as %v does, but leaves the flags their meaning.
_DEFAULTS: Final = {"string": "s", "int": "d", "int64": "d", "float64": "g", "bool": "t"}


def _pad(text: str, verb: Verb, *, zero: bool = True) -> str:
    if not verb.width or len(text) >= verb.width:
        return text
    if verb.minus:
        return text.ljust(verb.width)
    return text.rjust(verb.width, "0" if verb.zero and zero else " ")


def _string(value: str, verb: Verb, writer: Writer) -> str:
    if OPEN in value and (verb.width is not None or verb.precision is not None or verb.letter not in "vsq"):
        raise Inexact("part of it is known only when deployed")
    letter = verb.letter
    if letter in "xX":
        return _hex(value.encode("utf-8", "surrogatepass"), verb)
    if letter in "vsq":
        text = value if verb.precision is None else value[: verb.precision]
        if letter == "q" or (letter == "v" and verb.sharp):
            text = _quoted(text, verb)
        return _pad(text, verb)
    return writer.bad(value, verb)


def _quoted(text: str, verb: Verb) -> str:
    # Go syntax (%#v) uses no raw string: the flag is gone by then.
    raw = verb.sharp and verb.letter == "q" and OPEN not in text
    if raw and "`" not in text and "\ufeff" not in text and all(c == "\t" or " " <= c != "\x7f" for c in text):
        return f"`{text}`"
    return quote(text, ascii_only=verb.plus and verb.letter == "q")


def _hex(value: bytes, verb: Verb) -> str:
    if verb.precision is not None:
        value = value[: verb.precision]
    if not value:
        return _pad("", verb)
    prefix = f"0{verb.letter}" if verb.sharp else ""
    digits = value.hex(" ") if verb.space else value.hex()
    if verb.letter == "X":
        digits = digits.upper()
    if verb.space and verb.sharp:
        digits = digits.replace(" ", f" {prefix}")
    return _pad(prefix + digits, verb)


def _bytes(value: bytes, verb: Verb, writer: Writer) -> str:
    if verb.letter in "vd":
        if verb.sharp and verb.letter == "v":
            return f"[]byte{{{', '.join(f'{byte:#x}' for byte in value)}}}"
        return f"[{' '.join(_integer(byte, verb, writer) for byte in value)}]"
    if verb.letter in "xX":
        return _hex(value, verb)
    if verb.letter in "sq":
        try:
            return _string(value.decode(), verb, writer)
        except UnicodeDecodeError:
            raise Inexact("it is not text") from None
    return f"[{' '.join(f'%!{verb.letter}(uint8={byte})' for byte in value)}]"


_BASES: Final = {"v": "d", "d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}


def _integer(value: int, verb: Verb, writer: Writer) -> str:
    letter = verb.letter
    if letter in _BASES:
        return _digits(value, verb)
    if letter in "cqU":
        valid = 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF
        char = chr(value) if valid else "\ufffd"
        if letter == "c":
            return _pad(char, verb)
        if letter == "q":
            return _pad(f"'{escape(char, chr(39), ascii_only=verb.plus)}'", verb)
        code = f"{value % 2**64:0{max(4, verb.precision or 0)}X}"
        shown = f" '{char}'" if verb.sharp and valid and char.isprintable() else ""
        return _pad(f"U+{code}{shown}", verb, zero=False)
    return writer.bad(value, verb)


def _digits(value: int, verb: Verb) -> str:
    if value == 0 and verb.precision == 0:
        return _pad("", verb, zero=False)
    plus, sharp = (False, False) if verb.letter == "v" else (verb.plus, verb.sharp)
    sign = "-" if value < 0 else "+" if plus else " " if verb.space else ""
    digits = format(abs(value), _BASES[verb.letter])
    if verb.precision is not None:
        digits = digits.rjust(verb.precision, "0")
    elif verb.zero and not verb.minus and verb.width:
        digits = digits.rjust(verb.width - len(sign), "0")
    if sharp and verb.letter in "bxX":
        digits = f"0{verb.letter}{digits}"
    elif sharp and verb.letter in "oO" and not digits.startswith("0"):
        digits = "0" + digits
    if verb.letter == "O":
        digits = "0o" + digits
    return _pad(sign + digits, verb, zero=False)


def _float(value: float, verb: Verb, writer: Writer) -> str:
    letter = verb.letter
    if letter not in "vbgGxXfFeE":
        return writer.bad(value, verb)
    plus, sharp = (False, False) if letter == "v" else (verb.plus, verb.sharp)
    if sharp and letter != "b":
        raise Inexact("a float with the flag #")
    if math.isnan(value) or math.isinf(value):
        text = "NaN" if math.isnan(value) else "Inf"
        sign = "-" if value < 0 else "+" if plus or text == "Inf" else " " if verb.space else ""
        if sign == "+" and not plus:
            sign = " " if verb.space else "+"
        return _pad(sign + text, verb, zero=False)
    sign = "-" if math.copysign(1.0, value) < 0 else "+" if plus else " " if verb.space else ""
    digits = _magnitude(abs(value), letter, verb.precision)
    if sign and verb.zero and not verb.minus and verb.width:
        return sign + digits.rjust(verb.width - 1, "0")
    return _pad(sign + digits, verb)


def _magnitude(value: float, letter: str, precision: int | None) -> str:
    if letter in "fF":
        return f"{value:.{6 if precision is None else precision}f}"
    if letter in "eE":
        return f"{value:.{6 if precision is None else precision}{letter}}"
    if letter in "vgG":
        text = general(value) if precision is None else f"{value:.{precision}g}"
        return text.upper() if letter == "G" else text
    if letter == "b":
        mantissa, exponent = math.frexp(value)
        if value == 0 or exponent < -1021:
            return f"{int(math.ldexp(value, 1074))}p-1074"
        return f"{int(math.ldexp(mantissa, 53))}p{exponent - 53:+d}"
    if precision is not None:
        raise Inexact("a hexadecimal float with a precision")
    return _hexadecimal(value, letter)


def _hexadecimal(value: float, letter: str) -> str:
    mantissa, exponent = math.frexp(value)
    if value:
        exponent -= 1
    digits = f"{int(math.ldexp(mantissa, 53)) & (2**52 - 1):013x}".rstrip("0") if value else ""
    text = f"0x{1 if value else 0}{'.' if digits else ''}{digits}p{exponent:+03d}"
    return text.upper() if letter == "X" else text
