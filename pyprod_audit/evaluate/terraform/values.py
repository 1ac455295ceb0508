"""Values of Terraform as they are computed with: which collection a tuple or mapping is, and what is written as text.

A literal `[…]` is a tuple and `{…}` an object; lists, sets and maps come from functions and from declared types. They
iterate, compare and convert differently, so they are classes of their own here; rules see plain sequences and mappings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Self, TypeAlias

from pyprod_audit.model import Node, Scalar, SourceFile, Unknown
from pyprod_audit.model.node import OpenMapping

Value: TypeAlias = "Scalar | Unknown | dict[str, Node] | tuple[Node, ...]"

Type: TypeAlias = "str | tuple[object, ...]"
"""A type: `string`, `number`, `bool`, ANY, OPEN, or `("list", T)`, `("set", T)`, `("map", T)`, `("tuple", T, T…)`,
`("object", (name, T), …)` with the names in order."""

STRING: Final = "string"
NUMBER: Final = "number"
BOOL: Final = "bool"
ANY: Final = "any"
"""The type of a plain `null`."""
OPEN: Final = "open"
"""The type of a value that is not known."""
PRIMITIVES: Final = frozenset({STRING, NUMBER, BOOL})


class Unresolved(Exception):  # noqa: N818 (not a mistake: the value exists at deploy time only)
    """An expression cannot be evaluated here; the text says why."""

    def anew(self) -> Unresolved:
        """The same without its traceback: one that is kept would hold the frames that it came through."""
        return type(self)(*self.args)


class Invalid(Unresolved):
    """Terraform itself would reject the expression: `try` goes on to its next argument."""


class VersionDependent(Unresolved):
    """Terraform before 1.12 rejects the expression, later versions do not."""


class ListValue(tuple["Node", ...]):  # noqa: SLOT001 (slots that hold something are not for tuples)
    """A list: members of one type, `element`."""

    element: Type

    def __new__(cls, members: Iterable[Node], element: Type) -> Self:
        """The list of these members."""
        made = super().__new__(cls, members)
        made.element = element
        return made


class SetValue(tuple["Node", ...]):  # noqa: SLOT001 (slots that hold something are not for tuples)
    """A set: members of one type, each once, in the order in which Terraform goes through them."""

    element: Type

    def __new__(cls, members: Iterable[Node], element: Type) -> Self:
        """The set of these members, which must be different and in order."""
        made = super().__new__(cls, members)
        made.element = element
        return made


class MapValue(dict[str, "Node"]):
    """A map: members of one type, `element`."""

    __slots__ = ("element",)

    def __init__(self, members: Mapping[str, Node], element: Type) -> None:
        super().__init__(members)
        self.element = element


class EncodedMapping(dict[str, "Node"]):
    """The text that `jsonencode` or `yamlencode` (`function`) makes of a mapping, as the mapping that it is."""

    __slots__ = ("function",)

    def __init__(self, members: Mapping[str, Node], function: str) -> None:
        super().__init__(members)
        self.function = function


class EncodedSequence(tuple["Node", ...]):  # noqa: SLOT001 (slots that hold something are not for tuples)
    """The text that `jsonencode` or `yamlencode` (`function`) makes of a sequence, as the sequence that it is."""

    function: str

    def __new__(cls, members: Iterable[Node], function: str) -> Self:
        """The text of these members."""
        made = super().__new__(cls, members)
        made.function = function
        return made


class FileText(str):
    """The text of a file, which remembers the file: what is decoded from it has its places there."""

    __slots__ = ("file",)
    file: SourceFile

    def __new__(cls, file: SourceFile, text: str) -> Self:
        """The text of the file."""
        made = super().__new__(cls, text)
        made.file = file
        return made


def is_container(value: Value) -> bool:
    """Whether it is a collection, an object or a tuple; encoded ones are text."""
    return isinstance(value, (dict, tuple)) and not isinstance(value, (EncodedMapping, EncodedSequence))


def is_mapping(value: Value) -> bool:
    """Whether it is a map or an object."""
    return isinstance(value, dict) and not isinstance(value, EncodedMapping)


def is_sequence(value: Value) -> bool:
    """Whether it is a list, a set or a tuple."""
    return isinstance(value, tuple) and not isinstance(value, EncodedSequence)


def type_of(value: Value) -> Type:
    """The type of a value; bounded by the size of the value, which callers pay for."""
    if isinstance(value, str):
        return STRING
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, (int, float)):
        return NUMBER
    if value is None:
        return ANY
    if isinstance(value, Unknown):
        return OPEN
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return STRING
    if isinstance(value, ListValue):
        return ("list", value.element)
    if isinstance(value, SetValue):
        return ("set", value.element)
    if isinstance(value, MapValue):
        return ("map", value.element)
    if isinstance(value, OpenMapping):
        return OPEN
    if isinstance(value, dict):
        return ("object", *((name, type_of(value[name].value)) for name in sorted(value)))
    return ("tuple", *(type_of(member.value) for member in value))


def members_of(value: Value) -> tuple[Node, ...]:
    """The members of a list, set or tuple. Raises Invalid, Unresolved."""
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, tuple) and not isinstance(value, EncodedSequence):
        return value
    raise Invalid("it is not a list")


def mapping_of(value: Value) -> dict[str, Node]:
    """The members of a map or an object, all of which must be known by name. Raises Invalid, Unresolved."""
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if isinstance(value, OpenMapping):
        raise Unresolved(_because(value.rest))
    if isinstance(value, dict) and not isinstance(value, EncodedMapping):
        return value
    raise Invalid("it is not a map")


def _because(node: Node) -> str:
    return node.value.because if isinstance(node.value, Unknown) else "not all of it is known"


def require_known(value: Value) -> None:
    """Raises Unresolved when the value, or anything inside of it, is not known."""
    if isinstance(value, (dict, tuple)):
        stack: list[Value] = [value]
        while stack:
            inner = stack.pop()
            if isinstance(inner, Unknown):
                raise Unresolved(inner.because)
            if isinstance(inner, dict):
                if isinstance(inner, OpenMapping):
                    raise Unresolved(_because(inner.rest))
                stack += [member.value for member in inner.values()]
            elif isinstance(inner, tuple):
                stack += [member.value for member in inner]
    elif isinstance(value, Unknown):
        raise Unresolved(value.because)


def size_of(value: Value) -> int:
    """How many values it holds, itself included."""
    count = 0
    stack: list[Value] = [value]
    while stack:
        inner = stack.pop()
        count += 1
        if isinstance(inner, dict):
            stack += [member.value for member in inner.values()]
        elif isinstance(inner, tuple):
            stack += [member.value for member in inner]
    return count
