"""Folders of Terraform files: their blocks, their variable files, and what shows that terraform is run there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.evaluate.terraform.functions import Value
from pyprod_audit.model import Node, Resource

_OVERRIDES: Final = ("override.tf", "override.tf.json", "override.tofu", "override.tofu.json")
_OPENTOFU: Final = {".tf": ".tofu", ".tf.json": ".tofu.json"}


@dataclass(slots=True)
class Folder:
    """The Terraform files of one folder: its blocks, with override files merged in, and its variable files.

    `automatic` apply by themselves (`terraform.tfvars`, `*.auto.tfvars`), `chosen` are others that somebody may name at
    deploy time, `named` those that the user of this scan named; all in the order in which they apply.
    """

    path: str
    blocks: list[Node] = field(default_factory=list)
    files: list[Resource] = field(default_factory=list)
    automatic: list[Resource] = field(default_factory=list)
    chosen: list[Resource] = field(default_factory=list)
    named: list[Resource] = field(default_factory=list)
    _by_type: dict[str, list[Node]] = field(default_factory=dict)

    def of_type(self, keyword: str) -> list[Node]:
        """The blocks with this keyword; to be asked when all files of the folder are in."""
        if not self._by_type:
            for block in self.blocks:
                self._by_type.setdefault(block_type(block), []).append(block)
        return self._by_type.get(keyword, [])

    @property
    def evidence(self) -> Node | None:
        """What shows that terraform is run in this folder: a backend, a provider configuration, a variable file."""
        for block in self.of_type("terraform"):
            for nested in block.items_at("blocks"):
                if block_type(nested) in ("backend", "cloud"):
                    return nested
        if self.of_type("provider"):
            return self.of_type("provider")[0]
        return next((file.node for file in (*self.named, *self.automatic, *self.chosen)), None)


def block_type(block: Node) -> str:
    """The keyword of a block of a `tf.file`."""
    return str(block.mapping["type"].value)


def block_labels(block: Node) -> list[str]:
    """The labels of a block of a `tf.file`."""
    return [str(label.value) for label in block.mapping["labels"].items]


def is_variable_file(path: str) -> bool:
    """Whether a file of Terraform only sets variables."""
    return path.endswith((".tfvars", ".tfvars.json"))


def folders_of(files: Iterable[Resource]) -> dict[str, Folder]:
    """The folders that have configuration, by path.

    Variable files belong to the nearest folder above that has configuration. `terraform.tfvars` and `*.auto.tfvars`
    apply by themselves (the latter in alphabetical order), all others only when they are named at deploy time.
    """
    listed = list(files)
    paths = {file.path for file in listed}
    folders: dict[str, Folder] = {}
    variables: list[Resource] = []
    overrides: list[Resource] = []
    for file in listed:
        if is_variable_file(file.path):
            variables.append(file)
            continue
        if _is_superseded(file.path, paths):
            continue
        folder = folders.setdefault(posixpath.dirname(file.path), Folder(posixpath.dirname(file.path)))
        folder.files.append(file)
        name = posixpath.basename(file.path)
        if name in _OVERRIDES or name.endswith(tuple("_" + ending for ending in _OVERRIDES)):
            overrides.append(file)
        else:
            folder.blocks += file.node.items_at("blocks")
    for file in sorted(overrides, key=lambda file: file.path):
        _override(folders[posixpath.dirname(file.path)].blocks, file.node.items_at("blocks"))
    for file in sorted(variables, key=lambda file: (not _is_default(file.path), file.path)):
        own = posixpath.dirname(file.path)
        owner = nearest(own, folders)
        if owner is not None:
            applies = _is_default(file.path) or file.path.endswith((".auto.tfvars", ".auto.tfvars.json"))
            (folders[owner].automatic if applies and owner == own else folders[owner].chosen).append(file)
    return folders


def nearest(path: str, folders: Iterable[str]) -> str | None:
    """The folder itself or the nearest one above it that is among `folders`."""
    among = folders if isinstance(folders, (dict, set, frozenset)) else set(folders)
    while path not in among:
        above = posixpath.dirname(path)
        if above == path or not path:
            return None
        path = above
    return path


def _is_superseded(path: str, paths: set[str]) -> bool:
    """Whether a file has an OpenTofu twin: OpenTofu leaves `main.tf` out where there is a `main.tofu`."""
    for ending, twin in _OPENTOFU.items():
        if path.endswith(ending):
            return path.removesuffix(ending) + twin in paths
    return False


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
