"""The short syntaxes of mounts: `[source:]target[:options]` of volumes, `source[:target[:permissions]]` of devices.

https://docs.docker.com/reference/compose-file/services/#volumes; details as in compose-go's `format` package.
"""

from __future__ import annotations

import posixpath
from typing import Final

from pyprod_audit.evaluate.compose.texts import HOLE, part, text_of
from pyprod_audit.model import Node, Unknown

_PROPAGATIONS: Final = frozenset({"rprivate", "private", "rshared", "shared", "rslave", "slave"})
_SELINUX: Final = frozenset({"z", "Z"})


def long_volume(node: Node) -> Node | None:
    """The mapping that a text stands for; None when it is not valid.

    It has `type` (`bind` or `volume`), `target`, and `source`, `read_only`, `bind`, `volume` when they are given.
    """
    text = text_of(node)
    if not text:
        return None
    whole = part(node, 0, len(text))
    sections = _sections(text)
    if len(text) > 2 and any(start == end for start, end in sections):
        return None
    if text == HOLE:
        return whole
    if len(sections) > 3:
        return None
    members: dict[str, Node] = {}
    if len(sections) == 1 or len(text) <= 2:
        members["type"] = whole.holding("volume")
        members["target"] = _target(whole)
        if len(text) > 2:
            members["volume"] = whole.holding({})
        return whole.holding(members)
    source, target = (part(node, start, end) for start, end in sections[:2])
    kind = _type(source)
    members.update({"type": kind, "source": source, "target": _target(target)})
    options = part(node, *sections[2]) if len(sections) == 3 else None
    members.update(_options(options, kind, whole))
    return whole.holding(members)


def target_of(text: str) -> str | None:
    """The target of a short syntax as it is written; None when the text is not valid."""
    if len(text) <= 2:
        return text or None
    sections = _sections(text)
    start, end = sections[min(len(sections), 2) - 1]
    return text[start:end] if len(sections) <= 3 and all(a < b for a, b in sections) else None


def _sections(text: str) -> list[tuple[int, int]]:
    """The parts between colons; the colon of a Windows drive at the start of a part is none."""
    found: list[tuple[int, int]] = []
    start = 0
    for at, char in enumerate(text):
        if char == ":" and not (at == start + 1 and text[start].isalpha()):
            found.append((start, at))
            start = at + 1
    return [*found, (start, len(text))]


def is_path(source: str) -> bool:
    """Whether the source of a mount is a path on the host, not the name of a volume."""
    return source.startswith((".", "/", "~", "\\\\")) or (source[:1].isalpha() and source[1:2] == ":")


def _type(source: Node) -> Node:
    """`bind` or `volume`; unknown when it hangs on a variable. No name of a volume holds a slash."""
    text = text_of(source) or ""
    if HOLE in text:
        if is_path(text) or "/" in text:
            return source.holding("bind")
        return source.holding(Unknown("bind or volume", _because(source)))
    return source.holding("bind" if is_path(text) else "volume")


def _options(options: Node | None, kind: Node, whole: Node) -> dict[str, Node]:
    text = text_of(options) if options is not None else None
    bind: dict[str, Node] = {}
    volume: dict[str, Node] = {}
    members: dict[str, Node] = {}
    if options is not None and text is not None:
        if HOLE in text:
            members["read_only"] = options
        for option in text.split(","):
            if option in ("ro", "rw"):
                members["read_only"] = options.holding(option == "ro")
            elif option == "nocopy":
                volume["nocopy"] = options.holding(True)
            elif option in _SELINUX:
                bind["selinux"] = options.holding(option)
            elif option in _PROPAGATIONS:
                bind["propagation"] = options.holding(option)
    if kind.value == "bind":
        bind["create_host_path"] = whole.holding(True)
    if bind:
        members["bind"] = whole.holding(bind)
    if volume or kind.value == "volume":
        members["volume"] = whole.holding(volume)
    return members


def _target(node: Node) -> Node:
    """The target as Compose cleans it: `/data/` is `/data`."""
    text = node.text
    return node if not text else node.holding(clean(text))


def clean(path: str) -> str:
    """A path as Go's `path.Clean` writes it."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def long_device(node: Node) -> Node | None:
    """The mapping `{source, target, permissions}` that a text stands for; None when it is not valid."""
    text = text_of(node)
    if text is None:
        return None
    whole = part(node, 0, len(text))
    if text == HOLE:
        return whole
    bounds: list[tuple[int, int]] = []
    start = 0
    for section in text.split(":"):
        bounds.append((start, start + len(section)))
        start += len(section) + 1
    if len(bounds) > 3:
        return None
    source = part(node, *bounds[0])
    target = part(node, *bounds[1]) if len(bounds) > 1 and bounds[1][0] < bounds[1][1] else source
    permissions = part(node, *bounds[2]) if len(bounds) == 3 else whole.holding("rwm")
    return whole.holding({"source": source, "target": target, "permissions": permissions})


def _because(node: Node) -> str:
    return node.value.because if isinstance(node.value, Unknown) else ""
