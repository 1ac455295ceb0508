"""Blocks as mappings: arguments by name, nested blocks as tuples of mappings, `dynamic` ones made out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.terraform.expressions import Evaluator
from pyprod_audit.evaluate.terraform.modules import block_labels, block_type
from pyprod_audit.evaluate.terraform.repetition import NO_NAMES, Names, iterator, pairs_of
from pyprod_audit.evaluate.terraform.types import type_text
from pyprod_audit.evaluate.terraform.values import Unresolved
from pyprod_audit.model import Node, Unknown

LABELS: Final = {"resource": 2, "data": 2, "ephemeral": 2, "variable": 1, "output": 1, "provider": 1, "module": 1}
"""How many labels a top-level block has."""

_WITH_NULLS: Final = frozenset({"variable", "output", "module", "locals"})


def identity(keyword: str, labels: Sequence[str], node: Node) -> tuple[str, str]:
    """Kind and address, within its module, of what a top-level block declares."""
    if keyword == "resource":
        return f"tf.{labels[0]}", ".".join(labels)
    if keyword == "data":
        return f"tf.data.{labels[0]}", "data." + ".".join(labels)
    if keyword == "provider":
        alias = node.text_at("alias")
        return "tf.provider", f"provider.{labels[0]}.{alias}" if alias else f"provider.{labels[0]}"
    name = "var" if keyword == "variable" else keyword
    return f"tf.{keyword}", ".".join([name, *labels])


def block_node(block: Node, evaluator: Evaluator, names: Names, known: Mapping[str, Node] = NO_NAMES) -> Node:
    """One block as a mapping from arguments to values and from block types to tuples of mappings.

    An argument of a resource that is null is as if it were not written, and so it is not there.
    `names` are what `each`, `count` and the iterators of dynamic blocks around it stand for; `known` are arguments that
    have been evaluated before.
    """
    body = block.mapping["body"].mapping
    members = {name: known.get(name) or evaluator.evaluate(node, names) for name, node in body.items()} if body else {}
    if block_type(block) not in _WITH_NULLS and any(node.value is None for node in members.values()):
        members = {name: node for name, node in members.items() if node.value is not None}
    nested: dict[str, list[Node]] = {}
    for inner in block.mapping["blocks"].items:
        labels = inner.mapping["labels"]
        if block_type(inner) == "dynamic" and labels.items:
            name = str(labels.items[0].value)
            nested.setdefault(name, []).extend(_dynamic(inner, name, evaluator, names))
        else:
            nested.setdefault(block_type(inner), []).append(block_node(inner, evaluator, names))
    for name, group in nested.items():
        if group:
            first = group[0]
            members[name] = Node(tuple(group), first.source, first.start, first.end, first.key_start, first.key_end)
    if block.mapping["labels"].items and block_type(block) not in LABELS:
        members["labels"] = block.mapping["labels"]
    return block.holding(members)


def variable_node(block: Node, evaluator: Evaluator) -> Node:
    """A `variable` block; its type is the text that is written."""
    node = block_node(block, evaluator, {})
    declared = block.mapping_at("body").get("type")
    if declared is None or not isinstance(declared.value, Unknown):
        return node
    return node.holding({**node.mapping, "type": declared.holding(type_text(declared))})


def _dynamic(block: Node, name: str, evaluator: Evaluator, names: Names) -> list[Node]:
    """The blocks that a `dynamic` block stands for, or one Unknown."""
    body = block.mapping["body"].mapping
    content = next((inner for inner in block.mapping["blocks"].items if block_type(inner) == "content"), None)
    for_each = evaluator.evaluate(body["for_each"], names) if "for_each" in body else None
    pairs = None if for_each is None else pairs_of(for_each)
    if pairs is None or content is None:
        because = for_each.value.because if for_each and isinstance(for_each.value, Unknown) else ""
        return [block.holding(Unknown(f'dynamic "{name}"', because or "its for_each is not known"))]
    chosen = body.get("iterator")
    called = chosen.value.expression if chosen is not None and isinstance(chosen.value, Unknown) else name
    blocks: list[Node] = []
    for key, value in pairs:
        try:
            evaluator.charge(10)
        except Unresolved as why:
            return [block.holding(Unknown(f'dynamic "{name}"', str(why)))]
        made = block_node(content, evaluator, {**names, called: iterator(key, value)})
        blocks.append(block.holding(made.value))
    return blocks


def has_labels(block: Node) -> bool:
    """Whether a top-level block has as many labels as its keyword asks for."""
    found = len(block_labels(block))
    return found == LABELS.get(block_type(block), found)
