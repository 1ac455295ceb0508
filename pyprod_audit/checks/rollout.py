"""Rolling updates of Deployments: what is left to serve while pods are replaced.

How `maxSurge` and `maxUnavailable` are resolved: Kubernetes, "Deployments", and the API reference of
RollingUpdateDeployment (a percentage of surge is rounded up, one of unavailable down; when both come to 0, one pod may
be unavailable).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.kubernetes_selection import select
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.traffic import sends_to, services_for
from pyprod_audit.checks.workload_view import image_name, is_injected, pod_of, present
from pyprod_audit.link.datastores import database_of_image
from pyprod_audit.link.kustomizations import unevaluated
from pyprod_audit.link.network import nearest
from pyprod_audit.link.workloads import autoscalers, replica_range
from pyprod_audit.model import Node, Repository, Resource, Span
from pyprod_audit.model.kubernetes import name_of, place_of
from pyprod_audit.model.units import percentage

_DEFAULT_SHARE = "25%"
_LASTING = frozenset({"k8s.deployment", "k8s.statefulset", "k8s.daemonset", "k8s.rollout"})
_STORES = frozenset({
    "redis", "valkey", "memcached", "rabbitmq", "kafka", "zookeeper", "elasticsearch", "opensearch", "minio", "etcd",
    "nats", "clickhouse", "cassandra", "vault", "influxdb", "prometheus", "loki", "grafana", "mailhog", "mailpit",
})  # fmt: skip


def recreate_behind_service(deployment: Resource, context: Context) -> Outcomes:
    """A Deployment that serves requests and stops all its pods before it starts new ones."""
    kind = deployment.node.get("spec.strategy.type")
    if kind is None:
        return
    if kind.is_unknown:
        yield cannot(kind)
        return
    pod = _pod(deployment, context.repository)
    if kind.text != "Recreate" or pod is None:
        return
    services = services_for(pod, context.repository)
    if not services:
        yield Skip("no Service sends requests to it")
    elif _is_singleton(deployment, pod, context.repository):
        yield Skip("two of its pods cannot run at the same time")
    else:
        related = tuple((place_of(service), "has no backend meanwhile") for service in services[:2])
        yield Hit(kind.span, {"service": services[0].address}, related)


def takes_all_replicas(deployment: Resource, context: Context) -> Outcomes:
    """A rolling update that may take every pod of a served Deployment away at once."""
    strategy = deployment.node.get("spec.strategy.rollingUpdate")
    pod = _pod(deployment, context.repository)
    if strategy is None or pod is None:
        return
    for key in ("maxUnavailable", "maxSurge"):
        node = strategy.get(key)
        if node is not None and node.is_unknown:
            yield cannot(node)
            return
    services = services_for(pod, context.repository)
    if not services:
        yield Skip("no Service sends requests to it")
        return
    unavailable, surge = strategy.get("maxUnavailable"), strategy.get("maxSurge")
    whole = unavailable is not None and (percentage(unavailable.scalar) or 0) >= 1
    replicas = least_replicas(deployment, context.repository)
    if not isinstance(replicas, Replicas):
        if not whole:
            yield replicas
            return
        replicas = Replicas(0, place_of(deployment), "")
    allowed = _resolve(unavailable, surge, replicas.number)
    if allowed is None or (not whole and (replicas.number == 0 or allowed < replicas.number)):
        return
    place = unavailable or surge or strategy
    written = _written(unavailable)
    if unavailable is not None and not whole and allowed > 0 and _count(unavailable, replicas.number) == 0:
        counted = f"maxUnavailable {written} of {replicas.number} comes to 0, with maxSurge 0 Kubernetes takes 1"
    elif whole or unavailable is not None:
        counted = f"maxUnavailable {written}"
    else:
        counted = f"maxSurge 0 and maxUnavailable {_DEFAULT_SHARE} (the default), which Kubernetes takes as 1"
    related = ((replicas.span, replicas.label),) if replicas.label else ()
    of = "all replicas" if whole else f"{replicas.number} {'replica' if replicas.number == 1 else 'replicas'}"
    yield Hit(place.anchor, {"counted": counted, "of": of}, (*related, (place_of(services[0]), "is served by it")))


def leaves_no_room(workload: Resource, _context: Context) -> Outcomes:
    """A rolling update that may neither add nor remove a pod: the API server refuses it."""
    daemon = workload.kind == "k8s.daemonset"
    strategy = workload.node.get("spec.updateStrategy.rollingUpdate" if daemon else "spec.strategy.rollingUpdate")
    unavailable = strategy.get("maxUnavailable") if strategy is not None else None
    if strategy is None or unavailable is None:
        return
    surge = strategy.get("maxSurge")
    for node in (unavailable, surge):
        if node is not None and node.is_unknown:
            yield cannot(node)
            return
    if _is_zero(unavailable) and (_is_zero(surge) if surge is not None else daemon):
        written = _written(surge) if surge is not None else "0 (the default)"
        related = ((surge.span, "the other one"),) if surge is not None else ()
        yield Hit(unavailable.span, {"surge": written, "unavailable": _written(unavailable)}, related)


def readiness_missing(container: Resource, context: Context) -> Outcomes:
    """A container that a Service sends requests to, with nothing that says when it can take them."""
    probe = present(container.node, "readinessProbe")
    if probe is not None:
        if probe.is_unknown:
            yield cannot(probe)
        return
    pod = pod_of(container)
    services = [
        service
        for service in services_for(pod, context.repository)
        if (service.node.get("spec.publishNotReadyAddresses") or service.node).scalar is not True
    ]
    service = sends_to(services, container, context.repository)
    if service is None or is_workplace(container.path):
        yield Skip("no Service sends requests to it" if service is None else "it is deployed for developers")
        return
    if is_injected(container):
        yield Cannot(container.node.anchor, "an admission webhook fills the container in")
        return
    patch = patch_that_sets(container, "readinessProbe", context.repository)
    if patch:
        yield Cannot(container.node.anchor, f"{patch} sets a readinessProbe")
        return
    place = container.node.get("name") or container.node
    yield Hit(place.span, {"service": service.address}, ((place_of(service), "sends requests to it"),))


def single_replica(deployment: Resource, context: Context) -> Outcomes:
    """A Deployment that serves requests with one pod."""
    pod = _pod(deployment, context.repository)
    if pod is None:
        return
    services = services_for(pod, context.repository)
    if not services:
        yield Skip("no Service sends requests to it")
        return
    if autoscalers(deployment, context.repository):
        yield Skip("an autoscaler sets the number of replicas")
        return
    if is_workplace(deployment.path):
        yield Skip("it is deployed for developers")
        return
    scaler = _scaler_of_another_copy(deployment, context.repository)
    if scaler is not None and present(deployment.node, "spec", "replicas") is None:
        yield Cannot(place_of(deployment), f"{scaler.address} in {scaler.path} may scale it")
        return
    if deployment.node.text_at("spec.strategy.type") == "Recreate":
        yield Skip("it is meant to run once")
        return
    if all(_has_other_backend(service, deployment, pod, context.repository) for service in services):
        yield Skip("pods of another workload serve the same requests")
        return
    if _is_singleton(deployment, pod, context.repository):
        yield Skip("two of its pods cannot run at the same time")
        return
    replicas = least_replicas(deployment, context.repository)
    if not isinstance(replicas, Replicas):
        yield replicas
    elif replicas.number == 1:
        declared = "replicas: 1" if replicas.label == "replicas" else "no replicas, which is 1"
        yield Hit(
            replicas.span,
            {"declared": declared, "service": services[0].address},
            ((place_of(services[0]), "is served by it"),),
        )


class Replicas(NamedTuple):
    """The number of pods that a workload has at least, where that is said, and by what."""

    number: int
    span: Span
    label: str


def least_replicas(workload: Resource, repository: Repository) -> Replicas | Cannot:
    """How many pods a workload has at least: of its autoscaler, else its own, else 1, which is Kubernetes' default.

    0 where KEDA may stop the last one.
    """
    patch = patch_that_sets(workload, "replicas", repository) or _kustomized_replicas(workload, repository)
    if patch:
        return Cannot(place_of(workload), f"{patch} sets the number of replicas")
    node: Node | None
    for scaler in autoscalers(workload, repository):
        least, _ = replica_range(scaler)
        name = "minReplicas" if scaler.kind == "k8s.horizontalpodautoscaler" else "minReplicaCount"
        if isinstance(least, int):
            return Replicas(least, place_of(scaler), f"{scaler.address} has no {name}, which is {least}")
        return _as_replicas(least, least.key.text if least.key is not None else name)
    node = present(workload.node, "spec", "replicas")
    if node is None:
        spec = workload.node.get("spec")
        return Replicas(1, (spec or workload.node).anchor, "no replicas, which is 1")
    return _as_replicas(node, "replicas")


def _scaler_of_another_copy(workload: Resource, repository: Repository) -> Resource | None:
    """An autoscaler that names the workload but stands with another variant of it."""
    return repository.memo("checks.first_scaler_of", _first_scaler_of).get(name_of(workload))


def _first_scaler_of(repository: Repository) -> dict[str | None, Resource]:
    found: dict[str | None, Resource] = {}
    for scaler in repository.of_kind("k8s.horizontalpodautoscaler", "k8s.scaledobject"):
        found.setdefault(scaler.node.text_at("spec.scaleTargetRef.name"), scaler)
    return found


def _as_replicas(node: Node, label: str) -> Replicas | Cannot:
    value = node.scalar
    return Replicas(value, node.span, label) if isinstance(value, int) and value is not True else cannot(node)


def _kustomized_replicas(workload: Resource, repository: Repository) -> str:
    """The kustomization that sets the workload's `replicas` and was not evaluated; empty when there is none."""
    if workload.variant:
        return ""
    return repository.memo("checks.kustomized_replicas", _replicas_by_name).get(name_of(workload), "")


def _replicas_by_name(repository: Repository) -> dict[str | None, str]:
    found: dict[str | None, str] = {}
    for kustomization in unevaluated(repository):
        for entry in kustomization.node.items_at("replicas"):
            found.setdefault(entry.text_at("name"), kustomization.path)
    return found


def _resolve(unavailable: Node | None, surge: Node | None, replicas: int) -> int | None:
    """How many of `replicas` pods may be missing; None when what is written is no number."""
    missing = _count(unavailable, replicas)
    extra = _count(surge, replicas, up=True)
    if missing is None or extra is None:
        return None
    return 1 if missing == 0 and extra == 0 else missing


def _count(node: Node | None, replicas: int, *, up: bool = False) -> int | None:
    value = _DEFAULT_SHARE if node is None or node.value is None else node.scalar
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    share = percentage(value)
    if share is None:
        return None
    exact = round(share * replicas, 9)
    return math.ceil(exact) if up else math.floor(exact)


def _is_zero(node: Node | None) -> bool:
    if node is None:
        return False
    value = node.scalar
    return (value == 0 and not isinstance(value, bool)) or percentage(value) == 0


def _written(node: Node | None) -> str:
    return "" if node is None else str(node.scalar)


def _pod(deployment: Resource, repository: Repository) -> Resource | None:
    return next(iter(repository.children(deployment, "k8s.podspec")), None)


def _has_other_backend(service: Resource, workload: Resource, pod: Resource, repository: Repository) -> bool:
    """Whether a Service also sends requests to another workload that runs the same image: a stable one and a canary."""
    selector = service.node.get("spec.selector")
    if selector is None:
        return False
    images = {name for one in repository.children(pod, "k8s.container") if (name := image_name(one))}
    for other in nearest(select(selector, service, repository).sure, service):
        if other.parent is None or other.parent.kind not in _LASTING or name_of(other.parent) == name_of(workload):
            continue
        if images & {image_name(one) for one in repository.children(other, "k8s.container")}:
            return True
    return False


def _is_singleton(deployment: Resource, pod: Resource, repository: Repository) -> bool:
    """Whether there are signs that one pod at most may run: a disk or a port of the node, a data store, no replicas."""
    node = pod.node
    if any(volume.get("persistentVolumeClaim") or volume.get("hostPath") for volume in node.items_at("volumes")):
        return True
    if (node.get("hostNetwork") or node).scalar is True:
        return True
    for container in repository.children(pod, "k8s.container"):
        if any(port.get("hostPort") for port in container.node.items_at("ports")):
            return True
        image = image_name(container)
        if database_of_image(image) or image.rpartition("/")[2].lower() in _STORES:
            return True
    replicas = present(deployment.node, "spec", "replicas")
    return replicas is not None and replicas.scalar == 0
