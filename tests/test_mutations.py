"""The golden service satisfies every rule; one small edit breaks exactly one of them, at the edited place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyprod_audit.findings import Profile, Report, Status
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan, scan_sources
from tests.rule_examples import rule_rows

GOLDEN = Path(__file__).parent.parent / "fixtures" / "golden"
MUTATIONS = [
    mutation
    for path in sorted((Path(__file__).parent / "mutations").glob("*.yaml"))
    for mutation in yaml.safe_load(path.read_text(encoding="utf-8")) or ()
]
AS_OF = date(2026, 11, 22)


def golden() -> dict[str, str]:
    """The files of the golden service."""
    files = (path for path in sorted(GOLDEN.rglob("*")) if path.is_file())
    return {path.relative_to(GOLDEN).as_posix(): path.read_text(encoding="utf-8") for path in files}


def audit(files: Mapping[str, str]) -> Report:
    sources = [SourceFile(path, text) for path, text in files.items()]
    return scan_sources(sources, options=ScanOptions(profile=Profile.STRICT, as_of=AS_OF))


def mutated(mutation: Mapping[str, Any]) -> dict[str, str]:
    """The golden files with the edits of a mutation: replace (file, old, new), add (file: text), remove (file)."""
    files = golden()
    for edit in mutation.get("replace", ()):
        path, old, new = edit["file"], edit["old"], edit["new"]
        assert files[path].count(old) == 1, f"{old!r} stands {files[path].count(old)} times in {path}"
        files[path] = files[path].replace(old, new)
    for path, text in mutation.get("add", {}).items():
        assert path not in files
        files[path] = text
    for path in mutation.get("remove", ()):
        del files[path]
    return files


def test_the_golden_service_has_nothing_to_find() -> None:
    report = scan(GOLDEN, options=ScanOptions(profile=Profile.STRICT, as_of=AS_OF))
    assert [f"{f.rule_id} {f.path}:{f.primary.span.line} {f.message}" for f in report.findings] == []
    assert not report.problems
    gaps = [section.title for section in report.sections if section.status is Status.GAP]
    assert gaps == []


def test_every_section_with_rules_is_met_by_the_golden_service() -> None:
    report = scan(GOLDEN, options=ScanOptions(profile=Profile.STRICT, as_of=AS_OF))
    judged = {row["section"] for row in rule_rows()}
    status = {section.number: section.status for section in report.sections if section.number in judged}
    assert {number for number, one in status.items() if one is not Status.MET} == set()


def test_the_golden_service_is_one_service_from_the_edge_to_the_code() -> None:
    services = {service.name: service for service in audit(golden()).services}
    shop = services["shop"]
    assert shop.process is not None
    assert shop.process.server == "gunicorn"
    assert shop.module is not None
    assert shop.module.path == "src/shop/main.py"
    assert {entry.kind for entry in shop.entries} >= {"k8s.service", "k8s.ingress", "nginx.location"}


@pytest.mark.parametrize("mutation", [pytest.param(m, id=f"{m['rule']}-{i}") for i, m in enumerate(MUTATIONS)])
def test_one_edit_breaks_one_rule(mutation: Mapping[str, Any]) -> None:
    files = mutated(mutation)
    report = audit(files)
    seen = [f"{f.rule_id} {f.path}:{f.primary.span.line} {f.message}" for f in report.findings]
    assert {f.rule_id for f in report.findings} == {mutation["rule"]}, seen
    ((path, line),) = mutation["at"].items()
    places = {(f.path, files[f.path].split("\n")[f.primary.span.line - 1].strip()) for f in report.findings}
    assert places == {(path, line.strip())}, seen


def test_every_rule_has_a_mutation() -> None:
    assert {row["id"] for row in rule_rows()} - {m["rule"] for m in MUTATIONS} == set()
