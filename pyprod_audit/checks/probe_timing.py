"""Probes whose timing contradicts what is declared beside them.

Only contradictions that the files prove: how long an application takes to start, or to answer under load, is not in
them. Defaults: Kubernetes, "Configure Probes" (period 10 s, timeout 1 s, failure threshold 3, initial delay 0).
"""

from __future__ import annotations

from typing import NamedTuple

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.probe_view import asks_application, http_probes
from pyprod_audit.checks.workload_view import present
from pyprod_audit.model import Node, Service
from pyprod_audit.model.units import in_words

_DEFAULTS = {"initialDelaySeconds": 0.0, "periodSeconds": 10.0, "timeoutSeconds": 1.0, "failureThreshold": 3.0}


class Timing(NamedTuple):
    """The numbers of a probe, defaults filled in."""

    delay: float
    period: float
    timeout: float
    failures: float

    @property
    def patience(self) -> float:
        """Seconds from the first failure to the last one that counts, and its timeout."""
        return (self.failures - 1) * self.period + self.timeout

    @property
    def in_words(self) -> str:
        """`2 × 5 s + 1 s`."""
        return f"{self.failures - 1:g} × {in_words(self.period)} + {in_words(self.timeout)} timeout"


def contradictions(service: Service, context: Context) -> Outcomes:
    """A liveness probe that restarts a container which does what its own settings allow."""
    container = service.container
    probe = present(container.node, "livenessProbe") if container is not None else None
    if container is None or probe is None:
        yield Skip("no liveness probe")
        return
    timing = _timing(probe)
    if not isinstance(timing, Timing):
        yield cannot(timing)
        return
    if any(patch_that_sets(container, key, context.repository) for key in _DEFAULTS):
        yield Skip("a patch changes the timing")
        return
    address = f"{container.address}/livenessProbe"
    yield from _before_ready(container.node, probe, timing, address)
    yield from _during_request(service, probe, timing, address)


def _before_ready(container: Node, probe: Node, timing: Timing, address: str) -> Outcomes:
    """Liveness has failed for good before readiness asks for the first time."""
    readiness = present(container, "readinessProbe")
    if readiness is None or present(container, "startupProbe") is not None:
        return
    ready = _timing(readiness)
    if not isinstance(ready, Timing):
        return
    restarted = timing.delay + timing.patience
    if ready.delay > restarted:
        values = {
            "address": address, "delay": in_words(ready.delay), "restarted": in_words(restarted),
            "sum": f"{in_words(timing.delay)} delay + {timing.in_words}",
        }  # fmt: skip
        node = readiness.get("initialDelaySeconds") or readiness
        yield Hit(probe.key or probe.anchor, values, ((node.anchor, f"the application is given {values['delay']}"),),
                  address=address)  # fmt: skip


def _during_request(service: Service, probe: Node, timing: Timing, address: str) -> Outcomes:
    """The only worker is busy with a request that it may take, and the probe does not wait that long."""
    process, container = service.process, service.container
    if process is None or container is None or process.server != "gunicorn":
        return
    mine = [one for one in http_probes(container) if one.field == "livenessProbe" and asks_application(one, service)]
    kind, workers = service.fact("app.worker_class"), service.fact("app.workers")
    threads, limit = service.fact("app.threads"), service.fact("app.timeout")
    if not mine or kind is None or workers is None or threads is None or limit is None:
        return
    alone = kind.value == "sync" and workers.number == 1 and threads.number == 1 and not workers.label
    # one probe may come just after the request began, so that a whole period more passes
    if alone and limit.number > timing.patience + timing.period:
        default = "" if limit.declared else ", the default"
        message = (
            "{address} gives up after {sum} = {patience}, and gunicorn's only worker may be busy with one request for "
            "{limit}: it is restarted in the middle of it"
        )
        values = {
            "sum": timing.in_words, "patience": in_words(timing.patience),
            "limit": f"{in_words(limit.number)} (timeout{default})", "address": address,
        }  # fmt: skip
        yield Hit(probe.key or probe.anchor, values, ((limit.span, "how long a request may take"),),
                  address=f"{address}/busy", message=message)  # fmt: skip


def _timing(probe: Node) -> Timing | Node:
    """The numbers of a probe, or the one that is not known."""
    numbers = []
    for key, default in _DEFAULTS.items():
        node = present(probe, key)
        if node is None:
            numbers.append(default)
        elif isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            numbers.append(float(node.value))
        else:
            return node
    return Timing(*numbers)
