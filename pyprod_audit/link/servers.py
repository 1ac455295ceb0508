"""Recognises the server that a start command runs and what its settings amount to.

Defaults: uvicorn 0.51 settings page, hypercorn 0.18 "Configuring", daphne 4 README, Flask 3.1 `flask run`, Django
`runserver`, FastAPI CLI, uWSGI 2.0 options reference.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

from pyprod_audit.link import gunicorn
from pyprod_audit.link.environment import Environment
from pyprod_audit.link.options import CommandLine, read
from pyprod_audit.link.startup import Startup
from pyprod_audit.model import AppReference, Fact, Node, Process, Resource, Span, Unknown

_ALL = "0.0.0.0"  # noqa: S104 - what a configuration says, not what we bind
_DEFAULTS: Mapping[str, Mapping[str, float | str | bool]] = {
    "uvicorn": {"host": "127.0.0.1", "port": 8000, "workers": 1, "keepalive": 5, "reload": False, "interface": "auto"},
    "hypercorn": {"bind": "127.0.0.1:8000", "workers": 1, "keepalive": 5, "graceful_timeout": 3, "reload": False},
    "daphne": {"host": "127.0.0.1", "port": 8000},
    "flask": {"host": "127.0.0.1", "port": 5000, "debug": False},
    "runserver": {"host": "127.0.0.1", "port": 8000},
    "fastapi run": {"host": _ALL, "port": 8000, "workers": 1, "reload": False},
    "fastapi dev": {"host": "127.0.0.1", "port": 8000, "reload": True},
    "uwsgi": {"workers": 1, "threads": 1, "die_on_term": False},
}
_SECONDS = {"timeout", "graceful_timeout", "keepalive"}
_SWITCHES = {"reload", "debug", "preload", "die_on_term"}

Modules = Callable[[str], Resource | None]


def process(startup: Startup, modules: Modules, project: str) -> Process:
    """The process that `startup` amounts to; `modules` gives the `py.module` at a path as the process sees it."""
    env = startup.env
    server, words = _identify(startup)
    line = read(server.split(" ", 1)[0], words)
    if server == "gunicorn":
        facts = gunicorn.facts(line, env, modules, startup.span)
    elif server in _DEFAULTS:
        facts = _facts(server, line, env, startup.span)
    else:
        facts = {}
    return Process(
        server=server,
        argv=startup.words,
        span=startup.span,
        app=_app(server, line, env),
        facts=facts,
        wrappers=startup.wrappers,
        signals=startup.signals,
        signals_because=startup.signals_because,
        signals_span=startup.signals_span,
        python_project=project,
    )


def _identify(startup: Startup) -> tuple[str, tuple[Node, ...]]:
    """The server's name and the words behind it."""
    words = startup.words
    name = posixpath.basename(words[0].text or "")
    rest = words[1:]
    if name.startswith("python") or name == "pypy3":
        while rest and (rest[0].text or "").startswith("-") and rest[0].text != "-m":
            rest = rest[2:] if rest[0].text in ("-W", "-X") else rest[1:]
        if rest and rest[0].text == "-m" and len(rest) > 1:
            name, rest = rest[1].text or "", rest[2:]
        elif rest and (rest[0].text or "").endswith("manage.py"):
            return _management(rest[1:])
        else:
            return "python", rest
    if name in ("manage.py", "django-admin"):
        return _management(rest)
    if name == "fastapi":
        verb = rest[0].text if rest else None
        return (f"fastapi {verb}", rest[1:]) if verb in ("run", "dev") else ("other", rest)
    if name == "flask":
        at = next((i for i, word in enumerate(rest) if word.text == "run"), None)
        return ("flask", (*rest[:at], *rest[at + 1 :])) if at is not None else ("other", rest)
    known = {
        "gunicorn",
        "uvicorn",
        "hypercorn",
        "daphne",
        "uwsgi",
        "celery",
        "granian",
        "waitress-serve",
        "http.server",
    }
    return (name if name in known else "other"), rest


def _management(words: tuple[Node, ...]) -> tuple[str, tuple[Node, ...]]:
    verb = words[0].text if words else None
    if verb in ("runserver", "runserver_plus"):
        return "runserver", words[1:]
    return "django-command", words


def _app(server: str, line: CommandLine, env: Environment) -> AppReference | Unknown | None:
    if server == "flask":
        setting = line.settings.get("app")
        node = setting.value if setting else env.variables.get("FLASK_APP")
    elif server.startswith("fastapi "):
        path = line.positional[0] if line.positional else None
        if path is None or path.text is None:
            return None
        dotted = path.text.removesuffix(".py").replace("/", ".").strip(".")
        return AppReference(dotted, "app", path.span)
    elif server in ("gunicorn", "uvicorn", "hypercorn", "daphne"):
        node = line.positional[0] if line.positional else None
    elif server == "uwsgi":
        setting = line.settings.get("app")
        node = setting.value if setting else None
    else:
        return None
    if node is None:
        return None
    if isinstance(node.value, Unknown):
        return node.value
    text = node.text or ""
    module, _, attribute = text.partition(":")
    implied = {"gunicorn": "application", "uwsgi": "application"}.get(server, "")
    if not module or "/" in module:
        return None
    return AppReference(module.removesuffix(".py") if server == "flask" else module, attribute or implied, node.span)


def _facts(server: str, line: CommandLine, env: Environment, span: Span) -> dict[str, Fact | Unknown]:
    given: dict[str, Node] = {}
    for name, setting in line.settings.items():
        word = setting.word
        given[name] = setting.value if setting.value is not None else Node(True, word.source, word.start, word.end)
    if server == "runserver" and line.positional:
        given["bind"] = line.positional[0]
    for name, variable in (("host", "UVICORN_HOST"), ("port", "UVICORN_PORT"), ("workers", "WEB_CONCURRENCY")):
        if name not in given and server in ("uvicorn", "fastapi run") and variable in env.variables:
            given[name] = env.variables[variable]
    if server == "flask":
        for name, variable in (("host", "FLASK_RUN_HOST"), ("port", "FLASK_RUN_PORT"), ("debug", "FLASK_DEBUG")):
            if name not in given and variable in env.variables:
                given[name] = env.variables[variable]
    out: dict[str, Fact | Unknown] = {}
    for name, default in _DEFAULTS[server].items():
        if name in ("host", "port", "bind"):
            continue
        out[f"app.{name}"] = (
            _fact(name, given[name]) if name in given else Fact(default, span, _unit(name), declared=False)
        )
    for name in ("graceful_timeout", "timeout", "max_requests", "forwarded_allow_ips", "reload", "debug"):
        if name in given:
            out[f"app.{name}"] = _fact(name, given[name])
    out.update(_listening(server, given, span))
    return out


def _unit(name: str) -> str:
    return "s" if name in _SECONDS else ""


def _fact(name: str, node: Node) -> Fact | Unknown:
    value = node.value
    if isinstance(value, Unknown):
        return value
    if name in _SWITCHES:
        return Fact(str(value).lower() in ("1", "true", "yes", "on"), node.span)
    if isinstance(value, str):
        try:
            return Fact(float(value), node.span, _unit(name))
        except ValueError:
            return Fact(value, node.span)
    return (
        Fact(value, node.span, _unit(name)) if isinstance(value, (int, float)) else Unknown(name, "not a plain value")
    )


def _listening(server: str, given: Mapping[str, Node], span: Span) -> dict[str, Fact | Unknown]:
    if "uds" in given:
        return {"app.bind_socket": _fact("uds", given["uds"])}
    bind = given.get("bind")
    if bind is not None:
        text = bind.text
        if server == "runserver" and text is not None and text.isdigit():
            return {
                "app.bind_host": Fact("127.0.0.1", bind.span, declared=False),
                "app.bind_port": Fact(int(text), bind.span),
            }
        return gunicorn.parse_bind(bind.value if text is None else text, bind.span)
    defaults = _DEFAULTS[server]
    if server == "uwsgi":
        return {}
    if "bind" in defaults:
        host, _, port = str(defaults["bind"]).rpartition(":")
        return {
            "app.bind_host": Fact(host, span, declared=False),
            "app.bind_port": Fact(int(port), span, declared=False),
        }
    host_fact = _fact("host", given["host"]) if "host" in given else Fact(defaults["host"], span, declared=False)
    port_fact = _fact("port", given["port"]) if "port" in given else Fact(defaults["port"], span, declared=False)
    return {"app.bind_host": host_fact, "app.bind_port": port_fact}
