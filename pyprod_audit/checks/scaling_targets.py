"""What a HorizontalPodAutoscaler or a KEDA ScaledObject scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyprod_audit.checks.kubernetes_selection import is_custom
from pyprod_audit.link.network import nearest, same_namespace
from pyprod_audit.link.variants import together
from pyprod_audit.model import Repository, Resource
from pyprod_audit.model.kubernetes import name_of

SCALED = (
    "k8s.deployment", "k8s.statefulset", "k8s.replicaset", "k8s.replicationcontroller", "k8s.rollout",
    "k8s.deploymentconfig",
)  # fmt: skip
"""The kinds with replicas that an autoscaler sets, besides custom resources."""


def scaled_by(scaler: Resource, repository: Repository) -> list[Resource]:
    """The workloads that a scaler's `scaleTargetRef` names; the nearest of several copies."""
    target = scaler.node.get("spec.scaleTargetRef")
    if target is None or target.text_at("name") is None:
        return []
    kind = (target.text_at("kind") or "Deployment").lower()
    named = repository.memo("checks.workloads_by_name", _by_name).get(target.text_at("name") or "", ())
    found = [one for one in named if one.kind.split(".")[1] == kind and same_namespace(one, scaler)]
    return nearest(together(found, scaler, repository), scaler)


def _by_name(repository: Repository) -> Mapping[str, Sequence[Resource]]:
    found: dict[str, list[Resource]] = {}
    for resource in repository.of_technology("k8s"):
        if resource.parent is None and (resource.kind in SCALED or is_custom(resource)):
            found.setdefault(name_of(resource), []).append(resource)
    return found
