"""Terraform's JSON syntax (`*.tf.json`, `*.tfvars.json`), brought into the shape of the native syntax.

Source: developer.hashicorp.com/terraform/language/syntax/json. Without the providers' schemas JSON does not
tell a nested block from a map argument: a mapping is a block unless its name is one of the usual names of maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile
from pyprod_audit.parsers.hcl_tree import template_value
from pyprod_audit.parsers.json_tree import JsonError, read_json

_LABELS: Final = {"resource": 2, "data": 2, "ephemeral": 2, "variable": 1, "output": 1, "provider": 1, "module": 1}
_PLAIN: Final = frozenset({"variable", "output", "module", "locals"})  # their mappings are always values
_LABELLED: Final = frozenset({"backend", "provisioner", "dynamic", "provider_meta"})
_MAPS: Final = frozenset({
    "tags", "tags_all", "labels", "annotations", "variables", "metadata", "parameters", "triggers", "keepers",
    "for_each", "providers", "environment_variables", "app_settings", "match_labels", "selector", "data", "options",
    "request_templates", "request_parameters", "response_parameters", "user_labels", "resource_labels", "map", "inputs",
    "query", "headers", "env", "default_labels", "node_selector", "limits", "requests", "string_data", "binary_data",
})  # fmt: skip
_MAX_DEPTH: Final = 60


def parse_json(source: SourceFile) -> Parsed:
    """The blocks and attributes of one JSON file as a `tf.file`, with template strings as expressions."""
    try:
        root = read_json(source)
    except JsonError as error:
        line = source.span(error.offset, error.offset).line
        return Parsed([], [Problem("parse", source.path, f"not JSON: {error}", line)], partial=True)
    blocks: list[Node] = []
    attributes: dict[str, Node] = {}
    if source.path.endswith(".tfvars.json"):
        attributes = dict(root.mapping)
    else:
        for part in _alternatives(root):
            for keyword, node in part.mapping.items():
                if keyword != "//":
                    blocks += _top_level(keyword, node)
    members = {
        "blocks": Node(tuple(blocks), source, root.start, root.end),
        "attributes": Node(attributes, source, root.start, root.end),
    }
    return Parsed([Resource("tf.file", source.path, Node(members, source, root.start, root.end))])


def _alternatives(node: Node) -> tuple[Node, ...]:
    """JSON allows a list of mappings wherever a block may be repeated."""
    return node.items if isinstance(node.value, tuple) else (node,)


def _top_level(keyword: str, node: Node) -> Iterator[Node]:
    nesting = [((), node)] if keyword not in _LABELS else _labelled(node, _LABELS[keyword])
    for labels, inner in nesting:
        for body in _alternatives(inner):
            yield _block(keyword, node, labels, body, plain=keyword in _PLAIN)


def _labelled(node: Node, count: int) -> list[tuple[tuple[Node, ...], Node]]:
    """The bodies below `count` levels of labels, each with its labels."""
    found: list[tuple[tuple[Node, ...], Node]] = [((), node)]
    for _ in range(count):
        found = [
            ((*labels, Node(name, inner.source, inner.key_start, inner.key_end)), inner)
            for labels, outer in found
            for part in _alternatives(outer)
            for name, inner in part.mapping.items()
            if name != "//"
        ]
    return found


def _block(
    keyword: str, keyed: Node, labels: tuple[Node, ...], body: Node, *, plain: bool = False, depth: int = 0
) -> Node:
    source, start, end = body.source, body.start, body.end
    key_start, key_end = (labels[-1].start, labels[-1].end) if labels else (keyed.key_start, keyed.key_end)
    attributes: dict[str, Node] = {}
    blocks: list[Node] = []
    for name, node in body.mapping.items():
        if name == "//":
            continue
        container = _first_mapping(node)
        if name in _LABELLED and container is not None and not plain:
            for inner_labels, inner in _labelled(node, 1):
                blocks += [_nested(name, node, inner_labels, part, depth) for part in _alternatives(inner)]
        elif container is not None and not plain and name not in _MAPS and depth < _MAX_DEPTH:
            blocks += [_nested(name, node, (), part, depth) for part in _alternatives(node)]
        else:
            attributes[name] = _with_expressions(node)
    members = {
        "type": Node(keyword, source, keyed.key_start, keyed.key_end),
        "labels": Node(labels, source, key_start, key_end),
        "body": Node(attributes, source, start, end, key_start, key_end),
        "blocks": Node(tuple(blocks), source, start, end, key_start, key_end),
    }
    return Node(members, source, start, end, key_start, key_end)


def _nested(name: str, keyed: Node, labels: tuple[Node, ...], body: Node, depth: int) -> Node:
    if name == "dynamic" and "content" in body.mapping:
        block = _block(name, keyed, labels, Node({}, body.source, body.start, body.end))
        content = body.mapping["content"]
        outer = {key: node for key, node in body.mapping.items() if key != "content"}
        attributes = {key: _with_expressions(node) for key, node in outer.items()}
        blocks = [_block("content", content, (), part, depth=depth + 1) for part in _alternatives(content)]
        block.mapping["body"].value = attributes
        block.mapping["blocks"].value = tuple(blocks)
        return block
    return _block(name, keyed, labels, body, depth=depth + 1)


def _first_mapping(node: Node) -> Node | None:
    """The node itself, or its first member, when all that is written there is mappings."""
    if isinstance(node.value, dict):
        return node
    if node.items and all(isinstance(member.value, dict) for member in node.items):
        return node.items[0]
    return None


def _with_expressions(node: Node, depth: int = 0) -> Node:
    """The node with its strings read as templates."""
    value = node.value
    if isinstance(value, str) and ("${" in value or "%{" in value):
        return template_value(node, value)
    if depth >= _MAX_DEPTH:
        return node
    if isinstance(value, dict):
        members = {key: _with_expressions(member, depth + 1) for key, member in value.items()}
        return Node(members, node.source, node.start, node.end, node.key_start, node.key_end)
    if isinstance(value, tuple):
        items = tuple([_with_expressions(member, depth + 1) for member in value])
        return Node(items, node.source, node.start, node.end, node.key_start, node.key_end)
    return node
