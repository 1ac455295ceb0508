from __future__ import annotations

import dataclasses

from pyprod_audit.findings import Location, Report, Severity
from pyprod_audit.model import SourceFile
from pyprod_audit.outputs import RenderOptions, render
from tests.output_samples import check_snapshot, finding, many, sample, span


def commands(report: Report) -> list[str]:
    return render("github", report, RenderOptions()).splitlines()


def test_snapshot() -> None:
    check_snapshot("github.txt", render("github", sample(), RenderOptions()))


def test_nothing_found_is_silent() -> None:
    assert render("github", Report(findings=[]), RenderOptions()) == ""


def test_the_worst_ten_and_a_word_about_the_rest() -> None:
    worst = finding(span(SourceFile("a", "x"), "x"), severity=Severity.CRITICAL)
    lines = commands(Report(findings=[worst, *many(24)]))
    assert len(lines) == 11
    assert lines[0].startswith("::error file=a,line=1,")
    assert lines[-1] == "pyprod-audit: the worst 10 of 25 findings are annotated"


def test_severities() -> None:
    place = span(SourceFile("a", "x"), "x")
    lines = commands(Report(findings=[finding(place, severity=level) for level in sorted(Severity, reverse=True)]))
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::notice", "::notice"]


def test_escaping() -> None:
    source = SourceFile("a,b:c%\n::set-env.yaml", "x")
    evil = "100%, a: b\r\n::error::owned"
    bad = finding(span(source, "x"), message=evil, advice="", related=(Location(span(source, "x"), evil),))
    (line,) = commands(dataclasses.replace(sample(), findings=[bad], prefix=""))
    command, message = line[2:].split("::", 1)
    assert "file=a%2Cb%3Ac%25%0A%3A%3Aset-env.yaml," in command
    assert message.startswith(r"100%25, a: b\r\n::error::owned%0Aa,b:c%25")
    assert "%0D" not in message


def test_paths_lead_from_the_repository() -> None:
    assert "file=services/web shop/k8s/web.yaml," in commands(sample())[0]


def test_any_path_can_be_written() -> None:
    commands(Report(findings=[finding(span(SourceFile("\udcff", "x"), "x"))]))[0].encode()
