"""The report as GitHub-flavoured Markdown: the summary of a workflow run.

GitHub refuses a step summary of more than 1 MiB, so what does not fit is cut and the cut is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyprod_audit.findings import Finding, Report, Status
from pyprod_audit.outputs import scorecard
from pyprod_audit.outputs.escape import markdown, markdown_code
from pyprod_audit.outputs.options import RenderOptions

LIMIT: Final = 900_000
_MOST_FINDINGS: Final = 200
_MOST_PROBLEMS: Final = 50
_LONGEST: Final = 500


def render(report: Report, options: RenderOptions) -> str:
    """Totals, the scorecard, the worst findings, and what could not be read."""
    shown = options.shown(report)
    head = "".join(f"{line}\n" for line in (*_totals(report, options), *_scorecard(report)))
    problems = "".join(f"{line}\n" for line in _problems(report))
    room = LIMIT - _size(head) - _size(problems) - 1000
    return head + "".join(f"{line}\n" for line in _findings(shown, room)) + problems


def _totals(report: Report, options: RenderOptions) -> Iterator[str]:
    active = report.active
    yield "## pyprod-audit"
    yield ""
    yield (
        "| " + " | ".join(severity.label for severity in scorecard.WORST_FIRST) + " | suppressed | undecided | files |"
    )
    yield "| " + " | ".join(["---:"] * (len(scorecard.WORST_FIRST) + 3)) + " |"
    counts = [report.count(severity) for severity in scorecard.WORST_FIRST]
    counts += [len(report.findings) - len(active), len(report.undecided), report.files.parsed + report.files.partial]
    yield "| " + " | ".join(map(str, counts)) + " |"
    yield ""
    gate = f"{options.fail_on.label} and worse fail" if options.fail_on else "findings never fail"
    yield f"Exit code {options.exit_code(report)} ({gate})."
    yield ""


def _scorecard(report: Report) -> Iterator[str]:
    if not report.sections:
        return
    yield f"### Readiness: {scorecard.score(report.sections)}"
    yield ""
    yield "| section | status | |"
    yield "| --- | --- | --- |"
    for status in (Status.GAP, Status.UNDECIDED):
        for section in scorecard.sections_with(report.sections, status):
            title, why = markdown(section.title), markdown(_short(scorecard.outcome(section)))
            yield f"| {section.number} {title} | {scorecard.STATUS_WORDS[status]} | {why} |"
    for status in (Status.MET, Status.NOT_APPLICABLE):
        found = scorecard.sections_with(report.sections, status)
        if found:
            yield f"| {scorecard.numbers(found)} | {scorecard.STATUS_WORDS[status]} | |"
    yield ""


def _findings(findings: list[Finding], room: int) -> Iterator[str]:
    if not findings:
        return
    yield "### Findings"
    yield ""
    yield "| severity | rule | place | |"
    yield "| --- | --- | --- | --- |"
    told = 0
    for finding in findings[:_MOST_FINDINGS]:
        line = _row(finding)
        room -= _size(line) + 1
        if room < 0:
            break
        told += 1
        yield line
    yield ""
    if told < len(findings):
        yield f"Only the worst {told} of {len(findings)} findings are listed here."
        yield ""


def _row(finding: Finding) -> str:
    place = f"{_short(finding.path)}:{finding.primary.span.line}"
    related = "".join(
        f"<br>{markdown(_short(other.label))} {markdown_code(f'{_short(other.span.file.path)}:{other.span.line}')}"
        for other in finding.related[:5]
    )
    fix = f"<br>Fix: {markdown(_short(finding.help))}" if finding.help else ""
    cells = (
        finding.severity.label,
        f"{markdown_code(finding.rule_id)} {markdown(finding.name)}",
        markdown_code(place),
        f"{markdown(_short(finding.message))}{related}{fix}",
    )
    return f"| {' | '.join(cells)} |"


def _problems(report: Report) -> Iterator[str]:
    if not report.problems:
        return
    yield f"### {scorecard.plural(len(report.problems), 'problem')}"
    yield ""
    for problem in report.problems[:_MOST_PROBLEMS]:
        where = f"{_short(problem.path)}:{problem.line}" if problem.line else _short(problem.path)
        yield f"- {problem.stage} {markdown_code(where)} {markdown(_short(problem.message))}"
    if len(report.problems) > _MOST_PROBLEMS:
        yield f"- and {len(report.problems) - _MOST_PROBLEMS} more"
    yield ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
