"""The paths that a service's Python application answers, and how sure it is that there are no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.link.application import Application, application, finder_of
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown

_ANY = "*"  # a segment that takes any text
_REST = "**"  # takes whatever is left, slashes included
_RESTS = ("path", "re", "any", "string:path")


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the application as the outside sees it.

    `path` has the parameters of the framework that it is written in; `methods` is empty when the framework decides
    (GET); `node` is the route in the model of `module` (docs/model.md, `routes` or `urlpatterns`); `handler` is the
    dotted name of the view, "" when it is not known.
    """

    path: str
    methods: frozenset[str]
    node: Node
    module: Resource
    handler: str = ""
    pattern: tuple[str, ...] = field(default=(), compare=False)

    def matches(self, path: str) -> bool:
        """Whether a request for `path` gets here; a slash at the end makes no difference (frameworks redirect)."""
        return _matches(self.pattern, _segments(path))


class Opening(NamedTuple):
    """Why paths below `prefix` may be answered by something that is not known."""

    prefix: str
    because: str
    node: Node | None = None

    def covers(self, path: str) -> bool:
        """Whether a request for `path` may end there."""
        pattern = segments_of(self.prefix)
        return _matches((*pattern, _REST), _segments(path)) or _matches(pattern, _segments(path))


class RouteSet(NamedTuple):
    """What is known of an application's paths.

    `unmounted`: routes of routers that nothing is seen to include, with the path they have there.
    """

    routes: tuple[Route, ...] = ()
    openings: tuple[Opening, ...] = ()
    unmounted: tuple[Route, ...] = ()
    framework: str = ""

    @property
    def open(self) -> bool:
        """Whether there may be other paths than `routes`."""
        return bool(self.openings)

    def find(self, path: str, method: str = "GET") -> Route | None:
        """The route that answers a request, the one written out in full first; None when no known one does."""
        found = [r for r in self.routes if (not r.methods or method in r.methods) and r.matches(path)]
        return min(found, key=lambda route: sum(part in (_ANY, _REST) for part in route.pattern), default=None)

    def doubt(self, path: str) -> Opening | None:
        """Why `path` may be answered although no known route does it; None when it certainly is not."""
        for opening in self.openings:
            if opening.covers(path):
                return opening
        wanted = _segments(path)
        for route in self.unmounted:
            length = len(route.pattern)
            if length and length <= len(wanted) and _matches(route.pattern, wanted[-length:]):
                return Opening("", f"{route.path} is a route of a router that is not seen to be included", route.node)
        return None


def routes_of(service: Service, repository: Repository) -> RouteSet | None:
    """The routes of the application that a service's server is told to run; None when there is none to look at."""
    found = application(service, repository)
    if found is None and service.process is not None and service.process.script is not None:
        found = _application_of_script(service.process.script)
    if found is None:
        return None
    if isinstance(found, Unknown):
        return RouteSet(openings=(Opening("", found.because or f"{found.expression} is not known"),))
    finder = finder_of(service, repository)
    if found.framework in ("flask", "fastapi", "starlette", "quart"):
        from pyprod_audit.link.router_routes import collect

        return collect(found, service.modules, finder, complete=service.project is not None)
    if found.framework == "django":
        from pyprod_audit.link.django_routes import collect_django

        return collect_django(service, finder, repository)
    because = f"routes of {found.framework or 'the application'} are not looked at"
    return RouteSet(openings=(Opening("", because),), framework=found.framework)


def _application_of_script(script: Resource) -> Application | None:
    """The one application that a program makes itself: `python main.py` with `app.run()`."""
    apps = [app for app in script.node.items_at("apps") if app.text_at("interface") in ("wsgi", "asgi")]
    if len(apps) != 1:
        return None
    return Application(apps[0].text_at("framework") or "", apps[0].text_at("interface") or "", script, apps[0])


def join(prefix: str, path: str) -> str:
    """A path below a prefix, with one slash between them."""
    if not path:
        return prefix
    return f"{prefix.rstrip('/')}/{path.lstrip('/')}"


def segments_of(path: str) -> tuple[str, ...]:
    """The pattern of a path whose parameters are spelt as in Flask, Starlette or Django: `<int:id>`, `{name:path}`."""
    return tuple(_pattern_of(path))


def _pattern_of(path: str) -> Iterator[str]:
    for segment in _segments(path):
        if "<" not in segment and "{" not in segment and "*" not in segment:
            yield segment
            continue
        inner = segment.replace("{", "<").replace("}", ">").strip("<>")
        converter, _, name = inner.partition(":")
        if converter.startswith(_RESTS) or name.startswith(_RESTS) or "*" in segment:
            yield _REST
            return
        yield _ANY


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.partition("?")[0].split("/") if part)


def _matches(pattern: Sequence[str], wanted: Sequence[str]) -> bool:
    for index, part in enumerate(pattern):
        if part == _REST:
            return True
        if index >= len(wanted) or (part != _ANY and part != wanted[index]):
            return False
    return len(pattern) == len(wanted)
