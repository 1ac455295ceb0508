"""WebSocket routes behind an nginx that does not pass the upgrade on."""

from __future__ import annotations

import posixpath

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.nginx_view import Endpoint, endpoints, is_local, occurrences, open_ended
from pyprod_audit.checks.service_view import serving
from pyprod_audit.link.services import normal
from pyprod_audit.model import Node, Repository, Resource, Service


def upgrade_not_passed(service: Service, context: Context) -> Outcomes:
    """An application with WebSocket routes, and a proxy in front of it that drops the Upgrade header."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    route = _websocket_route(service)
    if route is None:
        yield Skip("the application has no WebSocket routes")
        return
    locations = [one for one in _locations(service, context.repository) if _covers(one, route)]
    if not locations:
        yield Skip("no nginx in the repository leads to it")
        return
    by_server: dict[int, list[Resource]] = {}
    for location in locations:
        outer = [one for one in location.ancestors() if one.kind == "nginx.server"]
        by_server.setdefault(id(outer[0]) if outer else id(location), []).append(location)
    for group in by_server.values():
        if any(_passes_upgrade(location) for location in group):
            continue
        doubt = next((found for location in group if (found := open_ended(location, inherited=False))), None)
        if doubt is not None:
            yield doubt
            continue
        yield _hit(group, route)


def _hit(group: list[Resource], route: Node) -> Hit:
    location = next((one for one in group if one.node.text_at("location.0") == "/"), group[0])
    passes = occurrences(location, "proxy_pass")
    place = passes[0].span if passes else location.node.anchor
    path = route.text_at("path") or "a WebSocket route"
    return Hit(
        passes[0].anchor if passes else place, {"path": path, "module": route.source.path},
        ((route.anchor, "WebSocket route"),), f"{location.address}/upgrade",
    )  # fmt: skip


def _websocket_route(service: Service) -> Node | None:
    for module in service.modules:
        for route in module.node.items_at("routes"):
            websocket = route.get("websocket")
            if websocket is not None and websocket.scalar is True:
                return route
    return None


def _covers(location: Resource, route: Node) -> bool:
    """Whether requests for the route come through the location; a router's prefix is not known here."""
    pattern = location.node.items_at("location")
    path = route.text_at("path")
    if len(pattern) != 1 or path is None or "app" not in (route.text_at("owner") or ""):
        return True
    prefix = pattern[0].text or "/"
    return path.startswith(prefix) or prefix.startswith("@")


def _passes_upgrade(location: Resource) -> bool:
    """Whether the Upgrade header goes on; `proxy_http_version` is 1.1 by default since nginx 1.29.7."""
    names = {(one.items[0].text or "").lower() for one in occurrences(location, "proxy_set_header") if one.items}
    return "upgrade" in names


def _locations(service: Service, repository: Repository) -> list[Resource]:
    found = [entry for entry in service.entries if entry.kind == "nginx.location"]
    if found or service.workload is not None:
        return [location for location in found if occurrences(location, "proxy_pass")]
    names = {normal(service.name)}
    if service.files is not None:
        names.add(normal(posixpath.basename(service.files.context)))
    if service.project:
        names.add(normal(posixpath.basename(service.project)))
    names.discard("")
    others = [one for one in repository.services if one is not service and one.modules]
    for location in repository.of_kind("nginx.location"):
        for endpoint in endpoints(location, repository):
            if not isinstance(endpoint, Endpoint):
                continue
            here = bool(endpoint.unix) or is_local(endpoint.host)
            if normal(endpoint.host) in names or (here and not others):
                found.append(location)
                break
    return found
