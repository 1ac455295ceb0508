"""What values become at deploy time: file-level resources of one technology in, effective ones out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module

from pyprod_audit.model import Problem, Resource

EVALUATORS: Mapping[str, str] = {"nginx.config": "nginx:evaluate", "tf.file": "terraform:evaluate"}
_NEED_PATHS = {"nginx.config"}  # an include says something even when the file it names is not there


def evaluate(resources: Sequence[Resource], paths: Collection[str]) -> tuple[list[Resource], list[Problem]]:
    """All resources with the effective ones added; `paths` are all paths of the tree, for includes."""
    found = list(resources)
    problems: list[Problem] = []
    for kind, place in EVALUATORS.items():
        files = [resource for resource in resources if resource.kind == kind]
        if not files:
            continue
        module, _, name = place.partition(":")
        arguments = (files, paths) if kind in _NEED_PATHS else (files,)
        effective, complaints = getattr(import_module(f"pyprod_audit.evaluate.{module}"), name)(*arguments)
        found.extend(effective)
        problems.extend(complaints)
    return found, problems
