"""Which files are patches: pieces of objects that a kustomization lays over others."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from pyprod_audit.model import Node, Parsed, SourceFile

_LISTS = ("patches", "patchesStrategicMerge", "patchesJson6902", "components")


def kustomize_patches(kustomizations: Iterable[tuple[str, str]]) -> set[str]:
    """The files that kustomizations name as patches.

    Args:
        kustomizations: path and text of each kustomization file.

    Returns:
        Paths relative to the scan root. An entry may also be a folder (of a component) or not exist; inline patches
        and whatever lies outside the root are left out.
    """
    from pyprod_audit.parsers.yaml_events import parse_documents  # loads PyYAML

    found: set[str] = set()
    for path, text in kustomizations:
        folder = posixpath.dirname(path)
        for document in parse_documents(SourceFile(path, text)).nodes:
            for name in _named(document):
                target = posixpath.normpath(posixpath.join(folder, name))
                if not target.startswith(("../", "/")) and target not in (".", ".."):
                    found.add(target)
    return found


def parse(source: SourceFile) -> Parsed:
    """What cannot be read of a patch. It is no object of its own: `evaluate/kustomize` lays it over those it is for."""
    from pyprod_audit.parsers.yaml_events import parse_documents  # loads PyYAML
    from pyprod_audit.parsers.yaml_template import mask

    documents = parse_documents(source, mask(source.text))
    return Parsed(problems=documents.problems, partial=documents.partial)


def _named(document: Node) -> Iterator[str]:
    for key in _LISTS:
        for entry in document.items_at(key):
            name = entry.text or entry.text_at("path")
            if name and "\n" not in name and "://" not in name:
                yield name
