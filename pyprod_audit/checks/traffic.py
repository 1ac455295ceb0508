"""Which containers are sent requests by a Service, as far as the manifests say."""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.checks.kubernetes_ports import asks_for, bind_port, containers_of, declared
from pyprod_audit.link.network import services_of
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import name_of, named_ports

# Ports of such names are asked by the cluster itself, which tries again: nobody's request is lost there.
_NOT_REQUESTS = ("metrics", "prometheus", "monitoring", "webhook")
_BUSINESS = frozenset(
    {"k8s.deployment", "k8s.statefulset", "k8s.daemonset", "k8s.replicaset", "k8s.replicationcontroller",
     "k8s.rollout", "k8s.deploymentconfig", "k8s.pod"}
)  # fmt: skip


def services_for(pod: Resource, repository: Repository) -> list[Resource]:
    """The Services that send requests to the pods of a `k8s.podspec`; those for metrics and webhooks do not count."""
    if pod.parent is None or pod.parent.kind not in _BUSINESS:
        return []
    return repository.memo(
        f"checks.services_for.{id(pod)}",
        lambda repo: [service for service in services_of(pod, repo) if _has_business_port(service)],
    )


def sends_to(services: Sequence[Resource], container: Resource, repository: Repository) -> Resource | None:
    """The first of `services` that sends requests to this container of the pods it selects; None also when in doubt."""
    if container.parent is None:
        return None
    containers = containers_of(container.parent, repository)
    for service in services:
        if len(containers) < 2:
            return service
        if any(_is_port_of(container, port, repository) for port in asks_for(service)):
            return service
    return None


def _is_port_of(container: Resource, port: Node, repository: Repository) -> bool:
    if port.text is not None:
        return port.text in named_ports(container)
    numbers, _ = declared(container)
    if port.value in numbers:
        return True
    known = bind_port(container, repository)
    return known is not None and known.value == port.value


def _has_business_port(service: Resource) -> bool:
    if any(word in name_of(service) for word in _NOT_REQUESTS):
        return False
    ports = service.node.items_at("spec.ports")
    return any(not any(word in (port.text_at("name") or "") for word in _NOT_REQUESTS) for port in ports)
