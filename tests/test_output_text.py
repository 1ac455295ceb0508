from __future__ import annotations

import dataclasses
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.findings import Location, Report, Severity
from pyprod_audit.model import Problem, SourceFile
from pyprod_audit.outputs import FORMATS, RenderOptions, render
from pyprod_audit.outputs.excerpt import display_width, excerpt, secret_ranges
from pyprod_audit.outputs.scorecard import numbers, plural, score
from tests.output_samples import DOCKERFILE, check_snapshot, finding, many, sample, span


@pytest.mark.parametrize(
    ("snapshot", "options"),
    [
        ("text.txt", RenderOptions()),
        ("text-color.txt", RenderOptions(color=True)),
        ("text-quiet.txt", RenderOptions(quiet=True)),
        ("text-verbose.txt", RenderOptions(verbose=True, stats=True, show_suppressed=True, show_undecided=True)),
    ],
)
def test_snapshot(snapshot: str, options: RenderOptions) -> None:
    check_snapshot(snapshot, render("text", sample(), options))


def test_nothing_found_is_said() -> None:
    text = render("text", Report(findings=[]), RenderOptions())
    assert text.startswith("0 findings")


def test_unknown_format() -> None:
    with pytest.raises(KeyError):
        render("xml", sample(), RenderOptions())


@pytest.mark.parametrize("name", FORMATS)
def test_no_output_shows_a_secret(name: str) -> None:
    assert "hunter2" not in render(name, sample(), RenderOptions(verbose=True, show_suppressed=True))


@pytest.mark.parametrize("name", FORMATS)
def test_same_report_same_bytes(name: str) -> None:
    assert render(name, sample(), RenderOptions()) == render(name, sample(), RenderOptions())


def test_minimum_hides_but_counts() -> None:
    text = render("text", sample(), RenderOptions(minimum=Severity.HIGH))
    assert "K8S-003" not in text
    assert "5 medium" in text
    assert "6 below high not shown" in text


def test_the_worst_is_not_buried() -> None:
    report = Report(findings=[*many(40, severity=Severity.CRITICAL), *sample().findings[:1]])
    text = render("text", report, RenderOptions())
    assert "(40 places)" in text
    assert "and 37 more" in text
    assert "ZDT-004 service-drain-exceeds-grace" in text
    assert len(text.splitlines()) < 40
    assert render("text", report, RenderOptions(verbose=True)).count("-->") == 41


def test_three_of_a_rule_are_told_in_full() -> None:
    assert render("text", Report(findings=many(3)), RenderOptions()).count("-->") == 3


def test_explain_is_hinted_once_a_rule() -> None:
    assert render("text", Report(findings=many(3)), RenderOptions()).count("pyprod-audit explain K8S-003") == 1


def test_hostile_text_cannot_reach_the_terminal() -> None:
    evil = "\x1b[2J\x9b31m\u202e\u2066\x07\r\n::error::x\u200b\ufeff\udcff"
    source = SourceFile(f"a{evil}.yaml", f"key: {evil.replace(chr(10), '')} value\n")
    bad = finding(
        span(source, "value"), message=evil, address=evil, advice=evil, related=(Location(span(source, "key"), evil),)
    )
    report = dataclasses.replace(sample(), findings=[bad], problems=[Problem("parse", evil, evil, 1)], root=evil)
    text = render("text", report, RenderOptions(verbose=True, show_undecided=True))
    assert {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs")} == {"\n"}
    assert "\\x1b[2J" in text
    assert not any(line.startswith("::") for line in text.splitlines())
    text.encode()


def marked(text: str, what: str, width: int = 80) -> str:
    found = excerpt(span(SourceFile("f", text), what), width)
    return f"{found.text}\n{' ' * found.mark}{'^' * found.size}"


def test_underline_after_tabs() -> None:
    assert marked("\tlisten\t80;\n", "80") == "    listen  80;\n            ^^"


def test_underline_counts_wide_and_combining_characters() -> None:
    assert marked("名前: e\u0301 x\n", "x") == "名前: e\u0301 x\n        ^"
    assert display_width("名前") == 4


def test_underline_of_carriage_return_lines() -> None:
    assert marked("a: 1\r\nb: 2\r\n", "2") == "b: 2\n   ^"


def test_many_lines_are_underlined_to_the_end_of_the_first() -> None:
    assert marked("a: |\n  x\n", "|\n  x") == "a: |\n   ^"


def test_long_lines_are_cut_around_the_place() -> None:
    found = excerpt(span(SourceFile("f", "a" * 3000 + "HERE" + "b" * 3000), "HERE"), 40)
    assert display_width(found.text) <= 40
    assert found.text.startswith("…")
    assert found.text.endswith("…")
    assert found.text[found.mark : found.mark + found.size] == "HERE"


def test_the_end_of_a_long_line_uses_the_room() -> None:
    found = excerpt(span(SourceFile("f", "a" * 300 + "HERE"), "HERE"), 40)
    assert found.text == "…" + "a" * 34 + "HERE"


def test_a_secret_is_replaced_whatever_its_length() -> None:
    place = span(DOCKERFILE, "hunter2-very-secret")
    found = excerpt(place, 80, {"Dockerfile": [(place.start, place.end)]})
    assert found.text == "ENV TOKEN=**** DEBUG=1"
    assert (found.mark, found.size) == (10, 4)


def test_a_secret_that_starts_on_an_earlier_line_stays_hidden() -> None:
    source = SourceFile("key.pem", "-----BEGIN\nabcdef\n-----END\n")
    found = excerpt(span(source, "abcdef"), 80, {"key.pem": [(0, len(source.text))]})
    assert found.text == "****"


@given(
    st.text(alphabet="ab \t名\u0301\x1b\u202e\n\r|", max_size=120),
    st.integers(0, 120),
    st.integers(0, 120),
    st.integers(20, 60),
    st.integers(0, 120),
)
@settings(max_examples=300, deadline=None)
def test_excerpts_fit_and_mark_what_is_there(text: str, start: int, size: int, width: int, secret: int) -> None:
    start = min(start, len(text))
    source = SourceFile("f", text)
    end = min(start + size, len(text))
    found = excerpt(source.span(start, end), width, {"f": [(min(secret, len(text)), len(text))]})
    assert display_width(found.text) <= width
    assert found.mark + found.size <= width + 1
    assert found.size >= 1
    assert "\x1b" not in found.text
    assert "\n" not in found.text


def test_numbers_joins_runs() -> None:
    sections = [sample().sections[0]._replace(number=number) for number in (1, 3, 4, 5, 9, 10)]
    assert numbers(sections) == "1, 3-5, 9-10"


def test_plural() -> None:
    assert [plural(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_no_score_where_nothing_applies() -> None:
    assert score(sample().sections[-1:]) == "no section of the guide applies"


def test_secrets_that_overlap_or_touch_are_one() -> None:
    text = "a: 1234567890 b\n"
    source = SourceFile("f", text)
    secrets = [finding(source.span(start, end), redact=True) for start, end in ((8, 13), (3, 6), (5, 9), (3, 4))]
    found = excerpt(span(source, "b"), 80, secret_ranges(secrets))
    assert found.text == "a: **** b"
    assert found.mark == 8
