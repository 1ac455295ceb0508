from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.findings import Report
from pyprod_audit.model import Problem, SourceFile
from pyprod_audit.outputs import RenderOptions, render
from pyprod_audit.outputs.escape import fence, markdown
from pyprod_audit.outputs.markdown import LIMIT
from tests.output_samples import check_snapshot, finding, many, sample, span


def test_snapshot() -> None:
    check_snapshot("summary.md", render("markdown", sample(), RenderOptions()))


def test_nothing_found() -> None:
    text = render("markdown", Report(findings=[]), RenderOptions())
    assert "Exit code 0" in text
    assert "Findings" not in text


def test_the_cut_is_said() -> None:
    text = render("markdown", Report(findings=many(500)), RenderOptions())
    assert "Only the worst 200 of 500 findings are listed here." in text


def test_the_size_is_bounded_whatever_comes() -> None:
    source = SourceFile("d/" * 4000 + "a.yaml", "x")
    evil = "<|`*_[]名" * 4000
    report = dataclasses.replace(
        sample(),
        findings=[finding(span(source, "x"), message=evil, advice=evil)] * 6000,
        problems=[Problem("parse", evil, evil, 1)] * 6000,
    )
    text = render("markdown", report, RenderOptions())
    assert len(text.encode()) < LIMIT
    assert re.search(r"Only the worst \d+ of 6000", text)
    assert "and 5950 more" in text


@pytest.mark.parametrize(
    "evil", ["a|b", "<img src=x>", "`x`", "a\nb", "[x](y)", "![x](y)", "**x**", "https://example.com", "@team", "&lt;"]
)
def test_text_stays_text(evil: str) -> None:
    bad = finding(span(SourceFile(f"{evil}.yaml", "x"), "x"), message=evil, advice=evil)
    text = render("markdown", Report(findings=[bad]), RenderOptions())
    assert evil not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| high"))
    assert row.count("|") == 5


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_escaped_text_has_no_structure(text: str) -> None:
    assert not re.search(r"[<>|`*_\[\]\n\r@:]", markdown(text))


def test_www_is_no_link() -> None:
    assert markdown("www.example.com") == "www&#46;example.com"


def test_a_fence_is_longer_than_what_it_holds() -> None:
    assert fence("a\n````\nb", "yaml") == "`````yaml\na\n````\nb\n`````"
