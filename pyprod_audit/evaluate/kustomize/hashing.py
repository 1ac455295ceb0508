"""The suffix that generated ConfigMaps and Secrets get: a hash of what is in them (api/hasher)."""

from __future__ import annotations

import json
from typing import Any, Final

from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown

_LENGTH: Final = 10
# No vowels, and no digits that look like them.
_ENCODING: Final = str.maketrans("013ae", "ghkmt")
# What Go's encoder writes as escapes so that JSON can stand in HTML and JavaScript.
_GO_ESCAPES: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def content_hash(node: Node) -> str | None:
    """The hash of an object's contents; None when they are not all known."""
    kind = text_of(node.mapping.get("kind"))
    if kind not in ("ConfigMap", "Secret"):
        return None
    more, always = ("binaryData", ["data"]) if kind == "ConfigMap" else ("stringData", ["data", "type"])
    # Kustomize looks the name up in a way that never finds it.
    content: dict[str, Any] = {"kind": kind, "name": ""}
    try:
        for key in always:
            member = node.mapping.get(key)
            content[key] = "" if member is None else _plain(member)
        if node.mapping.get(more) is not None:
            content[more] = _plain(node.mapping[more])
    except _NotKnown:
        return None
    return _hash(content)


class _NotKnown(Exception):  # noqa: N818 - an answer
    """Something in the contents is not known."""


def _plain(member: Node) -> Any:
    """The value as JSON has it; scalars at the top as they are written."""
    value = member.value
    if isinstance(value, dict):
        if type(value) is not dict or any(
            not isinstance(one.value, (str, int, float, type(None))) for one in value.values()
        ):
            raise _NotKnown
        return {key: one.value for key, one in value.items()}
    if isinstance(value, (Unknown, tuple)):
        raise _NotKnown
    return text_of(member)


def _hash(content: dict[str, Any]) -> str:
    import hashlib  # loads OpenSSL: not at start-up

    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).translate(_GO_ESCAPES)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:_LENGTH].translate(_ENCODING)
