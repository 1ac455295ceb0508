"""HTTP probes of a container, and the routes of the application that answers them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.link.routes import RouteSet, routes_of
from pyprod_audit.model import Node, Repository, Resource, Service
from pyprod_audit.model.kubernetes import named_ports

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


class HttpProbe(NamedTuple):
    """An `httpGet` probe. `path` is Kubernetes' default, `/`, when none is written; `place` is where it stands."""

    field: str
    probe: Node
    get: Node
    path: Node
    headers: frozenset[str]

    @property
    def target(self) -> str:
        """The path that is asked for."""
        text = self.path.text or "/"
        return text if text.startswith("/") else f"/{text}"


def http_probes(container: Resource) -> Iterator[HttpProbe]:
    """The probes of a container that ask itself over HTTP; those whose path is not known have an Unknown `path`."""
    for field in PROBES:
        probe = container.node.get(field)
        get = probe.get("httpGet") if probe is not None else None
        if probe is None or get is None or get.get("host") is not None or get.is_unknown:
            continue
        path = get.get("path")
        if path is None or path.value is None:
            path = Node("/", get.source, get.start, get.end, get.key_start, get.key_end)
        headers = frozenset((h.text_at("name") or "").lower() for h in get.items_at("httpHeaders"))
        yield HttpProbe(field, probe, get, path, headers)


def asks_application(probe: HttpProbe, service: Service) -> bool:
    """Whether the probe asks the port that the service's own server listens on."""
    port, bound = probe.get.get("port"), service.fact("app.bind_port")
    if port is None or service.container is None or bound is None:
        return False
    if not bound.declared and bound.label:  # a variable may still change the port
        return False
    if port.text is not None:
        number = named_ports(service.container).get(port.text)
        return number is not None and number.value == bound.value
    return port.value == bound.value


def application_routes(service: Service, repository: Repository) -> RouteSet | None:
    """The routes of a service's application, found once for all workloads that run the same image."""
    process = service.process
    if process is None:
        return None
    module = service.module or process.script
    key = f"checks.routes.{module.path if module is not None else ''}.{process.app!r:.200}.{service.project}"
    return repository.memo(key, lambda repo: routes_of(service, repo))
