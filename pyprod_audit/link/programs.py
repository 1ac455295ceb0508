"""The server that a Python program starts by itself: `uvicorn.run(…)`, `app.run(…)` and the like.

`python main.py` says nothing about the server; the call in the module does. A call counts when it stands at the top of
the module, under `if __name__ == "__main__"`, or in a function that is named as entry points are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pyprod_audit.link.environment import Environment
from pyprod_audit.model import AppReference, Node, Resource, Unknown
from pyprod_audit.model.patterns import lazy

_ENTRY = lazy(r"(?:_?main|run|serve|start|cli|run_?(?:app|server)|start_?(?:app|server)|launch)", re.IGNORECASE)
_UVICORN = {"host": "host", "port": "port", "workers": "workers", "reload": "reload", "uds": "uds", "fd": "fd",
            "timeout_keep_alive": "keepalive", "timeout_graceful_shutdown": "graceful_timeout",
            "interface": "interface", "forwarded_allow_ips": "forwarded_allow_ips"}  # fmt: skip
_DEVELOPMENT = {"host": "host", "port": "port", "debug": "debug", "use_reloader": "reload"}
# Dotted call → server, what its keywords set, what its positional arguments set (its application stands at "app").
_STARTERS: Mapping[str, tuple[str, Mapping[str, str], tuple[str, ...]]] = {
    "uvicorn.run": ("uvicorn", _UVICORN, ("app",)),
    "uvicorn.Config": ("uvicorn", _UVICORN, ("app", "host", "port", "uds", "fd")),
    "waitress.serve": ("waitress-serve", {"host": "host", "port": "port", "listen": "bind", "threads": "threads"},
                       ("app",)),
    "gevent.pywsgi.WSGIServer": ("gevent", {}, ("bind", "app")),
    "aiohttp.web.run_app": ("aiohttp", {"host": "host", "port": "port", "path": "uds"}, ("app",)),
    "werkzeug.serving.run_simple": ("werkzeug", {"hostname": "host", "port": "port", "use_reloader": "reload",
                                                 "use_debugger": "debug"}, ("host", "port", "app")),
    "wsgiref.simple_server.make_server": ("wsgiref", {"host": "host", "port": "port"}, ("host", "port", "app")),
    "bottle.run": ("bottle", {**_DEVELOPMENT, "reloader": "reload"}, ("app",)),
}  # fmt: skip
_RUN = {"flask": "flask", "quart": "quart", "sanic": "sanic", "dash": "dash", "apiflask": "flask",
        "flask_openapi3": "flask", "bottle": "bottle"}  # fmt: skip
_ENV_READ = lazy(
    r"""(?:int\(|str\()?os\.(?:environ\.get|getenv)\(\s{0,9}["'](\w{1,80})["']\s{0,9}(?:,\s{0,9}([^()]{1,80}))?\)\)?"""
    r"""|(?:int\(|str\()?os\.environ\[["'](\w{1,80})["']\]\)?"""
)


class Started(NamedTuple):
    """A server that a module starts: its settings as nodes, the application, and the call."""

    server: str
    settings: Mapping[str, Node]
    app: AppReference | Unknown | None
    call: Node


def started(module: Resource, env: Environment, framework: Callable[[str], str]) -> Started | None:
    """The server that running `module` starts; None when no call of it is known to.

    `framework` gives that of an application by its dotted name ("" when it cannot be told).

    When there are several, the one that is meant for production counts: a program that picks Flask's own server for
    development and waitress otherwise runs waitress.
    """
    found = [one for call in module.node.items_at("calls") if (one := _started(call, env, framework))]
    serious = [one for one in found if one.server in ("uvicorn", "waitress-serve", "gevent", "aiohttp", "sanic")]
    return next(iter(serious or found), None)


def _started(call: Node, env: Environment, framework: Callable[[str], str]) -> Started | None:
    name = call.text_at("name") or ""
    known = _STARTERS.get(name) or _method(name, framework)
    if known is None or not _runs(call):
        return None
    server, keywords, positions = known
    kwargs = call.mapping_at("kwargs")
    if server == "bottle" and "server" in kwargs:
        return None
    given = dict(zip(positions, call.items_at("args"), strict=False))
    given.update({keywords[key]: value for key, value in kwargs.items() if key in keywords})
    settings = {key: expand_python(value, env) for key, value in given.items() if key != "app"}
    if "**" in kwargs:
        settings["**"] = kwargs["**"]
    return Started(server, settings, _app(name, given.get("app") or kwargs.get("app"), call), call)


def _method(name: str, framework: Callable[[str], str]) -> tuple[str, Mapping[str, str], tuple[str, ...]] | None:
    """`flask.Flask.run` and its like: the method of an application object, of this module or another."""
    owner, _, method = name.rpartition(".")
    if method not in ("run", "run_server") or not owner:
        return None
    package = owner.partition(".")[0]
    server = _RUN.get(package) if package in _RUN and "." in owner else _RUN.get(framework(owner))
    if server is None:
        return None
    return server, {**_DEVELOPMENT, "workers": "workers", "auto_reload": "reload"}, ("host", "port", "debug")


def _runs(call: Node) -> bool:
    function = call.text_at("function")
    return function is None or _ENTRY.fullmatch(function) is not None


def _app(name: str, node: Node | None, call: Node) -> AppReference | Unknown | None:
    """The application: an import string, or a name of the module itself."""
    if name.endswith((".run", ".run_server")) and name not in _STARTERS:
        return None
    if node is None:
        return None
    text = node.text
    if text is not None:
        module, _, attribute = text.partition(":")
        return AppReference(module, attribute, node.span) if module else None
    unknown = node.value
    if isinstance(unknown, Unknown) and unknown.expression.rpartition(".")[2].isidentifier():
        return AppReference("__main__", unknown.expression.rpartition(".")[2], node.span)
    return Unknown("app", f"the application that {call.text_at('name')} is given is not a plain name")


def expand_python(node: Node, env: Environment) -> Node:
    """A value of a Python file that is one look-up of an environment variable, filled in where that is known.

    A variable that may still come at deploy time is taken as the repository sets it, as everywhere in `link`; one
    that the repository does not set stays unknown unless it certainly is not set.
    """
    unknown = node.value
    found = _ENV_READ.fullmatch(unknown.expression.strip()) if isinstance(unknown, Unknown) else None
    if found is None:
        return node
    name = found[1] or found[3]
    text = env.text(name)
    if text is None and found[2] is not None and env.excludes(name):
        text = found[2].strip().strip("\"'")
        if not re.fullmatch(r"[\w.:/-]{1,80}", text) or (text[0].isalpha() and text == found[2].strip()):
            return node  # a name, not a literal
    if text is None:
        return node
    return Node(text, node.source, node.start, node.end, node.key_start, node.key_end)
