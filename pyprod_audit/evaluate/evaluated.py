"""What evaluators return."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyprod_audit.model import Problem, Resource


@dataclass(slots=True)
class Evaluated:
    """What an evaluator makes of its resources.

    `replaced`: paths of files whose Kubernetes objects are not deployed as they are written there, because
    `resources` has them as they are deployed. `notes`: what the user may want to know, such as deployments that are not
    judged.
    """

    resources: list[Resource] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
