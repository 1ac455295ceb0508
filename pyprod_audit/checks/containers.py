"""What every container of a workload says about itself: memory, CPU, and how the kubelet knows that it hangs."""

from __future__ import annotations

import posixpath

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.chart_defaults import left_to_installer
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.limit_ranges import Supplied, supplied
from pyprod_audit.checks.workload_view import (
    ends_before_start,
    image_name,
    is_added_to,
    is_injected,
    is_knative,
    is_one_shot,
    pod_of,
    present,
)
from pyprod_audit.link.datastores import datastores
from pyprod_audit.link.variants import together
from pyprod_audit.link.workloads import autoscalers
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import name_of, namespace_of, object_of, place_of

_PROBE_ACTIONS = ("httpGet", "tcpSocket", "grpc", "exec")
_IDLE_IMAGES = frozenset({"pause", "pause-amd64"})
_IDLE_COMMANDS = frozenset({"sleep", "pause", "tail"})


def memory_limit_missing(container: Resource, context: Context) -> Outcomes:
    """Nothing bounds a container's memory, or nothing says how much it needs."""
    skip = _not_judged(container)
    if skip is not None:
        yield skip
        return
    limit = _quantity_node(container, "limits", "memory")
    if limit is not None:
        # A limit without a request becomes the request.
        if limit.is_unknown:
            yield cannot(limit)
        return
    default = supplied(container, "memory", context.repository, request=False)
    open_answer = _open_answer(container, "limits", default, context.repository)
    if open_answer is not None:
        yield open_answer
    elif default is None:
        yield _memory_hit(container, context.repository)


def _memory_hit(container: Resource, repository: Repository) -> Hit:
    request = _quantity_node(container, "requests", "memory")
    address = f"{container.address}/resources.limits.memory"
    at = container.node.find(("resources", "limits", "memory"))[1]
    values = {"container": container.address, "effect": _effect_of_no_limit(container)}
    if request is not None:
        written = request.scalar if not request.is_unknown else "known at deploy time"
        return Hit(
            at,
            {**values, "request": written},
            message="{container} sets no memory limit (its request is {request}): {effect}",
            address=address,
        )
    from_range = supplied(container, "memory", repository, request=True)
    if from_range is not None and from_range.certain:
        message = "{container} sets no memory limit: {effect}"
        return Hit(at, values, message=message, address=address)
    return Hit(
        at,
        values,
        message="{container} sets neither a memory limit nor a request: {effect}, and its pod is evicted early",
        address=address,
    )


def _effect_of_no_limit(container: Resource) -> str:
    if is_one_shot(container):
        return "a run that goes wrong takes the node's memory from the services beside it"
    return "a leak grows until the node runs out of memory"


def cpu_request_missing(container: Resource, context: Context) -> Outcomes:
    """The scheduler and the autoscaler do not know how much CPU a container needs."""
    skip = _not_judged(container)
    if skip is None and is_one_shot(container):
        skip = Skip("a job may get whatever CPU is left")
    if skip is not None:
        yield skip
        return
    for kind in ("requests", "limits"):
        found = _quantity_node(container, kind, "cpu")
        if found is not None:
            if found.is_unknown:
                yield cannot(found)
            return
    default = supplied(container, "cpu", context.repository, request=True)
    open_answer = _open_answer(container, "requests", default, context.repository)
    if open_answer is not None:
        yield open_answer
        return
    if default is not None or _vertical_autoscaler(container, context.repository) is not None:
        return
    at = container.node.find(("resources", "requests", "cpu"))[1]
    address = f"{container.address}/resources.requests.cpu"
    scaler = _scales_on_cpu(container, context.repository)
    if scaler is None:
        yield Hit(at, {"container": container.address}, address=address)
        return
    yield Hit(
        at,
        {"container": container.address, "scaler": scaler.address},
        message="{container} sets no CPU request: {scaler} cannot compute the pod's CPU utilization and will not scale",
        related=((place_of(scaler), "scales on CPU utilization"),),
        address=address,
    )


def liveness_probe_missing(container: Resource, context: Context) -> Outcomes:
    """A container that hangs is never restarted."""
    skip = _not_judged(container) or _needs_no_liveness(container, context.repository)
    if skip is not None:
        yield skip
        return
    probe = present(container.node, "livenessProbe")
    if probe is not None:
        if probe.is_unknown:
            yield cannot(probe)
        elif not any(action in probe.mapping for action in _PROBE_ACTIONS) and not is_added_to(probe):
            message = "{address} has a livenessProbe without an action: the API server refuses it"
            yield Hit(probe.anchor, message=message)
        return
    patch = patch_that_sets(container, "livenessProbe", context.repository)
    if patch:
        yield Cannot(container.node.anchor, f"a Kustomize patch sets livenessProbe: {patch}")
    elif is_added_to(container.node):
        yield Cannot(container.node.anchor, "a template adds to the container")
    else:
        yield left_to_installer(container, "livenessProbe", context.repository) or Hit(container.node.anchor)


def _not_judged(container: Resource) -> Skip | Cannot | None:
    if ends_before_start(container):
        return Skip("an init container runs only while the pod starts")
    if is_injected(container):
        return Cannot(container.node.anchor, "an admission webhook fills in this container")
    return None


def _needs_no_liveness(container: Resource, repository: Repository) -> Skip | None:
    if is_one_shot(container):
        return Skip("a job ends by itself")
    if is_knative(container):
        return Skip("Knative probes the container itself")
    if container.kind == "k8s.initcontainer":
        return Skip("a sidecar: the main container's probe tells whether the pod works")
    if _is_idle(container):
        return Skip("the container only waits")
    databases = repository.memo("checks.databases", lambda repo: {id(store.resource) for store in datastores(repo)})
    if id(container) in databases:
        return Skip("a database: restarting one that is merely slow does more harm than good")
    siblings = repository.children(pod_of(container), "k8s.container")
    if len(siblings) > 1 and container is not _main(siblings) and not container.node.items_at("ports"):
        return Skip("a helper beside the main container")
    return None


def _main(containers: list[Resource]) -> Resource:
    """The container that the pod is there for: the first that declares ports, else the first."""
    return next((one for one in containers if one.node.items_at("ports")), containers[0])


def _is_idle(container: Resource) -> bool:
    if posixpath.basename(image_name(container)) in _IDLE_IMAGES:
        return True
    words = container.node.items_at("command") or container.node.items_at("args")
    return bool(words) and posixpath.basename(words[0].text or "") in _IDLE_COMMANDS


def _quantity_node(container: Resource, kind: str, resource: str) -> Node | None:
    """The container's value, else the pod's own, which bounds all its containers together.

    https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/
    """
    own = present(container.node, "resources", kind, resource)
    return own or present(pod_of(container).node, "resources", kind, resource)


def _open_answer(container: Resource, key: str, default: Supplied | None, repository: Repository) -> Cannot | None:
    """Why it cannot be said that a value is missing, if so."""
    if default is not None and not default.certain:
        namespace = namespace_of(default.limit_range) or "the namespace that it is applied to"
        because = f"{default.limit_range.address} gives a default in {namespace}, which may be this one"
        return Cannot(default.value.anchor, because)
    patch = patch_that_sets(container, key, repository)
    if patch:
        return Cannot(container.node.anchor, f"a Kustomize patch sets resources: {patch}")
    if is_added_to(container.node):
        return Cannot(container.node.anchor, "a template adds to the container")
    return left_to_installer(container, "resources", repository)


def _vertical_autoscaler(container: Resource, repository: Repository) -> Resource | None:
    """The VerticalPodAutoscaler that writes the requests of the container's workload."""
    owner = object_of(container)
    for scaler in together(repository.of_kind("k8s.verticalpodautoscaler"), container, repository):
        target = scaler.node.get("spec.targetRef")
        same = target is not None and target.text_at("name") == name_of(owner)
        if same and scaler.node.text_at("spec.updatePolicy.updateMode") != "Off":
            return scaler
    return None


def _scales_on_cpu(container: Resource, repository: Repository) -> Resource | None:
    """The autoscaler of the workload that compares CPU use with the request."""
    for scaler in autoscalers(object_of(container), repository):
        if scaler.kind != "k8s.horizontalpodautoscaler":
            continue
        if present(scaler.node, "spec", "targetCPUUtilizationPercentage") is not None:
            return scaler
        for metric in scaler.node.items_at("spec.metrics"):
            source = metric.get("resource")
            if source is None or source.text_at("name") != "cpu":
                continue
            if present(source, "target", "averageUtilization") or present(source, "targetAverageUtilization"):
                return scaler
    return None
