"""The fields that the Kubernetes API knows: data/kubernetes_fields.json, written by tools/update_kubernetes_fields.py.

A type of a value is written as the data has it: `s` text, `i` whole number, `n` number, `b` boolean, `q` quantity,
`x` whole number or text, `*` anything, `[…]` a list, `{…}` a mapping with any keys, else the name of a type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

_TABLE: Final = Path(__file__).parents[1] / "data" / "kubernetes_fields.json"
_WORDS: Final = {
    "s": "text", "i": "a whole number", "n": "a number", "b": "true or false", "q": "a quantity",
    "x": "a whole number or text",
}  # fmt: skip


class ObjectType(NamedTuple):
    """The fields of a mapping by name, with their types, and which of them must be there."""

    fields: Mapping[str, str]
    required: tuple[str, ...]


class KnownFields(NamedTuple):
    """`objects`: the type of each `apps/v1 Deployment`; `types`: by name; `releases`: which ones the table covers."""

    objects: Mapping[str, str]
    types: Mapping[str, ObjectType]
    releases: str


@cache
def known_fields() -> KnownFields:
    """The table that ships with the package."""
    content = json.loads(_TABLE.read_text(encoding="utf-8"))
    return KnownFields(
        content["objects"], {name: _type(row) for name, row in content["types"].items()}, content["releases"]
    )


def _type(row: str) -> ObjectType:
    pairs = [field.split("=", 1) for field in row.split()]
    required = tuple(name[:-1] for name, _ in pairs if name.endswith("!"))
    return ObjectType({name.rstrip("!"): notation for name, notation in pairs}, required)


def in_words(notation: str) -> str:
    """What a type is called in a message."""
    if notation[0] == "[":
        return "a list"
    return _WORDS.get(notation, "a mapping")


def element(notation: str) -> str:
    """The named type inside a notation: `Container` of `[Container]`; the notation of scalars otherwise."""
    return notation.strip("[]{}")
