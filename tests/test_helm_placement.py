"""Rendered text read as YAML: what marks stand for in it, and where its parts were written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.gotemplate.marks import Mark
from pyprod_audit.evaluate.gotemplate.values import Piece, Text
from pyprod_audit.evaluate.helm.placement import Placed, read
from pyprod_audit.model import Node, OpenMapping, SourceFile, Span, Unknown, Via

TEMPLATE = SourceFile(
    "chart/templates/a.yaml", "{{ include `x` . | nindent 4 }} {{ .Values.x }}\nthird line\n", "helm-template"
)
UNKNOWN = Unknown("x", "it is not known")
MARK = "\ue0100\ue011"
VALUES = SourceFile("chart/values.yaml", "x: 1\n", "helm-values")


def marks(action: str = "{{ .Values.x }}") -> list[Mark]:
    start = TEMPLATE.text.index(action)
    span = Span(TEMPLATE, start, start + len(action))
    return [Mark(UNKNOWN, span, (Via(Span(VALUES, 0, 4), "set by values.yaml"),))]


def rendered(text: str) -> Text:
    return Text(text, [Piece(0, Span(TEMPLATE, 0, 5))])


def placed(text: str, action: str = "{{ .Values.x }}") -> Placed:
    return read(rendered(text.replace("MARK", MARK)), marks(action), TEMPLATE)


def only(text: str, action: str = "{{ .Values.x }}") -> Node:
    found = placed(text, action)
    assert found.faults == []
    (node,) = found.nodes
    return node


def plain(node: Node) -> object:
    """The tree with `...` for what is not known, and under `...` in a mapping that is open."""
    if isinstance(node.value, Unknown):
        return ...
    if isinstance(node.value, dict):
        found: dict[object, object] = {key: plain(member) for key, member in node.value.items()}
        if isinstance(node.value, OpenMapping):
            found[...] = node.value.rest.value == UNKNOWN
        return found
    return [plain(member) for member in node.value] if isinstance(node.value, tuple) else node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: MARK\nb: 1\n", {"a": ..., "b": 1}),
        ("a:MARK\nb: 1\n", {"a": ..., "b": 1}),
        ('a: "x-MARK"\nb: [1, MARK]\n', {"a": ..., "b": [1, ...]}),
        ("a: |\n  MARK\n  more\nb: 1\n", {"a": ..., "b": 1}),
        ("MARK: 2\nb: 1\n", {"b": 1, ...: True}),
        ("a:\n  MARK\nb: 1\n", {"a": ..., "b": 1}),
        ("a:\n  x: 1\n  MARK\nb: 1\n", {"a": {"x": 1, ...: True}, "b": 1}),
        ("a:\n  MARK\n  x: 1\nb: 1\n", {"a": {"x": 1, ...: True}, "b": 1}),
        ("a:\n  - x: 1\n  MARK\nb: 1\n", {"a": [{"x": 1}, ...], "b": 1}),
        ("a:\n  MARK\n  - x: 1\nb: 1\n", {"a": [..., {"x": 1}], "b": 1}),
        ("a:\n- 1\nMARK\n- 2\nb: 1\n", {"a": [1, ..., 2], "b": 1}),
        ("a:\n- 1\nMARK\nb: 1\n", {"a": [1, ...], "b": 1, ...: True}),
        ("a:\n  - x: 1\n    MARK\nb: 1\n", {"a": [{"x": 1, ...: True}], "b": 1}),
        ("a:\n  - MARK\n  -MARK\n", {"a": [..., ...]}),
        ("a: 1\n\nMARK  MARK\n# comment MARK\nb: 1\n", {"a": 1, "b": 1, ...: True}),
        ("MARK\n", {...: True}),
        ("a: {x: MARK, MARK: 1, y: 2}\n", {"a": {"x": ..., "y": 2, ...: True}}),
    ],
)
def test_what_marks_stand_for(text: str, expected: object) -> None:
    node = only(text)
    if expected == {...: True}:
        assert node.value == UNKNOWN
    else:
        assert plain(node) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb:\n    x: 1MARK\nc: 1\n", {"a": 1, "b": {"x": 1, ...: True}, "c": 1}),
        ("b:\n    - 1MARK\nc: 1\n", {"b": [1, ...], "c": 1}),
        ("b:MARK\nc: 1\n", {"b": ..., "c": 1}),
    ],
)
def test_lines_that_nindent_would_have_begun(text: str, expected: object) -> None:
    assert plain(only(text, "{{ include `x` . | nindent 4 }}")) == expected


def test_what_a_mark_came_through_is_kept() -> None:
    node = only("a: x-MARK\nb:\n  c: 1\n  MARK\n")
    for found in (node.get("a"), node.get("b.absent")):
        assert found is not None
        assert isinstance(found.value, Unknown)
        assert [(via.span.file.path, via.label) for via in found.via] == [("chart/values.yaml", "set by values.yaml")]
    assert node.get("a").value == Unknown("x-x", "it is not known")  # type: ignore[union-attr]  # it is there


def test_text_that_only_looks_like_a_mark_is_the_authors_own() -> None:
    assert plain(only("a: '\ue0107\ue011'\nb: \ue010\n")) == {"a": ..., "b": ...}
    assert placed("\ue0109\ue011\n").faults == []


def test_a_mark_that_breaks_the_yaml_leaves_everything_open() -> None:
    node = only("a: 1\nb:\n  x: 1\n MARK\nc: 1\n")
    assert plain(node) == {"a": 1, "b": {"x": 1, ...: True}, "c": 1, ...: True}
    assert plain(only("a: 1\n  b: MARK\n")) is ...


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n---\nb: 1\n", [{"a": 1}, {"b": 1}]),
        ("---\na: 1\n--- # comment\nb: 1\n---b2: 1\n", [{"a": 1}, {"b": 1}, {"b2": 1}]),
        ("# only a comment\n---\n\n---\na: |\n  x\n   \n\n---\n", [{"a": "x\n"}]),
        ("", []),
        ("a: |\n  --- no separator\n", [{"a": "--- no separator\n"}]),
    ],
)
def test_documents(text: str, expected: list[object]) -> None:
    assert [plain(node) for node in placed(text).nodes] == expected


def test_a_broken_document_is_told_at_its_line_and_loses_nothing_else() -> None:
    text = "a: 1\n---\nb: 1\n  c: 2\n---\nd: 1\n"
    literal = SourceFile("t.yaml", text, "helm-template")
    found = read(Text(text, [Piece(0, Span(literal, 0, len(text)), True)]), [], literal)
    assert [plain(node) for node in found.nodes] == [{"a": 1}, {"d": 1}]
    assert [(fault.span.line, fault.span.text) for fault in found.faults] == [(4, "c: 2")]


def test_aliases_and_repeated_keys() -> None:
    found = placed("a: &x {k: 1}\nb: *x\nc: 1\nc: 2\n")
    assert [plain(node) for node in found.nodes] == [{"a": {"k": 1}, "b": {"k": 1}, "c": 2}]
    ((_, repeated),) = found.repeated
    assert repeated.path == ("c",)


@pytest.mark.parametrize(("opening", "closing"), [("{a: ", "}"), ("[", "]")])
def test_deep_nesting(opening: str, closing: str) -> None:
    deep = placed(f"x: {opening * 250}1{closing * 250}\n")
    assert sum(1 for _ in deep.nodes[0].walk()) == 252
    (fault,) = placed(f"x: {opening * 5_000}1{closing * 5_000}\n").faults
    assert "nested" in fault.message


PARTS = st.sampled_from([
    "a: ", "b:", "- ", "\n", "\n  ", "\n    ", MARK, f"{MARK}: {MARK}", "x", "|", '"', "'", "{", "}", "[", "]", ",",
    ":", "#", "---", "\n---\n", "&a ", "*a", "\t", "\r\n", "\ue010", "\ue011", "\ue0103\ue011", "? ", "!!binary ",
    "é", "\x00",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=25).map("".join), st.integers(0, 6))
def test_anything(text: str, step: int) -> None:
    pieces = [Piece(at, Span(TEMPLATE, at % 7, at % 7 + 3), at % 2 == 0) for at in range(step, len(text), step + 1)]
    found = read(Text(text, pieces), marks("{{ include `x` . | nindent 4 }}"), TEMPLATE)
    for node in found.nodes:
        for one in node.walk():
            assert one.start <= one.end
