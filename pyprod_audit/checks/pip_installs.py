"""Commands that install Python distributions, and which of them production's images and hosts run.

Sources: https://pip.pypa.io/en/stable/cli/pip_install/, https://docs.astral.sh/uv/reference/cli/,
https://python-poetry.org/docs/cli/, https://pipenv.pypa.io/en/latest/commands.html,
https://pdm-project.org/latest/reference/cli/.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NamedTuple

from pyprod_audit.checks.docker_view import (
    build_environment,
    files_of,
    is_shipped,
    is_workplace,
    mounts_of,
    workdir_at,
)
from pyprod_audit.link.environment import expand_shell
from pyprod_audit.model import ImageFiles, Node, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.shell import commands_of

_PIP = lazy(r"pip[0-9.]*")
_PYTHON = lazy(r"python[0-9.]*|pypy[0-9.]*")
_FRONTS = frozenset(("sudo", "nohup", "time", "nice", "xargs", "gosu", "su-exec", "command", "retry", "timeout"))
_LONG = {
    "-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-t": "--target", "-i": "--index-url",
    "-f": "--find-links", "-C": "--config-settings", "-w": "--wheel-dir", "-d": "--dest", "-p": "--python",
    "-b": "--build-constraint", "-P": "--upgrade-package", "-U": "--upgrade", "--requirements": "--requirement",
    "--constraints": "--constraint",
}  # fmt: skip
# Options that take a value; what is not here is a switch.
_VALUED = frozenset((
    "--requirement", "--constraint", "--editable", "--target", "--index-url", "--find-links", "--config-settings",
    "--config-setting", "--wheel-dir", "--dest", "--python", "--build-constraint", "--upgrade-package", "--platform",
    "--python-version", "--implementation", "--abi", "--root", "--prefix", "--src", "--upgrade-strategy",
    "--progress-bar", "--root-user-action", "--report", "--no-binary", "--only-binary", "--extra-index-url",
    "--trusted-host", "--global-option", "--install-option", "--log", "--proxy", "--retries", "--timeout",
    "--exists-action", "--cert", "--client-cert", "--cache-dir", "--keyring-provider", "--group", "--use-feature",
    "--use-deprecated", "--build-option", "--index", "--default-index", "--index-strategy", "--resolution",
    "--prerelease", "--link-mode", "--override", "--overrides", "--torch-backend", "--exclude-newer", "--config-file",
    "--directory", "--project", "--extra", "--reinstall-package", "--refresh-package", "--no-build-package",
    "--python-platform", "--color", "--allow-insecure-host", "--with", "--without", "--only", "--extras", "--package",
    "--no-install-package", "--no-group", "--only-group", "--no-extra", "--categories", "--pypi-mirror", "--lockfile",
    "--python-preference", "--with-editable", "--spec", "--pip-args", "--suffix", "--uploaded-prior-to",
))  # fmt: skip
_PROJECT_TOOLS = {
    "poetry": ("install", "sync", "update", "lock", "export", "self"),
    "pipenv": ("install", "sync", "update", "lock", "requirements"),
    "pdm": ("install", "sync", "update", "lock", "export"),
}
_DEPLOYING = frozenset((
    "deploy", "deployment", "provision", "provisioning", "bootstrap", "entrypoint", "start", "startup", "userdata",
    "release", "prod", "production",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Install:
    """One command that installs distributions.

    `tool`: pip, uv pip, uv (the project's own commands), uv tool, pipx, poetry, pipenv, pdm; `action`: its subcommand;
    `words`: what is named on the command line, `files` and `constraints` what `-r` and `-c` name, `local` what `-e`
    names; `options`: the long names of all options, with the value of those that take one.
    """

    tool: str
    action: str
    command: Node
    words: tuple[Node, ...] = ()
    files: tuple[Node, ...] = ()
    constraints: tuple[Node, ...] = ()
    local: tuple[Node, ...] = ()
    options: Mapping[str, Node | None] = field(default_factory=dict)

    @property
    def resolves_names(self) -> bool:
        """Whether the command takes distributions by name: pip and its likes."""
        return self.tool in ("pip", "uv pip", "uv tool", "pipx")

    @property
    def conditional(self) -> bool:
        """Whether the command runs only under a condition."""
        return self.command.text_at("condition") in ("if", "case")


class Step(NamedTuple):
    """An install that production runs. `owner`: its `docker.run` or `shell.script`; `stage`: where, if known."""

    install: Install
    owner: Resource
    stage: Resource | None = None


def commands_in(owner: Resource) -> Iterator[Node]:
    """The commands of a `docker.run` or `shell.script`, those behind `bash -c` in place of it."""
    for command in owner.node.items_at("commands"):
        words = command.items_at("words")
        text = words[2].text if len(words) > 2 else None
        if text is not None and command.text_at("name") in ("sh", "bash") and (words[1].text or "").endswith("c"):
            yield from commands_of(text, words[2].span)
        else:
            yield command


def install_of(command: Node) -> Install | None:
    """The install that a command node (docs/model.md, Shell) is, or None."""
    words = list(command.items_at("words"))
    while words and _name(words[0]) in _FRONTS:
        words = _behind_front(words)
    if not words:
        return None
    name = _name(words[0])
    if _PYTHON.fullmatch(name) and len(words) > 2 and words[1].text == "-m":
        words = words[2:]
        name = _name(words[0])
    tail = _without_leading_options(words[1:])
    action = tail[0].text if tail else None
    if name == "uv":
        return _uv(command, action, tail)
    if _PIP.fullmatch(name) and action in ("install", "wheel", "download"):
        return _read("pip", action, command, tail[1:])
    if name == "pipx" and action == "install":
        return _read("pipx", action, command, tail[1:])
    if name in _PROJECT_TOOLS and action in _PROJECT_TOOLS[name]:
        return _read(name, action, command, tail[1:])
    return None


def _uv(command: Node, action: str | None, tail: list[Node]) -> Install | None:
    if action in ("pip", "tool") and len(tail) > 1 and tail[1].text in ("install", "sync"):
        found = _read(f"uv {action}", tail[1].text or "", command, tail[2:])
        if found.action == "sync" and action == "pip":  # uv pip sync requirements.txt
            return replace(found, files=(*found.files, *found.words), words=())
        return found
    return _read("uv", action, command, tail[1:]) if action in ("sync", "lock", "export") else None


def _name(word: Node) -> str:
    return posixpath.basename(word.text or "")


def _behind_front(words: list[Node]) -> list[Node]:
    """The words behind `sudo -H -u app`, `xargs -n 1`: up to the first that is a program installing something."""
    for at in range(1, len(words)):
        name = _name(words[at])
        if _PIP.fullmatch(name) or _PYTHON.fullmatch(name) or name in ("uv", "pipx", *_PROJECT_TOOLS):
            return words[at:]
    return []


def _without_leading_options(words: list[Node]) -> list[Node]:
    at = 0
    while at < len(words) and (words[at].text or "").startswith("-"):
        name = _LONG.get(words[at].text or "", words[at].text or "")
        at += 2 if name in _VALUED else 1
    return words[at:]


def _read(tool: str, action: str, command: Node, words: list[Node]) -> Install:
    positional: list[Node] = []
    lists: dict[str, list[Node]] = {"--requirement": [], "--constraint": [], "--editable": []}
    options: dict[str, Node | None] = {}
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        text = word.text if word.text is not None else _expression(word)
        if text == "--":
            positional.extend(words[at:])
            break
        if not text.startswith("-") or text == "-":
            positional.append(word)
            continue
        name, equals, value = text.partition("=")
        if not name.startswith("--") and len(name) > 2 and name[:2] in _LONG:
            name, equals, value = name[:2], "=", text[2:].removeprefix("=")
        name = _LONG.get(name, name)
        found: Node | None = None
        if name in _VALUED:
            if equals:
                found = _tail(word, value)
            elif at < len(words):
                found = words[at]
                at += 1
        options[name] = found
        if name in lists and found is not None:
            lists[name].append(found)
    return Install(
        tool,
        action,
        command,
        tuple(positional),
        tuple(lists["--requirement"]),
        tuple(lists["--constraint"]),
        tuple(lists["--editable"]),
        options,
    )


def _expression(word: Node) -> str:
    return word.value.expression.strip("\"'") if isinstance(word.value, Unknown) else ""


def _tail(word: Node, value: str) -> Node:
    """The value behind `--option=`, in its place at the end of the word."""
    start = max(word.end - len(value), word.start)
    known: str | Unknown = Unknown(value, word.value.because) if isinstance(word.value, Unknown) else value
    return Node(known, word.source, start, word.end)


def steps(repository: Repository) -> tuple[Step, ...]:
    """Every install that production runs: in stages that are shipped, and in scripts that deploy."""
    return repository.memo("checks.install_steps", lambda repo: tuple(_steps(repo)))


def steps_in(stages: list[Resource], repository: Repository) -> list[Step]:
    """Those of `steps` that run in one of `stages`, in their order."""
    by_stage = repository.memo("checks.install_steps_by_stage", _by_stage)
    numbered = [one for stage in dict.fromkeys(stages) for one in by_stage.get(stage, ())]
    return [step for _, step in sorted(numbered, key=itemgetter(0))]


def _by_stage(repository: Repository) -> dict[Resource, list[tuple[int, Step]]]:
    """The steps and their numbers by the stage that runs them."""
    found: dict[Resource, list[tuple[int, Step]]] = {}
    for number, step in enumerate(steps(repository)):
        if step.stage is not None:
            found.setdefault(step.stage, []).append((number, step))
    return found


def _steps(repository: Repository) -> Iterator[Step]:
    scripts = {script.path: script for script in repository.of_kind("shell.script")}
    seen: set[str] = set()
    for run in repository.of_kind("docker.run"):
        if not is_shipped(run.parent, repository):
            continue
        for command in commands_in(run):
            install = install_of(command)
            if install is not None:
                yield Step(install, run, run.parent)
                continue
            script = scripts.get(_script_path(command, run, repository) or "")
            if script is not None:
                seen.add(script.path)
                yield from _of_script(script, run.parent)
    for path, script in scripts.items():
        if path not in seen and deploys(path):
            yield from _of_script(script, None)


def _of_script(script: Resource, stage: Resource | None) -> Iterator[Step]:
    for command in commands_in(script):
        install = install_of(command)
        if install is not None:
            yield Step(install, script, stage)


def _script_path(command: Node, run: Resource, repository: Repository) -> str | None:
    """The script of the tree that a command runs: `./build.sh`, `bash /app/build.sh`."""
    for word in command.items_at("words")[:2]:
        text = word.text
        if text and ("/" in text or text.endswith(".sh")) and run.parent is not None:
            return files_of(run.parent, repository).tree_path(text, workdir_at(run))
    return None


def deploys(path: str) -> bool:
    """Whether a script sets up or starts production by its name: `deploy.sh`, `docker-entrypoint`, `user-data.sh`."""
    name = re.sub(r"user[-_]data", "userdata", posixpath.basename(path).lower())
    words = {*re.split(r"[^a-z]+", name), *posixpath.dirname(path.lower()).split("/")}
    return not is_workplace(path) and not _DEPLOYING.isdisjoint(words)


def resolved(word: Node, step: Step) -> Node:
    """A word with the variables filled in that the build itself sets."""
    return expand_shell(word, build_environment(step.stage)) if word.is_unknown and step.stage is not None else word


def file_in_tree(word: Node, step: Step, repository: Repository) -> str | None:
    """The file of the tree that a path on the command line stands for; None when it is made during the build."""
    text = resolved(word, step).text
    return path_in_tree(text, step, repository) if text and "://" not in text else None


def path_in_tree(text: str, step: Step, repository: Repository) -> str | None:
    """The file of the tree that a path stands for where the command runs."""
    if step.stage is None or step.owner.kind != "docker.run":
        folder = posixpath.dirname(step.owner.path)
        candidates = (posixpath.join(folder, text), text)
        found = (posixpath.normpath(path).lstrip("/") for path in candidates)
        return next((path for path in found if path in repository.paths), None)
    files = files_of(step.stage, repository)
    mounts = tuple(mounts_of(step.owner))
    seen = replace(files, copies=(*files.copies, *mounts)) if mounts else files
    folder = _folder_of(step)
    found_here = seen.tree_path(text, folder)
    above = seen.above
    while found_here is None and above is not None:  # `COPY . .` does not tell which folder the build was given
        found_here = above.tree_path(text, folder)
        above = above.above
    return found_here or _copied_somewhere(posixpath.basename(text), seen)


def _copied_somewhere(name: str, files: ImageFiles) -> str | None:
    """The file of that name that a COPY puts where nobody can tell, such as `${LAMBDA_TASK_ROOT}`."""
    for copy in files.copies:
        for source in copy.sources:
            path = posixpath.normpath(posixpath.join(files.context, source)).lstrip("/")
            if "$" in copy.target and posixpath.basename(source) == name and path in files.paths:
                return path
    return None


def _folder_of(step: Step) -> str:
    """The working directory of the command: that of the RUN, moved by the `cd` ahead of it."""
    folder = workdir_at(step.owner)
    for command in step.owner.node.items_at("commands"):
        if command.start >= step.install.command.start:
            break
        words = command.items_at("words")
        if command.text_at("name") == "cd" and len(words) > 1 and words[1].text:
            folder = posixpath.join(folder, words[1].text)
    return folder
