"""What values become at deploy time: file-level resources of one technology in, effective ones out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.model import Problem, Resource, Tree

EVALUATORS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "kustomize": ("kustomize:evaluate", ("kustomize.kustomization",)),
    "nginx": ("nginx.evaluation:evaluate", ("nginx.config",)),
    "compose": ("compose:evaluate", ("compose.file",)),
    "helm": ("helm:evaluate", ("helm.chart", "helm.values")),
    "terraform": ("terraform.evaluation:evaluate", ("tf.file", "tf.plan")),
}
"""By technology: `module:function`, and the kinds of file-level resources that it is called with, if there are any.

The function is `evaluate(resources, tree) -> Evaluated`; it never raises on any input.
"""
FROM_EFFECTIVE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "nginx in ConfigMaps": ("nginx.configmaps:evaluate", ("k8s.configmap", "k8s.podspec", "k8s.container")),
}
"""The same for those that run last, on what the others have made of the objects."""


def evaluate(resources: Sequence[Resource], tree: Tree) -> Evaluated:
    """All resources with the effective ones added, without those that the effective ones stand for."""
    found = list(resources)
    problems: list[Problem] = []
    notes: list[str] = []
    replaced: set[str] = set()
    for technology, (place, kinds) in (*EVALUATORS.items(), *FROM_EFFECTIVE.items()):
        given = resources if technology in EVALUATORS else _without(found, replaced) if replaced else found
        own = [resource for resource in given if resource.kind in kinds]
        if not own:
            continue
        module, _, name = place.partition(":")
        try:
            evaluated: Evaluated = getattr(import_module(f"pyprod_audit.evaluate.{module}"), name)(own, tree)
        except Exception as error:  # noqa: BLE001 - an evaluator's own fault must not end the scan
            message = f"{technology} was not evaluated: {type(error).__name__}: {error}"
            problems.append(Problem("evaluate", own[0].path, message))
            continue
        found.extend(evaluated.resources)
        problems.extend(evaluated.problems)
        notes.extend(evaluated.notes)
        replaced.update(evaluated.replaced)
    return Evaluated(_without(found, replaced) if replaced else found, problems, replaced, notes)


def _without(resources: Sequence[Resource], paths: Collection[str]) -> list[Resource]:
    """The resources without the Kubernetes objects as they are written in `paths`."""
    return [r for r in resources if r.variant or r.path not in paths or not r.kind.startswith("k8s.")]
