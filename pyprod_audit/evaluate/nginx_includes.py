"""Which files of the repository an nginx `include` brings in.

The repository keeps the files anywhere, so the argument (`/etc/nginx/conf.d/*.conf`, or relative to the folder of the
main configuration) is matched from its end: the longest tail that exists, nearest to the including file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from pyprod_audit.model.node import Node
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.resource import Resource
from pyprod_audit.parsers.nginx_templates import without_template_suffix

_MAX_ARGUMENT = 512
_MAX_FOLDERS = 500
_GLOB = lazy(r"[*?\[]")
# Files that come with nginx and say nothing that a rule could miss.
_STANDARD = lazy(
    r"(?:^|/)(?:mime\.types|(?:fastcgi|uwsgi|scgi)_params|fastcgi\.conf|koi-utf|koi-win|win-utf)$|(?:^|/)modules(?:-enabled)?/"
)
_SITES = lazy(r"(?:^|/)(?:conf\.d|sites-enabled|sites-available|sites|servers|vhosts(?:\.d)?)/[^/]*$")


def is_standard(argument: str) -> bool:
    """Whether the file comes with every nginx (`mime.types`, `fastcgi_params`, modules)."""
    return _STANDARD.search(argument) is not None


def is_for_sites(argument: str) -> bool:
    """Whether the argument is a glob that by convention brings in servers (`conf.d/*.conf`, `sites-enabled/*`)."""
    return _GLOB.search(argument) is not None and _SITES.search(argument) is not None


class Includes:
    """The include arguments of a set of files, resolved."""

    def __init__(self, files: Sequence[Resource]) -> None:
        """`files`: all `nginx.config` resources of the repository."""
        self._folders: dict[str, dict[str, Resource]] = {}
        self._named: dict[str, list[str]] = {}
        self._known: dict[tuple[str, str], tuple[Resource, ...]] = {}
        for file in files:
            folder, name = posixpath.split(without_template_suffix(file.path))
            self._add(folder, name, file)
            if posixpath.basename(folder) == "templates" and file.path.endswith(".template"):
                # The entry point of the official image renders /etc/nginx/templates into /etc/nginx/conf.d.
                self._add(posixpath.join(posixpath.dirname(folder), "conf.d"), name, file)

    def _add(self, folder: str, name: str, file: Resource) -> None:
        if folder not in self._folders:
            self._folders[folder] = {}
            self._named.setdefault(posixpath.basename(folder), []).append(folder)
        self._folders[folder].setdefault(name, file)

    def resolve(self, argument: Node) -> tuple[Resource, ...]:
        """The files that `argument` (of an `include`) brings in, in order; empty when none is in the repository."""
        text, origin = argument.text, argument.source.path
        if not text or len(text) > _MAX_ARGUMENT:
            return ()
        key = (posixpath.dirname(origin), text)
        if key not in self._known:
            self._known[key] = self._search(*key)
        return tuple(file for file in self._known[key] if file.path != origin)

    def adopt(self, argument: Node, files: Sequence[Resource]) -> None:
        """Let `argument`, which matches nothing, bring in `files` from now on."""
        self._known[(posixpath.dirname(argument.source.path), argument.text or "")] = tuple(files)

    def _search(self, folder: str, argument: str) -> tuple[Resource, ...]:
        parts = [part for part in argument.split("/") if part not in ("", ".", "..")]
        for size in range(len(parts), 0, -1):
            tail = parts[-size:]
            if size == 1 and len(parts) > 1 and _GLOB.search(tail[0]):
                break  # a bare `*.conf` would take whatever lies about
            found = self._near(folder, tail, 99 if size > 1 else 3) or (
                self._anywhere(folder, tail) if size > 1 else ()
            )
            if found:
                return found
        if parts[-2:-1] == ["sites-enabled"]:
            return self._search(folder, "/".join([*parts[:-2], "sites-available", parts[-1]]))
        return ()

    def _near(self, folder: str, tail: list[str], steps: int) -> tuple[Resource, ...]:
        """Look in the folder and in those above it."""
        below = "/".join(tail[:-1])
        for base in list(_upwards(folder))[:steps]:
            found = _matching(self._folders.get(posixpath.join(base, below).rstrip("/"), {}), tail[-1])
            if found:
                return found
        return ()

    def _anywhere(self, folder: str, tail: list[str]) -> tuple[Resource, ...]:
        """Look in all folders that end like the tail, nearest first."""
        last = tail[-2]
        named = list(self._folders) if _GLOB.search(last) else self._named.get(last, [])
        by_base: dict[tuple[str, ...], list[Resource]] = {}
        for candidate in named[:_MAX_FOLDERS]:
            parts = candidate.split("/")
            base = tuple(parts[: len(parts) - len(tail) + 1])
            ends = parts[len(base) :]
            if len(ends) == len(tail) - 1 and all(map(fnmatchcase, ends, tail)):
                by_base.setdefault(base, []).extend(_matching(self._folders[candidate], tail[-1]))
        here = folder.split("/")
        found = [base for base, files in by_base.items() if files]
        if not found:
            return ()
        return tuple(by_base[min(found, key=lambda base: (-_shared(base, here), len(base), base))])


def _matching(names: dict[str, Resource], pattern: str) -> tuple[Resource, ...]:
    """The files of one folder whose name matches; as in a shell, `*` does not match a leading dot."""
    if not _GLOB.search(pattern):
        return (names[pattern],) if pattern in names else ()
    hidden = pattern.startswith(".")
    return tuple(names[name] for name in sorted(names) if name.startswith(".") == hidden and fnmatchcase(name, pattern))


def _upwards(folder: str) -> Iterator[str]:
    """The folder and those above it, up to the root ("")."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def _shared(base: tuple[str, ...], here: list[str]) -> int:
    """How many leading folders two places share."""
    count = 0
    for one, other in zip(base, here, strict=False):
        if one != other:
            break
        count += 1
    return count
