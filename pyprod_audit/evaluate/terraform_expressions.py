"""The values of Terraform expressions as far as one folder of configuration tells them."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Final, Protocol

from pyprod_audit.evaluate.terraform_functions import (
    FUNCTIONS,
    MAX_TEXT,
    Invalid,
    Unresolved,
    Value,
    arithmetic,
    as_bool,
    as_number,
    as_text,
    equal,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.parsers.hcl_expression import Expression, Step

_MAX_DEPTH: Final = 100
_BUDGET: Final = 500_000

Names = Mapping[str, Node]
NO_NAMES: Final[Names] = {}


class Definitions(Protocol):
    """Where `var.x` and `local.x` get their values from."""

    def variable(self, name: str) -> Node | Unknown:
        """The value of `var.<name>`, or why there is none."""

    def local(self, name: str) -> Node | Unknown:
        """The value of `local.<name>`, or why there is none."""


class Evaluator:
    """Evaluates the expressions of one folder.

    Work is bounded: values that locals share are paid for from a budget each time they are used, so that a chain of
    locals that double each other ends in Unknown instead of in memory.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._depth = 0
        self._budget = _BUDGET

    def evaluate(self, node: Node, names: Names = NO_NAMES) -> Node:
        """The node with all expressions in it replaced by their values, or by `Unknown`; it keeps its place.

        `names` are the objects that exist in the surrounding block only: `each`, `count`, a dynamic block's iterator.
        """
        value = node.value
        result: Value
        if isinstance(value, Expression):
            try:
                result = self.value(node, names)
            except Unresolved as why:
                result = Unknown(value.expression, str(why))
        elif isinstance(value, (tuple, dict)):
            result = self._container(value, names)
            if result is value:
                return node
        else:
            return node
        return Node(result, node.source, node.start, node.end, node.key_start, node.key_end)

    def _container(self, value: tuple[Node, ...] | dict[str, Node], names: Names) -> Value:
        """The container with its members evaluated; the same object when nothing changed."""
        if self._depth >= _MAX_DEPTH:
            return Unknown("", "it is nested too deeply")
        self._depth += 1
        try:
            if isinstance(value, tuple):
                members = tuple([self.evaluate(member, names) for member in value])
                return value if all(map(operator.is_, members, value)) else members
            changed = {key: self.evaluate(member, names) for key, member in value.items()}
            return value if all(map(operator.is_, changed.values(), value.values())) else changed
        finally:
            self._depth -= 1

    def charge(self, cost: int) -> None:
        """Pays for work whose size the text does not bound. Raises Unresolved when the budget is spent."""
        self._budget -= cost
        if self._budget < 0:
            raise Unresolved("the folder's values grow too large")

    # -- expressions ---------------------------------------------------------------------------------------

    def value(self, node: Node, names: Names = NO_NAMES) -> Value:
        """The value of a node; a reference that leads nowhere known is Unknown. Raises Unresolved."""
        expression = node.value
        if not isinstance(expression, Expression):
            return self.evaluate(node, names).value if isinstance(expression, (dict, tuple)) else expression
        if self._depth >= _MAX_DEPTH:
            raise Unresolved("it is nested too deeply")
        self._depth += 1
        try:
            return self._operation(expression, names)
        finally:
            self._depth -= 1

    def _known(self, node: Node, names: Names) -> Value:
        value = self.value(node, names)
        if isinstance(value, Unknown):
            raise Unresolved(value.because)
        return value

    def _operation(self, expression: Expression, names: Names) -> Value:
        kind, operands = expression.operator, expression.operands
        if kind == "reference":
            return self._reference(expression, names)
        if kind == "traversal":
            return self._follow(self._known(operands[0], names), expression.steps, expression.expression, names)
        if kind == "template":
            return self._template(operands, names)
        if kind == "call":
            return self._call(expression, names)
        if kind == "?:":
            return self._conditional(operands, names)
        if kind == "object":
            return self._object(operands, names)
        if kind in ("&&", "||"):
            return self._logic(kind == "||", operands, names)
        if kind == "!":
            return not as_bool(self._known(operands[0], names))
        if kind == "-x":
            return -as_number(self._known(operands[0], names))
        if len(operands) == 2:
            left, right = (self._known(operand, names) for operand in operands)
            if kind in ("==", "!="):
                return equal(left, right) is (kind == "==")
            return arithmetic(kind, left, right)
        raise Unresolved(expression.because or "it is not evaluated yet")

    def _template(self, parts: tuple[Node, ...], names: Names) -> Value:
        if len(parts) == 1 and not isinstance(parts[0].value, str):
            return self.value(parts[0], names)  # "${x}" is x, whatever its type
        text = "".join([as_text(self._known(part, names)) for part in parts])
        return self._bounded(text)

    def _bounded(self, text: str) -> str:
        if len(text) > MAX_TEXT:
            raise Unresolved("the text is too long")
        self.charge(len(text) // 64)
        return text

    def _conditional(self, operands: tuple[Node, ...], names: Names) -> Value:
        condition = self._known(operands[0], names)
        chosen, other = operands[1:] if as_bool(condition) else reversed(operands[1:])
        value = self.value(chosen, names)
        if isinstance(other.value, str) and isinstance(value, (int, float)):  # one type for both: string
            return as_text(value)
        return value

    def _logic(self, decisive: bool, operands: tuple[Node, ...], names: Names) -> bool:
        """`&&` is decided by one False, `||` by one True, whatever the other side is."""
        undecided: Unresolved | None = None
        for operand in operands:
            try:
                if as_bool(self._known(operand, names)) is decisive:
                    return decisive
            except Unresolved as why:
                undecided = undecided or why
        if undecided is not None:
            raise undecided
        return not decisive

    def _object(self, operands: tuple[Node, ...], names: Names) -> Value:
        members: dict[str, Node] = {}
        for key, member in zip(operands[::2], operands[1::2], strict=True):
            members[as_text(self._known(key, names))] = self.evaluate(member, names)
        return members

    def _call(self, expression: Expression, names: Names) -> Value:
        name, operands = expression.name, expression.operands
        if name == "try":
            return self._try(operands, names)
        if name == "can":
            return self._can(operands, names)
        function = FUNCTIONS.get(name)
        if function is None:
            raise Unresolved(f"function {name[:60]} is not evaluated yet")
        arguments: list[Value] = []
        for operand in operands:
            inner = operand.value
            if isinstance(inner, Expression) and inner.operator == "expand":
                expanded = self._known(inner.operands[0], names)
                if not isinstance(expanded, tuple):
                    raise Invalid("only a list can be expanded")
                arguments += [member.value for member in expanded]
            else:
                arguments.append(self._known(operand, names))
        try:
            result = function(*arguments)
        except TypeError:  # the number of arguments
            raise Invalid(f"{name} has the wrong number of arguments") from None
        except ValueError:
            raise Invalid(f"{name} cannot take these arguments") from None
        return self._bounded(result) if isinstance(result, str) else result

    def _try(self, operands: tuple[Node, ...], names: Names) -> Value:
        for operand in operands:
            try:
                return self._known(operand, names)
            except Invalid:
                continue
        raise Invalid("no argument of try is valid")

    def _can(self, operands: tuple[Node, ...], names: Names) -> bool:
        try:
            for operand in operands:
                self._known(operand, names)
        except Invalid:
            return False
        return True

    # -- references ----------------------------------------------------------------------------------------

    def _reference(self, expression: Expression, names: Names) -> Value:
        name, steps, text = expression.name, expression.steps, expression.expression
        first = steps[0] if steps else None
        found: Node | Unknown
        if name in names:
            return self._follow(names[name].value, steps, text, names)
        if name in ("var", "local") and isinstance(first, str):
            found = self._definitions.variable(first) if name == "var" else self._definitions.local(first)
            if isinstance(found, Unknown):  # local.vpc_id that is aws_vpc.main.id stays that reference
                return found if len(steps) == 1 else Unknown(text, found.because)
            value = self._follow(found.value, steps[1:], text, names)
            if isinstance(value, (dict, tuple)):
                self.charge(0)  # counting costs, too
                self.charge(sum(1 for _ in Node(value, found.source, 0, 0).walk()))
            return value
        return Unknown(text, _because(name, first, steps))

    def _follow(self, value: Value, steps: tuple[Step, ...], text: str, names: Names) -> Value:
        """The member of `value` that `steps` lead to. Raises Unresolved; Invalid when there is none."""
        for step in steps:
            if isinstance(value, Unknown):
                return Unknown(text, value.because)
            if step is None:
                raise Unresolved("splat expressions are not evaluated yet")
            key = self._known(step, names) if isinstance(step, Node) else step
            member: Node | None = None
            if isinstance(value, dict):
                member = value.get(as_text(key))
            elif isinstance(value, tuple):
                position = as_number(key)
                if isinstance(position, int) and 0 <= position < len(value):
                    member = value[position]
            if member is None:
                raise Invalid(f"{text[:80]} does not exist in the known value")
            value = member.value
        return value


_NAMES_OF_ITS_OWN: Final = {
    "each": "it differs between the instances of for_each",
    "count": "it differs between the instances of count",
    "self": "it is known only at deploy time",
    "path": "it depends on where terraform runs",
    "terraform": "it depends on how terraform is run",
}


def _because(name: str, first: Step, steps: tuple[Step, ...]) -> str:
    if name in _NAMES_OF_ITS_OWN:
        return _NAMES_OF_ITS_OWN[name]
    if not isinstance(first, str) or ("_" not in name and name not in ("data", "module")):
        return f"{name} is a name, not a value"
    if name == "data" and len(steps) > 1 and isinstance(steps[1], str):
        return f"read by data.{first}.{steps[1]}"
    if name == "module":
        return f"computed by module.{first}"
    return f"computed by {name}.{first}"
