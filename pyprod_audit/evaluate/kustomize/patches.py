"""The patches of a kustomization: strategic merge patches and JSON patches, for one object or for all of a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pyprod_audit.evaluate.kustomize.json_patch import apply_patch
from pyprod_audit.evaluate.kustomize.objects import Item, Objects
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, placed, with_member
from pyprod_audit.evaluate.kustomize.selectors import Selector, select
from pyprod_audit.evaluate.kustomize.sources import Documents
from pyprod_audit.evaluate.kustomize.strategic_merge import merge
from pyprod_audit.model import Node

_MOST_LISTS: Final = 1_000
_IDENTITY: Final = ("apiVersion", "kind")


class Patch(NamedTuple):
    """One entry: `objects` to merge, or `operations` of a JSON patch (None: it is none).

    `keeps_names`: a JSON patch of `patchesJson6902` does not count as a change of the name.
    """

    entry: Node
    objects: Sequence[Node]
    operations: Sequence[Node] | None
    target: Selector | None
    renames: bool = False
    changes_kind: bool = False
    keeps_names: bool = False


def patch_of(entry: Node, documents: Documents, *, target: Node | None, keeps_names: bool = False) -> Patch:
    """The patch of an entry whose text has been read.

    Raises:
        Refused: it is neither a patch of objects nor a list of operations.
    """
    if documents.broken:
        raise Refused("the patch is not valid YAML", entry)
    selector = Selector(target) if target is not None and target.mapping else None
    first = next(iter(documents.nodes), None)
    if keeps_names or first is None or is_json_patch(documents):
        operations = first.items if first is not None else ()
        if selector is None:
            raise Refused("a JSON patch must have a target", entry)
        return Patch(entry, (), operations, selector, keeps_names=keeps_names)
    objects = list(objects_in(documents.nodes))
    if selector is not None and len(objects) > 1:
        raise Refused("a patch with a target holds one document", entry)
    renames, changes_kind = (
        (found := entry.get(f"options.{key}")) is not None and found.value is True
        for key in ("allowNameChange", "allowKindChange")
    )
    return Patch(entry, objects, None, selector, renames, changes_kind)


def is_json_patch(documents: Documents) -> bool:
    """Whether a text holds operations of a JSON patch: its first document is a list."""
    return bool(documents.nodes) and isinstance(documents.nodes[0].value, tuple)


def apply(patch: Patch, objects: Objects, budget: Budget, *, lenient: bool = False) -> None:
    """Applies a patch to the objects that it is for.

    Args:
        patch: the patch.
        objects: all objects so far; those that the patch deletes are taken out.
        budget: what work is left.
        lenient: an object that is not there may come from elsewhere.

    Raises:
        Refused: there is no such object, or the patch does not fit it.
    """
    if patch.target is not None:
        chosen = list(select(patch.target, objects.items, budget))
        if patch.operations is not None:
            for item in chosen:
                _apply_operations(patch, item, budget)
        elif patch.objects:
            for item in chosen:
                _merge(patch, patch.objects[0], item, objects, budget)
    else:
        for one in patch.objects:
            budget.spend(len(objects.items))
            wanted = Item(one).current
            found = objects.called(wanted)
            if not found and lenient:
                continue
            if len(found) != 1:
                raise Refused(f"{'no' if not found else 'more than one'} object is {wanted}, for the patch", one)
            _merge(patch, one, found[0], objects, budget)
    objects.renamed(checked=patch.target is not None)


def objects_in(documents: Sequence[Node]) -> Iterator[Node]:
    """The objects of documents, with lists taken apart.

    Raises:
        Refused: a document is no object with a kind and a name.
    """
    pending = list(documents)
    taken = 0
    while pending:
        node = pending.pop(0)
        if node.value is None or node.value in ({}, ()):
            continue
        kind = Item(node).kind
        if not isinstance(node.value, dict) or not kind:
            raise Refused("it is no object: it has no kind", node)
        if kind.endswith("List") and "items" in node.mapping:
            taken += 1
            if taken > _MOST_LISTS:
                raise Refused("there are too many lists", node)
            pending += node.mapping["items"].items
            continue
        if not kind.endswith("List") and not Item(node).name:
            raise Refused(f"a {kind} without metadata.name", node)
        yield node


def _merge(patch: Patch, one: Node, item: Item, objects: Objects, budget: Budget) -> None:
    before = item.node
    if patch.renames or patch.changes_kind:
        item.remember()
    merged = merge(before, one, budget, objects.schema)
    if merged is None or not merged.mapping:
        objects.items.remove(item)
        return
    for key in _IDENTITY:
        if key in before.mapping and not (patch.changes_kind and key == "kind"):
            merged = with_member(merged, key, before.mapping[key])
    item.node = merged
    metadata = before.mapping.get("metadata", before)
    for key in ("name", "namespace"):
        if not (patch.renames and key == "name"):
            item.set_metadata(key, metadata.mapping.get(key))
    item.follow_shared()


def _apply_operations(patch: Patch, item: Item, budget: Budget) -> None:
    if not patch.keeps_names:
        item.remember()
    made = item.is_marked and not _has_annotations(item)
    if made:
        # What kustomize remembers about an object stands in its annotations: they exist.
        item.set_metadata("annotations", placed({}, item.node))
    item.node = apply_patch(item.node, patch.operations or (), budget)
    item.shared.clear()
    if made and not item.labels("annotations"):
        item.set_metadata("annotations", None)


def _has_annotations(item: Item) -> bool:
    metadata = item.node.mapping.get("metadata")
    found = metadata.mapping.get("annotations") if metadata is not None else None
    return found is not None and found.value is not None
