"""Terraform's functions that encode and decode."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.decoding import csv_rows, decoded_json, decoded_yaml
from pyprod_audit.evaluate.terraform.encoding import encode
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.traversal import placed
from pyprod_audit.evaluate.terraform.values import (
    STRING,
    EncodedMapping,
    EncodedSequence,
    FileText,
    Invalid,
    ListValue,
    Unresolved,
    Value,
    mapping_of,
    require_known,
)
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers.hcl_text import normal

_MOST_FILES: Final = 1000
_CHARSETS: Final = {
    "utf-8": "utf-8", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "iso-8859-1": "latin-1", "latin1": "latin-1",
    "iso-8859-15": "iso-8859-15", "windows-1252": "cp1252", "windows-1250": "cp1250", "windows-1251": "cp1251",
    "koi8-r": "koi8-r",
}  # fmt: skip


def _base64decode(_call: Call, text: str) -> Value:
    return _as_utf8(_bytes(text))


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("it is not base64") from None


def _as_utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid("it is not text in UTF-8") from None


def _base64encode(_call: Call, text: str) -> Value:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def _base64gzip(_call: Call, _text: str) -> Value:
    raise Unresolved("what is compressed differs between programs")


def _csvdecode(call: Call, text: str) -> Value:
    rows = csv_rows(text, call.charge)
    if not rows:
        raise Invalid("there is no header line")
    header, *records = rows
    header = [normal(name) for name in header]
    if len(set(header)) < len(header) or any(len(record) != len(header) for record in records):
        raise Invalid("its lines do not fit the header")
    call.charge(len(records) * len(header))
    objects = [call.node({name: call.node(field) for name, field in zip(header, one, strict=True)}) for one in records]
    return ListValue(objects, ("object", *sorted((name, STRING) for name in header)))


def _jsondecode(call: Call, text: Value) -> Value:
    return _decoded(call, text, "jsonencode", decoded_json)


def _yamldecode(call: Call, text: Value) -> Value:
    return _decoded(call, text, "yamlencode", decoded_yaml)


def _decoded(
    call: Call, text: Value, encoder: str, decode: Callable[[SourceFile, Callable[[int], None]], Node]
) -> Value:
    """The structure that a text writes: of a file with places there, of one that was encoded as it was before."""
    if isinstance(text, (EncodedMapping, EncodedSequence)) and text.function == encoder:
        require_known(text)
        plain = _as_written(dict(text) if isinstance(text, dict) else tuple(text), call)
        if plain is not None:
            return plain
    if isinstance(text, FileText):
        known = call.evaluator.effort.decoded
        key = f"{encoder} {text.file.path}"
        root = known.get(key) or decode(text.file, call.charge)
        if len(known) < _MOST_FILES:
            known[key] = root
        call.evaluator.came_through(root, text.file.path)
        return placed(root.value, call.place, text.file.path, call.charge)
    from pyprod_audit.evaluate.terraform.conversion import as_text

    root = decode(SourceFile("", as_text(text)), call.charge)
    return _here(root, call).value


def _here(node: Node, call: Call) -> Node:
    """A node of a text that stands in no file, at the place of the call."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _here(member, call) for key, member in value.items()}
    elif isinstance(value, tuple):
        value = tuple([_here(member, call) for member in value])
    return call.node(value)


def _as_written(value: Value, call: Call) -> Value:
    """What decoding makes of what was encoded: tuples and objects of the same members. None: the text tells."""
    call.charge(1)
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return encode(value.function, dict(value) if isinstance(value, dict) else tuple(value))
    if isinstance(value, dict):
        mapping = mapping_of(value)
        return {key: mapping[key].holding(_as_written(mapping[key].value, call)) for key in sorted(mapping)}
    if isinstance(value, tuple):
        return tuple([member.holding(_as_written(member.value, call)) for member in value])
    return value


def _jsonencode(call: Call, value: Value) -> Value:
    return _encoded(call, value, "jsonencode")


def _yamlencode(call: Call, value: Value) -> Value:
    return _encoded(call, value, "yamlencode")


def _encoded(_call: Call, value: Value, encoder: str) -> Value:
    """The text; of a structure the structure itself, which rules look into and which is text where one is needed."""
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return encode(encoder, value)
    if isinstance(value, dict):
        return EncodedMapping(mapping_of(value), encoder)
    if isinstance(value, tuple):
        return EncodedSequence(value, encoder)
    return encode(encoder, value)


def _charset(name: str) -> str:
    found = _CHARSETS.get(name.lower())
    if found is None:
        raise Unresolved("the encoding is not known here")
    return found


def _textdecodebase64(_call: Call, text: str, charset: str) -> Value:
    codec, data = _charset(charset), _bytes(text)
    try:
        return normal(data.decode(codec))
    except UnicodeDecodeError:
        raise Invalid("it is not text in that encoding") from None


def _textencodebase64(_call: Call, text: str, charset: str) -> Value:
    codec = _charset(charset)
    try:
        return base64.b64encode(text.encode(codec)).decode()
    except UnicodeEncodeError:
        raise Invalid("it cannot be written in that encoding") from None


def _urlencode(_call: Call, text: str) -> Value:
    return urllib.parse.quote_plus(text.encode("utf-8", "surrogatepass"), safe="")


FUNCTIONS: Final[Mapping[str, Function]] = {
    "base64decode": function(_base64decode, "text"),
    "base64encode": function(_base64encode, "text"),
    "base64gzip": function(_base64gzip, "text"),
    "csvdecode": function(_csvdecode, "text"),
    "jsondecode": function(_jsondecode, "encoded"),
    "jsonencode": function(_jsonencode, "null"),
    "textdecodebase64": function(_textdecodebase64, "text text"),
    "textencodebase64": function(_textencodebase64, "text text"),
    "urlencode": function(_urlencode, "text"),
    "yamldecode": function(_yamldecode, "encoded"),
    "yamlencode": function(_yamlencode, "null"),
}
