"""Terraform's conversions, and what marks values as secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import convert
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.values import ANY, BOOL, NUMBER, STRING, Type, Unresolved, Value, size_of
from pyprod_audit.parsers.hcl_expression import Expression


def _to(kind: Type) -> Callable[[Call, Value], Value]:
    def convert_to(call: Call, value: Value) -> Value:
        if isinstance(value, (dict, tuple)):
            call.charge(size_of(value))
        return convert(value, kind)

    return convert_to


def _same(_call: Call, value: Value) -> Value:
    return value


def _issensitive(call: Call, _value: Value) -> Value:
    """Whether the value is secret: known for what is written right there, as others may be declared so elsewhere."""
    stack = [call.place]
    while stack:
        node = stack.pop()
        if isinstance(node.value, Expression):
            if node.value.operator not in ("call", "template", "object", "expand") or node.value.name == "sensitive":
                raise Unresolved("what is secret is not followed")
            stack += node.value.operands
        stack += (*node.items, *node.mapping.values())
    return False


FUNCTIONS: Final[Mapping[str, Function]] = {
    "issensitive": function(_issensitive, "null"),
    "nonsensitive": function(_same, "null"),
    "sensitive": function(_same, "null"),
    "tobool": function(_to(BOOL), "null"),
    "tolist": function(_to(("list", ANY)), "null"),
    "tomap": function(_to(("map", ANY)), "null"),
    "tonumber": function(_to(NUMBER), "null"),
    "toset": function(_to(("set", ANY)), "null"),
    "tostring": function(_to(STRING), "null"),
}
