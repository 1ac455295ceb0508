"""TOML as Helm's `toToml` writes and `fromToml` reads it: BurntSushi/toml 1.5.0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.gotemplate.go_numbers import fixed
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, MAX_SIZE, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import Int64, List, Map, Maps, Value
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

_BARE = lazy(r"[A-Za-z0-9_-]+")
_ESCAPED = lazy('["\\\\\x00-\x1f\x7f]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_TABLES = lazy(r"^[ \t]*\[\[", 8)


class UnsupportedError(ValueError):
    """The encoder returns an error, whose text the function gives: that of this exception."""


def to_toml(value: Value) -> str:
    """The value as TOML: keys sorted, tables behind everything else, indented by two spaces.

    Raises:
        UnsupportedError: where the encoder returns an error.
        Undecided: for values too deep, and those that hold something unknown.
    """
    writer = _Writer()
    writer.encode((), value)
    return "".join(writer.out)


def _is_nil(value: Value) -> bool:
    return value is None or (isinstance(value, (Map, List)) and value.nil)


class _Writer:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.members = 0

    def newline(self) -> None:
        if self.out:
            self.out.append("\n")

    def encode(self, key: tuple[str, ...], value: Value) -> None:
        """Writes a value under its dotted key."""
        if isinstance(value, dict):
            if not _is_nil(value):
                self.table(key, value)
        elif isinstance(value, list) and self.is_table_array(value):
            self.tables(key, value)
        elif not key:
            self.element(value, 0)
        else:
            self.pair(key, value, 0)
            self.newline()

    def table(self, key: tuple[str, ...], value: Mapping[str, Value]) -> None:
        if len(key) == 1:
            self.newline()
        if key:
            self.out.append(f"{'  ' * (len(key) - 1)}[{_dotted(key)}]")
            self.newline()
        self.mapping(key, value)

    def tables(self, key: tuple[str, ...], value: Sequence[Value]) -> None:
        if not key:
            raise UnsupportedError("toml: top-level values must be Go maps or structs")
        for item in value:
            if _is_nil(item):
                continue
            self.newline()
            self.out.append(f"{'  ' * (len(key) - 1)}[[{_dotted(key)}]]")
            self.newline()
            self.mapping(key, item)

    def mapping(self, key: tuple[str, ...], value: Mapping[str, Value]) -> None:
        self.count(len(key))
        direct, sub = self.split(value)
        for name in (*direct, *sub):
            if not _is_nil(value[name]):
                self.encode((*key, name), value[name])

    def split(self, value: Mapping[str, Value]) -> tuple[list[str], list[str]]:
        """The keys of values that stand on their lines, and those of tables, which stand behind them."""
        if isinstance(value, Map) and value.open is not None:
            raise Undecided(value.open)
        direct: list[str] = []
        sub: list[str] = []
        for name in sorted(value):
            item = value[name]
            is_table = isinstance(item, dict) and not _is_nil(item)
            if isinstance(item, list) and not is_table:
                is_table = self.is_table_array(item)
            (sub if is_table else direct).append(name)
        return direct, sub

    def is_table_array(self, value: Sequence[Value]) -> bool:
        """Whether all items are tables. Nil ones make the encoder fail."""
        self.count(0)
        tables = len(value) > 0
        for item in value:
            if _is_nil(item):
                raise UnsupportedError("toml: cannot encode array with nil element")
            if isinstance(item, list):
                self.is_table_array(item)
            tables = tables and isinstance(item, dict)
        return tables

    def count(self, depth: int) -> None:
        self.members += 1
        if depth > MAX_DEPTH or self.members > MAX_MEMBERS:
            raise too_deep("toToml")

    def pair(self, key: tuple[str, ...], value: Value, depth: int) -> None:
        self.out.append(f"{'  ' * (len(key) - 1)}{_dotted(key[-1:])} = ")
        self.element(value, depth)

    def element(self, value: Value, depth: int) -> None:
        """Writes a value in line."""
        self.count(depth)
        if isinstance(value, list):
            self.out.append("[")
            for index, item in enumerate(value):
                if index:
                    self.out.append(", ")
                self.element(item, depth + 1)
            self.out.append("]")
        elif isinstance(value, dict):
            self.inline(value, depth)
        else:
            self.out.append(_scalar(value))

    def inline(self, value: Mapping[str, Value], depth: int) -> None:
        self.out.append("{")
        direct, sub = self.split(value)
        for names, followed in ((direct, bool(sub)), (sub, False)):
            for index, name in enumerate(names):
                if _is_nil(value[name]):
                    continue
                self.pair((name,), value[name], depth + 1)
                if followed or index < len(names) - 1:
                    self.out.append(", ")
        self.out.append("}")


def _dotted(key: Sequence[str]) -> str:
    return ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in key)


def _quoted(text: str) -> str:
    escaped = _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)
    return f'"{escaped}"'


def _scalar(value: Value) -> str:
    if isinstance(value, Unknown):
        raise Undecided(value)
    if isinstance(value, str):
        return _quoted(str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        text = fixed(value)
        return text if "." in text else text + ".0"
    raise Undecided(Unknown("toToml", f"it writes a {type(value).__name__}"))


# -- reading -----------------------------------------------------------------------------------------------------


def from_toml(text: str) -> Map:
    """The document that `text` is; integers are int64, arrays of tables []map[string]interface {}.

    Raises `Undecided` for dates, for texts that are not read here, and where the type of an array is not certain.
    """
    import tomllib

    if len(text) > MAX_SIZE:
        raise too_deep("fromToml")
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise Undecided(Unknown("fromToml", "the text is no TOML that can be read here")) from error
    made = _made(document, _array_type(text), 0)
    return made if isinstance(made, Map) else Map()


def _array_type(text: str) -> type[List] | None:
    """The type of slices of tables: [[headers]] and inline tables give different ones; None: both are there."""
    if not _TABLES.search(text):
        return List
    return None if "{" in text else Maps


def _made(value: Value, tables: type[List] | None, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise too_deep("fromToml")
    if isinstance(value, dict):
        return Map((key, _made(item, tables, depth + 1)) for key, item in value.items())
    if isinstance(value, list):
        made = [_made(item, tables, depth + 1) for item in value]
        if not made or not all(isinstance(item, Map) for item in made):
            return List(made)
        if tables is None:
            raise Undecided(Unknown("fromToml", "arrays of tables are of two types"))
        return tables(made)
    if isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            raise Undecided(Unknown("fromToml", "a number is out of range"))
        return Int64(value)
    if isinstance(value, (str, bool, float)):
        return value
    raise Undecided(Unknown("fromToml", "dates are not read"))
