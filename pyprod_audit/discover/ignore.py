"""Ignore files and exclude globs, with git's semantics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LARGEST_IGNORE_FILE = 1024 * 1024

NEVER_OURS = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "node_modules", "__pycache__", "__pypackages__",
    "site-packages", ".terraform", ".terragrunt-cache", ".eggs", ".mypy_cache", ".ruff_cache", ".pytest_cache",
    ".hypothesis", ".direnv", ".cache",
})  # fmt: skip
"""Folders that hold what tools made or fetched; they are not walked unless git tracks what is in them."""


def is_never_ours(folder: str) -> bool:
    """Whether a folder of this name holds what tools made or fetched."""
    return folder in NEVER_OURS or folder.endswith((".dist-info", ".egg-info"))


class Excluder:
    """Globs with gitignore semantics, matched against paths that stand below `prefix`."""

    def __init__(self, patterns: Sequence[str], prefix: str = "") -> None:
        """`patterns` as in a .gitignore; `prefix` leads from the folder they count from to the scan root."""
        self._prefix = f"{prefix}/" if prefix else ""
        self._spec = _spec(patterns) if patterns else None

    def __call__(self, path: str) -> bool:
        """Whether `path`, relative to the scan root, is excluded. End a folder's path with a slash."""
        return self._spec is not None and bool(self._spec.match_file(self._prefix + path))

    def __bool__(self) -> bool:
        return self._spec is not None


class IgnoreStack:
    """The .gitignore files that apply while a tree is walked, deepest last."""

    def __init__(self) -> None:
        self._specs: dict[str, GitIgnoreSpec] = {}
        self._above: list[tuple[str, GitIgnoreSpec]] = []

    def add_above(self, prefix: str, file: Path) -> None:
        """Read an ignore file of a folder at or above the root; `prefix` leads from that folder to the root."""
        spec = _read(file)
        if spec is not None:
            self._above.append((f"{prefix}/" if prefix else "", spec))

    def enter(self, folder: str, file: Path) -> None:
        """Read the ignore file of `folder` (relative to the root, not the root itself)."""
        spec = _read(file)
        if spec is not None:
            self._specs[folder] = spec

    def ignores(self, path: str) -> bool:
        """Whether `path` is ignored; a folder's path ends with a slash. The deepest file with an opinion decides."""
        if self._specs:
            at = path.rstrip("/").rfind("/")
            while at > 0:
                folder = path[:at]
                spec = self._specs.get(folder)
                verdict = None if spec is None else spec.check_file(path[at + 1 :]).include
                if verdict is not None:
                    return verdict
                at = folder.rfind("/")
        for prefix, spec in reversed(self._above):
            verdict = spec.check_file(prefix + path).include
            if verdict is not None:
                return verdict
        return False


def _read(file: Path) -> GitIgnoreSpec | None:
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_IGNORE_FILE:
            return None
        return _spec(file.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return None


def _spec(patterns: Iterable[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # compiles its patterns on import: not at start-up

    usable = []
    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError:  # git ignores what it cannot understand
            continue
        usable.append(pattern)
    return GitIgnoreSpec.from_lines(usable)


def complaint_about(pattern: str) -> str | None:
    """Why `pattern` is no valid gitignore pattern, or None."""
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError as error:
        return str(error)
    return None
