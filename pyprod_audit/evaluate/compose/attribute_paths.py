"""Rules that belong to attributes by their path: `services.*.ports`, where `*` stands for any name or member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class AttributeRules(Generic[T]):
    """The rules of one attribute (`here`) and of those below it. A name of its own is stronger than `*`."""

    __slots__ = ("below", "here")

    def __init__(self, rows: Mapping[str, T] | None = None) -> None:
        """`rows`: rules by dotted path."""
        self.here: T | None = None
        self.below: dict[str, AttributeRules[T]] = {}
        for path, rule in (rows or {}).items():
            place = self
            for name in path.split("."):
                place = place.below.setdefault(name, AttributeRules())
            place.here = rule

    def at(self, name: str) -> AttributeRules[T] | None:
        """The rules of the member `name`, if there are any for it or for what is below."""
        return self.below.get(name) or self.below.get("*")

    def under(self, path: str) -> AttributeRules[T]:
        """The rules at a dotted path that must be there."""
        place = self
        for name in path.split("."):
            found = place.at(name)
            if found is None:
                raise KeyError(path)
            place = found
        return place
