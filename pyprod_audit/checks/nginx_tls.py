"""TLS on nginx: the protocols that are offered, and plain HTTP beside it.

Defaults: https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_protocols and https://nginx.org/en/CHANGES
(1.27.3: TLSv1 and TLSv1.1 are disabled by default).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.nginx_view import (
    images_of,
    is_sample,
    last_argument,
    occurrences,
    open_ended,
    own_names,
    place_address,
    public_names,
    terminates_tls,
)
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy

_OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
_SERVERS = ("nginx.server", "nginx.stream_server")
_IMAGES = ("nginx", "library/nginx", "nginxinc/nginx-unprivileged")
_VERSION = lazy(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:-|$)")
_NEW_DEFAULT = (1, 27, 3)
# Older images carry OpenSSL 1.1.1, which speaks TLS 1.0; OpenSSL 3 refuses it at its default security level.
_OLD_OPENSSL = (1, 23, 0)
_ACME = "/.well-known/"
_HEALTH = lazy(r"/(?:[\w.-]*(?:health|status|ping|ready|live|up)[\w.-]*)/?$", re.IGNORECASE)
_CLOSED = lazy(r"[2345][0-9][0-9]")


def old_protocols(block: Resource, context: Context) -> Outcomes:
    """TLS versions before 1.2 are not offered."""
    found = occurrences(block, "ssl_protocols")
    tls = terminates_tls(block) if block.kind in _SERVERS else None
    if block.kind == "nginx.http" and context.repository.children(block, "nginx.server"):
        yield Skip("its servers are judged")
        return
    if not found:
        if tls is not True:
            yield Skip("it takes no TLS connections")
        else:
            yield from _default_protocols(block, context.repository)
        return
    if tls is False and "ssl_protocols" not in own_names(block):
        yield Skip("it takes no TLS connections")
        return
    words = found[-1].items
    old = [word for word in words if word.text in _OLD]
    if old:
        values = {"protocols": " and ".join(str(word.scalar) for word in old)}
        yield Hit(old[0].span, values, address=_address(block, found[-1], "ssl_protocols"))
        return
    yield from (cannot(word) for word in words[:1] if word.is_unknown)


def _address(block: Resource, occurrence: Node, name: str) -> str:
    """The address of the block that a directive is written in, which several servers may inherit from."""
    for owner in (block, *block.ancestors()):
        if name in own_names(owner):
            return place_address(owner, occurrence, name)
    return f"{occurrence.source.path}/{name}"


def _default_protocols(server: Resource, repository: Repository) -> Outcomes:
    reject = last_argument(server, "ssl_reject_handshake")
    if reject is not None and reject.text == "on":
        yield Skip("it rejects every handshake")
        return
    doubt = open_ended(server)
    version, written = _nginx_version(server, repository)
    if doubt is not None and (version is None or version < _NEW_DEFAULT):
        yield doubt
    elif version is None:
        yield Cannot(server.node.anchor, "what nginx offers without ssl_protocols depends on its version")
    elif version < _OLD_OPENSSL:
        message = "{address} has no ssl_protocols, and nginx {version} offers TLSv1 and TLSv1.1 by default"
        yield Hit(server.node.anchor, {"version": written}, message=message)
    elif version < _NEW_DEFAULT:
        because = f"nginx {written} offers TLSv1 and TLSv1.1 by default; whether they work depends on its OpenSSL"
        yield Cannot(server.node.anchor, because)


def _nginx_version(server: Resource, repository: Repository) -> tuple[tuple[int, int, int] | None, str]:
    """The version of the official image that holds this configuration; floating tags are the newest."""
    for service in images_of(server.path, repository):
        base = service.image.node.get("base") if service.image is not None else None
        if base is None or base.text_at("name") not in _IMAGES:
            continue
        tag = base.text_at("tag") or "latest"
        found = _VERSION.match(tag)
        if found:
            # Without a patch level the tag is the last of its branch.
            return (int(found[1]), int(found[2]), int(found[3]) if found[3] else 99), found[0].rstrip("-")
        if re.match(r"(?:latest|mainline|stable|alpine|1|bookworm|trixie)(?:-|$)", tag):
            return (99, 0, 0), tag
    return None, ""


def plain_http(server: Resource, context: Context) -> Outcomes:
    """A public name is not served over plain HTTP."""
    names = public_names(server)
    twin = _tls_twin(server, names, context.repository)
    # An nginx without root listens to 8080; whether that is a public port only the server with TLS beside it tells.
    ports = (80, 8080) if twin is not None else (80,)
    plain = [listen for listen in server.node.items_at("listens") if _is_plain(listen, ports)]
    unknown = [name for name in server.node.items_at("server_names") if name.is_unknown]
    if not plain or not (names or unknown):
        yield Skip("it serves no public name on port 80")
        return
    if is_sample(server):
        yield Skip("the file is a sample")
        return
    if _turns_away(server, context.repository):
        return
    doubt = open_ended(server, inherited=False)
    if doubt is not None:
        yield doubt
    elif not names:
        yield cannot(unknown[0])
    elif _has_proxy_in_front(server):
        yield Cannot(plain[0].anchor, "TLS seems to end at a proxy in front: the configuration reads its headers")
    elif twin is None and images_of(server.path, context.repository):
        yield Cannot(plain[0].anchor, "the configuration goes into an image, and TLS may end in front of it")
    else:
        related = ((twin.node.anchor, "the TLS server for the same name"),) if twin not in (None, server) else ()
        yield Hit(plain[0].anchor, {"host": names[0].text}, related)


def _is_plain(listen: Node, ports: tuple[int, ...]) -> bool:
    port, ssl = listen.get("port"), listen.get("ssl")
    return port is not None and port.value in ports and ssl is not None and ssl.value is False


def _turns_away(server: Resource, repository: Repository) -> bool:
    """Whether plain requests are redirected or refused, but for the ACME challenge and health checks."""
    if _redirects(server) or any(_redirects(child) for child in repository.children(server, "nginx.if")):
        return True
    locations = repository.children(server, "nginx.location")
    everything = [location for location in locations if _pattern(location) in ("/", ".*", "^", "^/", "")]
    if everything:
        return any(_location_redirects(location, repository) for location in everything)
    if {"root", "try_files", "alias"} & own_names(server) and not locations:
        return False
    return all(_is_exception(location) or _location_redirects(location, repository) for location in locations)


def _location_redirects(location: Resource, repository: Repository) -> bool:
    return _redirects(location) or any(_redirects(child) for child in repository.children(location, "nginx.if"))


def _redirects(block: Resource) -> bool:
    """Whether the block itself answers with a redirect to https or an error, or its answer is not known."""
    own = own_names(block)
    for occurrence in occurrences(block, "return") if "return" in own else ():
        words = [_text(word) for word in occurrence.items]
        if block.kind != "nginx.if" and words and _CLOSED.fullmatch(words[0]) and not words[0].startswith("3"):
            return True
        if any(word.startswith(("https://", "$")) or "{" in word for word in words[-1:]):
            return True
    for occurrence in occurrences(block, "rewrite") if "rewrite" in own else ():
        if len(occurrence.items) > 1 and _text(occurrence.items[1]).startswith(("https://", "$")):
            return True
    return False


def _text(word: Node) -> str:
    return word.value.expression if isinstance(word.value, Unknown) else str(word.scalar)


def _pattern(location: Resource) -> str:
    parts = location.node.items_at("location")
    return _text(parts[-1]) if parts and (len(parts) == 1 or parts[0].text != "=") else "="


def _is_exception(location: Resource) -> bool:
    parts = location.node.items_at("location")
    pattern = _text(parts[-1]) if parts else ""
    own = own_names(location)
    return (
        _ACME in pattern.replace("\\", "")
        or pattern.startswith("@")
        or bool({"stub_status", "internal", "return"} & own)
        or _HEALTH.search(pattern) is not None
    )


def _has_proxy_in_front(server: Resource) -> bool:
    if occurrences(server, "set_real_ip_from") or occurrences(server, "real_ip_header"):
        return True
    text = server.source.text.lower()
    return "$http_x_forwarded_proto" in text or "$http_x_forwarded_ssl" in text or "$http_cf_" in text


def _tls_twin(server: Resource, names: list[Node], repository: Repository) -> Resource | None:
    """The server that serves one of the names over TLS."""
    if terminates_tls(server):
        return server
    wanted = {name.text for name in names}
    return next((other for other in _tls_servers(repository, wanted)), None)


def _tls_servers(repository: Repository, names: set[str | None]) -> Iterator[Resource]:
    def build(repo: Repository) -> dict[str, list[Resource]]:
        by_name: dict[str, list[Resource]] = {}
        for server in repo.of_kind("nginx.server"):
            if terminates_tls(server):
                for name in public_names(server):
                    by_name.setdefault(name.text or "", []).append(server)
        return by_name

    index = repository.memo("nginx.tls_servers", build)
    for name in sorted(name for name in names if name):
        yield from index.get(name, ())
