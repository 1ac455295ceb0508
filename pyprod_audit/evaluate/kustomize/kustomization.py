"""One kustomization: its fields as kustomize reads them, those of earlier versions included."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from pyprod_audit.evaluate.kustomize.field_specs import FieldSpec, spec_of
from pyprod_audit.evaluate.kustomize.place import Refused, with_items
from pyprod_audit.model import Node, Unknown

_HEAD: Final = frozenset({"apiVersion", "kind"})
# Names of fields count in any case, as Go's JSON decoder has it.
_NAMES: Final = """
    apiVersion kind metadata openapi namePrefix nameSuffix namespace commonLabels labels commonAnnotations
    patchesStrategicMerge patchesJson6902 patches images imageTags replacements replicas vars sortOptions resources
    components crds bases configMapGenerator secretGenerator helmGlobals helmCharts helmChartInflationGenerator
    generatorOptions configurations generators transformers validators buildMetadata name newName newTag digest
    tagSuffix count path patch target options group version annotationSelector labelSelector allowNameChange
    allowKindChange pairs includeSelectors includeTemplates fields create source sourceValue targets select reject
    fieldPath fieldPaths delimiter index objref fieldref literals files envs env behavior type disableNameSuffixHash
    immutable annotations
"""
_FIELDS: Final = {name.lower(): name for name in _NAMES.split()}
_FREE: Final = frozenset({"pairs", "commonLabels", "commonAnnotations", "metadata", "openapi", "helmCharts"})
_FREE_MAPPINGS: Final = frozenset({"labels", "annotations"})
_DEEPEST: Final = 8
_IMAGE: Final = ("name", "newName", "newTag", "digest", "tagSuffix")


class Kustomization:
    """A kustomization or a component.

    `folder` is where it is, relative to the scan root ("" is the root); paths in it count from there.
    """

    def __init__(self, node: Node, folder: str) -> None:
        self.node = _spelled(node, 0)
        self.folder = folder
        self.path = node.source.path

    @property
    def is_component(self) -> bool:
        """Whether it is a component: it is included by others, and changes what they have gathered."""
        return self.node.text_at("kind") == "Component"

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing at all, which kustomize refuses."""
        return all(key in _HEAD or (node.value is None) for key, node in self.node.mapping.items())

    def text(self, key: str) -> Node | None:
        """A field that is text; None when it is absent or empty. Raises Refused for anything else."""
        found = self.node.mapping.get(key)
        return found if found is not None and as_text(found, key) else None

    def texts(self, *keys: str) -> Iterator[Node]:
        """The members of lists of texts. Raises Refused for one that is something else."""
        for key in keys:
            for entry in self._list(key):
                if not isinstance(entry.value, Unknown):
                    as_text(entry, key)
                yield entry

    def entries(self, *keys: str) -> Iterator[Node]:
        """The members of lists of mappings. Raises Refused for one that is something else."""
        for key in keys:
            for entry in self._list(key):
                if not isinstance(entry.value, dict):
                    raise Refused(f"{key} is a list of mappings", entry)
                yield entry

    def images(self) -> Iterator[tuple[Node, dict[str, str]]]:
        """The entries of `images`, with their fields as text."""
        for entry in self.entries("images", "imageTags"):
            yield entry, image_fields(entry)

    def pairs(self, key: str) -> dict[str, Node]:
        """A field that maps texts to texts."""
        found = self.node.mapping.get(key)
        return text_pairs(found, key) if found is not None else {}

    def label_specs(self, entry: Node) -> tuple[FieldSpec, ...]:
        """The fields that an entry of `labels` adds to the usual ones."""
        return tuple(spec_of(field) for field in entry.items_at("fields"))

    def _list(self, key: str) -> tuple[Node, ...]:
        found = self.node.mapping.get(key)
        if found is None or found.value is None or found.is_unknown:
            return ()
        if not isinstance(found.value, tuple):
            raise Refused(f"{key} is a list", found)
        return tuple(entry for entry in found.value if entry.value is not None)


def _spelled(node: Node, depth: int) -> Node:
    """The node with the names of its fields as kustomize writes them."""
    value = node.value
    if depth > _DEEPEST:
        return node
    if isinstance(value, tuple):
        return with_items(node, tuple(_spelled(item, depth + 1) for item in value))
    if not isinstance(value, dict):
        return node
    members = {}
    for key, member in value.items():
        name = _FIELDS.get(key.lower(), key)
        if name in value:
            name = key
        free = name in _FREE or (name in _FREE_MAPPINGS and isinstance(member.value, dict))
        members[name] = member if free else _spelled(member, depth + 1)
    same = members.keys() == value.keys() and all(members[key] is value[key] for key in members)
    return node if same else node.holding(members)


def as_text(node: Node, key: str) -> str:
    """The text of a field; of one that a tool fills in, what is written. Raises Refused for numbers and the like."""
    value = node.value
    if isinstance(value, str):
        return value
    if isinstance(value, Unknown):
        return value.expression
    if value is None:
        return ""
    raise Refused(f"{key} must be text: kustomize does not read {_shown(node)} as such", node)


def text_pairs(node: Node, key: str) -> dict[str, Node]:
    """A mapping of texts to texts. Raises Refused when one of them is a number or the like."""
    if node.value is None or node.is_unknown:
        return {}
    if not isinstance(node.value, dict):
        raise Refused(f"{key} is a mapping", node)
    for name, value in node.mapping.items():
        as_text(value, f"{key}.{name}")
    return {name: value if value.value is not None else value.holding("") for name, value in node.mapping.items()}


def image_fields(entry: Node) -> dict[str, str]:
    """The fields of an entry of `images` as text."""
    found = ((key, entry.mapping.get(key)) for key in _IMAGE)
    return {key: as_text(node, key) for key, node in found if node is not None}


def replica_count(entry: Node) -> Node:
    """The number of an entry of `replicas`. Raises Refused when it is none."""
    count = entry.mapping.get("count")
    if count is None or not (isinstance(count.value, (int, Unknown)) and not isinstance(count.value, bool)):
        raise Refused("the count of replicas is a number", count or entry)
    return count


def is_own(folder: str, path: str) -> bool:
    """Whether a file lies in or below the folder of a kustomization."""
    there = posixpath.dirname(path)
    return not folder or there == folder or there.startswith(f"{folder}/")


def _shown(node: Node) -> str:
    return node.span.first_line.text[:40]
