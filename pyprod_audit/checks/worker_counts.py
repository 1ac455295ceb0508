"""How many requests a WSGI server works on at a time, and whether its CPU fits."""

from __future__ import annotations

import math

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.service_view import address_at, certain, in_words, serving
from pyprod_audit.link.environment import environment
from pyprod_audit.link.workloads import autoscalers
from pyprod_audit.model import Fact, Node, Process, Repository, Resource, Service, Unknown
from pyprod_audit.model.kubernetes import place_of
from pyprod_audit.model.patterns import lazy

_CPU_COUNT = lazy(r"\bcpu_count\(")
_WORD = lazy(r"[A-Za-z_]\w{0,80}")
_VARIABLE = lazy(r"(?:environ(?:\.get\(|\[)|getenv\()\s{0,9}[\"'](\w{1,80})")
_STEPS = 4


def single_worker(service: Service, context: Context) -> Outcomes:
    """One process with one thread in one pod: one slow request holds up everybody."""
    process = serving(service)
    if isinstance(process, Skip) or process.server not in ("gunicorn", "uwsgi"):
        yield process if isinstance(process, Skip) else Skip("it runs neither gunicorn nor uWSGI")
        return
    elsewhere = _scaled_out(service, context.repository)
    if elsewhere is not None:
        yield elsewhere
        return
    if process.server == "gunicorn":
        worker = certain(service, "app.worker_class")
        if isinstance(worker, Fact) and worker.value not in ("sync", "gthread"):
            return
        if isinstance(worker, Unknown):
            yield Cannot(process.span, in_words(worker))
            return
    counts = [certain(service, f"app.{name}") for name in ("workers", "threads")]
    for count in counts:
        if isinstance(count, Fact) and count.value != 1:
            return
    for count in counts:
        if not isinstance(count, Fact):
            yield Cannot(process.span, in_words(count, "its workers are not known"))
            return
    workers, _ = counts
    span = workers.span if isinstance(workers, Fact) and workers.declared else process.span
    replicas = service.fact("k8s.replicas")
    pods = " in 1 pod" if replicas is not None else ""
    related = ((replicas.span, "1 replica"),) if replicas is not None else ()
    yield Hit(span, {"server": process.server, "pods": pods}, related, address_at(service, span, "workers"))


def _scaled_out(service: Service, repository: Repository) -> Cannot | Skip | None:
    """Why other pods share the work, or may."""
    if service.workload is None:
        return None
    replicas = service.facts.get("k8s.replicas")
    if replicas is None:
        return Skip("replicas do not tell how many pods there are")
    if autoscalers(service.workload, repository):
        return Skip("an autoscaler adds pods")
    if isinstance(replicas, Unknown):
        return Cannot(place_of(service.workload), in_words(replicas))
    if replicas.number != 1:
        return Skip("several pods share the work")
    patch = patch_that_sets(service.workload, "replicas", repository)
    if patch:
        return Cannot(replicas.span, f"{patch} sets the replicas")
    return origins.changes(service.workload, repository)


def too_many_workers(service: Service, context: Context) -> Outcomes:
    """More worker processes than the CPU limit carries, or as many as the node has cores."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    limit = service.facts.get("k8s.cpu_limit")
    if limit is None or "app.workers" not in service.facts:
        yield Skip("it has no CPU limit or no worker processes")
        return
    workers = certain(service, "app.workers")
    if isinstance(workers, Unknown):
        yield from _by_cores(service, process, workers, limit, context.repository)
        return
    if isinstance(limit, Unknown) or workers is None:
        yield Cannot(process.span, "the CPU limit is known only at deploy time")
        return
    per_core, threads_per_core = int(context.params["workers_per_core"]), int(context.params["threads_per_core"])
    threads = service.fact("app.threads")
    each = int(threads.number) if threads is not None else 1
    most = max(per_core * limit.number, 2 * math.ceil(limit.number) + 1)
    total = int(workers.number) * each
    if workers.number <= most and total <= max(threads_per_core * limit.number, most):
        return
    shown = f"{workers.value:g} workers" + (f" x {each} threads = {total}" if each > 1 else "")
    span = workers.span
    yield Hit(
        span, {"workers": shown, "limit": f"{limit.value:g}", "most": f"{most:g}"},
        ((limit.span, f"CPU limit {limit.value:g}"),), address_at(service, span, "workers"),
    )  # fmt: skip


def _by_cores(
    service: Service, process: Process, workers: Unknown, limit: Fact | Unknown, repository: Repository
) -> Outcomes:
    """`workers = cpu_count() * 2 + 1`: the count is that of the node, whatever the container may use."""
    place = process.config.node.get("assignments.workers") if process.config is not None else None
    if place is None or process.config is None or not _counts_cores(workers.expression, process.config):
        yield Cannot(process.span, in_words(workers))
        return
    env = environment(service.image, service.container, repository)
    for name in (*_VARIABLE.findall(workers.expression), "PYTHON_CPU_COUNT"):
        if name in env.variables:
            yield Cannot(place.span, f"{name} is set")
            return
        if name != "PYTHON_CPU_COUNT" and not env.excludes(name):
            yield Cannot(place.span, f"{name} may be set at deploy time")
            return
    cpu = f"{limit.value:g}" if isinstance(limit, Fact) else "less"
    related = ((limit.span, f"CPU limit {cpu}"),) if isinstance(limit, Fact) else ()
    message = (
        "workers = {workers} counts the cores of the node, not the CPU limit of {limit}: on a node with 32 cores it "
        "starts dozens of processes"
    )
    yield Hit(
        place.span, {"workers": " ".join(workers.expression.split())[:60], "limit": cpu}, related,
        address_at(service, place.span, "workers"), message,
    )  # fmt: skip


def _counts_cores(expression: str, config: Resource) -> bool:
    """Whether an expression of the configuration comes from `cpu_count()` and nothing caps it."""
    assignments = config.node.mapping_at("assignments")
    text = expression
    for _ in range(_STEPS):
        if "min(" in text:
            return False
        if _CPU_COUNT.search(text):
            return True
        texts = [_written(assignments[name]) for name in dict.fromkeys(_WORD.findall(text)) if name in assignments]
        text = " ".join(texts)
        if not text:
            return False
    return False


def _written(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else str(node.scalar)
