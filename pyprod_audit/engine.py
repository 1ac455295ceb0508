"""Runs rules over resources, services, files and the repository, and counts what became of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from pyprod_audit.catalogue import Rule
from pyprod_audit.checks.api import Cannot, Check, Context, Hit, Outcome, Skip, Subject
from pyprod_audit.findings import Finding, Location, RuleCount, Undecided
from pyprod_audit.message import fill
from pyprod_audit.model import Problem, Repository, Resource, Service, SourceFile, Span, Via
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
        seen = _Seen()
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
    seen: _Seen,
) -> None:
    hits = [outcome for outcome in outcomes if isinstance(outcome, Hit)]
    if not hits and any(isinstance(outcome, Skip) for outcome in outcomes):
        return
    count.applied += 1
    variant, via = _origin(subject)
    for outcome in outcomes:
        if isinstance(outcome, Cannot):
            where = None if outcome.span is None else (outcome.span.file.path, outcome.span.start)
            asked = (where, outcome.because, "" if variant and where else _address(subject))
            if not variant or asked not in seen.undecided:
                seen.undecided.add(asked)
                checked.undecided.append(Undecided(rule.id, _address(subject), outcome.span, outcome.because))
    if hits:
        count.failed += 1
    else:
        count.undecided += 1
    places = set()
    for hit in hits:
        finding = _finding(rule, subject, hit, owners, via)
        place = (finding.path, finding.primary.span.start, hit.message)
        own = (*place, finding.address, finding.message)
        # One place can be reached through several includes; one image by several services: told once.
        if own in seen.told or (isinstance(subject, Service) and not variant and place in seen.told):
            seen.add_variant(own, variant, checked.findings)
            continue
        if variant:
            same = (*place, _text_without_address(rule, hit, _address(subject)))
            if same in seen.variants:
                seen.add_variant(same, variant, checked.findings)
                continue
            seen.variants[same] = len(checked.findings)
        seen.told.add(own)
        seen.variants[own] = len(checked.findings)
        places.add(place)
        checked.findings.append(finding if not variant else replace(finding, variants=(variant,)))
        count.findings += 1
    seen.told |= places


@dataclass(slots=True)
class _Seen:
    """What one rule has told. `variants` leads from a finding's place and text to its number."""

    told: set[tuple[object, ...]] = field(default_factory=set)
    undecided: set[tuple[object, ...]] = field(default_factory=set)
    variants: dict[tuple[object, ...], int] = field(default_factory=dict)

    def add_variant(self, key: tuple[object, ...], variant: str, findings: list[Finding]) -> None:
        """Notes that a finding holds for one more way in which the same files are deployed."""
        number = self.variants.get(key)
        if variant and number is not None and variant not in findings[number].variants:
            found = findings[number]
            findings[number] = replace(found, variants=(*found.variants, variant))


def _origin(subject: Subject) -> tuple[str, tuple[Via, ...]]:
    """Which deployment the subject belongs to, and what made it so."""
    if isinstance(subject, Service):
        part = subject.container or subject.workload or subject.image
        return ("", ()) if part is None else _origin(part)
    return (subject.variant, subject.via) if isinstance(subject, Resource) else ("", ())


def _text_without_address(rule: Rule, hit: Hit, address: str) -> str:
    """The message with the subject's address left out: what two deployments of the same lines have in common."""
    return fill(hit.message or rule.message, {"address": "", "name": "", **hit.values}).replace(address, "")


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


def _finding(rule: Rule, subject: Subject, hit: Hit, owners: Mapping[int, str], via: tuple[Via, ...] = ()) -> Finding:
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
        related=tuple(_related(hit, via, redact)),
        service=subject.name if isinstance(subject, Service) else _owner(subject, owners),
        help=fill(rule.help, values),
    )


def _related(hit: Hit, via: tuple[Via, ...], redact: bool) -> Iterator[Location]:
    """The other ends, then where the values of all of them were written, then what made the subject; each once."""
    told = {hit.span[:3]}
    written = [*hit.span.via, *(via for span, _ in hit.related for via in span.via)]
    for span, label in (*hit.related, *written, *via):
        if span[:3] not in told:
            told.add(span[:3])
            yield Location(_narrow(span), label, redact=redact)


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
        for part in (service.container, service.pod, service.workload, service.image, service.compose):
            if part is not None:
                owners.setdefault(id(part), service.name)
    return owners


def _owner(subject: Subject, owners: Mapping[int, str]) -> str:
    if not isinstance(subject, Resource):
        return ""
    return next((owners[id(part)] for part in (subject, *subject.ancestors()) if id(part) in owners), "")


def _crash(rule: Rule, path: str, error: Exception) -> Problem:
    return Problem("check", path, f"rule {rule.id} ({rule.name}) failed: {type(error).__name__}: {error}")
