"""The files that nginx could read: those that were recognised as its configuration, and what else lies there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from pyprod_audit.model.node import Node
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.resource import Problem, Resource
from pyprod_audit.model.tree import Tree
from pyprod_audit.parsers.nginx_templates import without_template_suffix

ENTRY_BLOCKS: Final = frozenset({"http", "events", "stream", "mail"})
"""Blocks that make a file a main configuration."""
GLOB = lazy(r"[*?\[]")
_MAX_COMPARED: Final = 200_000
_MAX_READ: Final = 500
# Apache, supervisord, php-fpm, ini files; they lie in folders called `conf.d` too.
_FOREIGN = lazy(r"^[ \t]*(?:</?[A-Z][A-Za-z]+[ >]|\[[A-Za-z][^\]\n;{}]*\][ \t]*$)|\0", re.MULTILINE)


class ConfigFile(NamedTuple):
    """One file as nginx sees it: `location` is where it lies, a POSIX path, `resource` its `nginx.config`."""

    location: str
    resource: Resource

    @property
    def directives(self) -> tuple[Node, ...]:
        """The directives at its top."""
        return self.resource.node.mapping["directives"].items


def blocks_of(file: ConfigFile) -> set[str]:
    """The names of the blocks at the top of a file."""
    return {d.mapping["name"].text or "" for d in file.directives if "block" in d.mapping}


def is_main(file: ConfigFile) -> bool:
    """Whether the file is a main configuration, by its blocks."""
    return not blocks_of(file).isdisjoint(ENTRY_BLOCKS)


class Files:
    """Files by place: `given` are those that are known to be of nginx, `read` those that were read on demand.

    `problems` are what could not be read of the latter.
    """

    def __init__(self, given: Sequence[ConfigFile], tree: Tree | None = None) -> None:
        """`tree`: where further files may be read that an include names."""
        self.given = given
        self.read: list[ConfigFile] = []
        self.problems: list[Problem] = []
        self._tree = tree
        self._compared = 0
        self._folders: dict[str, dict[str, ConfigFile]] = {}
        self._named: dict[str, list[str]] = {}
        self._sources = {file.location for file in given}
        self._listing: dict[str, list[str]] | None = None
        self._found: dict[str, ConfigFile | None] = {}
        for file in given:
            self._add(without_template_suffix(file.location), file)
        for file in given:
            rendered = _rendered(file.location)
            if rendered:
                self._add(rendered, file, replace=True)

    def matching(self, path: str) -> tuple[ConfigFile, ...]:
        """The file at `path`, or those that it matches as a glob, sorted by path as glob(3) does."""
        if not GLOB.search(path):
            found = self._at(path)
            return (found,) if found is not None else ()
        if "\\" in path:
            return ()
        folder, name = posixpath.split(path)
        paths = [posixpath.join(one, found) for one in self._matching_folders(folder) for found in self._names(one)]
        matching = sorted(found for found in paths if _matches(posixpath.basename(found), name))
        return tuple(file for found in matching if (file := self._at(found, named=False)) is not None)

    def given_in(self, folder: str, pattern: str) -> tuple[ConfigFile, ...]:
        """The given files of one folder whose name is, or matches, `pattern`."""
        names = self._folders.get(folder, {})
        if not GLOB.search(pattern):
            return (names[pattern],) if pattern in names else ()
        return tuple(names[name] for name in sorted(names) if _matches(name, pattern))

    def folders_named(self, name: str) -> Sequence[str]:
        """The folders of given files with this name; all of them for a glob."""
        return list(self._folders) if GLOB.search(name) else self._named.get(name, ())

    def _add(self, place: str, file: ConfigFile, *, replace: bool = False) -> None:
        folder, name = posixpath.split(place)
        if folder not in self._folders:
            self._folders[folder] = {}
            self._named.setdefault(posixpath.basename(folder), []).append(folder)
        if replace or place == file.location or name not in self._folders[folder]:
            self._folders[folder][name] = file

    def _at(self, path: str, *, named: bool = True) -> ConfigFile | None:
        """The file at a path, read now when it was not; `named`: an include names it, so that it must be of nginx."""
        folder, name = posixpath.split(path)
        given = self._folders.get(folder, {}).get(name)
        if given is not None or self._tree is None or path not in self._tree.paths:
            return given
        if path not in self._found:
            self._found[path] = self._parsed(path, named=named) if len(self._found) < _MAX_READ else None
        return self._found[path]

    def _parsed(self, path: str, *, named: bool) -> ConfigFile | None:
        source = self._tree.text(path) if self._tree is not None else None
        if source is None or (not named and _FOREIGN.search(source.text)):
            return None
        from pyprod_audit.parsers.nginx import parse

        parsed = parse(source)
        if parsed.problems and not named:
            return None
        file = ConfigFile(path, parsed.resources[0])
        self.read.append(file)
        self.problems.extend(parsed.problems)
        return file

    def _matching_folders(self, pattern: str) -> Iterator[str]:
        """The folders that a path, or a glob of one, names."""
        if not GLOB.search(pattern):
            yield pattern
            return
        parts = pattern.split("/")
        for folder in dict.fromkeys([*self._folders, *self._listed()]):
            own = folder.split("/")
            self._compared += 1
            if self._compared > _MAX_COMPARED:
                return
            if len(own) == len(parts) and all(map(_matches, own, parts)):
                yield folder

    def _names(self, folder: str) -> dict[str, None]:
        """The names in one folder; of a template, that of the file it is rendered to."""
        return dict.fromkeys([*self._folders.get(folder, ()), *self._listed().get(folder, ())])

    def _listed(self) -> dict[str, list[str]]:
        """The names of all files that were not given, by folder."""
        if self._listing is None:
            self._listing = {}
            for path in self._tree.paths if self._tree is not None else ():
                if path not in self._sources:
                    folder, _, name = path.rpartition("/")
                    self._listing.setdefault(folder, []).append(name)
        return self._listing


def _rendered(location: str) -> str:
    """Where the entry point of the official image writes a template: those below `templates` go to `conf.d`.

    https://github.com/nginx/docker-nginx, entrypoint/20-envsubst-on-templates.sh
    """
    before, found, below = f"/{location}".rpartition("/templates/")
    if not found or not location.endswith(".template"):
        return ""
    return f"{before}/conf.d/{below.removesuffix('.template')}".lstrip("/")


def _matches(name: str, pattern: str) -> bool:
    """Whether glob(3) matches one component of a path: `*` does not match a leading dot, `[^a]` is `[!a]`."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatchcase(name, pattern.replace("[^", "[!"))
