"""Suppressions in comments and annotations, what is said about bad ones, overrides and order."""

from __future__ import annotations

import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.findings import Confidence, Finding, Location, Severity, Suppression, Undecided
from pyprod_audit.model import SourceFile
from pyprod_audit.parsers.kubernetes import parse
from pyprod_audit.process import Step, run
from pyprod_audit.process.order import in_order
from pyprod_audit.process.overrides import ignore_paths, with_severities
from pyprod_audit.process.suppressions import apply, collect

TODAY = date(2026, 11, 22)
RULES = {"K8S-001": "k8s-cpu-limit", "K8S-006": "k8s-probe-port-mismatch", "ZDT-004": "service-drain"}


def match(selector: str) -> list[str]:
    return [code for code, name in RULES.items() if selector in (code, name, code.split("-")[0])]


def finding(source: SourceFile, text: str, rule: str = "K8S-006", **changes: object) -> Finding:
    at = source.text.index(text)
    fields: dict[str, object] = {
        "rule_id": rule, "name": RULES.get(rule, rule), "severity": Severity.HIGH, "confidence": Confidence.HIGH,
        "section": 39, "message": "m", "address": "a", "primary": Location(source.span(at, at + len(text))),
    }  # fmt: skip
    return Finding(**{**fields, **changes})  # type: ignore[arg-type]  # fields of several types


def judge(text: str, target: str = "TARGET", path: str = "a.yaml", **options: object) -> tuple[bool, list[str]]:
    """Whether a finding at `target` is suppressed, and the ids of the findings about suppressions."""
    source = SourceFile(path, text)
    result = apply(
        [finding(source, target)],
        collect({path: source}, match),
        **{"as_of": TODAY, **options},  # type: ignore[arg-type]  # options of several types
    )
    return result[0].suppression is not None, sorted(f.rule_id for f in result[1:])


class TestComments:
    @pytest.mark.parametrize(
        "text",
        [
            "TARGET # pyprod-audit: ignore[K8S-006]\n",
            "TARGET  #pyprod-audit:ignore[k8s-probe-port-mismatch] -- because\n",
            "# pyprod-audit: ignore[K8S]\nTARGET\n",
            "    // pyprod-audit: ignore[ K8S-001 , K8S-006 ]\n    TARGET\n",
            "-- pyprod-audit: ignore[K8S-006]\nTARGET\n",
            "; pyprod-audit: ignore[K8S-006]\nTARGET\n",
            "<!-- pyprod-audit: ignore[K8S-006] -- why -->\nTARGET\n",
            "/* pyprod-audit: ignore[K8S-006] until=2027-01-31 */\nTARGET\n",
            "{# pyprod-audit: ignore[K8S-006] #}\nTARGET\n",
            "# pyprod-audit: ignore[K8S-006]\r\nTARGET\r\n",
            "TARGET # noqa # pyprod-audit: ignore[K8S-006]\n",
            "TARGET # pyprod-audit: ignore[K8S-006] # noqa\n",
            "# pyprod-audit: ignore[K8S-006]\n# more about it\nTARGET\n",
            "# pyprod-audit: ignore[K8S-006]\nRUN a && \\\n    # note\n    TARGET\n",
            "TARGET\n\n# pyprod-audit: ignore-file[K8S-006]\n",
            "# pyprod-audit: ignore-file[K8S]\na\nb\nTARGET\n",
        ],
    )
    def test_suppress(self, text: str) -> None:
        assert judge(text) == (True, [])

    @pytest.mark.parametrize(
        "text",
        [
            "TARGET\n# pyprod-audit: ignore[K8S-006]\n",
            "# pyprod-audit: ignore[K8S-006]\n\nTARGET\n",
            "# pyprod-audit: ignore[K8S-006]\nother\nTARGET\n",
            "x # pyprod-audit: ignore[K8S-006]\nTARGET\n",
            "TARGET # pyprod-audit: ignore[ZDT-004]\n",
            "# pyprod-audit: ignore[K8S-006]",
        ],
    )
    def test_elsewhere_they_are_unused(self, text: str) -> None:
        assert judge(text if "TARGET" in text else "TARGET\n" + text) == (False, ["SUP-001"])

    @pytest.mark.parametrize(
        "text",
        [
            "TARGET # pyprod-audit: ignore\n",
            "TARGET # pyprod-audit: ignore all\n",
            "TARGET # pyprod-audit: ignore[]\n",
            "TARGET # pyprod-audit: ignore[ , ]\n",
            "TARGET # pyprod-audit: ignore[K8S-006\n",
            "TARGET # pyprod-audit: ignore[K8S-006] until=tomorrow\n",
            "TARGET # pyprod-audit: ignore[K8S-006] until=2027-02-30\n",
            "TARGET # pyprod-audit: ignore[K8S-006] because I say so\n",
            "TARGET # pyprod-audit: disable=K8S-006\n",
            "TARGET # pyprod-audit:\n",
        ],
    )
    def test_malformed_ones_suppress_nothing(self, text: str) -> None:
        assert judge(text) == (False, ["SUP-003"])

    def test_prose_is_no_suppression(self) -> None:
        assert judge("# see pyprod-audit: the scanner\nTARGET\n") == (False, [])

    def test_unknown_rule_does_not_spoil_the_others(self) -> None:
        assert judge("TARGET # pyprod-audit: ignore[K8S-999, K8S-006]\n") == (True, ["SUP-002"])
        assert judge("TARGET # pyprod-audit: ignore[K8S-999]\n") == (False, ["SUP-002"])

    def test_last_day_counts(self) -> None:
        assert judge("TARGET # pyprod-audit: ignore[K8S-006] until=2026-11-22\n") == (True, [])
        assert judge("TARGET # pyprod-audit: ignore[K8S-006] until=2026-11-21\n") == (False, ["SUP-004"])

    def test_reason_is_kept_and_can_be_required(self) -> None:
        source = SourceFile("a", "TARGET # pyprod-audit: ignore[K8S-006] -- the sidecar -- answers\n")
        (result,) = apply([finding(source, "TARGET")], collect({"a": source}, match), as_of=TODAY, require_reason=True)
        assert result.suppression is not None
        assert (result.suppression.by, result.suppression.reason) == ("inline", "the sidecar -- answers")
        without = "TARGET # pyprod-audit: ignore[K8S-006]\n"
        assert judge(without, require_reason=True) == (True, ["SUP-005"])
        assert judge(without) == (True, [])

    def test_only_rules_that_ran_can_be_unused(self) -> None:
        text = "x # pyprod-audit: ignore[ZDT-004]\nTARGET\n"
        assert judge(text, ran={"K8S-006"}) == (False, [])
        assert judge(text, ran={"K8S-006", "ZDT-004"}) == (False, ["SUP-001"])

    def test_rules_about_suppressions_can_be_silent(self) -> None:
        text = "TARGET # pyprod-audit: ignore[ZDT-004]\nx # pyprod-audit: ignore\n"
        assert judge(text) == (False, ["SUP-001", "SUP-003"])
        assert judge(text, silent={"SUP-001"}) == (False, ["SUP-003"])

    def test_files_read_in_part_have_no_unused_ones(self) -> None:
        assert judge("x # pyprod-audit: ignore[ZDT-004]\nTARGET\n", partial={"a.yaml"}) == (False, [])

    def test_what_could_not_be_decided_is_no_unused_suppression(self) -> None:
        source = SourceFile("a", "image: ${TAG} # pyprod-audit: ignore[K8S-006]\n")
        undecided = [Undecided("K8S-006", "a", source.line_span(1), "TAG")]
        assert apply([], collect({"a": source}, match), as_of=TODAY, undecided=undecided) == []

    def test_other_end_of_a_finding_counts(self) -> None:
        one = SourceFile("Dockerfile", "CMD x\n")
        two = SourceFile("k8s.yaml", "grace: 5 # pyprod-audit: ignore[ZDT-004]\n")
        both = finding(one, "CMD x", "ZDT-004", related=(Location(two.span(7, 8), "killed here"),))
        (result,) = apply([both], collect({"Dockerfile": one, "k8s.yaml": two}, match), as_of=TODAY)
        assert result.suppression is not None

    def test_same_line_of_another_file_does_not_count(self) -> None:
        one = SourceFile("one.yaml", "TARGET\n")
        two = SourceFile("two.yaml", "x # pyprod-audit: ignore[K8S-006]\n")
        result = apply([finding(one, "TARGET")], collect({"one.yaml": one, "two.yaml": two}, match), as_of=TODAY)
        assert [f.suppression for f in result] == [None, None]
        assert result[1].path == "two.yaml"

    def test_complaint_points_at_the_comment(self) -> None:
        source = SourceFile("a", "x: 1\n  y: 2   # pyprod-audit: ignore[NOPE-1]  \n")
        (result,) = collect({"a": source}, match).complaints
        assert result.primary.span.text == "# pyprod-audit: ignore[NOPE-1]"
        assert (result.rule_id, result.section, result.primary.span.line) == ("SUP-002", 0, 2)

    def test_already_suppressed_findings_stay_as_they_are(self) -> None:
        source = SourceFile("a", "TARGET # pyprod-audit: ignore[K8S-006]\n")
        before = finding(source, "TARGET", suppression=Suppression("config", "x"))
        assert apply([before], collect({"a": source}, match), as_of=TODAY)[0] is before

    @given(st.text(alphabet="ignore-fl[]K8S06,= \n#\\untiv2027/*{}", max_size=200))
    @settings(max_examples=200, deadline=None)
    def test_anything_can_be_read(self, text: str) -> None:
        source = SourceFile("a", text.replace("#", "# pyprod-audit:") + "TARGET")
        assert apply([finding(source, "TARGET")], collect({"a": source}, match), as_of=TODAY)

    def test_long_hostile_lines_take_no_time(self) -> None:
        text = "# pyprod-audit: ignore[" * 20000 + "\n" + "# pyprod-audit: ignore[K8S-006]\n" * 2000 + "\\\n" * 5000
        assert collect({"a": SourceFile("a", text)}, match).marks


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations:
    pyprod-audit.dev/ignore.{rule}: the sidecar answers
spec:
  template:
    spec:
      containers:
        - name: web
          image: INSIDE
---
apiVersion: v1
kind: Service
metadata:
  name: OUTSIDE
"""


class TestAnnotations:
    def judge(self, rule: str, *findings: tuple[str, str]) -> list[Finding]:
        source = SourceFile("k8s.yaml", MANIFEST.format(rule=rule), "kubernetes")
        suppressions = collect({source.path: source}, match, parse(source).resources)
        return apply([finding(source, text, code) for text, code in findings], suppressions, as_of=TODAY)

    @pytest.mark.parametrize("rule", ["K8S-006", "k8s-probe-port-mismatch", "K8S"])
    def test_covers_the_whole_object_and_nothing_else(self, rule: str) -> None:
        inside, outside = self.judge(rule, ("INSIDE", "K8S-006"), ("OUTSIDE", "K8S-006"))
        assert inside.suppression is not None
        assert (inside.suppression.by, inside.suppression.reason) == ("annotation", "the sidecar answers")
        assert outside.suppression is None

    def test_other_rules_are_not_covered(self) -> None:
        inside, unused = self.judge("K8S-001", ("INSIDE", "K8S-006"))
        assert inside.suppression is None
        assert (unused.rule_id, unused.primary.span.line) == ("SUP-001", 6)

    def test_unknown_rule(self) -> None:
        assert [f.rule_id for f in self.judge("NOPE-001")] == ["SUP-002"]


class TestOverrides:
    SOURCE = SourceFile("services/web/dev/k8s.yaml", "TARGET\n")

    def test_severities(self) -> None:
        one, two = finding(self.SOURCE, "TARGET"), finding(self.SOURCE, "TARGET", "ZDT-004")
        result = with_severities([one, two], {"ZDT-004": Severity.INFO})
        assert [f.severity for f in result] == [Severity.HIGH, Severity.INFO]

    @pytest.mark.parametrize(
        ("glob", "selector", "prefix", "ignored"),
        [
            ("dev/", "K8S", "", True), ("/dev/", "K8S", "", False), ("services/**", "K8S-006", "", True),
            ("*.yaml", "ZDT", "", False), ("/mono/services/", "K8S", "mono", True), ("*.yml", "K8S", "", False),
        ],
    )  # fmt: skip
    def test_paths(self, glob: str, selector: str, prefix: str, ignored: bool) -> None:
        (result,) = ignore_paths([finding(self.SOURCE, "TARGET")], {glob: (selector,)}, match, prefix)
        assert (result.suppression is not None) == ignored
        if result.suppression is not None:
            assert (result.suppression.by, result.suppression.reason) == ("config", f"per-path-ignores: {glob}")

    def test_steps_are_counted(self) -> None:
        source = SourceFile("a.yaml", "TARGET # pyprod-audit: ignore[K8S-006]\nx # pyprod-audit: ignore[bad\n")
        found = [finding(source, "TARGET"), finding(source, "TARGET", "ZDT-004")]
        result, steps = run(
            found,
            [
                ("suppressions", lambda given: apply(given, collect({"a.yaml": source}, match), as_of=TODAY)),
                ("paths", lambda given: ignore_paths(given, {"*.yaml": ("ZDT",)}, match)),
                ("order", in_order),
            ],
        )
        assert steps == [Step("suppressions", 2, 2), Step("paths", 2, 1), Step("order", 1, 1)]
        assert len(result) == 3


def test_order_is_worst_first_and_stable() -> None:
    a, b = SourceFile("a", "one\ntwo\n"), SourceFile("b", "one\n")
    expected = [
        finding(b, "one", "ZDT-004", severity=Severity.CRITICAL, section=50),
        finding(b, "one", "ZDT-004", section=32),
        finding(a, "one", "K8S-001"),
        finding(a, "one", "K8S-006"),
        finding(a, "one", "K8S-006", address="b"),
        finding(a, "two", "K8S-006"),
        finding(b, "one", "K8S-006"),
        finding(a, "one", severity=Severity.INFO),
    ]
    for seed in range(5):
        shuffled = list(expected)
        random.Random(seed).shuffle(shuffled)
        assert in_order(shuffled) == expected


def test_text_about_suppressions_is_no_suppression() -> None:
    for quote in ("'", '"', "`"):
        assert judge(f"x = {quote}# pyprod-audit: ignore[NOPE]{quote}\nTARGET\n", path="a.py") == (False, [])
