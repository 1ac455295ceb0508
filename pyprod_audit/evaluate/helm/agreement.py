"""Places for what the helm program printed: those of our own rendering, as far as both agree."""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.evaluate.helm.placement import Fault, Placed
from pyprod_audit.evaluate.helm.program import Manifest
from pyprod_audit.model import Node, SourceFile
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_events import parse_documents

_KIND_LINE = lazy(r"^kind:[^\n]*", 8)  # re.MULTILINE


def placed_like(manifests: Sequence[Manifest], own: Placed, template: SourceFile) -> Placed:
    """The documents that helm printed for one template, each with the places of the same object in `own`."""
    found = Placed()
    left = list(own.nodes)
    for manifest in manifests:
        documents = parse_documents(SourceFile(template.path, manifest.text))
        for node in documents.nodes:
            like = _same(node, left)
            if like is not None:
                left = [one for one in left if one is not like]
            found.nodes.append(_placed(node, like or _start(node, template)))
        found.faults += [Fault(problem.message, template.line_span(1)) for problem in documents.problems]
    return found


def _same(node: Node, candidates: Sequence[Node]) -> Node | None:
    """The document that is the same object: of the same kind and name, else the first of the same kind."""
    kind = node.text_at("kind")
    alike = [one for one in candidates if one.text_at("kind") == kind]
    name = node.text_at("metadata.name")
    return next((one for one in alike if one.text_at("metadata.name") == name), alike[0] if alike else None)


def _start(node: Node, template: SourceFile) -> Node:
    """The line of a template that an object seems to begin at, for one that our rendering does not have."""
    kind = node.text_at("kind") or ""
    lines = [found for found in _KIND_LINE.finditer(template.text) if found[0].split()[1:2] == [kind]]
    if lines:
        return Node({}, template, lines[0].start(), lines[0].end())
    first = template.line_span(1)
    return Node({}, template, first.start, first.end)


def _placed(node: Node, like: Node) -> Node:
    """The values of `node` at the places of `like`; what `like` does not have stands where its parent does."""
    value: Value = node.value
    if isinstance(value, dict):
        beside = like.mapping
        value = {key: _placed(member, beside.get(key) or _bare(like)) for key, member in value.items()}
    elif isinstance(value, tuple):
        items = like.items
        value = tuple(
            _placed(member, items[index] if index < len(items) else _bare(like)) for index, member in enumerate(value)
        )
    return like.holding(value)


def _bare(like: Node) -> Node:
    """The same place without members."""
    return like if not like.mapping and not like.items else like.holding(None)
