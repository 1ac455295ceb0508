"""Runs rules over resources, services, files and the repository, and counts what became of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from pyprod_audit.catalogue import Rule
from pyprod_audit.checks.api import Cannot, Check, Context, Hit, Outcome, Skip, Subject
from pyprod_audit.findings import Finding, Location, RuleCount, Undecided
from pyprod_audit.message import fill
from pyprod_audit.model import Problem, Repository, Resource, Service, SourceFile, Span
from pyprod_audit.vocabulary import Test, compile_test


@dataclass(slots=True)
class Checked:
    """What the rules said."""

    findings: list[Finding] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, RuleCount] = field(default_factory=dict)


def check(
    rules: Sequence[Rule],
    repository: Repository,
    *,
    as_of: dt.date,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Checked:
    """Apply every rule to every subject it is about.

    `params` replaces parameters by rule id; `progress` is told (stage, done, total). A rule that raises becomes a
    problem, and the others go on.
    """
    checked = Checked()
    owners = _owners(repository.services)
    for number, rule in enumerate(rules):
        if progress is not None:
            progress("check", number, len(rules))
        subjects = list(_subjects(rule, repository))
        count = checked.counts[rule.id] = RuleCount()
        if not subjects:
            continue
        context = Context({**rule.params, **(params or {}).get(rule.id, {})}, repository, as_of)
        try:
            judge = _judge(rule)
        except Exception as error:  # noqa: BLE001 - a broken rule must not end the run
            checked.problems.append(_crash(rule, "", error))
            continue
        seen: set[tuple[object, ...]] = set()
        for subject in subjects:
            try:
                outcomes = list(judge(subject, context))
            except Exception as error:  # noqa: BLE001 - likewise, for one subject
                checked.problems.append(_crash(rule, _path(subject), error))
                continue
            if outcomes:
                _record(rule, subject, outcomes, count, checked, owners, seen)
            else:
                count.applied += 1
                count.passed += 1
    return checked


def _record(
    rule: Rule,
    subject: Subject,
    outcomes: Sequence[Outcome],
    count: RuleCount,
    checked: Checked,
    owners: Mapping[int, str],
    seen: set[tuple[object, ...]],
) -> None:
    hits = [outcome for outcome in outcomes if isinstance(outcome, Hit)]
    if not hits and any(isinstance(outcome, Skip) for outcome in outcomes):
        return
    count.applied += 1
    for outcome in outcomes:
        if isinstance(outcome, Cannot):
            checked.undecided.append(Undecided(rule.id, _address(subject), outcome.span, outcome.because))
    if hits:
        count.failed += 1
    else:
        count.undecided += 1
    places = set()
    for hit in hits:
        finding = _finding(rule, subject, hit, owners)
        place = (finding.path, finding.primary.span.start, hit.message)
        own = (*place, finding.address, finding.message)
        # One place can be reached through several includes; one image by several services: told once.
        if own in seen or (isinstance(subject, Service) and place in seen):
            continue
        seen.add(own)
        places.add(place)
        checked.findings.append(finding)
        count.findings += 1
    seen |= places


def _subjects(rule: Rule, repository: Repository) -> Iterator[Subject]:
    for target in rule.targets:
        if target == "service":
            yield from repository.services
        elif target == "repository":
            yield repository
        elif target == "file":
            yield from repository.files.values()
        elif target.endswith(".*"):
            yield from repository.of_technology(target[:-2])
        else:
            yield from repository.of_kind(target)


def _judge(rule: Rule) -> Check:
    guard = compile_test(rule.when) if rule.when is not None else None
    if rule.expect is not None:
        return _vocabulary_check(rule, compile_test(rule.expect), guard)
    module, _, name = str(rule.function).partition(":")
    function: Check = getattr(import_module(f"pyprod_audit.checks.{module}"), name)
    if guard is None:
        return function

    def guarded(subject: Resource, context: Context) -> Iterator[Outcome]:
        verdict = guard(subject.node)
        if verdict.outcome is None:
            yield Cannot(verdict.at, verdict.because)
        elif verdict.outcome is False:
            yield Skip()
        else:
            yield from function(subject, context)

    return guarded


def _vocabulary_check(rule: Rule, expect: Test, guard: Test | None) -> Check:
    def run(subject: Resource, _context: Context) -> Iterator[Outcome]:
        if guard is not None:
            applies = guard(subject.node)
            if applies.outcome is False:
                yield Skip()
                return
            if applies.outcome is None:
                yield Cannot(applies.at, applies.because)
                return
        verdict = expect(subject.node)
        if verdict.outcome is None:
            yield Cannot(verdict.at, verdict.because)
        elif verdict.outcome is False:
            yield Hit(verdict.at, {"value": verdict.value, **rule.params})

    return run


def _finding(rule: Rule, subject: Subject, hit: Hit, owners: Mapping[int, str]) -> Finding:
    address = hit.address or _address(subject)
    redact = rule.redact if hit.redact is None else hit.redact
    values = {"address": address, "name": _name(subject), **hit.values}
    return Finding(
        rule_id=rule.id,
        name=rule.name,
        severity=rule.severity,
        confidence=rule.confidence,
        section=rule.section,
        message=fill(hit.message or rule.message, values),
        address=address,
        primary=Location(_narrow(hit.span), redact=redact),
        related=tuple(Location(_narrow(span), label, redact=redact) for span, label in hit.related),
        service=subject.name if isinstance(subject, Service) else _owner(subject, owners),
        help=fill(rule.help, values),
    )


def _narrow(span: Span) -> Span:
    """One line, never empty where the line has text: what an editor or a pull request can show."""
    narrow = span.first_line
    return narrow if narrow.end > narrow.start else narrow.file.line_span(narrow.line)


def _address(subject: Subject) -> str:
    if isinstance(subject, Resource):
        return subject.address
    if isinstance(subject, Service):
        return f"service/{subject.name}"
    return subject.path if isinstance(subject, SourceFile) else "repository"


def _name(subject: Subject) -> str:
    if isinstance(subject, Service):
        return subject.name
    return _address(subject).rsplit("/", 1)[-1]


def _path(subject: Subject) -> str:
    if isinstance(subject, (Resource, SourceFile)):
        return subject.path
    parts = (subject.container, subject.workload, subject.image) if isinstance(subject, Service) else ()
    return next((part.path for part in parts if part is not None), "")


def _owners(services: Iterable[Service]) -> dict[int, str]:
    owners: dict[int, str] = {}
    for service in services:
        for part in (service.container, service.pod, service.workload, service.image):
            if part is not None:
                owners.setdefault(id(part), service.name)
    return owners


def _owner(subject: Subject, owners: Mapping[int, str]) -> str:
    if not isinstance(subject, Resource):
        return ""
    return next((owners[id(part)] for part in (subject, *subject.ancestors()) if id(part) in owners), "")


def _crash(rule: Rule, path: str, error: Exception) -> Problem:
    return Problem("check", path, f"rule {rule.id} ({rule.name}) failed: {type(error).__name__}: {error}")
