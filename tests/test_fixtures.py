"""Whole broken repositories: the text and SARIF reports, reviewed as diffs.

`PYPROD_AUDIT_UPDATE_SNAPSHOTS=1` rewrites the expected files.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyprod_audit.cli import main

FIXTURES = Path(__file__).parent.parent / "fixtures"
BROKEN = ["broken-django", "broken-shop", "malformed"]
EXPECTED = {"text": "expected.txt", "sarif": "expected.sarif"}


@pytest.fixture
def copied(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A fixture away from this repository's git index, under its own name."""
    folder = tmp_path / str(request.param)
    shutil.copytree(FIXTURES / str(request.param), folder, ignore=shutil.ignore_patterns("expected.*"))
    return folder


def audit(folder: Path, form: str) -> str:
    arguments = ["scan", str(folder), "--isolated", "--profile", "strict", "--as-of", "2026-11-22", "--color", "never",
                 "--fail-on", "never", "--format", form]  # fmt: skip
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("form", EXPECTED)
@pytest.mark.parametrize("copied", BROKEN, indirect=True)
def test_a_broken_repository(copied: Path, form: str) -> None:
    found = audit(copied, form).rstrip("\n") + "\n"
    expected = FIXTURES / copied.name / EXPECTED[form]
    if os.environ.get("PYPROD_AUDIT_UPDATE_SNAPSHOTS"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("copied", ["broken-shop"], indirect=True)
def test_the_same_tree_gives_the_same_bytes(copied: Path) -> None:
    for form in ("text", "json", "sarif", "github", "markdown"):
        assert audit(copied, form) == audit(copied, form)


@pytest.mark.parametrize("copied", ["broken-shop"], indirect=True)
def test_no_report_prints_a_secret(copied: Path) -> None:
    for form in ("text", "json", "sarif", "github", "markdown"):
        report = audit(copied, form)
        for secret in ("Tr0ub4dor-and-3", "hunter2-hunter2", "9f2c1b7e-not-so-secret"):
            assert secret not in report, f"{secret} in {form}"
