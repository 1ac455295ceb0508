"""What autoscalers measure: resources relative to requests, and metrics that somebody must provide.

Which containers count: the HPA controller adds up the requests of all containers and native sidecars and gives up when
one has none, unless the pod itself has requests. https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
"""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_ports import containers_of, services_by_container
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.limit_ranges import supplied
from pyprod_audit.checks.scaling_targets import scaled_by
from pyprod_audit.checks.workload_view import is_added_to, is_injected, present
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.patterns import lazy

# What exporters and adapters append to the name of a series or take from it.
_SUFFIX = lazy(r"_(?:per_second|per_minute|rate|total|count|sum|bucket|avg|average|p[0-9]{2})$")
# Series that libraries export under names of their own, which no source file needs to mention.
_FROM_LIBRARIES = (
    "http_", "django_", "flask_", "fastapi_", "starlette_", "celery_", "gunicorn_", "uvicorn_", "python_", "process_",
    "istio_", "envoy_", "nginx_", "traefik_", "kube_", "container_", "redis_", "pg_", "rabbitmq_", "kafka_", "vllm",
)  # fmt: skip


def scaled_resources(scaler: Resource) -> Iterator[tuple[str, str, Node]]:
    """The resources whose use is measured relative to the request: name, container ("" for all), place."""
    node = scaler.node
    if scaler.kind == "k8s.scaledobject":
        for trigger in node.items_at("spec.triggers"):
            kind = trigger.text_at("type")
            metric_type = trigger.text_at("metricType") or trigger.text_at("metadata.type")
            if kind in ("cpu", "memory") and metric_type == "Utilization":
                yield kind, trigger.text_at("metadata.containerName") or "", trigger
        return
    version_one = node.get("spec.targetCPUUtilizationPercentage")
    if version_one is not None:
        yield "cpu", "", version_one
    metrics = node.get("spec.metrics")
    if metrics is None and version_one is None:
        # https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
        yield "cpu", "", node.get("spec") or node  # the default metric: 80 % of the CPU request
    for metric in metrics.items if metrics is not None else ():
        for key in ("resource", "containerResource"):
            source = metric.get(key)
            name = source.text_at("name") if source is not None else None
            if source is None or name is None:
                continue
            relative = source.get("target.averageUtilization") or source.get("targetAverageUtilization")
            if relative is not None or source.text_at("target.type") == "Utilization":
                yield name, source.text_at("container") or "" if key == "containerResource" else "", source


def request_missing(scaler: Resource, context: Context) -> Outcomes:
    """A container without the request that its autoscaler measures against."""
    repository = context.repository
    measured = list(scaled_resources(scaler))
    if not measured:
        yield Skip("it measures nothing relative to requests")
        return
    pods = [pod for one in scaled_by(scaler, repository) for pod in repository.children(one, "k8s.podspec")]
    if not pods:
        yield Skip("what it scales is not in the repository")
        return
    for pod in pods:
        containers = containers_of(pod, repository)
        for resource, only, place in measured:
            chosen = [one for one in containers if not only or one.node.text_at("name") == only]
            if only and not chosen and not any(one.node.get("name") is None for one in containers):
                yield _no_such_container(scaler, only, place, containers, repository)
            for container in chosen:
                yield from _without_request(scaler, pod, container, resource, place, repository)


def _no_such_container(
    scaler: Resource, only: str, place: Node, containers: list[Resource], repository: Repository
) -> Hit | Cannot:
    unknown = next((name for one in containers if (name := one.node.get("name")) is not None and name.is_unknown), None)
    if unknown is not None:
        return cannot(unknown)
    names = ", ".join(one.node.text_at("name") or "" for one in containers)
    return origins.changes(containers[0], repository) or Hit(
        (place.get("container") or place).anchor,
        {"scaler": scaler.address, "container": only, "names": names},
        tuple((one.node.anchor, "a container of its target") for one in containers[:2]),
        f"{scaler.address}/{only}",
        "{scaler}: its target has no container {container} (only {names}): the metric is never known",
    )


def _without_request(
    scaler: Resource, pod: Resource, container: Resource, resource: str, place: Node, repository: Repository
) -> Outcomes:
    for level in (container.node, pod.node):
        for key in ("requests", "limits"):  # a limit without a request becomes the request
            found = present(level, "resources", key, resource)
            if found is not None:
                return
    if is_injected(container):
        return
    if is_added_to(container.node):
        yield Cannot(container.node.anchor, "a template adds to the container")
        return
    given = supplied(container, resource, repository, request=True)
    if given is not None:
        if not given.certain:
            yield Cannot(container.node.anchor, f"{given.limit_range.address} may supply the request")
        return
    patch = next((path for key in ("resources", resource) if (path := patch_that_sets(container, key, repository))), "")
    if patch:
        yield Cannot(container.node.anchor, f"{patch} sets resources")
        return
    resources = container.node.get("resources")
    name = container.node.get("name")
    at = resources.get("requests") or resources if resources is not None else name or container.node
    yield Hit(
        at.anchor,
        {"container": container.address, "resource": resource, "scaler": scaler.address},
        ((place.anchor, f"measures {resource} relative to the request"),),
        f"{container.address}/{resource}",
        "{container} has no {resource} request, so {scaler} cannot tell how busy the pods are and never scales them",
    )


def metric_unknown(scaler: Resource, context: Context) -> Outcomes:
    """An HPA that scales on a metric of its pods which nothing in the repository exports or computes."""
    repository = context.repository
    names = list(_pod_metrics(scaler))
    if not names:
        yield Skip("it uses no metric of its pods besides CPU and memory")
        return
    services = services_by_container(repository)
    built_here = any(
        services[id(container)].modules
        for workload in scaled_by(scaler, repository)
        for pod in repository.children(workload, "k8s.podspec")
        for container in repository.children(pod, "k8s.container")
        if id(container) in services
    )
    for name in names:
        if name.is_unknown or name.text is None:
            yield cannot(name)
        elif _is_mentioned(name.text, scaler, repository):
            continue
        elif not built_here:
            yield Cannot(name.span, f"the application that would export {name.text} is not in the repository")
        elif name.text.startswith(_FROM_LIBRARIES):
            yield Cannot(name.span, f"a library may export {name.text}")
        else:
            supply = origins.supplies(repository)
            yield (
                Cannot(name.span, supply)
                if supply
                else Hit(
                    name.span, {"scaler": scaler.address, "metric": name.text}, address=f"{scaler.address}/{name.text}"
                )
            )


def _pod_metrics(scaler: Resource) -> Iterator[Node]:
    for metric in scaler.node.items_at("spec.metrics"):
        pods = metric.get("pods")
        name = (pods.get("metric.name") or pods.get("metricName")) if pods is not None else None
        if name is not None:
            yield name


def _is_mentioned(name: str, scaler: Resource, repository: Repository) -> bool:
    """Whether a file besides those of autoscalers has the metric, or the series that an adapter makes it of."""
    stem = name
    while (shorter := _SUFFIX.sub("", stem)) != stem:
        stem = shorter
    own = {one.path for one in repository.of_kind(scaler.kind)}
    return any(stem in source.text for path, source in repository.files.items() if path not in own)
