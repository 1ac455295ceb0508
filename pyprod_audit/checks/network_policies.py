"""Which pods anything in the cluster may connect to."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Which pods the policies select (`sure`), may select (`maybe`) or miss by a slip.

    `namespaces` are those where they select all pods, with the variant of the policy.
    """

    sure: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)
    missed: set[int] = field(default_factory=set)
    namespaces: set[tuple[str, str]] = field(default_factory=set)

    def of(self, pod: Resource) -> bool | None:
        """Whether a policy selects the pod; None when that cannot be told."""
        namespace = namespace_of(pod)
        whole = {name for variant, name in self.namespaces if not variant or variant == pod.variant}
        if id(pod) in self.sure or namespace in whole or "" in whole:
            return True
        return None if id(pod) in self.maybe or (not namespace and whole) else False


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
    groups = _pods(repository)
    if not groups:
        yield Skip("no workloads are in the repository")
        return
    others = [one for one in repository.of_kind(*_OTHERS) if _is_about_traffic(one)]
    if others:
        yield Cannot(place_of(others[0]), f"what {others[0].address} allows is not evaluated")
        return
    policies = repository.of_kind("k8s.networkpolicy")
    coverage = _coverage(policies, repository)
    unguarded: list[Resource] = []
    told: set[str] = set()
    for copies in groups:
        pod = copies[0]
        if any(id(copy) in coverage.missed for copy in copies):
            continue  # the finding is the policy that was meant to select it
        answers = {coverage.of(copy) for copy in copies}
        answer = True if True in answers else None if None in answers else False
        supply = origins.supplies(repository, pod) if answer is False else ""
        doubt = origins.changes(pod, repository) if answer is False else None
        if supply:
            if supply not in told:
                yield Cannot(pod.node.anchor, supply)
            told.add(supply)
        elif doubt or answer is None:
            yield doubt or Cannot(pod.node.anchor, "selector or labels are known only at deploy time")
        elif answer is False:
            unguarded.append(pod)
    if policies:
        yield from _by_namespace(unguarded, policies)
    elif unguarded:
        yield _one_for(unguarded, "repository", "the repository has no NetworkPolicy")


def _by_namespace(unguarded: Sequence[Resource], policies: Sequence[Resource]) -> Outcomes:
    """One finding for each pod beside others that are guarded, and one for each namespace or chart without policies."""
    together: dict[tuple[str, str], list[Resource]] = {}
    for pod in unguarded:
        namespace = namespace_of(pod)
        guarded = {namespace_of(one) for one in policies if not one.variant or one.variant == pod.variant}
        if namespace in guarded or (not namespace and guarded):
            yield _one_for([pod], workload_of(pod), "NetworkPolicies select others of its namespace, but not it")
        else:
            together.setdefault((namespace, "" if namespace else pod.variant), []).append(pod)
    for (namespace, variant), found in together.items():
        address, where = (variant, variant) if variant else (f"namespace/{namespace}", f"namespace {namespace}")
        yield _one_for(found, address, f"{where} has no NetworkPolicy")


def _is_about_traffic(policy: Resource) -> bool:
    """Whether the policy may guard pods; one of Kyverno does when it generates NetworkPolicies."""
    return policy.kind != "k8s.clusterpolicy" or "NetworkPolicy" in policy.node.span.text


def _one_for(pods: Sequence[Resource], address: str, because: str) -> Hit:
    pods = sorted(pods, key=lambda pod: (pod.path.count("/"), pod.path))
    first = pods[0]
    owner = first.parent or first
    name = owner.node.get("metadata.name")
    names = list(dict.fromkeys(name_of(pod) for pod in pods))
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    related = tuple((place_of(pod.parent or pod), workload_of(pod)) for pod in pods[1:_SHOWN])
    return Hit(
        name.span if name is not None else owner.node.anchor, {"workloads": shown, "because": because}, related, address
    )


def _pods(repository: Repository) -> list[list[Resource]]:
    """The pods that run for ever in a network of their own, by workload and namespace.

    What is written in one place and deployed in several ways is one workload: some of them may turn a policy on.
    """
    found: dict[tuple[str, str, str], list[Resource]] = {}
    for pod in sorted(repository.of_kind("k8s.podspec"), key=lambda pod: pod.path.count("/")):
        if pod.parent is None or pod.parent.kind not in _RUNNING:
            continue
        host_network = pod.node.get("hostNetwork")
        namespace = namespace_of(pod)
        if (host_network is not None and host_network.scalar is True) or namespace in _SYSTEM:
            continue
        place = f"{pod.path}:{pod.node.start}" if pod.variant else ""
        found.setdefault((workload_of(pod) if not place else "", namespace, place), []).append(pod)
    return list(found.values())


def _coverage(policies: Sequence[Resource], repository: Repository) -> _Coverage:
    found = _Coverage()
    for policy in policies:
        selector = policy.node.get("spec.podSelector")
        if selector is None or not (selector.mapping or selector.is_unknown):
            found.namespaces.add((policy.variant, namespace_of(policy)))
            continue
        selection = select(selector, policy, repository)
        found.sure.update(map(id, selection.sure))
        found.maybe.update(map(id, selection.maybe))
        if not selection.sure and not selection.maybe:
            near = near_misses(policy, selector, repository)
            if isinstance(near, tuple):
                found.missed.update(map(id, near[:1]))
    return found
