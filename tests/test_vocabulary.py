"""The vocabulary: three-valued, with the place of each verdict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.model.units import duration, percentage, quantity
from pyprod_audit.parsers.yaml_events import parse_documents
from pyprod_audit.vocabulary import VocabularyError, compile_test

TEXT = """\
name: web
replicas: 3
memory: 512Mi
enabled: true
template: "{{ .Values.x }}"
nothing: null
ports:
  - {name: http, port: 80}
  - {name: metrics, port: 9090}
labels: {app.kubernetes.io/name: web}
"""


def root() -> Node:
    source = SourceFile("a.yaml", TEXT)
    node = parse_documents(source).nodes[0]
    at = TEXT.index('"{{')
    hole = Node(Unknown("{{ .Values.x }}", "a template fills it in"), source, at, at + 17)
    assert isinstance(node.value, dict)
    return Node({**node.value, "template": hole}, source, node.start, node.end)


@pytest.mark.parametrize(
    ("spec", "outcome"),
    [
        ({"path": "name", "exists": True}, True),
        ({"path": "nope", "exists": True}, False),
        ({"path": "nope", "exists": False}, True),
        ({"path": "nothing", "exists": True}, False),
        ({"path": "template", "exists": True}, None),
        ({"path": "template.deeper", "equals": 1}, None),
        ({"path": "replicas", "at_least": 2}, True),
        ({"path": "replicas", "at_most": 2}, False),
        ({"path": "memory", "at_least": "256Mi"}, True),
        ({"path": "memory", "at_least": "1Gi"}, False),
        ({"path": "name", "at_least": 2}, None),
        ({"path": "nope", "at_least": 2}, False),
        ({"path": "nope", "at_least": 2, "default": 5}, True),
        ({"path": "enabled", "equals": 1}, False),
        ({"path": "enabled", "equals": True}, True),
        ({"path": "name", "in": ["web", "api"]}, True),
        ({"path": "name", "not_in": ["web"]}, False),
        ({"path": "name", "matches": "^w"}, True),
        ({"path": ["labels", "app.kubernetes.io/name"], "equals": "web"}, True),
        ({"path": "labels", "contains": "app.kubernetes.io/name"}, True),
        ({"path": "ports.*.port", "at_least": 80}, True),
        ({"path": "ports.*.port", "at_least": 81}, False),
        ({"each": "ports", "of": {"path": "name", "exists": True}}, True),
        ({"some": "ports", "of": {"path": "port", "equals": 9090}}, True),
        ({"some": "ports", "of": {"path": "port", "equals": 1}}, False),
        ({"each": "absent", "of": {"path": "port", "equals": 1}}, True),
        ({"some": "absent", "of": {"path": "port", "equals": 1}}, False),
        ({"path": "ports", "empty": False}, True),
        ({"path": "nothing", "empty": True}, True),
        ({"not": {"path": "template", "equals": 1}}, None),
        ({"all": [{"path": "template", "equals": 1}, {"path": "name", "equals": "x"}]}, False),
        ({"all": [{"path": "template", "equals": 1}, {"path": "name", "equals": "web"}]}, None),
        ({"any": [{"path": "template", "equals": 1}, {"path": "name", "equals": "web"}]}, True),
    ],
)  # fmt: skip
def test_outcomes(spec: dict[str, Any], outcome: bool | None) -> None:
    assert compile_test(spec)(root()).outcome is outcome


def test_the_verdict_is_about_the_value_that_failed() -> None:
    verdict = compile_test({"path": "ports.*.port", "at_least": 81})(root())
    assert (verdict.at.text, verdict.value) == ("80", 80)


def test_the_place_of_something_missing_is_the_nearest_that_exists() -> None:
    verdict = compile_test({"path": "labels.nope", "exists": True})(root())
    assert verdict.at.text == "labels"


def test_an_unknown_value_says_why() -> None:
    assert compile_test({"path": "template", "equals": 1})(root()).because == "a template fills it in"


@pytest.mark.parametrize(
    "spec",
    [
        {"path": "a"}, {"path": "a", "equals": 1, "in": [1]}, {"path": "a", "resembles": 1}, {"all": []},
        {"all": [], "any": []}, {"each": "a"}, {"path": "a", "matches": "("}, {"path": 3, "equals": 1},
        {"path": "a", "exists": True, "default": 1}, {"path": "a", "at_least": "many"}, ["path"],
    ],
)  # fmt: skip
def test_nonsense_is_refused_when_the_rule_is_read(spec: Any) -> None:
    with pytest.raises(VocabularyError):
        compile_test(spec)


_LEAVES = st.sampled_from([
    {"path": "name", "equals": "web"}, {"path": "name", "equals": "x"}, {"path": "template", "equals": "x"},
    {"path": "nope", "exists": True}, {"path": "replicas", "at_least": 1},
])  # fmt: skip
_SPECS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=8,
)


def kleene(spec: dict[str, Any], node: Node) -> bool | None:
    """The textbook definition, written apart from the implementation."""
    if "not" in spec:
        inner = kleene(spec["not"], node)
        return None if inner is None else not inner
    for word, neutral in (("all", True), ("any", False)):
        if word in spec:
            values = [kleene(one, node) for one in spec[word]]
            if (not neutral) in values:
                return not neutral
            return None if None in values else neutral
    return compile_test(spec)(node).outcome


@given(_SPECS)
def test_combinators_follow_kleene(spec: dict[str, Any]) -> None:
    assert compile_test(spec)(root()).outcome is kleene(spec, root())


@given(_SPECS)
def test_negating_twice_changes_nothing(spec: dict[str, Any]) -> None:
    assert compile_test({"not": {"not": spec}})(root()).outcome is compile_test(spec)(root()).outcome


@given(st.integers(0, 10**9), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi", "m"]))
def test_quantities_are_read_back(number: int, suffix: str) -> None:
    factor = {"": 1.0, "k": 1e3, "M": 1e6, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 1e-3}[suffix]
    assert quantity(f"{number}{suffix}") == pytest.approx(number * factor)


@given(st.text(max_size=20))
def test_units_raise_only_value_errors(text: str) -> None:
    for read in (quantity, duration):
        try:
            assert read(text) == read(text)
        except ValueError:
            continue
    percentage(text)


def test_durations() -> None:
    assert [duration(value) for value in ("30s", "1m30s", "500ms", 5, "1d", "2h")] == [30, 90, 0.5, 5, 86400, 7200]
    assert duration("60", unit="ms") == pytest.approx(0.06)
    with pytest.raises(ValueError, match="not a duration"):
        duration("soon")
