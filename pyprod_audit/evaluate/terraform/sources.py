"""Values that know who says them: what sets a variable."""

from __future__ import annotations

from pyprod_audit.model import Node, Via
from pyprod_audit.model.node import Derived, Value


class Said(Derived):
    """A node at the place that says a value; `label` tells what that is: "terraform.tfvars sets var.size"."""

    __slots__ = ("label",)

    def __init__(self, node: Node, via: tuple[Via, ...], label: str) -> None:
        super().__init__(node, via)
        self.label = label

    def holding(self, value: Value) -> Node:
        """The same place, and the same label, with another value."""
        return Said(super().holding(value), self.via, self.label)


def said(node: Node, label: str) -> Said:
    """The node with a label."""
    return Said(node, node.via, label)


def label_of(node: Node, label: str) -> str:
    """What the place of a node is: its own label, else the given one."""
    return node.label if isinstance(node, Said) else label
