"""Commands of an image build that make virtual environments, and where.

Sources: https://docs.python.org/3/library/venv.html, https://docs.astral.sh/uv/concepts/projects/config/,
https://python-poetry.org/docs/configuration/#virtualenvscreate, https://pipenv.pypa.io/en/latest/virtualenv.html,
https://pdm-project.org/latest/usage/venv/.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.checks.docker_view import build_environment, stages_behind, workdir_at
from pyprod_audit.checks.pip_installs import install_of
from pyprod_audit.link.environment import Environment, expand_shell
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.patterns import lazy

_PYTHON = lazy(r"python[0-9.]*")
# Poetry, Pipenv and PDM install into an environment that is active, or that they are told to use or not to make.
_CHOSEN = lazy(
    r"\bactivate\b|\bVIRTUAL_ENV\b|virtualenvs\.create|env (?:info|use)\b|--venv\b|\bpdm (?:use|config|venv)\b"
)
_IN_PROJECT = lazy(r"virtualenvs\.in-project[ =]+true\b")
_OTHER_PROJECT = frozenset(("--directory", "--project", "--global", "-g", "-p", "-C", "--venv", "--help", "--dry-run"))
_TOOL_FOLDERS = {
    "poetry": "~/.cache/pypoetry/virtualenvs", "pipenv": "~/.local/share/virtualenvs", "pdm": ".venv",
}  # fmt: skip


class Made(NamedTuple):
    """A virtual environment and the command that makes it.

    `path` is absolute, or starts with `~/`; it ends with `/*` when the tool chooses the last name. `filled`: by the
    same command; `by_project_tool`: by Poetry, Pipenv or PDM.
    """

    path: str
    command: Node
    stage: Resource
    relocatable: bool = False
    filled: bool = False
    by_project_tool: bool = False


def environments_made(stage: Resource, repository: Repository) -> Iterator[Made]:
    """The environments that the stages behind `stage` make: by name (`python -m venv`, `uv venv`) or by installing."""
    for one in stages_behind(stage, repository):
        environment = build_environment(one)
        relocatable = (environment.text("UV_VENV_RELOCATABLE") or "") in ("1", "true")
        for run in repository.children(one, "docker.run"):
            for command in run.node.items_at("commands"):
                words = [expand_shell(word, environment) for word in command.items_at("words")]
                by_tool = _tool_path(command, environment, one, repository)
                synced = _synced_path(command, environment) or by_tool
                path = synced or _path_of([word.text for word in words])
                if path and (path.startswith(("/", "~/")) or one.node.text_at("workdir") is not None):
                    home = path.startswith("~/")
                    full = path if home else posixpath.normpath(posixpath.join(workdir_at(run), path))
                    flagged = any(word.text == "--relocatable" for word in words)
                    yield Made(full, command, one, relocatable or flagged, bool(synced), bool(by_tool))


def _synced_path(command: Node, environment: Environment) -> str:
    """The folder that `uv sync` makes a project's environment in; empty for other commands."""
    install = install_of(command)
    if install is None or (install.tool, install.action) != ("uv", "sync"):
        return ""
    if {"--active", "--directory", "--project", "--script"} & set(install.options):
        return ""
    return environment.text("UV_PROJECT_ENVIRONMENT") or ".venv"


def _tool_path(command: Node, environment: Environment, stage: Resource, repository: Repository) -> str:
    """The folder of the environment that Poetry, Pipenv or PDM makes when it installs; empty when it makes none."""
    install = install_of(command)
    if install is None or install.action not in ("install", "sync") or install.tool not in _TOOL_FOLDERS:
        return ""
    text = stage.source.text
    if _CHOSEN.search(text) or _OTHER_PROJECT & set(install.options) or environment.text("VIRTUAL_ENV"):
        return ""
    given = command.mapping_at("env")

    def switched(name: str) -> bool | None:
        value = given[name].text if name in given else environment.text(name)
        return None if value is None else value.lower() in ("1", "true", "yes")

    if install.tool == "pdm":
        return "" if switched("PDM_USE_VENV") is False else ".venv"
    if install.tool == "pipenv":
        if "--system" in install.options or switched("PIPENV_SYSTEM"):
            return ""
        inside = switched("PIPENV_VENV_IN_PROJECT") or ".venv" in text
        root = environment.text("WORKON_HOME")
    else:
        if switched("POETRY_VIRTUALENVS_CREATE") is False or _has_poetry_settings(repository):
            return ""
        inside = switched("POETRY_VIRTUALENVS_IN_PROJECT") or bool(_IN_PROJECT.search(text))
        cache = environment.text("POETRY_CACHE_DIR")
        root = environment.text("POETRY_VIRTUALENVS_PATH") or (f"{cache}/virtualenvs" if cache else None)
    return ".venv" if inside else f"{root or _TOOL_FOLDERS[install.tool]}/*"


def _has_poetry_settings(repository: Repository) -> bool:
    return any(posixpath.basename(path) == "poetry.toml" for path in repository.paths)


def _path_of(words: list[str | None]) -> str:
    """The folder that a command makes an environment in; empty when it makes none, or cannot be told."""
    if not words or words[0] is None:
        return ""
    name = posixpath.basename(words[0])
    rest = words[1:]
    if _PYTHON.fullmatch(name) and words[1:2] == ["-m"] and len(words) > 2:
        name, rest = words[2] or "", words[3:]
    elif name == "uv" and words[1:2] == ["venv"]:
        name, rest = "venv", [*(words[2:] or [None])]
        rest = [".venv"] if rest == [None] else rest
    elif name not in ("virtualenv", "pyvenv"):
        return ""
    if name not in ("venv", "virtualenv", "pyvenv"):
        return ""
    places: list[str] = []
    skip = False
    for word in rest:
        if word is None:
            return ""
        if skip or word.startswith("-"):
            skip = not skip and word in ("-p", "--python", "--prompt", "--seed-packages", "--cache-dir")
            continue
        places.append(word)
    return places[0] if len(places) == 1 else ""
