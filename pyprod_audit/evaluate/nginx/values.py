"""Arguments of nginx directives, taken apart: addresses, names, locations and variables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.patterns import lazy

_HOST_PORT = lazy(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_VARIABLE = lazy(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_MODIFIER = lazy(r"(=|\^~|~\*|~)(.*)", re.DOTALL)
_MAX_VALUE = 4096
_MAX_POSSIBLE = 30
_NOT_VALUES = frozenset({"hostnames", "volatile", "include", "ranges", "delete", "proxy", "proxy_recursive"})
# Variables of nginx itself that `set` may change: https://nginx.org/en/docs/http/ngx_http_core_module.html#variables
_OF_THE_REQUEST = lazy(r"args|limit_rate|ssl_\w+")


def endpoint(argument: Node) -> dict[str, Node]:
    """The parts `host`, `port` (int) and `unix` of `host:port`, `host`, `port` or `unix:/path`, as far as written."""
    text, source, start = argument.text, argument.source, argument.start
    if text is None:
        return {"host": argument}
    quoted = source.text[start : start + 1] in ('"', "'")
    start += quoted
    if text.startswith("unix:"):
        return {"unix": Node(text[5:], source, start + 5, start + len(text))}
    if text.isascii() and text.isdigit() and len(text) <= 5:
        return {"port": Node(int(text), source, start, start + len(text))}
    found = _HOST_PORT.fullmatch(text)
    if not found:
        return {"host": argument}
    parts = {"host": Node(found[1], source, start, start + len(found[1]))}
    if found[2]:
        parts["port"] = Node(int(found[2]), source, start + found.start(2), start + found.end(2))
    return parts


def listens(directives: Mapping[str, Node], server: Node) -> tuple[Node, ...]:
    """The sockets of a server: `{host?, port?, unix?, ssl, default_server}` each.

    Without `listen`, nginx takes `*:80` (8000 when it is not started as root); the place then is the server's keyword.
    A host without port means port 80.
    """
    found = []
    for occurrence in directives["listen"].items if "listen" in directives else ():
        if not occurrence.items:
            continue
        address, options = occurrence.items[0], occurrence.items[1:]
        parts = endpoint(address)
        if address.is_unknown:
            parts = {"port": address}
        elif "port" not in parts and "unix" not in parts and "-" not in (address.text or ""):
            parts["port"] = Node(80, address.source, address.start, address.end)
        for name, words in (("ssl", ("ssl", "quic")), ("default_server", ("default_server", "default"))):
            parts[name] = _flag(occurrence, options, words)
        if parts["ssl"].value is False and (on := directives.get("ssl")) and on.items[-1].items:
            parts["ssl"] = _like(on.items[-1].items[0], on.items[-1].items[0].value == "on")
        found.append(
            Node(parts, occurrence.source, occurrence.start, occurrence.end, occurrence.key_start, occurrence.key_end)
        )
    if found:
        return tuple(found)
    keyword = Node(None, server.source, server.key_start, server.key_end)
    default = {"port": _like(keyword, 80), "ssl": _like(keyword, False), "default_server": _like(keyword, False)}
    return (_like(keyword, default),)


def server_names(directives: Mapping[str, Node], server: Node) -> tuple[Node, ...]:
    """The names of a server; the default `""`, placed at the server's keyword, when it has none."""
    occurrences = directives["server_name"].items if "server_name" in directives else ()
    names = tuple(name for occurrence in occurrences for name in occurrence.items)
    return names or (Node("", server.source, server.key_start, server.key_end),)


def location(args: tuple[Node, ...]) -> tuple[Node, ...]:
    """The modifier, when there is one, and the pattern of a location; they may be written together (`~^/api`)."""
    if len(args) != 1 or not (text := args[0].text) or not (found := _MODIFIER.fullmatch(text)):
        return args[:2]
    word = args[0]
    start = word.start + (word.source.text[word.start : word.start + 1] in ('"', "'"))
    middle = start + len(found[1])
    return (Node(found[1], word.source, start, middle), Node(found[2], word.source, middle, word.end))


def upstream_server(args: Node) -> Node:
    """One `server` of an upstream: `{host?, port?, unix?, args}`; `args` are the parameters behind the address."""
    parts = endpoint(args.items[0]) if args.items else {}
    rest = args.items[1:]
    if "port" in parts and "host" not in parts:  # here a bare number is a host
        parts = {"host": args.items[0]}
    start, end = (rest[0].start, rest[-1].end) if rest else (args.end, args.end)
    parts["args"] = Node(rest, args.source, start, end)
    return Node(parts, args.source, args.start, args.end, args.key_start, args.key_end)


def mapped_variable(directive: Node, entries: Sequence[Node], missing: Sequence[Node]) -> dict[str, Node]:
    """The variable that a `map`, `geo` or `split_clients` block defines: its name and possible values (a tuple).

    Args:
        directive: the block.
        entries: what stands in it, its includes put in.
        missing: includes that the repository does not have; each may bring another value.
    """
    args, block = directive.mapping["args"].items, directive.mapping["block"]
    name = args[-1].text if args else None
    if not name or not name.startswith("$"):
        return {}
    values = [
        entry.mapping["args"].items[0]
        for entry in entries
        if entry.mapping["args"].items and entry.mapping["name"].value not in _NOT_VALUES
    ]
    if not any(entry.mapping["name"].value in ("default", "*") for entry in entries):
        values.append(_like(args[-1], ""))  # what matches nothing
    values += [_like(one, Unknown(one.text or "", "the included file is not in the repository")) for one in missing]
    return {name[1:]: Node(tuple(values), block.source, block.start, block.end, args[-1].start, args[-1].end)}


def set_variable(variables: dict[str, Node], args: tuple[Node, ...], *, conditional: bool = False) -> None:
    """Take a `set`: a literal, or what it amounts to with the literals known so far, else Unknown.

    A conditional `set` (in an `if`) makes a tuple of the values that are possible; a variable that nothing else sets is
    empty otherwise, except those that the request sets.
    """
    name = args[0].text if len(args) == 2 else None
    if not name or not name.startswith("$"):
        return
    value = _like(args[1], interpolated(args[1], variables))
    value = Node(value.value, value.source, value.start, value.end, args[0].start, args[0].end)
    if conditional:
        before = variables.get(name[1:])
        if before is None:
            empty = Unknown(name, "it comes with the request") if _OF_THE_REQUEST.fullmatch(name[1:]) else ""
            before = _like(args[0], empty)
        possible = (before.items or (before,))[:_MAX_POSSIBLE]
        value = Node((*possible, value), value.source, value.start, value.end, args[0].start, args[0].end)
    variables[name[1:]] = value


def interpolated(word: Node, variables: Mapping[str, Node]) -> str | Unknown:
    """The text of `word` with variables that are literals filled in; Unknown when others remain."""
    if isinstance(word.value, Unknown):
        return word.value
    text = word.text or ""
    if "$" not in text:
        return text
    missing = []

    def value_of(found: re.Match[str]) -> str:
        known = variables.get(found[1] or found[2])
        if known is None or known.text is None:
            missing.append(found[0])
            return ""
        return known.text

    filled = _VARIABLE.sub(value_of, text[:_MAX_VALUE])
    if missing or len(filled) > _MAX_VALUE:
        return Unknown(text, f"{missing[0] if missing else text[:20]} is known only while nginx runs")
    return filled


def _flag(occurrence: Node, options: Sequence[Node], words: tuple[str, ...]) -> Node:
    """Whether one of the words is among the options, placed at it; Unknown when a template gives options."""
    for option in options:
        if option.text in words:
            return _like(option, True)
    for option in options:
        if isinstance(option.value, Unknown):
            return option
    return _like(occurrence, False)


def _like(place: Node, value: str | int | bool | Unknown | dict[str, Node]) -> Node:
    """A node with this value at the place of another."""
    return Node(value, place.source, place.start, place.end)
