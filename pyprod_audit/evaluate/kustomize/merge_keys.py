"""Which lists of built-in kinds are merged member by member, and by which keys.

The facts `x-kubernetes-patch-strategy`, `x-kubernetes-patch-merge-key` and `x-kubernetes-list-map-keys` of the OpenAPI
document of Kubernetes 1.21.2, the one that kustomize 5 has built in. Kinds and fields that are not here (`envFrom`,
`tolerations`, custom resources) have their lists replaced.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Member(NamedTuple):
    """What stands under a field: the type of the mapping, or of the members of the list.

    `keys` are those by which members of a list are told apart; empty for a list of plain values; None: the list is
    replaced as a whole.
    """

    type: str = ""
    keys: tuple[str, ...] | None = None


def _members(text: str) -> dict[str, Member]:
    """From `field=Type`, `field=[Type]` and `field=[Type]:key+key`."""
    found = {}
    for word in text.split():
        field, _, rest = word.partition("=")
        kind, colon, keys = rest.partition(":")
        found[field] = Member(kind.strip("[]"), tuple(filter(None, keys.split("+"))) if colon else None)
    return found


_TYPES: Final = {
    name: _members(text)
    for name, text in {
        "Conditions": "conditions=[]:type",
        "Container": (
            "env=[]:name ports=[]:containerPort+protocol volumeDevices=[]:devicePath volumeMounts=[]:mountPath"
        ),
        "CronJob": "metadata=ObjectMeta spec=CronJobSpec",
        "CronJobSpec": "jobTemplate=JobTemplateSpec",
        "CSINode": "metadata=ObjectMeta spec=CSINodeSpec",
        "CSINodeSpec": "drivers=[]:name",
        "ComponentStatus": "metadata=ObjectMeta conditions=[]:type",
        "EphemeralContainer": "env=[]:name volumeDevices=[]:devicePath volumeMounts=[]:mountPath",
        "EphemeralVolume": "volumeClaimTemplate=Object",
        "Job": "metadata=ObjectMeta spec=TemplateSpec status=Conditions",
        "JobTemplateSpec": "metadata=ObjectMeta spec=TemplateSpec",
        "Node": "metadata=ObjectMeta spec=NodeSpec status=NodeStatus",
        "NodeSpec": "podCIDRs=[]:",
        "NodeStatus": "addresses=[]:type conditions=[]:type",
        "Object": "metadata=ObjectMeta",
        "ObjectMeta": "finalizers=[]: ownerReferences=[]:uid",
        "Pod": "metadata=ObjectMeta spec=PodSpec status=PodStatus",
        "PodSpec": (
            "containers=[Container]:name ephemeralContainers=[EphemeralContainer]:name hostAliases=[]:ip "
            "imagePullSecrets=[]:name initContainers=[Container]:name "
            "topologySpreadConstraints=[]:topologyKey+whenUnsatisfiable volumes=[Volume]:name"
        ),
        "PodStatus": "conditions=[]:type podIPs=[]:ip",
        "PodTemplate": "metadata=ObjectMeta template=PodTemplateSpec",
        "PodTemplateSpec": "metadata=ObjectMeta spec=PodSpec",
        "Service": "metadata=ObjectMeta spec=ServiceSpec status=Conditions",
        "ServiceAccount": "metadata=ObjectMeta secrets=[]:name",
        "ServiceSpec": "ports=[]:port+protocol",
        "StatefulSet": "metadata=ObjectMeta spec=StatefulSetSpec status=Conditions",
        "StatefulSetSpec": "template=PodTemplateSpec volumeClaimTemplates=[WithStatus]",
        "TemplateSpec": "template=PodTemplateSpec",
        "Volume": "ephemeral=EphemeralVolume",
        "Webhooks": "metadata=ObjectMeta webhooks=[]:name",
        "WithStatus": "metadata=ObjectMeta status=Conditions",
        "Workload": "metadata=ObjectMeta spec=TemplateSpec status=Conditions",
    }.items()
}
# By API version: the kinds and, behind a colon, their type when it is not `Object`.
_KINDS: Final = {
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration:Webhooks ValidatingWebhookConfiguration:Webhooks",
    "admissionregistration.k8s.io/v1beta1": (
        "MutatingWebhookConfiguration:Webhooks ValidatingWebhookConfiguration:Webhooks"
    ),
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiextensions.k8s.io/v1beta1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService:WithStatus",
    "apiregistration.k8s.io/v1beta1": "APIService:WithStatus",
    "apps/v1": (
        "ControllerRevision DaemonSet:Workload Deployment:Workload ReplicaSet:Workload StatefulSet:StatefulSet"
    ),
    "autoscaling/v1": "HorizontalPodAutoscaler Scale",
    "autoscaling/v2beta1": "HorizontalPodAutoscaler",
    "autoscaling/v2beta2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob:CronJob Job:Job",
    "batch/v1beta1": "CronJob:CronJob",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "certificates.k8s.io/v1beta1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "coordination.k8s.io/v1beta1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "discovery.k8s.io/v1beta1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "events.k8s.io/v1beta1": "Event",
    "extensions/v1beta1": "Ingress",
    "flowcontrol.apiserver.k8s.io/v1beta1": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "networking.k8s.io/v1beta1": "Ingress IngressClass",
    "node.k8s.io/v1": "RuntimeClass",
    "node.k8s.io/v1beta1": "RuntimeClass",
    "policy/v1": "PodDisruptionBudget:WithStatus",
    "policy/v1beta1": "Eviction PodDisruptionBudget:WithStatus PodSecurityPolicy",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "rbac.authorization.k8s.io/v1beta1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "scheduling.k8s.io/v1beta1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode:CSINode StorageClass VolumeAttachment",
    "storage.k8s.io/v1beta1": "CSIDriver CSINode:CSINode CSIStorageCapacity StorageClass VolumeAttachment",
    "v1": (
        "Binding ComponentStatus:ComponentStatus ConfigMap Endpoints Event LimitRange Namespace:WithStatus Node:Node "
        "PersistentVolume PersistentVolumeClaim:WithStatus Pod:Pod PodTemplate:PodTemplate "
        "ReplicationController:Workload ResourceQuota Secret Service:Service ServiceAccount:ServiceAccount"
    ),
}
_ROOTS: Final = {
    (version, word.partition(":")[0]): Member(word.partition(":")[2] or "Object")
    for version, words in _KINDS.items()
    for word in words.split()
}
UNKNOWN: Final = Member()
"""A field of which nothing is known: its lists are replaced."""


def of_kind(api_version: str, kind: str) -> Member:
    """The type of an object."""
    return _ROOTS.get((api_version, kind), UNKNOWN)


def below(member: Member, field: str) -> Member:
    """What stands under a field of a mapping, or of a member of a list."""
    return _TYPES.get(member.type, {}).get(field, UNKNOWN)
