"""Type constraints of Terraform variables, and what a value becomes that is assigned to one.

Source: developer.hashicorp.com/terraform/language/expressions/type-constraints; corner cases were compared with
Terraform 1.11 (`tests/oracles/terraform_modules`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import converted
from pyprod_audit.evaluate.terraform.sources import said
from pyprod_audit.evaluate.terraform.traversal import like, with_members
from pyprod_audit.evaluate.terraform.unification import (
    attributes_of,
    element_of,
    elements_of,
    kind_of,
    object_type,
    unified,
)
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    BOOL,
    NUMBER,
    STRING,
    Invalid,
    Type,
    Unresolved,
    Value,
    is_mapping,
    is_sequence,
    type_of,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import OpenMapping
from pyprod_audit.parsers.hcl_expression import Expression

_MAX_DEPTH: Final = 40
_COLLECTIONS: Final = frozenset({"list", "set", "map"})


@dataclass(frozen=True, slots=True)
class Constraint:
    """A type constraint.

    `type` is what values convert to. Before that, attributes that are missing or null are filled in: `attributes` are
    those of an object, `members` the constraint of a collection's elements, or those of a tuple's; `fills` says whether
    there is anything to fill in.
    """

    type: Type
    members: tuple[Constraint, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    fills: bool = False


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an object type. `default` is what `optional(type, default)` says, as it is written."""

    constraint: Constraint
    optional: bool = False
    default: Node | None = None


UNCONSTRAINED: Final = Constraint(ANY)
_BARE: Final = {
    "any": UNCONSTRAINED,
    **{kind: Constraint(kind) for kind in (STRING, NUMBER, BOOL)},
    **{kind: Constraint((kind, ANY), (UNCONSTRAINED,)) for kind in _COLLECTIONS},
}


def type_text(declared: Node | None) -> str:
    """A variable's `type` as it is written: `string`, `map(object({ … }))`; empty when there is none."""
    if declared is None:
        return ""
    return declared.value.expression if isinstance(declared.value, Unknown) else declared.text or ""


def constraint_of(declared: Node | None) -> Constraint | None:
    """The constraint that a variable's `type` argument writes; None when it cannot be read."""
    if declared is None:
        return UNCONSTRAINED
    if isinstance(declared.value, str):  # JSON syntax, and Terraform before 0.12
        if declared.value in _BARE:
            return _BARE[declared.value]
        from pyprod_audit.parsers.hcl_tree import template_value  # loads tree-sitter

        declared = template_value(declared, "${" + declared.value + "}")
    return _read(declared, 0)


def _read(node: Node, depth: int) -> Constraint | None:
    written = node.value
    if not isinstance(written, Expression) or depth > _MAX_DEPTH:
        return None
    if written.operator == "reference":
        return _BARE.get(written.name) if not written.steps else None
    if written.operator != "call" or len(written.operands) != 1:
        return None
    inner = written.operands[0]
    if written.name in _COLLECTIONS:
        element = _read(inner, depth + 1)
        if element is None:
            return None
        return Constraint((written.name, element.type), (element,), {}, element.fills)
    if written.name == "tuple" and isinstance(inner.value, tuple):
        members = [_read(member, depth + 1) for member in inner.value]
        found = tuple(member for member in members if member is not None)
        if len(found) < len(members):
            return None
        return Constraint(("tuple", *(one.type for one in found)), found, {}, any(one.fills for one in found))
    if written.name == "object" and isinstance(inner.value, dict):
        return _object(inner.value, depth)
    return None


def _object(written: Mapping[str, Node], depth: int) -> Constraint | None:
    attributes: dict[str, Attribute] = {}
    for name, member in written.items():
        attribute = _attribute(member, depth + 1)
        if attribute is None:
            return None
        attributes[name] = attribute
    kind = object_type({name: one.constraint.type for name, one in attributes.items()})
    fills = any(one.optional or one.constraint.fills for one in attributes.values())
    return Constraint(kind, (), attributes, fills)


def _attribute(node: Node, depth: int) -> Attribute | None:
    written = node.value
    if not isinstance(written, Expression) or written.operator != "call" or written.name != "optional":
        kind = _read(node, depth)
        return None if kind is None else Attribute(kind)
    if len(written.operands) not in (1, 2):
        return None
    kind = _read(written.operands[0], depth)
    if kind is None:
        return None
    return Attribute(kind, True, _literal(written.operands[1]) if written.operands[1:] else None)


def _literal(node: Node) -> Node:
    """A default as it is; Unknown when it is anything but literals, which Terraform refuses."""
    if any(isinstance(inner.value, Expression) for inner in node.walk()):
        return node.holding(Unknown(node.span.text[:200], "it is not a literal"))
    return node


def constrained(node: Node, constraint: Constraint) -> Node:
    """The value as a variable with this constraint has it, defaults of optional attributes filled in.

    Raises Invalid when Terraform refuses it, Unresolved when what it becomes cannot be told.
    """
    filled = _filled(node, constraint, 0) if constraint.fills else node
    return _of_one_type(converted(filled, constraint.type), constraint.type, 0)


def _of_one_type(node: Node, kind: Type, depth: int) -> Node:
    """The value with the members of each collection of one type, where `any` stands inside of their type."""
    value = node.value
    if isinstance(kind, str) or not isinstance(value, (dict, tuple)) or isinstance(value, OpenMapping):
        return node
    if depth > _MAX_DEPTH or not _has_any(kind):
        return node
    if kind_of(kind) == "object" and isinstance(value, dict):
        attributes = attributes_of(kind)
        kinds = [attributes.get(name, ANY) for name in value]
    else:
        kinds = list(elements_of(kind)) if kind_of(kind) == "tuple" else [element_of(kind)] * len(value)
    members = value.values() if isinstance(value, dict) else value
    found = [_of_one_type(member, one, depth + 1) for member, one in zip(members, kinds, strict=True)]
    if kind_of(kind) in _COLLECTIONS and element_of(kind) != ANY and found:
        common = unified([type_of(member.value) for member in found if member.value is not None] or [ANY])
        if common is None:
            raise Invalid("its members are of different types")
        return converted(node.holding(_with(value, found)), (kind_of(kind), common))
    return node.holding(_with(value, found))


def _with(value: dict[str, Node] | tuple[Node, ...], members: list[Node]) -> Value:
    if isinstance(value, dict):
        return with_members(value, dict(zip(value, members, strict=True)))
    return like(value, members)


def _has_any(kind: Type) -> bool:
    if isinstance(kind, str):
        return kind == ANY
    inner = attributes_of(kind).values() if kind_of(kind) == "object" else elements_of(kind)
    return any(_has_any(one) for one in inner)


def _filled(node: Node, constraint: Constraint, depth: int) -> Node:
    """The value with attributes that are missing or null filled in, wherever it has the form of the constraint."""
    value = node.value
    if not constraint.fills or not isinstance(value, (dict, tuple)):
        return node
    if depth > _MAX_DEPTH:
        raise Unresolved("it is nested too deeply")
    if constraint.attributes:
        return _with_attributes(node, constraint, depth) if is_mapping(value) else node
    one = constraint.members[0]
    if isinstance(value, dict):
        if not is_mapping(value) or isinstance(value, OpenMapping):
            return node
        return node.holding({key: _filled(member, one, depth + 1) for key, member in value.items()})
    if not is_sequence(value):
        return node
    kinds = constraint.members
    if constraint.type[0] != "tuple":
        kinds = (one,) * len(value)
    if len(kinds) != len(value):
        return node
    return node.holding(tuple(_filled(member, kind, depth + 1) for member, kind in zip(value, kinds, strict=True)))


def _with_attributes(node: Node, constraint: Constraint, depth: int) -> Node:
    members = node.mapping
    result = dict(members.items())
    for name, attribute in constraint.attributes.items():
        member = members.get(name)
        if member is None and isinstance(members, OpenMapping):
            continue
        if attribute.default is not None and (member is None or member.value is None):
            member = said(attribute.default, f"the default of {name}")
        if member is None and attribute.optional:
            member = Node(None, node.source, node.start, node.end)
        if member is not None:
            result[name] = _filled(member, attribute.constraint, depth + 1)
    return node.holding(_like(members, result))


def _like(members: Mapping[str, Node], result: dict[str, Node]) -> Value:
    return OpenMapping(result, members.rest) if isinstance(members, OpenMapping) else result
