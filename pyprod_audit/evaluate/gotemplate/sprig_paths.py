"""Sprig's functions for paths and addresses: Go's path, path/filepath of Unix, net/url."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.sprig_types import MAP, STRING
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import Map, TemplateError, Value
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy


@takes(STRING)
def clean(path: str) -> str:
    """`clean`: path.Clean."""
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            kept.append(part)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not rooted:
            kept.append(part)
    return ("/" if rooted else "") + "/".join(kept) or "."


@takes(STRING)
def base(path: str) -> str:
    """`base`: path.Base."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


@takes(STRING)
def directory(path: str) -> str:
    """`dir`: path.Dir."""
    head, slash, _ = path.rpartition("/")
    return clean(head + slash)


@takes(STRING)
def extension(path: str) -> str:
    """`ext`: path.Ext."""
    name = path.rpartition("/")[2]
    _, point, after = name.rpartition(".")
    return point + after if point else ""


@takes(STRING)
def is_absolute(path: str) -> bool:
    """`isAbs`."""
    return path.startswith("/")


# -- addresses ---------------------------------------------------------------------------------------------------

_SCHEME = lazy(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
# Characters that mean the same everywhere; anything else (percent signs, brackets, spaces) has rules for each part.
_USUAL = lazy(r"[A-Za-z0-9_.~/:@?#&=,;+!$*()-]*")
_PORT = lazy(r"[0-9]*")
_HOST = lazy(r"[A-Za-z0-9_.~!$&()*+,;=:-]*")
_USER = lazy(r"[A-Za-z0-9_.~$&+,;=:-]*")
_PARTS: Final = ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo")


def _unusual(name: str) -> Undecided:
    return Undecided(Unknown(name, "addresses with such characters are not taken apart here"))


@takes(STRING)
def url_parse(address: str) -> Map:
    """`urlParse`: the parts of an address without escapes and IPv6."""
    if not _USUAL.fullmatch(address):
        raise _unusual("urlParse")
    rest, _, fragment = address.partition("#")
    scheme = ""
    found = _SCHEME.match(rest)
    if found:
        scheme, rest = found[1].lower(), rest[found.end() :]
    elif rest.startswith(":"):
        raise TemplateError(f"unable to parse url: parse {address}: missing protocol scheme")
    rest, _, query = rest.partition("?")
    parts = Map({"scheme": scheme, "query": query, "fragment": fragment})
    parts.update(dict.fromkeys(("host", "hostname", "path", "opaque", "userinfo"), ""))
    if scheme and not rest.startswith("/"):
        parts["opaque"] = rest
        return parts
    if not scheme and not rest.startswith("/") and ":" in rest.partition("/")[0]:
        raise TemplateError(f"unable to parse url: parse {address}: first path segment in URL cannot contain colon")
    # Without a scheme, three slashes begin a path.
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, tail = rest[2:].partition("/")
        _authority(parts, authority)
        rest = slash + tail
    parts["path"] = rest
    return parts


def _authority(parts: Map, authority: str) -> None:
    user, at, host = authority.rpartition("@")
    name, colon, port = host.rpartition(":")
    if not colon:
        name = host
    if ":" in name or not _PORT.fullmatch(port if colon else "") or not _HOST.fullmatch(host):
        raise _unusual("urlParse")
    if at and (not _USER.fullmatch(user) or user.count(":") > 1):
        raise _unusual("urlParse")
    parts["userinfo"] = user
    parts["host"] = host
    parts["hostname"] = name


@takes(MAP)
def url_join(parts: Map) -> str:
    """`urlJoin`: the address of its parts, where none of them needs escapes."""
    if getattr(parts, "open", None) is not None:
        raise Undecided(parts.open or Unknown("urlJoin"))
    given = {name: _part(parts, name) for name in _PARTS}
    if not all(_USUAL.fullmatch(text) for text in given.values()):
        raise _unusual("urlJoin")
    return _joined(given)


def _part(parts: Map, name: str) -> str:
    value: Value = parts.get(name, "")
    if isinstance(value, Unknown):
        raise Undecided(value)
    if not isinstance(value, str):
        raise TemplateError(f"unable to parse {name} key, must be of type string")
    return str(value)


def _joined(given: dict[str, str]) -> str:
    scheme, host, path = given["scheme"], given["host"], given["path"]
    user = given["userinfo"]
    if (
        any(sign in path for sign in "?#!()*")
        or any(sign in host for sign in "/?#@")
        or "#" in given["query"] + given["fragment"]
    ):
        raise _unusual("urlJoin")
    if any(sign in user for sign in "/?#@") or user.count(":") > 1 or (user and not _USER.fullmatch(user)):
        raise _unusual("urlJoin")
    out = f"{scheme}:" if scheme else ""
    if given["opaque"]:
        out += given["opaque"]
    else:
        if scheme or host or user:
            if host or path or user:
                out += "//" if host or user or not path.startswith("//") or scheme else ""
            out += f"{user}@" if user else ""
            out += host
        if path and not path.startswith("/") and host:
            out += "/"
        if not out and ":" in path.partition("/")[0]:
            out += "./"
        out += path
    if given["query"]:
        out += "?" + given["query"]
    return f"{out}#{given['fragment']}" if given["fragment"] else out


PATHS: Final[dict[str, Registered]] = {
    **dict.fromkeys(("base", "osBase"), base),
    **dict.fromkeys(("dir", "osDir"), directory),
    **dict.fromkeys(("clean", "osClean"), clean),
    **dict.fromkeys(("ext", "osExt"), extension),
    **dict.fromkeys(("isAbs", "osIsAbs"), is_absolute),
    "urlParse": url_parse,
    "urlJoin": url_join,
}
