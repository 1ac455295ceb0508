"""Sprig's `merge` and `mergeOverwrite`: dario.cat/mergo 1.0.1 for maps.

The first map is changed, and takes nested maps and slices of the others as they are, not copies of them.
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Call, Contextual, Registered
from pyprod_audit.evaluate.gotemplate.sprig_reflection import same
from pyprod_audit.evaluate.gotemplate.sprig_types import MAP, MAPS
from pyprod_audit.evaluate.gotemplate.truth import truth
from pyprod_audit.evaluate.gotemplate.undecided import MAX_DEPTH, MAX_MEMBERS, Undecided, too_deep
from pyprod_audit.evaluate.gotemplate.values import Callables, Map, StringMap, Value
from pyprod_audit.model import Unknown

_MISSING: Final = object()


class _Merge:
    """One merge of a map into another.

    `overwrite`: what is there gives way, even to empty values. `unsure`: the merge may not happen; what it would
    change becomes Unknown.
    """

    def __init__(self, overwrite: bool, unsure: bool) -> None:
        self.overwrite = overwrite
        self.unsure = unsure
        self.members = 0

    def count(self, depth: int) -> None:
        """Counts a member."""
        self.members += 1
        if depth > MAX_DEPTH or self.members > MAX_MEMBERS:
            raise too_deep("merge")

    def merge(self, into: dict[str, Value], source: dict[str, Value], depth: int) -> None:
        """Merges `source` into `into`, in place."""
        if into is source:
            return
        if isinstance(into, StringMap) or isinstance(source, StringMap):
            raise Undecided(Unknown("merge", "maps of strings are merged by other rules"))
        for key, value in list(source.items()):
            self.count(depth)
            self.member(into, source, key, value, depth)
        rest = source.open if isinstance(source, Map) else None
        if rest is not None:
            self.open(into, rest, depth, without=source)

    def member(self, into: dict[str, Value], source: dict[str, Value], key: str, value: Value, depth: int) -> None:
        """Merges one member."""
        there = into.get(key, _MISSING)
        if isinstance(value, Callables) and there is not _MISSING:
            if there is value or (not self.overwrite and isinstance(there, dict) and there):
                return
            raise Undecided(Unknown("merge", "objects of the engine are merged by other rules"))
        if there is _MISSING and isinstance(into, Map) and into.open is not None and not self.overwrite:
            self.write(into, key, into.open, source)
            return
        if isinstance(value, Unknown):
            self.unknown(into, key, value, depth)
            return
        if isinstance(there, Unknown):
            if self.overwrite and not isinstance(value, dict):
                self.write(into, key, value, source)
            return
        if value is None:
            if self.overwrite:
                self.write(into, key, None, source)
            return
        both = isinstance(value, dict) and isinstance(there, dict)
        if both:
            self.merge(there, value, depth + 1)
        filled = there is not _MISSING and truth(there)
        if both and filled is not False:
            return
        if there is _MISSING and isinstance(into, Map) and into.open is not None and isinstance(value, dict):
            # A map that may be there already would be merged with it.
            value = Map(value, value.places if isinstance(value, Map) else None, into.open)
        if self.overwrite or filled is False:
            self.write(into, key, value, source)
        elif filled is None:
            into[key] = Unknown(key, "it may be merged in")

    def write(self, into: dict[str, Value], key: str, value: Value, source: dict[str, Value]) -> None:
        """Sets a member, with the place that it has in `source`."""
        if self.unsure:
            if key not in into or same(into[key], value) is not True:
                into[key] = value if isinstance(value, Unknown) else Unknown(key, "it may be merged in")
            return
        into[key] = value
        if isinstance(into, Map):
            into.places.pop(key, None)
            via = source.places.get(key) if isinstance(source, Map) else None
            if via:
                into.places[key] = via

    def unknown(self, into: dict[str, Value], key: str, value: Unknown, depth: int) -> None:
        """Merges an Unknown: it may be a map, which leaves other members alone, or anything else."""
        there = into.get(key, _MISSING)
        if not self.overwrite and isinstance(there, dict) and there:
            self.open(there, value, depth + 1)
        elif self.overwrite or there is _MISSING or truth(there) is not True:
            into[key] = value

    def open(self, into: dict[str, Value], rest: Unknown, depth: int, without: dict[str, Value] | None = None) -> None:
        """What a map becomes when unknown members are merged in; `without`: those that are not among them."""
        for key, value in list(into.items()):
            self.count(depth)
            if without is not None and key in without:
                continue
            if not self.overwrite and isinstance(value, dict) and value:
                self.open(value, rest, depth + 1)
            elif self.overwrite or truth(value) is not True:
                into[key] = rest
        if not isinstance(into, Map):
            raise Undecided(rest)
        into.open = into.open or rest


def _merged(call: Call, values: tuple[Value, ...], overwrite: bool) -> Value:
    into, *sources = values
    if isinstance(into, Unknown):
        return into
    merge = _Merge(overwrite, call.undecided)
    for source in sources:
        if isinstance(source, Unknown):
            merge.open(into, source, 0)
        else:
            merge.merge(into, source, 0)
    return into


def _merge(call: Call, *values: Value) -> Value:
    """`merge`: what the first map lacks, or has empty, comes from the others."""
    return _merged(call, values, overwrite=False)


def _merge_overwrite(call: Call, *values: Value) -> Value:
    """`mergeOverwrite`: the last map that has a member wins."""
    return _merged(call, values, overwrite=True)


MERGE: Final[dict[str, Registered]] = {
    **dict.fromkeys(("merge", "mustMerge"), Contextual(_merge, takes=(MAP, MAPS))),
    **dict.fromkeys(("mergeOverwrite", "mustMergeOverwrite"), Contextual(_merge_overwrite, takes=(MAP, MAPS))),
}
