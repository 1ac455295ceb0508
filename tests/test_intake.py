"""From files to resources: every file is counted, and bad ones do not end the scan."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pyprod_audit import intake, pipeline
from pyprod_audit.findings import Profile, Severity
from pyprod_audit.model import Parsed, SourceFile
from pyprod_audit.options import ScanOptions

FIXTURES = Path(__file__).parent.parent / "fixtures"
STRICT = ScanOptions(profile=Profile.STRICT, as_of=date(2026, 11, 22))


def test_malformed_files_are_problems_with_a_line_and_the_rest_is_read() -> None:
    report = pipeline.scan(FIXTURES / "malformed", options=STRICT)
    places = {(problem.path, problem.line) for problem in report.problems}
    assert places == {
        ("k8s/half.yaml", 9), ("nginx/nginx.conf", 1), ("nginx/nginx.conf", 2), ("pyproject.toml", 1),
        ("requirements.txt", 1), ("terraform/main.tf", 4),
    }  # fmt: skip
    assert report.files.skipped == {"encrypted": 1}
    assert report.exit_code(None, strict=True) == 3
    assert report.exit_code(None) == 0


def test_one_broken_document_does_not_lose_the_others() -> None:
    found = intake.from_folder(FIXTURES / "malformed")
    addresses = [resource.address for resource in found.resources if resource.kind.startswith("k8s.")]
    assert addresses == ["Service/fine", "ConfigMap/also-fine"]
    assert "k8s/half.yaml" in found.partial


def test_every_file_is_counted_once() -> None:
    for folder in ("golden", "malformed", "broken-shop", "broken-django"):
        counts = intake.from_folder(FIXTURES / folder).counts
        total = counts.parsed + counts.partial + counts.failed + counts.other + sum(counts.skipped.values())
        assert total == counts.seen == sum(path.is_file() for path in (FIXTURES / folder).rglob("*"))


def test_files_that_are_not_deployed_are_counted_and_not_judged(tmp_path: Path) -> None:
    for folder in (".", "tests", "docs", "examples", "vendor"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "Dockerfile").write_text("FROM python\n")
    report = pipeline.scan(tmp_path, options=STRICT)
    assert {finding.path for finding in report.findings} == {"Dockerfile"}
    assert sum(report.files.skipped.values()) == 4
    assert report.exit_code(Severity.CRITICAL, strict=True) == 0


def test_a_folder_named_on_the_command_line_is_judged_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "Dockerfile").write_text("FROM python\n")
    assert pipeline.scan(tmp_path / "tests", options=STRICT).findings


def test_kustomize_patches_are_not_judged_as_objects(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("patches:\n  - path: memory.yaml\n")
    (tmp_path / "memory.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n")
    report = pipeline.scan(tmp_path, options=STRICT)
    assert not report.findings
    assert report.files.skipped == {}
    assert report.files.parsed == 2


def test_a_parser_that_fails_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_source: SourceFile) -> Parsed:
        raise RecursionError("too deep")

    monkeypatch.setattr(intake, "parser_for", lambda _kind: broken)
    found = intake.from_sources([SourceFile("Dockerfile", "FROM x\n")])
    assert found.problems[0].message == "the parser failed: RecursionError: too deep"
    assert found.counts.failed == 1


def test_one_file_can_be_scanned(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    assert pipeline.scan(tmp_path / "Dockerfile", options=STRICT).findings
    (tmp_path / "binary").write_bytes(b"\0\1")
    assert pipeline.scan(tmp_path / "binary", options=STRICT).problems[0].message == "binary"
    with pytest.raises(FileNotFoundError, match="no such file"):
        pipeline.scan(tmp_path / "nowhere")


def test_a_linker_that_fails_leaves_the_rules_about_single_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> tuple[object, ...]:
        raise ValueError("no join")

    monkeypatch.setattr(pipeline, "build", broken)
    report = pipeline.scan_sources([SourceFile("Dockerfile", "FROM python\n")], options=STRICT)
    assert report.findings
    assert report.exit_code(None) == 2
