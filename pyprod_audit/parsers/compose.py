"""Compose files: plain YAML with anchors, `x-` extensions and the tags `!reset` and `!override`.

Compose reads YAML with go-yaml (https://github.com/yaml/go-yaml): words as in YAML 1.2, numbers as Go writes them, so
that `0440` is octal.
"""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_events import Documents, duplicate_key_resources, parse_documents
from pyprod_audit.parsers.yaml_scalars import GO_YAML
from pyprod_audit.parsers.yaml_template import Masked, mask

RESET: Final = "!reset"
OVERRIDE: Final = "!override"
_TOP_LEVEL = lazy(
    r"""^(?:\{\s*)?["']?(?:services|include|volumes|networks|secrets|configs)["']?[ \t]*:""", re.MULTILINE
)
_NOT_COMPOSE = lazy(r"^(?:apiVersion|kind|jobs|on|stages|swagger|openapi)[ \t]*:", re.MULTILINE)


class Tagged(Node):
    """A node under one of the tags with which a file takes back what earlier files say: `RESET` or `OVERRIDE`."""

    __slots__ = ("tag",)

    def __init__(self, node: Node, tag: str) -> None:
        super().__init__(node.value, node.source, node.start, node.end, node.key_start, node.key_end)
        self.tag = tag


def looks_like_compose(text: str) -> bool:
    """Whether a file with the name of a Compose file is one: it declares services or what they use."""
    return _TOP_LEVEL.search(text) is not None and _NOT_COMPOSE.search(text) is None


def parse(source: SourceFile) -> Parsed:
    """A `compose.file` resource for each document, whose address is the path and whose node is the document."""
    documents = _documents(source)
    parsed = Parsed([], list(documents.problems), documents.partial)
    owners: dict[int, Resource] = {}
    for node in documents.nodes:
        if not isinstance(node.value, dict):
            message = "not a Compose file: the document is no mapping"
            parsed.problems.append(Problem("parse", source.path, message, node.span.line))
            parsed.partial = True
            continue
        resource = Resource("compose.file", source.path, _with_tags(node, documents))
        owners[node.start] = resource
        parsed.resources.append(resource)
    parsed.resources.extend(duplicate_key_resources(documents, owners))
    return parsed


def _documents(source: SourceFile) -> Documents:
    """The file as Compose reads it; when it is no YAML before a template is filled in, with the template's tags masked.

    `{{ … }}` in valid YAML may be Docker's own (`tag: "{{.Name}}"`) or a template's: such a value is not known.
    """
    masked = mask(source.text)
    if masked is None:
        return parse_documents(source, None, GO_YAML)
    ranges = [one for one in zip(masked.starts, masked.ends, strict=True) if "\n" not in source.text[slice(*one)]]
    in_place = Masked(source.text, tuple(start for start, _ in ranges), tuple(end for _, end in ranges))
    documents = parse_documents(source, in_place, GO_YAML)
    return parse_documents(source, masked, GO_YAML) if documents.problems else documents


def _with_tags(document: Node, documents: Documents) -> Node:
    """The document with `Tagged` nodes in the place of those that carry one of Compose's tags.

    An alias has no tag of its own: it stands for the container that the tag is on, which is the same object.
    """
    places = {start: tag for start, tag in documents.tags.items() if tag in (RESET, OVERRIDE)}
    if not places:
        return document
    containers = {
        id(node.value): places[node.start]
        for node in document.walk()
        if isinstance(node.value, (dict, tuple)) and node.value != () and node.start in places
    }
    seen: set[int] = set()
    for node in document.walk():
        if isinstance(node.value, dict) and id(node.value) not in seen:
            seen.add(id(node.value))
            for key, member in node.value.items():
                tag = places.get(member.start) or containers.get(id(member.value))
                if tag is not None:
                    node.value[key] = Tagged(member, tag)
        elif isinstance(node.value, tuple) and any(item.start in places for item in node.value):
            # What a tag resets inside of a sequence is left out of it; `!override` there changes nothing.
            node.value = tuple(item for item in node.value if places.get(item.start) != RESET)
    return document
