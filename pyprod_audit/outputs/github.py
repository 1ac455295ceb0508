"""GitHub workflow commands: annotations in the files of a pull request.

GitHub shows ten annotations of a kind for a step, so the worst ten are told and the rest counted.
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.findings import Finding, Report, Severity
from pyprod_audit.outputs.escape import terminal, workflow_data, workflow_property
from pyprod_audit.outputs.options import RenderOptions
from pyprod_audit.outputs.repository_path import from_repository

_LIMIT: Final = 10
_COMMANDS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


def render(report: Report, options: RenderOptions) -> str:
    """One command a line for the worst findings; a last line of plain text says how many were left out."""
    shown = options.shown(report)
    lines = [_command(finding, report.prefix) for finding in shown[:_LIMIT]]
    if len(shown) > _LIMIT:
        lines.append(f"pyprod-audit: the worst {_LIMIT} of {len(shown)} findings are annotated")
    return "".join(f"{line}\n" for line in lines)


def _command(finding: Finding, prefix: str) -> str:
    span = finding.primary.span.first_line
    line, column = span.position(span.start)
    properties = {
        "file": from_repository(prefix, finding.path).encode("utf-8", "replace").decode(),
        "line": str(line),
        "col": str(column),
        "endLine": str(line),
        "endColumn": str(max(span.end_position[1], column + 1)),
        "title": terminal(f"{finding.severity.label}: {finding.rule_id} {finding.name}"),
    }
    told = ",".join(f"{key}={workflow_property(value)}" for key, value in properties.items())
    return f"::{_COMMANDS[finding.severity]} {told}::{workflow_data(_message(finding, prefix))}"


def _message(finding: Finding, prefix: str) -> str:
    lines = [terminal(finding.message)]
    for place in finding.related:
        where = f"{terminal(from_repository(prefix, place.span.file.path))}:{place.span.line}"
        lines.append(f"{where}: {terminal(place.label)}" if place.label else where)
    if finding.help:
        lines.append(f"help: {terminal(finding.help)}")
    return "\n".join(lines)
