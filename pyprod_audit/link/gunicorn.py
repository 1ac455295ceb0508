"""What gunicorn's settings amount to: command line, GUNICORN_CMD_ARGS, configuration file, defaults.

Order of precedence and defaults: gunicorn 26 documentation, "Configuration Overview" and "Settings": environment
variables of single settings, configuration file, GUNICORN_CMD_ARGS, command line; of two `-c` only the one on the
command line is read. The configuration file is Python; it is read statically, never run.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping

from pyprod_audit.link.environment import Environment
from pyprod_audit.link.options import CommandLine, Setting, read
from pyprod_audit.link.programs import expand_python
from pyprod_audit.model import Fact, Node, Resource, Span, Unknown

_DEFAULTS: Mapping[str, float | str | bool] = {
    "workers": 1, "threads": 1, "worker_class": "sync", "timeout": 30, "graceful_timeout": 30, "keepalive": 2,
    "max_requests": 0, "reload": False, "preload": False, "spew": False,
}  # fmt: skip
_FILE_NAMES = {"preload_app": "preload"}
_SECONDS = {"timeout", "graceful_timeout", "keepalive"}

_COMMAND_ARGS = "GUNICORN_CMD_ARGS"
Modules = Callable[[str], Resource | None]


def with_command_args(line: CommandLine, env: Environment) -> CommandLine:
    """`line` with the settings that GUNICORN_CMD_ARGS adds: the command line is stronger.

    `complete` is False when the variable is there and its value is not known.
    """
    variable = env.variables.get(_COMMAND_ARGS)
    if variable is None:
        return line
    try:
        words = None if variable.text is None else shlex.split(variable.text)
    except ValueError:  # a quote that nothing closes: gunicorn does not start
        words = None
    if words is None:
        return CommandLine(line.settings, line.positional, complete=False)
    place = (variable.source, variable.start, variable.end, variable.key_start, variable.key_end)
    added = read("gunicorn", [Node(word, *place) for word in words])
    return CommandLine({**added.settings, **line.settings}, line.positional, line.complete and added.complete)


def configuration_file(line: CommandLine, modules: Modules) -> tuple[Resource | None, bool]:
    """The `py.module` of the configuration file, and whether all settings of a file are known.

    Without `-c` gunicorn reads `./gunicorn.conf.py` when it is there.
    """
    named = line.settings.get("config")
    if named is None or named.value is None:
        return modules("gunicorn.conf.py"), True
    text = named.value.text
    if text is None:
        return None, False
    path = text.removeprefix("file:")
    if path.startswith("python:"):
        path = path.removeprefix("python:").replace(".", "/") + ".py"
    found = modules(path)
    return found, found is not None


def application(line: CommandLine, modules: Modules) -> Node | None:
    """What `module:attribute` gunicorn is told to serve: the first positional word, else the file's `wsgi_app`."""
    if line.positional:
        return line.positional[0]
    module, _ = configuration_file(line, modules)
    return None if module is None else module.node.mapping_at("assignments").get("wsgi_app")


def facts(line: CommandLine, env: Environment, modules: Modules, span: Span) -> dict[str, Fact | Unknown]:
    """The facts `app.*` of a gunicorn process; `span` is where a setting that is not declared would stand.

    `line`: what `with_command_args` returned.
    """
    module, complete = configuration_file(line, modules)
    given: dict[str, Node | Unknown] = {}
    if module is not None:
        for name, value in module.node.mapping_at("assignments").items():
            given[_FILE_NAMES.get(name, name)] = expand_python(value, env)
    variable = env.variables.get(_COMMAND_ARGS)
    if variable is not None and not line.complete:
        unknown = Unknown(_COMMAND_ARGS, f"{_COMMAND_ARGS} is known only at deploy time")
        given = {**dict.fromkeys((*_DEFAULTS, "bind"), unknown), **dict.fromkeys(given, unknown)}
    for name, setting in line.settings.items():
        given[name] = _value(setting)
    out: dict[str, Fact | Unknown] = {}
    for name, default in _DEFAULTS.items():
        node = given.get(name)
        if node is not None:
            out[f"app.{name}"] = _fact(name, node)
        elif not complete or (name == "workers" and not env.excludes("WEB_CONCURRENCY")):
            out[f"app.{name}"] = _from_environment(name, default, env, span, complete=complete)
        else:
            out[f"app.{name}"] = Fact(default, span, "s" if name in _SECONDS else "", declared=False)
    for name in ("worker_tmp_dir", "forwarded_allow_ips"):
        if name in given:
            out[f"app.{name}"] = _fact(name, given[name])
    out.update(_bind(given.get("bind"), env, span, complete=complete))
    return out


def _value(setting: Setting) -> Node:
    if setting.value is None:
        word = setting.word
        return Node(True, word.source, word.start, word.end)
    return setting.value


def _from_environment(
    name: str, default: float | str | bool, env: Environment, span: Span, *, complete: bool
) -> Fact | Unknown:
    if not complete:
        return Unknown(name, "the gunicorn configuration file is not in the repository")
    value = env.variables.get("WEB_CONCURRENCY")
    if value is not None:
        return _fact(name, value)
    return Fact(default, span, declared=False, label="WEB_CONCURRENCY may change it")


def _fact(name: str, node: Node | Unknown) -> Fact | Unknown:
    if isinstance(node, Unknown):
        return node
    value = node.value
    if isinstance(value, Unknown):
        return value
    unit = "s" if name in _SECONDS else ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return Fact(bool(value), node.span, unit)
    if isinstance(_DEFAULTS.get(name), bool):
        return Fact(str(value).lower() in ("1", "true", "yes", "on"), node.span)
    if isinstance(value, str) and isinstance(_DEFAULTS.get(name), (int, float)):
        try:
            return Fact(float(value), node.span, unit)
        except ValueError:
            return Unknown(value, f"{value!r} is not a number")
    return Fact(value, node.span, unit)


def _bind(node: Node | Unknown | None, env: Environment, span: Span, *, complete: bool) -> dict[str, Fact | Unknown]:
    """Where gunicorn listens: `bind`, else 0.0.0.0:$PORT when PORT is set, else 127.0.0.1:8000."""
    if node is None:
        if not complete:
            unknown = Unknown("bind", "the gunicorn configuration file is not in the repository")
            return {"app.bind_host": unknown, "app.bind_port": unknown}
        port = env.variables.get("PORT")
        if port is not None:
            return {"app.bind_host": Fact("0.0.0.0", port.span), **_port(port.scalar, port.span, "PORT")}  # noqa: S104
        label = "PORT may change it" if env.open else ""
        return {
            "app.bind_host": Fact("127.0.0.1", span, declared=False, label=label),
            "app.bind_port": Fact(8000, span, declared=False, label=label),
        }
    value = node if isinstance(node, Unknown) else node.value
    place = span if isinstance(node, Unknown) else node.span
    if isinstance(value, tuple) and value:
        return _bind(value[0], env, span, complete=complete)
    return parse_bind(value, place)


def parse_bind(value: object, place: Span) -> dict[str, Fact | Unknown]:
    """`host:port`, `:port`, `[::]:port`, `unix:/path` or `fd://n`, possibly with a part that is not known."""
    if isinstance(value, Unknown):
        found = re.match(r"[\"'f]*([0-9.]+|\[[0-9a-f:]*\]|localhost)?:", value.expression)
        host: Fact | Unknown = Fact((found[1] or "0.0.0.0").strip("[]") or "::", place) if found else value  # noqa: S104
        return {"app.bind_host": host, "app.bind_port": value}
    text = str(value)
    if text.startswith(("unix:", "fd://", "/")):
        return {"app.bind_socket": Fact(posixpath.normpath(text.removeprefix("unix:")), place)}
    host_text, colon, port = text.rpartition(":")
    if not colon:
        return {"app.bind_host": Fact(text, place), "app.bind_port": Fact(8000, place, declared=False)}
    return {"app.bind_host": Fact(host_text.strip("[]") or "0.0.0.0", place), **_port(port, place, "port")}  # noqa: S104


def _port(value: object, place: Span, name: str) -> dict[str, Fact | Unknown]:
    text = str(value) if value is not None else ""
    if text.isdigit():
        return {"app.bind_port": Fact(int(text), place)}
    return {"app.bind_port": Unknown(name, f"{name} is known only at deploy time")}
