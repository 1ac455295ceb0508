"""Sequences whose members have keys: of two with the same key the later one holds, in the place of the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyprod_audit.evaluate.compose.attribute_paths import AttributeRules
from pyprod_audit.evaluate.compose.texts import go_text, members_like, text_of
from pyprod_audit.evaluate.compose.volumes import long_device, target_of
from pyprod_audit.model import Node, Unknown

Key = Callable[[Node], "str | None"]
_Rules = AttributeRules[Key]


def without_repeats(node: Node, rules: _Rules | None = None) -> Node:
    """The node with its keyed sequences freed of repeated members; members whose key is not known all stay."""
    return _unique(node, RULES if rules is None else rules)


def _unique(node: Node, rules: _Rules) -> Node:
    if isinstance(node.value, dict):
        changed: dict[str, Node] = {}
        for name, member in node.value.items():
            below = rules.at(name)
            if below is not None:
                made = _unique(member, below)
                if made is not member:
                    changed[name] = made
        if not changed:
            return node
        return node.holding(members_like({**node.value, **changed}, node.value))
    if isinstance(node.value, tuple) and rules.here is not None:
        return _without_repeats(node, node.value, rules.here)
    return node


def _without_repeats(node: Node, members: tuple[Node, ...], key_of: Key) -> Node:
    kept: list[Node] = []
    places: dict[str, int] = {}
    for member in members:
        key = key_of(member)
        if key is not None and key in places:
            kept[places[key]] = member
        else:
            if key is not None:
                places[key] = len(kept)
            kept.append(member)
    return node if len(kept) == len(members) else node.holding(tuple(kept))


def _name(node: Node) -> str | None:
    return node.value.partition("=")[0] if isinstance(node.value, str) else None


def _text(node: Node) -> str | None:
    return None if node.is_unknown else text_of(node)


def _member(node: Node, name: str) -> str | None:
    """The text of a member; None when there is none or it is not known."""
    found = node.mapping.get(name)
    return None if found is None or found.is_unknown else text_of(found)


def _volume(node: Node) -> str | None:
    return target_of(node.value) if isinstance(node.value, str) else _member(node, "target")


def _device(node: Node) -> str | None:
    if isinstance(node.value, str):
        long = long_device(node)
        return _member(long, "target") if long is not None else None
    return _member(node, "target")


def _port(node: Node) -> str | None:
    if not isinstance(node.value, dict):
        return _text(node)
    members = node.value
    if any(isinstance(member.value, Unknown) for member in members.values()):
        return None
    host, protocol = _member(node, "host_ip"), _member(node, "protocol")
    # Without an address Compose's own key has this one, so that the same port on all of them is the same port. A
    # number is another key than the text that looks like it.
    published = members["published"].scalar if "published" in members else None
    return f"{host or '0.0.0.0'}:{published!r}:{_member(node, 'target')}/{protocol or 'tcp'}"  # noqa: S104


def _mount(folder: str) -> Key:
    def key(node: Node) -> str | None:
        if isinstance(node.value, str):
            return f"{folder}/{node.value}"
        target = node.mapping.get("target")
        if target is not None:
            return _text(target)
        source = _member(node, "source")
        return f"{folder}/{source}" if source is not None else None

    return key


def _environment_file(node: Node) -> str | None:
    return node.text if node.text is not None else _member(node, "path")


def _exposed(node: Node) -> str | None:
    return go_text(node.scalar) if isinstance(node.value, (str, int)) else None


_SERVICE: Final[dict[str, Key]] = {
    **dict.fromkeys(
        ("build.tags", "cap_add", "cap_drop", "dns", "dns_opt", "dns_search", "links",
         "networks.*.aliases", "networks.*.link_local_ips", "profiles", "tmpfs"),
        _name,
    ),
    "devices": _device,
    "configs": _mount(""),
    "secrets": _mount("/run/secrets"),
    "env_file": _environment_file,
    "expose": _exposed,
    "ports": _port,
    "volumes": _volume,
}  # fmt: skip
RULES: Final = AttributeRules[Key]({f"services.*.{path}": key for path, key in _SERVICE.items()})
