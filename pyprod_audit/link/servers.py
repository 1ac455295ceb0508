"""Recognises the server that a start command runs and what its settings amount to."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyprod_audit.link import gunicorn, programs, server_settings, uwsgi
from pyprod_audit.link.application import resolve
from pyprod_audit.link.environment import Environment
from pyprod_audit.link.options import CommandLine, read
from pyprod_audit.link.python_modules import ModuleFinder
from pyprod_audit.link.startup import Startup
from pyprod_audit.model import AppReference, Fact, Node, Process, Resource, Unknown

_KNOWN = {
    "gunicorn", "uvicorn", "hypercorn", "daphne", "uwsgi", "celery", "granian", "waitress-serve", "http.server",
}  # fmt: skip
_MODULES = {"waitress": "waitress-serve", "http.server": "http.server"}  # `python -m` names that differ
_HANDED_AN_APP = ("gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress-serve")


@dataclass(slots=True)
class _Running:
    """What a process amounts to while it is put together."""

    server: str
    app: AppReference | Unknown | None = None
    facts: Mapping[str, Fact | Unknown] = field(default_factory=dict)
    config: Resource | None = None
    script: Resource | None = None
    chdir: str = ""


def process(startup: Startup, finder: ModuleFinder, project: str) -> Process:
    """The process that `startup` amounts to; `finder` knows the files as the process sees them."""
    env = startup.env
    server, words = _identify(startup)
    if server == "python":
        running = _program(words, env, finder)
    elif server == "gunicorn":
        running = _gunicorn(words, env, finder, startup)
    else:
        running = _other(server, words, env, finder, startup)
    return Process(
        server=running.server,
        argv=startup.words,
        span=startup.span,
        app=running.app,
        facts=running.facts,
        wrappers=startup.wrappers,
        signals=startup.signals,
        signals_because=startup.signals_because,
        signals_span=startup.signals_span,
        python_project=project,
        config=running.config,
        script=running.script,
        chdir=running.chdir,
    )


def _identify(startup: Startup) -> tuple[str, tuple[Node, ...]]:
    """The server's name and the words behind it; "python" keeps `-m`."""
    words = startup.words
    name = posixpath.basename(words[0].text or "")
    rest = words[1:]
    if name.startswith("python") or name == "pypy3":
        while rest and (rest[0].text or "").startswith("-") and rest[0].text != "-m":
            rest = rest[2:] if rest[0].text in ("-W", "-X") else rest[1:]
        if rest and rest[0].text == "-m" and len(rest) > 1:
            module = rest[1].text or ""
            name = _MODULES.get(module, module)
            if name not in _KNOWN and name not in ("flask", "fastapi", "django"):
                return "python", rest
            rest = rest[2:]
        elif rest and (rest[0].text or "").endswith("manage.py"):
            return _management(rest[1:])
        else:
            return "python", rest
    if name in ("manage.py", "django-admin", "django"):
        return _management(rest)
    if name == "fastapi":
        verb = rest[0].text if rest else None
        return (f"fastapi {verb}", rest[1:]) if verb in ("run", "dev") else ("other", rest)
    if name == "flask":
        at = next((i for i, word in enumerate(rest) if word.text == "run"), None)
        return ("flask", (*rest[:at], *rest[at + 1 :])) if at is not None else ("other", rest)
    return (name if name in _KNOWN else "other"), rest


def _management(words: tuple[Node, ...]) -> tuple[str, tuple[Node, ...]]:
    verb = words[0].text if words else None
    if verb in ("runserver", "runserver_plus"):
        return "runserver", words[1:]
    return "django-command", words


def _gunicorn(words: tuple[Node, ...], env: Environment, finder: ModuleFinder, startup: Startup) -> _Running:
    line = gunicorn.with_command_args(read("gunicorn", words), env)
    facts = gunicorn.facts(line, env, finder.at, startup.span)
    if not line.complete:
        facts = _undeclared_unknown(facts)
    config, _ = gunicorn.configuration_file(line, finder.at)
    chdir = _text(line, "chdir")
    if not chdir and config is not None:
        chdir = config.node.text_at("assignments.chdir") or ""
    app = _reference("gunicorn", gunicorn.application(line, finder.at))
    return _Running("gunicorn", app, facts, config=config, chdir=chdir)


def _undeclared_unknown(facts: Mapping[str, Fact | Unknown]) -> dict[str, Fact | Unknown]:
    """Defaults are not known to hold when a word of the command line is not."""
    because = "a part of the command line is known only at deploy time"
    return {
        name: Unknown(name, because) if isinstance(value, Fact) and not value.declared else value
        for name, value in facts.items()
    }


def _program(words: tuple[Node, ...], env: Environment, finder: ModuleFinder) -> _Running:
    """`python main.py`, `python -m shop`: the server is the one that the program starts."""
    module = _script(words, finder)
    if module is None:
        return _Running("python")

    def framework(name: str) -> str:
        parent, _, last = name.rpartition(".")
        holder = finder.module(parent) if parent else module
        found = resolve(holder, last, finder) if holder is not None else None
        return "" if found is None or isinstance(found, Unknown) else found.framework

    started = programs.started(module, env, framework)
    if started is None:
        return _Running("python", script=module)
    missing = "the program computes the server's settings" if "**" in started.settings else ""
    facts = server_settings.facts(started.server, started.settings, env, started.call.anchor, missing)
    return _Running(started.server, started.app, facts, script=module)


def _script(words: tuple[Node, ...], finder: ModuleFinder) -> Resource | None:
    text = words[0].text if words else None
    if text == "-m" and len(words) > 1 and words[1].text:
        stem = words[1].text.replace(".", "/")
        return finder.at(f"{stem}.py") or finder.at(f"{stem}/__main__.py")
    if not text or text.startswith("-"):
        return None
    return finder.at(text) if text.endswith(".py") else finder.at(posixpath.join(text, "__main__.py"))


def _other(server: str, words: tuple[Node, ...], env: Environment, finder: ModuleFinder, startup: Startup) -> _Running:
    line = read(server.split(" ", 1)[0], words)
    if not server_settings.is_known(server):
        return _Running(server, chdir=_text(line, "chdir"))
    given, missing = server_settings.from_environment(server, env), ""
    if server == "uwsgi":
        in_file, missing = _uwsgi_file(line, env, finder)
        given.update(in_file)
    elif "config" in line.settings:
        missing = "the server's configuration file is not read"
    if not line.complete:
        missing = missing or "a part of the command line is known only at deploy time"
    for name, setting in line.settings.items():
        word = setting.word
        given[name] = setting.value if setting.value is not None else Node(True, word.source, word.start, word.end)
    if line.positional and server == "runserver":
        given["bind"] = line.positional[0]
    elif line.positional and server == "http.server":
        given["port"] = line.positional[0]
    facts = server_settings.facts(server, given, env, startup.span, missing)
    chdir = given["chdir"].text or "" if "chdir" in given else ""
    return _Running(server, _app(server, line, given, env), facts, chdir=chdir)


def _uwsgi_file(line: CommandLine, env: Environment, finder: ModuleFinder) -> tuple[dict[str, Node], str]:
    """What the INI file that uWSGI is told to read sets, and why more may be set."""
    setting = line.settings.get("config")
    node = setting.value if setting is not None else None
    if node is None:
        node = next((word for word in line.positional if (word.text or "").endswith((".ini", ".xml", ".yml"))), None)
    if node is None:
        return {}, ""
    source = finder.text(node.text) if node.text is not None and node.text.endswith(".ini") else None
    if source is None:
        return {}, "the uWSGI configuration file is not in the repository"
    return dict(uwsgi.settings(source, env)), ""


def _text(line: CommandLine, name: str) -> str:
    setting = line.settings.get(name)
    return (setting.value.text or "") if setting is not None and setting.value is not None else ""


def _app(server: str, line: CommandLine, given: Mapping[str, Node], env: Environment) -> AppReference | Unknown | None:
    if server == "flask":
        return _reference(server, given.get("app") or env.variables.get("FLASK_APP"))
    if server.startswith("fastapi "):
        return _fastapi(line, given)
    if server == "uwsgi":
        return _uwsgi(given)
    if server in _HANDED_AN_APP:
        return _reference(server, line.positional[0] if line.positional else None)
    return None


def _fastapi(line: CommandLine, given: Mapping[str, Node]) -> AppReference | Unknown | None:
    if "app" in given:
        return _reference("fastapi", given["app"])
    path = line.positional[0] if line.positional else None
    if path is None or path.text is None:
        return path.value if path is not None and isinstance(path.value, Unknown) else None
    dotted = path.text.removesuffix(".py").strip("./").replace("/", ".")
    attribute = given["attribute"].text if "attribute" in given else None
    return AppReference(dotted, attribute or "app", path.span)


def _uwsgi(given: Mapping[str, Node]) -> AppReference | Unknown | None:
    called = given["callable"].text if "callable" in given else None
    file = given.get("file")
    if file is not None and "app" not in given:
        if file.text is None:
            return file.value if isinstance(file.value, Unknown) else None
        dotted = file.text.removesuffix(".py").strip("./").replace("/", ".")
        return AppReference(dotted, called or "application", file.span)
    found = _reference("uwsgi", given.get("app"))
    if isinstance(found, AppReference) and called:
        return AppReference(found.module, called, found.span)
    return found


def _reference(server: str, node: Node | None) -> AppReference | Unknown | None:
    """`module:attribute` as a word says it."""
    if node is None:
        return None
    if isinstance(node.value, Unknown):
        return node.value
    text = node.text or ""
    if server == "hypercorn":  # which lets one say what it finds out by itself
        text = text.removeprefix("asgi:").removeprefix("wsgi:")
    module, _, attribute = text.partition(":")
    implied = {"gunicorn": "application", "uwsgi": "application", "hypercorn": "app", "granian": "app"}
    if not module or "/" in module:
        return None
    if server in ("flask", "hypercorn"):
        module = module.removesuffix(".py")
    return AppReference(module, attribute or implied.get(server, ""), node.span)
