"""Which pods a label selector reaches, over all manifests of a repository."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Skip, cannot
from pyprod_audit.link.network import same_namespace
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, OpenMapping, Repository, Resource, Span, Unknown
from pyprod_audit.model.kubernetes import Labels, name_of, namespace_of, place_of, pod_labels, selector_matches
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.kubernetes_kinds import BUILT_IN_KINDS

# Labels that controllers put on pods; no template has them.
# https://kubernetes.io/docs/reference/labels-annotations-taints/
_SET_BY_CONTROLLERS = frozenset({
    "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "pod-template-hash",
    "controller-revision-hash", "pod-template-generation", "rollouts-pod-template-hash", "job-name",
    "batch.kubernetes.io/job-name", "batch.kubernetes.io/job-completion-index", "controller-uid",
    "batch.kubernetes.io/controller-uid",
})  # fmt: skip
_WORD = lazy(r"[a-z0-9]{2,}")
_COMMON_WORDS = frozenset({
    "service", "svc", "deployment", "deploy", "app", "application", "server", "statefulset", "pod", "policy", "pdb",
    "network", "allow", "deny", "true", "false", "kubernetes", "k8s", "production", "prod", "staging", "dev", "none",
})  # fmt: skip
_COMMON_KEYS = ("app.kubernetes.io/", "k8s-app")
_BUILT_IN = frozenset(f"k8s.{kind.lower()}" for kind in BUILT_IN_KINDS) | {
    "k8s.podspec", "k8s.container", "k8s.initcontainer", "k8s.rollout",
}  # fmt: skip


@dataclass(slots=True)
class _Pods:
    """Pod templates by label, and by folder, namespace and name; `open` are those with labels that are not known."""

    by_label: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)
    open: list[Resource] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    by_place: dict[tuple[str, str], list[Resource]] = field(default_factory=dict)


class Selection(NamedTuple):
    """The `k8s.podspec` that a selector surely selects, and those that it may select."""

    sure: tuple[Resource, ...]
    maybe: tuple[Resource, ...]


def select(selector: Node, owner: Resource, repository: Repository) -> Selection:
    """The pods of the whole repository that a selector of `owner` selects in its namespace.

    Labels that only controllers set (`statefulset.kubernetes.io/pod-name`) count as present.
    """
    pods = repository.memo("checks.pods_by_label", _index)
    wanted = _without_controller_labels(selector)
    candidates = repository.of_kind("k8s.podspec")
    for key, value in selector_pairs(wanted).items():
        if not isinstance(value.value, (Unknown, dict, tuple)):
            candidates = [*pods.by_label.get((key, str(value.value)), ()), *pods.open]
            break
    found: list[Resource] = []
    sure: set[int] = set()
    for pod in candidates:
        if pod.parent is None or not same_namespace(owner, pod.parent):
            continue
        answer = selector_matches(wanted, pod_labels(pod))
        if answer is not False:
            found.append(pod)
        if answer:
            sure.add(id(pod))
    found = together(found, owner, repository)
    return Selection(tuple(pod for pod in found if id(pod) in sure), tuple(pod for pod in found if id(pod) not in sure))


def near_misses(owner: Resource, selector: Node, repository: Repository) -> tuple[Resource, ...] | Cannot | Skip:
    """What a selector that selects no pod was meant to select, the likeliest first.

    Pods may come from elsewhere, so that only those of the same folder or namespace that are called alike show that
    the selector is wrong. Otherwise the answer is why it cannot be told.
    """
    if not repository.of_kind("k8s.podspec"):
        return Skip("no workloads are in the repository")
    unknown = next((value for value in selector_pairs(selector).values() if value.is_unknown), None)
    if unknown is not None:
        return cannot(unknown)
    words = telling_words(name_of(owner), *(str(value.scalar) for value in selector_pairs(selector).values()))
    near = [pod for pod in _beside(owner, repository) if pod.path == owner.path or words & _words_of(pod)]
    if not near:
        return Cannot(selector.anchor, "no workload beside it is called alike: its pods may come from elsewhere")
    because = _made_by_operator(selector, repository)
    if because:
        return Cannot(selector.anchor, because)
    sure = any(pod.path == owner.path or name_of(pod) == name_of(owner) for pod in near)
    doubt = (origins.changes if sure else origins.additions)(owner, repository) or next(
        (found for pod in near if (found := origins.changes(pod, repository))), None
    )
    folder = posixpath.dirname(owner.path)
    return doubt or tuple(
        sorted(near, key=lambda pod: (-len(words & _words_of(pod)), posixpath.dirname(pod.path) != folder))
    )


def meant_places(pods: Iterable[Resource]) -> tuple[tuple[Span, str], ...]:
    """The labels of the first pods, as the other ends of a finding."""
    return tuple(
        (labels_place(pod), f"{workload_of(pod)} has {labels_in_words(pod_labels(pod))}") for pod in islice(pods, 2)
    )


def workload_of(pod: Resource) -> str:
    """The address of the workload that a pod belongs to."""
    return pod.parent.address if pod.parent is not None else pod.address


def _made_by_operator(selector: Node, repository: Repository) -> str:
    """Why the pods of `selector` may be made by a controller of custom resources; empty when nothing says so."""
    keys = repository.memo("checks.pods_by_label", _index).keys
    custom = repository.memo("checks.custom_labels", _custom_labels)
    for key, value in selector_pairs(selector).items():
        if (key, str(value.scalar)) in custom:
            return f"{custom[key, str(value.scalar)]} has the label {key}={value.scalar} and may make such pods"
        if "/" in key and key not in keys and not key.startswith(_COMMON_KEYS) and key not in _SET_BY_CONTROLLERS:
            return f"no pod template here has the label {key}: an operator may set it"
    return ""


def is_custom(resource: Resource) -> bool:
    """Whether the object is of a kind that Kubernetes itself does not have."""
    return resource.kind not in _BUILT_IN


def labels_in_words(labels: Labels) -> str:
    """`app=web, tier=api`, shortened."""
    if isinstance(labels, Unknown):
        return "labels known only at deploy time"
    shown = ", ".join(f"{key}={_written(value)}" for key, value in islice(labels.items(), 4))
    return f"{shown}, …" if len(labels) > 4 else shown or "no labels"


def selector_pairs(selector: Node) -> Mapping[str, Node]:
    """The labels that a LabelSelector or the plain map of a Service asks for by value."""
    if "matchLabels" in selector.mapping or "matchExpressions" in selector.mapping:
        return selector.mapping_at("matchLabels")
    return selector.mapping


def selector_in_words(selector: Node) -> str:
    """`app=web, tier In (api, web)`, shortened."""
    words = [labels_in_words(pairs)] if (pairs := selector_pairs(selector)) else []
    for expression in selector.items_at("matchExpressions")[:3]:
        values = ", ".join(_written(value) for value in expression.items_at("values")[:3])
        words.append(f"{expression.text_at('key')} {expression.text_at('operator')} ({values})".removesuffix(" ()"))
    return ", ".join(words) or "every pod"


def labels_place(pod: Resource) -> Span:
    """Where the labels of a pod are written, else the object."""
    labels = pod_labels(pod)
    first = next(iter(labels.values()), None) if isinstance(labels, Mapping) else None
    return first.anchor if first is not None else place_of(pod.parent or pod)


def _written(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else str(node.scalar)


def _index(repository: Repository) -> _Pods:
    pods = _Pods()
    for pod in repository.of_kind("k8s.podspec"):
        for place in _places(pod):
            pods.by_place.setdefault(place, []).append(pod)
        labels = pod_labels(pod)
        if isinstance(labels, Unknown):
            pods.open.append(pod)
            continue
        pods.keys.update(labels)
        unknown = any(value.is_unknown or "{{" in key or "${" in key for key, value in labels.items())
        if unknown or isinstance(labels, OpenMapping):
            pods.open.append(pod)
            continue
        for key, value in labels.items():
            pods.by_label.setdefault((key, str(value.scalar)), []).append(pod)
    return pods


def _without_controller_labels(selector: Node) -> Node:
    if _SET_BY_CONTROLLERS.isdisjoint(selector.mapping) and _SET_BY_CONTROLLERS.isdisjoint(
        selector.mapping_at("matchLabels")
    ):
        return selector
    kept: dict[str, Node] = {}
    for key, value in selector.mapping.items():
        if key == "matchLabels":
            value = _without_controller_labels(value)  # one level down, never more
        if key not in _SET_BY_CONTROLLERS:
            kept[key] = value
    return Node(kept, selector.source, selector.start, selector.end, selector.key_start, selector.key_end)


def telling_words(*texts: str) -> set[str]:
    """The telling words of names: `payment-service` is about payment."""
    return {word for text in texts for word in _WORD.findall(text.lower()) if word not in _COMMON_WORDS}


def _words_of(pod: Resource) -> set[str]:
    labels = pod_labels(pod)
    known = () if isinstance(labels, Unknown) else tuple(str(value.scalar) for value in labels.values())
    return telling_words(name_of(pod), *known)


def _beside(owner: Resource, repository: Repository) -> list[Resource]:
    """The pods of the same folder, namespace or name."""
    by_place = repository.memo("checks.pods_by_label", _index).by_place
    found = {id(pod): pod for place in _places(owner) for pod in by_place.get(place, ())}
    return together((pod for pod in found.values() if same_namespace(owner, pod)), owner, repository)


def _places(resource: Resource) -> list[tuple[str, str]]:
    places = [("folder", posixpath.dirname(resource.path)), ("name", name_of(resource))]
    namespace = namespace_of(resource)
    return [*places, ("namespace", namespace)] if namespace else places


def _custom_labels(repository: Repository) -> dict[tuple[str, str], str]:
    """The labels in the specs of custom resources, with the address of the first that has each."""
    found: dict[tuple[str, str], str] = {}
    for resource in repository.of_technology("k8s"):
        if resource.parent is not None or not is_custom(resource):
            continue
        spec = resource.node.get("spec")
        for node in spec.walk() if spec is not None else ():
            for key, value in node.mapping_at("labels").items():
                if isinstance(value.scalar, str):
                    found.setdefault((key, value.scalar), resource.address)
    return found
