"""Which files of the tree stand where in an image."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple


class Copy(NamedTuple):
    """One COPY or ADD from the build context: `sources` as written, `target` as an absolute path in the container."""

    sources: tuple[str, ...]
    target: str
    into_folder: bool


class _Source(NamedTuple):
    """One source of a COPY, looked up many times: where it would stand by its own name, and its path in the tree.

    `inside` are the folders of the tree that a path below the target may continue.
    """

    own_place: str
    path: str
    inside: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """What can be said about the files of a final stage. Paths of the tree are relative to the scan root."""

    context: str
    copies: tuple[Copy, ...]
    workdir: str
    paths: Collection[str]

    def tree_path(self, container_path: str, workdir: str | None = None) -> str | None:
        """The file of the tree that stands at `container_path` in the image, when COPY shows it.

        A relative path starts at `workdir`, without one at the image's own.
        """
        path = posixpath.normpath(posixpath.join(self.workdir if workdir is None else workdir, container_path))
        found = self._found
        if path not in found:
            found[path] = next((one for one in self._candidates(path) if one in self.paths), None)
        return found[path]

    @cached_property
    def above(self) -> ImageFiles | None:
        """The same files if the build was given the folder above the context; None when there is none."""
        return replace(self, context=posixpath.dirname(self.context)) if self.context else None

    @cached_property
    def _found(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _sources(self) -> list[tuple[str, str, list[_Source]]]:
        """Target, what a path below it starts with, and sources of every copy, the last (and strongest) copy first."""
        return [
            (copy.target, copy.target.rstrip("/") + "/", [self._source(source, copy.target) for source in copy.sources])
            for copy in reversed(self.copies)
        ]

    def _source(self, source: str, target: str) -> _Source:
        path = self._in_context(source)
        inside = (path, self._in_context(posixpath.dirname(source))) if "*" in source else (path,)
        return _Source(posixpath.join(target, posixpath.basename(source)), path, inside)

    def _in_context(self, path: str) -> str:
        """A path of the build context in the tree; the scan root is the empty string."""
        joined = posixpath.normpath(posixpath.join(self.context, path)).lstrip("/")
        return "" if joined == "." else joined

    def _candidates(self, path: str) -> Iterator[str]:
        for target, prefix, sources in self._sources:
            below = path[len(prefix) :] if path.startswith(prefix) else None
            for source in sources:
                if path == target or path == source.own_place:
                    yield source.path
                if below is not None:
                    for folder in source.inside:
                        yield posixpath.normpath(f"{folder}/{below}" if folder else below).lstrip("/")

    @cached_property
    def _folders(self) -> tuple[str, ...]:
        joined = (self._in_context(source) for copy in self.copies for source in copy.sources)
        return tuple(dict.fromkeys(folder for folder in joined if folder not in self.paths))

    def folders(self) -> tuple[str, ...]:
        """Folders of the tree that the process may import from: those that hold the working directory's files."""
        return self._folders
