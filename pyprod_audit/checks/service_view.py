"""What the rules about servers ask a service: is it production's, is a setting certain, how is a finding addressed."""

from __future__ import annotations

import posixpath

from pyprod_audit.checks.api import Skip
from pyprod_audit.checks.docker_view import is_workplace, names_a_workplace
from pyprod_audit.checks.workload_view import is_one_shot
from pyprod_audit.model import Fact, Process, Service, Span, Unknown

WSGI_SERVERS = frozenset({"gunicorn", "uwsgi", "waitress-serve"})
_PRODUCTION_SUFFIXES = (".prod", ".production", ".prd", "-prod", "-production", ".live")
ASGI_SERVERS = frozenset({"uvicorn", "hypercorn", "daphne", "granian", "fastapi run", "fastapi dev"})


def not_production(service: Service) -> Skip | None:
    """Why the service is nobody's production: developers' and test files, one-shot pods; None when it is."""
    paths = [part.path for part in (service.workload, service.image, service.compose) if part is not None]
    if any(is_workplace(path) for path in paths):
        return Skip("it is for development or tests")
    started = service.container or service.compose
    production = _production_file(service)
    if started is None and production:
        return Skip(f"{production} beside it is production's")
    stage = service.image.node.text_at("name") if service.image is not None else None
    if started is None and names_a_workplace(stage or ""):
        return Skip(f"the last stage, {stage}, is for development")
    if service.pod is not None and is_one_shot(service.pod):
        return Skip("it runs to its end and serves nobody")
    return None


def _production_file(service: Service) -> str:
    """The Dockerfile beside a plain `Dockerfile` whose name says production: then the plain one is for development."""
    if service.image is None or service.files is None:
        return ""
    folder, name = posixpath.split(service.image.path)
    if name.lower() not in ("dockerfile", "containerfile"):
        return ""
    beside = (posixpath.join(folder, f"{name}{suffix}") for suffix in _PRODUCTION_SUFFIXES)
    return next((path for path in beside if path in service.files.paths), "")


def serving(service: Service) -> Process | Skip:
    """The process of a production service, or why the rules about servers have nothing to say."""
    if service.process is None:
        return Skip("what it runs is not in the repository")
    return not_production(service) or service.process


def certain(service: Service, name: str) -> Fact | Unknown | None:
    """A fact that nothing changes at deploy time, else the reason; None when the repository does not show its place."""
    found = service.facts.get(name)
    if isinstance(found, Fact) and found.label and not found.declared:
        return Unknown(name, found.label)
    return found


def in_words(unknown: Unknown | None, otherwise: str = "") -> str:
    """Why a value is not known, with the expression that gives it; `otherwise` when there is no value at all."""
    if unknown is None:
        return otherwise
    expression = " ".join(unknown.expression.split())[:60]
    if not unknown.because:
        return f"{expression} is known only at deploy time"
    return unknown.because if expression in unknown.because else f"{expression}: {unknown.because}"


def address_at(service: Service, span: Span, what: str = "") -> str:
    """The address of a finding: of the file's resource it stands in, so that copies of a manifest give one finding."""
    suffix = f"/{what}" if what else ""
    started = service.container or service.compose
    if started is not None and span.file is started.source:
        return started.address + suffix
    return span.file.path + suffix


def command_in_words(process: Process) -> str:
    """The start command for messages, cut after a few words."""
    words = []
    for word in process.argv[:6]:
        value = word.value
        words.append(value.expression if isinstance(value, Unknown) else str(word.scalar))
    text = " ".join(words)
    return text if len(process.argv) <= 6 and len(text) <= 60 else f"{text[:57]}…"
