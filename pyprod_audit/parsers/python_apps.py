"""Application objects and application factories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_scopes import Scope, Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

# Dotted name of the constructor → (framework, interface); both spellings where a framework exports it twice.
APP_CLASSES: Final[dict[str, tuple[str, str]]] = {
    "flask.Flask": ("flask", "wsgi"),
    "flask_openapi3.OpenAPI": ("flask", "wsgi"),
    "apiflask.APIFlask": ("flask", "wsgi"),
    "fastapi.FastAPI": ("fastapi", "asgi"),
    "fastapi.applications.FastAPI": ("fastapi", "asgi"),
    "starlette.applications.Starlette": ("starlette", "asgi"),
    "quart.Quart": ("quart", "asgi"),
    "sanic.Sanic": ("sanic", "asgi"),
    "litestar.Litestar": ("litestar", "asgi"),
    "litestar.app.Litestar": ("litestar", "asgi"),
    "starlite.Starlite": ("litestar", "asgi"),
    "blacksheep.Application": ("blacksheep", "asgi"),
    "falcon.App": ("falcon", "wsgi"),
    "falcon.API": ("falcon", "wsgi"),
    "falcon.asgi.App": ("falcon", "asgi"),
    "bottle.Bottle": ("bottle", "wsgi"),
    "bottle.default_app": ("bottle", "wsgi"),
    "aiohttp.web.Application": ("aiohttp", "aiohttp"),
    "tornado.web.Application": ("tornado", "tornado"),
    "tornado.wsgi.WSGIContainer": ("tornado", "tornado"),
    "django.core.wsgi.get_wsgi_application": ("django", "wsgi"),
    "django.core.asgi.get_asgi_application": ("django", "asgi"),
    "channels.routing.ProtocolTypeRouter": ("django", "asgi"),
    "channels.routing.get_default_application": ("django", "asgi"),
    "configurations.wsgi.get_wsgi_application": ("django", "wsgi"),
    "configurations.asgi.get_asgi_application": ("django", "asgi"),
    "pyramid.config.Configurator.make_wsgi_app": ("pyramid", "wsgi"),
    "connexion.App": ("connexion", ""),
    "connexion.FlaskApp": ("connexion", ""),
    "connexion.AsyncApp": ("connexion", "asgi"),
    "connexion.FlaskApp.app": ("flask", "wsgi"),
    "connexion.App.app": ("flask", "wsgi"),
    "dash.Dash": ("dash", ""),
    "dash.Dash.server": ("flask", "wsgi"),
    "celery.Celery": ("celery", "celery"),
    "socketio.ASGIApp": ("socketio", "asgi"),
    "socketio.WSGIApp": ("socketio", "wsgi"),
    "prometheus_client.make_wsgi_app": ("prometheus", "wsgi"),
    "prometheus_client.make_asgi_app": ("prometheus", "asgi"),
    "ninja.NinjaAPI": ("django-ninja", ""),
    "robyn.Robyn": ("robyn", "robyn"),
    "mangum.Mangum": ("mangum", "lambda"),
    "chalice.Chalice": ("chalice", "lambda"),
    "fastmcp.FastMCP": ("fastmcp", "asgi"),
    "gradio.mount_gradio_app": ("fastapi", "asgi"),
}
# Framework → the class whose methods its applications have.
CLASS_OF: Final[dict[str, str]] = {framework: name for name, (framework, _) in reversed(APP_CLASSES.items())}
_WRAPPERS_BY_NAME: Final[dict[str, str]] = {
    "WSGIMiddleware": "asgi", "WsgiToAsgi": "asgi", "WsgiToAsgiInstance": "asgi", "AsgiHandler": "asgi",
    "SentryAsgiMiddleware": "asgi", "OpenTelemetryMiddleware": "", "ASGIMiddleware": "wsgi", "AsgiToWsgi": "wsgi",
    "SentryWsgiMiddleware": "wsgi", "ProxyFix": "wsgi", "WhiteNoise": "wsgi", "DispatcherMiddleware": "wsgi",
    "ProxyHeadersMiddleware": "asgi", "ASGIApp": "asgi", "WSGIApp": "wsgi", "Sentry": "wsgi",
}  # fmt: skip
_WRAPPERS_BY_PACKAGE: Final = {
    "starlette": "asgi",
    "fastapi": "asgi",
    "uvicorn": "asgi",
    "werkzeug": "wsgi",
    "whitenoise": "wsgi",
}
_WRAPPER_ENDINGS: Final = tuple(_WRAPPERS_BY_NAME)
_FACTORY_NAME: Final = lazy(
    r"(?:create|make|get|build|init|setup|new)_\w{0,40}(?:app|application|api|server)|\w{0,40}factory"
)
_APP_NAME: Final = lazy(r"(?:\w{0,40}_)?(?:app|application|api|server|asgi|wsgi|celery)", re.IGNORECASE)


@dataclass(slots=True)
class App:
    """An application found: where, what, and the dotted name it comes from when another module decides."""

    place: Tree
    framework: str
    interface: str
    factory: bool = False
    origin: str = ""
    wrapper: str = ""


class Apps:
    """Collects applications during the walk."""

    def __init__(self, syntax: Syntax, scopes: Scopes) -> None:
        self.syntax = syntax
        self.scopes = scopes
        self.found: dict[str, App] = {}

    def assigned(self, name: str, place: Tree, right: Tree, written: str, dotted: str) -> None:
        """`name = right`, where `right` is `written` and resolves to `dotted`; wherever it stands.

        Only names of the module and of functions that return them count.
        """
        app = self._app(place, right, name, written, dotted)
        if app is None:
            return
        function = self.scopes.function
        if function is not None:
            function.apps[name] = (app.framework, app.interface)
        if function is None and self.scopes.at_module_level:
            self.found[name] = app
        elif function is not None and _declared_global(self.syntax, function.place, name):
            self.found.setdefault(name, app)

    def returned(self, place: Tree) -> None:
        """`return …`: a function that returns an application it made is a factory."""
        function = self.scopes.function
        if function is None or "." in function.name or not place.named_child_count:
            return
        expression = place.named_children[0]
        known = function.apps.get(self.syntax.text(expression, 80))
        written = "" if known else self.syntax.name(expression)
        app = (
            App(function.place, *known)
            if known
            else self._app(function.place, expression, "", written, self.scopes.resolve(written))
        )
        if app is not None:
            named = function.place.child_by_field_name("name")
            app.place = named if named is not None else function.place
            app.factory = True
            self.found.setdefault(function.name, app)

    def annotated(self, function: Scope) -> None:
        """A function whose declared result is an application is a factory, too."""
        place = function.place
        result, named = place.child_by_field_name("return_type"), place.child_by_field_name("name")
        if result is None or named is None or "." in function.name or not self.scopes.import_time:
            return
        known = APP_CLASSES.get(self.syntax.resolve(self.syntax.text(result)))
        if known and _FACTORY_NAME.fullmatch(function.name):
            self.found.setdefault(function.name, App(named, *known, factory=True))

    def _app(self, place: Tree, right: Tree, name: str, written: str, dotted: str) -> App | None:
        syntax = self.syntax
        if right.type == "await" and right.named_child_count:
            right = right.named_children[0]
        if right.type not in {"call", "attribute", "identifier"}:
            return None
        if right.type == "call":
            known = APP_CLASSES.get(dotted)
            if known:
                return App(place, *known)
            return self._wrapped(place, right, dotted, name) or self._made_elsewhere(place, written, dotted, name)
        if right.type == "attribute":
            known = APP_CLASSES.get(dotted)
            return App(place, *known) if known else None
        known_here = self.found.get(written)
        if known_here is not None and name:
            return App(place, known_here.framework, known_here.interface, origin=known_here.origin)
        if written in syntax.imports and name and _APP_NAME.fullmatch(name):
            return App(place, "", "", origin=dotted)
        return None

    def _wrapped(self, place: Tree, call: Tree, dotted: str, name: str) -> App | None:
        """`app = Middleware(app)`: the wrapper decides the interface, the wrapped application the framework."""
        function = self.scopes.function
        known = self.found or (function is not None and function.apps)
        if not known and not dotted.endswith(_WRAPPER_ENDINGS) and not (name and _APP_NAME.fullmatch(name)):
            return None
        arguments = call.child_by_field_name("arguments")
        for child in (arguments.named_children if arguments is not None else [])[:4]:
            value = child.child_by_field_name("value") if child.type == "keyword_argument" else child
            inner = self._inner(value) if value is not None else None
            if inner is not None:
                last = dotted.rpartition(".")[2]
                interface = _WRAPPERS_BY_NAME.get(last) or _WRAPPERS_BY_PACKAGE.get(dotted.partition(".")[0], "")
                return App(place, inner[0], interface, wrapper=dotted)
        return None

    def _inner(self, value: Tree) -> tuple[str, str] | None:
        written = self.syntax.name(value)
        if value.type == "call":
            return APP_CLASSES.get(self.scopes.resolve(written))
        if value.type != "identifier":
            return None
        function = self.scopes.function
        if function is not None and written in function.apps:
            return function.apps[written]
        app = self.found.get(written)
        return (app.framework, app.interface) if app is not None else None

    def _made_elsewhere(self, place: Tree, written: str, dotted: str, name: str) -> App | None:
        """`app = create_app()`: a factory of this module, or one that another module has."""
        factory = self.found.get(written)
        if factory is not None and factory.factory:
            return App(place, factory.framework, factory.interface, origin=written)
        last = dotted.rpartition(".")[2]
        imported = written.partition(".")[0] in self.syntax.imports
        if name and _APP_NAME.fullmatch(name) and _FACTORY_NAME.fullmatch(last) and (imported or "." not in written):
            return App(place, "", "", origin=dotted)
        return None

    def nodes(self) -> list[Node]:
        """The model nodes, in order of appearance; what another module decides is Unknown."""
        result = []
        for name, app in self.found.items():
            settled = self.found.get(app.origin) if app.origin and not app.framework else None
            framework, interface = (settled.framework, settled.interface) if settled else (app.framework, app.interface)
            reason = f"decided by {app.origin or app.wrapper or app.framework}"
            fields: dict[str, object] = {
                "name": name,
                "framework": framework or Unknown(app.origin, reason),
                "interface": interface or Unknown(app.origin or app.wrapper, reason),
                "factory": app.factory,
            }
            if app.origin:
                fields["from"] = app.origin
            if app.wrapper:
                fields["wrapper"] = app.wrapper
            result.append(self.syntax.node(fields, app.place))
        return result


def _declared_global(syntax: Syntax, function: Tree, name: str) -> bool:
    body = function.child_by_field_name("body")
    if body is None:
        return False
    return any(
        child.type == "global_statement" and any(syntax.text(c) == name for c in child.named_children)
        for child in body.named_children[:10]
    )
