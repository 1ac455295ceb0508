"""Where servers listen, compared with where requests are sent."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pyprod_audit.checks import compose_ports
from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.kubernetes_ports import asks_for, containers_of, declared, mentioned, ports_in_words
from pyprod_audit.checks.nginx_view import Endpoint, endpoints, images_of, is_local
from pyprod_audit.checks.service_view import ASGI_SERVERS, address_at, certain, in_words, serving
from pyprod_audit.link.services import normal
from pyprod_audit.model import Fact, Node, Process, Repository, Resource, Service, Span, Unknown
from pyprod_audit.model.kubernetes import name_of, named_ports, place_of

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
_LOCAL_NOTE = "; a container is reached over its own address, so nobody outside of it can connect"


def wsgi_on_loopback(service: Service, context: Context) -> Outcomes:
    """A WSGI or development server that listens on the loopback address of a container."""
    process = serving(service)
    if isinstance(process, Skip) or process.server in ASGI_SERVERS:
        yield process if isinstance(process, Skip) else Skip("see the rule about ASGI servers")
        return
    yield from _loopback(service, process, context.repository)


def asgi_on_loopback(service: Service, context: Context) -> Outcomes:
    """An ASGI server that listens on the loopback address of a container."""
    process = serving(service)
    if isinstance(process, Skip) or process.server not in ASGI_SERVERS:
        yield process if isinstance(process, Skip) else Skip("it runs no ASGI server")
        return
    yield from _loopback(service, process, context.repository)


def _loopback(service: Service, process: Process, repository: Repository) -> Outcomes:
    host = certain(service, "app.bind_host")
    if host is None:
        yield Skip("it listens on no address that is known")
        return
    if isinstance(host, Unknown):
        yield Cannot(process.span, in_words(host))
        return
    address = str(host.value)
    if address == "0.0.0.0" or not is_local(address):  # noqa: S104 - what the configuration says
        return
    port = service.fact("app.bind_port")
    wanted = next(_asked(service, int(port.number) if port is not None else None, repository), None)
    if wanted is None:
        yield Skip("nothing in the repository shows that it is reached from outside of its container")
        return
    span, asker = wanted
    shown = address if port is None else f"{address}:{port.value:g}" if _numeric(port) else address
    how = "listens on" if host.declared else "listens by default on"
    yield Hit(
        host.span, {"server": process.server, "how": how, "host": shown, "asker": asker, "note": _LOCAL_NOTE},
        ((span, asker),), address_at(service, host.span, "host"),
    )  # fmt: skip


def _numeric(fact: Fact) -> bool:
    return isinstance(fact.value, (int, float))


def _asked(service: Service, port: int | None, repository: Repository) -> Iterator[tuple[Span, str]]:
    """Who connects to the server's port from outside of the container: a place and what stands there."""
    container, pod = service.container, service.pod
    if container is None or pod is None:
        if service.compose is not None:
            yield from compose_ports.asking(service.compose, port, repository)
        yield from _exposed(service, port)
        return
    alone = len(containers_of(pod, repository)) == 1
    ports = named_ports(container)
    for entry in service.entries:
        for target in asks_for(entry) if entry.kind == "k8s.service" else ():
            number = ports[target.text].scalar if target.text in ports else target.scalar
            if (port is not None and number == port) or (port is None and alone):
                yield target.anchor, f"{entry.address} sends requests to port {number}"
    for probe in _PROBES:
        for action in ("httpGet", "tcpSocket", "grpc"):
            target_port = container.node.get(f"{probe}.{action}.port")
            host = container.node.get(f"{probe}.{action}.host")
            if target_port is None or host is not None:
                continue
            number = ports[target_port.text].scalar if target_port.text in ports else target_port.scalar
            if port is not None and number == port:
                yield target_port.anchor, f"the {probe} asks port {number}"
    if alone and port is not None:
        for node in container.node.items_at("ports"):
            declared_port = node.get("containerPort")
            if declared_port is not None and declared_port.scalar == port:
                yield declared_port.anchor, f"the container declares port {port}"


def _exposed(service: Service, port: int | None) -> Iterator[tuple[Span, str]]:
    for exposed in service.image.node.items_at("expose") if service.image is not None else ():
        number = exposed.get("port")
        if number is not None and port is not None and number.scalar == port:
            yield number.anchor, f"the image exposes port {port}"


def ports_disagree(service: Service, context: Context) -> Outcomes:
    """A port that is declared, exposed or proxied to, and another one on which the server listens."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    bound = certain(service, "app.bind_port")
    if bound is None:
        yield Skip("it listens on no port that is known")
    elif isinstance(bound, Unknown):
        yield Cannot(process.span, in_words(bound))
    elif service.container is not None:
        yield from _declared_ports(service, service.container, bound, process, context.repository)
    elif service.compose is not None:  # what EXPOSE says is documentation there
        yield from compose_ports.disagreeing(service.compose, bound, _listens(bound, process), context.repository)
    else:
        yield from _exposed_ports(service, bound, process)
        yield from _proxied_ports(service, bound, process, context.repository)
    if service.container is not None:
        yield from _proxied_services(service, context.repository)


def _listens(bound: Fact, process: Process) -> str:
    return f"{process.server} listens on {bound.value:g}" + ("" if bound.declared else " by default")


def _declared_ports(
    service: Service, container: Resource, bound: Fact, process: Process, repository: Repository
) -> Outcomes:
    numbers, unknown = declared(container)
    if unknown is not None:
        yield Cannot(unknown.anchor, "a container port is known only at deploy time")
        return
    ports = [port for port in container.node.items_at("ports") if port.text_at("protocol") in (None, "TCP")]
    if not ports or bound.number in numbers:
        return
    askers = [(target, entry) for entry in service.entries if entry.kind == "k8s.service" for target in asks_for(entry)]
    if any(target.scalar == bound.number for target, _ in askers):
        return  # what containerPort says is documentation; requests arrive
    for port in ports:
        number = port.get("containerPort")
        if number is None or not isinstance(number.scalar, int):
            continue
        names = (port.text_at("name"), number.scalar)
        asking = [(target, entry) for target, entry in askers if target.scalar in names]
        if askers and not asking:
            continue
        where = mentioned(number.scalar, container, repository)
        doubt = Cannot(number.span, f"{where} mentions port {number.scalar}") if where else None
        doubt = doubt or origins.changes(container, repository)
        if doubt is not None:
            yield doubt
            return
        related = [(bound.span, _listens(bound, process))]
        related += [(target.anchor, f"{entry.address} sends requests here") for target, entry in asking]
        sent = f", and {asking[0][1].address} sends requests to it" if asking else ""
        yield Hit(
            number.span, {"what": f"the container declares {ports_in_words(container)}{sent}",
                          "listens": _listens(bound, process)},
            tuple(related), f"{container.address}/ports",
        )  # fmt: skip
        return


def _exposed_ports(service: Service, bound: Fact, process: Process) -> Outcomes:
    exposed = service.image.node.items_at("expose") if service.image is not None else ()
    for port in exposed:
        number, last = port.get("port"), port.get("last")
        if number is None or not isinstance(number.scalar, int):
            yield Cannot(port.anchor, "an exposed port is known only when the image is built")
            return
        top = last.scalar if last is not None and isinstance(last.scalar, int) else number.scalar
        if number.scalar <= bound.number <= top:
            return
    if exposed:
        shown = ", ".join(str(port.get("port") and _scalar(port, "port")) for port in exposed)
        yield Hit(
            exposed[0].span, {"what": f"the image exposes {shown}", "listens": _listens(bound, process)},
            ((bound.span, _listens(bound, process)),), address_at(service, exposed[0].span, "EXPOSE"),
        )  # fmt: skip


def _scalar(node: Node, key: str) -> object:
    found = node.get(key)
    return None if found is None else found.scalar


def _proxied_ports(service: Service, bound: Fact, process: Process, repository: Repository) -> Outcomes:
    """An nginx of the repository that passes requests to a host named after the service, on another port."""
    names = {normal(service.name)}
    if service.files is not None:
        names.add(normal(posixpath.basename(service.files.context)))
    if service.project:
        names.add(normal(posixpath.basename(service.project)))
    names.discard("")
    same = [one for one in repository.services if one.container is None and normal(one.name) == normal(service.name)]
    if len(same) > 1 or any(one.container is not None for one in repository.services):
        return
    for location in repository.of_kind("nginx.location"):
        for endpoint in endpoints(location, repository):
            if isinstance(endpoint, Endpoint) and normal(endpoint.host) in names:
                port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
                if port != bound.number:
                    yield Hit(
                        endpoint.place.span,
                        {"what": f"nginx passes requests to {endpoint.host}:{port}",
                         "listens": _listens(bound, process)},
                        ((bound.span, _listens(bound, process)),), f"{location.address}/proxy_pass",
                    )  # fmt: skip


def _proxied_services(service: Service, repository: Repository) -> Outcomes:
    """An nginx location that asks a Kubernetes Service for a port that it does not have.

    PROXY-003 tells it of an nginx that is deployed by the same manifests.
    """
    services = {name_of(entry): entry for entry in service.entries if entry.kind == "k8s.service"}
    for location in service.entries:
        if any(image.workload is not None for image in images_of(location.path, repository)):
            continue
        for endpoint in endpoints(location, repository) if location.kind == "nginx.location" else ():
            if not isinstance(endpoint, Endpoint):
                continue
            target = services.get(endpoint.host.partition(".")[0])
            if target is None or target.node.text_at("spec.clusterIP") == "None":
                continue
            nodes = [port.get("port") for port in target.node.items_at("spec.ports")]
            numbers = {node.scalar for node in nodes if node is not None}
            if not numbers or None in numbers:
                continue
            port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
            if port not in numbers:
                has = ", ".join(str(number) for number in numbers)
                yield Hit(
                    endpoint.place.span,
                    {"what": f"nginx passes requests to {endpoint.host}:{port}",
                     "listens": f"{target.address} has port {has}"},
                    ((place_of(target), f"has port {has}"),), f"{location.address}/proxy_pass",
                )  # fmt: skip
