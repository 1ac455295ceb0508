"""The short syntax of ports, `[host:][published:]target[/protocol]` with ranges, in the long one.

https://docs.docker.com/reference/compose-file/services/#ports; details as in docker/go-connections' `nat` package.
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.compose.texts import HOLE, part, text_of
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy

_IPV4 = lazy(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_MAX_RANGE: Final = 64
_MAX_PORT: Final = 65_535
_PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})


def long_ports(node: Node) -> tuple[Node, ...] | None:
    """One mapping for each port that a text or number publishes, in Compose's order; None when it is not valid.

    A mapping has `target` (a number), `protocol`, `mode`, and `published` (text) and `host_ip` when they are given.
    What hangs on a variable is Unknown in it; a range over more than 64 ports is one Unknown.
    """
    text = text_of(node)
    if text is None or isinstance(node.value, float):
        return None
    sections = text.split(":")
    target_start = len(text) - len(sections[-1])
    target_text, slash, protocol = sections[-1].partition("/")
    protocol = protocol.partition("/")[0]
    if HOLE in text:
        return _with_unknown(node, text, sections, target_start, (target_text, slash + protocol))
    host, published = _host_and_published(text, sections)
    target = _range(target_text)
    bound = _range(published) if published else (0, 0)
    if host is None or target is None or bound is None or (protocol.lower() or "tcp") not in _PROTOCOLS:
        return None
    size = target[1] - target[0]
    if published and size not in (bound[1] - bound[0], 0):
        return None
    if size >= _MAX_RANGE:
        return (node.holding(Unknown(text, f"a range of more than {_MAX_RANGE} ports")),)
    places = _Places(node, target_start, target_text, target_start - 1 - len(published), published, host)
    ports = [(target[0] + offset, _published(published, bound, offset, size)) for offset in range(size + 1)]
    made = (places.port(number, bound_to, protocol.lower() or "tcp") for number, bound_to in sorted(ports, key=_order))
    return tuple(made)


class _Places:
    """Where the parts of one port specification stand."""

    def __init__(self, node: Node, target_at: int, target: str, published_at: int, published: str, host: str) -> None:
        self._node = node
        self._target = part(node, target_at, target_at + len(target))
        self._published = part(node, published_at, published_at + len(published)) if published else node
        self._host = part(node, 0, published_at - 1).holding(host) if host else None

    def port(self, target: int, published: str, protocol: str) -> Node:
        whole = part(self._node, 0, len(text_of(self._node) or ""))
        members = {
            "target": self._target.holding(target),
            "protocol": whole.holding(protocol),
            "mode": whole.holding("ingress"),
        }
        if published:
            members["published"] = self._published.holding(published)
        if self._host is not None:
            members["host_ip"] = self._host
        return whole.holding(members)


def _order(port: tuple[int, str]) -> str:
    return str(port[0])


def _published(written: str, bound: tuple[int, int], offset: int, size: int) -> str:
    """The published port of the `offset`-th target; a range when a single target may get any port of it."""
    if not written:
        return ""
    if size == 0 and bound[0] != bound[1]:
        return f"{bound[0]}-{bound[1]}"
    return str(bound[0] + offset)


def _host_and_published(text: str, sections: list[str]) -> tuple[str | None, str]:
    """The address, None when it is none, and the published port; both empty when they are not given."""
    if len(sections) < 3:
        return "", sections[0] if len(sections) == 2 else ""
    host = text[: len(text) - len(sections[-1]) - len(sections[-2]) - 2]
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None, ""
    return host if not host or is_address(host) else None, sections[-2]


def is_address(text: str) -> bool:
    """Whether `text` is an IP address as Go's `net.ParseIP` takes it."""
    if ":" not in text:
        return _IPV4.fullmatch(text) is not None
    import ipaddress  # rarely needed, slow to load

    try:
        return ipaddress.IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _range(text: str) -> tuple[int, int] | None:
    """The first and last port of `8000` or `8000-8010`; None when it is none."""
    first, *rest = text.split("-")
    last = rest[0] if rest else first
    for digits in (first, last):
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 9 or int(digits) > _MAX_PORT:
            return None
    return None if int(last) < int(first) else (int(first), int(last))


def _with_unknown(
    node: Node, text: str, sections: list[str], target_start: int, target: tuple[str, str]
) -> tuple[Node, ...]:
    """The one port of a text with unknown parts. A part in front may bring an address of its own (`$BIND:80`)."""
    whole = part(node, 0, len(text))
    unknown = whole.holding(Unknown(_expression(node), _because(node)))
    number, protocol = target
    at = target_start + len(number)
    members: dict[str, Node] = {
        "target": _port_number(part(node, target_start, at)),
        "protocol": part(node, at + 1, at + len(protocol)) if len(protocol) > 1 else whole.holding("tcp"),
        "mode": whole.holding("ingress"),
    }
    if HOLE in number:
        members["protocol"] = unknown
    if len(sections) == 1:
        members["published"] = members["host_ip"] = unknown
    else:
        start = target_start - 1 - len(sections[-2])
        members["published"] = part(node, start, target_start - 1)
        if len(sections) > 2:
            members["host_ip"] = part(node, 0, start - 1)
        elif HOLE in sections[0]:
            members["host_ip"] = unknown
    return (whole.holding(members),)


def _port_number(node: Node) -> Node:
    text = node.text
    known = _range(text) if text is not None else None
    if known is None or known[0] != known[1]:
        return node if text is None else node.holding(Unknown(text, "a range of ports, or none"))
    return node.holding(known[0])


def _expression(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else ""


def _because(node: Node) -> str:
    return node.value.because if isinstance(node.value, Unknown) else ""
