"""How long Compose waits for a service to stop, against how long its server takes."""

from __future__ import annotations

from pyprod_audit.checks.api import Cannot, Hit, Outcomes
from pyprod_audit.checks.service_view import certain
from pyprod_audit.model import Fact, Resource, Service
from pyprod_audit.model.units import duration, in_words

# https://docs.docker.com/reference/compose-file/services/#stop_grace_period
_DEFAULT_GRACE = 10.0


def grace_below_drain(service: Service, started: Resource) -> Outcomes:
    """A `stop_grace_period` after which Docker kills a server that is told to drain for longer.

    Two defaults that do not fit (gunicorn's 30 s) are nobody's decision and are not told.
    """
    drain = certain(service, "app.graceful_timeout")
    if not isinstance(drain, Fact) or service.process is None:
        return
    grace = started.node.get("stop_grace_period")
    if grace is not None and grace.is_unknown:
        yield Cannot(grace.anchor, "stop_grace_period is known only at deploy time")
        return
    if grace is None and not drain.declared:
        return
    try:
        seconds = _DEFAULT_GRACE if grace is None else duration(grace.scalar)
    except ValueError:
        return
    if drain.number <= seconds:
        return
    default = "" if grace is not None else ", the default"
    message = (
        "{server} drains for {drain}, but Docker kills the container {grace} after the stop signal: SIGKILL comes "
        "while requests still run"
    )
    values = {
        "server": service.process.server, "drain": in_words(drain.number),
        "grace": f"{in_words(seconds)} (stop_grace_period{default})",
    }  # fmt: skip
    place = grace.span if grace is not None else started.node.anchor
    yield Hit(
        place, values, ((drain.span, f"drains for {in_words(drain.number)}"),), f"{started.address}/stop_grace_period",
        message,
    )  # fmt: skip
