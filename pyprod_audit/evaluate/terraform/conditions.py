"""Conditions and `&&`, `||`: one of two values, which have one type, and what is decided although not all is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyprod_audit.evaluate.terraform.conversion import as_bool, convert
from pyprod_audit.evaluate.terraform.equality import equal
from pyprod_audit.evaluate.terraform.unification import unified
from pyprod_audit.evaluate.terraform.values import (
    ANY,
    BOOL,
    NUMBER,
    OPEN,
    STRING,
    Invalid,
    Type,
    Unresolved,
    Value,
    VersionDependent,
    is_mapping,
    is_sequence,
    require_known,
    type_of,
)
from pyprod_audit.model import Node, Unknown
from pyprod_audit.parsers.hcl_expression import Expression

if TYPE_CHECKING:
    from pyprod_audit.evaluate.terraform.definitions import Names
    from pyprod_audit.evaluate.terraform.expressions import Evaluator

_TEXT_FUNCTIONS: Final = frozenset({
    "abspath", "base64decode", "base64encode", "basename", "chomp", "cidrhost", "cidrnetmask", "cidrsubnet", "dirname",
    "file", "filebase64", "formatdate", "indent", "join", "jsonencode", "lower", "md5", "replace", "sha1", "sha256",
    "sha512", "strrev", "substr", "timeadd", "timestamp", "title", "tostring", "trim", "trimprefix", "trimspace",
    "trimsuffix", "upper", "urlencode", "uuid", "yamlencode",
})  # fmt: skip

_DOUBTFUL_OBJECT: Final = "object with an error"
_DOUBTFUL_TUPLE: Final = "tuple with an error"
"""The types of objects and tuples in which something is an error: they count all the same where they are not chosen."""


def evaluated_condition(evaluator: Evaluator, expression: Expression, names: Names) -> Value:
    """`a ? b : c`. Raises Invalid, Unresolved."""
    condition, then, other = expression.operands
    try:
        chosen = as_bool(evaluator.known(condition, names))
    except (Invalid, VersionDependent):
        raise
    except Unresolved as why:
        return _either(evaluator, then, other, names, str(why))
    if not chosen:
        then, other = other, then
    value = evaluator.value(then, names)
    return _with_type(evaluator, value, _type(evaluator, other, names))


def _with_type(evaluator: Evaluator, value: Value, other: Type | None) -> Value:
    """The value as the one type that it and the result not chosen have in common."""
    if value is None or other is None or other in (ANY, OPEN) or isinstance(value, Unknown):
        return value
    if other in (_DOUBTFUL_OBJECT, _DOUBTFUL_TUPLE):
        if not (is_mapping(value) if other == _DOUBTFUL_OBJECT else is_sequence(value)):
            raise Invalid("both results of a condition must have one type")
        if value:
            raise Unresolved("the type of the other result is not known")
        return value
    evaluator.pay_for(value)
    own = type_of(value)
    if own == other:
        return value
    common = unified([own, other])
    if common is None:
        raise Invalid("both results of a condition must have one type")
    return convert(value, common)


def _type(evaluator: Evaluator, node: Node, names: Names) -> Type | None:
    """The type of a value that is not needed otherwise; None when it cannot be told."""
    length = len(evaluator.trail)
    try:
        value = evaluator.looked_at(node, names)
        evaluator.pay_for(value)
        return type_of(value)
    except Invalid:  # an error, of which a call has no type, while anything else has the one that it always has
        operator = node.value.operator if isinstance(node.value, Expression) else ""
        if isinstance(node.value, (dict, tuple)) or operator == "object":
            return _DOUBTFUL_TUPLE if isinstance(node.value, tuple) else _DOUBTFUL_OBJECT
        return None if operator == "call" else _written_type(evaluator, node, names)
    except Unresolved:
        return _written_type(evaluator, node, names)
    finally:
        del evaluator.trail[length:]


def _written_type(evaluator: Evaluator, node: Node, names: Names) -> Type | None:
    """The type that an expression has by what it is, whatever its value; None when that is not clear."""
    expression = node.value
    if not isinstance(expression, Expression):
        return None
    kind = expression.operator
    if kind in ("text", "%if", "%for"):
        return STRING
    if kind == "template":
        parts = expression.operands
        return STRING if len(parts) != 1 else _written_type(evaluator, parts[0], names)
    if kind == "?:":
        then, other = (_type(evaluator, operand, names) for operand in expression.operands[1:])
        if then is None or other is None or {then, other} & {_DOUBTFUL_OBJECT, _DOUBTFUL_TUPLE}:
            return None
        return unified([then, other])
    if kind in ("==", "!=", "<", ">", "<=", ">=", "&&", "||", "!"):
        return BOOL
    if kind in ("+", "-", "*", "/", "%", "-x"):
        return NUMBER
    return STRING if kind == "call" and expression.name in _TEXT_FUNCTIONS else None


def _either(evaluator: Evaluator, then: Node, other: Node, names: Names, because: str) -> Value:
    """The value of both results of a condition that is not known, if they are the same. Raises Unresolved."""
    try:
        left, right = evaluator.known(then, names), evaluator.known(other, names)
        evaluator.pay_for(left, right)
        require_known(left)
        require_known(right)
        kinds = type_of(left), type_of(right)
        left, right = _with_type(evaluator, left, kinds[1]), _with_type(evaluator, right, kinds[0])
        if equal(left, right):
            return left
    except Unresolved:
        pass
    raise Unresolved(because)


def evaluated_logic(evaluator: Evaluator, expression: Expression, names: Names) -> Value:
    """`&&`, which one False decides, and `||`, which one True does, if the other side is not known yet.

    Terraform before 1.12 evaluates both sides: an error on the other one leaves it open here.
    Raises Invalid, Unresolved.
    """
    decisive = expression.operator == "||"
    found: list[bool | None] = []
    undecided: Unresolved | None = None
    for operand in expression.operands:
        try:
            found.append(as_bool(evaluator.known(operand, names)))
        except Invalid as why:
            if found == [decisive]:
                raise VersionDependent(f"it depends on the version of Terraform: {why}") from None
            raise
        except VersionDependent:
            raise
        except Unresolved as why:
            found.append(None)
            undecided = undecided or why.anew()
    if decisive in found:
        return decisive
    if undecided is not None:
        raise undecided.anew()
    return not decisive
