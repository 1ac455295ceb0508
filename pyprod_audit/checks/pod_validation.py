"""What the API server checks of a pod beyond the types of its fields.

Source: Kubernetes API reference, PodSpec (`restartPolicy`), JobSpec (`template`), and "Volumes".
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Context, Hit, Outcomes
from pyprod_audit.model import Node, Resource

_ONE_SHOT: Final = frozenset({"k8s.job", "k8s.cronjob"})
_LASTING: Final = frozenset({"k8s.deployment", "k8s.statefulset", "k8s.daemonset", "k8s.replicaset"})


def refused_pods(resource: Resource, context: Context) -> Outcomes:
    """The restart policy that a workload may not have, and volumes that are mounted but do not exist."""
    for pod in context.repository.children(resource, "k8s.podspec"):
        hits = [*_restart_policy(resource, pod), *_mounts(resource, pod, context)]
        doubt = origins.changes(resource, context.repository) if hits else None
        yield from [doubt] if doubt else hits


def _restart_policy(workload: Resource, pod: Resource) -> list[Hit]:
    policy = pod.node.get("restartPolicy")
    if policy is not None and policy.is_unknown:
        return []
    written = policy.text if policy is not None else None
    if workload.kind in _ONE_SHOT and written in (None, "Always"):
        stated = "restartPolicy: Always" if written else "no restartPolicy, which is Always"
        wanted = "Never or OnFailure"
    elif workload.kind in _LASTING and written in ("Never", "OnFailure"):
        stated, wanted = f"restartPolicy: {written}", "Always"
    else:
        return []
    return [
        Hit(
            (policy or pod.node).anchor,
            {"owner": workload.address, "stated": stated, "wanted": wanted},
            message="{owner}: its pods have {stated}, and the API takes {wanted} only",
            address=f"{workload.address}/restartPolicy",
        )
    ]


def _mounts(workload: Resource, pod: Resource, context: Context) -> list[Hit]:
    volumes = pod.node.get("volumes")
    claims = workload.node.get("spec.volumeClaimTemplates")
    names: set[str] = set()
    for listed in (volumes, claims):
        for one in (listed, *listed.items) if listed is not None else ():
            if one.is_unknown:
                return []
        for one in listed.items if listed is not None else ():
            name = one.get("metadata.name") if listed is claims else one.get("name")
            if name is None or name.text is None:
                return []  # told by a template, or a fault of its own
            names.add(name.text)
    hits: list[Hit] = []
    for container in context.repository.children(pod):
        for index, mount in enumerate(container.node.items_at("volumeMounts")):
            name = mount.get("name")
            if name is not None and name.text is not None and name.text not in names:
                hits.append(_unknown_volume(container, index, name, names))
    return hits


def _unknown_volume(container: Resource, index: int, name: Node, names: set[str]) -> Hit:
    return Hit(
        name.span,
        {"container": container.address, "volume": name.text, "known": ", ".join(sorted(names)) or "none"},
        message="{container} mounts the volume {volume}, but its pod has {known}: the API server refuses it",
        address=f"{container.address}/volumeMounts[{index}]",
    )
