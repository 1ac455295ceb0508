"""Routes of Flask, Quart, Starlette and FastAPI applications, through blueprints, routers and mounts.

How prefixes add up: FastAPI, "Bigger Applications" (`include_router`); Flask, "Blueprints" (`register_blueprint`
replaces the blueprint's own prefix, nested blueprints add theirs); Starlette, "Routing" (`Mount`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyprod_audit.link.application import Application
from pyprod_audit.link.python_modules import ModuleFinder
from pyprod_audit.link.routes import Opening, Route, RouteSet, join, segments_of
from pyprod_audit.model import Node, Resource, Unknown
from pyprod_audit.model.patterns import lazy

_STEPS = 8
_DEPTH = 12
_MOST_PREFIXES = 50
# What applications are handed to without getting routes or answers from it, by the first part of the dotted name.
_HARMLESS = frozenset({
    "flask_cors", "flask_sqlalchemy", "flask_migrate", "flask_login", "flask_wtf", "flask_mail", "flask_limiter",
    "flask_caching", "flask_session", "flask_compress", "flask_marshmallow", "flask_bcrypt", "flask_babel",
    "flask_jwt_extended", "flask_principal", "flask_talisman", "flask_executor", "flask_pymongo", "flask_redis",
    "flask_seasurf", "flask_assets", "flask_minify", "flask_httpauth", "flask_bootstrap", "flask_moment",
    "opentelemetry", "sentry_sdk", "ddtrace", "elasticapm", "newrelic", "scout_apm", "logging", "uvicorn", "hypercorn",
    "werkzeug", "whitenoise", "waitress", "gunicorn", "asgiref", "fastapi", "starlette", "mangum", "aws_xray_sdk",
    "isinstance", "print", "setattr", "getattr", "hasattr", "type", "id", "super", "slowapi", "asgi_correlation_id",
    "structlog", "loguru", "fastapi_cors", "celery", "fastapi_pagination", "brotli_asgi", "rollbar", "bugsnag",
    "starlette_csrf", "secure", "fastapi_limiter", "prometheus_fastapi_instrumentator", "prometheus_flask_exporter",
})  # fmt: skip
_HEALTH_PACKAGE = lazy(r"health|liveness|readiness|watchman|(?:^|_)(?:ping|probes?)(?:_|$)")
_SETTING = lazy(r"[A-Za-z_][\w.]{0,199}")
_HARMLESS_WRAPPERS = ("ProxyFix", "WhiteNoise", "Sentry", "OpenTelemetryMiddleware", "ProxyHeadersMiddleware",
                      "CORSMiddleware", "WsgiToAsgi", "WSGIMiddleware")  # fmt: skip
_DOCUMENTATION = ("/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json")

_Key = tuple[str, str]  # path of the module, name of the router or application in it
_ROOT: _Key = ("", "")


@dataclass(slots=True)
class _Graph:
    """Routers and applications with what includes them, while it is put together."""

    edges: dict[_Key, list[tuple[_Key, str]]] = field(default_factory=dict)
    routes: dict[_Key, list[tuple[Node, Resource]]] = field(default_factory=dict)
    own_prefix: dict[_Key, str] = field(default_factory=dict)
    openings: dict[_Key, list[Opening]] = field(default_factory=dict)


def collect(found: Application, modules: Sequence[Resource], finder: ModuleFinder, *, complete: bool) -> RouteSet:
    """The routes of `found` over the modules of its project; `complete`: `modules` are all of them."""
    considered = list({id(module): module for module in (found.module, *modules)}.values())
    graph = _Graph()
    for module in considered:
        for router in module.node.items_at("routers"):
            key = (module.path, router.text_at("name") or "")
            prefix = _known(router.get("prefix"), finder)
            if prefix is not None and prefix.is_unknown:
                graph.openings.setdefault(key, []).append(Opening("", "the prefix of a router is not known", router))
            graph.own_prefix[key] = (prefix.text or "") if prefix is not None else ""
            if router.text_at("framework") in ("connexion", "drf", "django-ninja", "aiohttp"):
                graph.openings.setdefault(key, []).append(Opening("", "a router of another framework", router))
    for module in considered:
        _read_module(module, found, graph, finder)
    doubts = list(_doubts(found, considered, finder))
    if not complete:
        doubts.append(Opening("", "which modules belong to the application is not known"))
    return _flatten(graph, found, doubts)


def _read_module(module: Resource, found: Application, graph: _Graph, finder: ModuleFinder) -> None:
    for route in module.node.items_at("routes"):
        owner = _node_of(route.text_at("owner") or "", module, found, graph, finder) or _ROOT
        graph.routes.setdefault(owner, []).append((route, module))
    for include in module.node.items_at("includes"):
        owner = _node_of(include.text_at("owner") or "", module, found, graph, finder) or _ROOT
        prefix = _known(include.get("prefix"), finder)
        target = _node_of(include.text_at("router") or "", module, found, graph, finder)
        if prefix is not None and prefix.is_unknown:
            graph.openings.setdefault(owner, []).append(Opening("", "the prefix of a router is not known", include))
            continue
        text = (prefix.text or "") if prefix is not None else ""
        if target is None or target == owner:
            because = f"{include.text_at('router') or 'what is included'} is not in the repository"
            graph.openings.setdefault(owner, []).append(Opening(text, because, include))
            continue
        flask = include.text_at("method") in ("register_blueprint", "blueprint", "add_namespace")
        added = text if flask and text else join(text, graph.own_prefix.get(target, ""))
        graph.edges.setdefault(owner, []).append((target, added))


def _node_of(written: str, module: Resource, found: Application, graph: _Graph, finder: ModuleFinder) -> _Key | None:
    """The router or application that a name means in a module; None when it is not one of the repository."""
    name, current = written, module
    for _ in range(_STEPS):
        if not name:
            return None
        if (current.path, name) in graph.own_prefix:
            return (current.path, name)
        app = next((app for app in current.node.items_at("apps") if app.text_at("name") == name), None)
        if app is not None:
            same = current is found.module and found.place.text_at("name") == name
            origin = app.text_at("from")
            if same or origin is None or origin == name:
                return _ROOT if same else (current.path, name)
            name = origin
            continue
        imports = current.node.get("imports")
        first, _, rest = name.partition(".")
        target = imports.mapping.get(first) if imports is not None else None
        dotted = (f"{target.text}.{rest}" if rest else target.text or "") if target is not None else name
        parent, _, last = dotted.rpartition(".")
        following = finder.module(parent) if parent else None
        if following is None or (following is current and last == name):
            return None
        name, current = last, following
    return None


def _known(prefix: Node | None, finder: ModuleFinder) -> Node | None:
    """A prefix; one that names a constant of the repository (`settings.API_V1_STR`) is replaced by its value."""
    if prefix is None or not isinstance(prefix.value, Unknown) or not _SETTING.fullmatch(prefix.value.expression):
        return prefix
    owner, _, name = prefix.value.expression.rpartition(".")
    module = finder.module(owner)
    if module is not None:
        return module.node.mapping_at("assignments").get(name) or prefix
    module = finder.module(owner.rpartition(".")[0])
    for one in module.node.mapping_at("classes").values() if module is not None else ():
        value = one.mapping_at("assignments").get(name)
        if value is not None:
            return value
    return prefix


def _doubts(found: Application, modules: Sequence[Resource], finder: ModuleFinder) -> Iterator[Opening]:
    """What may answer requests besides routes: extensions, middleware that wraps the application, health packages."""
    wrapper = found.wrapper.rpartition(".")[2]
    if wrapper and not wrapper.startswith(_HARMLESS_WRAPPERS):
        yield Opening("", f"{found.wrapper} wraps the application")
    for module in modules:
        for call in module.node.items_at("app_passed_to"):
            name = call.text_at("name") or ""
            if name.partition(".")[0] in _HARMLESS or _is_own(name, module, finder):
                continue
            yield Opening("", f"{name} is given the application", call)
        for target in module.node.mapping_at("imports").values():
            dotted = target.text or ""
            if _HEALTH_PACKAGE.search(dotted.partition(".")[0]) and not _is_own(dotted, module, finder):
                yield Opening("", f"{dotted} may add routes of its own", target)


def _is_own(dotted: str, module: Resource, finder: ModuleFinder) -> bool:
    """Whether a name is defined in the repository; a bare name is one of the module."""
    if "." not in dotted:
        return finder.path(dotted) is not None or any(
            name.text == dotted for name in module.node.items_at("definitions")
        )
    parts = dotted.split(".")
    return any(finder.path(".".join(parts[:length])) is not None for length in range(len(parts), 0, -1))


def _flatten(graph: _Graph, found: Application, doubts: Sequence[Opening]) -> RouteSet:
    """Every router's routes below each prefix that leads to it from the application."""
    prefixes = _prefixes(graph)
    routes: list[Route] = []
    openings = list(doubts)
    unmounted: list[Route] = []
    for key, members in graph.routes.items():
        for node, module in members:
            written = node.get("path")
            websocket = node.get("websocket")
            if written is None or (websocket is not None and websocket.scalar is True):
                continue
            path = written.text
            for prefix in prefixes.get(key, ()):
                if path is None:
                    openings.append(Opening(prefix, f"{_expression(written)} is a path that is computed", node))
                else:
                    routes.append(_route(join(prefix, path), node, module))
            if key not in prefixes and path is not None:
                unmounted.append(_route(join(graph.own_prefix.get(key, ""), path), node, module))
    for key, found_openings in graph.openings.items():
        for prefix in prefixes.get(key, ()):
            openings += [Opening(join(prefix, one.prefix), one.because, one.node) for one in found_openings]
    if found.framework == "fastapi":
        routes += [_route(path, found.place, found.module) for path in _DOCUMENTATION]
    if found.framework in ("flask", "quart"):
        routes.append(_route("/static/<path:filename>", found.place, found.module))
    return RouteSet(tuple(routes), tuple(openings), tuple(unmounted), found.framework)


def _prefixes(graph: _Graph) -> Mapping[_Key, tuple[str, ...]]:
    """The prefixes under which each router or application is reached."""
    reached: dict[_Key, dict[str, None]] = {_ROOT: {"": None}}
    level: list[tuple[_Key, str]] = [(_ROOT, "")]
    for _ in range(_DEPTH):
        below: list[tuple[_Key, str]] = []
        for key, prefix in level:
            for target, added in graph.edges.get(key, ()):
                full = join(prefix, added)
                known = reached.setdefault(target, {})
                if full not in known and len(known) < _MOST_PREFIXES:
                    known[full] = None
                    below.append((target, full))
        level = below
    return {key: tuple(found) for key, found in reached.items()}


def _route(path: str, node: Node, module: Resource) -> Route:
    methods = frozenset((method.text or "").upper() for method in node.items_at("methods"))
    handler = node.text_at("handler") or ""
    return Route(path, methods, node, module, handler, segments_of(path))


def _expression(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else ""
