"""The order in which findings are shown: worst first, and the same for the same tree."""

from __future__ import annotations

from collections.abc import Iterable

from pyprod_audit.findings import Finding


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by severity (worst first), section, rule, path, line, column, address and message."""
    return sorted(findings, key=_key)


def _key(finding: Finding) -> tuple[int, int, str, str, int, int, str, str]:
    span = finding.primary.span
    line, column = span.position(span.start)
    return (
        -finding.severity, finding.section, finding.rule_id, finding.path, line, column, finding.address,
        finding.message,
    )  # fmt: skip
