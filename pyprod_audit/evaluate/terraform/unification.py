"""Terraform's types: which convert to which, and the one type that fits several.

Source: the behaviour of go-cty's package `convert`, which Terraform uses for both results of a conditional, for the
members of lists, sets and maps and for function arguments; compared with `terraform console` 1.11.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pyprod_audit.evaluate.terraform.values import ANY, OPEN, PRIMITIVES, STRING, Type


def unified(types: Sequence[Type]) -> Type | None:
    """The type that all of these convert to; None when there is none, OPEN when an unknown value decides."""
    first = types[0] if types else ANY
    if all(kind == first for kind in types):
        return first
    if OPEN in types:
        common = unified([kind for kind in types if kind != OPEN])
        return common if common in (None, STRING) else OPEN  # beside a string all that fits becomes one
    kinds = [kind_of(kind) for kind in types]
    known = {kind for kind in kinds if kind != ANY}
    open_ended = ANY in kinds
    for collection, literal in (("map", "object"), ("list", "tuple")):
        if collection in known and known <= {collection, literal}:
            if known == {collection}:
                return ANY if open_ended else _unified_collections(collection, types)
            found = _unified_with_literals(collection, literal, types)
            if found is not None:
                return found
            return _preferred(types)
    if known == {"set"}:
        return ANY if open_ended else _unified_collections("set", types)
    if known == {"object"}:
        return ANY if open_ended else _unified_objects(types)
    if known == {"tuple"}:
        return ANY if open_ended else _unified_tuples(types)
    if {"object", "tuple"} <= known:
        return None
    return _preferred(types)


def kind_of(kind: Type) -> str:
    """The first word of a type."""
    return kind if isinstance(kind, str) else str(kind[0])


def element_of(kind: Type) -> Type:
    """The type of a collection's members."""
    return cast("Type", kind[1])  # ("list", T)


def elements_of(kind: Type) -> tuple[Type, ...]:
    """The types of a tuple's members."""
    return cast("tuple[Type, ...]", kind[1:])  # ("tuple", T, …)


def attributes_of(kind: Type) -> dict[str, Type]:
    """The types of the attributes of an object type."""
    return dict(cast("tuple[tuple[str, Type], ...]", kind[1:]))  # ("object", (name, T), …)


def object_type(attributes: dict[str, Type]) -> Type:
    """The type of an object with these attributes."""
    return ("object", *sorted(attributes.items()))


def _unified_collections(kind: str, types: Sequence[Type]) -> Type | None:
    element = unified([element_of(one) for one in types])
    if element is None:
        return None
    result = (kind, element)
    return result if all(convertible(one, result) for one in types) else None


def _unified_with_literals(kind: str, literal: str, types: Sequence[Type]) -> Type | None:
    """The list or map type for lists and tuples, or maps and objects; None when they do not fit."""
    written = [one for one in types if kind_of(one) == literal]
    collected = _as_collection(kind, written)
    if collected is None:
        return None
    found = unified([collected if kind_of(one) == literal else one for one in types])
    return found if found is not None and kind_of(found) == kind else None


def _as_collection(kind: str, types: Sequence[Type]) -> Type | None:
    """The list or map type that tuples or objects convert to."""
    members: list[Type] = []
    for one in types:
        members += attributes_of(one).values() if kind == "map" else elements_of(one)
    if not members:
        return None
    element = unified(members)
    if element is None:
        return None
    result = (kind, element)
    return result if all(convertible(one, result) for one in types) else None


def _unified_objects(types: Sequence[Type]) -> Type | None:
    attributes = [attributes_of(one) for one in types]
    if any(one.keys() != attributes[0].keys() for one in attributes):
        return _as_collection("map", types)
    result: dict[str, Type] = {}
    for name in attributes[0]:
        found = unified([one[name] for one in attributes])
        if found is None:
            return None
        result[name] = found
    made = object_type(result)
    return made if all(convertible(one, made) for one in types) else _as_collection("map", types)


def _unified_tuples(types: Sequence[Type]) -> Type | None:
    elements = [elements_of(one) for one in types]
    if any(len(one) != len(elements[0]) for one in elements):
        return _as_collection("list", types)
    found = [unified(column) for column in zip(*elements, strict=True)]
    if any(one is None for one in found):
        return None
    made: Type = ("tuple", *found)
    return made if all(convertible(one, made) for one in types) else _as_collection("list", types)


def _preferred(types: Sequence[Type]) -> Type | None:
    """The first of these types, in order of preference, that all others convert to."""
    return next((want for want in _sorted(types) if all(convertible(one, want) for one in types)), None)


def _sorted(types: Sequence[Type]) -> list[Type]:
    """Preferred types first; those between which nothing decides in the order given."""
    distinct = list(dict.fromkeys(types))
    after: list[list[int]] = [[] for _ in distinct]
    waiting = [0] * len(distinct)
    for left in range(len(distinct)):
        for right in range(left + 1, len(distinct)):
            order = _compared(distinct[left], distinct[right])
            if order:
                before, behind = (left, right) if order < 0 else (right, left)
                after[before].append(behind)
                waiting[behind] += 1
    queue = [at for at, count in enumerate(waiting) if not count]
    for at in queue:  # grows while it is gone through
        for behind in after[at]:
            waiting[behind] -= 1
            if not waiting[behind]:
                queue.append(behind)
    return [distinct[at] for at in queue]


def _compared(a: Type, b: Type) -> int:
    """Below zero when values of `b` fit into `a`, above when it is the other way round."""
    if ANY in (a, b):
        return (a == ANY) - (b == ANY)
    if a in PRIMITIVES and b in PRIMITIVES:
        return (b == STRING) - (a == STRING)
    one, other = kind_of(a), kind_of(b)
    if one == other and one in ("list", "set", "map"):
        return _compared(element_of(a), element_of(b))
    pair = (one, other)
    if pair in (("list", "set"), ("tuple", "set"), ("list", "tuple"), ("map", "object")):
        return -1
    if pair in (("set", "list"), ("set", "tuple"), ("tuple", "list"), ("object", "map")):
        return 1
    orders: set[int] = set()
    if one == other == "object":
        left, right = attributes_of(a), attributes_of(b)
        if left.keys() == right.keys():
            orders = {_compared(left[name], right[name]) for name in left}
    elif one == other == "tuple" and len(a) == len(b):
        orders = {_compared(left, right) for left, right in zip(elements_of(a), elements_of(b), strict=True)}
    orders.discard(0)
    return orders.pop() if len(orders) == 1 else 0


def convertible(have: Type, want: Type) -> bool:
    """Whether values of one type may convert to another; a particular value may still fail to."""
    if have == want or want in (ANY, OPEN) or have in (ANY, OPEN):
        return True
    if have in PRIMITIVES:
        return want == STRING or (have == STRING and want in PRIMITIVES)
    if want in PRIMITIVES:
        return False
    one, other = kind_of(have), kind_of(want)
    if other == "object":
        wanted = attributes_of(want)
        if one == "map":
            return all(convertible(element_of(have), kind) for kind in wanted.values())
        given = attributes_of(have) if one == "object" else None
        return given is not None and all(
            name in given and convertible(given[name], kind) for name, kind in wanted.items()
        )
    if other == "tuple":
        return (
            one == "tuple"
            and len(have) == len(want)
            and all(convertible(a, b) for a, b in zip(elements_of(have), elements_of(want), strict=True))
        )
    element = element_of(want)
    if other == "map":
        if one == "map":
            return convertible(element_of(have), element)
        return one == "object" and _all_convertible(list(attributes_of(have).values()), element)
    if one in ("list", "set"):
        return convertible(element_of(have), element)
    return one == "tuple" and _all_convertible(elements_of(have), element, strict=True)


def _all_convertible(members: Sequence[Type], element: Type, *, strict: bool = False) -> bool:
    if not members:
        return True
    found: Type | None = element
    if element == ANY:
        found = unified(members)
        if found is None or (strict and found == ANY and any(kind != ANY for kind in members)):
            return False
    return all(convertible(kind, found or ANY) for kind in members)


def is_open(kind: Type) -> bool:
    """Whether something in the type is not known."""
    if isinstance(kind, str):
        return kind == OPEN
    if kind[0] == "object":
        return any(is_open(one) for one in attributes_of(kind).values())
    return any(is_open(one) for one in elements_of(kind))
