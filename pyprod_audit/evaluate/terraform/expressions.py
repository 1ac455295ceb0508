"""The values of Terraform expressions as far as one folder of configuration tells them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final, TypeVar

from pyprod_audit.evaluate.terraform.conditions import evaluated_condition, evaluated_logic
from pyprod_audit.evaluate.terraform.conversion import as_bool, as_number, as_text
from pyprod_audit.evaluate.terraform.definitions import (
    NO_NAMES,
    Definitions,
    Effort,
    Names,
    Scope,
    defined,
    path_of,
)
from pyprod_audit.evaluate.terraform.encoding import MAX_TEXT
from pyprod_audit.evaluate.terraform.equality import equal
from pyprod_audit.evaluate.terraform.for_expressions import evaluated_for
from pyprod_audit.evaluate.terraform.functions import ONLY_LOOKING, Call, called
from pyprod_audit.evaluate.terraform.numbers import arithmetic, negative
from pyprod_audit.evaluate.terraform.sources import label_of
from pyprod_audit.evaluate.terraform.traversal import continued, follow, placed, shortened, stops
from pyprod_audit.evaluate.terraform.values import (
    Invalid,
    Unresolved,
    Value,
    VersionDependent,
    members_of,
    require_known,
    size_of,
)
from pyprod_audit.model import Node, Unknown, Via
from pyprod_audit.model.node import Derived
from pyprod_audit.parsers.hcl_expression import Expression, ForExpression, Step
from pyprod_audit.parsers.hcl_text import normal

__all__ = ["NO_NAMES", "Definitions", "Effort", "Evaluator", "Names", "Scope"]

_T = TypeVar("_T")
_MAX_DEPTH: Final = 100
_LONGEST_TRAIL: Final = 16


class Evaluator:
    """Evaluates the expressions of one module.

    Work is bounded: values that locals share are paid for from a budget each time they are used, and so is every step
    inside of a loop, so that a chain of locals that double each other ends in Unknown instead of in memory.
    """

    def __init__(self, definitions: Definitions, effort: Effort | None = None) -> None:
        self.definitions = definitions
        self.effort = effort or Effort()
        self.trail: list[Via] = []
        self._looping = False
        self._only_looking = False
        self._taken_before: dict[int, tuple[Node, Value, tuple[Via, ...]]] = {}

    def evaluate(self, node: Node, names: Names = NO_NAMES) -> Node:
        """The node with all expressions in it replaced by their values, or by `Unknown`; it keeps its place.

        `names` are the objects that exist in the surrounding block only: `each`, `count`, a dynamic block's iterator.
        The node has a `via` when its value came through variables, locals, outputs or files.
        """
        if not isinstance(node.value, (Expression, tuple, dict)):
            return node
        was = self._looping, self._only_looking, self.trail
        self._looping = self._only_looking = False  # a local may be asked for while another expression is evaluated
        self.trail = []
        try:
            return self._evaluated(node, names, strict=False)
        except RecursionError:
            return node.holding(Unknown(_text_of(node), "it is nested too deeply"))
        finally:
            self._looping, self._only_looking, self.trail = was

    def member(self, node: Node, names: Names) -> Node:
        """The same for a part of an expression. Raises Invalid for what Terraform would reject."""
        return self._evaluated(node, names, strict=True)

    def _evaluated(self, node: Node, names: Names, *, strict: bool) -> Node:
        value = node.value
        result: Value
        if isinstance(value, Expression):
            outer, self.trail = self.trail, []
            try:
                result = self.value(node, names)
            except Unresolved as why:
                if strict and isinstance(why, (Invalid, VersionDependent)):
                    raise
                result = Unknown(value.expression, str(why))
            finally:
                trail, self.trail = self.trail, outer
            made = Node(result, node.source, node.start, node.end, node.key_start, node.key_end)
            if not trail:
                return made
            if len(outer) < _LONGEST_TRAIL:
                outer += trail
            return Derived(made, shortened(trail, node))
        if isinstance(value, (tuple, dict)):
            result = self._container(value, names, strict=strict)
            return node if result is value else node.holding(result)
        return node

    def _container(self, value: tuple[Node, ...] | dict[str, Node], names: Names, *, strict: bool) -> Value:
        """The container with its members evaluated; the same object when nothing changed."""
        effort = self.effort
        if effort.depth >= _MAX_DEPTH:
            return Unknown("", "it is nested too deeply")
        effort.depth += 1
        try:
            if self._looping:
                self.charge(len(value))
            if isinstance(value, tuple):
                members = tuple([self._evaluated(member, names, strict=strict) for member in value])
                return value if all(map(operator.is_, members, value)) else members
            changed = {key: self._evaluated(member, names, strict=strict) for key, member in value.items()}
            return value if all(map(operator.is_, changed.values(), value.values())) else changed
        finally:
            effort.depth -= 1

    def charge(self, cost: int) -> None:
        """Pays for work whose size the text does not bound. Raises Unresolved when the budget is spent."""
        self.effort.budget -= cost
        if self.effort.budget < 0:
            raise Unresolved("the folder's values grow too large")

    def came_through(self, node: Node, label: str) -> None:
        """Notes that the value being computed came through `node`, which is `label`."""
        self.trail += stops(node, label)

    # -- expressions ---------------------------------------------------------------------------------------

    def value(self, node: Node, names: Names = NO_NAMES) -> Value:
        """The value of a node; a reference that leads nowhere known is Unknown. Raises Unresolved."""
        expression = node.value
        if not isinstance(expression, Expression):
            if isinstance(expression, (dict, tuple)):
                return self._container(expression, names, strict=True)
            return expression
        effort = self.effort
        if effort.depth >= _MAX_DEPTH:
            raise Unresolved("it is nested too deeply")
        if self._looping:
            self.charge(1)
        effort.depth += 1
        try:
            operation = _OPERATIONS.get(expression.operator)
            if operation is not None:
                return operation(self, node, expression, names)
            return self._binary(expression, names)
        finally:
            effort.depth -= 1

    def known(self, node: Node, names: Names) -> Value:
        """The value of a node. Raises Unresolved when it is not known."""
        value = self.value(node, names)
        if isinstance(value, Unknown):
            raise Unresolved(value.because)
        return value

    def looked_at(self, node: Node, names: Names) -> Value:
        """The value of a node when nothing of it becomes part of another: containers keep their places."""
        was, self._only_looking = self._only_looking, True
        try:
            return self.value(node, names)
        finally:
            self._only_looking = was

    def _all_known(self, nodes: tuple[Node, ...], names: Names, convert: Callable[[Value], _T]) -> list[_T]:
        """The converted values of nodes. That one is certainly an error counts more than that another is not known."""
        values: list[_T] = []
        unknown: Unresolved | None = None
        for node in nodes:
            try:
                values.append(convert(self.known(node, names)))
            except Invalid:
                raise
            except Unresolved as why:
                unknown = unknown or why.anew()
        if unknown is not None:
            raise unknown.anew()
        return values

    def _binary(self, expression: Expression, names: Names) -> Value:
        if len(expression.operands) != 2:
            raise Unresolved(expression.because or "it is not evaluated")
        was, self._only_looking = self._only_looking, True
        try:
            if expression.operator not in ("==", "!="):
                return arithmetic(expression.operator, *self._all_known(expression.operands, names, as_number))
            left, right = self._all_known(expression.operands, names, _same)
        finally:
            self._only_looking = was
        self.pay_for(left, right)
        return equal(left, right) is (expression.operator == "==")

    def pay_for(self, *values: Value) -> None:
        """Pays for going through values. Raises Unresolved when the budget is spent."""
        for value in values:
            if isinstance(value, (dict, tuple)):
                self.charge(size_of(value))

    def _not(self, _node: Node, expression: Expression, names: Names) -> Value:
        return not as_bool(self.known(expression.operands[0], names))

    def _minus(self, _node: Node, expression: Expression, names: Names) -> Value:
        return negative(as_number(self.known(expression.operands[0], names)))

    def _template(self, node: Node, expression: Expression, names: Names) -> Value:
        parts = expression.operands
        if len(parts) == 1 and not isinstance(parts[0].value, str) and not _is_directive(parts[0]):
            return self.value(parts[0], names)  # "${x}" is x, whatever its type
        return self._joined(node, expression, names)

    def _joined(self, _node: Node, expression: Expression, names: Names) -> Value:
        """Parts of a template as one text."""
        return self.bounded("".join(self._all_known(expression.operands, names, as_text)))

    def bounded(self, text: str) -> str:
        """The text, paid for and composed as Terraform keeps it. Raises Unresolved when it is too long."""
        if len(text) > MAX_TEXT:
            raise Unresolved("the text is too long")
        self.charge(len(text) // 64)
        return text if text.isascii() else normal(text)

    def _object(self, _node: Node, expression: Expression, names: Names) -> Value:
        members: dict[str, Node] = {}
        operands = expression.operands
        for key, member in zip(operands[::2], operands[1::2], strict=True):
            members[as_text(self.known(key, names))] = self.member(member, names)
        return members

    def _call(self, node: Node, expression: Expression, names: Names) -> Value:
        if expression.name == "try":
            return self._try(expression.operands, names)
        if expression.name == "can":
            return self._can(expression.operands, names)
        was = self._only_looking
        self._only_looking = was or expression.name in ONLY_LOOKING
        try:
            arguments = self._arguments(expression.operands, names)
        finally:
            self._only_looking = was
        result = called(expression.name, Call(self, node), arguments)
        return self.bounded(result) if type(result) is str else result

    def _arguments(self, operands: tuple[Node, ...], names: Names) -> list[Value]:
        arguments: list[Value] = []
        for operand in operands:
            inner = operand.value
            if isinstance(inner, Expression) and inner.operator == "expand":
                expanded = self.known(inner.operands[0], names)
                if expanded is None:
                    raise Invalid("only a list can be expanded")
                arguments += [member.value for member in members_of(expanded)]
                continue
            try:
                arguments.append(self.value(operand, names))
            except (Invalid, VersionDependent):
                raise
            except Unresolved as why:
                arguments.append(Unknown("", str(why)))
        return arguments

    def _try(self, operands: tuple[Node, ...], names: Names) -> Value:
        if not operands:
            raise Invalid("try has the wrong number of arguments")
        for operand in operands:
            try:
                value = self.known(operand, names)
            except Invalid:
                continue
            if not _is_reference(operand):  # what is unknown in it may still turn out to be an error
                self.pay_for(value)
                require_known(value)
            return value
        raise Invalid("no argument of try is valid")

    def _can(self, operands: tuple[Node, ...], names: Names) -> bool:
        if len(operands) != 1:
            raise Invalid("can has the wrong number of arguments")
        try:
            value = self.known(operands[0], names)
        except Invalid:
            return False
        if not _is_reference(operands[0]):
            require_known(value)
        return True

    def _for(self, node: Node, expression: Expression, names: Names) -> Value:
        assert isinstance(expression, ForExpression)  # noqa: S101 (what has this operator)
        was, self._looping = self._looping, True
        try:
            return evaluated_for(self, node, expression, names)
        finally:
            self._looping = was

    # -- references ----------------------------------------------------------------------------------------

    def _traversal(self, _node: Node, expression: Expression, names: Names) -> Value:
        base = expression.operands[0]
        value = self.known(base, names)
        found = self._follow(base.holding(value), expression.steps, expression.expression, names)
        self.trail += found.via
        return found.value

    def _reference(self, node: Node, expression: Expression, names: Names) -> Value:
        name, steps, text = expression.name, expression.steps, expression.expression
        if name in names:
            found = self._follow(names[name], steps, text, names)
            label = names.labels.get(name) if isinstance(names, Scope) else None
            if label == "":
                self.trail += found.via or stops(found, name)
                return found.value
            return self._taken(node, found, label or (f"{name}.{steps[0]}" if steps else name), static=False)
        if name == "path":
            return path_of(self.definitions, steps, text)
        base, label, rest = defined(self.definitions, name, steps, text)
        if isinstance(base, Unknown):
            return continued(base, rest, text) if rest else base
        kept = self._taken_before.get(id(node))
        if kept is not None:
            self.charge(1)
            self.trail += kept[2]
            return kept[1]
        found, label = self._follow(base, rest, text, names), label_of(base, label)
        return self._taken(node, found, label, static=not any(isinstance(step, Node) for step in rest))

    def _follow(self, base: Node, steps: tuple[Step, ...], text: str, names: Names) -> Node:
        return follow(base, steps, text, lambda step: self.known(step, names), self.charge)

    def _taken(self, node: Node, found: Node, label: str, *, static: bool) -> Value:
        """The value of `found`, taken over at `node`, where containers then have their members."""
        trail = stops(found, label)
        self.trail += trail
        value = found.value
        if not isinstance(value, (dict, tuple)) or self._only_looking:
            return value
        value = placed(value, node, label, self.charge)
        if static and self._looping:
            self._taken_before[id(node)] = (node, value, trail)
        return value


_OPERATIONS: Final[dict[str, Callable[[Evaluator, Node, Expression, Names], Value]]] = {
    "reference": Evaluator._reference,
    "traversal": Evaluator._traversal,
    "template": Evaluator._template,
    "text": Evaluator._joined,
    "call": Evaluator._call,
    "?:": lambda evaluator, _, expression, names: evaluated_condition(evaluator, expression, names),
    "%if": lambda evaluator, _, expression, names: evaluated_condition(evaluator, expression, names),
    "for[]": Evaluator._for,
    "for{}": Evaluator._for,
    "%for": Evaluator._for,
    "object": Evaluator._object,
    "&&": lambda evaluator, _, expression, names: evaluated_logic(evaluator, expression, names),
    "||": lambda evaluator, _, expression, names: evaluated_logic(evaluator, expression, names),
    "!": Evaluator._not,
    "-x": Evaluator._minus,
}


def _same(value: Value) -> Value:
    return value


def _text_of(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else ""


def _is_directive(node: Node) -> bool:
    return isinstance(node.value, Expression) and node.value.operator in ("%if", "%for")


def _is_reference(node: Node) -> bool:
    """Whether a value is only named here: evaluating it is no risk that `try` would cover."""
    return isinstance(node.value, Expression) and node.value.operator == "reference"
