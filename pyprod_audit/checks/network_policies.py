"""Which pods anything in the cluster may connect to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_selection import meant_places, near_misses, select, selector_in_words, workload_of
from pyprod_audit.model import Repository, Resource
from pyprod_audit.model.kubernetes import name_of, namespace_of, place_of

_RUNNING = frozenset({
    "k8s.deployment", "k8s.statefulset", "k8s.daemonset", "k8s.replicaset", "k8s.replicationcontroller", "k8s.rollout",
    "k8s.deploymentconfig",
})  # fmt: skip
# Policies of other systems; what they select is not looked at.
_OTHERS = (
    "k8s.ciliumnetworkpolicy", "k8s.ciliumclusterwidenetworkpolicy", "k8s.globalnetworkpolicy",
    "k8s.networkpolicy.crd.projectcalico.org", "k8s.networkpolicy.projectcalico.org", "k8s.adminnetworkpolicy",
    "k8s.baselineadminnetworkpolicy", "k8s.clusternetworkpolicy", "k8s.authorizationpolicy", "k8s.clusterpolicy",
    "k8s.networkpolicy.policy.networking.k8s.io", "k8s.antreanetworkpolicy",
)  # fmt: skip
_SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
_SHOWN = 4


@dataclass(slots=True)
class _Coverage:
    """Which pods the policies select (`sure`), may select (`maybe`) or miss by a slip; where they select all pods."""

    sure: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)
    missed: set[int] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)

    def of(self, pod: Resource) -> bool | None:
        """Whether a policy selects the pod; None when that cannot be told."""
        namespace = namespace_of(pod)
        if id(pod) in self.sure or namespace in self.namespaces or "" in self.namespaces:
            return True
        return None if id(pod) in self.maybe or (not namespace and self.namespaces) else False


def policy_gaps(subject: Repository | Resource, context: Context) -> Outcomes:
    """A NetworkPolicy that selects nothing; workloads that no policy selects, by namespace."""
    if isinstance(subject, Repository):
        yield from _open_workloads(subject)
    else:
        yield from _selects_nothing(subject, context.repository)


def _selects_nothing(policy: Resource, repository: Repository) -> Outcomes:
    selector = policy.node.get("spec.podSelector")
    if selector is not None and selector.is_unknown:
        yield cannot(selector)
        return
    if selector is None or not selector.mapping:
        yield Skip("it selects every pod of its namespace")
        return
    selection = select(selector, policy, repository)
    if selection.sure:
        return
    if selection.maybe:
        yield Cannot(selector.anchor, "labels of pods are known only at deploy time")
        return
    near = near_misses(policy, selector, repository)
    if not isinstance(near, tuple):
        yield near
        return
    yield Hit(
        selector.anchor,
        {"selector": selector_in_words(selector)},
        meant_places(near),
        message="{address} selects {selector}, which no pod has: it protects nothing",
    )


def _open_workloads(repository: Repository) -> Outcomes:
    pods = list(_pods(repository))
    if not pods:
        yield Skip("no workloads are in the repository")
        return
    others = [one for one in repository.of_kind(*_OTHERS) if _is_about_traffic(one)]
    if others:
        yield Cannot(place_of(others[0]), f"what {others[0].address} allows is not evaluated")
        return
    supply = origins.supplies(repository)
    if supply:
        yield Cannot(pods[0].node.anchor, supply)
        return
    policies = repository.of_kind("k8s.networkpolicy")
    coverage = _coverage(policies, repository)
    by_namespace: dict[str, list[Resource]] = {}
    for pod in pods:
        if id(pod) in coverage.missed:
            continue  # the finding is the policy that was meant to select it
        answer = coverage.of(pod)
        doubt = origins.changes(pod, repository) if answer is False else None
        if doubt or answer is None:
            yield doubt or Cannot(pod.node.anchor, "selector or labels are known only at deploy time")
        elif answer is False:
            by_namespace.setdefault(namespace_of(pod), []).append(pod)
    if not policies:
        open_pods = [pod for found in by_namespace.values() for pod in found]
        if open_pods:
            yield _one_for(open_pods, "repository", "the repository has no NetworkPolicy")
        return
    guarded = {namespace_of(policy) for policy in policies}
    for namespace, found in by_namespace.items():
        if namespace in guarded or (not namespace and guarded):
            for pod in found:
                yield _one_for([pod], workload_of(pod), "NetworkPolicies select others of its namespace, but not it")
        else:
            yield _one_for(found, f"namespace/{namespace}", f"namespace {namespace} has no NetworkPolicy")


def _is_about_traffic(policy: Resource) -> bool:
    """Whether the policy may guard pods; one of Kyverno does when it generates NetworkPolicies."""
    return policy.kind != "k8s.clusterpolicy" or "NetworkPolicy" in policy.node.span.text


def _one_for(pods: Sequence[Resource], address: str, because: str) -> Hit:
    pods = sorted(pods, key=lambda pod: (pod.path.count("/"), pod.path))
    first = pods[0]
    owner = first.parent or first
    name = owner.node.get("metadata.name")
    names = [name_of(pod) for pod in pods]
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    related = tuple((place_of(pod.parent or pod), workload_of(pod)) for pod in pods[1:_SHOWN])
    return Hit(
        name.span if name is not None else owner.node.anchor, {"workloads": shown, "because": because}, related, address
    )


def _pods(repository: Repository) -> Iterator[Resource]:
    """The pods that run for ever in a network of their own; one of each workload and namespace."""
    seen: set[tuple[str, str]] = set()
    for pod in sorted(repository.of_kind("k8s.podspec"), key=lambda pod: pod.path.count("/")):
        if pod.parent is None or pod.parent.kind not in _RUNNING:
            continue
        host_network = pod.node.get("hostNetwork")
        namespace = namespace_of(pod)
        key = (workload_of(pod), namespace)
        if (host_network is not None and host_network.scalar is True) or namespace in _SYSTEM or key in seen:
            continue
        seen.add(key)
        yield pod


def _coverage(policies: Sequence[Resource], repository: Repository) -> _Coverage:
    found = _Coverage()
    for policy in policies:
        selector = policy.node.get("spec.podSelector")
        if selector is None or not (selector.mapping or selector.is_unknown):
            found.namespaces.add(namespace_of(policy))
            continue
        selection = select(selector, policy, repository)
        found.sure.update(map(id, selection.sure))
        found.maybe.update(map(id, selection.maybe))
        if not selection.sure and not selection.maybe:
            near = near_misses(policy, selector, repository)
            if isinstance(near, tuple):
                found.missed.update(map(id, near[:1]))
    return found
