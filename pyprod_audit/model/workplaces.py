"""Names that say development or test."""

from __future__ import annotations

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
