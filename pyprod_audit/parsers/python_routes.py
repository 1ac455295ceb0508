"""Routes: decorators, registration calls, route objects, routers and what includes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_scopes import Decorator, Scope, Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

_VERBS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})
_DECORATORS: Final = _VERBS | {"route", "api_route", "api_operation", "websocket", "websocket_route", "stream", "view"}
_WEBSOCKET: Final = frozenset({"websocket", "websocket_route", "add_websocket_route", "add_api_websocket_route",
                               "WebSocketRoute", "WebSocketRouter", "APIWebSocketRoute", "websocket_listener",
                               "websocket_stream", "WebsocketListener"})  # fmt: skip
_FREE_DECORATORS: Final = {"litestar": _VERBS | {"route", "websocket", "websocket_listener", "websocket_stream"},
                           "starlite": _VERBS, "bottle": _VERBS | {"route"}}  # fmt: skip
# Method → positions of path and handler.
_ADDERS: Final[dict[str, tuple[int, int]]] = {
    "add_url_rule": (0, 2), "add_api_route": (0, 1), "add_route": (0, 1), "add_websocket_route": (0, 1),
    "add_api_websocket_route": (0, 1), "add_get": (0, 1), "add_post": (0, 1), "add_put": (0, 1), "add_delete": (0, 1),
    "add_patch": (0, 1), "add_head": (0, 1), "add_view": (0, 1), "add_static": (0, 1),
}  # fmt: skip
_ROUTE_OBJECTS: Final = frozenset({
    "starlette.routing.Route", "starlette.routing.WebSocketRoute", "fastapi.routing.APIRoute",
    "fastapi.routing.APIWebSocketRoute",
})  # fmt: skip
_MOUNTS: Final = frozenset({"starlette.routing.Mount", "fastapi.routing.Mount"})
_AIOHTTP: Final = {f"aiohttp.web.{verb}": verb for verb in (*sorted(_VERBS), "view")}
ROUTERS: Final[dict[str, tuple[str, str]]] = {
    "fastapi.APIRouter": ("fastapi", "prefix"), "fastapi.routing.APIRouter": ("fastapi", "prefix"),
    "flask.Blueprint": ("flask", "url_prefix"), "quart.Blueprint": ("quart", "url_prefix"),
    "flask.blueprints.Blueprint": ("flask", "url_prefix"), "sanic.Blueprint": ("sanic", "url_prefix"),
    "flask_restx.Namespace": ("flask", "path"), "flask_restful.Api": ("flask", "prefix"),
    "flask_restx.Api": ("flask", "prefix"), "flask_smorest.Blueprint": ("flask", "url_prefix"),
    "starlette.routing.Router": ("starlette", ""), "litestar.Router": ("litestar", "path"),
    "aiohttp.web.RouteTableDef": ("aiohttp", ""), "ninja.Router": ("django-ninja", ""),
    "ninja.NinjaAPI": ("django-ninja", ""), "rest_framework.routers.DefaultRouter": ("drf", ""),
    "rest_framework.routers.SimpleRouter": ("drf", ""), "connexion.FlaskApp": ("connexion", ""),
}  # fmt: skip
_INCLUDERS: Final[dict[str, tuple[str, ...]]] = {
    "include_router": ("prefix",), "register_blueprint": ("url_prefix",), "blueprint": ("url_prefix",),
    "mount": ("path",), "add_namespace": ("path",), "add_subapp": ("prefix",), "add_router": ("prefix",),
}  # fmt: skip
_PATH_FIRST: Final = frozenset({"mount", "add_subapp", "add_router"})
# Calls that add a route of their own, by package and last part: default path, keyword that sets it.
_EXPOSERS: Final[dict[str, tuple[str, str]]] = {
    "prometheus_fastapi_instrumentator.expose": ("/metrics", "endpoint"),
    "prometheus_flask_exporter.PrometheusMetrics": ("/metrics", "path"),
}
_DEPENDS: Final = frozenset({"fastapi.Depends", "fastapi.Security", "fastapi.params.Depends"})
# Last parts of the dotted names that `Routes.called` looks at.
ROUTE_CALLS: Final = frozenset(
    name.rpartition(".")[2]
    for name in (
        *_ADDERS,
        *_ROUTE_OBJECTS,
        *_MOUNTS,
        *_AIOHTTP,
        *_INCLUDERS,
        *_EXPOSERS,
        *_DEPENDS,
        "add_resource",
        "register",
    )
)
# A path that answers probes, written anywhere in the file (middleware that compares `request.path`).
HEALTH_TEXT: Final = lazy(rb"""["'](/?[\w./-]{0,40}(?:health|ready|readi|live|ping|status|alive)[\w./-]{0,40})["']""")


@dataclass(slots=True, eq=False)
class Route:
    """One route before its handler has been read."""

    place: Tree
    path: Node
    handler: str
    owner: str
    methods: list[Node] = field(default_factory=list)
    websocket: bool = False
    scope: Scope | None = None
    depends: list[str] = field(default_factory=list)


class Routes:
    """Collects routes, routers and inclusions during the walk."""

    def __init__(self, syntax: Syntax, scopes: Scopes) -> None:
        self.syntax = syntax
        self.scopes = scopes
        self.routes: list[Route] = []
        self.routers: dict[str, Node] = {}
        self.includes: list[Node] = []
        self.aliases: dict[str, str] = {}

    # -- routers and decorators --------------------------------------------------------------------------------

    def assigned(self, name: str, place: Tree, right: Tree) -> None:
        """`router = APIRouter(prefix=…)`, and `SessionDep = Annotated[Session, Depends(get_session)]`."""
        syntax = self.syntax
        if right.type == "subscript" and b"Depends(" in syntax.data[right.start_byte : right.end_byte]:
            inner = re.search(r"Depends\(\s{0,9}([\w.]{1,99})", syntax.text(right, 400))
            if inner:
                self.aliases[name] = syntax.resolve(inner[1])
            return
        if right.type != "call":
            return
        function = right.child_by_field_name("function")
        known = ROUTERS.get(syntax.resolve(syntax.name(function))) if function is not None else None
        if known is None:
            return
        framework, keyword = known
        kwargs = syntax.arguments(right)[1]
        fields: dict[str, object] = {"name": name, "framework": framework, "prefix": kwargs.get(keyword, "")}
        depends = self._depends_in(right)
        if depends:
            fields["depends"] = depends
        self.routers.setdefault(name, syntax.node(fields, place))

    def decorated(self, scope: Scope) -> None:
        """The routes that the decorators of a function or class make."""
        for decorator in scope.decorators:
            route = self._from_decorator(decorator, scope)
            if route is not None:
                route.depends = self._depends_in(decorator.place)
                self.routes.append(route)
                scope.handler = True

    def _from_decorator(self, decorator: Decorator, scope: Scope) -> Route | None:
        owner, _, method = decorator.written.rpartition(".")
        package, _, free = decorator.name.partition(".")
        by_itself = free in _FREE_DECORATORS.get(package, ())
        if decorator.call is None or not (by_itself or (owner and method in _DECORATORS)):
            return None
        args, kwargs = self.syntax.arguments(decorator.call)
        path = args[0] if args else kwargs.get("path") or kwargs.get("rule") or kwargs.get("uri")
        known = by_itself or self._is_owner(owner)
        if path is None:
            if not known:
                return None
            path = self.syntax.node("", decorator.place)
        if not known and not _looks_like_path(path, method):
            return None
        methods = list(kwargs["methods"].items) if "methods" in kwargs else []
        if method in _VERBS:
            methods = [self.syntax.node(method.upper(), decorator.place)]
        return Route(decorator.place, path, scope.name, owner, methods, method in _WEBSOCKET, scope)

    def _is_owner(self, written: str) -> bool:
        if written in self.routers:
            return True
        resolved = self.scopes.resolve(written)
        return resolved != written and (
            resolved in ROUTERS
            or resolved.rpartition(".")[2] in {"FastAPI", "Flask", "Starlette", "Quart", "Sanic", "Litestar", "Bottle"}
        )

    def depends_of(self, scope: Scope) -> list[str]:
        """The dependencies in a handler's parameters, also through `Annotated` aliases."""
        parameters = scope.place.child_by_field_name("parameters")
        found = dict.fromkeys(scope.depends)
        if parameters is None:
            return list(found)
        for word in re.findall(r"[A-Za-z_]\w{0,80}", self.syntax.text(parameters, 2000)):
            if word in self.aliases:
                found[self.aliases[word]] = None
            elif word.endswith(("Dep", "CurrentUser")) and word in self.syntax.imports:
                found[self.syntax.imports[word]] = None
        return list(found)

    def _depends_in(self, place: Tree) -> list[str]:
        text = self.syntax.text(place, 2000)
        if "Depends(" not in text and "Security(" not in text:
            return []
        return [
            self.syntax.resolve(n) for n in re.findall(r"(?:Depends|Security)\(\s{0,40}([A-Za-z_][\w.]{0,99})", text)
        ]

    # -- calls -----------------------------------------------------------------------------------------------

    def called(self, place: Tree, written: str, name: str) -> None:
        """A call that may register a route or include a router."""
        owner, _, last = written.rpartition(".")
        if name in _DEPENDS:
            self._depended(place)
        elif owner and last in _ADDERS:
            self._added(place, owner, last)
        elif name in _ROUTE_OBJECTS or name in _AIOHTTP:
            self._object(place, name)
        elif name in _MOUNTS or (owner and last in _INCLUDERS):
            self._included(place, owner, last)
        elif owner and last == "add_resource":
            self._resource(place, owner)
        elif owner and last == "register" and self.scopes.resolve(owner).startswith("rest_framework.routers"):
            self._registered(place, owner)
        elif (exposer := f"{name.partition('.')[0]}.{last}") in _EXPOSERS:
            default, keyword = _EXPOSERS[exposer]
            path = self.syntax.arguments(place)[1].get(keyword) or self.syntax.node(default, place)
            self.routes.append(Route(place, path, name, owner))

    def _depended(self, place: Tree) -> None:
        function = next((s for s in reversed(self.scopes.stack) if s.kind == "function"), None)
        arguments = place.child_by_field_name("arguments")
        if function is not None and arguments is not None and arguments.named_child_count:
            function.depends[self.syntax.resolve(self.syntax.name(arguments.named_children[0]))] = None

    def _added(self, place: Tree, owner: str, method: str) -> None:
        args, kwargs = self.syntax.arguments(place)
        at, handler_at = _ADDERS[method]
        if method == "add_route" and len(args) > 2 and not str(args[0].value).startswith("/"):
            at, handler_at = 1, 2  # aiohttp and Pyramid: method or name first
        path = args[at] if len(args) > at else kwargs.get("path") or kwargs.get("rule") or kwargs.get("uri_template")
        if path is None or not (path.is_unknown or _looks_like_path(path, "route")):
            return
        handler = args[handler_at] if len(args) > handler_at else None
        for keyword in ("view_func", "endpoint", "route", "handler", "resource"):
            handler = handler or kwargs.get(keyword)
        methods = list(kwargs["methods"].items) if "methods" in kwargs else []
        verb = method.removeprefix("add_")
        if verb in _VERBS:
            methods = [self.syntax.node(verb.upper(), place)]
        self.routes.append(Route(place, path, self._name_of(handler), owner, methods, method in _WEBSOCKET))

    def _object(self, place: Tree, name: str) -> None:
        args, kwargs = self.syntax.arguments(place)
        path = args[0] if args else kwargs.get("path")
        if path is None:
            return
        handler = args[1] if len(args) > 1 else kwargs.get("endpoint") or kwargs.get("handler")
        methods = list(kwargs["methods"].items) if "methods" in kwargs else []
        if name in _AIOHTTP:
            methods = [self.syntax.node(_AIOHTTP[name].upper(), place)]
        websocket = name.rpartition(".")[2] in _WEBSOCKET
        self.routes.append(Route(place, path, self._name_of(handler), "", methods, websocket))

    def _included(self, place: Tree, owner: str, method: str) -> None:
        args, kwargs = self.syntax.arguments(place)
        prefix_first = method in _PATH_FIRST or method == "Mount"
        target = (args[1] if len(args) > 1 else kwargs.get("app") or kwargs.get("routes")) if prefix_first else None
        if not prefix_first:
            target = args[0] if args else kwargs.get("router") or kwargs.get("blueprint") or kwargs.get("ns")
        prefix = args[0] if prefix_first and args else None
        for keyword in ("prefix", "url_prefix", "path"):
            prefix = prefix or kwargs.get(keyword)
        if target is None and prefix is None:
            return
        fields: dict[str, object] = {
            "router": self._name_of(target),
            "prefix": prefix or "",
            "owner": owner,
            "method": method,
        }
        depends = self._depends_in(place)
        if depends:
            fields["depends"] = depends
        self.includes.append(self.syntax.node(fields, place))

    def _resource(self, place: Tree, owner: str) -> None:
        args, _ = self.syntax.arguments(place)
        for path in args[1:]:
            self.routes.append(Route(place, path, self._name_of(args[0]), owner))

    def _registered(self, place: Tree, owner: str) -> None:
        args, kwargs = self.syntax.arguments(place)
        path = args[0] if args else kwargs.get("prefix")
        view = args[1] if len(args) > 1 else kwargs.get("viewset")
        if path is not None:
            self.routes.append(Route(place, path, self._name_of(view), owner))

    def _name_of(self, node: Node | None) -> str:
        """The dotted name behind an argument; local names stay as they are."""
        if node is None:
            return ""
        if isinstance(node.value, Unknown):
            found = re.match(r"[A-Za-z_][\w.]{0,199}", node.value.expression)
            return self.syntax.resolve(found[0]).removesuffix(".as_view") if found else ""
        return node.value if isinstance(node.value, str) else ""

    # -- result ----------------------------------------------------------------------------------------------

    def nodes(self) -> list[Node]:
        """The model nodes; `calls` reaches through functions of the same module."""
        return [self._node(route) for route in self.routes]

    def _node(self, route: Route) -> Node:
        scope = route.scope or self.scopes.functions.get(route.handler)
        classes = self.scopes.classes
        cls = route.scope if route.scope is not None and route.scope.kind == "class" else classes.get(route.handler)
        starts = [scope] if scope is not None and scope.kind == "function" else []
        if cls is not None:
            starts = [s for n, s in self.scopes.functions.items() if n.startswith(cls.name + ".")]
        fields: dict[str, object] = {
            "path": route.path,
            "methods": route.methods,
            "handler": route.handler,
            "websocket": route.websocket,
            "async": any(s.is_async for s in starts),
            "owner": route.owner,
            "calls": reached_calls(starts, self.scopes),
        }
        depends = dict.fromkeys([*route.depends, *(d for s in starts for d in self.depends_of(s))])
        if depends:
            fields["depends"] = list(depends)
        decorators = [d.name for s in starts[:20] for d in s.decorators if d.place.start_byte != route.place.start_byte]
        if decorators:
            fields["decorators"] = decorators
        return self.syntax.node(fields, route.place)


def reached_calls(starts: list[Scope], scopes: Scopes, limit: int = 200) -> list[str]:
    """The dotted calls of these functions and of the module's own functions that they call, three levels deep."""
    found: dict[str, None] = {}
    seen = {id(s) for s in starts}
    level = starts
    for _ in range(3):
        below: list[Scope] = []
        for scope in level:
            owner = scope.name.rpartition(".")[0]
            for name in [*scope.calls, *scope.depends]:
                if len(found) >= limit:
                    return list(found)
                found[name] = None
                local = scopes.functions.get(f"{owner}.{name[5:]}" if name.startswith("self.") else name)
                if local is not None and id(local) not in seen:
                    seen.add(id(local))
                    below.append(local)
        level = below
    return list(found)


def _looks_like_path(path: Node, method: str) -> bool:
    if path.is_unknown:
        return method in {"route", "api_route", "websocket_route"}
    return path.text is not None and (path.text.startswith("/") or (path.text == "" and method != "patch"))
