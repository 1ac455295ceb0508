"""Replacements: values of one object that are copied into fields of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyprod_audit.evaluate.kustomize.field_paths import Fields, look_up
from pyprod_audit.evaluate.kustomize.objects import Gvk, Id, Item, effective_namespace
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, over, placed, stop
from pyprod_audit.evaluate.kustomize.scalars import SCHEMA, retyped, text_of
from pyprod_audit.evaluate.kustomize.selectors import Selector
from pyprod_audit.model import Node, Unknown

_NAME: Final = "metadata.name"
_COPIED: Final = "copied from here"


def replace(replacement: Node, items: Iterable[Item], budget: Budget, *, lenient: bool = False) -> None:
    """Carries out one replacement.

    Args:
        replacement: `source` (or `sourceValue`) and `targets`.
        items: all objects.
        budget: what work is left.
        lenient: the source may come from elsewhere; then the targets are not known.

    Raises:
        Refused: the source is not there or not one, or a target does not have the field.
    """
    items = list(items)
    targets = replacement.items_at("targets")
    if not targets:
        raise Refused("a replacement has a source and targets", replacement)
    value = _value(replacement, items, budget, lenient=lenient)
    for target in targets:
        _write(target, value, items, budget)


def _value(replacement: Node, items: list[Item], budget: Budget, *, lenient: bool) -> Node:
    fixed = replacement.get("sourceValue")
    source = replacement.get("source")
    if fixed is not None:
        return fixed
    if source is None or not source.mapping:
        raise Refused("a replacement has a source and targets", replacement)
    group, version, kind, name, namespace = (
        text_of(source.get(key)) for key in ("group", "version", "kind", "name", "namespace")
    )
    budget.spend(len(items))
    wanted = Gvk(group, version, kind)
    found = [item for item in items if any(_is_meant(one, wanted, name, namespace) for one in item.ids)]
    if not found and lenient:
        return placed(Unknown(f"{kind}/{name}", f"{kind}/{name} is not in the repository"), source)
    if len(found) != 1:
        raise Refused(f"{len(found) or 'no'} objects are the source {kind}/{name} of a replacement", source)
    path = text_of(source.get("fieldPath")) or _NAME
    value = look_up(found[0].node, path)
    if value is None or value.value is None or value.value in ({}, ()):
        raise Refused(f"{found[0].current} has no {path}, which a replacement copies", source)
    return _refined(value, source.get("options"), source)


def _is_meant(one: Id, wanted: Gvk, name: str, namespace: str) -> bool:
    same = not namespace or effective_namespace(wanted, namespace) == one.namespace
    return same and name in ("", one.name) and wanted.selects(one.gvk)


def _refined(value: Node, options: Node | None, source: Node) -> Node:
    """The part of the source's text that options ask for."""
    delimiter = text_of(options.get("delimiter")) if options is not None else ""
    if options is None or not delimiter or value.is_unknown:
        return value
    if isinstance(value.value, (dict, tuple)):
        raise Refused("a delimiter is for plain values", source)
    pieces = text_of(value).split(delimiter)
    index = _index(options)
    if not 0 <= index < len(pieces):
        raise Refused(f"the source has no part {index}", options)
    return value.holding(pieces[index])


def _index(options: Node) -> int:
    found = options.get("index")
    return found.value if found is not None and isinstance(found.value, int) else 0


def _write(target: Node, value: Node, items: list[Item], budget: Budget) -> None:
    chosen = target.get("select")
    if chosen is None or not chosen.mapping:
        raise Refused("a target selects objects", target)
    selector = Selector(chosen)
    rejected = [Selector(one) for one in target.items_at("reject")]
    paths = target.items_at("fieldPaths") or (placed(_NAME, target),)
    for item in items:
        budget.spend()
        if not selector.has_labels(item) or not selector.selects_any(item):
            continue
        if any(one.asks_for_labels and one.has_labels(item) for one in rejected):
            continue
        # Kustomize 5.7 compares texts, later ones match expressions.
        exact = selector.selects_exactly(item)
        out = [one.selects_any(item) for one in rejected if one.names_something]
        exactly_out = [one.selects_exactly(item) for one in rejected if one.names_something]
        if any(exactly_out) or (not exact and any(out)):
            continue
        doubtful = not exact or any(out)
        for path in paths:
            _set(item, text_of(path), value, target, budget, doubtful=doubtful)


def _set(item: Item, path: str, value: Node, target: Node, budget: Budget, *, doubtful: bool) -> None:
    options = target.get("options")
    create = options.get("create") if options is not None else None
    at = placed(None, value) if create is not None and create.value is True and not doubtful else None

    def change(old: Node, made: bool) -> Node:
        if doubtful:
            return old.holding(Unknown(text_of(old), "whether it is replaced hangs on the version of kustomize"))
        return _replaced(old, value, options, made=made)

    fields = Fields(path, change, budget, at)
    new = fields.in_object(item.node)
    if not fields.found and not doubtful:
        raise Refused(f"{item.current} has no {path}, which a replacement sets", target)
    item.node = new
    item.follow_shared()


def _replaced(old: Node, value: Node, options: Node | None, *, made: bool) -> Node:
    if old.is_unknown and not made:
        return old
    if value.is_unknown:
        return over(placed(value.value, value), None if made else old)
    text = text_of(value)
    delimiter = text_of(options.get("delimiter")) if options is not None else ""
    if options is not None and delimiter:
        if isinstance(old.value, (dict, tuple)):
            raise Refused("a delimiter is for plain values", options)
        text = _joined(text_of(old), text, delimiter, _index(options))
    elif isinstance(old.value, (dict, tuple)) or (made and isinstance(value.value, (dict, tuple))):
        return over(placed(value.value, value), None if made else old)
    scalar = SCHEMA.resolve(text) if made else retyped(text, old.scalar)
    if scalar is None and not made and old.value is not None:
        raise Refused(f"{text} has another type than what it replaces", old)
    if delimiter:
        return old.holding(scalar).coming(stop(value, _COPIED))
    return over(placed(scalar, value), None if made else old)


def _joined(old: str, new: str, delimiter: str, index: int) -> str:
    """The text with one of its parts replaced, or with one more before or behind."""
    parts = old.split(delimiter)
    if index < 0:
        parts.insert(0, new)
    elif index >= len(parts):
        parts.append(new)
    else:
        parts[index] = new
    return delimiter.join(parts)
