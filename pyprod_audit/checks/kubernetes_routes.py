"""Whether the Services that Ingresses and Gateway API routes send requests to exist and offer the port."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_selection import is_custom, telling_words
from pyprod_audit.link.network import Backend, backends, nearest
from pyprod_audit.link.variants import together
from pyprod_audit.model import Repository, Resource
from pyprod_audit.model.kubernetes import annotations_of, name_of, namespace_of, place_of

# Custom resources that belong to a Service of their name instead of making it.
_FOLLOWERS = (
    "servicemonitor", "podmonitor", "podmonitoring", "prometheusrule", "certificate", "issuer", "externalsecret",
    "sealedsecret", "virtualservice", "destinationrule", "gateway", "httproute", "grpcroute", "tcproute", "tlsroute",
    "backendconfig", "frontendconfig", "managedcertificate", "scaledobject", "verticalpodautoscaler", "networkpolicy",
    "healthcheckpolicy", "gcpbackendpolicy", "ingressroute", "middleware", "targetgroupbinding", "kustomization",
)  # fmt: skip
# The Services that Argo Rollouts points at old and new pods: https://argo-rollouts.readthedocs.io/en/stable/features/specification/
_ROLLOUT_SERVICES = (
    "spec.strategy.canary.canaryService", "spec.strategy.canary.stableService",
    "spec.strategy.blueGreen.activeService", "spec.strategy.blueGreen.previewService",
)  # fmt: skip
_RELEASE = "release-name"  # what `helm template` calls a release, and our own rendering
_ALIKE = 0.75  # of SequenceMatcher: one slip in a name of eight letters


def backend_missing(route: Resource, context: Context) -> Outcomes:
    """A backend whose Service does not exist, or has no such port."""
    wanted = list(_wanted(route))
    if not wanted:
        yield Skip("it has no Service as a backend")
        return
    services = context.repository.memo("checks.services_by_name", _services_by_name)
    seen: set[tuple[object, object]] = set()
    for backend in wanted:
        key = (backend.name.value, backend.port.value if backend.port is not None else None)
        if key in seen:
            continue
        seen.add(key)
        if backend.name.is_unknown or backend.name.text is None:
            yield cannot(backend.name)
            continue
        found = [
            service
            for service in services.get(backend.name.text, ())
            if not backend.namespace or namespace_of(service) in ("", backend.namespace)
        ]
        found = together(found, route, context.repository)
        if found:
            yield from _port_missing(route, backend, found, context.repository)
        else:
            yield from _service_missing(route, backend, context.repository)


def _wanted(route: Resource) -> Iterator[Backend]:
    if route.kind == "k8s.rollout":
        for path in _ROLLOUT_SERVICES:
            name = route.node.get(path)
            if name is not None and name.value is not None:
                yield Backend(name, None, namespace_of(route))
        return
    actions = annotations_of(route) if route.kind == "k8s.ingress" else {}
    for backend in backends(route):
        # an action of the AWS load balancer controller is no Service
        uses_action = backend.port is not None and backend.port.text == "use-annotation"
        if not uses_action and f"alb.ingress.kubernetes.io/actions.{backend.name.text}" not in actions:
            yield backend


def _service_missing(route: Resource, backend: Backend, repository: Repository) -> Outcomes:
    name = backend.name.text or ""
    elsewhere = together(repository.memo("checks.services_by_name", _services_by_name).get(name, ()), route, repository)
    beside = list(_beside(route, repository))
    alike = [one for one in beside if one.path == route.path or _is_alike(name, name_of(one))]
    if not (elsewhere or alike):
        yield Cannot(backend.name.span, f"nothing beside it is called alike: {name} may be deployed from elsewhere")
        return
    chart = _made_by_release(name, repository)
    if chart is not None and not route.variant:
        yield Cannot(backend.name.span, f"{chart.variant} makes it when the release is called so")
        return
    maker = next((one for one in _makers(repository) if f"{name}-".startswith(f"{name_of(one)}-")), None)
    if maker is not None:
        yield Cannot(backend.name.span, f"{maker.address} may make the Service {name}")
        return
    sure = any(_is_slip(name, name_of(one)) for one in alike)
    doubt = (origins.changes if sure else origins.additions)(route, repository)
    if doubt:
        yield doubt
        return
    related = [(place_of(one), f"is in namespace {namespace_of(one)}") for one in elsewhere[:1]]
    related += [(place_of(one), f"{one.address} stands beside it") for one in nearest(alike, route)[:2]]
    where = f" in namespace {backend.namespace}" if backend.namespace else ""
    yield Hit(
        backend.name.span,
        {"route": route.address, "service": name, "where": where},
        tuple(related),
        f"{route.address}/{name}",
        "{route} sends requests to the Service {service}, which does not exist{where}",
    )


def _port_missing(route: Resource, backend: Backend, found: Sequence[Resource], repository: Repository) -> Outcomes:
    port = backend.port
    if port is None or port.value is None:
        return
    if port.is_unknown:
        yield cannot(port)
        return
    offered: list[str] = []
    for service in found:
        if service.node.text_at("spec.type") == "ExternalName":
            return
        for entry in service.node.items_at("spec.ports"):
            name, number = entry.get("name"), entry.get("port")
            for node in (entry, name, number):
                if node is not None and node.is_unknown:
                    yield cannot(node)
                    return
            if (name is not None and name.scalar == port.scalar) or (
                number is not None and str(number.scalar) == str(port.scalar)
            ):
                return
    for service in nearest(found, route):
        for entry in service.node.items_at("spec.ports"):
            number = entry.get("port")
            offered.append(f"{entry.text_at('name') or ''} {number.scalar if number is not None else ''}".strip())
    doubt = next((one for service in (route, *found) if (one := origins.changes(service, repository))), None)
    if doubt:
        yield doubt
        return
    yield Hit(
        port.span,
        {
            "route": route.address,
            "service": backend.name.text,
            "port": port.scalar,
            "offered": ", ".join(dict.fromkeys(offered)) or "no ports",
        },
        tuple((place_of(service), f"{service.address} has no such port") for service in nearest(found, route)[:2]),
        f"{route.address}/{backend.name.text}/{port.scalar}",
        "{route} asks the Service {service} for port {port}, but it offers {offered}",
    )


def _services_by_name(repository: Repository) -> Mapping[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for service in repository.of_kind("k8s.service"):
        found.setdefault(name_of(service), []).append(service)
    return found


def _made_by_release(name: str, repository: Repository) -> Resource | None:
    """A Service of a chart that is called so when the release has another name than it had when it was rendered."""
    for service in repository.of_kind("k8s.service"):
        before, sign, behind = name_of(service).partition(_RELEASE)
        if sign and service.variant and len(name) > len(before + behind):
            if name.startswith(before) and name.endswith(behind):
                return service
    return None


def _beside(route: Resource, repository: Repository) -> Iterator[Resource]:
    """Services and workloads of the route's folder or namespace."""
    folder, namespace = posixpath.dirname(route.path), namespace_of(route)
    kinds = ("k8s.service", "k8s.deployment", "k8s.statefulset", "k8s.rollout")
    for one in together(repository.of_kind(*kinds), route, repository):
        other = namespace_of(one)
        near = not (namespace and other) and posixpath.dirname(one.path) == folder
        if near or (namespace and other == namespace):
            yield one


def _is_alike(one: str, other: str) -> bool:
    """Whether two names are about the same thing, or one is a slip of the other."""
    return bool(telling_words(one) & telling_words(other)) or _is_slip(one, other)


def _is_slip(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other).ratio() >= _ALIKE


def _makers(repository: Repository) -> list[Resource]:
    """Custom resources that may make Services of their own name."""

    def build(repo: Repository) -> list[Resource]:
        return [
            resource
            for resource in repo.of_technology("k8s")
            if resource.parent is None and is_custom(resource) and resource.kind.split(".")[1] not in _FOLLOWERS
        ]

    return repository.memo("checks.service_makers", build)
