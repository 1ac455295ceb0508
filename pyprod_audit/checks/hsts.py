"""Strict-Transport-Security: on nginx, in Django, on ingress-nginx and on CloudFront.

nginx hands `add_header` down only to blocks that have none of their own, and without `always` sends it only with
answers of 200, 201, 204, 206, 301, 302, 303, 304, 307 and 308:
https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.nginx_view import (
    PASS_DIRECTIVES,
    is_public,
    is_sample,
    last_argument,
    occurrences,
    open_ended,
    own_names,
    place_address,
    terminates_tls,
)
from pyprod_audit.evaluate.nginx.values import interpolated
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.kubernetes import name_of
from pyprod_audit.model.patterns import lazy

_HEADER = "strict-transport-security"
_MAX_AGE = lazy(r"max-age\s*=\s*\"?([0-9]{1,12})", re.IGNORECASE)
_DAY = 86_400
_NOT_PRODUCTION = lazy(r"(?:^|[/_.-])(?:local|dev|develop|development|test|testing|ci|staging|debug)(?=[/_.-])")
_SETS_HEADER = lazy(r"strict-transport-security|SecureHeaders|Talisman\(", re.IGNORECASE)


def transport_security(subject: Resource, context: Context) -> Outcomes:
    """Browsers are told, and long enough, to come back over TLS only."""
    match subject.kind:
        case "nginx.server":
            yield from _values(subject, context)
            yield from _server(subject, context)
        case "nginx.location" | "nginx.if":
            yield from _values(subject, context)
            yield from _dropped(subject, context)
        case "nginx.http" | "nginx.snippet":
            yield from _values(subject, context)
        case "py.module":
            yield from _django(subject, context)
        case "k8s.configmap":
            yield from _controller(subject, context)
        case _:
            yield from _cloudfront(subject, context)


# -- nginx ---------------------------------------------------------------------------------------------------


def _headers(block: Resource) -> list[tuple[Node, Node, bool]]:
    """The effective HSTS headers: name, value, and whether they go with every status."""
    found = []
    for occurrence in occurrences(block, "add_header"):
        words = occurrence.items
        if len(words) > 1 and (words[0].text or "").lower() == _HEADER:
            found.append((words[0], words[1], any(word.text == "always" for word in words[2:])))
    for occurrence in occurrences(block, "more_set_headers"):
        found += [(word, word, True) for word in occurrence.items if (word.text or "").lower().startswith(_HEADER)]
    return found


def _values(block: Resource, context: Context) -> Outcomes:
    """What is wrong with the headers that are written in the block itself."""
    outer = {id(name) for name, _, _ in _headers(block.parent)} if block.parent is not None else set()
    own = own_names(block)
    for name, value, always in _headers(block):
        if id(name) in outer or not {"add_header", "more_set_headers"} & own:
            continue
        wrong: list[str] = []
        for text in _possible(value, block):
            if isinstance(text, Unknown):
                yield Cannot(value.span, text.because or f"{text.expression} is known only while nginx runs")
            elif text:
                wrong += _wrong(text, context)
        if not always:
            wrong.append("without always it is missing from error pages")
        if wrong:
            address = f"{place_address(block, name, 'add_header')}[Strict-Transport-Security]"
            yield Hit(name.span, address=address, message=f"Strict-Transport-Security: {'; '.join(wrong)}")


def _possible(value: Node, block: Resource) -> list[str | Unknown]:
    """The texts that a header may have: a `map` gives several."""
    variables = block.node.mapping_at("variables")
    known = variables.get((value.text or "").removeprefix("$")) if (value.text or "").startswith("$") else None
    if known is not None and known.items:
        return [interpolated(one, variables) for one in known.items]
    return [interpolated(value, variables)]


def _wrong(text: str, context: Context) -> Iterator[str]:
    found = _MAX_AGE.search(text)
    least = context.params["min_age"]
    if found is None:
        yield "browsers ignore it without max-age"
        return
    age = int(found[1])
    if age == 0:
        yield "max-age=0 tells browsers to forget it"
    elif age < least:
        yield f"max-age={age} is {_in_days(age)}, less than {_in_days(least)}"
    words = {word.strip().lower() for word in text.split(";")}
    if "preload" in words and "includesubdomains" not in words:
        yield "preload has no effect without includeSubDomains"


def _in_days(seconds: int) -> str:
    return f"{seconds // _DAY} days" if seconds >= 2 * _DAY else f"{seconds} s"


def _server(server: Resource, context: Context) -> Outcomes:
    """A TLS server that sends pages sends the header."""
    if terminates_tls(server) is not True:
        yield Skip("it takes no TLS connections")
        return
    if is_sample(server):
        yield Skip("the file is a sample")
        return
    names = [name.text or "" for name in server.node.items_at("server_names")]
    if not any(name in ("", "_") or name.startswith("~") or is_public(name) for name in names):
        yield Skip("it has only local names")
        return
    reject = last_argument(server, "ssl_reject_handshake")
    if "return" in own_names(server) or (reject is not None and reject.text == "on"):
        yield Skip("it sends no pages")
        return
    if _headers(server) or _sent_below(server, context.repository) or _application_sends(context.repository):
        return
    own = own_names(server)
    doubt = open_ended(server, inherited="add_header" not in own)
    if doubt is not None:
        yield doubt
    elif occurrences(server, "set_real_ip_from") or occurrences(server, "real_ip_header"):
        yield Cannot(server.node.anchor, "a proxy or CDN stands in front and may add the header")
    elif server.parent is not None and (outer := _headers(server.parent)):
        first = occurrences(server, "add_header")[0]
        message = "{address} has an add_header of its own, so the Strict-Transport-Security from outside is lost"
        yield Hit(
            first.key or first.span,
            related=((outer[0][0].span, "the header that is lost"),),
            address=place_address(server, first, "add_header"),
            message=message,
        )
    else:
        listen = next(one for one in server.node.items_at("listens") if one.mapping["ssl"].value is True)
        yield Hit(listen.anchor)


def _sent_below(server: Resource, repository: Repository) -> bool:
    """Whether one of the server's locations sends the header."""
    pending = repository.children(server)
    while pending:
        block = pending.pop()
        if _headers(block):
            return True
        pending = pending + repository.children(block)
    return False


def _dropped(block: Resource, context: Context) -> Outcomes:
    """A location that sends pages keeps the header of the block around it."""
    own = own_names(block)
    if "add_header" not in own or block.parent is None or _headers(block):
        return
    outer = _headers(block.parent)
    server = next((one for one in block.ancestors() if one.kind == "nginx.server"), None)
    if not outer or not _sends_pages(block, own) or (server is not None and terminates_tls(server) is False):
        return
    if _application_sends(context.repository):
        return
    doubt = open_ended(block, inherited=False)
    if doubt is not None:
        yield doubt
        return
    first = occurrences(block, "add_header")[0]
    message = "{address} has an add_header of its own, so the Strict-Transport-Security from outside is lost"
    yield Hit(
        first.key or first.span,
        related=((outer[0][0].span, "the header that is lost"),),
        address=place_address(block, first, "add_header"),
        message=message,
    )


def _sends_pages(block: Resource, own: frozenset[str]) -> bool:
    """Whether the answers are pages rather than single files: a browser needs the header once for a host."""
    if block.kind == "nginx.if":
        return block.parent is not None and _sends_pages(block.parent, own_names(block.parent))
    parts = [part.text or "" for part in block.node.items_at("location")]
    if parts and (parts[-1] in ("/", "/index.html") or parts[-1].endswith(".html$")):
        return "return" not in own
    return bool(own & {*PASS_DIRECTIVES}) and "internal" not in own


def _application_sends(repository: Repository) -> bool:
    """Whether the Python code of the repository sets the header itself."""

    def build(repo: Repository) -> bool:
        for module in repo.of_kind("py.module"):
            seconds = module.node.mapping_at("assignments").get("SECURE_HSTS_SECONDS")
            if seconds is not None and seconds.value not in (0, None, False) and not _not_production(module.path):
                return True
        sources = (file for file in repo.files.values() if file.kind == "python")
        return any(_SETS_HEADER.search(file.text) for file in sources)

    return repository.memo("hsts.application", build)


# -- elsewhere -----------------------------------------------------------------------------------------------


def _not_production(path: str) -> bool:
    return _NOT_PRODUCTION.search(path) is not None


def _django(module: Resource, context: Context) -> Outcomes:
    seconds = module.node.mapping_at("assignments").get("SECURE_HSTS_SECONDS")
    if seconds is None or _not_production(module.path):
        yield Skip("no production settings with SECURE_HSTS_SECONDS")
    elif seconds.is_unknown:
        yield cannot(seconds)
    elif isinstance(seconds.value, int) and 0 < seconds.value < context.params["min_age"]:
        age, least = seconds.value, context.params["min_age"]
        message = f"SECURE_HSTS_SECONDS = {age} is {_in_days(age)}, less than {_in_days(least)}"
        yield Hit(seconds.span, address=f"{module.address}.SECURE_HSTS_SECONDS", message=message)
    elif seconds.value == 0:
        yield Skip("Django leaves the header to others")


def _controller(config: Resource, context: Context) -> Outcomes:
    """The ConfigMap of ingress-nginx, which sends the header by default on hosts with TLS."""
    data = config.node.mapping_at("data")
    enabled, age = data.get("hsts"), data.get("hsts-max-age")
    if "nginx" not in name_of(config) or (enabled is None and age is None):
        yield Skip("it does not configure ingress-nginx")
        return
    if enabled is not None and str(enabled.scalar).lower() == "false":
        if not _application_sends(context.repository):
            yield Hit(enabled.span, message="{address} turns Strict-Transport-Security off for every host")
        return
    if age is None:
        return
    if age.is_unknown:
        yield cannot(age)
    elif str(age.scalar).isdigit() and int(str(age.scalar)) < context.params["min_age"]:
        least = context.params["min_age"]
        message = f"hsts-max-age {age.scalar} is {_in_days(int(str(age.scalar)))}, less than {_in_days(least)}"
        yield Hit(age.span, message=message)


def _cloudfront(policy: Resource, context: Context) -> Outcomes:
    found = False
    for headers in policy.node.items_at("security_headers_config"):
        for header in headers.items_at("strict_transport_security"):
            found = True
            age = header.get("access_control_max_age_sec")
            if age is None or age.is_unknown:
                yield cannot(age or header)
            elif str(age.scalar).isdigit() and int(str(age.scalar)) < context.params["min_age"]:
                seconds, least = int(str(age.scalar)), context.params["min_age"]
                message = f"access_control_max_age_sec = {seconds} is {_in_days(seconds)}, less than {_in_days(least)}"
                yield Hit(age.span, message=message)
    if not found:
        yield Skip("it does not set the header")
