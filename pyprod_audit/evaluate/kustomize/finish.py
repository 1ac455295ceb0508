"""What kustomize does once everything is gathered: hashes, references, vars, and the annotations of its own."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.kustomize.accumulate import Gathered
from pyprod_audit.evaluate.kustomize.generators import with_hash
from pyprod_audit.evaluate.kustomize.hashing import content_hash
from pyprod_audit.evaluate.kustomize.kustomization import Kustomization
from pyprod_audit.evaluate.kustomize.name_references import fix_references
from pyprod_audit.evaluate.kustomize.objects import Item
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, placed, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.evaluate.kustomize.variables import resolve
from pyprod_audit.model import Node, Unknown

_LOCAL: Final = "config.kubernetes.io/local-config"
_OWN: Final = {
    "originAnnotations": ("annotations", "config.kubernetes.io/origin"),
    "transformerAnnotations": ("annotations", "alpha.config.kubernetes.io/transformations"),
    "managedByLabel": ("labels", "app.kubernetes.io/managed-by"),
}


def finished(gathered: Gathered, root: Kustomization, budget: Budget, *, lenient: bool) -> list[Item]:
    """The objects as they are deployed.

    Raises:
        Refused: a reference or a var is ambiguous, or leads nowhere.
    """
    items = gathered.objects.items
    for item in items:
        if item.hashed:
            with_hash(item, content_hash(item.node))
    fix_references(items, gathered.config, budget)
    resolve(gathered.variables, items, gathered.config.variables, budget, lenient=lenient)
    kept = [item for item in items if item.labels("annotations").get(_LOCAL, "false") == "false"]
    for item in kept:
        if not item.name or not item.kind:
            raise Refused(f"a {item.kind or 'object'} has lost its name", item.node)
    marks = [entry for entry in root.texts("buildMetadata") if text_of(entry) in _OWN]
    for item in kept:
        for entry in marks:
            _mark(item, entry)
        _write_annotations(item)
    return kept


def _mark(item: Item, entry: Node) -> None:
    """What kustomize notes about itself."""
    holder, key = _OWN[text_of(entry)]
    metadata = item.node.mapping.get("metadata")
    found = metadata.mapping.get(holder) if metadata is not None else None
    mark = placed(Unknown(key, "kustomize writes it"), entry)
    item.set_metadata(
        holder, with_member(found if found is not None and found.mapping else placed({}, entry), key, mark)
    )


def _write_annotations(item: Item) -> None:
    """Annotations are written as texts, and not at all when there are none."""
    metadata = item.node.mapping.get("metadata")
    found = metadata.mapping.get("annotations") if metadata is not None else None
    if found is None or found.is_unknown:
        return
    if not found.mapping:
        item.set_metadata("annotations", None)
        return
    plain = {key: one for key, one in found.mapping.items() if not isinstance(one.value, (Unknown, dict, tuple))}
    typed = {key: one for key, one in plain.items() if one.value != text_of(one)}
    for key, one in typed.items():
        found = with_member(found, key, one.holding(text_of(one)))
    if typed:
        item.set_metadata("annotations", found)
