"""The fields that kustomize's transformers touch when nothing is configured, and the names that it keeps in step.

Source: api/internal/konfig/builtinpluginconsts of kustomize 5.7.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from pyprod_audit.evaluate.kustomize.field_specs import Config, FieldSpec, merged, specs
from pyprod_audit.evaluate.kustomize.objects import Gvk

_POD: Final = "spec/template/spec"
_CRON_POD: Final = "spec/jobTemplate/spec/template/spec"
_WORKLOADS: Final = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job")
_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"

_TEMPLATE_LABELS: Final = """
    metadata/labels
    spec/template/metadata/labels /v1/ReplicationController
    spec/template/metadata/labels Deployment
    spec/template/metadata/labels ReplicaSet
    spec/template/metadata/labels DaemonSet
    spec/template/metadata/labels apps/StatefulSet
    spec/volumeClaimTemplates[]/metadata/labels apps/StatefulSet
    spec/template/metadata/labels batch/Job
    spec/jobTemplate/metadata/labels batch/CronJob
    spec/jobTemplate/spec/template/metadata/labels batch/CronJob
"""
_CLAIM_LABELS: Final = "spec/volumeClaimTemplates[]/metadata/labels apps/StatefulSet"
_SELECTORS: Final = """
    spec/selector /v1/Service
    spec/selector /v1/ReplicationController
    spec/selector/matchLabels Deployment
    spec/selector/matchLabels ReplicaSet
    spec/selector/matchLabels DaemonSet
    spec/selector/matchLabels apps/StatefulSet
"""
_SELECTORS_IF_THERE: Final = """
    spec/selector/matchLabels batch/Job
    spec/jobTemplate/spec/selector/matchLabels batch/CronJob
    spec/selector/matchLabels policy/PodDisruptionBudget
    spec/podSelector/matchLabels networking.k8s.io/NetworkPolicy
    spec/ingress/from/podSelector/matchLabels networking.k8s.io/NetworkPolicy
    spec/egress/to/podSelector/matchLabels networking.k8s.io/NetworkPolicy
"""
_AFFINITIES: Final = tuple(
    f"affinity/{affinity}/{rule}/labelSelector/matchLabels"
    for affinity in ("podAffinity", "podAntiAffinity")
    for rule in (
        "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
        "requiredDuringSchedulingIgnoredDuringExecution",
    )
)
_ANNOTATIONS: Final = """
    metadata/annotations
    spec/template/metadata/annotations /v1/ReplicationController
    spec/template/metadata/annotations Deployment
    spec/template/metadata/annotations ReplicaSet
    spec/template/metadata/annotations DaemonSet
    spec/template/metadata/annotations StatefulSet
    spec/template/metadata/annotations batch/Job
    spec/jobTemplate/metadata/annotations batch/CronJob
    spec/jobTemplate/spec/template/metadata/annotations batch/CronJob
"""
_NAMESPACES: Final = """
    metadata/name Namespace
    spec/service/namespace apiregistration.k8s.io/APIService
"""
_NAMESPACES_IF_THERE: Final = """
    spec/conversion/webhook/clientConfig/service/namespace apiextensions.k8s.io/CustomResourceDefinition
"""
_IMAGES: Final = "\n".join(
    f"{pod}/{field}"
    for pod in ("spec", _POD)
    for field in ("containers[]/image", "initContainers[]/image", "volumes[]/image/reference")
)
_REPLICAS: Final = """
    spec/replicas Deployment
    spec/replicas ReplicationController
    spec/replicas ReplicaSet
    spec/replicas StatefulSet
"""
_VARIABLES: Final = """
    spec/jobTemplate/spec/template/volumes/nfs/server CronJob
    spec/template/metadata/annotations Deployment
    spec/rules/host Ingress
    spec/tls/hosts Ingress
    spec/tls/secretName Ingress
    spec/ports/port Service
    spec/ports/targetPort Service
    spec/volumeClaimTemplates/spec/nfs/server StatefulSet
    spec/nfs/server PersistentVolume
    metadata/labels
    metadata/annotations
"""
_IN_CONTAINERS: Final = ("args", "command", "env/value", "volumeMounts/mountPath")
_OF_CONFIG_MAPS: Final = """
    spec/configSource/configMap Node
    rules/resourceNames Role
    rules/resourceNames ClusterRole
    metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap Ingress
"""
_OF_SECRETS: Final = """
    spec/tls/secretName Ingress
    metadata/annotations/ingress.kubernetes.io\\/auth-secret Ingress
    metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret Ingress
    metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret Ingress
    imagePullSecrets/name ServiceAccount
    parameters/secretName StorageClass
    parameters/adminSecretName StorageClass
    parameters/userSecretName StorageClass
    parameters/secretRef StorageClass
    rules/resourceNames Role
    rules/resourceNames ClusterRole
    spec/template/spec/containers/env/valueFrom/secretKeyRef/name serving.knative.dev/v1/Service
    spec/azureFile/secretName PersistentVolume
"""
_OF_SERVICES: Final = f"""
    spec/serviceName apps/StatefulSet
    spec/rules/http/paths/backend/serviceName Ingress
    spec/backend/serviceName Ingress
    spec/rules/http/paths/backend/service/name Ingress
    spec/defaultBackend/service/name Ingress
    spec/service/name apiregistration.k8s.io/APIService
    webhooks/clientConfig/service {_ADMISSION}/ValidatingWebhookConfiguration
    webhooks/clientConfig/service {_ADMISSION}/MutatingWebhookConfiguration
"""
_OF_STORAGE_CLASSES: Final = """
    spec/storageClassName PersistentVolume
    spec/storageClassName PersistentVolumeClaim
    spec/volumeClaimTemplates/spec/storageClassName StatefulSet
"""
# Kinds that hold one reference of a pod: to its service account, its claims, its priority.
_POD_HOLDERS: Final = {
    "Pod": "spec", "StatefulSet": _POD, "Deployment": _POD, "ReplicationController": _POD, "CronJob": _CRON_POD,
    "Job": _POD, "DaemonSet": _POD,
}  # fmt: skip


@cache
def default_config() -> Config:
    """The configuration that every kustomization starts from."""
    names = tuple(specs("metadata/name"))
    template_labels = tuple(specs(_TEMPLATE_LABELS, create=True))
    common = merged((), specs(_SELECTORS, create=True))
    for more in (_affinities(), specs(_SELECTORS_IF_THERE), template_labels):
        common = merged(common, more)
    return Config(
        prefix=names,
        suffix=names,
        namespace=(*specs(_NAMESPACES, create=True), *specs(_NAMESPACES_IF_THERE)),
        common_labels=common,
        template_labels=template_labels,
        claim_labels=tuple(specs(_CLAIM_LABELS, create=True)),
        annotations=tuple(specs(_ANNOTATIONS, create=True)),
        variables=(*_variables(), *specs(_VARIABLES)),
        images=tuple(specs(_IMAGES, create=True)),
        replicas=tuple(specs(_REPLICAS, create=True)),
        names=tuple((target, tuple(fields)) for target, fields in _names()),
    )


def _affinities() -> Iterator[FieldSpec]:
    for kind in ("Deployment", "StatefulSet"):
        for path in (*_AFFINITIES, "topologySpreadConstraints/labelSelector/matchLabels"):
            yield FieldSpec(Gvk("apps", "", kind), f"{_POD}/{path}")


def _variables() -> Iterator[FieldSpec]:
    for kind in ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"):
        pod = {"CronJob": _CRON_POD, "Pod": "spec"}.get(kind, _POD)
        for containers in ("containers", "initContainers"):
            for field in _IN_CONTAINERS:
                yield FieldSpec(Gvk(kind=kind), f"{pod}/{containers}/{field}")
        if kind not in ("CronJob", "StatefulSet"):
            yield FieldSpec(Gvk(kind=kind), f"{pod}/volumes/nfs/server")


def _names() -> Iterator[tuple[Gvk, Iterator[FieldSpec]]]:
    """The references that are kept in step, in the order in which kustomize goes through them."""
    yield Gvk("", "v1", "ServiceAccount"), _service_accounts()
    yield Gvk(_RBAC, "", "Role"), specs(f"roleRef/name {_RBAC}/RoleBinding")
    yield (
        Gvk(_RBAC, "", "ClusterRole"),
        specs(f"roleRef/name {_RBAC}/RoleBinding\nroleRef/name {_RBAC}/ClusterRoleBinding"),
    )
    yield Gvk("", "v1", "ConfigMap"), _of_pods("configMap", "configMapKeyRef", "configMapRef", _OF_CONFIG_MAPS)
    yield Gvk("", "v1", "Secret"), _of_pods("secret", "secretKeyRef", "secretRef", _OF_SECRETS)
    yield Gvk("", "v1", "Service"), specs(_OF_SERVICES)
    yield Gvk("scheduling.k8s.io", "v1", "PriorityClass"), _in_pods("priorityClassName")
    yield (
        Gvk("", "v1", "PersistentVolume"),
        specs("spec/volumeName PersistentVolumeClaim\nrules/resourceNames ClusterRole"),
    )
    yield Gvk("", "v1", "PersistentVolumeClaim"), _in_pods("volumes/persistentVolumeClaim/claimName")
    for kind in ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"):
        yield Gvk(kind=kind), specs("spec/scaleTargetRef/name HorizontalPodAutoscaler")
    yield Gvk("storage.k8s.io", "v1", "StorageClass"), specs(_OF_STORAGE_CLASSES)
    yield Gvk("networking.k8s.io/v1", "v1", "IngressClass"), specs("spec/ingressClassName Ingress")
    yield (
        Gvk(_ADMISSION, "", "ValidatingAdmissionPolicy"),
        specs(f"spec/policyName {_ADMISSION}/ValidatingAdmissionPolicyBinding"),
    )


def _service_accounts() -> Iterator[FieldSpec]:
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        yield FieldSpec(Gvk(_RBAC, "", kind), "subjects")
    yield from _in_pods("serviceAccountName")


def _in_pods(field: str) -> Iterator[FieldSpec]:
    for kind, pod in _POD_HOLDERS.items():
        yield FieldSpec(Gvk(kind=kind), f"{pod}/{field}")


def _of_pods(volume: str, key: str, all_keys: str, more: str) -> Iterator[FieldSpec]:
    """Where pods name ConfigMaps or Secrets."""
    pods = {"Pod": "spec", "PodTemplate": "template/spec", **dict.fromkeys(_WORKLOADS, _POD), "CronJob": _CRON_POD}
    for kind, pod in pods.items():
        gvk = Gvk("", "v1" if kind == "Pod" else "", kind)
        yield FieldSpec(gvk, f"{pod}/volumes/{volume}/{'name' if volume == 'configMap' else 'secretName'}")
        for reference in (f"env/valueFrom/{key}", f"envFrom/{all_keys}"):
            for containers in ("containers", "initContainers"):
                yield FieldSpec(gvk, f"{pod}/{containers}/{reference}/name")
        if volume == "secret":
            yield FieldSpec(gvk, f"{pod}/imagePullSecrets/name")
        yield FieldSpec(gvk, f"{pod}/volumes/projected/sources/{volume}/name")
    yield from specs(more)
