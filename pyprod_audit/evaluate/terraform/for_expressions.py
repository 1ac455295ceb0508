"""`for`: tuples and objects made of the members of others, and the loops of templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pyprod_audit.evaluate.terraform.conversion import as_bool, as_text
from pyprod_audit.evaluate.terraform.numbers import Counted
from pyprod_audit.evaluate.terraform.values import (
    Invalid,
    SetValue,
    Unresolved,
    Value,
    is_sequence,
    mapping_of,
    require_known,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import Derived
from pyprod_audit.parsers.hcl_expression import Expression, ForExpression

if TYPE_CHECKING:
    from pyprod_audit.evaluate.terraform.expressions import Evaluator, Names

_NEAREST: Final = 5


def evaluated_for(evaluator: Evaluator, node: Node, loop: ForExpression, names: Names) -> Value:
    """The value of a `for` expression at `node`. Raises Invalid, Unresolved."""
    from pyprod_audit.evaluate.terraform.definitions import Scope

    collection, body = loop.operands
    rounds: list[Names] = []
    is_literal = isinstance(collection.value, (tuple, dict))
    found = evaluator.known(collection, names) if is_literal else evaluator.looked_at(collection, names)
    label = "" if is_literal else _label(collection)
    members = list(iterated(found))
    if not members and loop.condition is not None:
        _require_valid(evaluator, loop, names)
    for key, member in members:
        evaluator.charge(4)
        own = {loop.key_name: key, loop.value_name: member} if loop.key_name else {loop.value_name: member}
        scope = Scope(names, own, label)
        if loop.condition is None or _holds(evaluator, loop.condition, scope):
            rounds.append(scope)
    if loop.operator == "for[]":
        return tuple([evaluator.member(body, scope) for scope in rounds])
    if loop.operator == "%for":
        return evaluator.bounded("".join([as_text(evaluator.known(body, scope)) for scope in rounds]))
    return _object(evaluator, node, loop, rounds)


def _label(collection: Node) -> str:
    """What the places of a collection's members are: `local.services`, the first name in its expression."""
    value = collection.value
    for _ in range(_NEAREST):
        if not isinstance(value, Expression):
            break
        if value.operator == "reference":
            return f"{value.name}.{value.steps[0]}" if value.steps and isinstance(value.steps[0], str) else value.name
        inner = [operand.value for operand in value.operands if isinstance(operand.value, Expression)]
        value = inner[0] if inner else None
    return "a member of the collection"


def _require_valid(evaluator: Evaluator, loop: ForExpression, names: Names) -> None:
    """Raises Invalid when the condition is an error whatever the member: Terraform looks at it once before all."""
    from pyprod_audit.evaluate.terraform.definitions import Scope

    unknown = loop.operands[0].holding(Unknown(loop.value_name, "there is none"))
    own = {loop.key_name: unknown, loop.value_name: unknown} if loop.key_name else {loop.value_name: unknown}
    try:
        if loop.condition is not None:
            _holds(evaluator, loop.condition, Scope(names, own))
    except Invalid:
        raise
    except Unresolved:
        return


def _holds(evaluator: Evaluator, condition: Node, scope: Names) -> bool:
    return as_bool(evaluator.known(condition, scope))


def _object(evaluator: Evaluator, node: Node, loop: ForExpression, rounds: list[Names]) -> Value:
    body = loop.operands[1]
    groups: dict[str, list[Node]] = {}
    written = loop.key if loop.key is not None else node
    for scope in rounds:
        key = as_text(evaluator.known(written, scope))
        groups.setdefault(key, []).append(_under(evaluator.member(body, scope), written))
    if loop.group:
        return {key: _under(node.holding(tuple(group)), written) for key, group in groups.items()}
    if any(len(group) > 1 for group in groups.values()):
        raise Invalid("two members have the same key")
    return {key: group[0] for key, group in groups.items()}


def _under(member: Node, key: Node) -> Node:
    """The member with the place of its key."""
    made = Node(member.value, member.source, member.start, member.end, key.start, key.end)
    return Derived(made, member.via) if member.via else made


def iterated(value: Value) -> Iterator[tuple[Node, Node]]:
    """Keys and members in Terraform's order: those of maps by key, those of sets are their own keys.

    Raises Invalid, Unresolved.
    """
    if isinstance(value, tuple) and is_sequence(value):
        if isinstance(value, SetValue):
            require_known(value)
            yield from ((member, member) for member in value)
            return
        for at, member in enumerate(value):
            yield member.holding(Counted(at)), member
        return
    mapping = mapping_of(value)
    for key in sorted(mapping):
        member = mapping[key]
        place = (member.key_start, member.key_end) if member.key_start >= 0 else (member.start, member.end)
        key_node = Node(key, member.source, *place)
        yield Derived(key_node, member.via) if member.via else key_node, member
