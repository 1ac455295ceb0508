"""What Skaffold, and kustomizations that could not be evaluated, change in the manifests beside them.

The objects of those kustomizations stand as they are written: a rule that would report something missing asks here
first whether a patch sets it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pyprod_audit.link.kustomizations import unevaluated
from pyprod_audit.model import Node, Repository, Resource, SourceFile
from pyprod_audit.model.kubernetes import name_of, object_of
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_events import parse_documents

_LISTS: Final = ("patches", "patchesStrategicMerge", "patchesJson6902")
_CONTAINERS: Final = frozenset({"containers", "initContainers"})
_PLAIN_NAME = lazy(r"[A-Za-z0-9._-]*")


class Patch(NamedTuple):
    """A patch: the kind and name it is for (empty: any), and the keys that it mentions.

    `containers` has those inside of a container with a name, by that name; `keys` all others.
    """

    path: str
    kind: str
    name: str
    keys: frozenset[str]
    containers: Mapping[str, frozenset[str]]

    def sets(self, key: str, container: str) -> bool:
        """Whether the patch mentions `key` for the container of that name, or in a place that may be its."""
        return key in self.keys or key in self.containers.get(container, ())


def patch_that_sets(resource: Resource, key: str, repository: Repository) -> str:
    """The path of a patch that was not applied and sets `key` in a container (or object); empty: there is none."""
    if resource.variant:
        return ""
    patches = repository.memo("kustomize.patches", lambda repo: list(_patches(repo)))
    if not patches:
        return ""
    owner = object_of(resource)
    kind, name = owner.node.text_at("kind") or "", name_of(owner)
    container = resource.node.text_at("name") or ""
    of_object = (patch for patch in patches if patch.kind in ("", kind) and patch.name in ("", name))
    return next((patch.path for patch in of_object if patch.sets(key, container)), "")


def image_override(container: Resource, name: str, repository: Repository) -> Node | None:
    """The entry of `images` that replaces the tag of a container's image `name` and was not applied."""
    return None if container.variant else repository.memo("kustomize.images", _image_entries).get(name)


def is_built_by_skaffold(name: str, repository: Repository) -> bool:
    """Whether a skaffold.yaml builds the image `name`, and so fills in its tag: https://skaffold.dev/docs/tagger/."""
    return name in repository.memo("skaffold.images", lambda repo: frozenset(_skaffold_images(repo)))


def _image_entries(repository: Repository) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for kustomization in unevaluated(repository):
        for entry in kustomization.node.items_at("images"):
            name = entry.text_at("name")
            if name and ("newTag" in entry.mapping or "digest" in entry.mapping):
                found.setdefault(name, entry)
    return found


def _patches(repository: Repository) -> Iterator[Patch]:
    for kustomization in unevaluated(repository):
        folder = posixpath.dirname(kustomization.path)
        for key in _LISTS:
            for entry in kustomization.node.items_at(key):
                text, path = _patch_text(entry, folder, repository)
                if text:
                    yield from _read(text, path or kustomization.path, entry.get("target"))


def _patch_text(entry: Node, folder: str, repository: Repository) -> tuple[str, str]:
    """The text of a patch and its path, for patches in files of their own."""
    inline = entry.text_at("patch")
    name = entry.text or entry.text_at("path") or ""
    if inline or "\n" in name:
        return inline or name, ""
    path = posixpath.normpath(posixpath.join(folder, name))
    source = repository.files.get(path)
    return (source.text, path) if source is not None else ("", path)


def _read(text: str, path: str, target: Node | None) -> Iterator[Patch]:
    for document in parse_documents(SourceFile(path, text)).nodes:
        operations = document.items
        keys: set[str] = set()
        containers: dict[str, frozenset[str]] = {}
        if operations:
            _collect_operations(operations, keys, containers)
        else:
            _collect(document, keys, containers)
        if target is not None:
            kind, name = _plain(target.text_at("kind")), _plain(target.text_at("name"))
        elif operations:
            continue
        else:
            kind, name = document.text_at("kind") or "", document.text_at("metadata.name") or ""
        yield Patch(path, kind, name, frozenset(keys), containers)


def _collect(document: Node, keys: set[str], containers: dict[str, frozenset[str]]) -> None:
    """Sorts the keys of a strategic merge patch into those of named containers and all others."""
    pending = [document]
    while pending:
        node = pending.pop()
        pending.extend(node.items)
        for key, value in node.mapping.items():
            keys.add(key)
            if key not in _CONTAINERS:
                pending.append(value)
                continue
            for container in value.items:
                name = container.text_at("name")
                if name:
                    containers[name] = containers.get(name, frozenset()) | frozenset(_keys(container))
                else:
                    pending.append(container)


def _keys(node: Node) -> Iterator[str]:
    for current in node.walk():
        yield from current.mapping


def _collect_operations(operations: tuple[Node, ...], keys: set[str], containers: dict[str, frozenset[str]]) -> None:
    """Sorts the keys in the paths and values of a JSON patch; one that appends a container sets nothing of others."""
    for operation in operations:
        steps = (operation.text_at("path") or "").split("/")
        value = operation.get("value")
        name = value.text_at("name") if value is not None else None
        if value is not None and name and steps[-1] == "-" and not _CONTAINERS.isdisjoint(steps):
            containers[name] = containers.get(name, frozenset()) | frozenset(_keys(value))
            continue
        keys.update(steps)
        if value is not None:
            keys.update(_keys(value))


def _plain(pattern: str | None) -> str:
    """A target's name; empty, which is any, for a regular expression."""
    return pattern if pattern and _PLAIN_NAME.fullmatch(pattern) and "." not in pattern else ""


def _skaffold_images(repository: Repository) -> Iterator[str]:
    for path, source in repository.files.items():
        name = posixpath.basename(path)
        if not name.startswith("skaffold") or not name.endswith((".yaml", ".yml")):
            continue
        for document in parse_documents(source).nodes:
            for config in (document, *document.items_at("profiles")):
                for artifact in config.items_at("build.artifacts"):
                    image = artifact.text_at("image")
                    if image:
                        yield image
