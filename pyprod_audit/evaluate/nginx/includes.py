"""Which files an nginx `include` brings in.

nginx reads the argument relative to the folder of its main configuration, wherever the include stands
(`ngx_conf_full_name`, nginx, src/core/ngx_cycle.c), and hands globs to glob(3), which sorts by path. The repository
keeps these files anywhere: the folder of the main configuration stands for `/etc/nginx`, and what does not lie where
nginx would look is searched for by the longest tail of the argument that exists, nearest to the including file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from pyprod_audit.evaluate.nginx.files import GLOB, ConfigFile, Files, is_main
from pyprod_audit.model.node import Node
from pyprod_audit.model.patterns import lazy

_MAX_ARGUMENT = 512
_MAX_FOLDERS = 500
# Where nginx and its relatives are installed to look for their main configuration.
_CONF_FOLDERS: Final = (
    "/etc/nginx", "/usr/local/nginx/conf", "/usr/local/openresty/nginx/conf", "/opt/bitnami/nginx/conf",
    "/usr/local/etc/nginx", "/opt/nginx/conf", "/etc/openresty", "/etc/angie", "/etc/opt/rh/rh-nginx120/nginx",
)  # fmt: skip
# Files that come with nginx and say nothing that a rule could miss.
_STANDARD = lazy(
    r"(?:^|/)(?:mime\.types|(?:fastcgi|uwsgi|scgi)_params|fastcgi\.conf|koi-utf|koi-win|win-utf)$|(?:^|/)modules(?:-enabled)?/"
)
_SITES = lazy(r"(?:^|/)(?:conf\.d|sites-enabled|sites-available|sites|servers|vhosts(?:\.d)?)/[^/]*$")
_BELOW_MAIN: Final = frozenset(
    {"conf.d", "sites-enabled", "sites-available", "sites", "servers", "vhosts", "vhosts.d", "snippets", "templates"}
)


def is_standard(argument: str) -> bool:
    """Whether the file comes with every nginx (`mime.types`, `fastcgi_params`, modules)."""
    return _STANDARD.search(argument) is not None


def is_for_sites(argument: str) -> bool:
    """Whether the argument is a glob that by convention brings in servers (`conf.d/*.conf`, `sites-enabled/*`)."""
    return GLOB.search(argument) is not None and _SITES.search(argument) is not None


class _Asked(NamedTuple):
    """An include as it is looked up: the folder of the file that it stands in, that of the main configuration."""

    folder: str
    main: str | None
    argument: str


class Includes:
    """The include arguments of a set of files, resolved."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[_Asked, tuple[ConfigFile, ...]] = {}
        self._mains: set[str] = set()
        self._mains = self._folders_of_mains()
        self._known.clear()

    def _folders_of_mains(self) -> set[str]:
        """The folders of the main configurations; one may have its `events` and `http` in files that it includes."""
        mains = {file.location for file in self._files.given if is_main(file)}
        parts: set[str] = set()
        for file in self._files.given if mains else ():
            for directive in file.directives:
                members = directive.mapping
                if members["name"].value == "include" and members["args"].items:
                    found = self.resolve(members["args"].items[0], file.location, posixpath.dirname(file.location))
                    included = {one.location for one in found} & mains
                    if included:
                        parts |= included
                        mains.add(file.location)
        return {posixpath.dirname(location) for location in mains - parts}

    def main_of(self, location: str) -> str | None:
        """The folder of the main configuration that a file is most likely read by: the nearest above it.

        Without one, the folder above `conf.d` and its like; None when nothing tells.
        """
        folder = posixpath.dirname(location)
        for base in _upwards(folder):
            if base in self._mains:
                return base
        return posixpath.dirname(folder) if posixpath.basename(folder) in _BELOW_MAIN else None

    def resolve(self, argument: Node, location: str, main: str | None) -> tuple[ConfigFile, ...]:
        """The files that an include brings in, in the order in which nginx reads them.

        Args:
            argument: of the `include` directive.
            location: of the file that it stands in.
            main: the folder of the main configuration; None when it is not known.

        Returns:
            Nothing when none of the files is in the repository. The including file itself is left out.
        """
        text = argument.text
        if not text or len(text) > _MAX_ARGUMENT:
            return ()
        asked = _Asked(posixpath.dirname(location), main, text)
        if asked not in self._known:
            self._known[asked] = self._exact(asked) or self._search(asked)
        return tuple(file for file in self._known[asked] if file.location != location)

    def is_itself(self, argument: Node, location: str, main: str | None) -> bool:
        """Whether an include names the very file that it stands in; a glob that also matches it does not."""
        text = argument.text or ""
        found = self._known.get(_Asked(posixpath.dirname(location), main, text), ())
        return not GLOB.search(text) and any(file.location == location for file in found)

    def adopt(self, argument: Node, location: str, main: str | None, files: Sequence[ConfigFile]) -> None:
        """Let `argument`, which matches nothing, bring in `files` from now on."""
        self._known[_Asked(posixpath.dirname(location), main, argument.text or "")] = tuple(files)

    # -- where nginx looks -----------------------------------------------------------------------------------

    def _exact(self, asked: _Asked) -> tuple[ConfigFile, ...]:
        """The files at the place where nginx looks, as far as the place of the main configuration tells it."""
        if asked.main is None:
            return ()
        for path in _places(asked.main, asked.argument):
            found = self._files.matching(path)
            if found:
                return found
        return ()

    # -- where people keep it --------------------------------------------------------------------------------

    def _search(self, asked: _Asked) -> tuple[ConfigFile, ...]:
        parts = [part for part in asked.argument.split("/") if part not in ("", ".", "..")]
        for size in range(len(parts), 0, -1):
            tail = parts[-size:]
            if size < len(parts) and GLOB.search(tail[0]):
                break  # without a name in front, `*.conf` would take whatever lies about
            found = self._near(asked, tail, 99 if size > 1 else 3) or (self._anywhere(asked, tail) if size > 1 else ())
            if found:
                return found
        if parts[-2:-1] == ["sites-enabled"]:
            instead = asked._replace(argument="/".join([*parts[:-2], "sites-available", parts[-1]]))
            return self._exact(instead) or self._search(instead)
        return ()

    def _near(self, asked: _Asked, tail: list[str], steps: int) -> tuple[ConfigFile, ...]:
        """Look in the folder and in those above it."""
        below = "/".join(tail[:-1])
        for base in list(_upwards(asked.folder))[:steps]:
            found = self._usable(asked, self._files.given_in(posixpath.join(base, below).rstrip("/"), tail[-1]))
            if found:
                return found
        return ()

    def _anywhere(self, asked: _Asked, tail: list[str]) -> tuple[ConfigFile, ...]:
        """Look in all folders that end like the tail, nearest first."""
        by_base: dict[tuple[str, ...], list[ConfigFile]] = {}
        for candidate in self._files.folders_named(tail[-2])[:_MAX_FOLDERS]:
            parts = candidate.split("/")
            base = tuple(parts[: len(parts) - len(tail) + 1])
            ends = parts[len(base) :]
            if len(ends) == len(tail) - 1 and all(map(fnmatchcase, ends, tail)):
                found = self._usable(asked, self._files.given_in(candidate, tail[-1]))
                by_base.setdefault(base, []).extend(found)
        here = asked.folder.split("/")
        bases = [base for base, files in by_base.items() if files]
        if not bases:
            return ()
        return tuple(by_base[min(bases, key=lambda base: (-_shared(base, here), len(base), base))])

    def _usable(self, asked: _Asked, found: tuple[ConfigFile, ...]) -> tuple[ConfigFile, ...]:
        """Those of the files that do not belong to another main configuration.

        What lies with the main configuration of a folder further up may be shared, when it is asked for by its name.
        """
        if asked.main is None or asked.main not in self._mains or not found:
            return found
        allowed = {asked.main, None}
        if not GLOB.search(asked.argument):
            allowed.update(_upwards(asked.main))
        return tuple(file for file in found if self._owner(file.location) in allowed)

    def _owner(self, location: str) -> str | None:
        return next((base for base in _upwards(posixpath.dirname(location)) if base in self._mains), None)


def _places(main: str, argument: str) -> Iterator[str]:
    """Where the argument lies in the tree, when the folder `main` holds the main configuration."""
    if not argument.startswith("/"):
        place = posixpath.normpath(posixpath.join(main, argument))
        if not place.startswith(".."):
            yield place
        return
    place = posixpath.normpath(argument)
    whole = f"/{main}"
    for folder in _CONF_FOLDERS:
        if whole.endswith(folder):
            yield f"{whole.removesuffix(folder)}{place}".lstrip("/")
    for folder in _CONF_FOLDERS:
        if place.startswith(f"{folder}/"):
            yield posixpath.join(main, place.removeprefix(f"{folder}/"))


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
