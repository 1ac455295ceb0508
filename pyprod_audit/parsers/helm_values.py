"""Values files of Helm charts: plain YAML, one resource a file."""

from __future__ import annotations

from pyprod_audit.model import Parsed, Resource, SourceFile
from pyprod_audit.parsers.yaml_events import parse_documents


def parse(source: SourceFile) -> Parsed:
    """A `helm.values` resource whose address is the path and whose node is the file."""
    documents = parse_documents(source)
    return Parsed(
        [Resource("helm.values", source.path, node) for node in documents.nodes if node.mapping],
        list(documents.problems),
        documents.partial,
    )
