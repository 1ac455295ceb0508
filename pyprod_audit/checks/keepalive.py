"""Idle connections that the server closes before the load balancer in front of it does."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.nginx_view import last_argument
from pyprod_audit.checks.service_view import address_at, certain, in_words, serving
from pyprod_audit.link.network import routes_to
from pyprod_audit.model import Fact, Process, Repository, Resource, Service, Span, Unknown
from pyprod_audit.model.kubernetes import annotations_of, place_of
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.units import quantity

# Seconds a load balancer keeps an idle connection; sources in the rule's references.
_ALB, _GOOGLE = 60, 600
_ALB_ATTRIBUTES = "alb.ingress.kubernetes.io/load-balancer-attributes"
_IDLE = lazy(r"idle_timeout\.timeout_seconds=(\d{1,5})")
_CLASS = "kubernetes.io/ingress.class"
_SERVERS = frozenset({"uvicorn", "hypercorn", "fastapi run", "gunicorn"})


def closed_first(service: Service, context: Context) -> Outcomes:
    """A server whose keep-alive is shorter than the idle timeout of what stands in front of it."""
    process = serving(service)
    if isinstance(process, Skip) or process.server not in _SERVERS:
        yield process if isinstance(process, Skip) else Skip("its server keeps no connections that are known")
        return
    if process.server == "gunicorn":
        worker = certain(service, "app.worker_class")
        threads = service.fact("app.threads")
        if worker is None or isinstance(worker, Unknown):
            yield Cannot(process.span, in_words(worker, "its worker class is not known"))
            return
        if worker.value == "sync" and (threads is None or threads.number < 2):
            yield Skip("a sync worker closes every connection")
            return
    fronts = list(_fronts(service, context.repository))
    if not fronts:
        yield Skip("no load balancer that keeps connections is in the repository")
        return
    kept = certain(service, "app.keepalive")
    if kept is None or isinstance(kept, Unknown):
        yield Cannot(process.span, in_words(kept, "its keep-alive is not known"))
        return
    if process.server == "gunicorn" and kept.number == 0:
        return  # it says `Connection: close` with every answer
    idle = max(fronts, key=lambda front: front[0])
    if kept.number < idle[0]:
        yield _hit(service, process, kept, idle)


def _hit(service: Service, process: Process, kept: Fact, idle: tuple[float, str, Span]) -> Hit:
    seconds, front, place = idle
    how = "closes idle connections after" if kept.declared else "closes idle connections by default after"
    return Hit(
        kept.span if kept.declared else process.span,
        {"server": process.server.partition(" ")[0], "how": how, "kept": f"{kept.value:g}", "front": front,
         "idle": f"{seconds:g}"},
        ((place, f"keeps them {seconds:g} s"),), address_at(service, kept.span, "keepalive"),
    )  # fmt: skip


def _fronts(service: Service, repository: Repository) -> Iterator[tuple[float, str, Span]]:
    """Idle timeout, name and place of each load balancer that the repository shows in front of the service."""
    for entry in service.entries:
        if entry.kind == "k8s.ingress":
            yield from _of_ingress(entry)
        elif entry.kind == "nginx.location":
            yield from _of_nginx(entry, repository)
        elif entry.kind == "k8s.service":
            for route in routes_to(entry, repository):
                if route not in service.entries and route.kind == "k8s.ingress":
                    yield from _of_ingress(route)
    if service.workload is None:
        yield from _of_terraform(service, repository)


def _of_ingress(ingress: Resource) -> Iterator[tuple[float, str, Span]]:
    notes = annotations_of(ingress)
    named = ingress.node.get("spec.ingressClassName") or notes.get(_CLASS)
    kind = named.text if named is not None else None
    place = named.span if named is not None else place_of(ingress)
    if kind == "alb":
        attributes = notes.get(_ALB_ATTRIBUTES)
        if attributes is not None and attributes.is_unknown:
            return
        found = _IDLE.search(attributes.text or "") if attributes is not None else None
        at = attributes.span if attributes is not None and found else place
        yield float(found[1]) if found else _ALB, f"the ALB of {ingress.address}", at
    elif kind in ("gce", "gce-internal"):
        yield _GOOGLE, f"Google's load balancer of {ingress.address}", place


def _of_nginx(location: Resource, repository: Repository) -> Iterator[tuple[float, str, Span]]:
    """An upstream of nginx that keeps connections (`keepalive`), 60 seconds unless `keepalive_timeout` says else."""
    target = last_argument(location, "proxy_pass")
    host = (target.text or "").partition("://")[2].split("/", 1)[0] if target is not None else ""
    for upstream in repository.of_kind("nginx.upstream"):
        if upstream.node.text_at("name") != host or not host:
            continue
        keepalive = last_argument(upstream, "keepalive")
        if keepalive is None or keepalive.text in (None, "0"):
            continue
        timeout = last_argument(upstream, "keepalive_timeout")
        seconds = 60.0
        if timeout is not None:
            try:
                seconds = float(quantity((timeout.text or "").removesuffix("s")))
            except ValueError:
                continue
        yield seconds, f"nginx's upstream {host}", (timeout or keepalive).span


def _of_terraform(service: Service, repository: Repository) -> Iterator[tuple[float, str, Span]]:
    """The only application load balancer of the repository, when there is one service that it can stand before."""
    others = [one for one in repository.services if one.process is not None and one.process.server in _SERVERS]
    balancers = [
        balancer for balancer in repository.of_kind("tf.aws_lb", "tf.aws_alb")
        if balancer.node.text_at("load_balancer_type") in (None, "application")
    ]  # fmt: skip
    places = {(balancer.path, balancer.node.start) for balancer in balancers}  # one module may be called several times
    if len(others) != 1 or others[0] is not service or len(places) != 1:
        return
    balancer = balancers[0]
    timeout = balancer.node.get("idle_timeout")
    if timeout is None:
        yield _ALB, balancer.address, balancer.node.anchor
    elif isinstance(timeout.scalar, (int, float)):
        yield float(timeout.scalar), balancer.address, timeout.span
