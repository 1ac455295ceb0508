"""HorizontalPodAutoscalers and KEDA ScaledObjects: what they scale, and who else does."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.kubernetes_selection import telling_words
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.scaling_metrics import scaled_resources
from pyprod_audit.checks.scaling_targets import SCALED, scaled_by
from pyprod_audit.checks.traffic import services_for
from pyprod_audit.checks.workload_view import present
from pyprod_audit.link.network import same_namespace
from pyprod_audit.link.variants import exclude_each_other, together
from pyprod_audit.link.workloads import autoscalers
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import annotations_of, name_of, namespace_of, place_of

_SCALERS = ("k8s.horizontalpodautoscaler", "k8s.scaledobject")
# https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/docs/quickstart.md
_PASSIVE = ("Off", "Initial")


def target_missing(scaler: Resource, context: Context) -> Outcomes:
    """A scaler whose target does not exist, or is named with an API group that it does not have."""
    repository = context.repository
    target = scaler.node.get("spec.scaleTargetRef")
    if target is None:
        yield Skip("it names no target")
        return
    unknown = next(
        (node for key in ("name", "kind", "apiVersion") if (node := target.get(key)) is not None and node.is_unknown),
        None,
    )
    if target.is_unknown or unknown is not None:
        yield cannot(unknown or target)
        return
    name = target.get("name")
    if name is None or name.text is None:
        yield Skip("it names no target")
        return
    found = scaled_by(scaler, repository)
    if found:
        yield from _named_wrongly(scaler, target, found[0])
        return
    kind = target.text_at("kind") or "Deployment"
    beside = list(_beside(scaler, repository))
    alike = [one for one in beside if _alike(name.text, one)] or [
        one
        for one in beside
        if one.path == scaler.path
        and one.node.text_at("kind") == kind
        and same_namespace(one, scaler)
        and not autoscalers(one, repository)
    ]
    if not alike:
        yield Cannot(name.span, f"no workload beside it is called alike: {kind}/{name.text} may come from elsewhere")
        return
    sure = any(one.path == scaler.path or name_of(one) == name.text for one in alike)
    yield (origins.changes if sure else origins.additions)(scaler, repository) or Hit(
        name.span,
        {"target": f"{kind}/{name.text}"},
        tuple((place_of(one), f"{one.address} is here{_in(one)}") for one in alike[:2]),
        message="{address} scales {target}, which does not exist: nothing is ever scaled",
    )


def _named_wrongly(scaler: Resource, target: Node, workload: Resource) -> Outcomes:
    """The HPA looks its target up by the exact kind and API group."""
    if scaler.kind != "k8s.horizontalpodautoscaler":
        return
    kind, actual = target.get("kind"), workload.node.text_at("kind")
    if kind is not None and kind.text != actual:
        yield Hit(
            kind.span, {"kind": kind.text, "actual": actual},
            message='{address}: the kind of its target is written "{kind}", not "{actual}": it is not found',
        )  # fmt: skip
        return
    version, own = target.get("apiVersion"), workload.node.text_at("apiVersion")
    wanted = "" if version is None or version.text is None else version.text
    if own is None or _group(wanted) == _group(own):
        return
    written = f"apiVersion: {wanted}" if wanted else "no apiVersion, which is the core group"
    yield Hit(
        version.span if version is not None else target.anchor,
        {"written": written, "target": workload.address, "own": own},
        ((place_of(workload), f"is {own}"),),
        message="{address} names {target} with {written}, but it is {own}: it is not found",
    )


def replicas_fought_over(workload: Resource, context: Context) -> Outcomes:
    """A workload that fixes its replicas while an autoscaler sets them."""
    repository = context.repository
    replicas = present(workload.node, "spec", "replicas")
    if replicas is None:
        yield Skip("it fixes no number of replicas")
        return
    scalers = [one for one in autoscalers(workload, repository) if workload in scaled_by(one, repository)]
    if not scalers:
        yield Skip("no autoscaler scales it")
        return
    scaler = scalers[0]
    if replicas.is_unknown:
        yield cannot(replicas)
        return
    patch = patch_that_sets(workload, "replicas", repository)
    application = next(
        (one for one in repository.of_kind("k8s.application", "k8s.applicationset") if _ignores(one)), None
    )
    if patch:
        yield Cannot(replicas.span, f"{patch} changes the number of replicas")
    elif application is not None:
        yield Cannot(replicas.span, f"{application.address} leaves the number of replicas as it is in the cluster")
    elif not _is_zero(replicas):
        yield Hit(
            replicas.span,
            {"replicas": replicas.scalar, "scaler": scaler.address},
            ((place_of(scaler), "scales it"),),
        )


def narrow_range(scaler: Resource, context: Context) -> Outcomes:
    """An HPA that goes down to one pod, or that has no room to scale."""
    repository = context.repository
    least, most = scaler.node.get("spec.minReplicas"), scaler.node.get("spec.maxReplicas")
    unknown = next((node for node in (least, most) if node is not None and node.is_unknown), None)
    if unknown is not None:
        yield cannot(unknown)
        return
    low = least.scalar if least is not None and least.value is not None else 1
    high = most.scalar if most is not None else None
    target = scaler.node.get("spec.scaleTargetRef.name")
    if target is not None and target.is_unknown:
        yield cannot(target)  # a template for many workloads, which may fill in more than the name
        return
    doubt = _patched(scaler, repository)
    if isinstance(low, int) and isinstance(high, int) and most is not None and high <= low:
        room = "it never scales" if high == low else "the API server refuses it"
        yield doubt or Hit(
            most.span,
            {"scaler": scaler.address, "low": low, "high": high, "room": room},
            ((least.span, f"minReplicas: {low}"),) if least is not None else (),
            f"{scaler.address}/maxReplicas",
            "{scaler} has maxReplicas: {high} with minReplicas {low}: {room}",
        )
        return
    if low != 1:
        return
    if is_workplace(scaler.path):
        yield Skip("it is deployed for developers")
        return
    targets = scaled_by(scaler, repository)
    pods = [pod for one in targets for pod in repository.children(one, "k8s.podspec")]
    services = [service for pod in pods for service in services_for(pod, repository)]
    if not services:
        yield Skip("what it scales is not in the repository, or no Service sends requests to it")
        return
    place = least.span if least is not None else (scaler.node.get("spec") or scaler.node).anchor
    written = "minReplicas: 1" if least is not None else "no minReplicas, which is 1"
    yield doubt or Hit(
        place,
        {"scaler": scaler.address, "written": written},
        tuple((place_of(service), "sends requests to it") for service in services[:1]),
        f"{scaler.address}/minReplicas",
        "{scaler} has {written}: at night one pod serves everything, and each restart of it is an outage",
    )


def rival_scalers(scaler: Resource, context: Context) -> Outcomes:
    """A second autoscaler of the same workload; a VerticalPodAutoscaler that changes what the first one measures."""
    repository = context.repository
    targets = scaled_by(scaler, repository)
    if not targets and scaler.node.get("spec.scaleTargetRef.name") is None:
        yield Skip("it names no target")
        return
    rivals = [one for one in _rivals(scaler, repository) if not _takes_over(scaler, one)]
    earlier = list(takewhile(lambda one: one is not scaler, repository.of_kind(*_SCALERS))) if rivals else []
    first = next((one for one in rivals if one in earlier), None)
    if first is not None:
        name = scaler.node.get("spec.scaleTargetRef.name") or scaler.node
        yield Hit(
            name.anchor,
            {"rival": first.address, "target": name.text},
            ((place_of(first), "scales it too"),),
            message="{address} and {rival} both scale {target}: each undoes what the other decides",
        )
    yield from _vertical(scaler, repository)


def _vertical(scaler: Resource, repository: Repository) -> Outcomes:
    measured = {name: node for name, _, node in scaled_resources(scaler)}
    reference = _reference(scaler)
    for vertical in together(repository.of_kind("k8s.verticalpodautoscaler"), scaler, repository):
        target = vertical.node.get("spec.targetRef")
        if target is None or (target.text_at("kind"), target.text_at("name")) != reference:
            continue
        mode = vertical.node.get("spec.updatePolicy.updateMode")
        if not _together(scaler, vertical) or (mode is not None and mode.text in _PASSIVE):
            continue
        if mode is not None and mode.is_unknown:
            yield cannot(mode)
            continue
        shared = [name for name in measured if name in _controlled(vertical)]
        if shared:
            place = mode or vertical.node.get("spec") or vertical.node
            yield Hit(
                place.anchor,
                {"scaler": scaler.address, "resources": " and ".join(shared), "vertical": vertical.address},
                ((measured[shared[0]].anchor, f"scales on {shared[0]} relative to the request"),),
                f"{scaler.address}/{vertical.address}",
                "{vertical} changes the {resources} request that {scaler} measures against: each reacts to the other",
            )


def _controlled(vertical: Resource) -> set[str]:
    """The resources whose requests a VerticalPodAutoscaler changes: CPU and memory unless it says otherwise."""
    policies = vertical.node.items_at("spec.resourcePolicy.containerPolicies")
    found: set[str] = set()
    for policy in policies:
        if policy.text_at("mode") != "Off":
            named = policy.get("controlledResources")
            found.update(one.text or "" for one in named.items) if named is not None else found.update(_BOTH)
    everything = any(policy.text_at("containerName") == "*" for policy in policies)
    return found if everything else found | _BOTH


_BOTH = {"cpu", "memory"}


def _rivals(scaler: Resource, repository: Repository) -> list[Resource]:
    by_target = repository.memo("checks.scalers_by_reference", _by_reference)
    return [
        one
        for one in by_target.get(_reference(scaler), ())
        if one is not scaler
        and one.address != scaler.address
        and _together(one, scaler)
        and not exclude_each_other(one, scaler, repository)
    ]


def _takes_over(scaler: Resource, other: Resource) -> bool:
    """Whether a ScaledObject takes the other's HPA over: https://keda.sh/docs/latest/concepts/scaling-deployments/."""
    key = "scaledobject.keda.sh/transfer-hpa-ownership"
    return any(key in annotations_of(one) for one in (scaler, other))


def _together(one: Resource, other: Resource) -> bool:
    """Whether two objects are deployed together as far as is written, not into two environments."""
    namespace = namespace_of(one)
    if not same_namespace(one, other):
        return False
    return posixpath.dirname(one.path) == posixpath.dirname(other.path) or (
        bool(namespace) and namespace == namespace_of(other)
    )


def _reference(scaler: Resource) -> tuple[str | None, str | None]:
    target = scaler.node.get("spec.scaleTargetRef")
    return (target.text_at("kind") or "Deployment", target.text_at("name")) if target is not None else (None, None)


def _by_reference(repository: Repository) -> Mapping[tuple[str | None, str | None], Sequence[Resource]]:
    found: dict[tuple[str | None, str | None], list[Resource]] = {}
    for scaler in repository.of_kind(*_SCALERS):
        found.setdefault(_reference(scaler), []).append(scaler)
    return found


def _beside(scaler: Resource, repository: Repository) -> Iterator[Resource]:
    folder, namespace = posixpath.dirname(scaler.path), namespace_of(scaler)
    for one in repository.of_kind(*SCALED):
        other = namespace_of(one)
        if (
            posixpath.dirname(one.path) == folder
            or (namespace and namespace == other)
            or name_of(one) == name_of(scaler)
        ):
            yield one


def _alike(name: str, workload: Resource) -> bool:
    return bool(telling_words(name) & telling_words(name_of(workload)))


def _in(workload: Resource) -> str:
    return f", in namespace {namespace_of(workload)}" if namespace_of(workload) else ""


def _group(version: str) -> str:
    return version.rpartition("/")[0]


def _is_zero(node: Node) -> bool:
    """Whether it is 0, which switches the autoscaler off."""
    return node.scalar == 0 and node.scalar is not False


def _ignores(application: Resource) -> bool:
    """Whether an Argo CD application leaves `spec.replicas` alone."""
    text = application.source.text[application.node.start : application.node.end]
    return "/spec/replicas" in text or ".spec.replicas" in text


def _patched(scaler: Resource, repository: Repository) -> Cannot | None:
    for key in ("minReplicas", "maxReplicas"):
        patch = patch_that_sets(scaler, key, repository)
        if patch:
            return Cannot(place_of(scaler), f"{patch} sets {key}")
    return None
