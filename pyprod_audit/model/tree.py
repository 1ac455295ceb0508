"""The scanned tree as evaluators see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pyprod_audit.model.source import SourceFile


class Deployment(NamedTuple):
    """What the user says about the deployment.

    `values` and `variables`: the files named with `--values` and `--var-file`, in order, later ones stronger; `helm`:
    the helm program to render charts with ("": our own static rendering).
    """

    values: tuple[SourceFile, ...] = ()
    variables: tuple[SourceFile, ...] = ()
    helm: str = ""


NO_CHOICES: Final = Deployment()


@dataclass(slots=True)
class Tree:
    """The scanned tree as evaluators see it, and the choices of this run that they follow.

    `paths`: all paths of files, relative to the scan root; for the others see `Deployment`.
    """

    paths: Collection[str]
    files: Mapping[str, SourceFile] = field(default_factory=dict)
    reader: Callable[[str], SourceFile | None] | None = None
    deployment: Deployment = NO_CHOICES
    opener: Callable[[str], bytes | None] | None = None
    _read: dict[str, SourceFile | None] = field(default_factory=dict)

    def text(self, path: str) -> SourceFile | None:
        """The file at `path` (POSIX, relative to the root, no `..`), read now if it was not yet.

        None when it is not listed, or cannot or must not be read: a link, binary, too large.
        """
        found = self.files.get(path)
        if found is not None or path not in self.paths:
            return found
        if path not in self._read:
            self._read[path] = self.reader(path) if self.reader is not None else None
        return self._read[path]

    def data(self, path: str) -> bytes | None:
        """The bytes of a file that is no text (a packed chart), on the same terms as `text`."""
        return self.opener(path) if self.opener is not None and path in self.paths else None
