"""Imports point one way along the flow, and modules stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pyprod_audit"
# Each part may import itself and what stands to its left.
FLOW = (
    "version", "model", "lifecycles", "message", "vocabulary", "discover", "parsers", "evaluate", "link", "checks",
    "findings", "toml_places", "catalogue_build", "catalogue", "config", "config_keys", "config_files", "options",
    "intake", "engine", "process", "pipeline", "outputs", "cli",
)  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(dotted: str) -> str:
    """The part of the flow that a module belongs to."""
    return dotted.split(".")[1] if "." in dotted else ""


def imported(path: Path) -> Iterator[str]:
    """The modules of this package that a module imports, lazily or not; for type checkers only does not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pyprod_audit"):
            yield from (
                (f"pyprod_audit.{alias.name}" for alias in node.names)
                if node.module == "pyprod_audit"
                else (node.module,)
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("pyprod_audit."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_to_the_left(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in ("__init__", "__main__"):
        return
    allowed = set(FLOW[: FLOW.index(own) + 1]) | {"__version__"}
    assert {part_of(name) for name in imported(path)} - allowed == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_are_small_and_named(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem not in {"utils", "util", "helpers", "helper", "base", "common", "misc"}
