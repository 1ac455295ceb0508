"""Terraform's functions: which there are, what arguments they take, and calling them.

Source: developer.hashicorp.com/terraform/language/functions; what arguments convert to was compared with
`terraform console` 1.11. The functions themselves stand in `functions_<theme>.py`, loaded when first called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from pyprod_audit.evaluate.terraform.conversion import as_bool, as_number, as_text, convert
from pyprod_audit.evaluate.terraform.numbers import whole
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    BOOL,
    STRING,
    EncodedMapping,
    EncodedSequence,
    Invalid,
    Type,
    Unresolved,
    Value,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.parsers.hcl_text import normal

if TYPE_CHECKING:
    from pyprod_audit.evaluate.terraform.expressions import Definitions, Evaluator

__all__ = ["Call", "Function", "Invalid", "Unresolved", "Value", "as_bool", "as_number", "as_text", "called"]


class Call:
    """One call of a function: where it stands, and what it may ask for."""

    __slots__ = ("evaluator", "place")

    def __init__(self, evaluator: Evaluator, place: Node) -> None:
        self.evaluator = evaluator
        self.place = place

    @property
    def definitions(self) -> Definitions:
        """The names and files of the module."""
        return self.evaluator.definitions

    def node(self, value: Value) -> Node:
        """A value that the call makes, as a member of what it returns."""
        if isinstance(value, str) and not value.isascii():
            value = normal(value)
        return Node(value, self.place.source, self.place.start, self.place.end)

    def charge(self, cost: int) -> None:
        """Pays for work. Raises Unresolved when the budget is spent."""
        self.evaluator.charge(cost)


class Function(NamedTuple):
    """A function: `run(call, *arguments)`, the kinds of its parameters, and of further ones (`rest`; "": none).

    Kinds: `text`, `encoded` (a text, or the structure that it encodes), `number`, `whole`, `bool`; `list` and `set` of
    members of any one type, `texts` and `bools` (lists); `value`: anything but null; `null`: anything; `open`: even
    what is not known. The last `optional` ones may be left out.
    """

    run: Callable[..., Value]
    kinds: tuple[str, ...] = ()
    rest: str = ""
    optional: int = 0


def function(run: Callable[..., Value], kinds: str = "", rest: str = "", optional: int = 0) -> Function:
    """A function with the kinds of its parameters as words of one text."""
    return Function(run, tuple(kinds.split()), rest, optional)


_TYPES: Final[dict[str, Type]] = {
    "list": ("list", ANY),
    "set": ("set", ANY),
    "texts": ("list", STRING),
    "bools": ("list", BOOL),
}
_THEMES: Final = {
    "numeric": "abs ceil floor log max min parseint pow signum sum",
    "text": "chomp endswith indent join lower sort split startswith strcontains strrev substr title trim trimprefix"
    " trimspace trimsuffix upper",
    "pattern": "regex regexall replace",
    "format": "format formatlist",
    "collection": "alltrue anytrue chunklist coalesce coalescelist compact concat contains distinct element flatten"
    " index length matchkeys one range reverse slice",
    "mapping": "keys lookup merge transpose values zipmap",
    "set": "setintersection setproduct setsubtract setunion",
    "encoding": "base64decode base64encode base64gzip csvdecode jsondecode jsonencode textdecodebase64 textencodebase64"
    " urlencode yamldecode yamlencode",
    "file": "abspath basename dirname file filebase64 fileexists fileset pathexpand templatefile templatestring",
    "hash": "base64sha256 base64sha512 filebase64sha256 filebase64sha512 filemd5 filesha1 filesha256 filesha512 md5"
    " sha1 sha256 sha512 uuidv5",
    "date": "formatdate timeadd timecmp",
    "network": "cidrhost cidrnetmask cidrsubnet cidrsubnets",
    "type": "issensitive nonsensitive sensitive tobool tolist tomap tonumber toset tostring",
}
_THEME_OF: Final = {name: theme for theme, names in _THEMES.items() for name in names.split()}
_OPEN: Final = {
    "bcrypt": "it is random",
    "uuid": "it is random",
    "timestamp": "it is the time of the deployment",
    "plantimestamp": "it is the time of the deployment",
    "rsadecrypt": "it needs a private key",
    "ephemeralasnull": "it depends on the deployment",
}
ONLY_LOOKING: Final = frozenset({"alltrue", "anytrue", "contains", "format", "index", "join", "length", "sum"})
"""Functions in whose result no member of their arguments has a part."""

_GONE: Final = frozenset({"list", "map"})
_loaded: dict[str, Mapping[str, Function]] = {}


def called(name: str, call: Call, arguments: Sequence[Value]) -> Value:
    """The value of a call. Raises Invalid when Terraform would reject it, Unresolved when it is not known."""
    name = name.removeprefix("core::")
    theme = _THEME_OF.get(name)
    if theme is None:
        if name in _GONE:
            raise Invalid(f"function {name} is no more")
        raise Unresolved(
            f"function {name[:60]}: {_OPEN[name]}" if name in _OPEN else f"function {name[:60]} is not known"
        )
    if theme not in _loaded:
        _loaded[theme] = import_module(f"pyprod_audit.evaluate.terraform.functions_{theme}").FUNCTIONS
    found = _loaded[theme][name]
    most = len(found.kinds)
    if len(arguments) < most - found.optional or (len(arguments) > most and not found.rest):
        raise Invalid(f"{name} has the wrong number of arguments")
    kinds = (*found.kinds[: len(arguments)], *[found.rest] * (len(arguments) - most))
    return found.run(call, *_prepared(kinds, arguments, call))


def _prepared(kinds: Sequence[str], arguments: Sequence[Value], call: Call) -> list[Value]:
    """The arguments as the function takes them; one that is certainly wrong counts more than one that is unknown."""
    prepared: list[Value] = []
    unknown: Unresolved | None = None
    for kind, value in zip(kinds, arguments, strict=True):
        if isinstance(value, Unknown) and kind != "open":
            unknown = unknown or Unresolved(value.because)
            continue
        if value is None and kind not in ("null", "open"):
            raise Invalid(_NULL.get(kind, "null is no argument"))
        try:
            prepared.append(_converted(kind, value, call))
        except Invalid:
            raise
        except Unresolved as why:
            unknown = unknown or why.anew()
    if unknown is not None:
        raise unknown.anew()
    return prepared


_NULL: Final = {
    "text": "null is not a string",
    "number": "null is not a number",
    "whole": "null is not a number",
    "bool": "null is neither true nor false",
}


def _converted(kind: str, value: Value, call: Call) -> Value:
    if kind == "text":
        return as_text(value)
    if kind == "encoded":
        return value if isinstance(value, (EncodedMapping, EncodedSequence)) else as_text(value)
    if kind == "number":
        return as_number(value)
    if kind == "whole":
        return whole(as_number(value))
    if kind == "bool":
        return as_bool(value)
    if kind in _TYPES:
        if isinstance(value, (dict, tuple)):
            call.charge(len(value))
        return convert(value, _TYPES[kind])
    return value
