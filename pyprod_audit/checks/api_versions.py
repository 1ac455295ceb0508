"""API versions that the API server no longer serves.

Releases and replacements from https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.model import Resource
from pyprod_audit.model.patterns import lazy

_RELEASE = lazy(r"v?([0-9]{1,3})\.([0-9]{1,3})")


class Removal(NamedTuple):
    """The first release that does not serve a version, and what to write instead (empty: there is nothing)."""

    release: tuple[int, int]
    instead: str


_WORKLOADS = "DaemonSet Deployment ReplicaSet StatefulSet"
_RBAC = "ClusterRole ClusterRoleBinding Role RoleBinding"
_WEBHOOKS = "MutatingWebhookConfiguration ValidatingWebhookConfiguration"
_ADMISSION = "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
_FLOW = "FlowSchema PriorityLevelConfiguration"
_REVIEWS = "LocalSubjectAccessReview SelfSubjectAccessReview SubjectAccessReview"
_DEVICES = "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice"
_ROWS: Final = (
    ("extensions/v1beta1", "DaemonSet Deployment ReplicaSet", (1, 16), "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy", (1, 16), "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy", (1, 16), ""),
    ("apps/v1beta1", _WORKLOADS, (1, 16), "apps/v1"),
    ("apps/v1beta2", _WORKLOADS, (1, 16), "apps/v1"),
    ("batch/v2alpha1", "CronJob", (1, 21), "batch/v1"),
    ("extensions/v1beta1", "Ingress", (1, 22), "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress IngressClass", (1, 22), "networking.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", (1, 22), "apiextensions.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1beta1", _WEBHOOKS, (1, 22), "admissionregistration.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "APIService", (1, 22), "apiregistration.k8s.io/v1"),
    ("authentication.k8s.io/v1beta1", "TokenReview", (1, 22), "authentication.k8s.io/v1"),
    ("authorization.k8s.io/v1beta1", _REVIEWS, (1, 22), "authorization.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest", (1, 22), "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease", (1, 22), "coordination.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1alpha1", _RBAC, (1, 22), "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", _RBAC, (1, 22), "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1alpha1", "PriorityClass", (1, 22), "scheduling.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass", (1, 22), "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIDriver CSINode StorageClass VolumeAttachment", (1, 22), "storage.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler", (1, 25), "autoscaling/v2"),
    ("batch/v1beta1", "CronJob", (1, 25), "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice", (1, 25), "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event", (1, 25), "events.k8s.io/v1"),
    ("node.k8s.io/v1beta1", "RuntimeClass", (1, 25), "node.k8s.io/v1"),
    ("policy/v1beta1", "PodDisruptionBudget", (1, 25), "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy", (1, 25), ""),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler", (1, 26), "autoscaling/v2"),
    ("flowcontrol.apiserver.k8s.io/v1beta1", _FLOW, (1, 26), "flowcontrol.apiserver.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity", (1, 27), "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", _FLOW, (1, 29), "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", _FLOW, (1, 32), "flowcontrol.apiserver.k8s.io/v1"),
    ("admissionregistration.k8s.io/v1alpha1", _ADMISSION, (1, 33), "admissionregistration.k8s.io/v1"),
    ("resource.k8s.io/v1alpha3", _DEVICES, (1, 34), "resource.k8s.io/v1"),
    ("storage.k8s.io/v1alpha1", "VolumeAttributesClass", (1, 35), "storage.k8s.io/v1"),
    ("storagemigration.k8s.io/v1alpha1", "StorageVersionMigration", (1, 35), "storagemigration.k8s.io/v1beta1"),
    ("resource.k8s.io/v1beta1", _DEVICES, (1, 36), "resource.k8s.io/v1"),
)
_REMOVED: Final = {
    (version, kind): Removal(release, instead) for version, kinds, release, instead in _ROWS for kind in kinds.split()
}


def removed_api_version(resource: Resource, context: Context) -> Outcomes:
    """An object's API version is not served by the Kubernetes release that it is meant for."""
    if resource.parent is not None:
        yield Skip("a view of another object")
    elif resource.kind == "k8s.horizontalpodautoscaler":
        yield Skip("another rule judges autoscalers")
    else:
        yield from _judge(resource, context)


def removed_autoscaler_version(scaler: Resource, context: Context) -> Outcomes:
    """An autoscaler's API version is not served by the Kubernetes release that it is meant for."""
    version = scaler.node.get("apiVersion")
    if version is not None and version.is_unknown:
        yield cannot(version)
    else:
        yield from _judge(scaler, context)


def _judge(resource: Resource, context: Context) -> Outcomes:
    version, kind = resource.node.get("apiVersion"), resource.node.text_at("kind") or ""
    removal = _REMOVED.get((version.text or "", kind)) if version is not None else None
    target = _release(str(context.params["kubernetes"]))
    if version is None or removal is None or target < removal.release:
        return
    message = "{address} is written for {version}, which Kubernetes serves no longer since {release}: "
    if removal.instead:
        message += "applying it to {target} fails; the version to use is {instead}"
    else:
        message += "{target} has no {kind} at all"
    values = {
        "version": version.text,
        "release": _written(removal.release),
        "target": _written(target),
        "instead": removal.instead,
        "kind": kind,
    }
    yield Hit(version.span, values, message=message)


def _release(text: str) -> tuple[int, int]:
    """`1.35` as numbers; what cannot be read counts as newer than anything."""
    found = _RELEASE.match(text.strip())
    return (int(found[1]), int(found[2])) if found else (999, 0)


def _written(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]}"
