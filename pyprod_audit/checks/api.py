"""What a check function sees and returns.

A check is a generator `check(subject, context)`. The subject is a `Resource`, a `Service`, a `SourceFile` or the
`Repository`, as the rule's `target` says. It yields

- `Hit` for each place where the rule does not hold,
- `Cannot` when the answer hangs on a value that exists only at deploy time,
- `Skip` when the rule has nothing to say about this subject (one side is not in the repository),

and nothing at all when the rule holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from pyprod_audit.model import Node, Repository, Resource, Service, SourceFile, Span, Unknown


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where the rule does not hold.

    `values` fill the message's `{placeholders}` (`{address}` is always there); `related` are the other ends with their
    labels; `address` replaces the subject's address (needed when one subject gives several hits, so that their
    fingerprints differ); `message` replaces the rule's message when the rule bundles several conditions; `redact` says,
    against the rule's own `redact`, whether the places hold a secret.
    """

    span: Span
    values: Mapping[str, Any] = field(default_factory=dict)
    related: tuple[tuple[Span, str], ...] = ()
    address: str = ""
    message: str = ""
    redact: bool | None = None


@dataclass(frozen=True, slots=True)
class Cannot:
    """The rule cannot be decided here; `because` names the value that is not known."""

    span: Span | None
    because: str


@dataclass(frozen=True, slots=True)
class Skip:
    """The rule does not apply to this subject; `because` names the side that is missing."""

    because: str = ""


class Context(NamedTuple):
    """What a check may ask besides its subject. `as_of` is the day that end-of-life dates are compared with."""

    params: Mapping[str, Any]
    repository: Repository
    as_of: dt.date


Outcome: TypeAlias = Hit | Cannot | Skip
Outcomes: TypeAlias = Iterator[Outcome]
Subject: TypeAlias = Resource | Service | SourceFile | Repository
Check: TypeAlias = Callable[[Any, Context], Outcomes]


def cannot(node: Node) -> Cannot:
    """The undecided outcome for an Unknown node, in the words of whoever made it unknown."""
    unknown = node.value
    if isinstance(unknown, Unknown):
        return Cannot(node.anchor, unknown.because or f"{unknown.expression} is known only at deploy time")
    return Cannot(node.anchor, "the value is known only at deploy time")
