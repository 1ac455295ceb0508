"""Which fields of which kinds the transformers of kustomize touch, and how a field is reached.

The defaults are those of kustomize 5.7 (api/internal/konfig/builtinpluginconsts); `configurations` add to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import Final, NamedTuple, TypeAlias

from pyprod_audit.evaluate.kustomize.objects import Gvk, Item, group_and_version
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, placed, with_items, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import Value

Setter: TypeAlias = Callable[[Node], Node]
# The order in which kustomize goes through kinds (kyaml/resid); others by group, version and kind in between.
_FIRST: Final = (
    "Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy",
    "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service",
    "LimitRange", "PriorityClass", "PersistentVolume", "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob",
    "PodDisruptionBudget",
)  # fmt: skip
_LAST: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RANK: Final = {
    **{kind: index - len(_FIRST) for index, kind in enumerate(_FIRST)},
    **{kind: index + 1 for index, kind in enumerate(_LAST)},
}


def kind_order(gvk: Gvk) -> tuple[int, str]:
    """Where a kind stands among others: a key to sort by."""
    return _RANK.get(gvk.kind, 0), "_".join((gvk.group or "~G", gvk.version or "~V", gvk.kind or "~K"))


class FieldSpec(NamedTuple):
    """A field of the objects that `gvk` selects; `create`: it is made where it is missing."""

    gvk: Gvk
    path: str
    create: bool = False


class Missing(NamedTuple):
    """How a missing field is made: its first value, standing at a node."""

    value: Value
    at: Node


class Field:
    """A field that is to be set in objects: walks there and replaces what it finds."""

    def __init__(self, spec: FieldSpec, setter: Setter, budget: Budget, missing: Missing | None = None) -> None:
        """`missing`: for specs that create what is not there."""
        self.spec = spec
        self._parts = path_parts(spec.path)
        self._setter = setter
        self._budget = budget
        self._missing = missing if spec.create else None
        self.trail: list[str | int] = []
        """The way to the field that is being set."""

    def set_in(self, item: Item) -> None:
        """Sets the field of an object; nothing when it is not one that the spec selects.

        Raises:
            Refused: something else than a mapping or sequence stands on the way.
        """
        if self.spec.gvk.selects(item.gvk):
            item.node = self._at(item.node, 0)

    def _at(self, node: Node, depth: int) -> Node:
        self._budget.spend()
        if depth == len(self._parts):
            return self._setter(node)
        value = node.value
        if value is None or isinstance(value, Unknown):
            return node
        if isinstance(value, tuple):
            items = tuple(self._below(index, item, depth) for index, item in enumerate(value))
            return with_items(node, items)
        if not isinstance(value, dict):
            raise Refused(f"{self.spec.path}: there is a scalar where a mapping or a sequence is expected", node)
        name = self._parts[depth].removesuffix("[]")
        is_sequence = name != self._parts[depth]
        member = value.get(name)
        if member is None or (member.value is None and not member.is_unknown):
            made = self._made(depth, member, is_sequence=is_sequence)
            if made is None:
                return node
            member, old = made, member
        else:
            old = member
        new = self._below(name, member, depth + 1)
        return node if new is old else with_member(node, name, new)

    def _below(self, step: str | int, node: Node, depth: int) -> Node:
        self.trail.append(step)
        new = self._at(node, depth)
        self.trail.pop()
        return new

    def _made(self, depth: int, member: Node | None, *, is_sequence: bool) -> Node | None:
        """What takes the place of a missing or null member; None when nothing does."""
        if self._missing is None or is_sequence:
            return member
        value: Value = self._missing.value if depth + 1 == len(self._parts) else {}
        return placed(value, self._missing.at)


@cache
def path_parts(path: str) -> tuple[str, ...]:
    """The parts of a path; a slash behind a backslash belongs to a part."""
    return tuple(split_path(path, "/"))


def split_path(path: str, delimiter: str) -> list[str]:
    """`path` at each delimiter that no backslash stands before."""
    parts = path.split(delimiter)
    if len(parts) > 1 and not parts[0]:
        parts = parts[1:]
    result = parts[:1]
    for part in parts[1:]:
        if result[-1].endswith("\\"):
            result[-1] = result[-1][:-1] + delimiter + part
        else:
            result.append(part)
    return result


def merged(specs: Iterable[FieldSpec], more: Iterable[FieldSpec]) -> tuple[FieldSpec, ...]:
    """The specs of two configurations. Raises Refused when they differ in whether a field is created."""
    result = list(specs)
    by_path: dict[str, list[FieldSpec]] = {}
    for spec in result:
        by_path.setdefault(spec.path, []).append(spec)
    for spec in more:
        there = by_path.setdefault(spec.path, [])
        same = next((one for one in there if spec.gvk.selects(one.gvk)), None)
        if same is None:
            there.append(spec)
            result.append(spec)
        elif same.create != spec.create:
            raise Refused(f"the configurations differ in whether {spec.path} is created")
    return tuple(result)


def spec_of(node: Node) -> FieldSpec:
    """A field spec as configurations have it."""
    group, version = text_of(node.get("group")), text_of(node.get("version"))
    api_version = node.text_at("apiVersion")
    if api_version and not group and not version:
        group, version = group_and_version(api_version)
    create = node.get("create")
    gvk = Gvk(group, version, text_of(node.get("kind")))
    return FieldSpec(gvk, text_of(node.get("path")), create is not None and create.value is True)


class Config(NamedTuple):
    """The fields of every transformer. `names`: by the kind that is referred to, the fields that do."""

    prefix: tuple[FieldSpec, ...] = ()
    suffix: tuple[FieldSpec, ...] = ()
    namespace: tuple[FieldSpec, ...] = ()
    common_labels: tuple[FieldSpec, ...] = ()
    labels: tuple[FieldSpec, ...] = ()
    template_labels: tuple[FieldSpec, ...] = ()
    claim_labels: tuple[FieldSpec, ...] = ()
    annotations: tuple[FieldSpec, ...] = ()
    variables: tuple[FieldSpec, ...] = ()
    images: tuple[FieldSpec, ...] = ()
    replicas: tuple[FieldSpec, ...] = ()
    names: tuple[tuple[Gvk, tuple[FieldSpec, ...]], ...] = ()

    def with_more(self, other: Config) -> Config:
        """Both configurations together. Raises Refused when they contradict each other."""
        return _together(self, other)


@lru_cache(maxsize=64)
def _together(one: Config, other: Config) -> Config:
    """Every list merged and sorted: a field of any kind that comes after the same field of one kind is not added."""
    lists = {
        field: tuple(sorted(merged(getattr(one, field), getattr(other, field)), key=lambda spec: kind_order(spec.gvk)))
        for field in _KEYS.values()
    }
    names = dict(one.names)
    for gvk, fields in other.names:
        names[gvk] = merged(names.get(gvk, ()), fields)
    return Config(**lists, names=tuple(sorted(names.items(), key=lambda row: kind_order(row[0]))))


_KEYS: Final = {
    "namePrefix": "prefix", "nameSuffix": "suffix", "namespace": "namespace", "commonLabels": "common_labels",
    "labels": "labels", "templateLabels": "template_labels", "volumeClaimTemplateLabels": "claim_labels",
    "commonAnnotations": "annotations", "varReference": "variables", "images": "images", "replicas": "replicas",
}  # fmt: skip


def config_of(document: Node) -> Config:
    """A transformer configuration file."""
    lists = {field: tuple(map(spec_of, document.items_at(key))) for key, field in _KEYS.items()}
    names: dict[Gvk, tuple[FieldSpec, ...]] = {}
    for entry in document.items_at("nameReference"):
        gvk = spec_of(entry).gvk
        names[gvk] = merged(names.get(gvk, ()), map(spec_of, entry.items_at("fieldSpecs")))
    return Config(**lists, names=tuple(names.items()))


def specs(text: str, *, create: bool = False) -> Iterator[FieldSpec]:
    """Field specs from lines of a path and a kind, which may be `Kind`, `group/Kind` or `group/version/Kind`."""
    for line in text.split("\n"):
        path, _, selector = line.strip().partition(" ")
        if path:
            *rest, kind = selector.split("/")
            group, version = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "")
            yield FieldSpec(Gvk(group, version, kind), path, create)
