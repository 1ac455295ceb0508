"""Reading one file of an untrusted tree as text."""

from __future__ import annotations

import codecs
import os
import stat
from pathlib import Path
from typing import NamedTuple

from pyprod_audit.discover.limits import Limits, too_large
from pyprod_audit.discover.walk import special_file
from pyprod_audit.model import Problem, SourceFile

_ENCRYPTED = b"\0GITCRYPT\0"
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Skipped(NamedTuple):
    """A file that is left out on purpose."""

    path: str
    reason: str


class Reader:
    """Reads files below one root. Remembers which folders it has found to lie inside."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self._root = os.path.realpath(root)
        self._limits = limits or Limits()
        self._inside: dict[str, bool] = {"": True}

    def read(self, path: str, kind: str = "") -> SourceFile | Problem | Skipped:
        """The text of `path` (relative, POSIX); `kind` goes into the result and decides the size cap.

        A Problem when the system refuses, Skipped when the file is not for us: a link, special, too large, binary,
        encrypted, or outside the root.
        """
        data = self.data(path, kind)
        return decode(path, data, kind) if isinstance(data, bytes) else data

    def data(self, path: str, kind: str = "") -> bytes | Problem | Skipped:
        """The bytes of `path`; else what `read` says of a file that it cannot or must not read."""
        if not self._is_inside(path.rpartition("/")[0]):
            return Skipped(path, "outside the scanned folder")
        full = f"{self._root}/{path}"
        try:
            if not hasattr(os, "O_NOFOLLOW") and Path(full).is_symlink():
                return Skipped(path, "link")
            descriptor = os.open(full, _FLAGS)
        except FileNotFoundError:
            return Skipped(path, "deleted")
        except (OSError, ValueError) as error:
            if Path(full).is_symlink():
                return Skipped(path, "link")
            return Problem("read", path, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        try:
            return self._read_open(descriptor, path, self._limits.bytes_for(kind))
        except OSError as error:
            return Problem("read", path, f"cannot be read: {error.strerror}")
        finally:
            os.close(descriptor)

    def _read_open(self, descriptor: int, path: str, cap: int) -> bytes | Skipped:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Skipped(path, special_file(status.st_mode))
        chunks: list[bytes] = []
        size = 0
        while chunk := os.read(descriptor, min(max(status.st_size, 1), cap) + 1):
            chunks.append(chunk)
            size += len(chunk)
            if size > cap:  # also a file that grows while it is read
                return Skipped(path, too_large(size, cap))
        return b"".join(chunks)

    def _is_inside(self, folder: str) -> bool:
        known = self._inside.get(folder)
        if known is None:
            usable = not folder.startswith("/") and "\0" not in folder and ".." not in folder.split("/")
            real = os.path.realpath(f"{self._root}/{folder}") if usable else ""
            known = usable and (real == self._root or real.startswith(self._root.rstrip(os.sep) + os.sep))
            self._inside[folder] = known
        return known


def read(root: Path, path: str, limits: Limits | None = None, kind: str = "") -> SourceFile | Problem | Skipped:
    """The text of one file; see `Reader.read`, which is cheaper for many."""
    return Reader(root, limits).read(path, kind)


def decode(path: str, data: bytes, kind: str = "") -> SourceFile | Skipped:
    """`data` as text: UTF-8, UTF-16 by its byte order mark, else Latin-1 (which `SourceFile.encoding` tells)."""
    if data.startswith(_ENCRYPTED):
        return Skipped(path, "encrypted")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return SourceFile(path, data.decode("utf-16"), kind, "utf-16")
        except UnicodeDecodeError:
            return Skipped(path, "binary")
    if b"\0" in data:
        return Skipped(path, "binary")
    try:
        return SourceFile(path, data.decode("utf-8-sig"), kind)
    except UnicodeDecodeError:
        return SourceFile(path, data.decode("latin-1"), kind, "latin-1")
