"""The engine: counting, undecided and not applicable, rules that crash, fingerprints."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyprod_audit import engine
from pyprod_audit.catalogue import Rule
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcome, Skip
from pyprod_audit.findings import Confidence, Finding, Location, Profile, Severity
from pyprod_audit.message import fields, fill
from pyprod_audit.model import Repository, Resource, SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.parsers.yaml_events import parse_documents
from pyprod_audit.pipeline import scan_sources

DAY = date(2026, 11, 22)


def rule(**changes: Any) -> Rule:
    row: dict[str, Any] = {
        "id": "ABC-001", "name": "thing-wrong", "title": "A thing", "section": 1, "severity": Severity.HIGH,
        "confidence": Confidence.HIGH, "profile": Profile.BASELINE, "targets": ("thing",),
        "message": "{address} has {value}", "help": "mend {name}",
    }  # fmt: skip
    return Rule(**{**row, **changes})


def repository(*texts: str) -> Repository:
    resources = []
    for number, text in enumerate(texts):
        source = SourceFile(f"{number}.yaml", text)
        node = parse_documents(source).nodes[0]
        resources.append(Resource("thing", f"thing/{number}", node))
    return Repository({}, [], resources)


def test_a_vocabulary_rule_gives_a_finding_with_values() -> None:
    checked = engine.check([rule(expect={"path": "size", "at_most": 3})], repository("size: 5", "size: 2"), as_of=DAY)
    (finding,) = checked.findings
    assert (finding.message, finding.help) == ("thing/0 has 5", "mend 0")
    assert (finding.primary.span.text, finding.path) == ("5", "0.yaml")
    count = checked.counts["ABC-001"]
    assert (count.applied, count.passed, count.failed, count.undecided) == (2, 1, 1, 0)


def test_a_guard_makes_a_rule_not_applicable() -> None:
    guarded = rule(when={"path": "kind", "equals": "big"}, expect={"path": "size", "exists": True})
    checked = engine.check([guarded], repository("kind: small", "kind: big"), as_of=DAY)
    assert [finding.address for finding in checked.findings] == ["thing/1"]
    assert checked.counts["ABC-001"].applied == 1


def outcomes(monkeypatch: pytest.MonkeyPatch, *found: Outcome | Exception) -> engine.Checked:
    def check(_subject: Resource, _context: Context) -> Iterator[Outcome]:
        for one in found:
            if isinstance(one, Exception):
                raise one
            yield one

    monkeypatch.setattr(engine, "_judge", lambda _rule: check)
    return engine.check([rule(function="x:y"), rule(id="ABC-002", function="x:y")], repository("size: 1"), as_of=DAY)


def test_a_rule_that_raises_is_a_problem_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = outcomes(monkeypatch, RuntimeError("broken"))
    assert [problem.message for problem in checked.problems] == [
        "rule ABC-001 (thing-wrong) failed: RuntimeError: broken",
        "rule ABC-002 (thing-wrong) failed: RuntimeError: broken",
    ]
    assert checked.problems[0].path == "0.yaml"


def test_a_function_that_does_not_exist_is_a_problem() -> None:
    checked = engine.check([rule(function="nowhere:nothing")], repository("size: 1"), as_of=DAY)
    assert "nowhere" in checked.problems[0].message


def test_outcomes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    place = SourceFile("a", "text").span(0, 4)
    assert outcomes(monkeypatch).counts["ABC-001"].passed == 1
    assert outcomes(monkeypatch, Skip("one side is missing")).counts["ABC-001"].applied == 0
    undecided = outcomes(monkeypatch, Cannot(place, "var.x has no default"))
    assert undecided.counts["ABC-001"].undecided == 1
    assert undecided.undecided[0].because == "var.x has no default"
    both = outcomes(monkeypatch, Cannot(place, "why"), Hit(place))
    assert (both.counts["ABC-001"].failed, both.counts["ABC-001"].undecided) == (1, 0)
    twice = outcomes(monkeypatch, Hit(place), Hit(place))
    assert twice.counts["ABC-001"].findings == 1


def test_a_finding_points_at_one_line_that_has_text(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceFile("a", "  first\nsecond\n")
    checked = outcomes(monkeypatch, Hit(source.span(0, 14), address="long"), Hit(source.span(8, 8), address="empty"))
    texts = {finding.address: finding.primary.span.text for finding in checked.findings[:2]}
    assert texts == {"long": "  first", "empty": "second"}


def finding(path: str, text: str, start: int, address: str) -> Finding:
    span = SourceFile(path, text).span(start, start)
    return Finding("ABC-001", "n", Severity.LOW, Confidence.LOW, 1, "m", address, Location(span))


@given(st.text(max_size=50), st.text(max_size=20), st.integers(0, 20))
def test_a_fingerprint_survives_edits_elsewhere(text: str, added: str, start: int) -> None:
    before = finding("k8s/web.yaml", text, min(start, len(text)), "Deployment/web")
    after = finding(
        "k8s/web.yaml", added + "\n" + text, min(start + len(added) + 1, len(added) + 1 + len(text)), "Deployment/web"
    )
    assert before.fingerprint == after.fingerprint
    assert len(before.fingerprint) == 20


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_fingerprint_tells_path_and_address_apart(path: str, address: str, path2: str, address2: str) -> None:
    same = finding(path, "", 0, address).fingerprint == finding(path2, "", 0, address2).fingerprint
    assert same is ((path, address) == (path2, address2)) or "\0" in path + path2 + address + address2


def test_moving_lines_does_not_change_the_fingerprints_of_a_scan() -> None:
    text = 'FROM python:3\nCMD ["python", "app.py"]\n'
    options = ScanOptions(profile=Profile.STRICT, as_of=DAY)
    first = scan_sources([SourceFile("Dockerfile", text)], options=options)
    moved = scan_sources([SourceFile("Dockerfile", "# a comment\n\n" + text)], options=options)
    assert first.findings
    assert [f.fingerprint for f in first.findings] == [f.fingerprint for f in moved.findings]


def test_messages_know_names_and_formats_only() -> None:
    values = {"drain": 60.0, "name": "web", "long": "x" * 500}
    assert fill("{name} drains for {drain:g} s", values) == "web drains for 60 s"
    assert fill("{name.__class__} {name[0]} {other}", values) == "{name.__class__} {name[0]} {other}"
    assert len(fill("{long}", values)) == 200
    assert fields("{a} {b:g} {c.d}") == {"a", "b"}


@given(st.text(max_size=60))
def test_filling_never_raises(template: str) -> None:
    assert isinstance(fill(template, {"a": 1, "b": "x"}), str)
