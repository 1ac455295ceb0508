"""The report as one JSON object, version 1. Its schema is data/report.schema.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pyprod_audit.findings import Finding, Location, Report, Severity, Undecided
from pyprod_audit.model import Service
from pyprod_audit.outputs.escape import json_text
from pyprod_audit.outputs.options import RenderOptions

VERSION: Final = 1


def render(report: Report, options: RenderOptions) -> str:
    """The object as indented JSON with stable order."""
    return json_text(report_object(report, options))


def report_object(report: Report, options: RenderOptions) -> dict[str, Any]:
    """The report in the shape of the schema. `minimum` filters the findings, never the summary."""
    shown = set(map(id, (*options.shown(report), *options.suppressed(report))))
    return {
        "version": VERSION,
        "tool": {"name": "pyprod-audit", "version": report.version, "rules": report.rules},
        "root": report.root,
        "findings": [_finding(finding) for finding in report.findings if id(finding) in shown],
        "problems": [
            {"stage": problem.stage, "path": problem.path, "line": problem.line, "message": problem.message}
            for problem in report.problems
        ],
        "undecided": [_undecided(undecided) for undecided in report.undecided],
        "services": [
            {"name": s.name, "parts": list(_parts(s)), "because": [evidence.text for evidence in s.evidence]}
            for s in report.services
        ],
        "sections": [
            {
                "number": section.number,
                "title": section.title,
                "status": section.status.value,
                "passed": section.passed,
                "failed": section.failed,
                "undecided": section.undecided,
            }
            for section in report.sections
        ],
        "summary": {
            "files": report.files.parsed + report.files.partial,
            **{severity.label: report.count(severity) for severity in sorted(Severity, reverse=True)},
            "suppressed": len(report.findings) - len(report.active),
            "exit_code": options.exit_code(report),
        },
    }


def _finding(finding: Finding) -> dict[str, Any]:
    end_line, end_column = finding.primary.span.end_position
    suppression = finding.suppression
    return {
        "rule": finding.rule_id,
        "name": finding.name,
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "section": finding.section,
        "message": finding.message,
        **_place(finding.primary),
        "end_line": end_line,
        "end_column": end_column,
        "address": finding.address,
        "service": finding.service,
        "fingerprint": finding.fingerprint,
        "related": [{**_place(place), "message": place.label} for place in finding.related],
        "variants": list(finding.variants),
        "suppressed": None if suppression is None else {"by": suppression.by, "reason": suppression.reason},
    }


def _place(place: Location) -> dict[str, Any]:
    line, column = place.span.position(place.span.start)
    return {"path": place.span.file.path, "line": line, "column": column}


def _undecided(undecided: Undecided) -> dict[str, Any]:
    span = undecided.span
    return {
        "rule": undecided.rule_id,
        "address": undecided.address,
        "path": None if span is None else span.file.path,
        "line": None if span is None else span.line,
        "because": undecided.because,
    }


def _parts(service: Service) -> Iterator[dict[str, str]]:
    if service.project is not None:
        yield {"kind": "python.project", "path": service.project or "."}
    for resource in (service.image, service.workload, service.container, *service.entries):
        if resource is not None:
            yield {"kind": resource.kind, "path": resource.path}
