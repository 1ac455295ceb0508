"""The report for people at a terminal, told as compilers tell theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.findings import Finding, Location, Report, Severity
from pyprod_audit.outputs import scorecard
from pyprod_audit.outputs.escape import terminal
from pyprod_audit.outputs.excerpt import Ranges, excerpt, secret_ranges
from pyprod_audit.outputs.options import RenderOptions

_COLORS: Final = {
    Severity.CRITICAL: "1;35",
    Severity.HIGH: "1;31",
    Severity.MEDIUM: "1;33",
    Severity.LOW: "1;36",
    Severity.INFO: "1;34",
}
_BOLD: Final = "1"
_DIM: Final = "2"
_TOGETHER: Final = 3
_PROBLEMS: Final = 10


def render(report: Report, options: RenderOptions) -> str:
    """Findings, then what could not be done, then the summary and the scorecard."""
    printer = _Printer(options, secret_ranges(report.findings))
    body = _brief(report, options, printer) if options.quiet else _full(report, options, printer)
    return "".join(f"{line}\n" for line in body)


def _brief(report: Report, options: RenderOptions, printer: _Printer) -> Iterator[str]:
    for finding in options.shown(report):
        severity = printer.paint(finding.severity.label, _COLORS[finding.severity])
        yield f"{_place(finding.primary)}: {severity}: {finding.rule_id} {terminal(finding.message)}"


def _full(report: Report, options: RenderOptions, printer: _Printer) -> Iterator[str]:
    for group in _groups(options.shown(report), together=not options.verbose):
        yield from printer.block(group)
        yield ""
    for finding in options.suppressed(report):
        suppression = finding.suppression
        if suppression is not None:
            reason = f": {terminal(suppression.reason)}" if suppression.reason else ""
            yield f"suppressed ({suppression.by}): {_place(finding.primary)}: {finding.rule_id} {finding.name}{reason}"
    if options.show_undecided:
        for undecided in report.undecided:
            where = f"{terminal(undecided.span.file.path)}:{undecided.span.line}" if undecided.span else "(no place)"
            about = f"{undecided.rule_id} {terminal(undecided.address)}"
            yield f"undecided: {where}: {about}: {terminal(undecided.because)}"
    yield from _problems(report, options, printer)
    yield from _summary(report, options, printer)
    yield from scorecard.lines(report.sections, width=options.width, verbose=options.verbose)
    if options.stats:
        yield from _stats(report)


def _groups(findings: Sequence[Finding], *, together: bool) -> list[list[Finding]]:
    """Findings in order; those of one rule and severity join the first of them when there are more than a few."""
    if not together:
        return [[finding] for finding in findings]
    by_rule: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault((finding.rule_id, finding.severity), []).append(finding)
    groups = []
    for finding in findings:
        members = by_rule[finding.rule_id, finding.severity]
        if len(members) <= _TOGETHER:
            groups.append([finding])
        elif members[0] is finding:
            groups.append(members)
    return groups


@dataclass(slots=True)
class _Printer:
    options: RenderOptions
    secrets: Mapping[str, Ranges]
    explained: set[str] = field(default_factory=set)

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.options.color and text else text

    def block(self, group: Sequence[Finding]) -> Iterator[str]:
        """One finding in full; of a group the first in full and the next ones as places."""
        first = group[0]
        color = _COLORS[first.severity]
        many = f" ({len(group)} places)" if len(group) > 1 else ""
        yield f"{self.paint(first.severity.label, color)}: {self.paint(f'{first.rule_id} {first.name}', _BOLD)}{many}"
        yield f"  {terminal(first.message)}"
        places = (first.primary, *first.related)
        gutter = len(str(max(place.span.line for place in places)))
        for index, place in enumerate(places):
            yield from self._excerpt(place, gutter, color, primary=index == 0)
        yield f" {' ' * gutter} {self.paint('|', _DIM)}"
        indent = f" {' ' * gutter} {self.paint('=', _DIM)} "
        for other in group[1:_TOGETHER]:
            message = "" if other.message == first.message else f": {terminal(other.message)}"
            yield f"{indent}also {_place(other.primary)}{message}"
        if len(group) > _TOGETHER:
            yield f"{indent}and {len(group) - _TOGETHER} more; -v shows all"
        if first.variants not in ((), (".",)):  # the only deployment of the folder that was scanned
            yield f"{indent}{self.paint('deployed by', _BOLD)}: {terminal(_variants(first.variants, self.options))}"
        if first.help:
            yield f"{indent}{self.paint('help', _BOLD)}: {terminal(first.help)}"
        if first.rule_id not in self.explained:
            self.explained.add(first.rule_id)
            yield f"{indent}{self.paint('more', _BOLD)}: pyprod-audit explain {first.rule_id}"

    def _excerpt(self, place: Location, gutter: int, color: str, *, primary: bool) -> Iterator[str]:
        blank, bar = " " * gutter, self.paint("|", _DIM)
        arrow = "-->" if primary else ":::"
        yield f" {blank}{self.paint(arrow, _DIM)} {_place(place)}"
        found = excerpt(place.span, self.options.width - gutter - 4, self.secrets)
        if primary:
            yield f" {blank} {bar}"
        yield f" {self.paint(f'{found.line:>{gutter}}', _DIM)} {bar} {found.text}".rstrip()
        marks = self.paint(("^" if primary else "-") * found.size, color if primary else _BOLD)
        label = f" {terminal(place.label)}" if place.label else ""
        yield f" {blank} {bar} {' ' * found.mark}{marks}{label}"


def _variants(variants: Sequence[str], options: RenderOptions) -> str:
    shown = variants if options.verbose else variants[:_TOGETHER]
    more = len(variants) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _place(place: Location) -> str:
    line, column = place.span.position(place.span.start)
    return f"{terminal(place.span.file.path)}:{line}:{column}"


def _problems(report: Report, options: RenderOptions, printer: _Printer) -> Iterator[str]:
    shown = report.problems if options.verbose else report.problems[:_PROBLEMS]
    for problem in shown:
        where = terminal(problem.path) + (f":{problem.line}" if problem.line else "")
        word = printer.paint("problem", _COLORS[Severity.MEDIUM])
        yield f"{word}: {problem.stage}{f' {where}' if where else ''}: {terminal(problem.message)}"
    if len(report.problems) > len(shown):
        yield f"and {len(report.problems) - len(shown)} more problems; -v shows all"
    if shown:
        yield ""


def _summary(report: Report, options: RenderOptions, printer: _Printer) -> Iterator[str]:
    active = report.active
    counts = _severities(report, printer)
    suppressed = len(report.findings) - len(active)
    parts = [f"{scorecard.plural(len(active), 'finding')}{f': {counts}' if counts else ''}"]
    hidden = len(active) - len(options.shown(report))
    if hidden:
        parts.append(f"{hidden} below {options.minimum.label} not shown")
    parts += [f"{suppressed} suppressed", f"{len(report.undecided)} undecided"]
    if report.problems:
        parts.append(scorecard.plural(len(report.problems), "problem"))
    yield " · ".join(parts)
    files = report.files
    skipped = sum(files.skipped.values())
    extra = [
        f"{count} {word}"
        for count, word in ((files.partial, "partly read"), (files.failed, "not readable"), (skipped, "skipped"))
        if count
    ]
    seconds = f" in {sum(report.timings.values()):.2f} s" if options.verbose and report.timings else ""
    rules = f", {scorecard.plural(report.rules, 'rule')}" if report.rules else ""
    yield f"{scorecard.plural(files.parsed + files.partial, 'file')} read{rules}{seconds}" + "".join(
        f" · {e}" for e in extra
    )
    if options.verbose:
        for reason, count in sorted(files.skipped.items()):
            yield f"  skipped, {terminal(reason)}: {count}"


def _severities(report: Report, printer: _Printer) -> str:
    counts = ((severity, report.count(severity)) for severity in scorecard.WORST_FIRST)
    return ", ".join(printer.paint(f"{n} {severity.label}", _COLORS[severity]) for severity, n in counts if n)


def _stats(report: Report) -> Iterator[str]:
    yield ""
    yield "Time by stage"
    for stage, seconds in report.timings.items():
        yield f"  {stage:<12} {seconds:8.3f} s"
    yield "Rules by subjects: applied, passed, failed, undecided, findings"
    for rule_id, count in sorted(report.counts.items()):
        cells = (count.applied, count.passed, count.failed, count.undecided, count.findings)
        yield f"  {rule_id:<12}" + "".join(f"{cell:>8}" for cell in cells)
