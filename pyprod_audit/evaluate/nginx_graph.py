"""Where the evaluation of nginx configurations starts: the files that no other file includes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.nginx_includes import Includes, is_for_sites
from pyprod_audit.model.node import Node
from pyprod_audit.model.resource import Resource

ENTRY_BLOCKS: Final = frozenset({"http", "events", "stream", "mail"})
"""Blocks that make a file a main configuration."""
HTTP_BLOCKS: Final = frozenset({"server", "upstream", "map", "geo", "split_clients"})
"""Blocks that stand in `http`: a file with one of them at its top belongs into `conf.d`."""


def starting_points(files: Sequence[Resource], includes: Includes) -> list[Resource]:
    """The main configurations, then the other files that nobody includes.

    Servers that lie beside the only main configuration of a folder are given to its `include conf.d/*.conf` when that
    matches nothing, as a side effect on `includes`.
    """
    files = sorted(files, key=lambda file: file.path)
    arguments = {file.path: list(_include_arguments(file)) for file in files}
    included = {found.path for own in arguments.values() for argument in own for found in includes.resolve(argument)}
    roots = [file for file in files if file.path not in included]
    entries = [file for file in roots if _blocks(file) & ENTRY_BLOCKS]
    # Files that only include each other have no root; the entry points among them still count.
    reached = _reached(roots, arguments, includes)
    entries += [file for file in files if file.path not in reached and _blocks(file) & ENTRY_BLOCKS]
    known = {file.path for file in entries}
    orphans = [file for file in roots if file.path not in known]
    adopted = _adopt(entries, orphans, arguments, includes)
    return [*entries, *(orphan for orphan in orphans if orphan.path not in adopted)]


def directives_of(file: Resource) -> tuple[Node, ...]:
    """The directives at the top of a file."""
    return file.node.mapping["directives"].items


def _blocks(file: Resource) -> set[str]:
    """The names of the blocks at the top of a file."""
    return {d.mapping["name"].text or "" for d in directives_of(file) if "block" in d.mapping}


def _include_arguments(file: Resource) -> Iterable[Node]:
    """The arguments of all includes of a file, at any depth."""
    stack = [*directives_of(file)]
    while stack:
        members = stack.pop().mapping
        if "block" in members:
            stack.extend(members["block"].items)
        elif members["name"].value == "include":
            yield from members["args"].items[:1]


def _reached(roots: Sequence[Resource], arguments: Mapping[str, list[Node]], includes: Includes) -> set[str]:
    """The paths that the roots lead to."""
    reached: set[str] = set()
    pending = [root.path for root in roots]
    while pending:
        path = pending.pop()
        if path not in reached:
            reached.add(path)
            pending.extend(found.path for argument in arguments[path] for found in includes.resolve(argument))
    return reached


def _adopt(
    entries: Sequence[Resource], orphans: Sequence[Resource], arguments: Mapping[str, list[Node]], includes: Includes
) -> set[str]:
    """Give servers that lie beside the only entry point to its empty `conf.d/*.conf`; returns their paths.

    That is how a Dockerfile finds them that copies `nginx.conf` and `default.conf` to their places in the image.
    """
    by_folder: dict[str, list[Resource]] = {}
    for orphan in orphans:
        if _blocks(orphan) & HTTP_BLOCKS:
            by_folder.setdefault(posixpath.dirname(orphan.path), []).append(orphan)
    entry_of: dict[str, list[Resource]] = {}
    for entry in entries:
        entry_of.setdefault(posixpath.dirname(entry.path), []).append(entry)
    adopted: set[str] = set()
    for folder, candidates in entry_of.items():
        beside = by_folder.get(folder, [])
        if len(candidates) != 1 or not beside:
            continue
        for argument in arguments[candidates[0].path]:
            if is_for_sites(argument.text or "") and not includes.resolve(argument):
                includes.adopt(argument, beside)
                adopted.update(file.path for file in beside)
                break
    return adopted
