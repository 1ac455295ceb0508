"""Whether what an autoscaler may ask for fits into the namespace's ResourceQuota."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_ports import containers_of
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.scaling_targets import scaled_by
from pyprod_audit.checks.workload_view import present
from pyprod_audit.link.variants import exclude_each_other
from pyprod_audit.link.workloads import number
from pyprod_audit.model import Fact, Node, Repository, Resource, Unknown
from pyprod_audit.model.kubernetes import namespace_of, place_of

# What a quota counts (https://kubernetes.io/docs/concepts/policy/resource-quotas/): section and resource of containers.
_COUNTED = {
    "requests.cpu": ("requests", "cpu"), "cpu": ("requests", "cpu"), "limits.cpu": ("limits", "cpu"),
    "requests.memory": ("requests", "memory"), "memory": ("requests", "memory"), "limits.memory": ("limits", "memory"),
}  # fmt: skip
_TOLERANCE = 1e-9


def beyond_quota(scaler: Resource, context: Context) -> Outcomes:
    """An autoscaler whose largest number of pods the ResourceQuota of the namespace does not admit."""
    repository = context.repository
    most = scaler.node.get("spec.maxReplicas") or scaler.node.get("spec.maxReplicaCount")
    targets = scaled_by(scaler, repository)
    pods = [pod for one in targets for pod in repository.children(one, "k8s.podspec")]
    quotas = list(_quotas(targets[0], repository)) if targets else []
    if most is None or not pods or not quotas:
        yield Skip("no ResourceQuota of its namespace is in the repository")
        return
    if most.is_unknown:
        yield cannot(most)
        return
    if not isinstance(most.scalar, int):
        return
    for quota, certain in quotas:
        for key, hard in quota.node.mapping_at("spec.hard").items():
            yield from _compare(scaler, pods[0], most, quota, key, hard, repository, certain=certain)


def _quotas(workload: Resource, repository: Repository) -> Iterator[tuple[Resource, bool]]:
    """The quotas of the workload's namespace, and whether that is sure; those for some pods only are left out."""
    namespace = namespace_of(workload)
    for quota in repository.of_kind("k8s.resourcequota"):
        if exclude_each_other(quota, workload, repository):
            continue
        if quota.node.get("spec.scopes") is not None or quota.node.get("spec.scopeSelector") is not None:
            continue
        other = namespace_of(quota)
        together = posixpath.dirname(quota.path) == posixpath.dirname(workload.path)
        if namespace and other:
            if namespace == other:
                yield quota, True
        elif together:
            yield quota, not namespace and not other


def _compare(
    scaler: Resource, pod: Resource, most: Node, quota: Resource, key: str, hard: Node, repository: Repository,
    *, certain: bool,
) -> Outcomes:  # fmt: skip
    if key in _COUNTED:
        used = _of_pod(pod, *_COUNTED[key], repository)
        unit = _COUNTED[key][1]
    elif key in ("pods", "count/pods"):
        used, unit = 1.0, "pods"
    else:
        return
    allowed = number(hard)
    if used is None or isinstance(used, Cannot) or isinstance(allowed, Unknown):
        if isinstance(used, Cannot):
            yield used
        elif used is not None:
            yield cannot(hard)
        return
    count = int(str(most.scalar))
    total = used * count
    if total <= allowed.number * (1 + _TOLERANCE):
        return
    if not certain:
        yield Cannot(hard.span, f"{quota.address} may be of another namespace")
        return
    patch = patch_that_sets(scaler, "maxReplicas", repository)
    if patch:
        yield Cannot(most.span, f"{patch} sets maxReplicas")
        return
    yield Hit(
        most.span,
        {
            "scaler": scaler.address,
            "most": count,
            "each": _words(used, unit),
            "total": _words(total, unit),
            "allowed": _words(allowed.number, unit),
            "quota": quota.address,
            "key": key,
            "fitting": int(allowed.number // used),
        },
        ((hard.span, f"{key}: {hard.scalar}"), (place_of(pod), f"each pod counts {_words(used, unit)}")),
        f"{scaler.address}/{quota.address}/{key}",
        "{scaler}: {most} pods of {each} are {total}, but {quota} allows {allowed} ({key}): {fitting} fit",
    )


def _of_pod(pod: Resource, section: str, resource: str, repository: Repository) -> float | Cannot | None:
    """What one pod counts; None when a container has no such value (the quota then refuses the pod, or a default)."""
    total = 0.0
    for container in containers_of(pod, repository):
        found = present(container.node, "resources", section, resource)
        if found is None and section == "requests":
            found = present(container.node, "resources", "limits", resource)
        if found is None:
            return None
        amount = number(found)
        if not isinstance(amount, Fact):
            return cannot(found)
        total += amount.number
    patch = patch_that_sets(pod, resource, repository)
    return Cannot(place_of(pod), f"{patch} sets resources") if patch else total or None


def _words(amount: float, unit: str) -> str:
    if unit == "cpu":
        return f"{amount:g} CPU"
    if unit == "pods":
        return f"{amount:g} pods"
    return f"{amount / 2**30:.4g} GiB" if amount >= 2**30 else f"{amount / 2**20:.4g} MiB"
