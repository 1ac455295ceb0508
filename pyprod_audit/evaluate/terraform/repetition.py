"""How often a block is deployed: `count` and `for_each` of resources and of module calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pyprod_audit.evaluate.terraform.functions import Value
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import OpenMapping
from pyprod_audit.model.patterns import lazy

MOST_INSTANCES: Final = 20
"""Instances that are told apart; of more than these one stands for all."""

_LONGEST: Final = 100
_MENTION = lazy(r"\b(?:each|count)\s*[.\[]")
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}

Names = Mapping[str, Node]
NO_NAMES: Final[Names] = {}


class Repetition(NamedTuple):
    """The instances of a block.

    `by`: `count`, `for_each` or "" (one instance without key). `instances` are the keys with what `each` and `count`
    are in them; None when it is not known, which `because` says, or when there are very many.
    """

    by: str
    instances: tuple[tuple[str | int, Names], ...] | None
    because: str = ""


ONCE: Final = Repetition("", (("", NO_NAMES),))


def repetition(block: Node, evaluate: Callable[[Node], Node]) -> Repetition:
    """The instances of a block of a `tf.file`; `evaluate` gives the value of an argument."""
    body = block.mapping_at("body")
    count, for_each = body.get("count"), body.get("for_each")
    if count is not None:
        return _counted(count, evaluate(count))
    if for_each is not None:
        return _of_collection(evaluate(for_each))
    return ONCE


def _counted(written: Node, node: Node) -> Repetition:
    value = node.value
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit() and len(value) < 9):
        number = int(value)
    else:
        because = value.because if isinstance(value, Unknown) else "its count is not a number"
        return Repetition("count", None, because)
    if number < 0 or number > _LONGEST:
        return Repetition("count", None, f"its count is {number}")
    return Repetition(
        "count", tuple((at, {"count": written.holding({"index": written.holding(at)})}) for at in range(number))
    )


def _of_collection(node: Node) -> Repetition:
    pairs = pairs_of(node)
    if pairs is None or not all(isinstance(key.value, str) for key, _ in pairs):
        because = node.value.because if isinstance(node.value, Unknown) else "its for_each is not known"
        return Repetition("for_each", None, because)
    return Repetition("for_each", tuple((str(key.value), {"each": iterator(key, value)}) for key, value in pairs))


def pairs_of(node: Node) -> list[tuple[Node, Node]] | None:
    """Keys and values that a known `for_each` goes through; None when it is not known or very long.

    A list is given as its members (dynamic blocks count them, sets of strings use the string as the key).
    """
    value = node.value
    if isinstance(value, OpenMapping):
        return None
    if isinstance(value, dict):
        pairs = [(member.holding(key), member) for key, member in value.items()] if len(value) <= _LONGEST else []
    elif isinstance(value, tuple):
        pairs = [
            (member if isinstance(member.value, str) else member.holding(index), member)
            for index, member in enumerate(value[: _LONGEST + 1])
        ]
    else:
        return None
    return pairs if len(value) <= _LONGEST else None


def iterator(key: Node, value: Node) -> Node:
    """What `each`, or the iterator of a dynamic block, is for one member."""
    return value.holding({"key": key, "value": value})


def mentions_instance(block: Node) -> bool:
    """Whether anything in a block may differ between its instances."""
    source = block.source
    if _MENTION.search(source.text, block.start, block.end) is not None:
        return True
    overriding = (*block.mapping_at("body").values(), *block.items_at("blocks"))
    return any(node.source is not source for node in overriding)


def suffix(key: str | int) -> str:
    """The key of an instance as addresses have it: `[0]`, `["eu"]`."""
    if isinstance(key, int):
        return f"[{key}]"
    return '["' + "".join(_ESCAPES.get(character, character) for character in key) + '"]'


def same(left: Node, right: Node) -> bool:
    """Whether two values are equal wherever they stand; unknown ones when they are unknown alike."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        a: Value = one.value
        b: Value = other.value
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            pairs += [(member, b[key]) for key, member in a.items()]
        elif isinstance(a, tuple) and isinstance(b, tuple):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif type(a) is not type(b) or a != b:
            return False
    return True
