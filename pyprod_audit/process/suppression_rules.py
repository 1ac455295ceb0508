"""The rules about suppressions. They belong to no section of the guide: section 0."""

from __future__ import annotations

from pyprod_audit.catalogue import Catalogue, Rule, RuleDoc
from pyprod_audit.findings import Confidence, Finding, Location, Profile, Severity
from pyprod_audit.model import Span

UNUSED, UNKNOWN, MALFORMED, EXPIRED, REASON = "SUP-001", "SUP-002", "SUP-003", "SUP-004", "SUP-005"

_SYNTAX = "# pyprod-audit: ignore[RULE] until=YYYY-MM-DD -- reason"
_DOCUMENTED = ("https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/",)


def _rule(code: str, name: str, title: str, severity: Severity, message_help: str) -> Rule:
    return Rule(
        id=code,
        name=name,
        title=title,
        section=0,
        severity=severity,
        confidence=Confidence.HIGH,
        profile=Profile.BASELINE,
        targets=("suppression",),
        message="{message}",
        help=message_help,
    )


RULES = {
    rule.id: rule
    for rule in (
        _rule(
            UNUSED, "suppression-unused", "A suppression suppresses nothing", Severity.LOW,
            "remove the suppression, or the rule from its list",
        ),
        _rule(
            UNKNOWN, "suppression-unknown-rule", "A suppression names a rule that does not exist", Severity.MEDIUM,
            "name a rule that `pyprod-audit rules` lists, by id, name or prefix",
        ),
        _rule(
            MALFORMED, "suppression-malformed", "A suppression cannot be understood", Severity.MEDIUM,
            f"write {_SYNTAX}",
        ),
        _rule(
            EXPIRED, "suppression-expired", "A suppression is past its date", Severity.MEDIUM,
            "fix what it hides, or decide anew and move the date",
        ),
        _rule(
            REASON, "suppression-without-reason", "A suppression gives no reason", Severity.LOW,
            "say why behind two dashes: -- reason",
        ),
    )
}  # fmt: skip
"""By id; not in the catalogue's folders because they are about the scan and not about the service."""

_CODE = "CMD gunicorn app:app"


def _doc(rationale: str, fix: str, bad: str, good: str) -> RuleDoc:
    return RuleDoc(
        rationale,
        fix,
        _DOCUMENTED,
        ({"Dockerfile": f"FROM python:3.13-slim\n{bad}\n{_CODE}\n"},),
        ({"Dockerfile": f"FROM python:3.13-slim\n{good}\n{_CODE}\n"},),
    )


_GOOD = "# pyprod-audit: ignore[docker-shell-form-entrypoint] until=2027-01-31 -- the base image execs it"

DOCS = {
    UNUSED: _doc(
        "A suppression that outlived its finding will silently hide the next one that appears at the same place.",
        "Remove it. If only one of several rules is unused, remove that rule from the list.",
        "# pyprod-audit: ignore[PYV-002] -- this version is supported again",
        "# the tag is supported: nothing to ignore",
    ),
    UNKNOWN: _doc(
        "The rule that was meant is not suppressed, or the suppression is a left-over of a rule that is gone.",
        "Use the id, name or prefix of a rule as `pyprod-audit rules` lists them.",
        "# pyprod-audit: ignore[WSGI-9999] -- typed wrong",
        _GOOD,
    ),
    MALFORMED: _doc(
        "What cannot be understood suppresses nothing, although its author believes that it does.",
        f"Write `{_SYNTAX}`. The rules are mandatory; the date and the reason are not.",
        "# pyprod-audit: ignore all of this",
        _GOOD,
    ),
    EXPIRED: _doc(
        "Somebody accepted the risk until this day. The finding is shown again.",
        "Fix the finding, or accept it anew with a later date.",
        "# pyprod-audit: ignore[WSGI] until=2024-01-31 -- after the migration",
        _GOOD,
    ),
    REASON: _doc(
        "The configuration asks for a reason (`require-reason`): whoever reads the code next has to know why the risk "
        "was accepted.",
        "Add the reason behind two dashes.",
        "# pyprod-audit: ignore[WSGI]",
        _GOOD,
    ),
}


def complaint(code: str, span: Span, message: str, detail: str = "") -> Finding:
    """A finding of one of these rules; its address says which suppression of the file is meant."""
    rule = RULES[code]
    return Finding(
        rule_id=rule.id,
        name=rule.name,
        severity=rule.severity,
        confidence=rule.confidence,
        section=rule.section,
        message=message,
        address=f"suppression[{detail or span.text[:200]}]",
        primary=Location(span.first_line),
        help=rule.help,
    )


def with_suppression_rules(catalogue: Catalogue) -> Catalogue:
    """`catalogue` with these rules, so that a user can name them."""
    missing = [rule for rule in RULES.values() if catalogue.resolve(rule.id) is None]
    return catalogue.extended(missing) if missing else catalogue
