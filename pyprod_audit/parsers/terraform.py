"""Terraform and OpenTofu files: `*.tf`, `*.tofu`, `*.tfvars`, and their JSON forms."""

from __future__ import annotations

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile
from pyprod_audit.parsers.hcl_plain import read_plain


def parse(source: SourceFile) -> Parsed:
    """The blocks and attributes of one file as a `tf.file`; docs/model.md gives the shape.

    A top-level block with a syntax error is left out whole (half a resource would look as if arguments were missing)
    and is a problem; the rest of the file counts.
    """
    if source.path.endswith(".json"):
        from pyprod_audit.parsers.terraform_json import parse_json

        return parse_json(source)
    plain = read_plain(source)
    if plain is not None:
        return _parsed(source, plain.attributes, plain.blocks, [])
    from pyprod_audit.parsers.hcl_tree import FileReader  # loads tree-sitter

    reader = FileReader(source)
    reader.read(source.text, 0)
    return _parsed(source, reader.attributes, reader.blocks, reader.problems)


def _parsed(source: SourceFile, attributes: dict[str, Node], blocks: list[Node], problems: list[Problem]) -> Parsed:
    end = len(source.text)
    node = Node(
        {
            "blocks": Node(tuple(blocks), source, 0, end),
            "attributes": Node(attributes, source, 0, end),
        },
        source,
        0,
        end,
    )
    return Parsed([Resource("tf.file", source.path, node)], problems, partial=bool(problems))
