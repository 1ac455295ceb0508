"""The files that kustomizations name: where they are, and the YAML documents in them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Final, NamedTuple

import yaml

from pyprod_audit.evaluate.kustomize.generators import NOT_TEXT
from pyprod_audit.evaluate.kustomize.scalars import OPERATIONS, SCHEMA, text_of
from pyprod_audit.model import Node, Resource, SourceFile, Tree, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_events import parse_documents
from pyprod_audit.parsers.yaml_scalars import Schema
from pyprod_audit.parsers.yaml_template import Masked, mask
from pyprod_audit.parsers.yaml_tree import TooDeep, TreeBuilder

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_REMOTE_HOSTS = lazy(
    r"(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)[/:].*|[a-z0-9.-]+\.[a-z]{2,}/.*\.git(?:[/?].*)?"
)
_LONGEST_URL: Final = 2_000
_SEPARATOR = lazy(r"[ \t]*---[ \t]*(?:#[^\n]*)?\r?\n?")


class Documents(NamedTuple):
    """The YAML documents of a file or of a text inside one; `broken`: some of it could not be read."""

    nodes: tuple[Node, ...]
    broken: bool = False


class Sources:
    """The scanned tree as kustomizations see it. Every file is read once."""

    def __init__(self, tree: Tree, kustomizations: Iterable[Resource]) -> None:
        self._tree = tree
        self._documents: dict[str, Documents | None] = {}
        self._masks: dict[str, Masked | None] = {}
        self.kustomizations: dict[str, list[Node]] = {}
        """The kustomizations by the folder they are in."""
        for resource in kustomizations:
            self.kustomizations.setdefault(posixpath.dirname(resource.path), []).append(resource.node)
        self._listed = set(self.kustomizations)

    def kustomization(self, folder: str) -> list[Node]:
        """The kustomizations in a folder, which need not be one that is deployed (an example, a test)."""
        if folder not in self.kustomizations:
            found = []
            for name in NAMES:
                documents = self.documents(posixpath.join(folder, name))
                found += [node for node in documents.nodes if node.mapping] if documents is not None else []
            self.kustomizations[folder] = found
        return self.kustomizations[folder]

    def is_listed(self, folder: str) -> bool:
        """Whether the folder's kustomization is one of the repository's own."""
        return folder in self._listed

    def has(self, path: str) -> bool:
        """Whether there is a file of that path."""
        return path in self._tree.paths

    def is_folder(self, path: str) -> bool:
        """Whether there are files in or below a folder."""
        return any(one.startswith(f"{path}/") for one in self._tree.paths)

    def documents(self, path: str) -> Documents | None:
        """The YAML documents of a file; None when it is not there or cannot be read."""
        if path not in self._documents:
            source = self._tree.text(path)
            self._documents[path] = _parsed(source) if source is not None else None
        return self._documents[path]

    def operations(self, path: str) -> Documents | None:
        """The same for a JSON patch, whose words are those of YAML 1.1."""
        source = self._tree.text(path)
        if source is None:
            return None
        parsed = parse_documents(source, mask(source.text), OPERATIONS)
        return Documents(tuple(parsed.nodes), bool(parsed.problems))

    def inside(self, node: Node, schema: Schema = SCHEMA) -> Documents:
        """The YAML documents in a text of another file: an inline patch.

        A literal block scalar keeps every character, so the nodes have their true places; those of other scalars all
        stand at the scalar.
        """
        source = node.source
        if source.text[node.start : node.start + 1] == "|":
            if source.path not in self._masks:
                self._masks[source.path] = mask(source.text)
            first = source.text.find("\n", node.start, node.end)
            bounds = (first + 1, node.end)
            return _block(source, self._masks[source.path], bounds, schema) if first >= 0 else Documents(())
        text = text_of(node)
        parsed = parse_documents(SourceFile(source.path, text, source.kind), mask(text), schema)
        return Documents(tuple(_moved(root, node) for root in parsed.nodes), bool(parsed.problems))

    def text(self, path: str) -> SourceFile | Unknown:
        """A file whose contents go into an object as they are."""
        source = self._tree.text(path)
        if source is not None:
            return source if source.encoding == "utf-8" else Unknown(path, "its encoding is not known")
        return Unknown(path, NOT_TEXT if self.has(path) else f"{path} is not in the repository")


def located(folder: str, written: str) -> str | None:
    """The path from the scan root of what a kustomization in `folder` names; None when it leads out of the root."""
    if written.startswith("/") or "\0" in written:
        return None
    path = posixpath.normpath(posixpath.join(folder, written))
    return None if path == ".." or path.startswith("../") else "" if path == "." else path


def is_remote(written: str) -> bool:
    """Whether an entry names something on another host: an URL, an address for git."""
    return (
        "://" in written
        or written.startswith(("git@", "git::"))
        or "?ref=" in written
        or (len(written) < _LONGEST_URL and _REMOTE_HOSTS.fullmatch(written) is not None)
    )


def _parsed(source: SourceFile) -> Documents:
    masked = mask(source.text)
    if masked is not None:
        plain = parse_documents(source, None, SCHEMA)
        if not plain.problems and all(_fill_in(node, masked) for node in plain.nodes):
            return Documents(tuple(plain.nodes))
    documents = parse_documents(source, masked, SCHEMA)
    return Documents(tuple(documents.nodes), bool(documents.problems))


def _fill_in(document: Node, masked: Masked) -> bool:
    """Turns scalars with `{{ … }}` into Unknown, but for texts of several lines: kustomize leaves them as they are.

    False when the document is YAML only by chance: `{{ x }}` without quotes is a mapping.
    """
    for node in document.walk():
        value = node.value
        if isinstance(value, (dict, tuple)):
            if node.source.text.startswith("{{", node.start) and masked.touches(node.start, node.start + 2):
                return False
        elif masked.touches(node.start, node.end) and node.source.text[node.start] not in "|>":
            node.value = Unknown(text_of(node), "filled in by a template")
    return True


def _block(source: SourceFile, masked: Masked | None, bounds: tuple[int, int], schema: Schema) -> Documents:
    """The documents of an indented block, which separators on lines of their own keep apart."""
    text = source.text if masked is None else masked.text
    nodes: list[Node] = []
    broken = False
    at, end = bounds
    parts = [at]
    while at < end:
        following = text.find("\n", at, end) + 1 or end
        if _SEPARATOR.fullmatch(text, at, following):
            parts += [at, following]
        at = following
    parts.append(end)
    for first, last in zip(parts[::2], parts[1::2], strict=True):
        builder = TreeBuilder(source, text, masked, schema)
        try:
            builder.read(text[first:last], first)
        except (yaml.YAMLError, ValueError, TooDeep):
            broken = True
            continue
        nodes += builder.nodes
        broken = broken or bool(builder.faults)
    return Documents(tuple(nodes), broken)


def _moved(root: Node, to: Node) -> Node:
    """The tree with all of its nodes at one place. Iterative: the depth is the author's."""
    done: dict[int, Node] = {}
    pending = [root]
    while pending:
        node = pending[-1]
        value = node.value
        below = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else []
        left = [one for one in below if id(one) not in done]
        if left:
            pending += left
            continue
        pending.pop()
        if isinstance(value, dict):
            value = {key: done[id(one)] for key, one in value.items()}
        elif isinstance(value, tuple):
            value = tuple(done[id(one)] for one in value)
        done[id(node)] = Node(value, to.source, to.start, to.end)
    return done[id(root)]
