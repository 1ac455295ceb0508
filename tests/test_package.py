"""What is shipped: exactly the package, its data and the built catalogue."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    stray = ROOT / "pyprod_audit" / "data" / "stray.tmp"
    stray.write_text("not to be shipped")
    try:
        command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)]
        subprocess.run(command, check=True, capture_output=True)
    finally:
        stray.unlink()
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = ROOT / "pyprod_audit"
    sources = {path.relative_to(ROOT).as_posix() for path in package.rglob("*.py")}
    data = {path.relative_to(ROOT).as_posix() for path in (package / "data").glob("*.json")}
    assert shipped == sources | data | {
        "pyprod_audit/py.typed", "pyprod_audit/_catalogue.json", "pyprod_audit/_docs.json",
    }  # fmt: skip


def test_the_wheel_holds_every_rule(wheel: zipfile.ZipFile) -> None:
    index = json.loads(wheel.read("pyprod_audit/_catalogue.json"))
    docs = json.loads(wheel.read("pyprod_audit/_docs.json"))
    names = {rule["name"] for rule in index["rules"]}
    assert names == {path.stem for path in (ROOT / "rules").glob("*/*.yaml")}
    assert len(docs) == len(names)
    assert len(index["sections"]) == 52


def test_library_requirements_are_ranges_and_all_are_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    modules = {"PyYAML": "yaml", "tree-sitter": "tree_sitter", "tree-sitter-bash": "tree_sitter_bash",
               "tree-sitter-hcl": "tree_sitter_hcl", "tree-sitter-python": "tree_sitter_python"}  # fmt: skip
    text = "\n".join(path.read_text() for path in (ROOT / "pyprod_audit").rglob("*.py"))
    for requirement in project["dependencies"]:
        name, operator, _ = requirement.partition(">=")
        assert operator, f"{requirement} is not a lower bound"
        module = modules.get(name, name)
        used = (f"import {module}", f"from {module}", f'language("{module}")')
        assert any(words in text for words in used), f"{name} is not imported"
