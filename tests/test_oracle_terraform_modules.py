"""What Terraform plans for the module trees of `tests/oracles/terraform_modules`, and what is told here."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pyprod_audit.evaluate.terraform.references import without_keys
from pyprod_audit.model import Node, Resource, Unknown
from tests.oracles.terraform_modules.trees import EXPECTED, ModuleTree, trees
from tests.terraform_samples import run

RECORDED = json.loads(EXPECTED.read_text(encoding="utf-8"))["trees"]


class TestAgainstTerraform:
    """Nothing that is told differs from what Terraform plans; what is not known may be Unknown."""

    @pytest.mark.parametrize("tree", list(trees()), ids=lambda tree: tree.name)
    def test_tree(self, tree: ModuleTree) -> None:
        resources, problems = run(
            rooted(tree), *(f"{tree.folder or '.'}/{n}".removeprefix("./") for n in tree.variable_files)
        )
        assert problems == []
        recorded = RECORDED[tree.name]
        own = [one for one in resources if root_of(one).address == (tree.folder or ".")]
        outputs = {one.address.removeprefix("output."): one.node for one in own if one.address.startswith("output.")}
        assert sorted(outputs) == sorted(recorded["outputs"])
        for name, (after, unknown) in recorded["outputs"].items():
            agree(outputs[name].mapping["value"], after, unknown, f"output.{name}")
        found = {one.address: one.node for one in own if one.kind == "tf.terraform_data"}
        for address, (after, unknown) in recorded["resources"].items():
            node = found.get(address) or next(found[own] for own in found if stands_for(own, address))
            if "input" in node.mapping:
                agree(node.mapping["input"], after, unknown, address)
            else:
                assert (after, unknown) == (None, False), address
        planned = {without_keys(address) for address in recorded["resources"]}
        assert {without_keys(address) for address in found} == planned

    def test_most_is_known(self) -> None:
        """Unknown is allowed above; here it is counted, so that it does not grow unseen."""
        unknown = [f"{tree.name}: {where}" for tree in trees() for where in left_open(tree)]
        assert unknown == KNOWN_TO_BE_UNKNOWN


KNOWN_TO_BE_UNKNOWN = ["many-instances: output.n"]


def rooted(tree: ModuleTree) -> dict[str, str]:
    """The tree with a file that shows where terraform runs."""
    path = f"{tree.folder}/backend.tf".removeprefix("/")
    return {**tree.files, path: 'terraform {\n  backend "local" {}\n}\n'}


def stands_for(own: str, address: str) -> bool:
    """Whether `own` is the address with some keys left out: one resource for instances that do not differ."""
    return re.fullmatch(pattern(address), own) is not None


def pattern(address: str) -> str:
    """The address with every key optional."""
    return re.sub(
        r'\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\]|[^\[]+',
        lambda m: f"(?:{re.escape(m[0])})?" if m[0][0] == "[" else re.escape(m[0]),
        address,
    )


def root_of(resource: Resource) -> Resource:
    return [resource, *resource.ancestors()][-1]


def agree(node: Node, after: Any, unknown: Any, where: str) -> None:
    """Fails when something known differs from what Terraform says, or is known too early."""
    value = node.value
    if isinstance(value, Unknown):
        return
    assert unknown is not True, f"{where} is known only after an apply"
    if isinstance(value, dict):
        after, unknown = after or {}, unknown or {}
        assert sorted(value) == sorted({**after, **unknown}), where
        for key, member in value.items():
            agree(member, after.get(key), unknown.get(key), f"{where}.{key}")
    elif isinstance(value, tuple):
        assert len(value) == len(after), where
        for at, member in enumerate(value):
            agree(member, after[at], unknown[at] if isinstance(unknown, list) else None, f"{where}[{at}]")
    else:
        assert (value, isinstance(value, bool), isinstance(value, str)) == (
            after, isinstance(after, bool), isinstance(after, str),
        ), where  # fmt: skip


def left_open(tree: ModuleTree) -> list[str]:
    resources, _ = run(rooted(tree), *(f"{tree.folder or '.'}/{n}".removeprefix("./") for n in tree.variable_files))
    recorded = RECORDED[tree.name]
    found = []
    for one in resources:
        if root_of(one).address != (tree.folder or "."):
            continue
        name = one.address.removeprefix("output.")
        if one.kind == "tf.output" and name in recorded["outputs"] and not recorded["outputs"][name][1]:
            if any(node.is_unknown for node in one.node.mapping["value"].walk()):
                found.append(one.address)
        if one.kind == "tf.terraform_data" and not recorded["resources"].get(one.address, [0, True])[1]:
            if any(node.is_unknown for node in (one.node.get("input") or one.node.holding(None)).walk()):
                found.append(one.address)
    return found
