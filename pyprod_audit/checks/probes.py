"""Whether the kubelet's probes and hooks ask where somebody listens."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_ports import (
    bind_port,
    containers_of,
    declared,
    mentioned,
    ports_in_words,
    quoted_hit,
    quoted_number,
    services_by_container,
)
from pyprod_audit.model import Fact, Node, Repository, Resource, Span
from pyprod_audit.model.kubernetes import named_ports

_ASKING = ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle.postStart", "lifecycle.preStop")
_WAYS = ("httpGet", "tcpSocket", "grpc")


def probe_port_unknown(container: Resource, context: Context) -> Outcomes:
    """A probe or hook that asks for a port that the container does not declare and that nobody listens on."""
    asked = list(_asked(container.node))
    if not asked:
        yield Skip("no probe asks for a port")
    for field, port in asked:
        address = f"{container.address}/{field.removeprefix('lifecycle.').split('.')[0]}"
        if port.is_unknown:
            yield cannot(port)
        elif quoted_number(port):
            yield quoted_hit(port, field, address)
        elif port.text is not None:
            yield from _named(container, address, field, port, context.repository)
        elif isinstance(port.scalar, int) and not isinstance(port.scalar, bool):
            yield from _numbered(container, address, field, port, context.repository)


def _asked(container: Node) -> Iterator[tuple[str, Node]]:
    """The port of each probe and hook, with the field that names it. One with a `host` asks somebody else."""
    for asking in _ASKING:
        for way in _WAYS:
            handler = container.get(f"{asking}.{way}")
            if handler is None:
                continue
            if handler.is_unknown:
                yield f"{asking}.{way}", handler
                break
            port = handler.get("port")
            if port is not None and handler.get("host") is None:
                yield f"{asking}.{way}.port", port


def _named(container: Resource, address: str, field: str, port: Node, repository: Repository) -> Outcomes:
    for entry in container.node.items_at("ports"):
        name = entry if entry.is_unknown else entry.get("name")
        if name is not None and name.is_unknown:
            yield cannot(name)
            return
    ports = container.node.get("ports")
    if ports is not None and ports.is_unknown:
        yield cannot(ports)
        return
    if port.text in named_ports(container):
        return
    doubt = origins.changes(container, repository)
    if doubt:
        yield doubt
        return
    related = [(ports.anchor if ports is not None else container.node.anchor, f"declares {ports_in_words(container)}")]
    elsewhere = ""
    for other in _others(container, repository):
        found = named_ports(other).get(port.text or "")
        if found is not None:
            elsewhere = f" (container {_name(other)} does, but a probe knows only the ports of its own container)"
            related.append((found.anchor, f"declared by container {_name(other)}"))
            break
    yield Hit(
        port.span,
        {"field": field, "port": port.text, "declared": ports_in_words(container), "elsewhere": elsewhere,
         "where": container.address},
        tuple(related),
        address,
        '{where}: {field} asks for the port "{port}", but the container declares {declared}{elsewhere}',
    )  # fmt: skip


def _numbered(container: Resource, address: str, field: str, port: Node, repository: Repository) -> Outcomes:
    number = int(str(port.scalar))
    together = [container, *_others(container, repository)]
    facts: list[tuple[Resource, Fact | None]] = [(one, bind_port(one, repository)) for one in together]
    if any(fact is not None and fact.value == number for _, fact in facts):
        return
    unknown = None
    for one in together:
        numbers, left_open = declared(one)
        if number in numbers:
            return  # containers of a pod share their network
        unknown = unknown or left_open
    if unknown is not None:
        yield cannot(unknown)
        return
    if any(fact is None for _, fact in facts):
        yield Cannot(port.span, f"no container declares port {number}; whether one listens there is not known")
        return
    where = next((path for one in together if (path := mentioned(number, one, repository))), "")
    doubt = Cannot(port.span, f"{where} mentions port {number}") if where else origins.changes(container, repository)
    if doubt:
        yield doubt
        return
    listening = [(one, fact) for one, fact in facts if fact is not None]
    yield Hit(
        port.span,
        {
            "where": container.address,
            "field": field,
            "port": number,
            "declared": "; ".join(f"{_name(one)} declares {ports_in_words(one)}" for one in together),
            "listening": "; ".join(f"{_server(one, repository)} listens on {fact.value}" for one, fact in listening),
        },
        tuple(_related(one, fact, repository) for one, fact in listening),
        address,
        "{where}: {field} asks for port {port}, where nobody listens: {declared}, {listening}",
    )


def _related(container: Resource, fact: Fact, repository: Repository) -> tuple[Span, str]:
    return fact.span, f"{_server(container, repository)} listens on {fact.value}"


def _server(container: Resource, repository: Repository) -> str:
    service = services_by_container(repository).get(id(container))
    return service.process.server if service is not None and service.process is not None else _name(container)


def _others(container: Resource, repository: Repository) -> list[Resource]:
    pod = container.parent
    return [one for one in containers_of(pod, repository) if one is not container] if pod is not None else []


def _name(container: Resource) -> str:
    return container.node.text_at("name") or "without a name"
