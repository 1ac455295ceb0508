"""Folders of Terraform files: which are root modules, and what their variables and locals are."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.evaluate.terraform_expressions import Evaluator
from pyprod_audit.evaluate.terraform_functions import Invalid, Unresolved, Value, as_bool, as_number, as_text
from pyprod_audit.model import Node, Problem, Resource, Unknown

CALLER: Final = "set by the module's caller"
_OVERRIDES: Final = ("override.tf", "override.tf.json", "override.tofu")


@dataclass(slots=True)
class Folder:
    """The Terraform files of one folder: its blocks, with override files merged in, and its variable files."""

    path: str
    blocks: list[Node] = field(default_factory=list)
    files: list[Resource] = field(default_factory=list)
    automatic: list[Resource] = field(default_factory=list)
    chosen: list[Resource] = field(default_factory=list)

    def of_type(self, keyword: str) -> Iterable[Node]:
        """The blocks with this keyword."""
        return (block for block in self.blocks if block_type(block) == keyword)


def block_type(block: Node) -> str:
    """The keyword of a block of a `tf.file`."""
    return str(block.mapping["type"].value)


def block_labels(block: Node) -> list[str]:
    """The labels of a block of a `tf.file`."""
    return [str(label.value) for label in block.mapping["labels"].items]


def folders_of(files: Iterable[Resource]) -> dict[str, Folder]:
    """The folders that have configuration, by path.

    Variable files belong to the nearest folder above that has configuration. `terraform.tfvars` and `*.auto.tfvars`
    apply by themselves (the latter in alphabetical order), all others only when they are named at deploy time.
    """
    folders: dict[str, Folder] = {}
    variables: list[Resource] = []
    overrides: list[Resource] = []
    for file in files:
        name = posixpath.basename(file.path)
        if name.endswith((".tfvars", ".tfvars.json")):
            variables.append(file)
            continue
        path = posixpath.dirname(file.path)
        folder = folders.setdefault(path, Folder(path))
        folder.files.append(file)
        if name in _OVERRIDES or name.endswith(tuple("_" + ending for ending in _OVERRIDES)):
            overrides.append(file)
        else:
            folder.blocks += file.node.items_at("blocks")
    for file in sorted(overrides, key=lambda file: file.path):
        _override(folders[posixpath.dirname(file.path)].blocks, file.node.items_at("blocks"))
    for file in sorted(variables, key=lambda file: (not _is_default(file.path), file.path)):
        own = posixpath.dirname(file.path)
        owner = own
        while owner and owner not in folders:
            owner = posixpath.dirname(owner)
        if owner in folders:
            applies = _is_default(file.path) or file.path.endswith((".auto.tfvars", ".auto.tfvars.json"))
            (folders[owner].automatic if applies and owner == own else folders[owner].chosen).append(file)
    return folders


def _is_default(path: str) -> bool:
    return posixpath.basename(path) in ("terraform.tfvars", "terraform.tfvars.json")


def _override(blocks: list[Node], overriding: Iterable[Node]) -> None:
    """Merges blocks of override files: arguments replace arguments, nested blocks replace all of their type."""
    index = {(block_type(block), *block_labels(block)): at for at, block in enumerate(blocks)}
    for block in overriding:
        at = index.get((block_type(block), *block_labels(block)))
        if at is None or block_type(block) in ("locals", "terraform"):
            blocks.append(block)
            continue
        old = blocks[at]
        replaced = {block_type(nested) for nested in block.items_at("blocks")}
        kept = [nested for nested in old.items_at("blocks") if block_type(nested) not in replaced]
        body, nested = old.mapping["body"], old.mapping["blocks"]
        members = dict(old.mapping)
        members["body"] = _at(body, {**body.mapping, **block.mapping_at("body")})
        members["blocks"] = _at(nested, (*kept, *block.items_at("blocks")))
        blocks[at] = _at(old, members)


def _at(node: Node, value: Value) -> Node:
    return Node(value, node.source, node.start, node.end, node.key_start, node.key_end)


def called_folders(folders: Mapping[str, Folder]) -> dict[str, Node]:
    """The folders that a module block of this repository calls by a local path, each with the first such call."""
    called: dict[str, Node] = {}
    for folder in folders.values():
        for block in folder.of_type("module"):
            source = block.mapping_at("body").get("source")
            if source is not None and isinstance(source.value, str) and source.value.startswith(("./", "../")):
                target = posixpath.normpath(posixpath.join(folder.path, source.value))
                target = "" if target == "." else target
                if target in folders and target != folder.path:
                    called.setdefault(target, block)
    return called


def root_evidence(folder: Folder) -> Node | None:
    """What shows that terraform is run in this folder: a backend, a provider configuration, a variable file."""
    for block in folder.of_type("terraform"):
        for nested in block.items_at("blocks"):
            if block_type(nested) in ("backend", "cloud"):
                return nested
    provider = next(iter(folder.of_type("provider")), None)
    if provider is not None:
        return provider
    return next((file.node for file in (*folder.automatic, *folder.chosen)), None)


class Values:
    """The variables and locals of one folder, evaluated when they are first asked for.

    In a module that others call, every variable is Unknown. In a root module a variable has the value of the variable
    files that apply by themselves, else its default; when another variable file says something else, it is Unknown.
    """

    def __init__(self, folder: Folder, *, root: bool, problems: list[Problem]) -> None:
        self.evaluator = Evaluator(self)
        self._root = root
        self._problems = problems
        self._declared = {labels[0]: block for block in folder.of_type("variable") if (labels := block_labels(block))}
        self._assigned: dict[str, Node] = {}
        self._alternatives: dict[str, list[Node]] = {}
        for file in folder.automatic:
            self._assigned.update(file.node.mapping_at("attributes"))
        for file in folder.chosen:
            for name, node in file.node.mapping_at("attributes").items():
                self._alternatives.setdefault(name, []).append(node)
        self._written = {
            name: node for block in folder.of_type("locals") for name, node in block.mapping_at("body").items()
        }
        self._known: dict[tuple[str, str], Node | Unknown] = {}

    def variable(self, name: str) -> Node | Unknown:
        """The value of `var.<name>`, or why there is none."""
        key = ("var", name)
        if key not in self._known:
            self._known[key] = Unknown(f"var.{name}", f"var.{name} refers to itself")
            self._known[key] = self._variable(name)
        return self._known[key]

    def _variable(self, name: str) -> Node | Unknown:
        block = self._declared.get(name)
        if block is None:
            return Unknown(f"var.{name}", f"var.{name} is not declared in this folder")
        if not self._root:
            return Unknown(f"var.{name}", CALLER)
        written = self._assigned.get(name) or block.mapping_at("body").get("default")
        alternatives = self._alternatives.get(name, [])
        if written is None:
            if not alternatives:
                return Unknown(f"var.{name}", f"var.{name} has no default")
            written = alternatives[0]
        value = self.evaluator.evaluate(written)
        for other in alternatives:
            if not _same(value, self.evaluator.evaluate(other)):
                return Unknown(f"var.{name}", f"{other.source.path} sets var.{name}")
        declared = block.mapping_at("body").get("type")
        return _converted(value, type_text(declared))

    def local(self, name: str) -> Node | Unknown:
        """The value of `local.<name>`, or why there is none. A local that refers to itself is a problem."""
        key = ("local", name)
        if key in self._known:
            found = self._known[key]
            if found is _EVALUATING:
                node = self._written[name]
                message = f"local.{name} refers to itself"
                self._problems.append(Problem("evaluate", node.source.path, message, node.span.line))
                found = self._known[key] = Unknown(f"local.{name}", message)
            return found
        written = self._written.get(name)
        if written is None:
            return Unknown(f"local.{name}", f"local.{name} is not declared in this folder")
        self._known[key] = _EVALUATING
        value = self.evaluator.evaluate(written)
        if self._known[key] is _EVALUATING:
            self._known[key] = value.value if isinstance(value.value, Unknown) else value
        return self._known[key]


_EVALUATING: Final = Unknown("", "it is being evaluated")


def _same(left: Node, right: Node) -> bool:
    """Whether two values are equal, containers included; False when either is not known."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one.value, dict) and isinstance(other.value, dict):
            if one.value.keys() != other.value.keys():
                return False
            pairs += [(member, other.value[key]) for key, member in one.value.items()]
        elif isinstance(one.value, tuple) and isinstance(other.value, tuple):
            if len(one.value) != len(other.value):
                return False
            pairs += zip(one.value, other.value, strict=True)
        elif type(one.value) is not type(other.value) or one.is_unknown or one.value != other.value:
            return False
    return True


def type_text(declared: Node | None) -> str:
    """A variable's `type` as it is written: `string`, `map(object({ … }))`; empty when there is none."""
    if declared is None:
        return ""
    return declared.value.expression if isinstance(declared.value, Unknown) else declared.text or ""


def _converted(node: Node, kind: str) -> Node:
    """The value as the variable's primitive `type` has it; unchanged when it does not convert."""
    if node.value is None or isinstance(node.value, (dict, tuple, Unknown)):
        return node
    try:
        if kind == "string":
            return _at(node, as_text(node.value))
        if kind == "number":
            return _at(node, as_number(node.value))
        if kind == "bool":
            return _at(node, as_bool(node.value))
    except (Unresolved, Invalid):
        return node
    return node
