"""The ports that Compose publishes of a service, and the proxies of its project that ask it for one."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from pyprod_audit.checks.api import Cannot, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.nginx_view import Endpoint, endpoints
from pyprod_audit.link.compose import deployed_services, service_name
from pyprod_audit.link.compose_images import built_stage
from pyprod_audit.model import Fact, Node, Repository, Resource, Service, Span

EVERYWHERE: Final = ("", "0.0.0.0", "::", "[::]")  # noqa: S104 - what the files say
_PROXIES: Final = frozenset({
    "nginx", "nginx-unprivileged", "openresty", "traefik", "caddy", "haproxy", "httpd", "nginx-proxy", "envoy", "swag",
    "nginx-proxy-manager", "modsecurity-crs",
})  # fmt: skip


def published(service: Resource) -> Iterator[Node]:
    """The `ports` of a `compose.service` that TCP connections come in by."""
    for port in service.node.items_at("ports"):
        if port.is_unknown or port.text_at("protocol") in (None, "tcp"):
            yield port


def proxied(service: Resource, repository: Repository) -> Iterator[tuple[Endpoint, Resource, int]]:
    """Where nginx of the same project passes requests to the service: the endpoint, the location, the port."""
    name = service_name(service)
    folder = posixpath.dirname(service.path)
    for location in repository.of_kind("nginx.location"):
        if folder and not location.path.startswith(f"{folder}/"):
            continue
        for endpoint in endpoints(location, repository):
            if isinstance(endpoint, Endpoint) and endpoint.host == name:
                yield endpoint, location, endpoint.port or (443 if endpoint.scheme == "https" else 80)


def bypassed(service: Service, started: Resource, repository: Repository) -> Outcomes:
    """The port of the application is published to everybody beside the proxy that stands in front of it."""
    bound = service.fact("app.bind_port")
    if service.process is None or bound is None:
        yield Skip("where it listens is not known")
        return
    proxy = next((one for one in deployed_services(repository) if _is_proxy_of(one, started, repository)), None)
    if proxy is None:
        yield Skip("no proxy stands in front of it")
        return
    for port in published(started):
        target, host = port.get("target"), port.get("host_ip")
        if target is None or target.scalar != bound.number:
            continue
        if host is not None and host.is_unknown:
            yield cannot(host)
        elif host is None or host.text in EVERYWHERE:
            message = "{service} publishes port {port} on every address: the application is reached past {proxy}"
            values = {"service": started.address, "port": f"{bound.number:g}", "proxy": proxy.address}
            related = ((proxy.node.anchor, "the proxy that requests are meant to come through"),)
            address = f"{started.address}/ports[{bound.number:g}]"
            yield Hit((port.get("published") or target).span, values, related, address, message)


def _is_proxy_of(other: Resource, started: Resource, repository: Repository) -> bool:
    """Whether a service of the same project is a proxy that publishes the ports of HTTP."""
    if other is started or other.parent is not started.parent:
        return False
    built = built_stage(other, repository)
    image = other.node.text_at("image") if built is None else built.stage.node.text_at("base.image")
    name = posixpath.basename((image or "").partition("@")[0]).partition(":")[0].lower()
    return name in _PROXIES and any(
        port.get("target") is not None and port.text_at("published") in ("80", "443") for port in published(other)
    )


def asking(service: Resource, port: int | None, repository: Repository) -> Iterator[tuple[Span, str]]:
    """Who connects to the port of a service from outside of its container: a place and what stands there."""
    if port is None:
        return
    for node in published(service):
        target = node.get("target")
        if target is not None and target.scalar == port:
            yield target.anchor, f"Compose publishes port {port}"
    for endpoint, _, number in proxied(service, repository):
        if number == port:
            yield endpoint.place.anchor, f"nginx passes requests to port {number}"


def disagreeing(service: Resource, bound: Fact, listens: str, repository: Repository) -> Outcomes:
    """Ports that Compose publishes, or nginx asks for, when the server listens on another one."""
    ports = list(published(service))
    targets = [port.get("target") for port in ports]
    if any(target is None or target.is_unknown for target in targets):
        yield Cannot(ports[0].anchor, "a published port is known only at deploy time")
    elif ports and all(target is None or target.scalar != bound.number for target in targets):
        first = targets[0] or ports[0]
        yield Hit(
            first.span, {"what": f"Compose publishes port {first.scalar} of the container", "listens": listens},
            ((bound.span, listens),), f"{service.address}/ports",
        )  # fmt: skip
    for endpoint, location, number in proxied(service, repository):
        if number != bound.number:
            yield Hit(
                endpoint.place.span,
                {"what": f"nginx passes requests to {endpoint.host}:{number}", "listens": listens},
                ((bound.span, listens),), f"{location.address}/proxy_pass",
            )  # fmt: skip
