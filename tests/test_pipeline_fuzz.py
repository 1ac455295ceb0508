"""Damaged repositories: whatever a file holds, no parser, linker or check fails, and every place exists."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.findings import Profile, Report
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.outputs import RenderOptions, render
from pyprod_audit.pipeline import scan_sources

FIXTURES = Path(__file__).parent.parent / "fixtures"
OPTIONS = ScanOptions(profile=Profile.STRICT, as_of=date(2026, 11, 22))
JUNK = [
    "{{ x }}", "${X}", "$(X)", "\0", "\x1b[31m", "\u202e", "'", '"', "[" * 50, "{" * 50, "\\", "-", "- -", ": :", "#",
    "null", "~", "0", "-1", "1e999", "true", "\ufeff", "é" * 3, "%", "<<EOF", "|", ">", "&a", "*a", "!x y",
]  # fmt: skip


def repository(name: str) -> dict[str, str]:
    paths = [path for path in sorted((FIXTURES / name).rglob("*")) if path.is_file() and "expected." not in path.name]
    return {path.relative_to(FIXTURES / name).as_posix(): path.read_text(encoding="utf-8") for path in paths}


REPOSITORIES = {name: repository(name) for name in ("golden", "broken-shop", "broken-django")}


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, str]:
    """A fixture with a few files cut, shuffled or spiked with junk."""
    files = dict(REPOSITORIES[draw(st.sampled_from(sorted(REPOSITORIES)))])
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(sorted(files)))
        lines = files[path].split("\n")
        at = draw(st.integers(0, max(len(lines) - 1, 0)))
        match draw(st.sampled_from(["drop", "double", "swap", "cut", "junk", "value", "indent", "empty"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "cut":
                lines = lines[:at] or [""]
                lines[-1] = lines[-1][: draw(st.integers(0, 40))]
            case "junk":
                lines.insert(at, draw(st.sampled_from(JUNK)))
            case "value":
                head, separator, _ = lines[at].partition(draw(st.sampled_from([": ", "=", " "])))
                lines[at] = head + separator + draw(st.sampled_from(JUNK))
            case "indent":
                lines[at] = " " * draw(st.integers(1, 6)) + lines[at]
            case _:
                lines = [""]
        files[path] = "\n".join(lines)
    return files


def crashes(report: Report) -> list[str]:
    return [
        f"{problem.path}: {problem.message}"
        for problem in report.problems
        if problem.stage in ("check", "link") or "parser failed" in problem.message
    ]


@given(damaged())
@settings(max_examples=60, deadline=None)
def test_damage_gives_findings_or_problems_but_never_a_crash(files: dict[str, str]) -> None:
    report = scan_sources([SourceFile(path, text) for path, text in files.items()], options=OPTIONS)
    assert crashes(report) == []
    for finding in report.findings:
        for location in (finding.primary, *finding.related):
            span = location.span
            assert 0 <= span.start <= span.end <= len(span.file.text)
    for form in ("text", "json", "sarif", "github", "markdown"):
        rendered = render(form, report, RenderOptions(show_undecided=True))
        assert "\x1b[31m" not in rendered
        assert "\u202e" not in rendered or form in ("json", "sarif")
