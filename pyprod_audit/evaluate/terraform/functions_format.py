"""Terraform's `format` and `formatlist`.

Source: the verbs of developer.hashicorp.com/terraform/language/functions/format, which are Go's; compared with
`terraform console` 1.11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_bool, as_number, as_text
from pyprod_audit.evaluate.terraform.encoding import MAX_TEXT, encode, json_string
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.graphemes import clusters
from pyprod_audit.evaluate.terraform.numbers import (
    Digits,
    Number,
    digits_of,
    exact,
    general,
    general_text,
    rounded_digits,
    scientific,
    whole,
)
from pyprod_audit.evaluate.terraform.values import (
    STRING,
    EncodedMapping,
    EncodedSequence,
    Invalid,
    ListValue,
    SetValue,
    Unresolved,
    Value,
    is_sequence,
    require_known,
)
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

_VERB: Final = lazy(r"%(?:%|([0#+ -]*)([1-9][0-9]*)?(\.[0-9]*)?(?:\[([1-9][0-9]*)\])?([a-zA-Z])|)")
_WIDEST: Final = 4096


class _Verb:
    """One `%…` of a format."""

    __slots__ = ("flags", "letter", "precision", "width")

    def __init__(self, found: re.Match[str]) -> None:
        flags, width, precision, _, letter = found.groups(default="")
        self.flags = flags
        self.width = int(width) if width and len(width) < 6 else -1
        self.precision = int(precision[1:] or 0) if precision and len(precision) < 6 else -1
        self.letter = letter
        if len(width) > 5 or len(precision) > 5 or max(self.width, self.precision) > _WIDEST:
            raise Unresolved("the text is too long")


def _format(_call: Call, pattern: str, *arguments: Value) -> str:
    for value in arguments:
        if value is None:
            raise Unresolved("the type of the null is not known")
        require_known(value)
    return formatted(pattern, arguments)


def formatted(pattern: str, arguments: Sequence[Value]) -> str:
    """The text that a format makes of known arguments. Raises Invalid, Unresolved."""
    made: list[str] = []
    at = highest = 0
    following = 1
    size = 0
    for found in _VERB.finditer(pattern):
        made.append(pattern[at : found.start()])
        at = found.end()
        if found[0] == "%%":
            made.append("%")
            continue
        if found[5] is None:
            raise Invalid("it is no format")
        number = int(found[4][:9]) if found[4] else following
        highest = max(highest, number)
        following = number + 1
        if number > len(arguments):
            raise Invalid("format has too few arguments")
        made.append(_verb(_Verb(found), arguments[number - 1]))
        size += len(made[-1])
        if size > MAX_TEXT:
            raise Unresolved("the text is too long")
    if highest < len(arguments):
        raise Invalid("format has too many arguments")
    return "".join((*made, pattern[at:]))


def _verb(verb: _Verb, value: Value) -> str:
    if verb.letter == "v":
        return _as_it_is(verb, value)
    if value is None:
        raise Invalid("null cannot be formatted")
    if verb.letter == "t":
        return "true" if as_bool(value) else "false"
    if verb.letter in "bdoxX":
        return _integer(verb, whole(as_number(value), bits=None))
    if verb.letter in "eEfgG":
        return _fraction(verb, as_number(value))
    if verb.letter not in "sq":
        raise Invalid("there is no such verb")
    text = as_text(value)
    if verb.precision > 0:
        text = "".join(clusters(text)[: verb.precision])
    return _padded(verb, json_string(text) if verb.letter == "q" else text)


def _as_it_is(verb: _Verb, value: Value) -> str:
    """`%v`: texts and numbers as they are, anything else as JSON."""
    if "#" not in verb.flags:
        if isinstance(value, (str, EncodedMapping, EncodedSequence)):
            return _padded(verb, as_text(value))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _padded(verb, general_text(value))
    return _padded(verb, encode("jsonencode", value))


def _padded(verb: _Verb, text: str) -> str:
    missing = verb.width - len(clusters(text))
    if missing <= 0:
        return text
    padding = ("0" if "0" in verb.flags else " ") * missing
    return text + padding if "-" in verb.flags else padding + text


def _signed(verb: _Verb, negative: bool) -> str:
    return "-" if negative else "+" if "+" in verb.flags else " " if " " in verb.flags else ""


def _filled(verb: _Verb, sign: str, digits: str, *, zeros: bool) -> str:
    """Sign and digits in the verb's width, filled with `zeros` behind the sign or with spaces."""
    missing = verb.width - len(sign) - len(digits)
    if missing <= 0:
        return sign + digits
    if zeros:
        return sign + "0" * missing + digits
    return sign + digits + " " * missing if "-" in verb.flags else " " * missing + sign + digits


def _integer(verb: _Verb, number: int) -> str:
    """A whole number in base 2, 8, 10 or 16."""
    base = {"b": "b", "d": "d", "o": "o", "x": "x", "X": "X"}[verb.letter]
    digits = format(abs(number), base)
    prefix = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb.letter, "") if "#" in verb.flags else ""
    if verb.precision == 0 and number == 0:
        return ""
    if verb.precision > 0:
        digits = digits.rjust(verb.precision, "0")
    zeros = "0" in verb.flags and "-" not in verb.flags and verb.precision < 0
    return _filled(verb, _signed(verb, number < 0) + prefix, digits, zeros=zeros)


def _fraction(verb: _Verb, number: Number) -> str:
    """A number with decimals or with an exponent."""
    sign = _signed(verb, number < 0 or (not number and isinstance(number, float)))
    zeros = "0" in verb.flags  # of numbers that are whole, "-" wins over "0", but not of these
    places = 6 if verb.precision < 0 else verb.precision
    if verb.letter == "f":
        return _filled(verb, sign, _fixed(abs(exact(number)), places), zeros=zeros)
    if verb.letter in "eE":
        found = rounded_digits(number, places + 1)
        padded = Digits(False, found.digits.ljust(places + 1, "0"), found.point)
        text = scientific(padded, found.point - 1 if found.digits else 0, verb.letter)
        return _filled(verb, sign, text, zeros=zeros)
    return _filled(verb, sign, _general(verb, number), zeros=zeros)


def _fixed(number: Fraction, places: int) -> str:
    digits = str(round(number * 10**places)).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def _general(verb: _Verb, number: Number) -> str:
    """`%g`: an exponent where the number is very large or very small."""
    letter = "e" if verb.letter == "g" else "E"
    if verb.precision < 0:
        return general(digits_of(number)._replace(negative=False), 6, letter)
    most = verb.precision or 1
    found = rounded_digits(number, most)._replace(negative=False)
    return general(found, len(found.digits) if most > len(found.digits) >= found.point else most, letter)


def _formatlist(call: Call, pattern: str, *arguments: Value) -> Value:
    if not arguments:
        return ListValue([call.node(formatted(pattern, ()))], STRING)
    lengths: set[int] = set()
    columns: list[tuple[Value, ...] | None] = []
    undecided: Unknown | None = None
    for value in arguments:
        if value is None:
            raise Unresolved("the type of the null is not known")
        if isinstance(value, Unknown):
            undecided = undecided or value
        elif isinstance(value, tuple) and is_sequence(value):
            if isinstance(value, SetValue):
                require_known(value)
            lengths.add(len(value))
            columns.append(tuple(member.value for member in value))
            continue
        columns.append(None)
    if len(lengths) > 1:
        raise Invalid("the lists have different lengths")
    if undecided is not None:
        raise Unresolved(undecided.because)
    rows = lengths.pop() if lengths else 1
    call.charge(rows * len(arguments))
    made: list[Value] = []
    for row in range(rows):
        values = [value if column is None else column[row] for column, value in zip(columns, arguments, strict=True)]
        made.append(_row(call, pattern, values))
    return ListValue([call.node(value) for value in made], STRING)


def _row(call: Call, pattern: str, values: Sequence[Value]) -> Value:
    try:
        for value in values:
            require_known(value)
    except Unresolved as why:
        return Unknown(call.place.span.text[:200], str(why))
    text = formatted(pattern, values)
    call.charge(len(text) // 64)
    return text


FUNCTIONS: Final[Mapping[str, Function]] = {
    "format": function(_format, "text", "open"),
    "formatlist": function(_formatlist, "text", "open"),
}
