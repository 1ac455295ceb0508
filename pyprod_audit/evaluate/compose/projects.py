"""Which Compose files are deployed together.

https://docs.docker.com/compose/how-tos/multiple-compose-files/ leaves that to the command line (`-f a.yml -f b.yml`),
so names and contents decide here:

- `docker compose up` in a folder takes `compose.yaml` (or one of its other names) and lays its override over it, unless
  `COMPOSE_FILE` in `.env` says otherwise: that is the folder's own project.
- Every other Compose file beside it (`compose.prod.yml`, `docker-compose-web.yml`) is deployed in another way. A file
  that is not whole by itself, because it changes services or uses names that it does not define, is laid over the
  folder's main file; one that is whole stands alone. What is extended or included by another file belongs to that one.
- A main file that has an override is also deployed without it, when no other file is laid over it: overrides are the
  place for what only developers want.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.file_paths import inside, joined
from pyprod_audit.evaluate.compose.project_environment import environment_of
from pyprod_audit.model import Node, OpenMapping, Tree

MAIN: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES: Final = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
_MAX_PROJECTS: Final = 30
_BASES: Final = frozenset({"base", "common", "shared", "core", "main"})
_USES: Final = (("networks", "networks"), ("volumes", "volumes"), ("secrets", "secrets"), ("configs", "configs"))


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """The files of one project in the order in which they are laid over each other.

    `variant`: what tells it from other projects of the same folder; empty when it is the only one.
    """

    folder: str
    paths: tuple[str, ...]
    variant: str = ""


def project_files(documents: Mapping[str, Sequence[Node]], tree: Tree, faults: Faults) -> Iterator[ProjectFiles]:
    """The projects of all folders, in order of the folders; `documents` are those of the Compose files, by path."""
    folders: dict[str, list[str]] = {}
    for path in documents:
        folders.setdefault(posixpath.dirname(path), []).append(path)
    taken = set(_taken(documents))
    for folder, paths in folders.items():
        found = list(_of_folder(folder, paths, documents, taken, tree, faults))
        several = len(found) > 1
        if len(found) > _MAX_PROJECTS:
            place = documents[found[_MAX_PROJECTS][-1]][0]
            faults.add(f"more than {_MAX_PROJECTS} Compose projects in one folder: the rest is not evaluated", place)
            found = found[:_MAX_PROJECTS]
        for files in found:
            yield ProjectFiles(folder, files, files[-1] if several else "")


def _of_folder(
    folder: str,
    paths: Sequence[str],
    documents: Mapping[str, Sequence[Node]],
    taken: Collection[str],
    tree: Tree,
    faults: Faults,
) -> Iterator[tuple[str, ...]]:
    main = _first(folder, MAIN, documents)
    override = _first(folder, OVERRIDES, documents) if main is not None else None
    stated = _stated(folder, tree, faults)
    default = stated or tuple(path for path in (main, override) if path is not None)
    if default:
        yield default
    ignored = {posixpath.join(folder, name) for name in (*MAIN, *OVERRIDES)}
    others = [path for path in paths if path not in default and path not in taken and path not in ignored]
    bases = {path: _base_of(path, main, others, documents) for path in others}
    used = set(bases.values())
    if main is not None and override is not None and default == (main, override) and main not in used:
        yield (main,)
    for path in others:
        base = bases[path]
        if base is not None:
            yield (base, path)
        elif path not in used:
            yield (path,)


def _first(folder: str, names: Sequence[str], paths: Collection[str]) -> str | None:
    candidates = (posixpath.join(folder, name) for name in names)
    return next((path for path in candidates if path in paths), None)


def _stated(folder: str, tree: Tree, faults: Faults) -> tuple[str, ...]:
    """The files that `COMPOSE_FILE` of the folder's `.env` names."""
    environment = environment_of([posixpath.join(folder, ".env")], tree, faults)
    text = environment.text("COMPOSE_FILE")
    if not text:
        return ()
    named = [joined(folder, name) for name in text.split(environment.text("COMPOSE_PATH_SEPARATOR") or ":")]
    missing = [name for name in named if not inside(name) or name not in tree.paths]
    if missing:
        faults.add(f"COMPOSE_FILE names {missing[0]}, which is not there", environment.variables["COMPOSE_FILE"])
        return ()
    return tuple(named)


def _taken(documents: Mapping[str, Sequence[Node]]) -> Iterator[str]:
    """The files that others extend or include, except main ones."""
    for path, nodes in documents.items():
        folder = posixpath.dirname(path)
        for document in nodes:
            names = [name for service in document.mapping_at("services").values() for name in _extended(service)]
            for entry in document.items_at("include"):
                names += [entry.text or entry.text_at("path") or ""]
                names += [item.text or "" for item in entry.items_at("path")]
            for name in names:
                named = joined(folder, name) if name else ""
                if named != path and posixpath.basename(named) not in MAIN:
                    yield named


def _extended(service: Node) -> Iterator[str]:
    name = service.text_at("extends.file")
    if name is not None:
        yield name


def _base_of(path: str, main: str | None, others: Sequence[str], documents: Mapping[str, Sequence[Node]]) -> str | None:
    """The file that this one is laid over, when it is not whole without it."""
    missing = _missing(documents[path])
    if not missing:
        return None
    if main is not None:
        return main if missing & _defined(documents[main]) else None
    candidates = [other for other in others if other != path and missing <= _defined(documents[other])]
    named = [other for other in candidates if not _BASES.isdisjoint(_words(other))]
    chosen = named or candidates
    return chosen[0] if len(chosen) == 1 else None


def _words(path: str) -> list[str]:
    name = posixpath.basename(path).lower()
    return name.replace("_", ".").replace("-", ".").split(".")


def _defined(documents: Sequence[Node]) -> set[tuple[str, str]]:
    """The services that can be started as the documents have them, and what they define besides."""
    found: set[tuple[str, str]] = set()
    for document in documents:
        found.update(("services", name) for name, service in _services(document) if _is_whole(service))
        for section, _ in _USES:
            found.update((section, name) for name in document.mapping_at(section))
    return found


def _services(document: Node) -> Iterator[tuple[str, Node]]:
    yield from document.mapping_at("services").items()


def _is_whole(service: Node) -> bool:
    """Whether a service says what it runs."""
    if not isinstance(service.value, dict) or isinstance(service.value, OpenMapping):
        return service.is_unknown or isinstance(service.value, OpenMapping)
    return not service.value.keys().isdisjoint(("image", "build", "extends", "provider"))


def _missing(documents: Sequence[Node]) -> set[tuple[str, str]]:
    """What a project of these documents alone uses and does not define."""
    if any("include" in document.mapping for document in documents):
        return set()
    used: set[tuple[str, str]] = set()
    for document in documents:
        for name, service in _services(document):
            used.add(("services", name))
            used.update(("services", other) for other in _names(service.get("depends_on")))
            for attribute, section in _USES:
                used.update((section, other) for other in _names(service.get(attribute)))
    used.discard(("networks", "default"))
    return used - _defined(documents)


def _names(node: Node | None) -> Iterator[str]:
    """The names that a list or mapping of references uses; a mount uses its volume."""
    if node is None:
        return
    if isinstance(node.value, dict):
        yield from node.value
        return
    for entry in node.items:
        if isinstance(entry.value, dict):
            text = entry.text_at("source")
            if text is not None and entry.text_at("type") in (None, "volume"):
                yield text
        elif entry.text is not None:
            source, colon, _ = entry.text.partition(":")
            if source and not source.startswith((".", "/", "~", "$")) and (colon or ":" not in entry.text):
                yield source
