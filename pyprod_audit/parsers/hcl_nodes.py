"""What expressions of HCL are that one file alone cannot answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pyprod_audit.model import Node, Unknown

Step: TypeAlias = "str | int | Node | None"


@dataclass(frozen=True, slots=True)
class Expression(Unknown):
    """An expression that one file alone cannot answer; `expression` is its text.

    `operator` is one of

    - `reference`: `name` is the first word (`var`, `local`, a resource type), `steps` lead on from there;
    - `traversal`: likewise, from the value of `operands[0]`;
    - `template`: `operands` are the parts that make up the string;
    - `text`: a part of a template between directives: `operands` make up a string;
    - `%if`: a condition and the two `text` operands that it decides between; `%for`: see `ForExpression`;
    - `call`: function `name` with `operands` as arguments; the last may be `expand` (`f(xs...)`);
    - `object`: keys and values in turn, for objects whose keys are not all literal;
    - `?:`, `-x`, `!`, `==`, `+` …: the operator with its operands;
    - `opaque`: nothing that is evaluated; `because` says why.

    A step is a name, a position, a node (`[each.key]`) or None for a splat (`[*]`), which all further steps follow for
    each member.
    """

    operator: str = "opaque"
    operands: tuple[Node, ...] = ()
    name: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class ForExpression(Expression):
    """`[for k, v in collection : value if condition]`, `{for …}` (operators `for[]` and `for{}`) and `%{for}` (`%for`).

    `operands` are the collection and the value; `key` and `condition` are what an object's members stand under and
    which members count; `group`: values with the same key are put together (`...`).
    """

    key_name: str = ""
    value_name: str = ""
    key: Node | None = None
    condition: Node | None = None
    group: bool = False
