"""ConfigMaps and Secrets that a kustomization generates from literals and files."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from pyprod_audit.evaluate.kustomize.objects import Item, Objects
from pyprod_audit.evaluate.kustomize.place import Refused, placed, stop, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.model.node import OpenMapping
from pyprod_audit.model.patterns import lazy

_KEY = lazy(r"[-._a-zA-Z0-9]{1,253}")
_VARIABLE = lazy(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_LINE_LENGTH: Final = 70
_BEHAVIORS: Final = frozenset({"", "create", "replace", "merge"})
_PUT_HERE: Final = "put into the object here"

NOT_TEXT: Final = "it is no text that can be read"
Read: TypeAlias = Callable[[str], "SourceFile | Unknown"]
"""A file that an entry names by its path; Unknown when it is not in the repository or no text."""


class Pair(NamedTuple):
    """One key of a generated object and its value; None for files whose keys cannot be known."""

    key: str | None
    value: Node


def generate(kind: str, entry: Node, defaults: Node | None, read: Read) -> Item:
    """The object of one entry of `configMapGenerator` or `secretGenerator`.

    Args:
        kind: ConfigMap or Secret.
        entry: the entry.
        defaults: `generatorOptions` of the kustomization.
        read: reads a file that the entry names.

    Raises:
        Refused: the entry has no name, or a key that is not valid or comes twice.
    """
    name = entry.get("name")
    if name is None or not text_of(name):
        raise Refused("a generated object must have a name", entry)
    behavior = text_of(entry.get("behavior"))
    members = {
        "apiVersion": placed("v1", entry), "kind": placed(kind, entry), "metadata": _metadata(entry, name, defaults),
    }  # fmt: skip
    if kind == "Secret":
        members["type"] = entry.get("type") or placed("Opaque", entry)
    data, gone = _data(entry, read)
    if kind == "Secret":
        texts, binary = {key: _encoded(value) for key, value in data.items()}, {}
    else:
        texts = {key: value for key, value in data.items() if not _is_binary(value)}
        binary = {key: value for key, value in data.items() if key not in texts}
    if texts or gone is not None or kind == "Secret":
        members["data"] = _mapping(texts, gone, entry)
    if binary:
        members["binaryData"] = _mapping(binary, None, entry)
    if _option(entry, defaults, "immutable"):
        members["immutable"] = placed(True, entry)
    hashed = not _option(entry, defaults, "disableNameSuffixHash")
    return Item(placed(members, entry), behavior if behavior in _BEHAVIORS else "", hashed=hashed)


def absorb(objects: Objects, item: Item) -> None:
    """Adds a generated object, or merges it with the one of its name, as its behavior says.

    Raises:
        Refused: there is one already and nothing is said about it, or there is none to merge with.
    """
    there = objects.called(item.current)
    if not there:
        if item.behavior in ("merge", "replace"):
            raise Refused(f"there is no {item.current} to {item.behavior}", item.name_node)
        objects.append(item)
        return
    if len(there) > 1:
        raise Refused(f"there are several {item.current} to {item.behavior or 'merge'}", item.name_node)
    old = there[0]
    if item.behavior not in ("merge", "replace"):
        raise Refused(f"{item.current} is there already: its behavior must be merge or replace", item.name_node)
    for key in ("labels", "annotations"):
        _merge_metadata(item, old, key)
    item.set_metadata("name", old.name_node)
    item.set_metadata("namespace", old.node.mapping.get("metadata", old.node).mapping.get("namespace"))
    if item.behavior == "merge":
        for key in ("data", "binaryData"):
            _merge_data(item, old, key)
    old.node = item.node
    old.hashed = old.hashed and item.hashed


def with_hash(item: Item, digest: str | None) -> None:
    """Adds the hash of its contents to an object's name; a name without a known hash is not known."""
    old = item.name_node
    name = item.name
    item.remember()
    if old is None:
        return
    value = Unknown(f"{name}-…", "it ends with a hash of contents that are not in the repository")
    item.set_metadata("name", old.holding(value if digest is None else f"{name}-{digest}"))


# -- metadata ----------------------------------------------------------------------------------------------


def _metadata(entry: Node, name: Node, defaults: Node | None) -> Node:
    members = {"name": name}
    namespace = entry.get("namespace")
    if namespace is not None and text_of(namespace):
        members["namespace"] = namespace
    for key in ("labels", "annotations"):
        own = entry.get(f"options.{key}")
        general = defaults.get(key) if defaults is not None else None
        pairs = {**(general.mapping if general else {}), **(own.mapping if own else {})}
        if pairs:
            members[key] = placed(pairs, own or general or entry)
    return placed(members, entry)


def _option(entry: Node, defaults: Node | None, key: str) -> bool:
    found = (entry.get(f"options.{key}"), defaults.get(key) if defaults is not None else None)
    return any(node is not None and node.value is True for node in found)


def _merge_metadata(item: Item, old: Item, key: str) -> None:
    metadata, own = old.node.mapping.get("metadata"), item.node.mapping["metadata"].mapping.get(key)
    before = metadata.mapping.get(key) if metadata is not None else None
    members = {**(before.mapping if before else {}), **(own.mapping if own else {})}
    at = own or before
    item.set_metadata(key, at.holding(members) if at is not None and members else None)


def _merge_data(item: Item, old: Item, key: str) -> None:
    before, own = old.node.mapping.get(key), item.node.mapping.get(key)
    if before is None:
        return
    texts = {name: _as_text(value) for name, value in before.mapping.items()}
    members = {**texts, **(own.mapping if own else {})}
    rest = next((one.value.rest for one in (own, before) if one and isinstance(one.value, OpenMapping)), None)
    at = own or before
    item.node = with_member(item.node, key, at.holding(OpenMapping(members, rest) if rest else members))


def _as_text(value: Node) -> Node:
    known = isinstance(value.value, (str, Unknown))
    return value if known else value.holding(text_of(value))


# -- data --------------------------------------------------------------------------------------------------


def _data(entry: Node, read: Read) -> tuple[dict[str, Node], Node | None]:
    """The values by key, and the file whose keys are not known, if there is one."""
    pairs: dict[str, Node] = {}
    gone: Node | None = None
    for key, value in _pairs(entry, read):
        if key is None:
            gone = gone or value
            continue
        if not _KEY.fullmatch(key):
            raise Refused(f"{key or 'the empty text'} is no valid key", value)
        if key in pairs:
            raise Refused(f"the key {key} comes twice", value)
        pairs[key] = value
    return pairs, gone


def _pairs(entry: Node, read: Read) -> Iterator[Pair]:
    for listed in (entry.items_at("envs"), (entry.get("env"),)):
        for node in listed:
            if node is not None and text_of(node):
                yield from _lines(node, read(text_of(node)))
    for node in entry.items_at("literals"):
        yield _literal(node)
    for node in entry.items_at("files"):
        yield _file(node, read)


def _lines(node: Node, source: SourceFile | Unknown) -> Iterator[Pair]:
    """The variables of an env file, each at its own line."""
    if isinstance(source, Unknown):
        yield Pair(None, placed(source, node))
        return
    at = 0
    for line in source.text.split("\n"):
        start, at = at, at + len(line) + 1
        content = line.removesuffix("\r")
        shown = content.lstrip()
        if not shown or shown.startswith("#"):
            continue
        start += len(content) - len(shown)
        key, equals, value = shown.partition("=")
        if not _VARIABLE.fullmatch(key):
            raise Refused(f"{source.path} has a line that is no variable", node)
        begin = start + len(key) + len(equals)
        found = Node(value, source, begin, begin + len(value), start, start + len(key))
        yield Pair(key, found.coming(stop(node, _PUT_HERE)))


def _literal(node: Node) -> Pair:
    text = text_of(node)
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Refused(f"a literal is key=value, not {text}", node)
    unquoted = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
    at = node.source.text.find(unquoted, node.source.text.find("=", node.start, node.end) + 1, node.end)
    if at < 0 or not unquoted:
        return Pair(key, placed(unquoted, node))
    return Pair(key, Node(unquoted, node.source, at, at + len(unquoted)))


def _file(node: Node, read: Read) -> Pair:
    text = text_of(node)
    key, equals, path = text.partition("=")
    if not equals:
        key, path = posixpath.basename(text), text
    if not key or not path or "=" in path:
        raise Refused(f"a file is [key=]path, not {text}", node)
    source = read(path)
    if isinstance(source, Unknown):
        return Pair(key, placed(source, node))
    return Pair(key, Node(source.text, source, 0, len(source.text)).coming(stop(node, _PUT_HERE)))


def _mapping(members: Mapping[str, Node], gone: Node | None, entry: Node) -> Node:
    return placed(OpenMapping(members, gone) if gone is not None else dict(members), entry)


def _is_binary(value: Node) -> bool:
    return isinstance(value.value, Unknown) and value.value.because == NOT_TEXT


def _encoded(value: Node) -> Node:
    """The value as a Secret has it: base64, broken into lines when it is long."""
    if not isinstance(value.value, str):
        return value
    from base64 import b64encode

    text = b64encode(value.value.encode("utf-8", "surrogatepass")).decode("ascii")
    if len(text) >= _LINE_LENGTH:
        text = "".join(f"{text[at : at + _LINE_LENGTH]}\n" for at in range(0, len(text), _LINE_LENGTH))
    return value.holding(text)
