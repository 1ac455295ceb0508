"""What the application does with the requests of its probes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.probe_view import HttpProbe, application_routes, asks_application, http_probes
from pyprod_audit.link.application import finder_of
from pyprod_audit.link.imported_modules import django_setting, settings_module
from pyprod_audit.link.routes import Route, RouteSet
from pyprod_audit.model import Node, Repository, Resource, Service, Span
from pyprod_audit.model.patterns import lazy

_VERBS = ("POST", "PUT", "PATCH", "DELETE")
_NEEDS_LOGIN = lazy(
    r"(?:^|\.)(?:jwt_required|token_required|requires_auth|auth_required|get_current_user|get_current_active_user"
    r"|get_current_active_superuser|CurrentUser)$"
)
_EXECUTES = lazy(
    r"(?:^|[._])(?:db|database|session|conn|connection|cursor|engine|pool|redis|cache|mongo|client)\w{0,20}"
    r"(?:\.\w{1,30}){0,2}\.(?:execute|exec|scalar|scalars|fetch|fetchone|fetchval|ping|cursor|connect|begin|acquire"
    r"|ensure_connection|server_info|command|get|set)$"
)
_ASKS = lazy(
    r"^(?:requests|httpx)\.(?:get|post|head|request)$|^(?:redis|aioredis|pymongo|motor)\.[\w.]{1,80}\."
    r"(?:ping|get|set|info|server_info|command)$|^django\.db\.connections?(?:\.\w{1,30}){0,2}\.(?:cursor|ensure_connection)$"
    r"|^sqlalchemy\.[\w.]{1,80}\.(?:execute|connect|begin|scalar)$|^(?:psycopg2?|asyncpg|pymysql|MySQLdb)\.connect$"
)
# What FastAPI injects into a handler, and what is done with it: the handler's own name for it may be any.
_INJECTED = lazy(r"(?:^|[._])(?i:db|database|session|async_session|conn|connection|pool|redis)(?i:_?dep)?$")
_RUNS = lazy(r"\.(?:execute|exec|scalar|scalars|fetch|fetchone|fetchval|ping)$")
_NOT_STORES = lazy(
    r"^(?:flask\.request|flask\.session|request|self\.request|session|os|cache_control)\b\.?(?:get|args|headers)?"
)
_READINESS_PATH = lazy(r"/(?:readyz?|readiness(?:_check)?|is-?ready|health/ready)/?$")
_CHECKS_EVERYTHING = ("health_check.urls", "watchman.urls")


def path_is_no_route(service: Service, context: Context) -> Outcomes:
    """A probe asks for a path that the application does not have, refuses, or answers only after a login."""
    if service.container is None or service.process is None:
        yield Skip("no container whose process is known")
        return
    probes = list(http_probes(service.container))
    routes = application_routes(service, context.repository) if probes else None
    if routes is None:
        yield Skip("no probe over HTTP, or no application whose routes can be read")
        return
    for probe in probes:
        if probe.path.is_unknown:
            yield cannot(probe.path)
        elif asks_application(probe, service):
            yield from _judge(probe, service, routes, context.repository)


def _judge(probe: HttpProbe, service: Service, routes: RouteSet, repository: Repository) -> Outcomes:
    container = service.container
    address = f"{container.address}/{probe.field}" if container is not None else ""
    values = {"probe": probe.field, "path": probe.target, "effect": _EFFECTS[probe.field]}
    route = routes.find(probe.target)
    if route is not None:
        login = _needs_login(route)
        if login and "authorization" not in probe.headers:
            message = "{probe} asks for {path}, which needs a login ({login}): it answers 401 or 403, {effect}"
            related = ((route.node.span.first_line, "the route"),)
            yield Hit(probe.path.anchor, {**values, "login": login}, related, address=address, message=message)
        elif routes.framework == "django" and "host" not in probe.headers:
            yield from _host_refused(probe, service, values, address, repository)
        return
    doubt = routes.doubt(probe.target)
    if doubt is not None:
        yield Cannot(probe.path.anchor, doubt.because)
        return
    mention = _mentioned(probe.target, service, routes, repository)
    if mention is not None:
        yield Cannot(probe.path.anchor, f"{mention} mentions the path")
        return
    for verb in _VERBS:
        other = routes.find(probe.target, verb)
        if other is not None:
            message = (
                "{probe} asks for {path} with GET, the application has it for {verb} only: it answers 405, {effect}"
            )
            related = ((other.node.span.first_line, "the route"),)
            yield Hit(probe.path.anchor, {**values, "verb": verb}, related, address=address, message=message)
            return
    near = _nearest(probe.target, routes)
    meant = tuple((one.node.span.first_line, f"{one.path} is a route") for one in near)
    yield Hit(probe.path.anchor, values, meant, address=address)


_EFFECTS = {
    "livenessProbe": "and the container is restarted again and again",
    "readinessProbe": "and the pod never gets ready",
    "startupProbe": "and the container never gets past its start",
}


def _needs_login(route: Route) -> str:
    """The decorator or dependency of a route that refuses requests without credentials; empty when none does."""
    for key in ("decorators", "depends"):
        for name in route.node.items_at(key):
            if name.text is not None and _NEEDS_LOGIN.search(name.text):
                return name.text.rpartition(".")[2]
    return ""


def _nearest(path: str, routes: RouteSet) -> list[Route]:
    """Routes that end like the path, or look like a health check: what was probably meant."""
    last = path.rstrip("/").rpartition("/")[2]
    same = [route for route in routes.routes if last and route.path.rstrip("/").rpartition("/")[2] == last]
    health = [route for route in routes.routes if re.search(r"health|ready|live|ping", route.path)]
    return (same or health)[:3]


def _mentioned(path: str, service: Service, routes: RouteSet, repository: Repository) -> str | None:
    """A Python file of the project that has the path as a text outside of the known routes."""
    stripped = path.strip("/")
    if not stripped:
        return None
    before = "[\"'/]" if routes.framework == "django" else "/"  # the others' paths begin with a slash
    pattern = re.compile(rf"""{before}{re.escape(stripped)}/?["'?]""")
    spans = [(route.module.path, route.node.start, route.node.end) for route in (*routes.routes, *routes.unmounted)]
    prefix = f"{service.project}/" if service.project else ""
    for file, source in repository.files.items():
        if not file.endswith(".py") or not file.startswith(prefix) or _is_test(file) or stripped not in source.text:
            continue
        for found in pattern.finditer(source.text):
            if not any(one == file and start <= found.start() < end for one, start, end in spans):
                return file
    return None


def _is_test(path: str) -> bool:
    return "/tests/" in f"/{path}" or path.rpartition("/")[2].startswith(("test_", "conftest"))


def _host_refused(
    probe: HttpProbe, service: Service, values: dict[str, str], address: str, repository: Repository
) -> Outcomes:
    """Django answers 400 when the Host header, the pod's address here, is not in ALLOWED_HOSTS."""
    settings = settings_module(service, repository)
    if not isinstance(settings, Resource):
        return
    finder = finder_of(service, repository)
    hosts = django_setting(settings, "ALLOWED_HOSTS", finder)
    middleware = django_setting(settings, "MIDDLEWARE", finder)
    if hosts is None or middleware is None or not isinstance(hosts.value, tuple):
        return
    texts = [host.text for host in hosts.items]
    if None in texts or any(text in ("*", ".") or _is_address(text or "") for text in texts):
        return
    names = [entry.text or "" for entry in middleware.items]
    if "django.middleware.common.CommonMiddleware" not in names:
        return
    before = names[: names.index("django.middleware.common.CommonMiddleware")]
    strangers = [name for name in before if not name.startswith(("django.", "whitenoise.", "corsheaders."))]
    changed = sum(module.source.text.count("ALLOWED_HOSTS") for module in service.modules) > 1
    if strangers or changed:
        yield Cannot(probe.path.anchor, "whether ALLOWED_HOSTS takes the pod's address cannot be told")
        return
    message = "{probe} comes with the pod's address as Host, which ALLOWED_HOSTS refuses: Django answers 400, {effect}"
    yield Hit(probe.path.anchor, values, ((hosts.span.first_line, "the hosts that are allowed"),), address=address,
              message=message)  # fmt: skip


def _is_address(host: str) -> bool:
    return bool(re.match(r"[\d.:\[]", host)) and not host.startswith(("127.", "0.0.0.0", "[::1]", "."))  # noqa: S104


def liveness_depends(service: Service, context: Context) -> Outcomes:
    """A liveness probe that fails when a database or another service does."""
    container = service.container
    if container is None:
        yield Skip("no container")
        return
    probes = {probe.field: probe for probe in http_probes(container)}
    liveness, readiness = probes.get("livenessProbe"), probes.get("readinessProbe")
    if liveness is None:
        yield Skip("no liveness probe over HTTP")
        return
    if liveness.path.is_unknown:
        yield cannot(liveness.path)
        return
    address = f"{container.address}/livenessProbe"
    values = {"path": liveness.target, "container": container.address}
    routes = application_routes(service, context.repository) if asks_application(liveness, service) else None
    route = routes.find(liveness.target) if routes is not None else None
    asked = _asked(route, service, context.repository) if route is not None else _asked_by_package(liveness, routes)
    if asked is not None:
        what, place = asked
        yield Hit(liveness.path.anchor, {**values, "what": what}, ((place, f"calls {what}"),), address=address)
    elif (
        route is None
        and readiness is not None
        and _same(liveness, readiness)
        and not _more_patient(liveness, readiness)
    ):
        if _READINESS_PATH.search(liveness.target):
            message = (
                "{container}: livenessProbe and readinessProbe both ask {path}: what makes a pod unready restarts it"
            )
            related = ((readiness.path.anchor, "the readiness probe"),)
            yield Hit(liveness.path.anchor, values, related, address=address, message=message)
        else:
            yield Cannot(liveness.path.anchor, f"what {liveness.target} checks is not known")


def _asked(route: Route, service: Service, repository: Repository) -> tuple[str, Span] | None:
    """A dependency that the handler of a route calls, and where the handler is."""
    injected = any(_INJECTED.search(name.text or "") for name in route.node.items_at("depends"))
    for call, place in _calls(route, service, repository):
        if _NOT_STORES.match(call):
            continue
        if _ASKS.search(call) or _EXECUTES.search(call) or (injected and _RUNS.search(call)):
            return call, place
    return None


def _calls(route: Route, service: Service, repository: Repository) -> Iterator[tuple[str, Span]]:
    for call in route.node.items_at("calls"):
        if call.text is not None:
            yield call.text, route.node.span.first_line
    parent, _, last = route.handler.rpartition(".")
    if not parent or route.node.get("calls") is not None:
        return
    module = finder_of(service, repository).module(parent)
    bodies: dict[str, Node] = dict(module.node.mapping_at("bodies")) if module is not None else {}
    for name, body in bodies.items():
        if name in (last, f"{last}.get", f"{last}.dispatch"):
            for call in body.items_at("calls"):
                if call.text is not None:
                    yield call.text, body.span.first_line


def _asked_by_package(liveness: HttpProbe, routes: RouteSet | None) -> tuple[str, Span] | None:
    """A package of health checks that asks all dependencies, when the probe's path belongs to it."""
    for opening in routes.openings if routes is not None else ():
        if opening.prefix and opening.node is not None and opening.covers(liveness.target):
            package = next((name for name in _CHECKS_EVERYTHING if name in opening.because), None)
            if package is not None:
                return package.partition(".")[0], opening.node.span.first_line
    return None


def _same(one: HttpProbe, other: HttpProbe) -> bool:
    ports = [probe.get.get("port") for probe in (one, other)]
    same_port = all(port is not None for port in ports) and len({str(port.value) for port in ports if port}) == 1
    return one.target.rstrip("/") == other.target.rstrip("/") and same_port


def _more_patient(liveness: HttpProbe, readiness: HttpProbe) -> bool:
    """Whether liveness fails later than readiness, which Kubernetes' documentation recommends for one endpoint."""
    return _patience(liveness.probe) > _patience(readiness.probe)


def _patience(probe: Node) -> float:
    """Seconds of failures until the probe has failed; 10 s and 3 times are Kubernetes' defaults."""
    numbers = []
    for key, default in (("periodSeconds", 10), ("failureThreshold", 3)):
        node = probe.get(key)
        value = node.scalar if node is not None else default
        numbers.append(float(value) if isinstance(value, (int, float)) else float(default))
    return numbers[0] * numbers[1]
