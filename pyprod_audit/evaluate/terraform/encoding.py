"""Values of Terraform as the text that `jsonencode` and `yamlencode` write.

Source: go-cty's and go-cty-yaml's encoders, which Terraform uses; compared with `terraform console` 1.11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pyprod_audit.evaluate.terraform.numbers import plain_text
from pyprod_audit.evaluate.terraform.values import (
    EncodedMapping,
    EncodedSequence,
    Unresolved,
    Value,
    mapping_of,
    require_known,
    size_of,
)
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.hcl_text import normal

if TYPE_CHECKING:
    from yaml.events import Event

MAX_TEXT: Final = 65_536
"""Characters of a text that is computed."""

_MAX_SIZE: Final = 20_000
_HTML: Final = lazy("[<>&\u2028\u2029]")
_SURROGATES: Final = lazy("[\ud800-\udfff]")
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_NOT_IN_BLOCK: Final = lazy("[\x85\U00010000-\U0010ffff]")
_NOT_PLAIN: Final = lazy("[^ !#-\\[\\]-~]")
_GO_ESCAPES: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def encoded_text(value: EncodedMapping | EncodedSequence) -> str:
    """The text that an encoded structure stands for. Raises Unresolved when not all of it is known."""
    if isinstance(value, EncodedMapping):
        return encode(value.function, dict(value))
    return encode(value.function, tuple(value))


def encode(function: str, value: Value) -> str:
    """What `jsonencode` or `yamlencode` makes of a value. Raises Unresolved when not all of it is known."""
    require_known(value)
    if size_of(value) > _MAX_SIZE:
        raise Unresolved("the text is too long")
    text = "".join(_json(value)) if function == "jsonencode" else _yaml(value)
    if len(text) > MAX_TEXT:
        raise Unresolved("the text is too long")
    return (
        text if text.isascii() else normal(text)
    )  # which joins an accent to the letter of an escape, as Terraform does


def json_string(text: str) -> str:
    """The text as Go writes it in JSON, with `<`, `>` and `&` escaped."""
    if _SURROGATES.search(text):
        raise Unresolved("it holds bytes that are no text")
    return _HTML.sub(lambda found: _ESCAPES.get(found[0], found[0]), json.dumps(text, ensure_ascii=False))


def _json(value: Value) -> Iterator[str]:
    if value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, (int, float)):
        yield plain_text(value)
    elif isinstance(value, str):
        yield json_string(value)
    elif isinstance(value, (EncodedMapping, EncodedSequence)):
        yield json_string(encoded_text(value))
    elif isinstance(value, Unknown):
        raise Unresolved(value.because)
    elif isinstance(value, dict):
        yield "{"
        for count, key in enumerate(sorted(mapping_of(value))):
            yield f"{',' if count else ''}{json_string(key)}:"
            yield from _json(value[key].value)
        yield "}"
    else:
        yield "["
        for count, member in enumerate(value):
            if count:
                yield ","
            yield from _json(member.value)
        yield "]"


def _yaml(value: Value) -> str:
    from pyprod_audit.evaluate.terraform.yaml import written

    return written(_yaml_events(value))


def _yaml_events(value: Value) -> Iterator[Event]:
    import yaml  # heavy, and rarely needed

    if isinstance(value, (EncodedMapping, EncodedSequence)):
        value = encoded_text(value)
    if isinstance(value, str):
        in_lines = "\n" in value and _NOT_IN_BLOCK.search(value) is None
        yield yaml.ScalarEvent(None, None, (True, True), value, style="|" if in_lines else '"')
    elif isinstance(value, dict):
        yield yaml.MappingStartEvent(None, None, True, flow_style=False)
        for key in sorted(mapping_of(value)):
            yield from _yaml_events(key)
            yield from _yaml_events(value[key].value)
        yield yaml.MappingEndEvent()
    elif isinstance(value, tuple):
        yield yaml.SequenceStartEvent(None, None, True, flow_style=False)
        for member in value:
            yield from _yaml_events(member.value)
        yield yaml.SequenceEndEvent()
    elif isinstance(value, Unknown):
        raise Unresolved(value.because)
    else:
        text = "null" if value is None else str(value).lower() if isinstance(value, bool) else plain_text(value)
        yield yaml.ScalarEvent(None, None, (True, True), text, style="")


def quoted_by_go(text: str) -> str:
    """The text as Go's `%q` writes it."""
    return '"' + _NOT_PLAIN.sub(_escaped_by_go, text) + '"'


def _escaped_by_go(found: re.Match[str]) -> str:
    char = found[0]
    if char in _GO_ESCAPES:
        return _GO_ESCAPES[char]
    if char.isprintable() and char != "\u3000":
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
