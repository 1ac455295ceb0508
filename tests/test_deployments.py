"""Values that came through other places, and files that are deployed in several ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from pyprod_audit import engine
from pyprod_audit.catalogue import Rule
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcome
from pyprod_audit.findings import Confidence, Profile, Report, Severity
from pyprod_audit.model import Derived, Node, OpenMapping, Repository, Resource, SourceFile, Unknown, Via
from pyprod_audit.model.kubernetes import place_of
from pyprod_audit.options import ScanOptions
from pyprod_audit.parsers.yaml_events import parse_documents
from pyprod_audit.pipeline import scan_sources
from pyprod_audit.vocabulary import compile_test

VALUES = SourceFile("values.yaml", "size: 5\n")
TEMPLATE = SourceFile("web.yaml", "kind: web\nsize: $size\n")
WRITTEN = Via(VALUES.span(6, 7), "set by values.yaml")
RULE = Rule(
    id="ABC-001",
    name="thing-wrong",
    title="A thing",
    section=1,
    severity=Severity.HIGH,
    confidence=Confidence.HIGH,
    profile=Profile.BASELINE,
    targets=("thing",),
    message="{address} has {value}",
    help="mend {name}",
    expect={"path": "size", "at_most": 3},
)


def template(size: int) -> Node:
    """What the template amounts to when `size` comes from the values file."""
    node = parse_documents(TEMPLATE).nodes[0]
    return node.holding({**node.mapping, "size": node.mapping["size"].holding(size).coming(WRITTEN)})


def deployed(*variants: tuple[str, int]) -> Repository:
    chart = Via(SourceFile("prod.yaml", "a: 1\n").span(0, 4), "rendered with prod.yaml")
    resources = [
        Resource("thing", f"thing/{name}-web", template(size), None, name, (chart,)) for name, size in variants
    ]
    return Repository({}, [], resources)


def test_a_derived_node_tells_its_way_at_every_place() -> None:
    node = template(5).mapping["size"]
    assert isinstance(node, Derived)
    assert (node.span.text, node.span.via) == ("$size", (WRITTEN,))
    assert node.anchor.via == node.span.first_line.via == (WRITTEN,)
    further = node.coming(Via(TEMPLATE.span(0, 4), "included here"))
    assert [via.label for via in further.via] == ["set by values.yaml", "included here"]
    assert further.holding({}).via == further.via
    assert node.coming() is node


def test_a_container_points_at_its_key_and_keeps_its_way() -> None:
    node = parse_documents(SourceFile("a.yaml", "outer:\n  inner: 1\n")).nodes[0].mapping["outer"].coming(WRITTEN)
    assert (node.anchor.text, node.anchor.via) == ("outer", (WRITTEN,))


def test_the_finding_shows_where_the_value_was_written_and_what_made_the_resource() -> None:
    (finding,) = engine.check([RULE], deployed(("prod", 5)), as_of=date(2026, 11, 22)).findings
    assert (finding.path, finding.primary.span.text) == ("web.yaml", "$size")
    assert [(place.span.file.path, place.label) for place in finding.related] == [
        ("values.yaml", "set by values.yaml"),
        ("prod.yaml", "rendered with prod.yaml"),
    ]
    assert finding.variants == ("prod",)


def test_the_same_finding_of_several_deployments_is_told_once() -> None:
    checked = engine.check([RULE], deployed(("dev", 5), ("prod", 5), ("test", 2)), as_of=date(2026, 11, 22))
    (finding,) = checked.findings
    assert (finding.message, finding.variants) == ("thing/dev-web has 5", ("dev", "prod"))
    count = checked.counts["ABC-001"]
    assert (count.applied, count.passed, count.failed, count.findings) == (3, 1, 2, 1)


def test_deployments_with_different_values_are_told_apart() -> None:
    checked = engine.check([RULE], deployed(("dev", 5), ("prod", 6)), as_of=date(2026, 11, 22))
    assert [finding.message for finding in checked.findings] == ["thing/dev-web has 5", "thing/prod-web has 6"]


def test_the_same_open_question_of_several_deployments_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsure(subject: Resource, _context: Context) -> Iterator[Outcome]:
        yield Cannot(subject.node.mapping["size"].anchor, "size is not known")

    monkeypatch.setattr(engine, "_judge", lambda _rule: unsure)
    checked = engine.check([RULE], deployed(("dev", 5), ("prod", 6)), as_of=date(2026, 11, 22))
    assert [undecided.address for undecided in checked.undecided] == ["thing/dev-web"]
    assert checked.counts["ABC-001"].undecided == 2


def test_places_told_by_the_rule_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(subject: Resource, _context: Context) -> Iterator[Outcome]:
        size = subject.node.mapping["size"]
        yield Hit(size.anchor, {"value": 1}, ((WRITTEN.span, "the rule's own words"),))

    monkeypatch.setattr(engine, "_judge", lambda _rule: known)
    (finding,) = engine.check([RULE], deployed(("", 5)), as_of=date(2026, 11, 22)).findings
    assert [place.label for place in finding.related] == ["the rule's own words", "rendered with prod.yaml"]


@pytest.mark.parametrize(
    "test",
    [
        {"path": "memory", "exists": True},
        {"path": "memory.limit", "exists": True},
        {"path": "memory", "default": 1, "at_least": 2},
        {"not": {"path": "memory", "exists": True}},
    ],
)
def test_absence_is_undecided_where_more_keys_may_come(test: dict[str, Any]) -> None:
    node = parse_documents(SourceFile("a.yaml", "size: 1\nrest: 2\n")).nodes[0]
    rest = node.mapping["rest"].holding(Unknown("{{ if x }}", "x is not known"))
    opened = node.holding(OpenMapping({"size": node.mapping["size"]}, rest))
    verdict = compile_test(test)(opened)
    assert (verdict.outcome, verdict.because, verdict.at.line) == (None, "x is not known", 2)
    assert compile_test({"path": "size", "equals": 1})(opened).outcome is True
    assert opened.get("memory") is opened.get("memory.limit") is rest
    assert opened.get("size") is node.mapping["size"]


BASE = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
    "    - {name: web, image: 'registry.example.com/web:1.4.2'}\n",
}
OVERLAY = "resources: [../../base]\n"


def overlays(*names: str) -> Report:
    files = BASE | {f"overlays/{name}/kustomization.yaml": OVERLAY for name in names}
    sources = [SourceFile(path, text) for path, text in files.items()]
    return scan_sources(sources, options=ScanOptions(select=("K8S-001",)))


def test_overlays_for_development_are_not_judged_beside_others() -> None:
    report = overlays("development", "prod", "staging")
    (finding,) = report.findings
    assert (finding.path, finding.variants) == ("base/web.yaml", ("overlays/prod", "overlays/staging"))
    assert report.notes == ("overlays for development are not judged beside the others: overlays/development",)


def test_an_overlay_for_development_is_judged_when_there_is_no_other() -> None:
    report = overlays("development")
    (finding,) = report.findings
    assert (finding.variants, report.notes) == (("overlays/development",), ())


def test_the_place_of_an_object_does_not_tell_how_it_came_by_its_name() -> None:
    node = parse_documents(SourceFile("web.yaml", "kind: Service\nmetadata:\n  name: $name\n")).nodes[0]
    metadata = node.mapping["metadata"]
    named = metadata.holding({"name": metadata.mapping["name"].coming(WRITTEN)})
    service = Resource("k8s.service", "Service/web", node.holding({**node.mapping, "metadata": named}))
    assert service.node.get("metadata.name").via == (WRITTEN,)  # type: ignore[union-attr]  # it is there
    assert (place_of(service).text, place_of(service).via) == ("$name", ())
    view = Resource("k8s.podspec", "Service/web/pod", node.coming(WRITTEN), service)
    assert place_of(view).via == ()
