"""What is imported when: start-up pays only for what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pyprod_audit.version import __version__

_RUN = """
import json, sys
from pyprod_audit.cli import main
try:
    main({arguments!r})
except SystemExit as ended:
    code = ended.code
sys.stderr.write(json.dumps([code, sorted(sys.modules)]))
"""
_HEAVY = {
    "asyncio", "bandit", "difflib", "email", "hashlib", "http", "jinja2", "jsonschema", "packaging", "pathspec",
    "pip_audit", "requests", "rich", "ssl", "subprocess", "tomllib", "tree_sitter", "tree_sitter_bash",
    "tree_sitter_hcl", "tree_sitter_python", "urllib.request", "yaml",
}  # fmt: skip


def imported(*arguments: str) -> set[str]:
    """The modules loaded after a run of the command line."""
    run = subprocess.run(
        [sys.executable, "-c", _RUN.format(arguments=list(arguments))], capture_output=True, text=True, check=True
    )
    code, modules = json.loads(run.stderr.splitlines()[-1])
    assert code in (0, None, 1), run.stdout
    return set(modules)


def test_the_version_needs_nothing_imported() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pyprod_audit", "--version"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert run.stdout == f"pyprod-audit, version {__version__}\n"
    assert modules & ({"click", "pyprod_audit.cli"} | _HEAVY) == set()


def test_the_command_line_imports_click_and_nothing_of_weight() -> None:
    modules = imported("--version")
    assert "click" in modules
    own = {name for name in modules if name.startswith("pyprod_audit")}
    assert own == {"pyprod_audit", "pyprod_audit.cli", "pyprod_audit.version"}
    assert modules & _HEAVY == set()


@pytest.mark.parametrize(
    ("name", "text", "denied"),
    [
        ("main.tf", 'variable "x" {}\n', {"yaml", "tree_sitter", "tree_sitter_hcl", "pathspec", "packaging"}),
        ("k8s.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n", {"tree_sitter", "packaging"}),
        ("nginx.conf", "http { server { listen 80; } }\n", {"yaml", "tree_sitter", "packaging"}),
    ],
)
def test_a_scan_imports_what_its_files_need(tmp_path: Path, name: str, text: str, denied: set[str]) -> None:
    (tmp_path / name).write_text(text)
    modules = imported("scan", str(tmp_path), "--isolated")
    assert modules & {"ssl", "asyncio", "http", "email", "jinja2", "requests", "bandit", "pip_audit", "rich"} == set()
    assert modules & denied == set()


def test_the_public_package_is_lazy() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import sys, pyprod_audit; print('yaml' in sys.modules, pyprod_audit.__version__)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.startswith("False ")


def test_the_public_names_resolve() -> None:
    import pyprod_audit

    for name in pyprod_audit.__all__:
        assert getattr(pyprod_audit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = pyprod_audit.nope
