"""Names, namespaces, labels, annotations and numbers of replicas that a kustomization sets in its objects.

The same transformers can be configured in files of their own (`transformers`); see `plugins`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pyprod_audit.evaluate.kustomize.field_specs import Field, FieldSpec, Missing
from pyprod_audit.evaluate.kustomize.objects import Gvk, Item, Objects
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, changed, over, placed, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.evaluate.kustomize.shared_values import Path, Shared
from pyprod_audit.model import Node, Unknown

_NAME: Final = "metadata/name"
_NAMESPACE: Final = "metadata/namespace"
_BINDINGS: Final = frozenset({"RoleBinding", "ClusterRoleBinding"})
_NOT_PREFIXED: Final = (Gvk(kind="CustomResourceDefinition"), Gvk("apiregistration.k8s.io", "", "APIService"))
_SUBJECTS: Final = ("defaultOnly", "allServiceAccounts", "none")


def add_affix(objects: Objects, affix: Node, specs: Iterable[FieldSpec], budget: Budget, *, suffix: bool) -> None:
    """Puts the text of `affix` before (or behind) the names of all objects but CRDs, API services and namespaces."""
    text = text_of(affix)
    skipped = (*_NOT_PREFIXED, Gvk(kind="Namespace"))
    label = "its nameSuffix" if suffix else "its namePrefix"

    def set_name(node: Node) -> Node:
        if isinstance(node.value, (dict, tuple)):
            raise Refused("a name is a scalar", node)
        name = f"{text_of(node)}{text}" if suffix else f"{text}{text_of(node)}"
        value = Unknown(name, node.value.because) if isinstance(node.value, Unknown) else name
        return changed(node, value, affix, label)

    for item in objects.items:
        budget.spend()
        first = item.original
        if any(selector.selects(first.gvk) for selector in skipped):
            continue
        for spec in specs:
            if not spec.gvk.selects(first.gvk):
                continue
            if spec.path == _NAME:
                (item.suffixes if suffix else item.prefixes).append(text)
                item.remember()
            Field(spec, set_name, budget, Missing("", affix)).set_in(item)
    objects.renamed()


class NamespaceChange:
    """The `namespace` of a kustomization (or of a NamespaceTransformer, which has more to say)."""

    def __init__(self, namespace: Node, *, unset_only: bool = False, subjects: Node | None = None) -> None:
        """`unset_only`: leave what has a namespace; `subjects`: which subjects of role bindings get it."""
        self._namespace = namespace
        self._unset_only = unset_only
        self._subjects = text_of(subjects) or _SUBJECTS[0]
        if self._subjects not in _SUBJECTS:
            raise Refused(f"there is no setRoleBindingSubjects {self._subjects}", subjects)

    def set_in_all(self, objects: Objects, specs: Iterable[FieldSpec], budget: Budget) -> None:
        """Sets it in all objects. Raises Refused when two become the same."""
        wanted = [spec for spec in specs if spec.path != _NAMESPACE]
        for item in objects.items:
            item.remember()
            self._set_in(item, wanted, budget)
        seen: set[object] = set()
        for item in objects.items:
            now = item.current
            if now in seen:
                raise Refused(f"the namespace makes two objects one: {now}", self._namespace)
            seen.add(now)
        objects.renamed()

    def _set_in(self, item: Item, specs: Iterable[FieldSpec], budget: Budget) -> None:
        missing = Missing("", self._namespace)
        if item.current.namespace != "_non_namespaceable_":
            Field(FieldSpec(Gvk(), _NAMESPACE, create=True), self._set, budget, missing).set_in(item)
        binding = item.kind in _BINDINGS
        if binding:
            self._set_subjects(item)
        core = text_of(item.node.mapping.get("apiVersion")) == "v1"
        for spec in specs:
            if spec.path == _NAME and not core:
                continue
            if binding and spec.gvk.kind in _BINDINGS and spec.path == "subjects/namespace":
                continue
            Field(spec, self._set, budget, missing).set_in(item)

    def _set(self, node: Node) -> Node:
        if isinstance(node.value, (dict, tuple)):
            raise Refused("a namespace is a scalar", node)
        old = text_of(node)
        if self._unset_only and old:
            return node
        if old == text_of(self._namespace) and isinstance(node.value, str):
            return node
        return over(placed(self._namespace.value, self._namespace), node if old else None)

    def _set_subjects(self, item: Item) -> None:
        subjects = item.node.mapping.get("subjects")
        if subjects is None or not isinstance(subjects.value, tuple) or self._subjects == "none":
            return
        key, value = ("name", "default") if self._subjects == _SUBJECTS[0] else ("kind", "ServiceAccount")
        items = tuple(
            with_member(
                subject, "namespace", self._set(subject.mapping.get("namespace") or placed("", self._namespace))
            )
            if text_of(subject.mapping.get(key)) == value
            else subject
            for subject in subjects.value
        )
        item.node = with_member(item.node, "subjects", subjects.holding(items))

    def _with_namespace(self, subject: Node) -> Node:
        old = subject.mapping.get("namespace") or placed("", self._namespace)
        return with_member(subject, "namespace", self._set(old))


def set_pairs(objects: Objects, pairs: Mapping[str, Node], specs: Iterable[FieldSpec], budget: Budget) -> None:
    """Sets labels or annotations in the fields of `specs`: each pair stands where the kustomization has it."""
    for key in sorted(pairs):
        for item in objects.items:
            own = pairs[key].holding(pairs[key].value)
            paths: list[Path] = []
            for spec in specs:
                _set_pair(item, key, own, spec, paths, budget)
            item.follow_shared()
            if len(paths) > 1:
                item.shared.append(Shared(own, paths))


def _set_pair(item: Item, key: str, pair: Node, spec: FieldSpec, paths: list[Path], budget: Budget) -> None:
    """Sets one pair in one field; where there was none the path is noted."""

    def set_pair(node: Node) -> Node:
        if node.is_unknown:
            return node
        if not isinstance(node.value, dict):
            raise Refused("labels and annotations are a mapping", node)
        old = node.mapping.get(key)
        if old is None:
            paths.append((*field.trail, key))
        elif old is pair:
            return node
        return with_member(node, key, over(pair, old))

    field = Field(spec, set_pair, budget, Missing({}, pair))
    field.set_in(item)


def set_replicas(objects: Objects, name: str, count: Node, specs: Iterable[FieldSpec], budget: Budget) -> bool:
    """Sets the number of replicas of the workloads that are, or were, called `name`; whether there are any."""

    def set_count(node: Node) -> Node:
        if isinstance(node.value, (dict, tuple)):
            raise Refused("a number of replicas is a scalar", node)
        return over(placed(count.value, count), node if node.value is not None else None, "replicas in the manifest")

    found = False
    for spec in specs:
        field = Field(spec, set_count, budget, Missing(None, count))
        for item in objects.items:
            if item.was_named(name) and any(one.name == name and spec.gvk.selects(one.gvk) for one in item.ids):
                found = True
                field.set_in(item)
    return found
