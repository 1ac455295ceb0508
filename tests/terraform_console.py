"""Expressions of Terraform evaluated by themselves, as `terraform console` does it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyprod_audit.evaluate.terraform.encoding import encode
from pyprod_audit.evaluate.terraform.expressions import Evaluator
from pyprod_audit.evaluate.terraform.values import Unresolved, require_known
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers.terraform import parse


class Console:
    """What names stand for in the expressions: nodes by their names, and files."""

    def __init__(
        self, names: Mapping[str, Node] | None = None, files: Mapping[str, SourceFile] | None = None, folder: str = ""
    ) -> None:
        self.names = names or {}
        self.files = files or {}
        self.folder = folder
        self.root_folder = ""

    def variable(self, name: str) -> Node | Unknown:
        return self.named(f"var.{name}", f"var.{name} has no default")

    def local(self, name: str) -> Node | Unknown:
        return self.named(f"local.{name}", f"local.{name} is not declared in this folder")

    def module(self, name: str) -> Node | Unknown:
        return self.named(f"module.{name}", f"module.{name} is not in the repository")

    def resource(self, address: str) -> Node | Unknown:
        return self.named(address, f"computed by {address}")

    def named(self, name: str, because: str) -> Node | Unknown:
        return self.names.get(name) or Unknown(name, because)

    def file(self, path: str) -> SourceFile | None:
        return self.files.get(path)

    def paths(self) -> Collection[str]:
        return self.files


def written(expression: str, path: str = "main.tf") -> Node:
    """The expression as the parser reads it; Unknown when it cannot."""
    source = SourceFile(path, f"locals {{\n  t = {expression}\n}}\n")
    parsed = parse(source)
    blocks = parsed.resources[0].node.items_at("blocks") if parsed.resources and not parsed.problems else ()
    found = blocks[0].mapping_at("body").get("t") if blocks else None
    return found or Node(Unknown(expression, "it is not valid"), source, 0, 0)


def evaluated(expression: str, console: Console | None = None) -> Node:
    """The expression's value, at its place."""
    return Evaluator(console or Console()).evaluate(written(expression))


def as_json(node: Node) -> str | None:
    """The value as `jsonencode` writes it; None when not all of it is known."""
    try:
        require_known(node.value)
        return encode("jsonencode", node.value)
    except Unresolved:
        return None
