"""The readiness scorecard: how the repository stands against each section of the guide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pyprod_audit.findings import Report, SectionResult, Severity, Status
from pyprod_audit.outputs.escape import terminal

WORST_FIRST: Final = tuple(sorted(Severity, reverse=True))
STATUS_WORDS: Final = {
    Status.GAP: "gap",
    Status.UNDECIDED: "cannot be judged",
    Status.MET: "met",
    Status.NOT_APPLICABLE: "not applicable",
}


def plural(count: int, noun: str) -> str:
    """The number and the noun: "1 finding", "3 findings", "2 severities"."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def severity_counts(report: Report) -> str:
    """The active findings by severity, worst first: "1 critical, 4 high"; "" when there are none."""
    counts = ((severity, report.count(severity)) for severity in WORST_FIRST)
    return ", ".join(f"{count} {severity.label}" for severity, count in counts if count)


def sections_with(sections: Iterable[SectionResult], status: Status) -> list[SectionResult]:
    """The sections that came out as `status`, in the guide's order."""
    return sorted((section for section in sections if section.status is status), key=lambda section: section.number)


def score(sections: Sequence[SectionResult]) -> str:
    """The totals in one line: "31 of 44 applicable sections met"."""
    applicable = sum(section.status is not Status.NOT_APPLICABLE for section in sections)
    if not applicable:
        return "no section of the guide applies"
    return f"{len(sections_with(sections, Status.MET))} of {applicable} applicable sections met"


def outcome(section: SectionResult) -> str:
    """Why a section stands as it does, in a few words; "" when there is nothing to add."""
    judged = section.passed + section.failed
    parts = []
    if section.failed:
        parts.append(f"{section.failed} of {judged} checks failed")
    if section.undecided and section.status is not Status.MET:
        parts.append(f"{section.undecided} undecided")
    return ", ".join(parts) or section.because


def numbers(sections: Iterable[SectionResult]) -> str:
    """The numbers of the sections with runs joined: "1, 3-7, 12"."""
    runs: list[list[int]] = []
    for section in sections:
        if runs and section.number == runs[-1][-1] + 1:
            runs[-1].append(section.number)
        else:
            runs.append([section.number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def lines(sections: Sequence[SectionResult], *, width: int, verbose: bool) -> Iterator[str]:
    """The scorecard for a terminal: one compact block; with `verbose` one line a section."""
    if not sections:
        return
    yield f"Readiness: {score(sections)}"
    label_width = max(map(len, STATUS_WORDS.values()))
    for status, word in STATUS_WORDS.items():
        found = sections_with(sections, status)
        if not found:
            continue
        label = f"  {word:<{label_width}}  "
        if verbose:
            for section in found:
                why = outcome(section)
                yield terminal(f"{label}{section.number:>2} {section.title}" + (f" ({why})" if why else ""))
            continue
        if status in (Status.GAP, Status.UNDECIDED):
            text = " · ".join(f"{section.number} {section.title}" for section in found)
        else:
            text = numbers(found)
        yield from textwrap.wrap(
            terminal(text),
            max(width, 40),
            initial_indent=label,
            subsequent_indent=" " * len(label),
            break_on_hyphens=False,
        )
