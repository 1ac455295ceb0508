"""Which files of the tree stand where in an image."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Copy:
    """One COPY or ADD from the build context: `sources` as written, `target` as an absolute path in the container."""

    sources: tuple[str, ...]
    target: str
    into_folder: bool


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """What can be said about the files of a final stage. Paths of the tree are relative to the scan root."""

    context: str
    copies: tuple[Copy, ...]
    workdir: str
    paths: Collection[str]

    def tree_path(self, container_path: str) -> str | None:
        """The file of the tree that stands at `container_path` in the image, when COPY shows it."""
        path = posixpath.normpath(posixpath.join(self.workdir, container_path))
        for copy in reversed(self.copies):
            for candidate in self._candidates(copy, path):
                joined = posixpath.normpath(posixpath.join(self.context, candidate)).lstrip("/")
                if joined in self.paths:
                    return joined
        return None

    def _candidates(self, copy: Copy, path: str) -> Iterator[str]:
        for source in copy.sources:
            if path == copy.target:
                yield source
            if posixpath.join(copy.target, posixpath.basename(source)) == path:
                yield source
            inside = path.removeprefix(copy.target.rstrip("/") + "/")
            if inside != path:
                yield posixpath.join(source, inside)
                if "*" in source:
                    yield posixpath.join(posixpath.dirname(source), inside)

    def folders(self) -> list[str]:
        """Folders of the tree that the process may import from: those that hold the working directory's files."""
        found: list[str] = []
        for copy in self.copies:
            for source in copy.sources:
                joined = posixpath.normpath(posixpath.join(self.context, source)).lstrip("/")
                joined = "" if joined == "." else joined
                if joined not in found and joined not in self.paths:
                    found.append(joined)
        return found
