"""Whether the server that the start command names is installed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.service_view import address_at, serving
from pyprod_audit.model import Node, Process, Repository, Resource, Service, Span, Unknown
from pyprod_audit.model.patterns import lazy

_DISTRIBUTIONS = {
    "gunicorn": "gunicorn", "uvicorn": "uvicorn", "hypercorn": "hypercorn", "daphne": "daphne", "uwsgi": "uwsgi",
    "granian": "granian", "waitress-serve": "waitress", "fastapi run": "fastapi-cli", "gevent": "gevent",
}  # fmt: skip
_WORKERS = (
    ("gevent", "gevent"), ("eventlet", "eventlet"), ("tornado", "tornado"), ("uvicorn.workers.", "uvicorn"),
    ("uvicorn_worker.", "uvicorn-worker"), ("gunicorn.workers.ggevent", "gevent"),
)  # fmt: skip
# Distributions that bring the server along, with the extra that does; "" is always.
_BROUGHT_BY = {
    "gunicorn": {"uvicorn-worker": "", "mlflow": "", "mlflow-skinny": "", "apache-airflow": "", "apache-superset": "",
                 "meinheld": ""},
    "uvicorn": {"fastapi": "standard all", "fastapi-cli": "", "litestar": "standard", "uvicorn-worker": "",
                "gradio": "", "mcp": "", "fastmcp": "", "nicegui": "", "chromadb": "", "prefect": "", "connexion":
                "uvicorn", "inboard": "", "sse-starlette": "", "jina": "", "langserve": "all server", "bentoml": "",
                "ray": "serve", "apache-airflow": "", "openai-whisper-api": "", "datasette": "", "piccolo": ""},
    "daphne": {"channels": "daphne"},
    "hypercorn": {"quart": ""},
    "uwsgi": {"pyuwsgi": "", "uwsgi-tools": ""},
    "fastapi-cli": {"fastapi": "standard all standard-no-fastapi-cloud-cli"},
    "gevent": {"gunicorn": "gevent", "locust": "", "grequests": ""},
    "eventlet": {"gunicorn": "eventlet"},
    "tornado": {"gunicorn": "tornado", "jupyter-server": ""},
}  # fmt: skip
_PLAIN_BASES = frozenset({
    "python", "debian", "ubuntu", "alpine", "uv", "amazonlinux", "almalinux", "rockylinux", "fedora",
    "debian-base", "pypy", "wolfi-base", "distroless", "python3",
})  # fmt: skip
_OTHER_SOURCES = lazy(r"\b(?:conda|mamba|micromamba|pixi|nix|easy_install|pants|bazel|pex|spack)\b")


def server_not_installed(service: Service, context: Context) -> Outcomes:
    """A start command whose server is in no requirement, no lock and no install step of the image."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    wanted = list(_wanted(service, process))
    if not wanted or service.image is None or service.project is None:
        yield Skip("it runs no server that is installed from an index, or its image is not built here")
        return
    sources = list(_sources(service, context.repository))
    if not sources:
        yield Skip("the project declares no dependencies")
        return
    for distribution, what, span in wanted:
        yield from _judge(service, distribution, what, span, sources, context.repository)


def _wanted(service: Service, process: Process) -> Iterator[tuple[str, str, Span]]:
    distribution = _DISTRIBUTIONS.get(process.server)
    if distribution is not None:
        yield distribution, f"the command starts {process.server.partition(' ')[0]}", process.argv[0].span
    worker = service.fact("app.worker_class")
    if process.server == "gunicorn" and worker is not None and worker.declared:
        found = next((name for start, name in _WORKERS if str(worker.value).startswith(start)), None)
        if found is not None:
            yield found, f"gunicorn runs {worker.value} workers", worker.span


def _sources(service: Service, repository: Repository) -> Iterator[Resource]:
    """Everything that declares dependencies of the project: in its folders, and the locks of the folders above."""
    project = service.project or ""
    prefix = f"{project}/" if project else ""
    above = set()
    folder = project
    while folder:
        folder = posixpath.dirname(folder)
        above.add(folder)
    for resource in repository.of_kind("py.requirements", "py.manifest", "py.lock"):
        if resource.path.startswith(prefix) or posixpath.dirname(resource.path) in above:
            yield resource


def _judge(
    service: Service, distribution: str, what: str, span: Span, sources: list[Resource], repository: Repository
) -> Outcomes:
    image = service.image
    if image is None:
        return
    if any(_brings(entry, distribution) for source in sources for entry in _entries(source)):
        return
    pattern = re.compile(rf"(?<![\w-]){re.escape(distribution)}(?![\w])", re.IGNORECASE)
    for text in _build_texts(service, image, repository):
        if pattern.search(text):
            return
        if _OTHER_SOURCES.search(text):
            yield Cannot(span, "the image installs from elsewhere than a Python index")
            return
    doubt = _doubt(image, sources, repository)
    if doubt:
        yield Cannot(span, doubt)
        return
    lock = next((source for source in sources if source.kind == "py.lock"), None)
    shown = (lock or sources[0]).path
    yield Hit(
        span, {"what": what, "distribution": distribution, "source": shown},
        (((lock or sources[0]).source.span(0, 0), f"has no {distribution}"),),
        address_at(service, span, distribution),
    )  # fmt: skip


def _entries(source: Resource) -> Iterator[Node]:
    for key in ("requirements", "dependencies", "packages"):
        yield from source.node.items_at(key)
    for key in ("groups", "extras"):
        for group in source.node.mapping_at(key).values():
            yield from group.items


def _brings(entry: Node, distribution: str) -> bool:
    name = entry.text_at("name") or ""
    if name == distribution:
        return True
    extra = _BROUGHT_BY.get(distribution, {}).get(name)
    if extra is None:
        return False
    extras = {one.text for one in entry.items_at("extras")}
    return not extra or not extras.isdisjoint(extra.split())


def _build_texts(service: Service, image: Resource, repository: Repository) -> Iterator[str]:
    """What the build runs, and the scripts of the project: the server may be installed there."""
    stages = repository.children(image.parent, "docker.stage") if image.parent is not None else [image]
    for stage in stages:
        for run in repository.children(stage, "docker.run"):
            yield run.node.span.text
    prefix = f"{service.project}/" if service.project else ""
    for script in repository.of_kind("shell.script"):
        if script.path.startswith(prefix) and "install" in script.source.text:
            yield script.source.text


def _doubt(image: Resource, sources: list[Resource], repository: Repository) -> str:
    base = image.node.get("base.name")
    name = base.text if base is not None and not isinstance(base.value, Unknown) else None
    if name is None or posixpath.basename(name) not in _PLAIN_BASES:
        return f"the base image {name or ''} may hold it".replace("  ", " ")
    for source in sources:
        if source.node.items_at("dynamic"):
            return f"{source.path} computes its dependencies"
        for option in source.node.items_at("options"):
            if option.text_at("option") in ("--find-links", "--extra-index-url", "--index-url"):
                return f"{source.path} installs from an index of its own"
        for entry in _entries(source):
            if entry.get("url") is not None or entry.get("path") is not None or entry.text_at("name") is None:
                return f"{source.path} has {entry.text_at('name') or 'an entry'} from elsewhere, which may bring it"
    if any(posixpath.basename(path) in ("environment.yml", "environment.yaml") for path in repository.paths):
        return "a conda environment may bring it"
    return ""
