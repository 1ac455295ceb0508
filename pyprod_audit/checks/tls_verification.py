"""Connections that do not check whom they talk to: in Python, in commands and in environments."""

from __future__ import annotations

import re

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.nginx_view import is_local
from pyprod_audit.checks.tls_verification_commands import in_container, in_image, in_run, in_script
from pyprod_audit.model import Node, Resource, Span, Unknown
from pyprod_audit.model.patterns import lazy

# Keyword → values that switch the check off: requests, httpx, aiohttp, urllib3, boto3, elasticsearch, redis, pymongo,
# kafka-python; each by the reference of its own documentation.
_SWITCHES: dict[str, tuple[object, ...]] = {
    "verify": (False,),
    "verify_ssl": (False,),
    "verify_certs": (False,),
    "validate_certs": (False,),
    "ssl": (False,),
    "cert_reqs": ("CERT_NONE",),
    "ssl_cert_reqs": ("none", "CERT_NONE", None),
    "ssl_check_hostname": (False,),
    "assert_hostname": (False,),
    "tlsAllowInvalidCertificates": (True,),
    "tlsAllowInvalidHostnames": (True,),
    "tlsInsecure": (True,),
}
_ONLY_FOR = {"ssl": ("aiohttp.",), "ssl_cert_reqs": ("redis.", "aioredis.", "kombu."), "assert_hostname": ("urllib3.",)}
_NOT_TLS = ("jwt.", "jose.", "uvicorn.", "hypercorn.", "gunicorn.")  # tokens; servers that check their clients
_UNVERIFIED = ("ssl._create_unverified_context", "ssl.CERT_NONE")
_URL = lazy(r"[\"'fFrRbB]*(?:https?|wss?)://(\[[0-9a-fA-F:]+\]|[^/:\"'{}$\s]+)")
_CONDITION = lazy(r"(?:if|elif|else|except|case)\b")
_READ = lazy(r"(?:==|!=|\bis|\bis not|\bin|\bif)\s*$")
_SERVER = lazy(r"(?:^|/)(?:gunicorn|hypercorn|uwsgi)[\w.-]*\.py$")


def switched_off(subject: Resource, context: Context) -> Outcomes:
    """Certificates of other machines are checked."""
    if is_workplace(subject.path):
        yield Skip("it serves developers or tests")
        return
    match subject.kind:
        case "py.module":
            yield from _in_python(subject)
        case "docker.stage":
            yield from in_image(subject)
        case "docker.run":
            yield from in_run(subject)
        case "shell.script":
            yield from in_script(subject)
        case _:
            yield from in_container(subject, context.repository)


def _in_python(module: Resource) -> Outcomes:
    for call in module.node.items_at("calls"):
        yield from _call(call, module)
    off = False
    for attribute in module.node.items_at("attributes"):
        name = attribute.text_at("name") or ""
        if name in _UNVERIFIED and not _is_read(attribute) and not _SERVER.search(module.path):
            off = True
            yield _found(attribute.span, name, module)
    for assignment in module.node.items_at("later_assignments"):
        target, value = assignment.text_at("target") or "", assignment.get("value")
        if value is None or value.value is not False:
            continue
        written = assignment.text_at("written") or target
        session = target.endswith(".verify") and target.startswith(("requests.", "httpx."))
        if session or (target.endswith(".check_hostname") and not off):
            yield _found(value.span, f"{written} = False", module)


def _call(call: Node, module: Resource) -> Outcomes:
    name = call.text_at("name") or ""
    if name == "ssl._create_unverified_context":
        yield _found(call.span, name, module)
    if name.startswith(_NOT_TLS) or any(_is_local_url(argument) for argument in call.items_at("args")[:2]):
        return
    for keyword, value in call.mapping_at("kwargs").items():
        if keyword == "url" and _is_local_url(value):
            return
    for keyword, value in call.mapping_at("kwargs").items():
        values = _SWITCHES.get(keyword)
        if values is None or value.is_unknown or value.items or value.mapping:
            continue
        only = _ONLY_FOR.get(keyword)
        if only is not None and not name.startswith(only):
            continue
        if any(value.value is one or (isinstance(one, str) and value.value == one) for one in values):
            yield _found(value.span, f"{keyword}={value.value!r} of {name}", module)


def _found(span: Span, what: str, module: Resource) -> Hit | Cannot:
    if _is_conditional(span):
        return Cannot(span, f"{what} holds only under a condition")
    return Hit(span, {"what": what}, address=f"{module.address}:{what.partition(' of ')[0]}")


def _is_local_url(argument: Node) -> bool:
    value = argument.value
    text = value.expression if isinstance(value, Unknown) else value
    found = _URL.match(text) if isinstance(text, str) else None
    return found is not None and is_local(found[1])


def _is_read(attribute: Node) -> bool:
    """Whether the constant is compared with, or is one of two that a condition chooses from."""
    text = attribute.source.text
    line = text[text.rfind("\n", 0, attribute.start) + 1 : attribute.start]
    rest = text[attribute.end : attribute.end + 120].partition("\n")[0]
    return _READ.search(line) is not None or " else " in line or re.match(r"\s+if\b|\s*(?:==|!=)", rest) is not None


def _is_conditional(span: Span) -> bool:
    """Whether the statement stands in an `if` (or `except`): what switches it is not known here."""
    lines, number = span.file.lines, span.line - 1
    indent = len(lines[number]) - len(lines[number].lstrip())
    for line in reversed(lines[max(number - 40, 0) : number]):
        stripped = line.lstrip()
        if stripped and not stripped.startswith("#") and len(line) - len(stripped) < indent:
            if not stripped.startswith((")", "]", "}")):
                return _CONDITION.match(stripped) is not None
            indent = len(line) - len(stripped)
    return False
