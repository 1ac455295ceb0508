from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.findings import Location, Report, Severity
from pyprod_audit.model import Problem, SourceFile
from pyprod_audit.outputs import RenderOptions, render
from pyprod_audit.outputs.escape import json_text
from pyprod_audit.outputs.rule_text import RuleText
from pyprod_audit.outputs.sarif import MOST_RESULTS, sarif_log
from pyprod_audit.outputs.sarif_hash import line_hashes
from tests.output_samples import DOCKERFILE, WORKLOAD, check_snapshot, finding, many, sample, span, texts

# Computed by running github/codeql-action v4.36.2, src/fingerprints.ts, in Node on these texts.
GITHUB_HASHES: list[tuple[str, dict[int, str]]] = [
    ("", {1: "c129715d7a2bc9a3:1"}),
    ("a", {1: "53b5d4aabe50d64:1"}),
    (
        'FROM python:3.12\nCMD ["x"]\n',
        {1: "e05ffd7256b2963b:1", 2: "82d337c65285a29d:1", 3: "c129715d7a2bc9a3:1"},
    ),
    (
        "  - a\n  - a\n\t- a\n",
        {1: "7b730111e90da5c3:1", 2: "8df09ab1f52bee3:1", 3: "41c05cb2254f0f83:1", 4: "c129715d7a2bc9a3:1"},
    ),
    (
        "a\r\nb\rc\n\r \nd",
        {
            1: "7e7d4f1ca6a7d583:1", 2: "64836862a4d3bfec:1", 3: "4b7669657a809418:1", 4: "254cab44c08f7c0f:1",
            5: "6bf49ae9d59c5bc1:1", 6: "a23a3dc5e078b07b:1",
        },
    ),
    (
        "\n\n\n",
        {1: "4e5d562094661a0d:1", 2: "5b5d4caf73a13177:1", 3: "3c5bef55b72b93c9:1", 4: "c129715d7a2bc9a3:1"},
    ),
    ("name: \U0001f600 ü\nport: 80", {1: "b967cb93fd135d0:1", 2: "5384d1e93e61443e:1"}),
    (
        "x" * 150 + "\n" + "y\n" * 120,
        {1: "52b56201ffb58620:1", 2: "43762f342805c306:1", 3: "43762f342805c306:2", 60: "43762f342805c306:59",
         121: "c33be7e0cf7c3ca:1", 122: "c129715d7a2bc9a3:1"},
    ),
]  # fmt: skip


def log(report: Report | None = None, **rule_texts: RuleText) -> dict[str, Any]:
    report = report or sample()
    return sarif_log(report, report.active, texts() | rule_texts)


def run_of(report: Report | None = None) -> dict[str, Any]:
    (run,) = log(report)["runs"]
    return run


def region(source: SourceFile, what: str) -> dict[str, int]:
    place = run_of(Report(findings=[finding(span(source, what))]))["results"][0]["locations"][0]
    found: dict[str, int] = place["physicalLocation"]["region"]
    return found


@pytest.mark.parametrize(("text", "hashes"), GITHUB_HASHES)
def test_line_hashes_are_githubs(text: str, hashes: dict[int, str]) -> None:
    assert line_hashes(text, hashes.keys()) == hashes


def test_lines_beyond_the_end_have_no_hash() -> None:
    assert line_hashes("a\n", {1, 9}).keys() == {1}


@given(st.lists(st.sampled_from(["a", "b", " ", "\t", "\n", "\r\n", "\U0001f600"]), max_size=300))
@settings(max_examples=50, deadline=None)
def test_line_hashes_ignore_blanks_and_line_ends(parts: list[str]) -> None:
    text = "".join(parts)
    plain = text.replace(" ", "").replace("\t", "").replace("\r\n", "\n")
    wanted = range(1, text.count("\n") + 2)
    assert line_hashes(text, wanted) == line_hashes(plain, wanted)


def test_snapshot() -> None:
    check_snapshot("report.sarif", json_text(log()))


def test_rules_come_from_the_catalogue() -> None:
    (run,) = json.loads(render("sarif", sample(), RenderOptions()))["runs"]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {f.rule_id for f in sample().active}


def test_results_are_there_when_empty() -> None:
    run = run_of(Report(findings=[]))
    assert run["results"] == []
    assert run["tool"]["driver"]["rules"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_rule_index_and_ids_agree() -> None:
    run = run_of()
    rules = run["tool"]["driver"]["rules"]
    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == [r["ruleId"] for r in run["results"]]
    assert max(Counter(rule["id"] for rule in rules).values()) == 1


def test_security_severity_only_on_security_rules() -> None:
    rules = {rule["id"]: rule["properties"] for rule in run_of()["tool"]["driver"]["rules"]}
    assert rules["SEC-002"]["security-severity"] == "9.5"
    assert "security" in rules["SEC-002"]["tags"]
    assert "problem.severity" not in rules["SEC-002"]
    assert rules["ENV-004"]["problem.severity"] == "recommendation"
    assert not any("security-severity" in properties for rule, properties in rules.items() if rule != "SEC-002")
    assert all(len(set(p["tags"])) == len(p["tags"]) <= 9 for p in rules.values())


def test_paths_lead_from_the_repository_and_are_encoded() -> None:
    report = dataclasses.replace(sample(), findings=[finding(span(SourceFile("a#b/c%20 ü:\udcff.yaml", "x: 1"), "1"))])
    (result,) = run_of(report)["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "services/web%20shop/a%23b/c%2520%20%C3%BC%3A%FF.yaml"


def test_no_uri_is_absolute_or_dotted() -> None:
    for uri in re.findall(r'"uri": "([^"]*)"', json_text(log())):
        assert not uri.startswith(("/", "./", "file:"))
        assert unquote(uri).startswith("services/web shop/")


def test_columns_are_utf16_units() -> None:
    source = SourceFile("a.yaml", "\U0001f600é: \U0001f680x end\n")
    assert region(source, "\U0001f680x") == {"startLine": 1, "startColumn": 6, "endLine": 1, "endColumn": 9}
    assert region(source, "end") == {"startLine": 1, "startColumn": 10, "endLine": 1, "endColumn": 13}


def test_only_the_first_line_is_pointed_at() -> None:
    source = SourceFile("a.yaml", "a:\r\n  b: |\r\n    c\r\n")
    assert region(source, "|\r\n    c") == {"startLine": 2, "startColumn": 6, "endLine": 2, "endColumn": 7}


def test_related_places_are_linked_and_brackets_escaped() -> None:
    result = run_of()["results"][0]
    assert result["message"]["text"].endswith(r"after 30 s ([the server \[gunicorn\] waits this long](1))")
    (related,) = result["relatedLocations"]
    assert related["id"] == 1
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "services/web%20shop/Dockerfile"
    assert related["message"]["text"] == "the server [gunicorn] waits this long"


def test_a_message_cannot_make_a_link() -> None:
    evil = finding(span(WORKLOAD, "30"), message=r"see [here](http://example.com) and \[x](1)")
    (result,) = run_of(Report(findings=[evil]))["results"]
    assert result["message"]["text"] == r"see \[here\](http://example.com) and \\\[x\](1)"


def test_both_fingerprints() -> None:
    result = run_of()["results"][0]
    assert result["partialFingerprints"] == {
        "pyprodAudit/v1": sample().findings[0].fingerprint,
        "primaryLocationLineHash": line_hashes(WORKLOAD.text, {8})[8],
    }


def test_the_worst_are_kept_and_the_cut_is_said() -> None:
    worst = finding(span(DOCKERFILE, "120"), severity=Severity.CRITICAL)
    findings = [worst, *many(MOST_RESULTS + 5)]
    run = run_of(dataclasses.replace(sample(), findings=findings))
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][0]["ruleId"] == "K8S-006"
    first = run["invocations"][0]["toolExecutionNotifications"][0]
    assert "5000 of 5006" in first["message"]["text"]


def test_problems_are_notifications() -> None:
    report = dataclasses.replace(sample(), problems=[Problem("check", "", "ZDT-004 raised"), *sample().problems])
    raised, broken, unread = run_of(report)["invocations"][0]["toolExecutionNotifications"]
    assert raised["level"] == "error"
    assert "locations" not in raised
    assert broken["locations"][0]["physicalLocation"]["region"] == {"startLine": 7}
    assert "region" not in unread["locations"][0]["physicalLocation"]


def test_suppressed_findings_are_left_out_unless_asked_for() -> None:
    def results(options: RenderOptions) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(render("sarif", sample(), options))["runs"][0]["results"]
        return found

    assert not any("suppressions" in result for result in results(RenderOptions()))
    (hidden,) = (r for r in results(RenderOptions(show_suppressed=True)) if "suppressions" in r)
    assert hidden["suppressions"] == [{"kind": "inSource", "justification": "needs port 80"}]


def test_help_shows_fix_and_examples_in_safe_fences() -> None:
    rules = {rule["id"]: rule for rule in run_of()["tool"]["driver"]["rules"]}
    markdown = rules["ZDT-004"]["help"]["markdown"]
    assert "## Fix\n\n```\nspec:" in markdown
    assert "````dockerfile\nFROM a\n```\n````" in markdown
    assert "# expect" not in markdown
    assert "<https://docs.gunicorn.org/en/stable/settings.html>" in markdown
    assert rules["ZDT-004"]["helpUri"] == "https://docs.gunicorn.org/en/stable/settings.html"


def test_long_texts_are_cut_to_githubs_limits() -> None:
    report = Report(findings=[finding(span(WORKLOAD, "30"))])
    (rule,) = log(report, **{"K8S-006": RuleText("t" * 3000, rationale="r" * 3000)})["runs"][0]["tool"]["driver"][
        "rules"
    ]
    assert len(rule["shortDescription"]["text"]) == len(rule["fullDescription"]["text"]) == 1024
    assert "r" * 3000 in rule["help"]["markdown"]


def test_a_place_without_label_is_still_linked() -> None:
    bad = finding(span(WORKLOAD, "30"), message="m", related=(Location(span(DOCKERFILE, "CMD")),))
    (result,) = run_of(Report(findings=[bad]))["results"]
    assert result["message"]["text"] == "m ([related place](1))"


def test_a_file_that_is_not_utf8_gets_no_line_hash() -> None:
    latin = SourceFile("a.yaml", "a: é\n", encoding="latin-1")
    (result,) = run_of(Report(findings=[finding(span(latin, "é"))]))["results"]
    assert result["partialFingerprints"].keys() == {"pyprodAudit/v1"}


def test_rules_about_suppressions_are_told_too() -> None:
    stale = finding(span(WORKLOAD, "30"), rule="SUP-001", name="suppression-unused", section=0)
    (run,) = json.loads(render("sarif", Report(findings=[stale]), RenderOptions()))["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == "A suppression suppresses nothing"
    assert "# pyprod-audit" in rule["help"]["markdown"]
