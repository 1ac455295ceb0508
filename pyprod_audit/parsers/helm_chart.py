"""The files that make a folder a Helm chart, besides its values."""

from __future__ import annotations

from pyprod_audit.model import Parsed, Resource, SourceFile
from pyprod_audit.parsers.yaml_events import parse_documents


def parse(source: SourceFile) -> Parsed:
    """A `helm.chart` resource for a Chart.yaml, whose address is the path and whose node is the file."""
    documents = parse_documents(source)
    return Parsed(
        [Resource("helm.chart", source.path, node) for node in documents.nodes[:1] if node.mapping],
        list(documents.problems),
        documents.partial,
    )


def parse_template(source: SourceFile) -> Parsed:  # noqa: ARG001 - one signature for all parsers
    """Nothing: a template means something only with its chart's values (`evaluate/helm`)."""
    return Parsed()
