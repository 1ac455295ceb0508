"""Trees of Terraform files for tests, evaluated."""

from __future__ import annotations

from typing import Any

from pyprod_audit.evaluate.terraform.evaluation import evaluate
from pyprod_audit.model import Deployment, Node, Problem, Resource, SourceFile, Tree
from pyprod_audit.parsers.terraform import parse

BACKEND = 'terraform {\n  backend "s3" {}\n}\n'
"""What shows that terraform is run in a folder."""


def run(files: dict[str, str], *named: str) -> tuple[list[Resource], list[Problem]]:
    """The effective resources of a tree, and the problems; `named` are files given with --var-file."""
    sources = {path: SourceFile(path, text, "terraform") for path, text in files.items()}
    wanted = (".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json")
    parsed = [parse(source) for path, source in sources.items() if path.endswith(wanted)]
    assert [problem for each in parsed for problem in each.problems] == []
    tree = Tree(set(files), sources, deployment=Deployment(variables=tuple(sources[path] for path in named)))
    evaluated = evaluate([resource for each in parsed for resource in each.resources], tree)
    return evaluated.resources, evaluated.problems


def plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    return value


def find(resources: list[Resource], address: str, kind: str = "") -> Resource:
    (found,) = [one for one in resources if one.address == address and one.kind.startswith(kind)]
    return found


def vias(node: Node) -> list[tuple[str, int, str]]:
    return [(via.span.file.path, via.span.line, via.label) for via in node.via]
