"""Paths that Compose files name, from the folder that they are relative to.

Compose makes them absolute. Here they become relative to the scan root; absolute ones, and those below `~`, stay. A
path that leaves the scan root starts with `..`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Final

from pyprod_audit.evaluate.compose.attribute_paths import AttributeRules
from pyprod_audit.evaluate.compose.texts import members_like
from pyprod_audit.evaluate.compose.volumes import clean
from pyprod_audit.model import Node

Resolver = Callable[[Node, str], Node]
_REMOTE: Final = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")


def resolved(model: Node, folder: str) -> Node:
    """The model with its relative paths joined to `folder`."""
    return _resolved(model, RULES, folder)


def _resolved(node: Node, rules: AttributeRules[Resolver], folder: str) -> Node:
    if rules.here is not None:
        return rules.here(node, folder)
    if isinstance(node.value, dict):
        changed: dict[str, Node] = {}
        for name, member in node.value.items():
            below = rules.at(name)
            if below is not None:
                made = _resolved(member, below, folder)
                if made is not member:
                    changed[name] = made
        return node.holding(members_like({**node.value, **changed}, node.value)) if changed else node
    every = rules.at("*")
    if isinstance(node.value, tuple) and every is not None:
        return node.holding(tuple(_resolved(member, every, folder) for member in node.value))
    return node


def joined(folder: str, path: str) -> str:
    """`path` as seen from where `folder` is seen; absolute paths and those below `~` stay."""
    if path.startswith(("/", "~", "\\\\")) or path[1:2] == ":":
        return path
    return clean(posixpath.join(folder or ".", path))


def relative(path: str, folder: str) -> str:
    """`path` as seen from `folder`, both relative to the scan root."""
    return posixpath.relpath(f"/{path}", f"/{folder}")


def inside(path: str) -> bool:
    """Whether a resolved path lies in the scan root."""
    return not path.startswith(("../", "/", "~", "\\\\")) and path != ".." and path[1:2] != ":"


def is_remote(path: str) -> bool:
    """Whether a path names something elsewhere: a repository, an image, an artifact."""
    return "://" in path or path.startswith(_REMOTE)


def _path(node: Node, folder: str) -> Node:
    text = node.text
    return node if not text else node.holding(joined(folder, text))


def _context(node: Node, folder: str) -> Node:
    text = node.text
    if text is None or is_remote(text) or text.startswith("service:"):
        return node
    return _path(node, folder)


def _volume(node: Node, folder: str) -> Node:
    source = node.mapping.get("source")
    kind = node.mapping.get("type")
    if source is None or kind is None or kind.value != "bind" or not isinstance(node.value, dict):
        return node
    return node.holding({**node.value, "source": _path(source, folder)})


def _driver_options(node: Node, folder: str) -> Node:
    """A volume of the local driver may be a folder of the host."""
    options = node.mapping.get("driver_opts")
    if node.text_at("driver") != "local" or options is None or options.text_at("o") != "bind":
        return node
    device = options.mapping.get("device")
    if device is None or not isinstance(node.value, dict):
        return node
    changed = options.holding({**options.mapping, "device": _path(device, folder)})
    return node.holding({**node.value, "driver_opts": changed})


RULES: Final = AttributeRules[Resolver]({
    "services.*.build.context": _context,
    "services.*.build.additional_contexts.*": _context,
    "services.*.build.ssh.*": _path,
    "services.*.env_file.*.path": _path,
    "services.*.label_file.*": _path,
    "services.*.extends.file": _path,
    "services.*.develop.watch.*.path": _path,
    "services.*.volumes.*": _volume,
    "configs.*.file": _path,
    "secrets.*.file": _path,
    "volumes.*": _driver_options,
})  # fmt: skip
