"""How a report is to be shown."""

from __future__ import annotations

from typing import NamedTuple

from pyprod_audit.findings import Finding, Report, Severity


class RenderOptions(NamedTuple):
    """What the user chose about the presentation; every output reads what concerns it.

    `minimum` hides findings below it, everywhere but in the totals; `width` is the terminal's, in cells; `fail_on`
    (None: never) and `strict` are needed because outputs state the exit code.
    """

    color: bool = False
    verbose: bool = False
    quiet: bool = False
    show_suppressed: bool = False
    show_undecided: bool = False
    stats: bool = False
    minimum: Severity = Severity.INFO
    width: int = 100
    fail_on: Severity | None = Severity.HIGH
    strict: bool = False

    def shown(self, report: Report) -> list[Finding]:
        """The active findings that are to be shown, in the report's order."""
        return [finding for finding in report.active if finding.severity >= self.minimum]

    def suppressed(self, report: Report) -> list[Finding]:
        """The suppressed findings that are to be shown: none unless `show_suppressed`."""
        if not self.show_suppressed:
            return []
        return [f for f in report.findings if f.suppression is not None and f.severity >= self.minimum]

    def exit_code(self, report: Report) -> int:
        """What the process will exit with."""
        return report.exit_code(self.fail_on, strict=self.strict)
