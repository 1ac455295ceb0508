"""Terraform's functions of IP networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final, NamedTuple

from pyprod_audit.evaluate.terraform.conversion import as_number
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.numbers import Number, whole
from pyprod_audit.evaluate.terraform.values import STRING, Invalid, ListValue, Unresolved, Value
from pyprod_audit.model.patterns import lazy

_IPV4 = lazy(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


class _Network(NamedTuple):
    """A network: its first address as a number, how long its prefix and an address are."""

    first: int
    prefix: int
    bits: int

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return 1 << (self.bits - self.prefix)

    def address(self, number: int) -> str:
        """An address as text."""
        if self.bits == 32:
            return str(ipaddress.IPv4Address(number))
        if number >> 32 == 0xFFFF:
            raise Unresolved("it is an IPv4 address in IPv6")
        return str(ipaddress.IPv6Address(number))


def _network(text: str) -> _Network:
    """The network that a CIDR text names, without host bits. Raises Invalid."""
    written, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or len(length) > 3:
        raise Invalid("it is not a network")
    if _IPV4.fullmatch(written):
        parts = [int(part) for part in written.split(".")]  # Terraform takes leading zeros, as decimal
        if max(parts) > 255:
            raise Invalid("it is not a network")
        number, bits = int.from_bytes(bytes(parts), "big"), 32
    else:
        try:
            number, bits = int(ipaddress.IPv6Address(written)), 128
        except ValueError:
            raise Invalid("it is not a network") from None
        if "%" in written:
            raise Invalid("it is not a network")
    prefix = int(length)
    if prefix > bits:
        raise Invalid("it is not a network")
    host = bits - prefix
    return _Network(number >> host << host, prefix, bits)


def _cidrhost(_call: Call, text: str, number: Number) -> Value:
    host = whole(number, bits=None)
    network = _network(text)
    if host < 0:
        host += network.size
    if not 0 <= host < network.size:
        raise Invalid("the network has not as many addresses")
    return network.address(network.first + host)


def _cidrnetmask(_call: Call, text: str) -> Value:
    network = _network(text)
    if network.bits != 32:
        raise Invalid("only IPv4 networks have a mask")
    return str(ipaddress.IPv4Address((1 << 32) - network.size))


def _cidrsubnet(_call: Call, text: str, extra: int, number: Number) -> Value:
    position = whole(number, bits=None)
    network = _network(text)
    if extra < 0 or position < 0:
        raise Unresolved("a network cannot be extended by less than nothing")
    prefix = network.prefix + extra
    if prefix > network.bits or position >= 1 << extra:
        raise Invalid("the network has not as many networks")
    first = network.first + (position << (network.bits - prefix))
    return f"{network.address(first)}/{prefix}"


def _cidrsubnets(call: Call, text: str, *extra: Number) -> Value:
    network = _network(text)
    if extra and network.first == 0:
        raise Unresolved("networks that start at zero are not evaluated")
    at = network.first
    made: list[str] = []
    for number in extra:
        bits = whole(as_number(number))
        prefix = network.prefix + bits
        if not 1 <= bits <= 32 or prefix > network.bits:
            raise Invalid("the network cannot be extended so")
        size = 1 << (network.bits - prefix)
        at = (at + size - 1) // size * size
        if at + size > network.first + network.size:
            raise Invalid("the network is used up")
        made.append(f"{network.address(at)}/{prefix}")
        at += size
    return ListValue([call.node(one) for one in made], STRING)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "cidrhost": function(_cidrhost, "text number"),
    "cidrnetmask": function(_cidrnetmask, "text"),
    "cidrsubnet": function(_cidrsubnet, "text whole number"),
    "cidrsubnets": function(_cidrsubnets, "text", "number"),
}
