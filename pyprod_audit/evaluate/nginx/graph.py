"""Where the evaluation of nginx configurations starts: the files that no other file includes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.nginx.files import ConfigFile, blocks_of, is_main
from pyprod_audit.evaluate.nginx.includes import Includes, is_for_sites
from pyprod_audit.model.node import Node

HTTP_BLOCKS: Final = frozenset({"server", "upstream", "map", "geo", "split_clients"})
"""Blocks that stand in `http`: a file with one of them at its top belongs into `conf.d`."""
_MAX_STEPS: Final = 20_000


def starting_points(files: Sequence[ConfigFile], includes: Includes) -> list[ConfigFile]:
    """The main configurations, then the other files that nobody includes.

    Servers that lie beside the only main configuration of a folder are given to its `include conf.d/*.conf` when that
    matches nothing, as a side effect on `includes`.
    """
    graph = _Graph(sorted(files, key=lambda file: file.location), includes)
    included = graph.included()
    roots = [file for file in graph.files if file.location not in included]
    entries = [file for file in roots if is_main(file)]
    # Files that only include each other have no root; the entry points among them still count.
    reached = graph.reached(roots)
    entries += [file for file in graph.files if file.location not in reached and is_main(file)]
    used = graph.reached(entries)
    orphans = [file for file in roots if file.location not in used]
    adopted = _adopt(entries, orphans, graph)
    return [*entries, *(orphan for orphan in orphans if orphan.location not in adopted)]


class _Graph:
    """Files and what their includes bring in."""

    def __init__(self, files: Sequence[ConfigFile], includes: Includes) -> None:
        self.files = files
        self.includes = includes
        self._arguments: dict[str, list[Node]] = {}

    def arguments(self, file: ConfigFile) -> list[Node]:
        """The arguments of all includes of a file, at any depth."""
        if file.location not in self._arguments:
            self._arguments[file.location] = list(_include_arguments(file))
        return self._arguments[file.location]

    def included(self) -> set[str]:
        """The locations that some file includes."""
        found: set[str] = set()
        for file in self.files:
            main = self.includes.main_of(file.location)
            for argument in self.arguments(file):
                found.update(one.location for one in self.includes.resolve(argument, file.location, main))
        return found

    def reached(self, roots: Iterable[ConfigFile]) -> set[str]:
        """The locations that the roots lead to, each read with the main configuration of its root."""
        seen: set[tuple[str | None, str]] = set()
        pending = [(self.includes.main_of(root.location), root) for root in roots]
        while pending and len(seen) < _MAX_STEPS:
            main, file = pending.pop()
            if (main, file.location) not in seen:
                seen.add((main, file.location))
                for argument in self.arguments(file):
                    pending.extend((main, one) for one in self.includes.resolve(argument, file.location, main))
        return {location for _, location in seen}


def _include_arguments(file: ConfigFile) -> Iterable[Node]:
    stack = [*file.directives]
    while stack:
        members = stack.pop().mapping
        if "block" in members:
            stack.extend(members["block"].items)
        elif members["name"].value == "include":
            yield from members["args"].items[:1]


def _adopt(entries: Sequence[ConfigFile], orphans: Sequence[ConfigFile], graph: _Graph) -> set[str]:
    """Give servers that lie beside the only entry point to its empty `conf.d/*.conf`; returns their locations.

    That is how a Dockerfile finds them that copies `nginx.conf` and `default.conf` to their places in the image.
    """
    servers = _by_folder([orphan for orphan in orphans if not blocks_of(orphan).isdisjoint(HTTP_BLOCKS)])
    adopted: set[str] = set()
    for folder, (entry, *others) in _by_folder(entries).items():
        beside = servers.get(folder, [])
        if others or not beside:
            continue
        for argument in graph.arguments(entry):
            if is_for_sites(argument.text or "") and not graph.includes.resolve(argument, entry.location, folder):
                graph.includes.adopt(argument, entry.location, folder, beside)
                adopted.update(file.location for file in beside)
                break
    return adopted


def _by_folder(files: Sequence[ConfigFile]) -> Mapping[str, list[ConfigFile]]:
    found: dict[str, list[ConfigFile]] = {}
    for file in files:
        found.setdefault(posixpath.dirname(file.location), []).append(file)
    return found
