"""Which files there are: git's index when there is one, else a walk that honours ignore files.

Links are never followed. What is left out is told, with the reason, for every file whose name says that it would have
been read.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyprod_audit.discover.classify import classify, helm_kinds
from pyprod_audit.discover.ignore import Excluder, IgnoreStack, is_never_ours
from pyprod_audit.discover.limits import Limits, too_large


@dataclass(slots=True)
class Discovery:
    """The files of one tree.

    `paths`: relative POSIX paths of all that can be read, sorted; `kinds`: the kind of those whose name tells one
    (`classify`); `skipped`: path and reason; `excluded`: how many paths the user's globs removed; `git_root`: the
    folder that holds `.git`; `prefix`: the way from there to the scan root ("" or "services/web"); `notes`: what the
    user might want to know about how the list came about.
    """

    paths: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    excluded: int = 0
    git_root: Path | None = None
    prefix: str = ""
    notes: list[str] = field(default_factory=list)


def discover(
    root: Path,
    *,
    exclude: Sequence[str] = (),
    configured: tuple[str, Sequence[str]] = ("", ()),
    limits: Limits | None = None,
) -> Discovery:
    """List the files below `root`.

    Args:
        root: an existing folder.
        exclude: globs with gitignore semantics that count from `root`.
        configured: further globs, behind the way from the folder they count from to `root` (`Config.prefix`).
        limits: caps on files, depth and time.
    """
    from pyprod_audit.discover.git import list_with_git  # loads subprocess: not at start-up

    limits = limits or Limits()
    found = Discovery(git_root=git_root_of(root))
    if found.git_root is not None:
        found.prefix = _prefix(found.git_root, root)
    deadline = time.monotonic() + limits.seconds
    listed = list_with_git(root, found, limits.seconds) if found.git_root is not None else None
    if not listed:
        listed = _Walk(root, found, limits, deadline).paths()
    excluders = [e for e in (Excluder(exclude), Excluder(configured[1], configured[0])) if e]
    if excluders:
        kept = [path for path in listed if not any(excludes(path) for excludes in excluders)]
        found.excluded = len(listed) - len(kept)
        found.skipped = [(p, why) for p, why in found.skipped if not any(excludes(p) for excludes in excluders)]
        listed = kept
    _keep_readable(root, sorted(listed), found, limits)
    return found


def git_root_of(folder: Path) -> Path | None:
    """The nearest folder at or above `folder` with a `.git` in it, found without asking git."""
    here = Path(os.path.realpath(folder))
    return next((candidate for candidate in (here, *here.parents) if os.path.lexists(candidate / ".git")), None)


def _prefix(git_root: Path, root: Path) -> str:
    relative = Path(os.path.realpath(root)).relative_to(git_root).as_posix()
    return "" if relative == "." else relative


def _keep_readable(root: Path, listed: list[str], found: Discovery, limits: Limits) -> None:
    """Ask the file system about each file whose name is of interest, and sort out those that cannot be read."""
    if len(listed) > limits.files:
        found.skipped.append((listed[limits.files], f"more than {limits.files} files: the rest was not read"))
        listed = listed[: limits.files]
    base = os.fspath(root)
    helm = helm_kinds(listed)
    top = os.path.realpath(base)
    for path in listed:
        kind = helm.get(path) or classify(path)
        if kind is not None:
            reason = _unreadable(base, top, path, limits.bytes_for(kind))
            if reason:
                found.skipped.append((path, reason))
                continue
            found.kinds[path] = kind
        found.paths.append(path)
    found.skipped.sort()


def _unreadable(base: str, top: str, path: str, cap: int) -> str | None:
    full = f"{base}/{path}"
    try:
        status = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return "deleted"
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    if stat.S_ISREG(status.st_mode):
        return too_large(status.st_size, cap) if status.st_size > cap else None
    return _link(full, top) if stat.S_ISLNK(status.st_mode) else special_file(status.st_mode)


def special_file(mode: int) -> str:
    """What a file that is neither regular nor a link is called."""
    for test, name in (
        (stat.S_ISDIR, "folder"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "device"),
        (stat.S_ISBLK, "device"),
    ):
        if test(mode):
            return name
    return "not a regular file"


def _link(full: str, top: str) -> str:
    try:
        target = os.path.realpath(full, strict=True)
    except OSError as error:
        return "link to itself" if error.errno == errno.ELOOP else "broken link"
    if target != top and not target.startswith(top.rstrip(os.sep) + os.sep):
        return "link out of the scanned folder"
    return "link to a folder" if Path(target).is_dir() else "link"


class _Walk:
    """A walk without recursion that honours ignore files."""

    def __init__(self, root: Path, found: Discovery, limits: Limits, deadline: float) -> None:
        self._root = root
        self._found = found
        self._limits = limits
        self._deadline = deadline
        self._ignored = IgnoreStack()

    def paths(self) -> list[str]:
        """The files that are not ignored, in no particular order."""
        self._read_ignore_files_above()
        listed: list[str] = []
        folders: list[tuple[str, int]] = [("", 0)]
        while folders:
            folder, depth = folders.pop()
            if len(listed) > self._limits.files:
                break
            if time.monotonic() > self._deadline:
                why = f"listing took more than {self._limits.seconds:g} s: the rest was not read"
                self._found.skipped.append((folder or ".", why))
                break
            for path, is_folder in self._entries(folder):
                if not is_folder:
                    listed.append(path)
                elif depth + 1 > self._limits.depth:
                    self._found.skipped.append((path, f"more than {self._limits.depth} folders deep"))
                else:
                    folders.append((path, depth + 1))
        return listed

    def _read_ignore_files_above(self) -> None:
        top = self._found.git_root
        if top is None:
            self._ignored.add_above("", self._root / ".gitignore")
            return
        self._ignored.add_above(self._found.prefix, top / ".git" / "info" / "exclude")
        parts = self._found.prefix.split("/") if self._found.prefix else []
        for index in range(len(parts) + 1):
            self._ignored.add_above("/".join(parts[index:]), top.joinpath(*parts[:index]) / ".gitignore")

    def _entries(self, folder: str) -> Iterator[tuple[str, bool]]:
        full = self._root / folder
        lead = f"{folder}/" if folder else ""
        try:
            with os.scandir(full) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            self._found.skipped.append((folder or ".", f"cannot be listed ({error.strerror})"))
            return
        names = {entry.name for entry in entries}
        if folder and "pyvenv.cfg" in names:
            return
        if folder and ".gitignore" in names:
            self._ignored.enter(folder, full / ".gitignore")
        for entry in entries:
            path = lead + entry.name
            if not is_utf8(entry.name):
                self._found.skipped.append((printable(path), "name is not UTF-8"))
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and is_never_ours(entry.name):
                continue
            if not self._ignored.ignores(f"{path}/" if is_folder else path):
                yield path, is_folder


def is_utf8(name: str) -> bool:
    """Whether a name from the file system is text (undecodable bytes come as lone surrogates)."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """`name` with undecodable bytes written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
