"""Whether Services and workloads find the pods they are meant for."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_ports import asks_for, bind_ports, declared
from pyprod_audit.checks.kubernetes_selection import (
    labels_in_words,
    labels_place,
    meant_places,
    near_misses,
    select,
    selector_in_words,
    selector_pairs,
    workload_of,
)
from pyprod_audit.link.network import nearest
from pyprod_audit.model import Node, Repository, Resource, Span, Unknown
from pyprod_audit.model.kubernetes import (
    labels_of,
    name_of,
    named_ports,
    namespace_of,
    pod_labels,
    selector_matches,
)
from pyprod_audit.model.patterns import lazy

# What tells the halves of one service apart: releases, colours, roles in a cluster.
_VARIANT = lazy(
    r"[-_.]?(v?[0-9]+|canary|stable|baseline|preview|active|blue|green|primary|secondary|master|slave|leader|follower|"
    r"replicas?|read|write|ro|rw|a|b|old|new|next|spot|ondemand|on-demand)\b"
)
_VARIANT_LABELS = ("version", "track", "color", "colour", "slot", "release-track", "role", "app.kubernetes.io/version")
_JOBS = ("k8s.job", "k8s.cronjob")


def service_selects_nothing(service: Resource, context: Context) -> Outcomes:
    """A Service whose selector matches no pod template of its namespace."""
    selector = selector_of(service)
    if selector is None:
        yield Skip("it has no selector: its endpoints come from elsewhere")
        return
    if selector.is_unknown:
        yield cannot(selector)
        return
    selection = select(selector, service, context.repository)
    if selection.sure:
        return
    if selection.maybe:
        yield Cannot(selector.anchor, f"the labels of {workload_of(selection.maybe[0])} are known only at deploy time")
        return
    near = near_misses(service, selector, context.repository)
    if isinstance(near, Cannot):
        strayed = _in_another_namespace(service, selector, context.repository)
        if strayed is not None:
            yield origins.changes(service, context.repository) or strayed
            return
    if not isinstance(near, tuple):
        yield near
        return
    yield Hit(selector.anchor, {"selector": selector_in_words(selector)}, meant_places(near))


def _in_another_namespace(service: Resource, selector: Node, repository: Repository) -> Hit | None:
    """The finding for a Service whose pods stand in the same file, but in another namespace."""
    own = namespace_of(service)
    if not own or "$" in own or "{" in own:
        return None
    for pod in repository.of_kind("k8s.podspec"):
        if pod.path == service.path and pod.variant == service.variant and selector_matches(selector, pod_labels(pod)):
            place = service.node.get("metadata.namespace") or selector
            return Hit(
                place.anchor, {"own": own, "workload": workload_of(pod), "other": namespace_of(pod)},
                meant_places([pod]),
                message="{address} is in the namespace {own}, but {workload}, which it selects, is in {other}",
            )  # fmt: skip
    return None


def selector_of(service: Resource) -> Node | None:
    """The selector of a Service; None when it selects no pods at all."""
    if service.node.text_at("spec.type") == "ExternalName":
        return None
    selector = service.node.get("spec.selector")
    return selector if selector is not None and (selector.mapping or selector.is_unknown) else None


def workload_selector_mismatch(workload: Resource, context: Context) -> Outcomes:
    """A workload whose selector does not match the labels of its own pod template."""
    pods = context.repository.children(workload, "k8s.podspec")
    selector = workload.node.get("spec.selector")
    if not pods or selector is None or not (selector.mapping or selector.is_unknown):
        yield Skip("it has no selector or no pod template")
        return
    labels = pod_labels(pods[0])
    answer = selector_matches(selector, labels)
    if answer is None:
        yield Cannot(selector.anchor, "selector or labels are known only at deploy time")
    elif answer is False:
        doubt = origins.changes(workload, context.repository)
        if doubt:
            yield doubt
            return
        wrong = [
            value
            for key, value in selector_pairs(selector).items()
            if not isinstance(labels, Unknown) and (key not in labels or labels[key].scalar != value.scalar)
        ]
        yield Hit(
            wrong[0].anchor if wrong else selector.anchor,
            {"selector": selector_in_words(selector), "labels": labels_in_words(labels)},
            ((labels_place(pods[0]), "labels of its pods"),),
        )


def service_mixes_workloads(service: Resource, context: Context) -> Outcomes:
    """A Service that also selects the pods of a workload that cannot be the same service."""
    selector = selector_of(service)
    if selector is None or service.node.text_at("spec.clusterIP") == "None":
        yield Skip("it does not spread requests over pods")
        return
    pods = _same_place(service, select(selector, service, context.repository).sure)
    if len(pods) < 2:
        yield Skip("it selects one workload at most")
        return
    main = max(pods, key=lambda pod: _likeness(service, selector, pod))
    strangers = [(pod, why) for pod in pods if pod is not main and (why := _stranger(main, pod, service, context))]
    if not strangers:
        return
    pod, why = strangers[0]
    doubt = origins.changes(pod, context.repository) or origins.changes(main, context.repository)
    if doubt:
        yield doubt
        return
    related: list[tuple[Span, str]] = [(labels_place(main), f"labels of {workload_of(main)}")]
    related += [(labels_place(other), f"labels of {workload_of(other)}") for other, _ in strangers[:3]]
    yield Hit(
        selector.anchor,
        {
            "selector": labels_in_words(selector.mapping),
            "main": workload_of(main),
            "others": ", ".join(workload_of(other) for other, _ in strangers[:3]),
            "why": why,
        },
        tuple(related),
    )


def _same_place(service: Resource, pods: Sequence[Resource]) -> list[Resource]:
    """Of several copies of the manifests, the pods that belong to this one; one of each workload."""
    folder = posixpath.dirname(service.path)
    here = [pod for pod in pods if posixpath.dirname(pod.path) == folder] or nearest(pods, service)
    return list({workload_of(pod): pod for pod in here}.values())


def _stranger(main: Resource, other: Resource, service: Resource, context: Context) -> str:
    """Why requests to the Service have no business at `other`; empty when that cannot be told."""
    if _variants(main, other):
        return ""
    if other.parent is not None and other.parent.kind in _JOBS:
        return "it is a job"
    repository = context.repository
    targets = [port for port in asks_for(service) if not isinstance(port.value, Unknown)]
    served = [_serves(main, target, repository) for target in targets]
    for target, by_main in zip(targets, served, strict=True):
        if by_main and _serves(other, target, repository) is False:
            return f"nothing in it listens on port {target.scalar}"
    names = [{_image(one) for one in repository.children(pod, "k8s.container")} for pod in (main, other)]
    if all(names) and not any("" in of_pod for of_pod in names) and names[0].isdisjoint(names[1]):
        return "it runs another image"
    return ""


def _serves(pod: Resource, target: Node, repository: Repository) -> bool | None:
    """Whether a container of the pod declares the port, or is known to listen there; None when that is not known."""
    containers = repository.children(pod, "k8s.container")
    left_open = False
    for container in containers:
        numbers, unknown = declared(container)
        if target.scalar in numbers or target.text in named_ports(container):
            return True
        left_open = left_open or unknown is not None
    if left_open:
        return None
    known = bind_ports(containers, repository)
    if isinstance(target.scalar, int) and known is not None:
        return any(fact.value == target.scalar for fact in known.values())
    if target.text is not None or any(container.node.items_at("ports") for container in containers):
        return False
    servers = repository.memo("checks.servers", _servers)
    return False if all(servers.get(id(container)) == "celery" for container in containers) else None


def _servers(repository: Repository) -> dict[int, str]:
    return {
        id(service.container): service.process.server
        for service in repository.services
        if service.container is not None and service.process is not None
    }


def _variants(one: Resource, other: Resource) -> bool:
    """Whether two workloads are releases, colours or roles of one thing."""
    names = [_VARIANT.sub("", name_of(pod)) for pod in (one, other)]
    if names[0] == names[1]:
        return True
    first, second = pod_labels(one), pod_labels(other)
    if isinstance(first, Unknown) or isinstance(second, Unknown):
        return True
    return any(key in first and key in second and first[key].scalar != second[key].scalar for key in _VARIANT_LABELS)


def _image(container: Resource) -> str:
    text = container.node.text_at("image") or ""
    name = posixpath.basename(text.split("@", 1)[0]).partition(":")[0]
    return _VARIANT.sub("", name)


def _likeness(service: Resource, selector: Node, pod: Resource) -> int:
    """How much a pod looks like the one that the Service is for."""
    score = 4 if name_of(pod) == name_of(service) else 0
    score += 2 if pod.path == service.path else 0
    labels = pod_labels(pod)
    if not isinstance(labels, Unknown):
        own = labels_of(service)
        for key, value in {**({} if isinstance(own, Unknown) else own), **selector.mapping}.items():
            score += key in labels and labels[key].scalar == value.scalar
    return score + (1 if pod.parent is not None and pod.parent.kind not in _JOBS else 0)
