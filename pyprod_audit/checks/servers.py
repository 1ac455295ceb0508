"""Which server runs the application: one for development, one of the wrong interface, one that watches files."""

from __future__ import annotations

from collections.abc import Callable

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.service_view import address_at, certain, command_in_words, in_words, serving
from pyprod_audit.link.application import Application, application
from pyprod_audit.link.environment import environment
from pyprod_audit.model import Fact, Node, Process, Repository, Resource, Service, Span, Unknown

_DEVELOPMENT = {
    "flask": "Flask's development server", "runserver": "Django's development server",
    "quart": "Quart's development server", "dash": "Dash's development server",
    "bottle": "Bottle's reference server", "werkzeug": "Werkzeug's development server",
    "wsgiref": "the reference server of the standard library", "http.server": "the standard library's http.server",
}  # fmt: skip
# Workers of gunicorn that speak WSGI only; any other name is a class of somebody's own.
_WSGI_WORKERS = frozenset({"sync", "gthread", "gevent", "gevent_wsgi", "gevent_pywsgi", "eventlet"})
_WSGI_MODULES = ("gunicorn.workers.sync", "gunicorn.workers.gthread", "gunicorn.workers.ggevent",
                 "gunicorn.workers.geventlet")  # fmt: skip
_ASGI_WORKERS = ("asgi", "uvicorn.workers.", "uvicorn_worker.", "gunicorn.workers.gasgi.")
_RELOADERS = frozenset({"uvicorn", "hypercorn", "granian", "sanic", "fastapi run", "fastapi dev"})
_SWITCHES = {
    "app.reload": "restarts on every change of a file", "app.spew": "prints every line it executes",
    "app.debug": "runs in debug mode",
}  # fmt: skip


def development_server(service: Service, _context: Context) -> Outcomes:
    """A production service that is served by a development server."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    name = _DEVELOPMENT.get(process.server)
    if name is None:
        yield Skip("it runs no development server")
        return
    related: list[tuple[Span, str]] = []
    if process.script is not None:
        started = service.fact("app.bind_port") or service.fact("app.debug")
        if started is not None:
            related.append((started.span.first_line, "started here"))
    yield Hit(
        process.span, {"command": command_in_words(process), "server": name}, tuple(related),
        address=address_at(service, process.span),
    )  # fmt: skip


def reloading(service: Service, _context: Context) -> Outcomes:
    """An ASGI server that restarts when files change."""
    process = serving(service)
    if isinstance(process, Skip) or process.server not in _RELOADERS:
        yield process if isinstance(process, Skip) else Skip("it runs no ASGI server")
        return
    found = service.facts.get("app.reload")
    if isinstance(found, Unknown):
        yield Cannot(process.span, in_words(found))
    elif found is not None and found.value is True:
        how = "fastapi dev" if process.server == "fastapi dev" else "reload"
        yield Hit(
            found.span, {"server": process.server.partition(" ")[0], "how": how},
            address=address_at(service, found.span),
        )  # fmt: skip


def debug_switches(subject: Service | Resource, context: Context) -> Outcomes:
    """Gunicorn's reload and spew, uWSGI's py-autoreload, Flask's debug mode, in a service or a configuration file."""
    if isinstance(subject, Resource):
        yield from _in_configuration(subject, context.repository)
        return
    process = serving(subject)
    if isinstance(process, Skip) or process.server in _RELOADERS:
        yield process if isinstance(process, Skip) else Skip("see the rule about ASGI servers")
        return
    facts = [name for name in _SWITCHES if name in subject.facts]
    flask = environment(subject.image, subject.container or subject.compose, context.repository).variables.get(
        "FLASK_DEBUG"
    )
    if not facts and flask is None:
        yield Skip("its server has no such switch")
    for name in facts:
        yield from _switch(subject, process, name)
    if flask is not None and process.server != "flask":
        yield from _flask_debug(subject, flask)


def _switch(service: Service, process: Process, name: str) -> Outcomes:
    found = service.facts[name]
    if isinstance(found, Unknown):
        yield Cannot(process.span, in_words(found))
    elif found.value is True and found.declared:
        server = "Flask" if name == "app.debug" else process.server
        yield Hit(
            found.span, {"server": server, "what": _SWITCHES[name]},
            address=address_at(service, found.span, name.removeprefix("app.")),
        )  # fmt: skip


def _flask_debug(service: Service, value: Node) -> Outcomes:
    if isinstance(value.value, Unknown):
        yield Cannot(value.anchor, in_words(value.value))
    elif str(value.scalar).lower() not in ("0", "false", "no", ""):
        values = {"server": "Flask", "what": _SWITCHES["app.debug"]}
        yield Hit(value.span, values, address=address_at(service, value.span, "FLASK_DEBUG"))


def _in_configuration(module: Resource, repository: Repository) -> Outcomes:
    """A gunicorn configuration file that no service of the repository is known to use."""
    name = module.path.rpartition("/")[2]
    used = {id(service.process.config) for service in repository.services if service.process is not None}
    if not name.startswith("gunicorn") or is_workplace(module.path) or id(module) in used:
        yield Skip("it is no configuration of gunicorn, or one that a service is judged by")
        return
    for setting in ("reload", "spew"):
        value = module.node.mapping_at("assignments").get(setting)
        if value is not None and value.is_unknown:
            yield Cannot(value.anchor, f"{setting} is computed when gunicorn starts")
        elif value is not None and value.scalar is True:
            values = {"server": "gunicorn", "what": _SWITCHES[f"app.{setting}"]}
            yield Hit(value.span, values, address=f"{module.path}/{setting}")


def asgi_app_on_wsgi_server(service: Service, context: Context) -> Outcomes:
    """An ASGI application behind a server, or a worker of gunicorn, that speaks WSGI only."""
    return _other_interface(service, context, ("asgi", "aiohttp"), lambda spoken, server: (
        spoken == "wsgi" or (spoken == "rsgi" and server == "granian")
    ))  # fmt: skip


def wsgi_app_on_asgi_server(service: Service, context: Context) -> Outcomes:
    """A WSGI application behind a server, or a worker of gunicorn, that speaks ASGI only."""
    return _other_interface(service, context, ("wsgi",), lambda spoken, _server: spoken in ("asgi", "rsgi"))


def _other_interface(
    service: Service, context: Context, interfaces: tuple[str, ...], clashes: Callable[[str, str], bool]
) -> Outcomes:
    """An application of one of `interfaces` behind what speaks another; `clashes` is asked with that and the server."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    app = _application(service, context.repository)
    if not isinstance(app, Application):
        yield app
        return
    if app.interface not in interfaces:
        yield Skip(f"the application is no {interfaces[0].upper()} application")
        return
    spoken = _speaks(service, process)
    if isinstance(spoken, (Cannot, Skip)):
        yield spoken
        return
    interface, how, fact = spoken
    if clashes(interface, process.server):
        yield _mismatch(service, process, app, how, fact)


def _application(service: Service, repository: Repository) -> Application | Cannot | Skip:
    found = application(service, repository)
    if found is None:
        return Skip("its server is given no application")
    if isinstance(found, Unknown):
        place = service.process.span if service.process is not None else None
        return Cannot(place, in_words(found))
    return found


def _speaks(service: Service, process: Process) -> tuple[str, str, Fact | None] | Cannot | Skip:
    """The interface that the server asks of the application ("any" when it adapts), in words, and what says so."""
    server = process.server
    if server in ("waitress-serve", "uwsgi", "gevent"):
        return "wsgi", server.removesuffix("-serve"), None
    if server == "daphne":
        return "asgi", server, None
    if server in ("uvicorn", "granian"):
        asked = certain(service, "app.interface")
        if isinstance(asked, Unknown):
            return Cannot(process.span, in_words(asked))
        value = str(asked.value) if asked is not None else "auto"
        interface = {"auto": "asgi", "asgi3": "asgi", "asgi2": "asgi", "asginl": "asgi"}.get(value, value)
        shown = f"{server} with its default interface, {value}," if server == "granian" else server
        return interface, shown, asked if asked is not None and asked.declared else None
    if server != "gunicorn":
        return Skip(f"{server} is not known to ask for one interface")
    worker = certain(service, "app.worker_class")
    if isinstance(worker, Unknown) or worker is None:
        return Cannot(process.span, in_words(worker, "its worker class is not known"))
    name = str(worker.value)
    shown = f"gunicorn's {name} worker"
    if name in _WSGI_WORKERS or name.startswith(_WSGI_MODULES):
        return "wsgi", shown, worker
    return ("asgi" if name.startswith(_ASGI_WORKERS) else "any"), shown, worker


def _mismatch(service: Service, process: Process, app: Application, how: str, fact: Fact | None) -> Hit:
    span = fact.span if fact is not None and fact.declared else process.span
    framework = {"fastapi": "FastAPI", "flask": "Flask", "django": "Django"}.get(app.framework, app.framework)
    kind = "aiohttp" if app.interface == "aiohttp" else app.interface.upper()
    return Hit(
        span,
        {"app": app.place.text_at("name") or "", "module": app.module.path, "framework": framework, "kind": kind,
         "how": how},
        ((app.place.anchor, f"{framework or 'the'} application"),),
        address_at(service, span),
    )  # fmt: skip
