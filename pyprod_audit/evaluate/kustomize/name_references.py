"""Keeps references in step with the names that a kustomization changes (api/filters/nameref)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.kustomize.field_specs import Config, Field, FieldSpec
from pyprod_audit.evaluate.kustomize.objects import CLUSTER, Gvk, Item
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, changed, placed, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node

_NAMED: Final = "the object that it names"


def fix_references(items: Sequence[Item], config: Config, budget: Budget) -> None:
    """Gives every reference the name that its object has now. Raises Refused when it may be one of several."""
    renamed: dict[str, list[Item]] = {}
    for item in items:
        for name in dict.fromkeys(previous[1] for previous in item.previous):
            renamed.setdefault(name, []).append(item)
    if not renamed:
        return
    by_kind: dict[str, list[tuple[Gvk, FieldSpec]]] = {}
    for target, specs in config.names:
        for spec in specs:
            by_kind.setdefault(spec.gvk.kind, []).append((target, spec))
    for item in items:
        referrer = _Referrer(item, items, renamed, budget)
        first = item.original.gvk
        for target, spec in (*by_kind.get(first.kind, ()), *by_kind.get("", ())):
            if spec.gvk.selects(first):
                referrer.fix(target, spec)


class _Referrer:
    """An object that may name others."""

    def __init__(self, item: Item, items: Sequence[Item], renamed: Mapping[str, list[Item]], budget: Budget) -> None:
        self._item = item
        self._items = items
        self._renamed = renamed
        self._budget = budget
        self._now = item.current
        self._reachable = set(_service_account_namespaces(item))

    def fix(self, target: Gvk, spec: FieldSpec) -> None:
        """Updates one field, which names objects that `target` selects."""

        def set_name(node: Node) -> Node:
            value = node.value
            if value is None or node.is_unknown:
                return node
            if isinstance(value, dict):
                return self._mapping(node, target, spec)
            if isinstance(value, tuple):
                items = tuple(set_name(one) for one in value)
                return (
                    node.holding(items) if any(new is not old for new, old in zip(items, value, strict=True)) else node
                )
            return self._scalar(node, target, spec)

        Field(spec._replace(gvk=Gvk()), set_name, self._budget).set_in(self._item)

    def _scalar(self, node: Node, target: Gvk, spec: FieldSpec) -> Node:
        found = self._referral(text_of(node), list(self._candidates(text_of(node))), target, spec, namespaces=False)
        name = found.name_node if found is not None else None
        if name is None or text_of(name) == text_of(node):
            return node
        return changed(node, name.value, name, _NAMED)

    def _mapping(self, node: Node, target: Gvk, spec: FieldSpec) -> Node:
        name = node.mapping.get("name")
        if name is None:
            raise Refused(f"{spec.path} should hold a name", node)
        candidates = list(self._candidates(text_of(name)))
        namespace = node.mapping.get("namespace")
        if namespace is not None:
            text = text_of(namespace)
            # Where any object had this namespace at first, only those count; else those that have it now.
            at_first = any(one.original.namespace == text for one in self._items if self._can_name(one))
            candidates = [one for one in candidates if (one.original if at_first else one.current).namespace == text]
        found = self._referral(text_of(name), candidates, target, spec, namespaces=True)
        new = found.name_node if found is not None else None
        if found is None or new is None or (text_of(new) == text_of(name) and not found.namespace):
            return node
        if text_of(new) != text_of(name):
            node = with_member(node, "name", changed(name, new.value, new, _NAMED))
        if found.namespace and found.namespace != text_of(namespace):
            metadata = found.node.mapping["metadata"]
            there = metadata.mapping["namespace"]
            fixed = (
                changed(namespace, there.value, there, _NAMED) if namespace is not None else placed(there.value, there)
            )
            node = with_member(node, "namespace", fixed)
        return node

    def _can_name(self, item: Item) -> bool:
        """Whether this object may refer to the other one, by their namespaces."""
        self._budget.spend()
        if self._now.namespace == CLUSTER or item.current.namespace in (CLUSTER, self._now.namespace):
            return True
        return item.namespace in self._reachable

    def _candidates(self, name: str) -> Iterator[Item]:
        """The objects that once had the name and that this one can refer to."""
        return (item for item in self._renamed.get(name, ()) if self._can_name(item))

    def _referral(
        self, name: str, candidates: list[Item], target: Gvk, spec: FieldSpec, *, namespaces: bool
    ) -> Item | None:
        """The one object that is meant; None when there is none."""
        role = _role(self._item) if spec.path.endswith("roleRef/name") else None
        candidates = [
            item
            for item in candidates
            if any(one.name == name for one in item.earlier)
            and any(target.selects(one.gvk) for one in item.earlier)
            and (role is None or any(role.selects(one.gvk) for one in item.earlier))
            and self._is_near(item)
        ]
        if len(candidates) > 1:
            candidates = [item for item in candidates if _same_affixes(item, self._item, lenient=True)]
            if len(candidates) > 1:
                candidates = [item for item in candidates if _same_affixes(item, self._item, lenient=False)]
        if not candidates:
            return None
        names = {(item.name, item.namespace if namespaces else "") for item in candidates}
        if len(names) > 1:
            raise Refused(f"{self._now} names {name}, which may be one of {len(names)} objects", self._item.name_node)
        return candidates[0]

    def _is_near(self, item: Item) -> bool:
        there = item.current.namespace
        if self._now.namespace == CLUSTER or there == CLUSTER or item.kind == "ServiceAccount":
            return True
        return there == self._now.namespace


def _role(item: Item) -> Gvk | None:
    """The kind of the role that a binding names."""
    group, kind = item.node.get("roleRef.apiGroup"), item.node.get("roleRef.kind")
    return Gvk(text_of(group), "", text_of(kind)) if group is not None and kind is not None else None


def _service_account_namespaces(item: Item) -> Iterator[str]:
    if item.kind == "RoleBinding":
        for subject in item.node.items_at("subjects"):
            if subject.text_at("kind") == "ServiceAccount" and subject.text_at("namespace"):
                yield subject.text_at("namespace") or ""


def _same_affixes(one: Item, other: Item, *, lenient: bool) -> bool:
    """Whether the prefixes and suffixes of the shorter list end the longer one; `lenient`: or one has none."""
    return all(
        (lenient and (not first or not second)) or _ends(first, second)
        for first, second in ((one.prefixes, other.prefixes), (one.suffixes, other.suffixes))
    )


def _ends(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter, longer = sorted((list(one), list(other)), key=len)
    return not longer if not shorter else longer[-len(shorter) :] == shorter
