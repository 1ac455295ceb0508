"""What the configuration changes about findings: other severities, and paths where rules do not count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pyprod_audit.discover.ignore import Excluder
from pyprod_audit.findings import Finding, Severity, Suppression


def with_severities(findings: Iterable[Finding], severities: Mapping[str, Severity]) -> list[Finding]:
    """The findings with the severity that `severities` gives for their rule's id, if any."""
    return [
        replace(finding, severity=severities[finding.rule_id]) if finding.rule_id in severities else finding
        for finding in findings
    ]


def ignore_paths(
    findings: Iterable[Finding],
    ignores: Mapping[str, Sequence[str]],
    match: Callable[[str], Collection[str]],
    prefix: str = "",
) -> list[Finding]:
    """Mark as suppressed by configuration the findings whose primary place is on an ignored path.

    Args:
        findings: all are returned, marked or not.
        ignores: from glob (gitignore semantics) to rule selectors.
        match: from a selector to the ids of the rules that it means.
        prefix: the way from the folder that the globs count from to the scan root.
    """
    parts = [
        (glob, Excluder([glob], prefix), frozenset(rule for selector in selectors for rule in match(selector)))
        for glob, selectors in ignores.items()
    ]
    return [_ignored(finding, parts) for finding in findings] if parts else list(findings)


def _ignored(finding: Finding, parts: Sequence[tuple[str, Excluder, frozenset[str]]]) -> Finding:
    if finding.suppression is not None:
        return finding
    for glob, covers, rules in parts:
        if finding.rule_id in rules and covers(finding.path):
            return replace(finding, suppression=Suppression("config", f"per-path-ignores: {glob}"))
    return finding
