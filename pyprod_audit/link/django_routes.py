"""Routes of a Django project: ROOT_URLCONF and what it includes.

Django, "URL dispatcher" and "Middleware": a middleware may answer before a view is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.link.imported_modules import settings_module
from pyprod_audit.link.python_modules import ModuleFinder
from pyprod_audit.link.routes import Opening, Route, RouteSet, join, segments_of
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

_DEPTH = 12
_MOST_ROUTES = 20_000
# Middleware that answers nothing by itself but redirects and refusals.
_HARMLESS = (
    "django.", "whitenoise.", "corsheaders.", "debug_toolbar.", "allauth.", "django_prometheus.", "simple_history.",
    "waffle.", "csp.", "axes.", "hijack.", "django_htmx.", "silk.", "reversion.", "django_structlog.",
    "log_request_id.",
    "request_logging.", "django_cprofile_middleware.", "crum.", "auditlog.", "easyaudit.", "impersonate.", "otp.",
    "django_otp.", "social_django.", "oauth2_provider.", "opentelemetry.", "elasticapm.", "sentry_sdk.", "htmlmin.",
    "django_browser_reload.", "django_permissions_policy.", "wagtail.contrib.redirects.", "compression_middleware.",
)  # fmt: skip
_LITERAL = lazy(r"[\w./@:-]*")


def _settings(service: Service, finder: ModuleFinder, repository: Repository) -> list[Resource]:
    """The settings that the process may run with: the module that is chosen and what it imports, else all of them."""
    chosen = settings_module(service, repository)
    if isinstance(chosen, Resource):
        return list(_with_imported(chosen, finder))
    return [module for module in service.modules if "ROOT_URLCONF" in module.node.mapping_at("assignments")]


def _with_imported(module: Resource, finder: ModuleFinder) -> Iterator[Resource]:
    """A settings module and those it takes everything from (`from .base import *`)."""
    waiting, seen = [module], set[str]()
    while waiting and len(seen) < _DEPTH:
        current = waiting.pop()
        if current.path in seen:
            continue
        seen.add(current.path)
        yield current
        for name in current.node.items_at("star_imports"):
            following = finder.module(name.text) if name.text is not None else None
            if following is not None:
                waiting.append(following)


def collect_django(service: Service, finder: ModuleFinder, repository: Repository) -> RouteSet:
    """The routes of the Django project that a service runs."""
    modules = _settings(service, finder, repository)
    found = [module.node.mapping_at("assignments").get("ROOT_URLCONF") for module in modules]
    roots = {node.text for node in found if node is not None}
    if len(roots) != 1 or None in roots:
        return RouteSet(openings=(Opening("", "ROOT_URLCONF is not known"),), framework="django")
    root = next(iter(roots)) or ""
    openings = list(_middleware(modules, finder))
    for one in modules:
        script_name = one.node.mapping_at("assignments").get("FORCE_SCRIPT_NAME")
        if script_name is not None and script_name.value is not None:
            openings.append(Opening("", "FORCE_SCRIPT_NAME changes all paths", script_name))
    routes: list[Route] = []
    waiting = [("", root, 0)]
    while waiting and len(routes) < _MOST_ROUTES:
        prefix, name, depth = waiting.pop()
        module = finder.module(name)
        patterns = module.node.get("urlpatterns") if module is not None else None
        if module is None or patterns is None or depth > _DEPTH:
            openings.append(Opening(prefix, f"the routes of {name} are not in the repository"))
            continue
        if "urlpatterns." in module.source.text:  # append, extend
            openings.append(Opening(prefix, f"{name} adds routes one by one"))
        for entry in patterns.items:
            waiting.extend(_entry(entry, module, prefix, depth, routes, openings))
    return RouteSet(tuple(routes), tuple(openings), (), "django")


def _entry(
    entry: Node, module: Resource, prefix: str, depth: int, routes: list[Route], openings: list[Opening]
) -> Iterator[tuple[str, str, int]]:
    """Sort one member of `urlpatterns` in; gives the modules that it includes, with their prefix."""
    written, regex = entry.get("route"), entry.get("regex")
    text = written.text if written is not None else None
    if text is not None and regex is not None and regex.scalar is True:
        literal = text.removeprefix("^")
        exact = literal.removesuffix("$").removesuffix("/?")
        if not _LITERAL.fullmatch(exact) or (
            exact == "" and not literal.endswith("$") and "include" not in entry.mapping
        ):
            known = _LITERAL.match(literal)
            openings.append(Opening(join(prefix, _whole_segments(known[0] if known else "")),
                                    f"the regular expression {text} is not tried", entry))  # fmt: skip
            return
        text = exact
    if text is None:
        openings.append(Opening(prefix, f"{_expression(written)} is a route that is computed", entry))
        return
    path = join(prefix, text)
    included = entry.get("include")
    if included is not None:
        if included.text is None:
            openings.append(Opening(path, f"{_expression(included)} is not a module of the repository", entry))
        else:
            yield path, included.text, depth + 1
        return
    view = entry.text_at("view") or ""
    if view.endswith((".urls", ".urls.urls")) or not view:
        openings.append(Opening(path, f"{view or 'what is routed'} has routes of its own", entry))
    if view and not view.endswith(".urls"):
        routes.append(Route(path, frozenset(), entry, module, view, segments_of(path)))


def _whole_segments(literal: str) -> str:
    """The part of a literal beginning of a pattern that is certainly whole segments."""
    return literal.rpartition("/")[0]


def _middleware(modules: list[Resource], finder: ModuleFinder) -> Iterator[Opening]:
    """Middleware that may answer requests itself."""
    for module in modules:
        node = module.node.mapping_at("assignments").get("MIDDLEWARE")
        if node is None:
            continue
        if node.is_unknown:
            yield Opening("", "MIDDLEWARE is put together at run time", node)
        for entry in node.items:
            name = entry.text
            if name is None:
                yield Opening("", "a middleware is not known", entry)
            elif not name.startswith(_HARMLESS) and finder.path(name.rpartition(".")[0]) is None:
                yield Opening("", f"{name} may answer requests itself", entry)


def _expression(node: Node | None) -> str:
    return node.value.expression if node is not None and isinstance(node.value, Unknown) else "what is routed"
