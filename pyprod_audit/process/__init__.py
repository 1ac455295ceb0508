"""What happens to findings between the checks and the report: an ordered list of small steps, each counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from pyprod_audit.findings import Finding

Processor: TypeAlias = Callable[[Sequence[Finding]], list[Finding]]


class Step(NamedTuple):
    """How many findings that are not suppressed went into a processor, and how many came out."""

    name: str
    before: int
    after: int


def run(findings: Sequence[Finding], processors: Iterable[tuple[str, Processor]]) -> tuple[list[Finding], list[Step]]:
    """Pass `findings` through the named processors in order."""
    current = list(findings)
    steps = []
    before = _active(current)
    for name, processor in processors:
        current = processor(current)
        after = _active(current)
        steps.append(Step(name, before, after))
        before = after
    return current, steps


def _active(findings: Iterable[Finding]) -> int:
    return sum(finding.suppression is None for finding in findings)
