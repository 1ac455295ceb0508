"""Disks that one node at a time can mount, under workloads that run on several."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.rollout import Replicas, least_replicas
from pyprod_audit.link.network import nearest, same_namespace
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import name_of
from pyprod_audit.model.units import percentage

# Classes whose disks stay on their node, so that all pods of the claim are scheduled there.
_LOCAL_CLASSES = ("local", "hostpath", "manual", "standard-rwo-local", "openebs-hostpath")
_ONE_NODE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})
_PINS = ("kubernetes.io/hostname", "beta.kubernetes.io/hostname")


def blocks_rollout(deployment: Resource, context: Context) -> Outcomes:
    """A Deployment whose new pods wait for a disk that the old ones hold."""
    repository = context.repository
    pod = next(iter(repository.children(deployment, "k8s.podspec")), None)
    if pod is None:
        return
    kind = deployment.node.get("spec.strategy.type")
    if kind is not None and kind.is_unknown:
        yield cannot(kind)
        return
    claims = list(_claims(pod, repository))
    if not claims:
        yield Skip("it mounts no claim of this repository that one node holds")
        return
    if _stays_on_node(pod):
        yield Skip("its pods are bound to one node")
        return
    replicas = least_replicas(deployment, repository)
    number = replicas.number if isinstance(replicas, Replicas) else 1
    if number == 0:
        return
    recreated = kind is not None and kind.text == "Recreate"
    strategy = deployment.node.get("spec.strategy")
    surge = strategy.get("rollingUpdate.maxSurge") if strategy is not None else None
    if number < 2 and (recreated or not _adds_pods(surge, number)):
        return
    spec = deployment.node.get("spec")
    place = kind or surge or strategy or spec or deployment.node
    for volume, claim, mode in claims:
        related = ((volume.anchor, "mounts the claim"), (mode.span, "one node at a time"))
        values = {"claim": claim.address, "mode": mode.text}
        if number >= 2 and isinstance(replicas, Replicas):
            why = f"{number} replicas on different nodes cannot share {claim.address} ({mode.text})"
            yield Hit(replicas.span, values, related, message=f"{{address}}: {why}; all but one wait for the disk")
        else:
            yield Hit(place.anchor, values, related)
        return


def _claims(pod: Resource, repository: Repository) -> Iterator[tuple[Node, Resource, Node]]:
    """The volumes of a pod whose claim stands in the repository and may be mounted by one node only, with its mode."""
    for volume in pod.node.items_at("volumes"):
        name = volume.text_at("persistentVolumeClaim.claimName")
        if name is None:
            continue
        claims = [
            claim
            for claim in repository.of_kind("k8s.persistentvolumeclaim")
            if name_of(claim) == name and same_namespace(claim, pod)
        ]
        for claim in nearest(together(claims, pod, repository), pod)[:1]:
            modes = claim.node.items_at("spec.accessModes")
            if modes and all(mode.text in _ONE_NODE for mode in modes) and not _is_local(claim, repository):
                yield volume, claim, modes[0]


def _is_local(claim: Resource, repository: Repository) -> bool:
    """Whether the disk of a claim lies on a node, by its class or its PersistentVolume."""
    storage_class = claim.node.text_at("spec.storageClassName")
    if storage_class is not None and any(word in storage_class.lower() for word in _LOCAL_CLASSES):
        return True
    named = claim.node.text_at("spec.volumeName")
    for volume in repository.of_kind("k8s.persistentvolume"):
        local = volume.node.get("spec.hostPath") or volume.node.get("spec.local")
        if local is None:
            continue
        if named is not None and name_of(volume) == named:
            return True
        if named is None and volume.node.text_at("spec.storageClassName") == storage_class:
            return True
    return False


def _stays_on_node(pod: Resource) -> bool:
    selector = pod.node.mapping_at("nodeSelector")
    return pod.node.get("nodeName") is not None or any(label in selector for label in _PINS)


def _adds_pods(surge: Node | None, replicas: int) -> bool:
    """Whether a rolling update starts a pod before it stops one; Kubernetes' default is 25%, rounded up."""
    value = surge.scalar if surge is not None else None
    if value is None:
        return surge is None or not surge.is_unknown
    if isinstance(value, int):
        return value > 0
    share = percentage(value)
    return share is not None and math.ceil(share * replicas) > 0
