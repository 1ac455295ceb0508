"""Files and stages that serve developers or tests, by their names."""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.model import Resource
from pyprod_audit.model.patterns import lazy

_WORKPLACES = frozenset((
    "dev", "devel", "develop", "development", "local", "test", "tests", "testing", "ci", "debug", "lint", "docs", "e2e",
    "devcontainer", "playwright", "sandbox", "playground", "benchmark", "benchmarks", "workstation", "workstations",
))  # fmt: skip
_WORKPLACE_FOLDERS = _WORKPLACES | {".devcontainer", ".github", ".gitlab", ".circleci", ".vscode", ".buildkite"}
_TOKEN = lazy(r"[^a-z0-9]+")


def is_workplace(path: str) -> bool:
    """Whether a file serves developers or tests by its name or one of its folders."""
    *folders, name = path.lower().split("/")
    return not _WORKPLACE_FOLDERS.isdisjoint(folders) or names_a_workplace(name)


def names_a_workplace(name: str) -> bool:
    """Whether one of the words of a name (`requirements-dev.txt`, a stage `dev-envs`) says development or test."""
    return not _WORKPLACES.isdisjoint(_TOKEN.split(name.lower()))


def shipped_stage(stages: Sequence[Resource]) -> Resource:
    """The stage of a Dockerfile that is built for others: the last one, unless it is one for development or tests.

    `docker build` takes the last stage when it is told nothing. A Dockerfile that ends with `FROM prod AS dev` is
    built with `--target`. Its base images, which start nothing, are not what is shipped. `stages` must not be empty.
    """
    last = stages[-1]
    if not names_a_workplace(last.node.text_at("name") or ""):
        return last
    for stage in reversed(stages):
        starts = stage.node.get("cmd") is not None or stage.node.get("entrypoint") is not None
        if starts and not names_a_workplace(stage.node.text_at("name") or ""):
            return stage
    return last
