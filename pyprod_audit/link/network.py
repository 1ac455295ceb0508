"""What leads traffic to a pod: Services, Ingresses, routes, nginx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from pyprod_audit.evaluate.nginx.values import interpolated
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, Repository, Resource, Scalar, Unknown
from pyprod_audit.model.kubernetes import namespace_of, pod_labels, selector_matches

_ROUTES = (
    "k8s.ingress", "k8s.httproute", "k8s.grpcroute", "k8s.tcproute", "k8s.tlsroute", "k8s.virtualservice",
)  # fmt: skip


class Backend(NamedTuple):
    """A Service as a route names it: `name` and `port` as written, the namespace that it is looked for in ("": any)."""

    name: Node
    port: Node | None
    namespace: str

    @property
    def service(self) -> str | None:
        """The name of the Service; None when it is not known."""
        return None if self.name.text is None else self.name.text.partition(".")[0]


def services_of(podspec: Resource, repository: Repository) -> list[Resource]:
    """The `k8s.service` resources whose selector surely matches the pod, in its namespace."""
    labels = pod_labels(podspec)
    if isinstance(labels, Unknown):
        return []
    owner = podspec.parent or podspec
    by_label = repository.memo("link.services_by_label", _services_by_label)
    found = []
    for key, value in labels.items():
        for service in by_label.get((key, value.scalar), ()):
            selector = service.node.get("spec.selector")
            if selector is not None and same_namespace(service, owner) and selector_matches(selector, labels) is True:
                found.append(service)
    return nearest(together(found, podspec, repository), podspec)


def _services_by_label(repository: Repository) -> dict[tuple[str, Scalar], list[Resource]]:
    """Services by the first label that they select: a pod that lacks it is not theirs."""
    found: dict[tuple[str, Scalar], list[Resource]] = {}
    for service in repository.of_kind("k8s.service"):
        for key, value in service.node.mapping_at("spec.selector").items():
            if not value.is_unknown:
                found.setdefault((key, value.scalar), []).append(service)
            break
    return found


def nearest(candidates: Sequence[Resource], to: Resource) -> list[Resource]:
    """Those of `candidates` that stand nearest to a resource: same variant, same file, same folder, next folder up.

    Repositories hold the same objects several times (base, overlays, rendered releases); what belongs together stands
    together.
    """
    if len(candidates) < 2:
        return list(candidates)
    here = to.path.split("/")
    candidates = [one for one in candidates if one.variant == to.variant] or candidates

    def shared(resource: Resource) -> int:
        there = resource.path.split("/")
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False)))

    best = max(shared(resource) for resource in candidates)
    return [resource for resource in candidates if shared(resource) == best]


def same_namespace(one: Resource, other: Resource) -> bool:
    """Whether two objects land in the same namespace as far as is written; an absent one may be any."""
    first, second = namespace_of(one), namespace_of(other)
    return not first or not second or first == second


def routes_to(service: Resource, repository: Repository) -> list[Resource]:
    """The Ingress and Gateway API routes that name `service` as a backend."""
    by_backend = repository.memo("link.routes_by_backend", _routes_by_backend)
    candidates = by_backend.get(service.node.text_at("metadata.name") or "", ())
    own = namespace_of(service)
    there = [route for route, namespace in candidates if not own or not namespace or own == namespace]
    return nearest(together(dict.fromkeys(there), service, repository), service)


def _routes_by_backend(repository: Repository) -> dict[str, list[tuple[Resource, str]]]:
    found: dict[str, list[tuple[Resource, str]]] = {}
    for route in repository.of_kind(*_ROUTES):
        for backend in backends(route):
            if backend.service is not None:
                found.setdefault(backend.service, []).append((route, backend.namespace))
    return found


def backends(route: Resource) -> Iterator[Backend]:
    """The backend Services of an Ingress, a Gateway API route or an Istio VirtualService; other kinds are left out."""
    spec = route.node.get("spec")
    if spec is None:
        return
    own = namespace_of(route)
    if route.kind == "k8s.ingress":
        default = spec.get("defaultBackend") or spec.get("backend")
        if default is not None:
            yield from _ingress_backend(default, own)
        for rule in spec.items_at("rules"):
            for path in rule.items_at("http.paths"):
                backend = path.get("backend")
                if backend is not None:
                    yield from _ingress_backend(backend, own)
        return
    for rule in (*spec.items_at("rules"), *spec.items_at("http"), *spec.items_at("tcp"), *spec.items_at("tls")):
        for reference in rule.items_at("backendRefs"):
            kind = reference.text_at("kind")
            name = reference.get("name")
            if name is not None and kind in (None, "Service") and not reference.text_at("group"):
                yield Backend(name, reference.get("port"), reference.text_at("namespace") or own)
        for target in rule.items_at("route"):
            host = target.get("destination.host")
            if host is not None:
                named = (host.text or "").partition(".")[2].partition(".")[0]  # service.namespace.svc.cluster.local
                yield Backend(host, target.get("destination.port.number"), named or own)


def _ingress_backend(backend: Node, namespace: str) -> Iterator[Backend]:
    name = backend.get("service.name") or backend.get("serviceName")
    if name is not None:
        port = backend.get("service.port.number") or backend.get("service.port.name") or backend.get("servicePort")
        yield Backend(name, port, namespace)


def proxies_to(hosts: Iterable[str], repository: Repository) -> list[Resource]:
    """The nginx locations whose `proxy_pass` may lead to one of the DNS names `hosts`."""
    by_host = repository.memo("link.locations_by_host", _locations_by_host)
    return list(dict.fromkeys(location for host in hosts for location in by_host.get(host, ())))


def _locations_by_host(repository: Repository) -> dict[str, list[Resource]]:
    upstreams = {upstream.node.text_at("name"): upstream for upstream in repository.of_kind("nginx.upstream")}
    found: dict[str, list[Resource]] = {}
    for location in repository.of_kind("nginx.location"):
        for host in proxied_hosts(location, upstreams):
            found.setdefault(host, []).append(location)
    return found


def proxied_hosts(location: Resource, upstreams: Mapping[str | None, Resource]) -> Iterator[str]:
    """The host names that a location's `proxy_pass` (or `uwsgi_pass`, …) may reach, through upstreams."""
    variables = location.node.mapping_at("variables")
    for directive in ("proxy_pass", "uwsgi_pass", "grpc_pass", "fastcgi_pass"):
        for occurrence in location.node.items_at(directive):
            target = occurrence.items[0] if occurrence.items else occurrence
            authority = _authority(target.text or "")
            if "$" in authority:
                filled = interpolated(target.holding(authority), variables)
                authority = authority if isinstance(filled, Unknown) else _authority(filled)
            host = authority.rsplit(":", 1)[0]
            if not host:
                continue
            upstream = upstreams.get(host)
            if upstream is None:
                yield host
                continue
            for server in upstream.node.items_at("servers"):
                name = server.text_at("host")
                if name is not None:
                    yield name


def _authority(url: str) -> str:
    return (url.partition("://")[2] or url).split("/", 1)[0]
