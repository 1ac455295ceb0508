"""JSON, YAML and CSV as values of Terraform, each with its place in the text it was read from.

Source: go-cty's and go-cty-yaml's decoders, which Terraform uses; compared with `terraform console` 1.11.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any, Final

from pyprod_audit.evaluate.terraform.conversion import as_text
from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved, size_of
from pyprod_audit.model import Node, Scalar, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.hcl_number import number_of
from pyprod_audit.parsers.hcl_text import normal

_DEEPEST: Final = 60
_SURROGATES: Final = lazy("[\ud800-\udfff]")
_TOO_DEEP: Final = "it is nested too deeply"


# -- JSON -----------------------------------------------------------------------------------------------------------


def decoded_json(source: SourceFile, charge: Callable[[int], None]) -> Node:
    """The JSON text as one node. Raises Invalid when it is none, Unresolved when it is too deep."""
    from pyprod_audit.parsers.json_tree import JsonError, read_json

    charge(len(source.text) // 8)
    try:
        json.loads(source.text, parse_constant=_no_constant, object_pairs_hook=_object)  # `read_json` takes more
        root = read_json(source)
    except (RecursionError, JsonError):  # the text is JSON, but beyond what is read here
        raise Unresolved("it is nested too deeply, or a number is too large") from None
    except ValueError:
        raise Invalid("it is not JSON") from None
    for node in root.walk():
        value = node.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = number_of(source.text[node.start : node.end])
            if number is None:
                raise Unresolved("a number is too large")
            node.value = number
        elif isinstance(value, str) and not value.isascii():
            node.value = normal(_SURROGATES.sub("\ufffd", value))
    _require_shallow(root)
    return root


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The members of an object; Terraform reads each value as one of the type that the last one of its key has."""
    members: dict[str, object] = {}
    for key, value in pairs:
        if not key.isascii() and normal(key) != key:
            raise ValueError(key)
        if key in members and (_json_type(members[key]) != _json_type(value) or isinstance(value, (dict, list))):
            raise RecursionError  # what comes of it is not known here
        members[key] = value
    return members


def _json_type(value: object) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _require_shallow(root: Node) -> None:
    level = [root]
    for _ in range(_DEEPEST):
        level = [inner for node in level for inner in (*node.items, *node.mapping.values())]
        if not level:
            return
    raise Unresolved(_TOO_DEEP)


# -- YAML -----------------------------------------------------------------------------------------------------------

_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_INFINITE: Final = frozenset({sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")})
_NOT_A_NUMBER: Final = frozenset({".nan", ".NaN", ".NAN"})
_INTEGER = lazy(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = lazy(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MOMENT = lazy(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:([Tt ])([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_OTHER_ESCAPES = lazy(r"\\[^/]", re.DOTALL)
_TAG: Final = "tag:yaml.org,2002:"
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def decoded_yaml(source: SourceFile, charge: Callable[[int], None]) -> Node:
    """The one document of a YAML text. Raises Invalid when it is none, Unresolved."""
    import yaml

    from pyprod_audit.parsers.yaml_tree import new_parser

    charge(len(source.text) // 4)
    reader = _YamlReader(source, new_parser(source.text).get_event, charge)
    try:
        return reader.document()
    except (yaml.YAMLError, ValueError):
        raise Invalid("it is not one YAML document") from None


class _YamlReader:
    """Builds values from the events of a YAML parser."""

    def __init__(self, source: SourceFile, event: Callable[[], Any], charge: Callable[[int], None]) -> None:
        self._source = source
        self._event = event
        self._charge = charge
        self._anchors: dict[str, Node | None] = {}

    def document(self) -> Node:
        import yaml

        self._event()
        start = self._event()
        if not isinstance(start, yaml.DocumentStartEvent) or start.version not in (None, (1, 1)):
            raise Invalid("there is no YAML document")
        root = self._value(self._event(), 0)
        self._event()
        if not isinstance(self._event(), yaml.StreamEndEvent):
            raise Invalid("there are several YAML documents")
        return root

    def _value(self, event: Any, depth: int) -> Node:
        import yaml

        if depth > _DEEPEST:
            raise Unresolved(_TOO_DEEP)
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            found = self._anchors.get(str(event.anchor))
            if found is None:
                raise Invalid("an alias leads nowhere")
            self._charge(size_of(found.value))
            return found
        anchor = event.anchor
        if anchor:
            self._anchors[anchor] = None  # not to be used inside of itself
        node = Node(None, self._source, start, end)
        if isinstance(event, yaml.ScalarEvent):
            node.value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._require_tag(event, "seq")
            members: list[Node] = []
            while not isinstance(inner := self._event(), yaml.SequenceEndEvent):
                self._charge(1)
                members.append(self._value(inner, depth + 1))
            node.value = tuple(members)
            node.end = max([member.end for member in members], default=end)
        else:
            node.value, node.end = self._mapping(event, depth)
        if anchor:
            self._anchors[anchor] = node
        return node

    def _require_tag(self, event: Any, name: str) -> None:
        if event.tag not in (None, _TAG + name):
            raise Invalid("a tag means nothing to Terraform")

    def _mapping(self, event: Any, depth: int) -> tuple[dict[str, Node], int]:
        import yaml

        self._require_tag(event, "map")
        members: dict[str, Node] = {}
        last: int = event.end_mark.index
        while not isinstance(event := self._event(), yaml.MappingEndEvent):
            self._charge(1)
            key_event: Any = event
            if not isinstance(event, yaml.ScalarEvent):
                raise Invalid("a key of a mapping is no string")
            value = self._value(self._event(), depth + 1)
            last = max(last, value.end)
            if event.tag is None and event.value == "<<":
                if not isinstance(value.value, dict):
                    raise Invalid("only mappings can be merged")
                members.update(value.value)
                continue
            key = self._plain(key_event)
            if key is None:
                raise Invalid("a key of a mapping is null")
            members[normal(as_text(key))] = Node(
                value.value,
                self._source,
                value.start,
                value.end,
                key_event.start_mark.index,
                key_event.end_mark.index,
            )
        return members, last

    def _scalar(self, event: Any) -> Scalar:
        """The value of a scalar; of one that is not plain, and has no tag, what it means as text."""
        if event.tag is None and not event.implicit[0]:
            value = self._plain(event)
            return "" if value is None and event.value == "" else None if value is None else as_text(value)
        return self._plain(event)

    def _plain(self, event: Any) -> Scalar:
        """What the text of a scalar stands for by its tag, or by its looks."""
        text, tag = normal(str(event.value)), event.tag
        quoted = event.style in ("'", '"')
        if event.style == '"' and "/" in text:
            raw = self._source.text[event.start_mark.index : event.end_mark.index]
            if "\\/" in _OTHER_ESCAPES.sub("", raw):
                raise Invalid("it has an escape that Terraform does not know")
        if tag is not None and not tag.startswith(_TAG):
            raise Invalid("a tag means nothing to Terraform")
        name = tag.removeprefix(_TAG) if tag is not None else ""
        if name not in ("", "str", "bool", "int", "float", "null", "timestamp", "binary"):
            raise Invalid("a tag means nothing to Terraform")
        if name in ("str", "binary"):
            if name == "binary":
                _require_base64(text)
            return text
        if quoted and (not text or text[0] in "+-.0123456789yYnNtTfFoO~"):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if text in _INFINITE or (not name and text in _NOT_A_NUMBER):
            raise Unresolved("it is no number")
        return self._looks(text, name)

    def _looks(self, text: str, name: str) -> Scalar:
        moment = _moment(text) if name in ("", "timestamp") and text[:1].isdigit() else None
        if moment is not None:
            return moment
        number = _yaml_number(text) if name in ("", "int", "float") else None
        if number is not None:
            return number
        if name in ("bool", "int", "float", "timestamp"):
            raise Invalid("it is not what its tag says")
        return None if name == "null" else text


def _yaml_number(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text) is None and _FLOAT.fullmatch(text) is None:
        return None
    if text[:2] in ("0o", "0x"):
        whole = int(text[2:], 8 if text[1] == "o" else 16)
        if whole >= 1 << 64:
            raise Invalid("the number is too large")
        return whole
    number = number_of(text)
    if number is None:
        raise Unresolved("the number is too large")
    return number


def _moment(text: str) -> str | None:
    """A date or a time as RFC 3339 writes it."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    hour, minute, second = (int(found[at] or 0) for at in (5, 6, 7))
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= (28 if month == 2 and not leap else _DAYS[month - 1]):
        return None
    if hour > 23 or minute > 59 or second > 59 or (found[4] is not None and (found[4] == " ") is bool(found[8])):
        return None
    zone = found[8] or "Z"
    zone = "Z" if zone in ("+00:00", "-00:00") else zone
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{zone}"


def _require_base64(text: str) -> None:
    try:
        base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("it is not base64") from None


# -- CSV ------------------------------------------------------------------------------------------------------------


def csv_rows(text: str, charge: Callable[[int], None]) -> list[list[str]]:
    """The records of a CSV text (RFC 4180, as Go reads it). Raises Invalid."""
    charge(len(text) // 8)
    rows: list[list[str]] = []
    at = 0
    while at < len(text):
        end = text.find("\n", at)
        line_end = len(text) if end < 0 else end + 1
        if not text[at:line_end].strip("\r\n"):
            at = line_end
            continue
        row, at = _record(text, at)
        rows.append(row)
    return rows


def _record(text: str, at: int) -> tuple[list[str], int]:
    fields: list[str] = []
    while True:
        if text.startswith('"', at):
            value, at = _quoted_field(text, at + 1)
        else:
            found = re.compile(r"[^,\n]*").match(text, at)
            end = found.end() if found else at
            value, at = text[at:end], end
            if text.startswith("\n", at) or at == len(text):
                value = value.removesuffix("\r")
            if '"' in value:
                raise Invalid("a quote stands inside of a field")
        fields.append(value)
        if text.startswith(",", at):
            at += 1
            continue
        if text.startswith("\r\n", at):
            at += 1
        return fields, at + 1


def _quoted_field(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        end = text.find('"', at)
        if end < 0:
            raise Invalid("a quote is not closed")
        parts.append(text[at:end])
        if text.startswith('""', end):
            parts.append('"')
            at = end + 2
            continue
        if end + 1 < len(text) and not text.startswith((",", "\n", "\r\n"), end + 1):
            raise Invalid("text stands behind a quoted field")
        return "".join(parts).replace("\r\n", "\n"), end + 1
