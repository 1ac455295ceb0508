"""Questions that checks ask nginx blocks: what they listen to, what they pass on, what is not known of them."""

from __future__ import annotations

import fnmatch
import ipaddress
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot
from pyprod_audit.evaluate.nginx.values import interpolated
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

PASS_DIRECTIVES = ("proxy_pass", "uwsgi_pass", "grpc_pass", "fastcgi_pass", "scgi_pass")
# Names that no public resolver knows: RFC 6761, RFC 6762, RFC 8375, the .internal of ICANN, and what people use.
_PRIVATE_SUFFIXES = (
    ".localhost", ".local", ".internal", ".test", ".invalid", ".home.arpa", ".lan", ".localdomain", ".intranet",
    ".corp", ".svc",
)  # fmt: skip
_PORT = lazy(r"(.*?):([0-9]{1,5})")
_OFFICIAL = frozenset({"nginx", "nginx-unprivileged"})
_SITES = ("/etc/nginx/conf.d", "/etc/nginx/templates")
_SAMPLE = lazy(r"(?:^|[./_-])(?:example|sample|skeleton)s?(?:[./_-]|$)", re.IGNORECASE)


class Endpoint(NamedTuple):
    """Where a location passes requests to; `host` is empty for a socket, `port` None when it is not written."""

    host: str
    port: int | None
    unix: str
    place: Node
    scheme: str = ""


def occurrences(block: Resource, name: str) -> tuple[Node, ...]:
    """The effective occurrences of a directive: a tuple of arguments each."""
    found = block.node.mapping.get(name)
    return found.items if found is not None else ()


def last_argument(block: Resource, name: str) -> Node | None:
    """The first argument of the last occurrence of a directive that takes one value."""
    found = occurrences(block, name)
    return found[-1].items[0] if found and found[-1].items else None


def own_names(block: Resource) -> frozenset[str]:
    """The names of the directives that are written in the block itself (or in what it includes)."""
    return frozenset(name.text for name in block.node.items_at("own") if name.text)


def place_address(block: Resource, place: Node, what: str) -> str:
    """The address of a hit: the block's, or that of the included file, which several blocks may share."""
    return block.address if place.source is block.source else f"{place.source.path}/{what}"


def open_ended(block: Resource, *, inherited: bool = True) -> Cannot | None:
    """Why a directive that the block does not have may be set all the same; None when it surely is not.

    `inherited`: the directive may also come from an `http` block that is not in the repository.
    """
    unknown = block.node.items_at("incomplete")
    if unknown:
        first = unknown[0]
        if isinstance(first.value, Unknown):
            return Cannot(first.anchor, first.value.because or f"{first.value.expression} is filled in elsewhere")
        return Cannot(first.anchor, f"the included {first.scalar} is not in the repository")
    outermost = [block, *block.ancestors()][-1]
    if inherited and outermost.kind != "nginx.http":
        return Cannot(block.node.anchor, "the http block that includes this file is not in the repository")
    return None


def is_sample(block: Resource) -> bool:
    """Whether the file is there to be copied (`conf.d/templates/example.com.conf`): no nginx reads it as it stands."""
    return _SAMPLE.search(block.source.path) is not None


def terminates_tls(server: Resource) -> bool | None:
    """Whether the server takes TLS connections; None when a template decides."""
    flags = [listen.get("ssl") for listen in server.node.items_at("listens")]
    if any(flag is not None and flag.value is True for flag in flags):
        return True
    return None if any(flag is not None and flag.is_unknown for flag in flags) else False


def is_public(name: str) -> bool:
    """Whether a name of a server can be asked for from the internet: no catch-all, no local name, no address."""
    name = name.rstrip(".").lower()
    if not name or name.startswith(("~", "_")) or "." not in name.strip(".*"):
        return False
    if name.endswith(_PRIVATE_SUFFIXES) or ".svc." in name or not re.fullmatch(r"[a-z0-9.*_-]+", name):
        return False
    return not is_address(name)


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    host = host.strip("[]").lower()
    return host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.") or host.endswith(".localhost")  # noqa: S104


def public_names(server: Resource) -> list[Node]:
    """The public names of a server."""
    return [name for name in server.node.items_at("server_names") if name.text and is_public(name.text)]


def endpoints(block: Resource, repository: Repository) -> Iterator[Endpoint | Unknown]:
    """Where the block itself passes requests to, through upstreams; Unknown for what is known only at run time."""
    own = own_names(block)
    for directive in PASS_DIRECTIVES:
        for occurrence in occurrences(block, directive) if directive in own else ():
            if occurrence.items:
                yield from _resolved(block, occurrence.items[0], repository)


def _resolved(block: Resource, target: Node, repository: Repository) -> Iterator[Endpoint | Unknown]:
    text = interpolated(target, block.node.mapping_at("variables"))
    if isinstance(text, Unknown):
        yield text
        return
    scheme, separator, rest = text.rpartition("://") if "://" in text else ("", "", text)
    if rest.startswith("unix:"):
        yield Endpoint("", None, rest.removeprefix("unix:").split(":", 1)[0], target, scheme)
        return
    authority = rest.split("/", 1)[0] if separator else rest
    upstream = _upstream(block, authority, repository)
    if upstream is None:
        found = _PORT.fullmatch(authority)
        host, port = (found[1], int(found[2])) if found else (authority, None)
        yield Endpoint(host, port, "", target, scheme)
        return
    for server in upstream.node.items_at("servers"):
        unix, host_node, port_node = server.text_at("unix"), server.get("host"), server.get("port")
        if unix is not None:
            yield Endpoint("", None, unix, server, scheme)
        elif host_node is not None and isinstance(host_node.value, Unknown):
            yield host_node.value
        elif host_node is not None and host_node.text is not None:
            number = port_node.value if port_node is not None and isinstance(port_node.value, int) else None
            yield Endpoint(host_node.text, number, "", server, scheme)


def _upstream(block: Resource, name: str, repository: Repository) -> Resource | None:
    """The upstream of that name: in the same http block, else in the same file, else anywhere."""

    def build(repo: Repository) -> dict[str, list[Resource]]:
        by_name: dict[str, list[Resource]] = {}
        for upstream in repo.of_kind("nginx.upstream"):
            by_name.setdefault(upstream.node.text_at("name") or "", []).append(upstream)
        return by_name

    candidates = repository.memo("nginx.upstreams", build).get(name, [])
    outermost = [block, *block.ancestors()][-1]
    near = [one for one in candidates if one.parent is outermost] or [
        one for one in candidates if one.source is block.source
    ]
    return next(iter(near or candidates), None)


def configurations_in(service: Service) -> frozenset[str]:
    """The nginx configurations of the tree that the service's image is built with."""
    files = service.files
    if files is None:
        return frozenset()
    found: set[str] = set()
    for copy in files.copies:
        if "nginx" not in copy.target and not copy.target.endswith((".conf", ".template")):
            continue
        for source in copy.sources:
            joined = posixpath.normpath(posixpath.join(files.context, source)).lstrip("/")
            if "*" in joined:
                found.update(path for path in files.paths if fnmatch.fnmatchcase(path, joined))
            elif joined in files.paths:
                found.add(joined)
            else:
                prefix = "" if joined == "." else joined + "/"
                found.update(path for path in files.paths if path.startswith(prefix))
    return frozenset(found)


def images_of(path: str, repository: Repository) -> list[Service]:
    """The services whose image holds the nginx configuration at `path`."""

    def build(repo: Repository) -> dict[str, list[Service]]:
        configurations = {file.path for file in repo.files.values() if file.kind == "nginx"}
        held: dict[str, list[Service]] = {}
        for service in repo.services:
            for found in configurations_in(service) & configurations:
                held.setdefault(found, []).append(service)
        return held

    return repository.memo("nginx.images", build).get(path, [])


def in_official_image(path: str, repository: Repository) -> bool:
    """Whether the file at `path` is all that the repository adds to the official nginx image, in its `conf.d`.

    The image's own `nginx.conf` then has the `http` block, and that sets no timeouts, headers or protocols:
    https://github.com/nginx/docker-nginx and https://hub.docker.com/_/nginx.
    """
    images = images_of(path, repository)
    return bool(images) and all(_adds_only(path, image, repository) for image in images)


def _adds_only(path: str, image: Service, repository: Repository) -> bool:
    base = (image.image.node.text_at("base.image") or "") if image.image is not None else ""
    name = posixpath.basename(base.partition("@")[0]).partition(":")[0]
    if name not in _OFFICIAL or image.files is None or image.container is not None:
        return False  # a pod may mount another nginx.conf
    held = [one for one in configurations_in(image) if one in repository.files]
    targets = [copy.target for copy in image.files.copies if copy.target.startswith("/etc/nginx")]
    return held == [path] and bool(targets) and all(target.startswith(_SITES) for target in targets)
