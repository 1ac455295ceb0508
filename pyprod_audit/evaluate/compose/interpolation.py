"""`$VAR`, `${VAR:-default}` and the like, as Compose fills them in.

https://docs.docker.com/reference/compose-file/interpolation/; corner cases as compose-go's `template` package has them:
a braced expression reaches at most to the last `}` of its line, and every `{` in it needs a `}` of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from pyprod_audit.evaluate.compose.texts import HOLE, Gap, Template, template
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy

_NAME = lazy(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATORS: Final = (":-", ":+", ":?", "-", "+", "?")
_MAX_DEPTH: Final = 16
_MAX_LENGTH: Final = 100_000

Lookup = Callable[[str], "Node | None"]


class InvalidTemplate(ValueError):  # noqa: N818 - a finding about the file, not an error of ours
    """A `$` that Compose refuses: `${`, `${1}`, an expression that does not close on its line."""


class Filled(NamedTuple):
    """A text with its variables filled in, and the variables that were found, in order."""

    value: str | Template
    variables: tuple[Node, ...]


def interpolate(text: str, lookup: Lookup) -> Filled:
    """Fills in the variables of `text`.

    Args:
        text: what is written.
        lookup: the variable of a name, a text or Unknown; None when no file sets it. Such a variable may be set in
            the environment of the deployment: its default is taken, and without one it is unknown.

    Raises:
        InvalidTemplate: Compose would refuse the text.
    """
    if HOLE in text:
        return Filled(template(HOLE, [Gap(text, "it holds a character that stands for no text")]), ())
    variables: list[Node] = []
    pieces = _pieces(text, lookup, variables, 0)
    gaps = [piece for piece in pieces if isinstance(piece, Gap)]
    if sum(len(piece) for piece in pieces if isinstance(piece, str)) > _MAX_LENGTH:
        return Filled(template(HOLE, [Gap(text[:80], "it becomes too long")]), tuple(variables))
    joined = "".join(HOLE if isinstance(piece, Gap) else piece for piece in pieces)
    return Filled(template(joined, gaps) if gaps else joined, tuple(variables))


def _pieces(text: str, lookup: Lookup, used: list[Node], depth: int) -> list[str | Gap]:
    if depth > _MAX_DEPTH:
        return [Gap(text, "expressions are nested too deep")]
    pieces: list[str | Gap] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        pieces.append(text[at:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            pieces.append("$")
            at = dollar + 2
        elif following == "{":
            at = _braced(text, dollar, lookup, used, depth, pieces)
        elif found := _NAME.match(text, dollar + 1):
            at = found.end()
            pieces.append(_value(found[0], text[dollar:at], lookup, used))
        else:
            pieces.append("$")
            at = dollar + 1
    pieces.append(text[at:])
    return pieces


def _braced(text: str, dollar: int, lookup: Lookup, used: list[Node], depth: int, pieces: list[str | Gap]) -> int:
    """Adds what the `${…}` at `dollar` stands for, and gives the offset behind it."""
    name = _NAME.match(text, dollar + 2)
    if name is None:
        raise InvalidTemplate(text)
    at = name.end()
    if text.startswith("}", at):
        pieces.append(_value(name[0], text[dollar : at + 1], lookup, used))
        return at + 1
    operator = next((one for one in _OPERATORS if text.startswith(one, at)), "")
    line_end = text.find("\n", at)
    last = text.rfind("}", at + len(operator), len(text) if line_end < 0 else line_end)
    if not operator or last < 0:
        raise InvalidTemplate(text)
    end = _closing(text, dollar, last + 1)
    word = text[at + len(operator) : end]
    pieces.extend(_applied(name[0], operator, word, text[dollar : end + 1], lookup, used, depth))
    return end + 1


def _closing(text: str, start: int, end: int) -> int:
    """The `}` that closes the expression at `start`, before `end`; the last one when they do not add up.

    As compose-go counts: every `{` opens, and the character behind it is not looked at.
    """
    opened = 0
    at = start
    while at < end:
        if text[at] == "}":
            opened -= 1
            if opened == 0:
                return at
        elif text[at] == "{":
            opened += 1
            at += 1
        at += 1
    return end - 1


def _value(name: str, written: str, lookup: Lookup, used: list[Node]) -> str | Gap:
    node = lookup(name)
    if node is None:
        return _unset(name, written)
    used.append(node)
    return _known(node, written)


def _known(node: Node, written: str) -> str | Gap:
    value = node.value
    if isinstance(value, Unknown):
        return Gap(written, value.because)
    text = value if isinstance(value, str) else ""
    return Gap(written, "it holds a character that stands for no text") if HOLE in text else text


def _unset(name: str, written: str) -> Gap:
    return Gap(written, f"{name} is set in the environment at deploy time")


def _applied(
    name: str, operator: str, word: str, written: str, lookup: Lookup, used: list[Node], depth: int
) -> list[str | Gap]:
    """What `${name operator word}` stands for."""
    node = lookup(name)
    known = _known(node, written) if node is not None else None
    if isinstance(known, Gap):
        return [known]
    is_set = known is not None and (known != "" or not operator.startswith(":"))
    if node is not None:
        used.append(node)
    kind = operator[-1]
    if kind == "-" and not is_set:
        return _pieces(word, lookup, used, depth + 1)
    if kind == "+" and is_set:
        return _pieces(word, lookup, used, depth + 1)
    if known is None or (kind == "?" and not is_set):
        return [_unset(name, written)]
    return [known]
