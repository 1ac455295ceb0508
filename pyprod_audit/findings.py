"""What a run returns: findings, counts, and what could not be judged."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.model import Problem, Service, Span


class Severity(enum.IntEnum):
    """What happens in production when the finding is true; docs/severity.md explains the levels."""

    INFO = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def label(self) -> str:
        """The lower-case name."""
        return self.name.lower()


class Confidence(enum.IntEnum):
    """How sure a static answer can be."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def label(self) -> str:
        """The lower-case name."""
        return self.name.lower()


class Profile(enum.IntEnum):
    """The ladder of strictness: baseline ⊂ standard ⊂ strict."""

    BASELINE = 1
    STANDARD = 2
    STRICT = 3


class Status(enum.StrEnum):
    """How the repository stands against one section of the guide."""

    MET = "met"
    GAP = "gap"
    UNDECIDED = "undecided"
    NOT_APPLICABLE = "not-applicable"


class Location(NamedTuple):
    """A place, with what to say about it. `redact`: the text there is a secret and must not be printed."""

    span: Span
    label: str = ""
    redact: bool = False


class Suppression(NamedTuple):
    """Why a finding is not shown: `by` is inline, annotation, config or baseline."""

    by: str
    reason: str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule does not hold.

    `rule_id` is the permanent code, `name` the readable one; `related` are the other ends, in the order in which
    the message speaks of them; `help` is the rule's fix in one line; `variants` names the deployments it holds for
    when the same files are deployed in several ways (values files of a chart, overlays, callers of a module).
    """

    rule_id: str
    name: str
    severity: Severity
    confidence: Confidence
    section: int
    message: str
    address: str
    primary: Location
    related: tuple[Location, ...] = ()
    service: str = ""
    help: str = ""
    suppression: Suppression | None = None
    variants: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path of the file of the primary location."""
        return self.primary.span.file.path

    @property
    def fingerprint(self) -> str:
        """20 hexadecimal digits that survive edits elsewhere: neither line numbers nor nearby text go in.

        Two findings may share one; baselines therefore count.
        """
        import hashlib  # loads OpenSSL: not at start-up

        key = f"{self.rule_id}\0{self.path}\0{self.address}"
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


class Undecided(NamedTuple):
    """A rule that could not be decided for one subject, and why."""

    rule_id: str
    address: str
    span: Span | None
    because: str


@dataclass(slots=True)
class RuleCount:
    """What became of one rule. applied = passed + failed + undecided; `findings` may exceed `failed`."""

    applied: int = 0
    passed: int = 0
    failed: int = 0
    undecided: int = 0
    findings: int = 0


class SectionResult(NamedTuple):
    """How one section of the guide came out, summed over its rules."""

    number: int
    title: str
    status: Status
    passed: int = 0
    failed: int = 0
    undecided: int = 0
    because: str = ""


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Every file seen is parsed, partly parsed, failed, skipped or of no kind that is read (`other`).

    `skipped` counts by reason; `deliberate` are those of its reasons that leave nothing of the deployment out (files
    that are not deployed, links to files that are read anyway).
    """

    seen: int = 0
    parsed: int = 0
    partial: int = 0
    failed: int = 0
    other: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    deliberate: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a scan.

    `findings` are in the order in which they are shown (worst first) and include suppressed ones; `counts` is by
    rule id; `timings` in seconds by stage; `root` is how the scanned tree was named; `prefix` leads from the
    repository's root to the scanned folder ("" or "services/web"); `rules` is the number of rules run; `notes` are what
    the user may want to know about how the scan came about.
    """

    findings: Sequence[Finding]
    problems: Sequence[Problem] = ()
    undecided: Sequence[Undecided] = ()
    services: Sequence[Service] = ()
    sections: Sequence[SectionResult] = ()
    counts: Mapping[str, RuleCount] = field(default_factory=dict)
    files: FileCounts = FileCounts()
    timings: Mapping[str, float] = field(default_factory=dict)
    rules: int = 0
    root: str = "."
    prefix: str = ""
    version: str = ""
    notes: Sequence[str] = ()

    @property
    def active(self) -> list[Finding]:
        """The findings that are not suppressed."""
        return [f for f in self.findings if f.suppression is None]

    def count(self, severity: Severity) -> int:
        """How many active findings have this severity."""
        return sum(f.severity is severity for f in self.active)

    def exit_code(self, fail_on: Severity | None, *, strict: bool = False) -> int:
        """0 clean, 1 findings at or above `fail_on`, 2 internal error, 3 (only `strict`) incomplete or nothing read."""
        if any(p.stage in ("check", "link") for p in self.problems):
            return 2
        if fail_on is not None and any(f.severity >= fail_on for f in self.active):
            return 1
        left_out = set(self.files.skipped) - self.files.deliberate
        if strict and (self.problems or self.files.parsed == 0 or left_out):
            return 3
        return 0
