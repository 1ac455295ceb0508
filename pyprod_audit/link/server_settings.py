"""What the settings of servers other than gunicorn amount to: command line, variables, defaults.

Sources: the settings page of uvicorn 0.54, "Configuring" of hypercorn 0.18 and its `config.py`, `--help` of daphne 4.2,
granian 2.8, waitress 3.0, Flask 3.1 and fastapi-cli 0.0.34 (which hands uvicorn its defaults), the options reference of
uWSGI 2.0, `python -m http.server`, aiohttp's `web.run_app`, Quart's and Sanic's `run`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyprod_audit.link import gunicorn
from pyprod_audit.link.environment import Environment
from pyprod_audit.link.server_options import GRAMMARS
from pyprod_audit.model import Fact, Node, Span, Unknown

_ALL = "0.0.0.0"  # noqa: S104 - what a configuration says, not what we bind
_LOCAL = "127.0.0.1"
_DEFAULTS: Mapping[str, Mapping[str, float | str | bool]] = {
    "uvicorn": {"host": _LOCAL, "port": 8000, "workers": 1, "keepalive": 5, "reload": False, "interface": "auto"},
    "hypercorn": {"bind": "127.0.0.1:8000", "workers": 1, "keepalive": 5, "graceful_timeout": 3, "reload": False},
    "daphne": {"host": _LOCAL, "port": 8000},
    "granian": {"host": _LOCAL, "port": 8000, "workers": 1, "interface": "rsgi", "reload": False},
    "waitress-serve": {"host": _ALL, "port": 8080, "threads": 4},
    "flask": {"host": _LOCAL, "port": 5000, "debug": False},
    "runserver": {"host": _LOCAL, "port": 8000},
    "fastapi run": {"host": _ALL, "port": 8000, "workers": 1, "keepalive": 5, "reload": False},
    "fastapi dev": {"host": _LOCAL, "port": 8000, "keepalive": 5, "reload": True},
    "uwsgi": {"workers": 1, "threads": 1, "die_on_term": False, "reload": False},
    "http.server": {"host": _ALL, "port": 8000},
    "aiohttp": {"host": _ALL, "port": 8080},
    "quart": {"host": _LOCAL, "port": 5000, "debug": False},
    "sanic": {"host": _LOCAL, "port": 8000, "workers": 1, "debug": False, "reload": False},
    "dash": {"host": _LOCAL, "port": 8050, "debug": False},
    "bottle": {"host": _LOCAL, "port": 8080, "debug": False, "reload": False},
    "werkzeug": {"reload": False, "debug": False},
    "wsgiref": {},
    "gevent": {},
}
_EXTRA = ("graceful_timeout", "timeout", "max_requests", "forwarded_allow_ips", "reload", "debug", "threads")
_SECONDS = {"timeout", "graceful_timeout", "keepalive"}
_SWITCHES = {"reload", "debug", "preload", "die_on_term"}
# Programs whose every option can come from a variable: prefix and options (click's auto_envvar_prefix; uWSGI likewise).
_PREFIXES: Mapping[str, str] = {"uvicorn": "UVICORN_", "granian": "GRANIAN_", "flask": "FLASK_RUN_", "uwsgi": "UWSGI_"}
_VARIABLES: Mapping[str, Mapping[str, str]] = {
    "uvicorn": {"workers": "WEB_CONCURRENCY"},
    "fastapi run": {"workers": "WEB_CONCURRENCY", "port": "PORT"},
    "fastapi dev": {"port": "PORT"},
    "flask": {"debug": "FLASK_DEBUG"},
}


def is_known(server: str) -> bool:
    """Whether this module knows the defaults of `server`."""
    return server in _DEFAULTS


def from_environment(server: str, env: Environment) -> dict[str, Node]:
    """The settings of a program that variables give; the command line is stronger."""
    grammar = GRAMMARS.get(server)
    prefix = _PREFIXES.get(server)
    found: dict[str, Node] = {}
    if grammar is not None and prefix is not None:
        for option, name in {**grammar.values, **grammar.switches}.items():
            variable = prefix + option.lstrip("-").replace("-", "_").upper()
            if option.startswith("--") and variable in env.variables:
                found[name] = env.variables[variable]
    for name, variable in _VARIABLES.get(server, {}).items():
        if name not in found and variable in env.variables:
            found[name] = env.variables[variable]
    return found


def facts(
    server: str, given: Mapping[str, Node], env: Environment, span: Span, missing: str
) -> dict[str, Fact | Unknown]:
    """The facts `app.*` of a process.

    Args:
        server: Its name, one that `is_known`.
        given: The settings, by the names of `server_options`.
        env: Says whether variables may still change a default.
        span: Where a setting that is not declared would stand.
        missing: Why other settings may exist that the repository does not show; empty when all are seen.
    """
    out: dict[str, Fact | Unknown] = {}
    for name, default in _DEFAULTS[server].items():
        if name in ("host", "port", "bind"):
            continue
        if name in given:
            out[f"app.{name}"] = fact(name, given[name])
        elif missing:
            out[f"app.{name}"] = Unknown(name, missing)
        else:
            out[f"app.{name}"] = Fact(default, span, _unit(name), declared=False, label=_open(server, name, env))
    for name in _EXTRA:
        if name in given:
            out[f"app.{name}"] = fact(name, given[name])
    out.update(_listening(server, given, env, span, missing))
    return out


def _open(server: str, name: str, env: Environment) -> str:
    """Which variable may change a default at deploy time, in words."""
    variable = _VARIABLES.get(server, {}).get(name)
    return f"{variable} may change it" if variable is not None and not env.excludes(variable) else ""


def _unit(name: str) -> str:
    return "s" if name in _SECONDS else ""


def fact(name: str, node: Node) -> Fact | Unknown:
    """One setting as a fact."""
    value = node.value
    if isinstance(value, Unknown):
        return value
    if name in _SWITCHES:
        return Fact(_is_on(value), node.span)
    if isinstance(value, str):
        try:
            return Fact(float(value), node.span, _unit(name))
        except ValueError:
            return Fact(value, node.span)
    if isinstance(value, (int, float)):
        return Fact(value, node.span, _unit(name))
    return Unknown(name, "not a plain value")


def _is_on(value: object) -> bool:
    """A switch as variables, Python and INI files say it; uWSGI's py-autoreload is a number of seconds."""
    text = str(value).lower()
    return text not in ("0", "", "false", "no", "off", "none", "f", "n")


def _listening(
    server: str, given: Mapping[str, Node], env: Environment, span: Span, missing: str
) -> dict[str, Fact | Unknown]:
    if "uds" in given:
        return {"app.bind_socket": fact("uds", given["uds"])}
    if "fd" in given:
        return {"app.bind_socket": Fact("an inherited socket", given["fd"].span)}
    bind = given.get("bind")
    if bind is not None:
        return _bound(server, bind)
    if "endpoint" in given:
        unknown = Unknown("--endpoint", "Twisted's endpoint description is not read")
        return {"app.bind_host": unknown, "app.bind_port": unknown}
    defaults = _DEFAULTS[server]
    out: dict[str, Fact | Unknown] = {}
    if missing and "host" not in given and "port" not in given:
        unknown = Unknown("bind", missing)
        return {"app.bind_host": unknown, "app.bind_port": unknown}
    if "bind" in defaults:
        host, _, port = str(defaults["bind"]).rpartition(":")
        return {
            "app.bind_host": Fact(host, span, declared=False),
            "app.bind_port": Fact(int(port), span, declared=False),
        }
    for name in ("host", "port"):
        if name in given:
            value = fact(name, given[name])
            if isinstance(value, Fact) and isinstance(value.value, float) and value.value.is_integer():
                value = Fact(int(value.value), value.span)
            out[f"app.bind_{name}"] = value
        elif name in defaults:
            out[f"app.bind_{name}"] = Fact(defaults[name], span, declared=False, label=_open(server, name, env))
    return out


def _bound(server: str, bind: Node) -> dict[str, Fact | Unknown]:
    text = bind.text
    if bind.items:  # ("0.0.0.0", 8000)
        host, port = bind.items[0], bind.items[-1]
        return {"app.bind_host": fact("host", host), "app.bind_port": fact("port", port)}
    if isinstance(bind.value, int) and not isinstance(bind.value, bool):
        return {"app.bind_host": Fact(_ALL, bind.span), "app.bind_port": Fact(bind.value, bind.span)}
    if server == "runserver" and text is not None and text.isdigit():
        return {
            "app.bind_host": Fact(_LOCAL, bind.span, declared=False),
            "app.bind_port": Fact(int(text), bind.span),
        }
    if text is not None:
        text = text.replace("*:", f"{_ALL}:", 1) if text.startswith("*:") else text
        if server == "uwsgi" and ":" not in text:  # a path; a number alone is no address for uWSGI
            return {"app.bind_socket": Fact(text, bind.span)}
        if server == "runserver" and text.startswith("0:"):
            text = f"{_ALL}:{text[2:]}"
    return gunicorn.parse_bind(bind.value if text is None else text, bind.span)
