"""Whether SIGTERM reaches the server, and what the program makes of it.

What signals mean: gunicorn, "Signal Handling"; uvicorn, hypercorn and granian stop gracefully at SIGTERM and SIGINT
alike; Celery, "Stopping the worker"; uWSGI, "Signals for controlling uWSGI".
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.compose_stop import grace_below_drain
from pyprod_audit.checks.docker_view import is_workplace, names_a_workplace
from pyprod_audit.checks.workload_view import is_one_shot
from pyprod_audit.model import Node, Process, Repository, Resource, Service, Span
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.units import in_words

SERVERS = frozenset({
    "gunicorn", "uvicorn", "hypercorn", "daphne", "uwsgi", "granian", "waitress-serve", "flask", "runserver",
    "fastapi run", "fastapi dev", "http.server", "celery", "gevent", "aiohttp", "sanic", "quart", "bottle", "dash",
    "werkzeug", "wsgiref",
})  # fmt: skip
# Programs that keep a container busy, and stores whose own images are somebody else's business.
_NOT_SERVING = frozenset({
    "sleep", "tail", "cat", "bash", "sh", "true", "false", "echo", "pause", "test", "[", "exit", "cp", "mv", "pip",
    "redis-server", "valkey-server", "postgres", "mysqld", "mariadbd", "mongod", "pytest", "alembic", "curl", "wget",
    "kubectl", "make", ".", "source", "set", "cd", "export", "mkdir", "chown", "chmod",
})  # fmt: skip
_GRACEFUL: Mapping[str, frozenset[str]] = {
    "gunicorn": frozenset({"SIGTERM"}),
    "uvicorn": frozenset({"SIGTERM", "SIGINT"}),
    "fastapi run": frozenset({"SIGTERM", "SIGINT"}),
    "hypercorn": frozenset({"SIGTERM", "SIGINT"}),
    "granian": frozenset({"SIGTERM", "SIGINT"}),
    "daphne": frozenset({"SIGTERM", "SIGINT"}),
    "celery": frozenset({"SIGTERM", "SIGINT"}),
}
_EFFECT = {
    "gunicorn": "gunicorn stops at once and drops what it is working on",
    "celery": "Celery stops at once and leaves its tasks unfinished",
}
# What stays in front of the program as PID 1, so that SIGTERM has its default effect.
_NOT_REPLACED = frozenset({"tini", "dumb-init", "tini-static", "docker-init", "catatonit", "uv", "pdm", "hatch", "rye"})
_HANDLES = lazy(r"SIGTERM|signal\.signal|add_signal_handler")
_NUMBERS = {"1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "9": "SIGKILL", "15": "SIGTERM"}
# Servers whose SIGTERM handler is installed before they import the application, so that the application's own replaces
# it: gunicorn's workers call `init_signals` before `load_wsgi`, uvicorn loads the application inside `capture_signals`.
# With preload_app gunicorn's workers come after the application, and uvicorn's worker class has it from gunicorn.
_REPLACED = ("gunicorn", "uvicorn", "fastapi run")


def lost_before_server(service: Service, _context: Context) -> Outcomes:
    """The image starts its server in a way that SIGTERM does not get to it."""
    if service.image is None or _in_manifest(service):
        yield Skip("the image does not say how the server is started")
    elif is_workplace(service.image.path) or names_a_workplace(service.image.node.text_at("name") or ""):
        yield Skip("the image is for development")
    else:
        yield from _lost(service, service.compose or service.image)


def lost_in_manifest(service: Service, _context: Context) -> Outcomes:
    """A container's command starts its server in a way that SIGTERM does not get to it."""
    if service.container is None or not _in_manifest(service):
        yield Skip("the manifest does not say how the server is started")
    else:
        yield from _lost(service, service.container)


def _lost(service: Service, owner: Resource) -> Outcomes:
    process = service.process
    if process is not None and process.signals is True:
        yield from _ignored(service, process, owner)
        return
    if process is None or process.signals_span is None or not _serves(service, process):
        return
    if process.signals is None:
        yield Cannot(process.signals_span, process.signals_because)
        return
    grace = service.fact("k8s.termination_grace")
    related: list[tuple[Span, str]] = []
    start = _started_at(service)
    if start is not None and start.file is not process.signals_span.file:
        related.append((start, "starts the script"))
    if grace is not None and grace.declared:
        related.append((grace.span, f"SIGKILL comes after {in_words(grace.number)}"))
    values = {"server": _called(process), "because": process.signals_because}
    yield Hit(process.signals_span, values, tuple(related), address=owner.address)


def _ignored(service: Service, process: Process, owner: Resource) -> Outcomes:
    """A gRPC server that is PID 1 and leaves SIGTERM to the kernel, which does nothing for PID 1.

    Python installs a handler for SIGINT only; `grpc.server` installs none.
    """
    script = process.script
    if process.server != "python" or script is None or service.workload is None or is_one_shot(service.workload):
        return
    if any(wrapper.partition(" ")[0] in _NOT_REPLACED for wrapper in process.wrappers):
        return
    serves = script.source.text.find("grpc.server(")
    modules = (script, *service.modules)
    if serves < 0 or any(_HANDLES.search(module.source.text) for module in modules):
        return
    related: list[tuple[Span, str]] = [(Span(script.source, serves, serves + len("grpc.server")), "the server")]
    grace = service.fact("k8s.termination_grace")
    if grace is not None and grace.declared:
        related.append((grace.span, f"SIGKILL comes after {in_words(grace.number)}"))
    message = (
        "{server} runs as PID 1 and installs no handler for SIGTERM, so the kernel drops the signal: every stop "
        "kills it in the middle of its work"
    )
    yield Hit(process.span, {"server": _called(process)}, tuple(related), address=owner.address, message=message)


def _in_manifest(service: Service) -> bool:
    """Whether the place that decides stands in the manifest rather than in the image or a script."""
    process, container = service.process, service.container
    if process is None or container is None:
        return False
    return (process.signals_span or process.span).file is container.source


def _serves(service: Service, process: Process) -> bool:
    """Whether the process certainly goes on running and has something to lose."""
    if service.workload is not None and is_one_shot(service.workload):
        return False
    if process.server in SERVERS:
        return True
    name = _called(process)
    if name in _NOT_SERVING or process.server == "django-command" or "=" in name:
        return False
    if service.workload is not None:
        return True
    return service.image is not None and bool(service.image.node.items_at("expose"))


def _called(process: Process) -> str:
    if process.server not in ("other", "python", "django-command"):
        return process.server
    name = posixpath.basename(process.argv[0].text or "") if process.argv else ""
    if process.server == "python" and len(process.argv) > 1 and process.argv[1].text:
        return f"{name} {process.argv[1].text}"
    return name or "the program"


def _started_at(service: Service) -> Span | None:
    """The CMD or ENTRYPOINT of the image, the command of the container when it has one."""
    for started, keys in ((service.container, ("command",)), (service.compose, ("entrypoint", "command"))):
        for key in keys:
            command = started.node.get(key) if started is not None else None
            if command is not None:
                return command.anchor
    if service.image is not None:
        for key in ("entrypoint", "cmd"):
            node = service.image.node.get(key)
            if node is not None:
                return node.span.first_line
    return None


def stop_signal_mismatch(service: Service, _context: Context) -> Outcomes:
    """A stop signal at which the server does not finish its work, or does not stop."""
    process = service.process
    if process is None:
        yield Skip("what runs in the container is not known")
        return
    signal = _stop_signal(service)
    if signal is not None and signal.is_unknown:
        yield cannot(signal)
        return
    name = _name(signal) if signal is not None else "SIGTERM"
    if service.compose is not None:
        yield from grace_below_drain(service, service.compose)
    owner = service.compose or service.image or service.container
    address = owner.address if owner is not None else ""
    if signal is not None and name == "SIGKILL":
        yield Hit(
            signal.span, {"signal": name, "effect": f"{_called(process)} cannot finish anything"}, address=address
        )
    elif signal is not None and process.server in _GRACEFUL and name not in _GRACEFUL[process.server]:
        effect = _EFFECT.get(process.server, f"{process.server} does not stop gracefully")
        yield Hit(signal.span, {"signal": name, "effect": effect}, ((process.span, "the server"),), address=address)
    elif process.server == "uwsgi" and name == "SIGTERM":
        yield from _uwsgi(service, process, signal, address)


def _uwsgi(service: Service, process: Process, signal: Node | None, address: str) -> Outcomes:
    fact = service.fact("app.die_on_term")
    if fact is None:
        unknown = service.unknown("app.die_on_term")
        if unknown is not None:
            yield Cannot(process.span, unknown.because)
        return
    if fact.value is True or any("hook" in (word.text or "") for word in process.argv):
        return
    place = signal.span if signal is not None else process.span
    effect = "uWSGI without die-on-term reloads instead of stopping, until it is killed"
    yield Hit(place, {"signal": "SIGTERM", "effect": effect}, ((process.span, "the server"),), address=address)


def _stop_signal(service: Service) -> Node | None:
    """The container's own `stopSignal` (Kubernetes 1.33) or Compose's `stop_signal`, else the image's STOPSIGNAL."""
    for started, key in ((service.container, "lifecycle.stopSignal"), (service.compose, "stop_signal")):
        own = started.node.get(key) if started is not None else None
        if own is not None:
            return own
    return service.image.node.get("stopsignal") if service.image is not None else None


def _name(signal: Node) -> str:
    text = str(signal.scalar).strip().upper()
    text = _NUMBERS.get(text, text)
    return text if text.startswith("SIG") else f"SIG{text}"


def handler_drops_requests(module: Resource, context: Context) -> Outcomes:
    """A SIGTERM handler of a web application that ends the process, or takes the server's own handler away."""
    handlers = [
        handler
        for handler in module.node.items_at("signal_handlers")
        if handler.text_at("signal") == "SIGTERM"
        and _true(handler, "import_time")
        and not _true(handler, "main_guard")
        and not (handler.text_at("handler") or "").endswith(("SIG_DFL", "SIG_IGN"))
    ]
    if not handlers:
        return
    servers = context.repository.memo("checks.importing_servers", _importing_servers)
    served = servers.get(id(module))
    if served is None and not module.node.items_at("routes") and not _has_web_app(module):
        yield Skip("it is no web application")
        return
    if served is not None and not served.keeps:
        yield Skip("the server installs its own handlers later")
        return
    related = ((served.span, "runs it"),) if served is not None else ()
    for handler in handlers:
        exits = handler.get("exits")
        values = {"handler": handler.text_at("handler") or "the handler"}
        address = f"{module.address}/SIGTERM"
        if exits is not None and exits.is_unknown:
            yield cannot(exits)
        elif _true(handler, "at_once"):
            yield Hit(handler.span.first_line, values, related, address=address)
        elif served is not None and exits is not None and exits.scalar is False:
            if _chains(module):
                yield Cannot(handler.span.first_line, "the handler may call the server's own")
                continue
            message = f"{{handler}} replaces {served.name}'s own SIGTERM handler: it serves on until it is killed"
            yield Hit(handler.span.first_line, values, related, address=address, message=message)


class _Importing(NamedTuple):
    """A server that imports a module as its application; `keeps`: the module's signal handlers stay installed."""

    name: str
    span: Span
    keeps: bool


def _importing_servers(repository: Repository) -> dict[int, _Importing]:
    """The server of each module (by `id`) that one is told to serve."""
    found: dict[int, _Importing] = {}
    for service in repository.services:
        process, module = service.process, service.module
        if process is None or module is None or process.server not in _REPLACED:
            continue
        preload, kind = process.fact("app.preload"), process.fact("app.worker_class")
        later = (preload is not None and preload.value is True) or (kind is not None and "uvicorn" in str(kind.value))
        found.setdefault(id(module), _Importing(process.server, process.span, keeps=not later))
    return found


def _has_web_app(module: Resource) -> bool:
    return any(app.text_at("interface") in ("wsgi", "asgi") for app in module.node.items_at("apps"))


def _chains(module: Resource) -> bool:
    """Whether the module keeps the handler that was there before."""
    text = module.source.text
    return "getsignal(" in text or "= signal.signal(" in text


def _true(node: Node, key: str) -> bool:
    found = node.get(key)
    return found is not None and found.scalar is True
