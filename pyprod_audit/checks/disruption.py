"""PodDisruptionBudgets: what a drained node may take away, and what it can never get rid of.

How budgets are counted: https://kubernetes.io/docs/tasks/run-application/configure-pdb/ (percentages are rounded up).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_selection import meant_places, near_misses, select, selector_in_words, workload_of
from pyprod_audit.checks.rollout import Replicas, least_replicas
from pyprod_audit.checks.traffic import services_for
from pyprod_audit.link.network import nearest
from pyprod_audit.model import Node, Repository, Resource, Span
from pyprod_audit.model.kubernetes import namespace_of, place_of
from pyprod_audit.model.units import percentage

_SCALED = ("k8s.deployment", "k8s.statefulset", "k8s.replicaset", "k8s.replicationcontroller", "k8s.rollout")


def budget_gaps(subject: Resource, context: Context) -> Outcomes:
    """A budget that selects nothing or allows no eviction; a workload of several replicas without any budget."""
    if subject.kind == "k8s.poddisruptionbudget":
        yield from _budget(subject, context.repository)
    else:
        yield from _unprotected(subject, context.repository)


def _unprotected(workload: Resource, repository: Repository) -> Outcomes:
    outcome, first = repository.memo("checks.unprotected", _all_unprotected)[id(workload)]
    if outcome is None:
        return
    if first is not workload:
        yield Skip(f"a copy of it in {first.path} is judged")
    else:
        yield outcome


def _all_unprotected(repository: Repository) -> Mapping[int, tuple[Hit | Cannot | Skip | None, Resource]]:
    """The verdict on each workload, and which of several copies of it gets the finding."""
    covered = _covered(repository)
    found: dict[int, tuple[Hit | Cannot | Skip | None, Resource]] = {}
    firsts: dict[tuple[str, str], Resource] = {}
    for workload in repository.of_kind(*_SCALED):
        outcome = _judge(workload, covered, repository)
        first = workload
        if isinstance(outcome, Hit):
            first = firsts.setdefault((workload.address, namespace_of(workload)), workload)
        found[id(workload)] = (outcome, first)
    return found


def _judge(workload: Resource, covered: Mapping[int, bool], repository: Repository) -> Hit | Cannot | Skip | None:
    pod = next(iter(repository.children(workload, "k8s.podspec")), None)
    services = services_for(pod, repository) if pod is not None else []
    if pod is None or not services:
        return Skip("no Service sends requests to it")
    known = covered.get(id(pod))
    if known is not None:
        return None if known else Cannot(pod.node.anchor, "selector or labels are known only at deploy time")
    replicas = least_replicas(workload, repository)
    if not isinstance(replicas, Replicas):
        return replicas
    if replicas.number < 2:
        return Skip("it has one replica")
    doubt = origins.additions(workload, repository)
    if doubt:
        return doubt
    name = workload.node.get("metadata.name") or workload.node
    here = replicas.span.file is workload.source
    related = ((place_of(services[0]), "sends requests to it"),)
    return Hit(
        replicas.span if here else name.anchor,
        {"replicas": replicas.number, "service": services[0].address},
        related if here else (*related, (replicas.span, f"{replicas.label}: {replicas.number}")),
        message="{address} runs {replicas} replicas behind {service} without a PodDisruptionBudget: draining nodes may "
        "stop all of them at once",
    )


def _covered(repository: Repository) -> dict[int, bool]:
    """The pods that a budget surely (True) or maybe selects."""
    found: dict[int, bool] = {}
    for budget in repository.of_kind("k8s.poddisruptionbudget"):
        selector = budget.node.get("spec.selector")
        if selector is None:
            continue
        selection = select(selector, budget, repository)
        found.update((id(pod), found.get(id(pod), False)) for pod in selection.maybe)
        found.update((id(pod), True) for pod in selection.sure)
    return found


def _budget(budget: Resource, repository: Repository) -> Outcomes:
    selector = budget.node.get("spec.selector")
    if selector is not None and selector.is_unknown:
        yield cannot(selector)
        return
    if selector is None or (not selector.mapping and budget.node.text_at("apiVersion") == "policy/v1beta1"):
        doubt = origins.changes(budget, repository)
        place = selector if selector is not None else budget.node.get("spec") or budget.node
        yield doubt or Hit(place.anchor, message="{address} has no selector: it protects nothing")
        return
    selection = select(selector, budget, repository)
    if not selection.sure and not selection.maybe and selector.mapping:
        near = near_misses(budget, selector, repository)
        if isinstance(near, tuple):
            yield Hit(
                selector.anchor,
                {"selector": selector_in_words(selector)},
                meant_places(near),
                message="{address} selects {selector}, which no pod has: it protects nothing",
            )
        elif not _never(budget.node):
            yield near
            return
    yield from _blocking(budget, selection.sure, repository)


def _blocking(budget: Resource, pods: tuple[Resource, ...], repository: Repository) -> Outcomes:
    """Whether the budget allows no eviction even when every pod is healthy."""
    node = _never(budget.node)
    if node is not None:
        key = node.key.text if node.key is not None else "it"
        doubt = origins.changes(budget, repository)
        yield doubt or Hit(
            node.span,
            {"budget": budget.address, "setting": f"{key}: {node.scalar}"},
            address=f"{budget.address}/evictions",
            message="{budget}: {setting} allows no eviction at all: a drained node waits for ever",
        )
        return
    least = budget.node.get("spec.minAvailable")
    if least is None:
        return
    if least.is_unknown:
        yield cannot(least)
        return
    owners = list({workload_of(pod): pod for pod in nearest(pods, budget)}.values())
    if not owners or any(pod.parent is None or pod.parent.kind not in _SCALED for pod in owners):
        return
    total, parts = 0, []
    for pod in owners:
        replicas = least_replicas(pod.parent, repository) if pod.parent is not None else Cannot(None, "")
        if not isinstance(replicas, Replicas):
            yield replicas
            return
        total += replicas.number
        parts.append((replicas.span, f"{workload_of(pod)}: {replicas.number} ({replicas.label})"))
    needed = _needed(least, total)
    if needed is None or total == 0 or needed < total:
        return
    doubt = next((one for pod in owners if (one := origins.changes(pod, repository))), None)
    yield doubt or _too_many(budget, least, needed, total, parts)


def _too_many(budget: Resource, least: Node, needed: int, total: int, parts: list[tuple[Span, str]]) -> Hit:
    rounded = f" (of {total}: {needed})" if isinstance(least.scalar, str) else ""
    return Hit(
        least.span,
        {"budget": budget.address, "least": f"{least.scalar}{rounded}", "total": total},
        tuple(parts),
        f"{budget.address}/evictions",
        "{budget}: minAvailable {least} of the {total} replicas that run at least allows no eviction: a drained node "
        "waits for ever",
    )


def _never(budget: Node) -> Node | None:
    """The setting that forbids every eviction whatever runs: `maxUnavailable: 0`, `minAvailable: 100%`."""
    most, least = budget.get("spec.maxUnavailable"), budget.get("spec.minAvailable")
    if most is not None and most.scalar is not True and (most.scalar == 0 or percentage(most.scalar) == 0):
        return most if most.scalar is not False else None
    share = percentage(least.scalar) if least is not None else None
    return least if share is not None and share >= 1 else None


def _needed(least: Node, total: int) -> int | None:
    value = least.scalar
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    share = percentage(value)
    return None if share is None else math.ceil(round(share * total, 9))
