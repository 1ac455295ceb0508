"""Finds the Python module that a dotted name means inside a service."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from pyprod_audit.link.environment import Environment
from pyprod_audit.model import ImageFiles, Repository, Resource


def modules_by_path(repository: Repository) -> Mapping[str, Resource]:
    """All `py.module` resources by the path of their file."""
    return {module.path: module for module in repository.of_kind("py.module")}


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
        self._modules = repository.memo("link.modules_by_path", modules_by_path)

    def path(self, dotted: str) -> str | None:
        """The file of the tree that `import dotted` would load, or None when none is found."""
        stem = dotted.replace(".", "/")
        for relative in (f"{stem}.py", f"{stem}/__init__.py"):
            for candidate in self._candidates(relative):
                if candidate in self._repository.paths:
                    return candidate
        return None

    def module(self, dotted: str) -> Resource | None:
        """The facts of that file; None when there is no such file or nothing of interest in it."""
        path = self.path(dotted)
        return None if path is None else self._modules.get(path)

    def at(self, relative: str) -> Resource | None:
        """The `py.module` at a path as the process sees it ("gunicorn.conf.py", "/app/conf.py")."""
        for candidate in self._candidates(relative):
            found = self._modules.get(candidate)
            if found is not None:
                return found
        return None

    def _candidates(self, relative: str) -> Iterator[str]:
        if self._files is not None:
            for folder in (self._chdir, "", *self._pythonpath):
                found = self._files.tree_path(posixpath.join(folder, relative))
                if found is not None:
                    yield found
        if relative.startswith("/"):
            return
        folders = list(self._files.folders()) if self._files is not None else []
        if self._project is not None:
            folders += [self._project, posixpath.join(self._project, "src"), posixpath.join(self._project, "app")]
        for folder in folders:
            yield posixpath.join(folder, relative)
