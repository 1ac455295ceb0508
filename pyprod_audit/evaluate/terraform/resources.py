"""What references to a resource or a data source can tell: the arguments that its block writes."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.terraform.expressions import Evaluator
from pyprod_audit.evaluate.terraform.modules import block_type
from pyprod_audit.evaluate.terraform.outputs import LazyObject
from pyprod_audit.evaluate.terraform.repetition import Names, repetition, suffix
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import OpenMapping
from pyprod_audit.model.patterns import lazy

_META: Final = frozenset({"count", "for_each", "provider", "depends_on", "lifecycle"})
_LIKE_OTHER_TYPES = lazy(r"(?i)[+-]?[0-9.].*|true|false|inf(?:inity)?|nan")


def written_arguments(address: str, block: Node, evaluator: Evaluator) -> Node | Unknown:
    """The resource at `address` as an object, a tuple of objects with `count`, an object of them with `for_each`.

    Only texts are told: without the provider's schema a number may be an attribute of type text, and the other way
    round, and what nested blocks look like is not known. Everything else is Unknown.
    """
    repeated = repetition(block, evaluator.evaluate)
    if repeated.instances is None:
        return Unknown(address, f"computed by {address}")
    if not repeated.by:
        return _arguments(address, block, evaluator, repeated.instances[0][1])
    members = dict(repeated.instances)

    def one(key: str | int) -> Node:
        return _arguments(address + suffix(key), block, evaluator, members[key])

    if repeated.by == "count":
        return block.holding(tuple(one(key) for key in members))
    return block.holding(LazyObject([str(key) for key in members], one))


def _arguments(address: str, block: Node, evaluator: Evaluator, names: Names) -> Node:
    ignored = _ignored(block)
    members: dict[str, Node] = {}
    for name, written in block.mapping_at("body").items():
        if name in _META or name in ignored or "all" in ignored:
            continue
        node = evaluator.evaluate(written, names)
        if isinstance(node.value, str) and not _LIKE_OTHER_TYPES.fullmatch(node.value):
            members[name] = node
    rest = block.holding(Unknown(address, f"computed by {address.partition('[')[0]}"))
    return block.holding(OpenMapping(members, rest))


def _ignored(block: Node) -> set[str]:
    """The arguments that `ignore_changes` leaves as they once were."""
    found: set[str] = set()
    for nested in block.items_at("blocks"):
        changes = nested.mapping_at("body").get("ignore_changes") if block_type(nested) == "lifecycle" else None
        if changes is not None:
            for node in (changes, *changes.items):
                value = node.value
                text = value.expression if isinstance(value, Unknown) else value if isinstance(value, str) else ""
                found.add(text.partition("[")[0].partition(".")[0])
    return found
