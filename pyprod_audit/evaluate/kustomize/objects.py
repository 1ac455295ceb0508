"""Kubernetes objects on their way through a kustomization: what they are called, and were called before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from pyprod_audit.evaluate.kustomize.place import Refused, placed, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.evaluate.kustomize.shared_values import Shared
from pyprod_audit.model import Node

CLUSTER: Final = "_non_namespaceable_"
_DEFAULT: Final = "default"
# Kinds that kustomize 5 knows to have no namespace (kyaml/openapi, of Kubernetes 1.21); any other has one.
_CLUSTER_SCOPED: Final = {
    ("admissionregistration.k8s.io", ("v1", "v1beta1")): "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
    ("apiextensions.k8s.io", ("v1", "v1beta1")): "CustomResourceDefinition",
    ("apiregistration.k8s.io", ("v1", "v1beta1")): "APIService",
    ("certificates.k8s.io", ("v1", "v1beta1")): "CertificateSigningRequest",
    ("flowcontrol.apiserver.k8s.io", ("v1beta1",)): "FlowSchema PriorityLevelConfiguration",
    ("networking.k8s.io", ("v1", "v1beta1")): "IngressClass",
    ("node.k8s.io", ("v1", "v1beta1")): "RuntimeClass",
    ("policy", ("v1beta1",)): "PodSecurityPolicy",
    ("rbac.authorization.k8s.io", ("v1", "v1beta1")): "ClusterRole ClusterRoleBinding",
    ("scheduling.k8s.io", ("v1", "v1beta1")): "PriorityClass",
    ("storage.k8s.io", ("v1", "v1beta1")): "CSIDriver CSINode StorageClass VolumeAttachment",
    ("", ("v1",)): "ComponentStatus Namespace Node NodeProxyOptions PersistentVolume",
}
_SCOPES: Final = frozenset(
    (group, version, kind)
    for (group, versions), kinds in _CLUSTER_SCOPED.items()
    for version in versions
    for kind in kinds.split()
)


class Gvk(NamedTuple):
    """Group, version and kind; an empty part of a selector means any."""

    group: str = ""
    version: str = ""
    kind: str = ""

    def selects(self, other: Gvk) -> bool:
        """Whether the parts that this selector names are those of `other`."""
        return self.group in ("", other.group) and self.version in ("", other.version) and self.kind in ("", other.kind)


class Id(NamedTuple):
    """What an object is called: one name of one kind in one namespace ("default" when it declares none)."""

    gvk: Gvk
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.gvk.kind}/{self.name}"


def group_and_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` as ("apps", "v1"), `v1` as ("", "v1")."""
    group, slash, version = api_version.partition("/")
    return (group, version) if slash else ("", api_version)


def effective_namespace(gvk: Gvk, namespace: str) -> str:
    """The namespace that is compared: "default" when none is declared, a word of its own for kinds without one."""
    return CLUSTER if gvk in _SCOPES else namespace or _DEFAULT


class Item:
    """One object and what is remembered about it.

    `previous`: earlier names as (kind, name, namespace); `behavior`: how a generator adds it; `hashed`: its name gets a
    hash of its contents; `variables`: the `vars` that read from it; `entry`: the entry of the outermost kustomization
    that brought it in; `shared`: values that several of its fields have in common.
    """

    __slots__ = (
        "_current", "_read", "behavior", "entry", "hashed", "node", "prefixes", "previous", "shared", "suffixes",
        "variables",
    )  # fmt: skip

    def __init__(self, node: Node, behavior: str = "", *, hashed: bool = False) -> None:
        self.node = node
        self._read: Node | None = None
        self._current = Id(Gvk(), "", "")
        self.previous: list[tuple[str, str, str]] = []
        self.prefixes: list[str] = []
        self.suffixes: list[str] = []
        self.behavior = behavior
        self.hashed = hashed
        self.variables: list[str] = []
        self.entry: Node | None = None
        self.shared: list[Shared] = []

    @property
    def gvk(self) -> Gvk:
        """Group, version and kind as they are now."""
        return self.current.gvk

    @property
    def kind(self) -> str:
        """The kind as it is now."""
        return self.current.gvk.kind

    @property
    def name_node(self) -> Node | None:
        """The node of `metadata.name`."""
        metadata = self.node.mapping.get("metadata")
        return metadata.mapping.get("name") if metadata is not None else None

    @property
    def name(self) -> str:
        """The name as it is now."""
        return self.current.name

    @property
    def namespace(self) -> str:
        """The namespace that it declares now; empty when it declares none."""
        metadata = self.node.mapping.get("metadata")
        return text_of(metadata.mapping.get("namespace")) if metadata is not None else ""

    @property
    def current(self) -> Id:
        """What it is called now."""
        # Asked for far more often than the object changes.
        if self._read is not self.node:
            self._read = self.node
            group, version = group_and_version(text_of(self.node.mapping.get("apiVersion")))
            gvk = Gvk(group, version, text_of(self.node.mapping.get("kind")))
            self._current = Id(gvk, text_of(self.name_node), effective_namespace(gvk, self.namespace))
        return self._current

    @property
    def earlier(self) -> list[Id]:
        """What it was called before, the first name first."""
        group, version, _ = self.gvk
        return [Id(Gvk(group, version, kind), name, namespace) for kind, name, namespace in self.previous]

    @property
    def ids(self) -> list[Id]:
        """Every name that it ever had, the current one last."""
        return [*self.earlier, self.current]

    @property
    def original(self) -> Id:
        """The first name that it had."""
        return next(iter(self.earlier), self.current)

    @property
    def is_marked(self) -> bool:
        """Whether kustomize has noted something in its annotations, which therefore exist."""
        return bool(self.previous or self.prefixes or self.suffixes or self.behavior or self.hashed)

    def was_named(self, name: str) -> bool:
        """Whether it has this name or had it before."""
        return self.name == name or any(previous[1] == name for previous in self.previous)

    def follow_shared(self) -> None:
        """Brings fields that have a value in common in step after one of them may have changed."""
        for one in self.shared:
            self.node = one.follow(self.node)

    def remember(self) -> None:
        """Notes the current name among the earlier ones."""
        now = self.current
        self.previous.append((now.gvk.kind, now.name, now.namespace))

    def labels(self, key: str = "labels") -> dict[str, str]:
        """The labels (or annotations) as written."""
        metadata = self.node.mapping.get("metadata")
        found = metadata.mapping.get(key) if metadata is not None else None
        return {name: text_of(value) for name, value in found.mapping.items()} if found is not None else {}

    def set_metadata(self, key: str, member: Node | None) -> None:
        """Replaces or removes one member of `metadata`."""
        metadata = self.node.mapping.get("metadata") or placed({}, self.node)
        self.node = with_member(self.node, "metadata", with_member(metadata, key, member))


class Objects:
    """The objects that a kustomization has gathered, in order.

    `schema`: the file that tells how patches merge their lists, when it is not Kubernetes' own.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items: list[Item] = []
        self.schema: Node | None = None
        self._ids: set[Id] | None = None
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """Adds an object. Raises Refused when there is one of the same name."""
        if self._ids is None:
            self._ids = {one.current for one in self.items}
        now = item.current
        if now in self._ids:
            raise Refused(f"{now} comes in twice", item.name_node or item.node)
        self._ids.add(now)
        self.items.append(item)

    def renamed(self, *, checked: bool = False) -> None:
        """To be called when names of objects may have changed.

        Raises:
            Refused: with `checked`, two objects have become the same.
        """
        self._ids = None
        if checked:
            Objects(self.items)

    def called(self, wanted: Id) -> list[Item]:
        """The objects that are, or were once, called so."""
        return [item for item in self.items if item.was_named(wanted.name) and wanted in item.ids]
