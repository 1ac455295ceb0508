"""SARIF 2.1.0 as GitHub code scanning reads it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html and GitHub's subset:
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pyprod_audit.findings import Finding, Location, Report, Severity
from pyprod_audit.model import Problem, SourceFile
from pyprod_audit.outputs.escape import json_text
from pyprod_audit.outputs.options import RenderOptions
from pyprod_audit.outputs.repository_path import uri
from pyprod_audit.outputs.rule_text import RuleText, rule_texts
from pyprod_audit.outputs.sarif_hash import line_hashes

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS: Final = 5000
_MOST_RELATED: Final = 100
_MOST_NOTIFICATIONS: Final = 1000
_SHORT: Final = 1024

_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_PROBLEM_SEVERITIES: Final = {"error": "error", "warning": "warning", "note": "recommendation"}
# GitHub: over 9.0 critical, 7.0 to 8.9 high, 4.0 to 6.9 medium, 0.1 to 3.9 low.
_SECURITY_SEVERITIES: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "1.0",
}


def render(report: Report, options: RenderOptions) -> str:
    """The log as indented JSON."""
    findings = [*options.shown(report), *options.suppressed(report)]
    return json_text(sarif_log(report, findings, rule_texts(findings[:MOST_RESULTS])))


def sarif_log(report: Report, findings: Sequence[Finding], texts: Mapping[str, RuleText]) -> dict[str, Any]:
    """The log with exactly one run. `findings` are worst first; `texts` has each of their rules."""
    kept = findings[:MOST_RESULTS]
    notifications = [_problem(problem, report.prefix) for problem in report.problems[:_MOST_NOTIFICATIONS]]
    if len(kept) < len(findings):
        cut = f"Only the worst {MOST_RESULTS} of {len(findings)} findings are in this file."
        notifications.insert(0, {"level": "warning", "message": {"text": cut}})
    by_rule: dict[str, list[Finding]] = {}
    for finding in kept:
        by_rule.setdefault(finding.rule_id, []).append(finding)
    order = {rule_id: index for index, rule_id in enumerate(sorted(by_rule))}
    hashes = _hashes(kept)
    version = {"version": report.version} if report.version else {}
    driver = {"name": "pyprod-audit", **version, "rules": [_rule(by_rule[key], texts[key]) for key in order]}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "columnKind": "utf16CodeUnits",
        "results": [_result(finding, order[finding.rule_id], report.prefix, hashes) for finding in kept],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(findings: Sequence[Finding], text: RuleText) -> dict[str, Any]:
    first = findings[0]
    # GitHub knows one severity for a rule: a configuration that raises some of its findings raises the rule.
    worst = max(finding.severity for finding in findings)
    level = _LEVELS[worst]
    tags = ["production-readiness", first.name.split("-", 1)[0], f"section-{first.section:02}"]
    properties: dict[str, Any] = {"tags": tags, "precision": first.confidence.label}
    if text.security:
        tags.insert(0, "security")
        properties["security-severity"] = _SECURITY_SEVERITIES[worst]
    else:
        properties["problem.severity"] = _PROBLEM_SEVERITIES[level]
    link = next((reference for reference in text.references if reference.startswith("https://")), None)
    return {
        "id": first.rule_id,
        "name": first.name,
        "shortDescription": {"text": text.title[:_SHORT]},
        "fullDescription": {"text": (text.rationale.strip() or text.title)[:_SHORT]},
        "help": {"text": text.plain(first.rule_id), "markdown": text.markdown(first.rule_id)},
        **({"helpUri": link} if link else {}),
        "defaultConfiguration": {"level": level},
        "properties": properties,
    }


def _result(finding: Finding, rule_index: int, prefix: str, hashes: Mapping[tuple[int, int], str]) -> dict[str, Any]:
    related = finding.related[:_MOST_RELATED]
    fingerprints = {"pyprodAudit/v1": finding.fingerprint}
    line_hash = hashes.get((id(finding.primary.span.file), finding.primary.span.line))
    if line_hash is not None:
        fingerprints["primaryLocationLineHash"] = line_hash
    place = _location(finding.primary, prefix)
    if finding.address:
        place["logicalLocations"] = [{"fullyQualifiedName": finding.address, "kind": "resource"}]
    result: dict[str, Any] = {
        "ruleId": finding.rule_id,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message(finding.message, related)},
        "locations": [place],
        "partialFingerprints": fingerprints,
        "properties": {"severity": finding.severity.label, "confidence": finding.confidence.label},
    }
    if finding.service:
        result["properties"]["service"] = finding.service
    if finding.variants:
        result["properties"]["deployedBy"] = list(finding.variants)
    if related:
        result["relatedLocations"] = [
            {"id": number, **_location(other, prefix), "message": {"text": _words(other)}}
            for number, other in enumerate(related, start=1)
        ]
    if finding.suppression is not None:
        kind = "inSource" if finding.suppression.by in ("inline", "annotation") else "external"
        result["suppressions"] = [{"kind": kind, "justification": finding.suppression.reason or finding.suppression.by}]
    return result


def _message(message: str, related: Sequence[Location]) -> str:
    links = ", ".join(f"[{_escape(_words(place))}]({number})" for number, place in enumerate(related, start=1))
    return f"{_escape(message)} ({links})" if links else _escape(message)


def _words(place: Location) -> str:
    return place.label or "related place"


def _escape(text: str) -> str:
    """Brackets would start an embedded link (SARIF 2.1.0, section 3.11.6)."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(place: Location, prefix: str) -> dict[str, Any]:
    """The first line of a place; an alert shows in a pull request only if all of its lines are in the diff."""
    span = place.span.first_line
    line, column = span.position(span.start)
    end_column = span.end_position[1]
    begin = span.file.line_starts[line - 1]
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(prefix, span.file.path)},
            "region": {
                "startLine": line,
                "startColumn": _utf16(span.file, begin, column),
                "endLine": line,
                "endColumn": _utf16(span.file, begin, end_column),
            },
        }
    }


def _utf16(source: SourceFile, begin: int, column: int) -> int:
    """The column in UTF-16 units, for the code-point column of the line that begins at offset `begin`."""
    before = source.text[begin : begin + column - 1]
    return column if before.isascii() else column + sum(char > "\uffff" for char in before)


def _problem(problem: Problem, prefix: str) -> dict[str, Any]:
    notification: dict[str, Any] = {
        "level": "error" if problem.stage in ("check", "link") else "warning",
        "message": {"text": f"{problem.stage}: {problem.message}"},
    }
    if problem.path:
        physical: dict[str, Any] = {"artifactLocation": {"uri": uri(prefix, problem.path)}}
        if problem.line:
            physical["region"] = {"startLine": problem.line}
        notification["locations"] = [{"physicalLocation": physical}]
    return notification


def _hashes(findings: Iterable[Finding]) -> dict[tuple[int, int], str]:
    """GitHub's fingerprints by file and line; it reads every file as UTF-8, so others are left to its own action."""
    files: dict[int, tuple[SourceFile, set[int]]] = {}
    for finding in findings:
        span = finding.primary.span
        if span.file.encoding == "utf-8":
            files.setdefault(id(span.file), (span.file, set()))[1].add(span.line)
    return {
        (key, line): value
        for key, (source, lines) in files.items()
        for line, value in line_hashes(source.text, lines).items()
    }
