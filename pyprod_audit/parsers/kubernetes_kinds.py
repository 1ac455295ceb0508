"""Which documents are Kubernetes objects.

Many formats borrow `apiVersion` and `kind` (release notes, Skaffold, Backstage, configuration files of Kubernetes' own
programs). An object is one whose group is built in, or looks like the group of a custom resource: a DNS name.
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.model.patterns import lazy

# The core group: https://kubernetes.io/docs/reference/kubernetes-api/
CORE_KINDS: Final = frozenset({
    "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "List", "Namespace", "Node",
    "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota",
    "Secret", "Service", "ServiceAccount",
})  # fmt: skip
_CORE_LISTS = frozenset(kind + "List" for kind in CORE_KINDS)
_GROUPED_KINDS: Final = {
    "apps": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "batch": ("CronJob", "Job"),
    "autoscaling": ("HorizontalPodAutoscaler", "Scale"),
    "policy": ("PodDisruptionBudget", "PodSecurityPolicy", "Eviction"),
    "networking.k8s.io": ("Ingress", "IngressClass", "NetworkPolicy"),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "scheduling.k8s.io": ("PriorityClass",),
    "events.k8s.io": ("Event",),
    "extensions": ("DaemonSet", "Deployment", "Ingress", "NetworkPolicy", "PodSecurityPolicy", "ReplicaSet"),
}
_GROUPS_OF_KIND: Final[dict[str, frozenset[str]]] = {
    kind: frozenset(group for group, kinds in _GROUPED_KINDS.items() if kind in kinds)
    for kind in {kind for kinds in _GROUPED_KINDS.values() for kind in kinds}
}
BUILT_IN_KINDS: Final = CORE_KINDS | _GROUPS_OF_KIND.keys()
KUSTOMIZE_GROUP: Final = "kustomize.config.k8s.io"
# Files that programs read themselves; no API server ever sees them.
_FILE_GROUPS = frozenset({
    KUSTOMIZE_GROUP, "backstage.io", "builtin", "ctlptl.dev", "eksctl.io", "k0sctl.k0sproject.io", "k3d.io",
    "kind.x-k8s.io", "kind.sigs.k8s.io", "kpt.dev", "krew.googlecontainertools.github.com", "kubeadm.k8s.io",
    "kuttl.dev", "audit.k8s.io", "client.authentication.k8s.io", "minikube.sigs.k8s.io",
})  # fmt: skip
_VERSION = r"v[0-9]{1,4}(?:(?:alpha|beta)[0-9]{1,4})?"
_CORE_VERSION = lazy(_VERSION)
_GROUP_VERSION = lazy(rf"([a-z0-9][a-z0-9.-]{{0,252}})/{_VERSION}")
_KIND = lazy(r"[A-Z][A-Za-z0-9]{0,62}")


def group_of(api_version: str) -> str | None:
    """The group of `apps/v1` ("apps") or `v1` (""); None when it is not the form of an API version."""
    if _CORE_VERSION.fullmatch(api_version):
        return ""
    found = _GROUP_VERSION.fullmatch(api_version)
    return found[1] if found else None


def usual_group(kind: str) -> str:
    """The group of a built-in `kind` whose API version is not known."""
    return next((group for group, kinds in _GROUPED_KINDS.items() if kind in kinds), "")


def is_object(group: str, kind: str) -> bool:
    """Whether an API server would know, or could be taught, a `kind` of `group`."""
    if not _KIND.fullmatch(kind):
        return False
    if not group:
        return kind in CORE_KINDS or kind in _CORE_LISTS
    if "." in group:
        return group not in _FILE_GROUPS and not group.endswith(".config.k8s.io")
    return group in _GROUPED_KINDS


def is_foreign(group: str, kind: str) -> bool:
    """Whether a custom resource only shares its name with a built-in `kind`: Knative's Service, Volcano's Job."""
    if kind not in BUILT_IN_KINDS:
        return False
    return group not in _GROUPS_OF_KIND.get(kind, ()) and not (group == "" and kind in CORE_KINDS)
