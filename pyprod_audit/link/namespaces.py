"""Namespaces: their labels, and which of them and of their pods a selector reaches."""

from __future__ import annotations

from typing import Final

from pyprod_audit.link.network import nearest
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, OpenMapping, Repository, Resource, Unknown
from pyprod_audit.model.kubernetes import Labels, labels_of, name_of, namespace_of, pod_labels, selector_matches

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The label that every namespace has, with its own name:
https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name."""


def labels_of_namespace(name: str, beside: Resource, repository: Repository) -> Labels:
    """The labels of a namespace, as far as they are known.

    Args:
        name: of the namespace; empty when it is not known.
        beside: something that is deployed into it: of several objects of the name the one that lies with it counts.
        repository: where the Namespace may be.
    """
    place = beside.node
    if not name:
        return Unknown("the namespace", "which namespace it is deployed into is not known")
    own = Node(name, place.source, place.start, place.end)
    named = [one for one in repository.of_kind("k8s.namespace") if name_of(one) == name]
    found = nearest(together(named, beside, repository), beside)
    if not found:
        rest = Unknown("labels", f"the Namespace {name} is not in the repository")
        return OpenMapping({NAME_LABEL: own}, Node(rest, place.source, place.start, place.end))
    labels = labels_of(found[0])
    if isinstance(labels, Unknown):
        return labels
    known = {**labels, NAME_LABEL: own}
    return OpenMapping(known, labels.rest) if isinstance(labels, OpenMapping) else known


def peer_matches(peer: Node, policy: Resource, pod: Resource, repository: Repository) -> bool | None:
    """Whether a member of `from` or `to` of a NetworkPolicy means a pod.

    Args:
        peer: with a `podSelector`, a `namespaceSelector`, or both, which must then match both. Without a
            `namespaceSelector` only pods of the policy's own namespace are meant. An `ipBlock` means no pod.
        policy: that it stands in.
        pod: a `k8s.podspec`.
        repository: where the Namespace of the pod may be.

    Returns:
        None when the answer hangs on what exists only at deploy time.
    """
    if peer.is_unknown:
        return None
    pods, namespaces = peer.get("podSelector"), peer.get("namespaceSelector")
    if pods is None and namespaces is None:
        return False
    if namespaces is None or namespaces.value is None:
        own, other = namespace_of(policy), namespace_of(pod)
        there: bool | None = own == other if own and other else None if own != other else True
    else:
        there = selector_matches(namespaces, labels_of_namespace(namespace_of(pod), pod, repository))
    here = selector_matches(pods, pod_labels(pod)) if pods is not None and pods.value is not None else True
    if there is False or here is False:
        return False
    return None if there is None or here is None else True
