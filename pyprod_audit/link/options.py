"""Reads the command lines of Python servers into settings.

Names and arities of the options: the settings reference of gunicorn 26, `--help` of uvicorn 0.51, hypercorn 0.18 and
daphne 4, the options reference of uWSGI 2.0, the command references of Flask 3.1 and Django 6.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyprod_audit.model import Node, Unknown

_GUNICORN_VALUE = {
    "-b": "bind", "--bind": "bind", "-w": "workers", "--workers": "workers", "-k": "worker_class",
    "--worker-class": "worker_class", "--threads": "threads", "-t": "timeout", "--timeout": "timeout",
    "--graceful-timeout": "graceful_timeout", "--keep-alive": "keepalive", "--max-requests": "max_requests",
    "--max-requests-jitter": "max_requests_jitter", "--worker-tmp-dir": "worker_tmp_dir",
    "--forwarded-allow-ips": "forwarded_allow_ips", "-c": "config", "--config": "config", "--chdir": "chdir",
    "--pythonpath": "pythonpath", "--worker-connections": "worker_connections",
}  # fmt: skip
_GUNICORN_OTHER_VALUE = {
    "--backlog", "--limit-request-line", "--limit-request-fields", "--limit-request-field_size", "-e", "--env",
    "-p", "--pid",
    "-u", "--user", "-g", "--group", "-m", "--umask", "--access-logfile", "--access-logformat", "--log-file",
    "--error-logfile", "--log-level", "--logger-class", "--log-config", "--log-config-json", "--log-syslog-to",
    "--log-syslog-prefix", "--log-syslog-facility", "--statsd-host", "--dogstatsd-tags", "--statsd-prefix", "-n",
    "--name",
    "--paste", "--keyfile", "--certfile", "--ssl-version", "--cert-reqs", "--ca-certs", "--ciphers",
    "--reload-engine",
    "--reload-extra-file", "--secure-scheme-headers", "--proxy-allow-from", "--tmp-upload-dir", "--control-socket",
}  # fmt: skip
_UVICORN_VALUE = {
    "--host": "host", "--port": "port", "--uds": "uds", "--fd": "fd", "--workers": "workers",
    "--interface": "interface",
    "--timeout-keep-alive": "keepalive", "--timeout-graceful-shutdown": "graceful_timeout",
    "--limit-max-requests": "max_requests", "--forwarded-allow-ips": "forwarded_allow_ips", "--app-dir": "chdir",
}  # fmt: skip
_UVICORN_OTHER_VALUE = {
    "--reload-dir", "--reload-include", "--reload-exclude", "--reload-delay", "--loop", "--http", "--ws",
    "--ws-max-size", "--ws-max-queue", "--ws-ping-interval", "--ws-ping-timeout", "--ws-per-message-deflate",
    "--lifespan", "--env-file", "--log-config", "--log-level", "--root-path", "--limit-concurrency", "--backlog",
    "--ssl-keyfile", "--ssl-certfile", "--ssl-keyfile-password", "--ssl-version", "--ssl-cert-reqs", "--ssl-ca-certs",
    "--ssl-ciphers", "--header", "--h11-max-incomplete-event-size", "--timeout-worker-healthcheck",
}  # fmt: skip
_HYPERCORN_VALUE = {
    "-b": "bind", "--bind": "bind", "-w": "workers", "--workers": "workers", "-k": "worker_class",
    "--worker-class": "worker_class", "--keep-alive": "keepalive", "--graceful-timeout": "graceful_timeout",
    "-c": "config", "--config": "config", "--max-requests": "max_requests",
}  # fmt: skip
_HYPERCORN_OTHER_VALUE = {
    "--access-log", "--access-logfile", "--access-logformat", "--backlog", "--ca-certs", "--certfile", "--cert-reqs",
    "--ciphers", "--error-log", "--error-logfile", "--log-file", "--log-config", "--log-level", "-g", "--group",
    "--insecure-bind", "--keyfile", "--keyfile-password", "--quic-bind", "--root-path", "--server-name",
    "--statsd-host",
    "--statsd-prefix", "-m", "--umask", "-u", "--user", "--verify-mode", "--websocket-ping-interval", "-p", "--pid",
}  # fmt: skip
_DAPHNE_VALUE = {"-b": "host", "--bind": "host", "-p": "port", "--port": "port", "-u": "uds", "--unix-socket": "uds",
                 "-t": "timeout", "--http-timeout": "timeout"}  # fmt: skip
_DAPHNE_OTHER_VALUE = {
    "-e", "--endpoint", "-v", "--verbosity", "--fd", "--websocket_timeout", "--websocket_connect_timeout",
    "--access-log",
    "--log-fmt", "--ping-interval", "--ping-timeout", "--application-close-timeout", "--root-path",
    "--proxy-headers-host",
    "--proxy-headers-port", "-s", "--server-name",
}  # fmt: skip
_FLASK_VALUE = {"-h": "host", "--host": "host", "-p": "port", "--port": "port", "-A": "app", "--app": "app",
                "-e": "env_file", "--env-file": "env_file", "--cert": "cert", "--key": "key"}  # fmt: skip
_FASTAPI_VALUE = {"--host": "host", "--port": "port", "--workers": "workers", "--app": "app",
    "--root-path": "root_path",
                  "-e": "app", "--entrypoint": "app"}  # fmt: skip
_UWSGI_VALUE = {
    "--http": "bind", "--http-socket": "bind", "-s": "bind", "--socket": "bind", "--uwsgi-socket": "bind",
    "--processes": "workers", "-p": "workers", "--workers": "workers", "--threads": "threads",
    "--harakiri": "timeout",
    "--ini": "config", "--module": "app", "-w": "app", "--wsgi": "app", "--wsgi-file": "file", "--chdir": "chdir",
    "--max-requests": "max_requests", "--py-autoreload": "reload", "--callable": "callable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grammar:
    """How one program reads its command line: options with a value, other options with one, switches."""

    values: Mapping[str, str]
    other_values: frozenset[str] = frozenset()
    switches: Mapping[str, str] = field(default_factory=dict)


GRAMMARS: Mapping[str, Grammar] = {
    "gunicorn": Grammar(_GUNICORN_VALUE, frozenset(_GUNICORN_OTHER_VALUE),
                        {"--reload": "reload", "--preload": "preload", "--spew": "spew"}),
    "uvicorn": Grammar(_UVICORN_VALUE, frozenset(_UVICORN_OTHER_VALUE),
                       {"--reload": "reload", "--factory": "factory", "--proxy-headers": "proxy_headers",
                        "--no-proxy-headers": "no_proxy_headers"}),
    "hypercorn": Grammar(_HYPERCORN_VALUE, frozenset(_HYPERCORN_OTHER_VALUE),
                         {"--reload": "reload", "--debug": "debug"}),
    "daphne": Grammar(_DAPHNE_VALUE, frozenset(_DAPHNE_OTHER_VALUE), {"--proxy-headers": "proxy_headers"}),
    "flask": Grammar(_FLASK_VALUE, frozenset(), {"--debug": "debug", "--reload": "reload"}),
    "fastapi": Grammar(_FASTAPI_VALUE, frozenset(), {"--reload": "reload"}),
    "uwsgi": Grammar(_UWSGI_VALUE, frozenset(),
                     {"--master": "master", "-M": "master", "--die-on-term": "die_on_term",
                      "--enable-threads": "enable_threads"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """One option as given: its value (None for a switch) and the word that says it."""

    name: str
    value: Node | None
    word: Node


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What the options say, and the words that are not options. `complete` is False when a word is not known."""

    settings: Mapping[str, Setting]
    positional: tuple[Node, ...]
    complete: bool


def read(program: str, words: Sequence[Node]) -> CommandLine:
    """The settings and positional words of `words`, which follow the name of `program`."""
    grammar = GRAMMARS.get(program, Grammar({}))
    settings: dict[str, Setting] = {}
    positional: list[Node] = []
    complete = True
    rest = iter(words)
    for word in rest:
        text = word.text
        if text is None:
            complete = complete and _unknown_option(grammar, word, settings)
            if not positional and not _expression(word).startswith("-"):
                positional.append(word)
            continue
        if not text.startswith("-") or text == "-":
            positional.append(word)
            continue
        for setting in _option(grammar, text, word, rest):
            settings[setting.name] = setting
    return CommandLine(settings, tuple(positional), complete)


def _expression(word: Node) -> str:
    return word.value.expression if isinstance(word.value, Unknown) else ""


def _unknown_option(grammar: Grammar, word: Node, settings: dict[str, Setting]) -> bool:
    """Keep `--bind=0.0.0.0:$PORT` as a setting with an unknown value; False when the word says nothing."""
    name, equals, text = _expression(word).partition("=")
    if not equals or name not in grammar.values:
        return False
    start = min(word.start + len(name) + 1, word.end)
    value = Node(Unknown(text, f"{text} is known only at deploy time"), word.source, start, word.end)
    settings[grammar.values[name]] = Setting(grammar.values[name], value, word)
    return True


def _option(grammar: Grammar, text: str, word: Node, rest: Iterator[Node]) -> Iterator[Setting]:
    if text in grammar.values:
        value = next(rest, None)
        if value is not None:
            yield Setting(grammar.values[text], value, word)
    elif text in grammar.other_values:
        next(rest, None)
    elif text in grammar.switches:
        yield Setting(grammar.switches[text], None, word)
    elif text.startswith("--") and "=" in text:
        name, _, value_text = text.partition("=")
        if name in grammar.values:
            start = min(word.start + len(name) + 1, word.end)
            yield Setting(grammar.values[name], Node(value_text, word.source, start, word.end), word)
    elif not text.startswith("--") and len(text) > 2 and text[:2] in grammar.values:
        yield Setting(
            grammar.values[text[:2]], Node(text[2:], word.source, min(word.start + 2, word.end), word.end), word
        )
