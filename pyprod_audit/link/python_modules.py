"""Finds the Python module that a dotted name means inside a service."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import cached_property

from pyprod_audit.link.environment import Environment
from pyprod_audit.model import ImageFiles, Repository, Resource, SourceFile


def modules_by_path(repository: Repository) -> dict[str, Resource]:
    """All `py.module` resources by the path of their file; modules that a process names are added when asked for."""
    return {module.path: module for module in repository.of_kind("py.module")}


def module_at(path: str, repository: Repository) -> Resource | None:
    """The `py.module` of a file, also when the parser passed it over because nothing in it looked interesting."""
    modules = repository.memo("link.modules_by_path", modules_by_path)
    if path not in modules:
        source = repository.files.get(path)
        if source is None or not path.endswith(".py"):
            return None
        from pyprod_audit.parsers.python_source import read_module

        parsed = read_module(source)
        if not parsed.resources:
            return None
        modules[path] = parsed.resources[0]
    return modules[path]


def _names(repository: Repository) -> frozenset[str]:
    """The names that a module or a package of the repository may have: those of all folders and Python files."""
    found: set[str] = set()
    for path in repository.paths:
        if path.endswith(".py"):
            found.update(path.removesuffix(".py").split("/"))
    return frozenset(found)


class ModuleFinder:
    """Looks a module up as the process would: from its working directory, PYTHONPATH and the project's folders."""

    def __init__(
        self, repository: Repository, files: ImageFiles | None, project: str | None, env: Environment, chdir: str = ""
    ) -> None:
        """`chdir`: the folder in the container that the server changes to, when it is told to."""
        self._repository = repository
        self._files = files
        self._project = project
        self._pythonpath = [part for part in (env.text("PYTHONPATH") or "").split(":") if part]
        self._chdir = chdir
        self._known: dict[str, str | None] = {}

    def path(self, dotted: str) -> str | None:
        """The file of the tree that `import dotted` would load, or None when none is found.

        Names that the parser made of relative imports start at the scan root: they are tried last.
        """
        if dotted.partition(".")[0] not in self._repository.memo("link.python_names", _names):
            return None  # most imports are of other people's packages
        if dotted not in self._known:
            self._known[dotted] = self._look_up(dotted.replace(".", "/"))
        return self._known[dotted]

    def _look_up(self, stem: str) -> str | None:
        relatives = (f"{stem}.py", f"{stem}/__init__.py")
        for relative in relatives:
            for candidate in self._candidates(relative):
                if candidate in self._repository.paths:
                    return candidate
        return next((relative for relative in relatives if relative in self._repository.paths), None)

    def module(self, dotted: str) -> Resource | None:
        """The facts of that file; None when there is no such file or it was not read."""
        path = self.path(dotted)
        return None if path is None else module_at(path, self._repository)

    def at(self, relative: str) -> Resource | None:
        """The `py.module` at a path as the process sees it ("gunicorn.conf.py", "/app/conf.py")."""
        for candidate in self._candidates(relative):
            found = module_at(candidate, self._repository)
            if found is not None:
                return found
        return None

    def text(self, relative: str) -> SourceFile | None:
        """The text of a file that is not Python ("uwsgi.ini") at a path as the process sees it."""
        for candidate in self._candidates(relative):
            found = self._repository.files.get(candidate)
            if found is not None:
                return found
        return None

    def _candidates(self, relative: str) -> Iterator[str]:
        if self._files is not None:
            for folder in dict.fromkeys((self._chdir, "", *self._pythonpath)):
                found = self._files.tree_path(posixpath.join(folder, relative))
                if found is not None:
                    yield found
        if not relative.startswith("/"):
            for folder in self._roots:
                yield posixpath.normpath(f"{folder}/{relative}" if folder else relative)

    @cached_property
    def _roots(self) -> tuple[str, ...]:
        """The folders of the tree that a relative path may start at."""
        folders = list(self._files.folders()) if self._files is not None else []
        if self._project is not None:
            folders += [self._project, posixpath.join(self._project, "src"), posixpath.join(self._project, "app")]
        inside = () if self._chdir.startswith("/") or not self._chdir else (self._chdir,)
        return tuple(
            dict.fromkeys(
                posixpath.join(folder, below) if below else folder for folder in folders for below in (*inside, "")
            )
        )
