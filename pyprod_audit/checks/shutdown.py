"""What happens between the order to stop a pod and its end: preStop, draining, the grace period.

Order of events: Kubernetes, "Pod Lifecycle", "Termination of Pods": the grace period starts with the preStop hook; the
removal from the Services' endpoints runs beside it. Timeouts: gunicorn's settings `graceful_timeout` and `timeout`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.signals import SERVERS
from pyprod_audit.checks.traffic import sends_to, services_for
from pyprod_audit.checks.workload_view import image_name, is_one_shot, present
from pyprod_audit.model import Fact, Node, Repository, Resource, Service, Span, Unknown
from pyprod_audit.model.kubernetes import annotations_of, name_of, place_of
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.units import duration, in_words

# Servers that close their listening socket as soon as SIGTERM comes.
_CLOSE_AT_ONCE = frozenset({"gunicorn", "uvicorn", "fastapi run", "hypercorn", "daphne", "granian", "uwsgi"})
_NO_SHELL = lazy(
    r"(?:^|/)scratch$|gcr\.io/distroless/|(?:^|/)distroless(?:$|[/-])|cgr\.dev/chainguard/|^chainguard/|^dhi\.io/"
)
_SHELL_TAGS = ("debug", "dev")
_BRINGS_PROGRAMS = lazy(r"busybox|/sh(?:\s|$)|/bash|/sleep|/bin/?(?:\s|$)")
_INGRESS_TIMEOUT = "nginx.ingress.kubernetes.io/proxy-read-timeout"


def drain_missing(service: Service, context: Context) -> Outcomes:
    """A server that stops accepting at SIGTERM while a Service still sends it requests."""
    container, process = service.container, service.process
    if container is None or service.pod is None or process is None or process.server not in _CLOSE_AT_ONCE:
        yield Skip("no server that closes its socket at SIGTERM")
        return
    sender = sends_to(services_for(service.pod, context.repository), container, context.repository)
    if sender is None:
        yield Skip("no Service sends requests to it")
        return
    hook = present(container.node, "lifecycle", "preStop")
    if hook is not None:
        if hook.is_unknown:
            yield cannot(hook)
        return
    if process.signals is False:
        yield Skip("SIGTERM does not reach the server: it goes on accepting")
        return
    place = (container.node.get("name") or container.node).span
    patch = patch_that_sets(container, "preStop", context.repository)
    own = next(_sigterm_handlers(service), None)
    if patch:
        yield Cannot(place, f"{patch} sets a preStop hook")
    elif own is not None:
        yield Cannot(own, "the application handles SIGTERM itself and may wait")
    else:
        yield Hit(place, {"server": process.server, "service": sender.address, "container": container.address},
                  ((place_of(sender), "still sends requests"),), address=container.address)  # fmt: skip


def _sigterm_handlers(service: Service) -> Iterator[Span]:
    for module in service.modules:
        for handler in module.node.items_at("signal_handlers"):
            exits = handler.get("at_once")
            if handler.text_at("signal") == "SIGTERM" and (exits is None or exits.scalar is not True):
                yield handler.span.first_line


class Drain(NamedTuple):
    """The way from the preStop hook to SIGKILL: its parts in seconds, in words, and where they are written."""

    needed: float
    words: str
    grace: Fact
    related: tuple[tuple[Span, str], ...]


def drain_exceeds_grace(service: Service, context: Context) -> Outcomes:
    """The preStop hook and the server's own draining together take longer than the pod is given."""
    if service.container is None or service.workload is None or is_one_shot(service.workload):
        yield Skip("no pod that serves")
        return
    for name in ("k8s.termination_grace", "k8s.prestop"):
        unknown = service.unknown(name)
        if unknown is not None and (name != "k8s.prestop" or not _exceeds(service)):
            yield Cannot(service.container.node.anchor, unknown.because or f"{unknown.expression} is not known")
            return
    drain = _exceeds(service)
    if drain is None:
        return
    patch = patch_that_sets(service.container, "terminationGracePeriodSeconds", context.repository)
    if patch:
        yield Cannot(drain.grace.span, f"{patch} sets the grace period")
        return
    values = {"container": service.container.address, "sum": drain.words, "grace": _grace_in_words(drain.grace)}
    prestop = service.fact("k8s.prestop")
    message = ""
    if prestop is not None and prestop.number >= drain.grace.number:
        message = "{container}: {sum} uses up {grace}: the server is killed 2 s after it gets SIGTERM"
        values["sum"] = f"the preStop hook of {in_words(prestop.number)}"
    yield Hit(drain.grace.span, values, drain.related, address=service.container.address, message=message)


def _exceeds(service: Service) -> Drain | None:
    """The drain of a service when it does not fit into the grace period.

    Equal is enough: gunicorn itself kills its workers at the end of `graceful_timeout`.
    """
    grace = service.fact("k8s.termination_grace")
    if grace is None or grace.number <= 0:
        return None
    prestop, graceful = service.fact("k8s.prestop"), _graceful(service)
    needed, parts, related = 0.0, [], []
    if prestop is not None and prestop.number > 0:
        needed += prestop.number
        parts.append(f"preStop {in_words(prestop.number)}")
        related.append((prestop.span, f"takes {in_words(prestop.number)} of the grace period"))
    if graceful is not None:
        seconds, name, fact = graceful
        needed += seconds
        default = "" if fact.declared else " (the default)"
        parts.append(f"{name} {in_words(seconds)}{default}")
        related.append((fact.span, f"{name} is {in_words(seconds)}{default}"))
    over = needed > grace.number or (prestop is not None and prestop.number >= grace.number)
    if not over or not parts:
        return None
    total = f" = {in_words(needed)}" if len(parts) > 1 else ""
    return Drain(needed, f"{' + '.join(parts)}{total}", grace, tuple(related))


def _graceful(service: Service) -> tuple[float, str, Fact] | None:
    """How long the server may drain: its graceful timeout, or less when no request may take that long."""
    fact, process = service.fact("app.graceful_timeout"), service.process
    if fact is None or process is None:
        return None
    name = f"{process.server} graceful timeout"
    limit = _request_limit(service)
    if limit is not None and 0 < limit.number < fact.number:
        return limit.number, f"{process.server} timeout", limit
    return fact.number, name, fact


def _request_limit(service: Service) -> Fact | None:
    """The `timeout` of gunicorn where it ends requests: with sync workers; the others are alive while they wait."""
    kind, timeout = service.fact("app.worker_class"), service.fact("app.timeout")
    process = service.process
    if process is None or process.server != "gunicorn" or kind is None or kind.value != "sync":
        return None
    threads = service.fact("app.threads")
    if threads is None or threads.number > 1:  # then gunicorn uses gthread
        return None
    return timeout if timeout is not None and timeout.number > 0 else None


def _grace_in_words(grace: Fact) -> str:
    default = "" if grace.declared else ", the default"
    return f"terminationGracePeriodSeconds ({in_words(grace.number)}{default})"


def prestop_needs_shell(service: Service, _context: Context) -> Outcomes:
    """A preStop hook that runs a program which the image does not have."""
    if service.container is None or service.image is None:
        yield Skip("the image is not built here")
        return
    command = service.container.node.get("lifecycle.preStop.exec.command")
    first = next(iter(command.items), None) if command is not None else None
    if command is None or first is None:
        return
    if first.is_unknown:
        yield cannot(first)
        return
    base = service.image.node.get("base")
    image = base.text_at("image") if base is not None else None
    if base is None or image is None:
        yield Cannot(first.span, "the base image is not known")
        return
    program = posixpath.basename(first.text or "")
    if program not in ("sh", "bash", "ash", "sleep", "curl", "wget", "kill") or not _lacks_shell(image):
        return
    if any(_BRINGS_PROGRAMS.search(text) for text in _copied(service.image)):
        return
    related = ((base.span, "has no shell and no programs"),)
    yield Hit(first.span, {"program": program, "image": image, "container": service.container.address}, related,
              address=service.container.address)  # fmt: skip


def _lacks_shell(image: str) -> bool:
    name, _, tag = image.partition("@")[0].rpartition(":")
    if not name or "/" in tag:
        name, tag = image.partition("@")[0], ""
    return _NO_SHELL.search(name) is not None and not any(word in tag for word in _SHELL_TAGS)


def _copied(stage: Resource) -> Iterator[str]:
    """What the stage copies from elsewhere."""
    for instruction in stage.node.items_at("instructions"):
        if instruction.text_at("name") in ("COPY", "ADD"):
            yield instruction.span.text


def grace_below_request(service: Service, context: Context) -> Outcomes:
    """A grace period of zero, or one that ends before the longest request that the proxies wait for."""
    if service.container is None or service.workload is None or is_one_shot(service.workload):
        yield Skip("no pod that serves")
        return
    grace = service.fact("k8s.termination_grace")
    if grace is None:
        unknown = service.unknown("k8s.termination_grace")
        if unknown is not None:
            yield Cannot(service.container.node.anchor, unknown.because or f"{unknown.expression} is not known")
        return
    workload = service.workload
    if grace.number == 0:
        if not _has_something_to_lose(service, context.repository):
            return
        message = "terminationGracePeriodSeconds 0 gives {workload} no time to shut down: it is killed in its work"
        yield Hit(grace.span, {"workload": workload.address}, address=workload.address, message=message)
        return
    if service.process is None or _exceeds(service) is not None:
        return  # drain_exceeds_grace says it
    longest = _longest_request(service)
    if longest is None:
        return
    patch = patch_that_sets(service.container, "terminationGracePeriodSeconds", context.repository)
    if patch:
        yield Cannot(grace.span, f"{patch} sets the grace period")
        return
    prestop = service.fact("k8s.prestop")
    left = grace.number - (prestop.number if prestop is not None else 0)
    if left < longest.seconds:
        after = f" less preStop {in_words(prestop.number)}" if prestop is not None else ""
        values = {
            "what": longest.what, "seconds": in_words(longest.seconds), "grace": f"{_grace_in_words(grace)}{after}",
            "container": service.container.address,
        }  # fmt: skip
        yield Hit(grace.span, values, ((longest.span, longest.what),), address=service.container.address)


def _has_something_to_lose(service: Service, repository: Repository) -> bool:
    """Whether the pod serves requests, keeps data or works on tasks; agents of the cluster itself do without."""
    if service.container is not None and posixpath.basename(image_name(service.container)) == "pause":
        return False  # it holds a place for pods to come
    if service.workload is not None and service.workload.kind == "k8s.statefulset":
        return True
    if service.process is not None and service.process.server in SERVERS:
        return True
    return service.pod is not None and bool(services_for(service.pod, repository))


class _Request(NamedTuple):
    """How long a request may take by what is declared."""

    seconds: float
    what: str
    span: Span


def _longest_request(service: Service) -> _Request | None:
    """The longest request that everybody on its way waits for; None when nobody declares a time."""
    limit = _request_limit(service)
    declared = sorted(_waiting(service), key=lambda one: -one.seconds)
    if limit is not None and limit.declared:
        own = _Request(limit.number, "gunicorn timeout", limit.span)
        return min(own, declared[0], key=lambda one: one.seconds) if declared else own
    if not declared:
        return None
    if limit is not None and limit.number < declared[0].seconds:
        return _Request(limit.number, "gunicorn timeout (the default)", declared[0].span)
    return declared[0]


def _waiting(service: Service) -> Iterator[_Request]:
    """The times that the proxies in front declare for an answer."""
    names = {name_of(entry) for entry in service.entries if entry.kind == "k8s.service"}
    for entry in service.entries:
        if entry.kind == "nginx.location":
            yield from _nginx(entry)
        elif entry.kind == "k8s.ingress":
            yield from _seconds(annotations_of(entry).get(_INGRESS_TIMEOUT), "proxy-read-timeout of the Ingress")
        elif entry.kind == "k8s.virtualservice":
            for route in entry.node.items_at("spec.http"):
                hosts = {(t.text_at("destination.host") or "").partition(".")[0] for t in route.items_at("route")}
                if hosts & names:
                    yield from _seconds(route.get("timeout"), f"timeout of {entry.address}")
        elif entry.kind == "k8s.httproute":
            for rule in entry.node.items_at("spec.rules"):
                if {backend.text_at("name") for backend in rule.items_at("backendRefs")} & names:
                    yield from _seconds(rule.get("timeouts.request"), f"timeout of {entry.address}")


def _nginx(location: Resource) -> Iterator[_Request]:
    headers = location.node.items_at("proxy_set_header")
    if any((header.text_at("0") or "").lower() == "upgrade" for header in headers):
        return  # WebSockets stay open for ever: no grace period covers them
    for directive in ("proxy_read_timeout", "uwsgi_read_timeout"):
        for occurrence in location.node.items_at(directive):
            yield from _seconds(occurrence.get("0"), f"nginx {directive}")


def _seconds(node: Node | None, what: str) -> Iterator[_Request]:
    if node is None or isinstance(node.value, Unknown):
        return
    try:
        seconds = duration(node.scalar)
    except ValueError:
        return
    if seconds > 0:
        yield _Request(seconds, what, node.span)
