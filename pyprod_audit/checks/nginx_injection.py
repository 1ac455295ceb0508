"""Requests that reach what they must not: aliases that let out, upstreams and headers that the client writes.

nginx documents that `alias` replaces the matched part of the path as text, and that `$uri` is the decoded path:
https://nginx.org/en/docs/http/ngx_http_core_module.html#alias and #var_uri.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.nginx_view import occurrences, own_names, place_address, public_names
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy

_VARIABLE = lazy(r"\$(?:\{(\w+)\}|(\w+))")
# Variables that the client fills in; those that nginx takes apart or checks itself are not among them.
_CLIENT = lazy(r"(?:http_|arg_|cookie_)\w+|args|query_string|request_uri|uri|document_uri|request")
# Where the host ends: these variables begin with a slash or a question mark.
_HOST_END = lazy(r"/|\?|\$\{?(?:request_uri|uri|document_uri|is_args|args|query_string)\b")
_DECODED = frozenset({"uri", "document_uri"})
_GROUP = lazy(r"\((?!\?)|\(\?P?<([A-Za-z_]\w{0,63})>|\(\?'([A-Za-z_]\w{0,63})'")
# A group that can only be one of some words, or holds no dot, colon, slash or line break.
_WORDS = lazy(r"[\w|-]+")
_PLAIN_CLASS = lazy(r"(?:\\w|\\d|\[(?:\\w|\\d|[A-Za-z0-9_-])+\])(?:[+*?]|\{[0-9,]{1,9}\})*")
_NEGATED_CLASS = lazy(r"\[\^((?:\\.|[^\]\\])*)\]")


def alias_ends_differently(location: Resource, _context: Context) -> Outcomes:
    """`alias` and the prefix it replaces both end in a slash, or neither does."""
    parts = location.node.items_at("location")
    own = own_names(location)
    if "alias" not in own or not parts:
        yield Skip("no alias")
        return
    modifier = parts[0].text if len(parts) == 2 else ""
    alias = occurrences(location, "alias")[-1].items
    if modifier in ("~", "~*", "=") or not alias or "internal" in own:
        yield Skip("the path is not taken over from a prefix of the client's")
        return
    prefix, target = parts[-1], alias[0]
    if prefix.text is None or target.text is None:
        yield cannot(prefix if prefix.text is None else target)
        return
    values = {"prefix": prefix.text, "alias": target.text}
    address = place_address(location, target, "alias")
    if not prefix.text.endswith("/") and target.text.endswith("/"):
        message = "{prefix} has no slash at its end and {alias} has: {prefix}../ reads what lies beside {alias}"
        yield Hit(prefix.span, values, ((target.span, "the alias"),), address, message)
    elif prefix.text.endswith("/") and not target.text.endswith("/") and _is_folder(target.text):
        message = "{alias} lacks the slash that {prefix} ends in: {prefix}a.css is looked for at {alias}a.css"
        yield Hit(target.span, values, ((prefix.span, "the prefix"),), address, message)


def _is_folder(path: str) -> bool:
    """Whether the last part of the path looks like a folder rather than a file or a computed name."""
    last = path.rsplit("/", 1)[-1]
    return bool(last) and "." not in last and "$" not in last


def client_controlled(block: Resource, context: Context) -> Outcomes:
    """The client decides neither where a request is passed nor what lines are in it."""
    own = own_names(block)
    found = False
    for name in ("proxy_pass", "return", "rewrite"):
        for occurrence in occurrences(block, name) if name in own else ():
            target = _target(name, occurrence)
            if target is None:
                continue
            found = True
            if target.is_unknown:
                yield cannot(target)
            elif name == "proxy_pass":
                yield from _passed(block, target, context.repository)
            else:
                yield from _answered(block, target, name)
    if not found:
        yield Skip("it passes nothing on")


def _target(name: str, occurrence: Node) -> Node | None:
    words = occurrence.items
    if name == "proxy_pass":
        return words[0] if words else None
    if name == "rewrite":
        redirects = len(words) > 1 and (words[1].text or "").startswith(("http://", "https://", "$scheme"))
        return words[1] if redirects else None
    code = words[0].text if len(words) == 2 else None
    return words[1] if code in ("301", "302", "303", "307", "308") else None


def _answered(block: Resource, target: Node, name: str) -> Outcomes:
    """A redirect whose address holds the decoded path: a line break in it ends the header."""
    decoded = _first(target.text or "", _DECODED)
    if decoded:
        message = "{address} answers with ${variable}, which is decoded: a line break in it adds headers to the answer"
        yield Hit(target.span, {"variable": decoded}, address=place_address(block, target, name), message=message)


def _passed(block: Resource, target: Node, repository: Repository) -> Outcomes:
    text = target.text or ""
    address = place_address(block, target, "proxy_pass")
    rest = text.partition("://")[2] or text
    end = _HOST_END.search(rest, 1)
    authority, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    # An internal location is reached through X-Accel-Redirect: the application names the host.
    for variable in _names(authority) if "internal" not in own_names(block) else ():
        verdict = _from_client(block, variable, authority, repository)
        if isinstance(verdict, Unknown):
            yield Cannot(target.span, verdict.because)
        elif verdict:
            message = "{address} passes requests to whatever host {source} names: {value}"
            yield Hit(target.span, {"source": verdict, "value": text}, address=address, message=message)
            return
    for variable in _names(path):
        if variable in _DECODED or _may_hold_line_break(block, variable):
            message = (
                "{address} passes on ${variable}, which is decoded: a line break in it adds headers to the request"
            )
            yield Hit(target.span, {"variable": variable}, address=address, message=message)
            return


def _names(text: str) -> Iterator[str]:
    for found in _VARIABLE.finditer(text):
        yield found[1] or found[2]


def _first(text: str, wanted: frozenset[str]) -> str:
    return next((name for name in _names(text) if name in wanted), "")


def _from_client(block: Resource, name: str, authority: str, repository: Repository) -> str | Unknown:
    """What of the client's a variable in the place of a host is taken from; "" when nothing is."""
    variables: Mapping[str, Node] = block.node.mapping_at("variables")
    doubt: Unknown | None = None
    seen = {name}
    pending = [(name, authority)]
    while pending:
        name, authority = pending.pop()
        if name == "host" and not _names_are_fixed(block, repository):
            return "the Host header"
        if _CLIENT.fullmatch(name):
            return f"the client's ${name}"
        pattern = _capture(block, name)
        if pattern is not None:
            if not _is_harmless(pattern, authority, name):
                return f"the part of the request in ${name}"
            continue
        defined = variables.get(name)
        if defined is None and name.isdigit():
            doubt = Unknown(f"${name}", f"${name} is captured elsewhere")
        for value in (defined.items or (defined,)) if defined is not None else ():
            host = _host_of(value)
            fresh = [inner for inner in _names(host) if inner not in seen]
            seen.update(fresh)
            pending.extend((inner, host) for inner in fresh)
    return doubt or ""


def _host_of(value: Node) -> str:
    """The part of a variable's value that is a host, when it is all of an address or a host."""
    text = value.value.expression if isinstance(value.value, Unknown) else str(value.scalar)
    rest = text.partition("://")[2] or text
    end = _HOST_END.search(rest, 1)
    return rest[: end.start()] if end else rest


def _names_are_fixed(block: Resource, repository: Repository) -> bool:
    """Whether $host can only be one of the server's own names: another server takes all other names."""
    server = next((one for one in (block, *block.ancestors()) if one.kind == "nginx.server"), None)
    if server is None:
        return False
    names = server.node.items_at("server_names")
    fixed = bool(names) and len(public_names(server)) == len(names) and not any("*" in (n.text or "") for n in names)
    if not fixed or _is_default(server):
        return False
    siblings = repository.of_kind("nginx.server")
    return any(_is_default(other) for other in siblings if other is not server and other.parent is server.parent)


def _is_default(server: Resource) -> bool:
    return any(listen.mapping["default_server"].value is True for listen in server.node.items_at("listens"))


def _capture(block: Resource, name: str) -> str | None:
    """The inside of the group of a location's or server name's pattern that fills the variable."""
    for owner in (block, *block.ancestors()):
        for pattern in _patterns(owner):
            number = 0
            for found in _GROUP.finditer(pattern):
                if found.start() and pattern[found.start() - 1] == "\\":
                    continue
                number += 1
                if name in (str(number), found[1] or found[2]):
                    return _inside(pattern, found.end())
    return None


def _patterns(owner: Resource) -> Iterator[str]:
    if owner.kind == "nginx.location":
        parts = owner.node.items_at("location")
        if len(parts) == 2 and parts[0].text in ("~", "~*"):
            yield parts[1].text or ""
    elif owner.kind == "nginx.if":
        words = owner.node.items_at("condition")
        if len(words) == 3 and words[1].text in ("~", "~*"):
            yield words[2].text or ""
    elif owner.kind == "nginx.server":
        yield from ((n.text or "")[1:] for n in owner.node.items_at("server_names") if (n.text or "").startswith("~"))


def _inside(pattern: str, start: int) -> str:
    """The text of a group, up to the parenthesis that closes it."""
    depth, at = 1, start
    while at < len(pattern) and depth:
        character = pattern[at]
        if character == "\\":
            at += 1
        else:
            depth += (character == "(") - (character == ")")
        at += 1
    return pattern[start : at - 1]


def _is_harmless(pattern: str, authority: str, name: str) -> bool:
    """Whether what a group can hold leaves the choice of the host to the configuration."""
    inside = pattern.strip("()?:")
    if inside.lstrip("^").startswith(("/", "\\/")) and not authority.startswith("$"):
        return True  # it is a path behind a host that is written
    if _WORDS.fullmatch(inside) and not inside.startswith("\\"):
        return True
    rest = re.split(rf"\$\{{?{re.escape(name)}\}}?", authority, maxsplit=1)[-1]
    return _PLAIN_CLASS.fullmatch(inside) is not None and rest.startswith((".", "-"))


def _may_hold_line_break(block: Resource, name: str) -> bool:
    """Whether a captured group matches line breaks: a negated class that does not name them."""
    replaced = "rewrite" in own_names(block) and name.isdigit()
    if replaced or name in block.node.mapping_at("variables"):
        return False
    pattern = _capture(block, name)
    if pattern is None:
        return False
    return any(
        not re.search(r"\\[nrsR]", found[1]) and "\n" not in found[1] for found in _NEGATED_CLASS.finditer(pattern)
    )
