"""The cross-file view: what belongs together and what it amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.model.image import ImageFiles
from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.resource import Resource
from pyprod_audit.model.source import Span


class Fact(NamedTuple):
    """One value that rules of several files need, with its evidence.

    `unit` is "s", "bytes", "cores", "" …; `declared` is False when the value is the technology's own default, and
    `span` then is the place where one would declare it; `label` says what the value is, in a few words.
    """

    value: float | str | bool
    span: Span
    unit: str = ""
    declared: bool = True
    label: str = ""

    @property
    def number(self) -> float:
        """The value as a number. Raises TypeError for text."""
        if isinstance(self.value, str):
            raise TypeError(f"not a number: {self.value!r}")
        return float(self.value)


class AppReference(NamedTuple):
    """`module:attribute` as a server is told it. `span` covers the argument."""

    module: str
    attribute: str
    span: Span


@dataclass(frozen=True, slots=True)
class Process:
    """What runs in a container (or on a host) once wrappers and shells are looked through.

    `server`: gunicorn, uvicorn, hypercorn, uwsgi, daphne, granian, waitress-serve, flask, runserver, "fastapi run",
    "fastapi dev", http.server, celery, django-command, python, other; a Python program that starts a server itself
    counts as that server (also gevent, aiohttp, sanic, quart, bottle, dash, werkzeug, wsgiref).
    `argv`: the words from the program's name on. `config`: the `py.module` that holds the server's settings;
    `script`: the `py.module` of the program; `chdir`: the folder that the server changes to. `wrappers`: programs in
    front of it, outermost first ("sh -c", "poetry run", "tini"). `signals`: whether SIGTERM reaches the server;
    None when that cannot be told; the span is
    the place that decides it and `signals_because` says why.
    """

    server: str
    argv: tuple[Node, ...]
    span: Span
    app: AppReference | Unknown | None = None
    facts: Mapping[str, Fact | Unknown] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()
    signals: bool | None = None
    signals_because: str = ""
    signals_span: Span | None = None
    python_project: str = ""
    config: Resource | None = None
    script: Resource | None = None
    chdir: str = ""

    def fact(self, name: str) -> Fact | None:
        """The fact `name` when it is known."""
        found = self.facts.get(name)
        return found if isinstance(found, Fact) else None


class Evidence(NamedTuple):
    """Why the linker put a part into a service."""

    text: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """One deployed process and what surrounds it; parts that the repository does not show are None or empty.

    `project`: root folder of the Python project ("" is the scan root) or None; `image`: final `docker.stage`;
    `workload`: k8s workload; `pod`: its `k8s.podspec`; `container`: the `k8s.container`; `entries`: what leads traffic
    here (`k8s.service`, `k8s.ingress`, `nginx.location`, …); `files`: what the image holds; `module`: the `py.module`
    that the server is told to import; `modules`: all `py.module` of the project; `compose`: the `compose.service` that
    starts it where no workload does.
    """

    name: str
    project: str | None = None
    image: Resource | None = None
    workload: Resource | None = None
    pod: Resource | None = None
    container: Resource | None = None
    process: Process | None = None
    entries: tuple[Resource, ...] = ()
    files: ImageFiles | None = None
    module: Resource | None = None
    modules: tuple[Resource, ...] = ()
    facts: Mapping[str, Fact | Unknown] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    compose: Resource | None = None

    def fact(self, name: str) -> Fact | None:
        """The fact `name` when it is known."""
        found = self.facts.get(name)
        return found if isinstance(found, Fact) else None

    def unknown(self, name: str) -> Unknown | None:
        """The reason why the fact `name` is not known, when the linker found its place but not its value."""
        found = self.facts.get(name)
        return found if isinstance(found, Unknown) else None
