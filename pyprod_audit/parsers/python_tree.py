"""Python syntax trees (tree-sitter) as names, literals and places of the common model."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, TypeAlias

import tree_sitter

from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.grammars import language

Tree: TypeAlias = tree_sitter.Node
LANGUAGE: Final = language("tree_sitter_python")

_DEPTH: Final = 40
_LONGEST_CHAIN: Final = 20
_NODE_BUDGET: Final = 50_000
_EXCERPT: Final = 200
_SIMPLE_NAME: Final = lazy(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_ESCAPE: Final = lazy(r"\\(?:(\r?\n)|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([\s\S]))")
# Jinja (cookiecutter, copier): tags become comments or blanks of the same length, so that all offsets stay.
_TEMPLATE_TAG: Final = lazy(
    rb"(?m)^([ \t]{0,200})(\{%[^%\n]{0,500}%\}|\{#[^\n]{0,500}#\})|\{%[^%\n]{0,500}%\}|\{\{[^{}\n]{0,500}\}\}"
)
_TEMPLATE_VALUE: Final = lazy(rb"\{\{[-\s]{0,9}[A-Za-z_][^{}\n]{0,500}\}\}")
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
                   "\\": "\\", "'": "'", '"': '"'}  # fmt: skip


class Syntax:
    """The tree of one file, with what turns its parts into model nodes.

    `imports` maps local names to dotted ones; `constants` holds the module's literals. Names resolve through both.
    """

    def __init__(self, source: SourceFile, data: bytes) -> None:
        """`data`: `source.text` in UTF-8 (surrogates passed through)."""
        self.source = source
        self.data = self._written = data
        self.imports: dict[str, str] = {}
        self.constants: dict[str, Node] = {}
        self.root = tree_sitter.Parser(LANGUAGE).parse(data).root_node
        self.templated = self.root.has_error and (b"{%" in data or b"{{" in data)
        if self.templated:
            self.data = _TEMPLATE_TAG.sub(_masked, data)
            self.root = tree_sitter.Parser(LANGUAGE).parse(self.data).root_node
        self._budget = _NODE_BUDGET
        self._runs: list[int] = []
        self._surplus: list[int] = []
        if len(data) != len(source.text):
            surplus = 0
            for run in re.finditer(rb"[\x80-\xbf]+", data):
                self._runs.append(run.start())
                self._surplus.append(surplus)
                surplus += run.end() - run.start()
            self._total = surplus

    # -- places --------------------------------------------------------------------------------------------

    def at(self, byte: int) -> int:
        """The offset in characters of the offset `byte` in bytes (which starts a character)."""
        if not self._runs:
            return byte
        index = bisect_right(self._runs, byte - 1)
        return byte - (self._total if index == len(self._runs) else self._surplus[index])

    def node(self, value: object, place: Tree) -> Node:
        """A model node at `place`: scalars and Unknown as they are, lists and dicts of them likewise."""
        if isinstance(value, Node):
            return value
        start, end = self.at(place.start_byte), self.at(place.end_byte)
        return self._wrap(value, start, end)

    def _wrap(self, value: object, start: int, end: int) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, dict):
            return Node({key: self._wrap(v, start, end) for key, v in value.items()}, self.source, start, end)
        if isinstance(value, (list, tuple)):
            return Node(tuple(self._wrap(v, start, end) for v in value), self.source, start, end)
        if value is None or isinstance(value, (str, int, float, Unknown)):
            return Node(value, self.source, start, end)
        raise TypeError(f"not a model value: {value!r}")

    def keyed(self, node: Node, key: Tree) -> Node:
        """`node` (fresh) standing under `key`."""
        node.key_start, node.key_end = self.at(key.start_byte), self.at(key.end_byte)
        return node

    # -- names ---------------------------------------------------------------------------------------------

    def text(self, place: Tree, limit: int = _EXCERPT) -> str:
        """How `place` is written, at most `limit` bytes of it."""
        start = place.start_byte
        return self.data[start : min(place.end_byte, start + limit)].decode("utf-8", "replace")

    def name(self, place: Tree) -> str:
        """The dotted name an expression starts with: `a.b().c[0].d` is `a.b.c.d`; "" when it starts otherwise."""
        start, end = place.start_byte, place.end_byte
        if end - start < _EXCERPT and _SIMPLE_NAME.fullmatch(self.data, start, end):
            return self.data[start:end].decode()
        parts: list[str] = []
        here: Tree | None = place
        for _ in range(_LONGEST_CHAIN):
            if here is None:
                return ""
            kind = here.type
            if kind == "identifier":
                parts.append(self.text(here))
                return ".".join(reversed(parts))
            if kind == "attribute":
                attribute = here.child_by_field_name("attribute")
                parts.append(self.text(attribute) if attribute is not None else "")
                here = here.child_by_field_name("object")
            elif kind == "call":
                here = here.child_by_field_name("function")
            elif kind == "subscript":
                here = here.child_by_field_name("value")
            elif kind in {"await", "parenthesized_expression"} and here.named_child_count:
                here = here.named_children[0]
            else:
                return ""
        return ""

    def resolve(self, name: str) -> str:
        """`name` with its first part replaced by what the module imported under it."""
        head, dot, rest = name.partition(".")
        found = self.imports.get(head)
        return name if found is None else found + dot + rest

    # -- literals ------------------------------------------------------------------------------------------

    def value(self, place: Tree, depth: int = 0) -> Node:
        """The value of an expression as far as the file alone shows it; else Unknown with the expression."""
        self._budget -= 1
        if depth > _DEPTH or self._budget < 0:
            return self.node(Unknown(self.text(place), "too deep or too long to read"), place)
        kind = place.type
        if kind == "string":
            return self.node(self._string(place), place)
        if kind in _NAMED_CONSTANTS:
            return self.node(_NAMED_CONSTANTS[kind], place)
        if kind in {"integer", "float"}:
            return self.node(self._number(place, kind), place)
        if kind == "identifier":
            return self._named(place)
        if kind in {"list", "tuple", "set", "expression_list"}:
            return self.node([self._member(c, depth) for c in place.named_children if c.type != "comment"], place)
        if kind == "dictionary":
            return self._dictionary(place, depth)
        if kind == "parenthesized_expression" and place.named_child_count == 1:
            return self.value(place.named_children[0], depth + 1)
        if kind == "concatenated_string":
            return self._joined(place)
        if kind == "unary_operator":
            return self._negated(place, depth)
        if kind == "binary_operator":
            return self._computed(place, depth)
        if kind == "call":
            return self._called(place, depth)
        if kind == "attribute":
            return self.node(Unknown(self.resolve(self.name(place)) or self.text(place), "a name"), place)
        return self.node(Unknown(self.text(place), "computed at run time"), place)

    def arguments(self, call: Tree) -> tuple[list[Node], dict[str, Node]]:
        """Positional and keyword arguments of a call; `*x` is an Unknown member, `**x` an Unknown under `**`."""
        args: list[Node] = []
        kwargs: dict[str, Node] = {}
        listed = call.child_by_field_name("arguments")
        if listed is None or listed.type != "argument_list":
            return args, kwargs
        for child in listed.named_children:
            kind = child.type
            if kind == "keyword_argument":
                key, value = child.child_by_field_name("name"), child.child_by_field_name("value")
                if key is not None and value is not None:
                    kwargs[self.text(key)] = self.keyed(self.value(value), key)
            elif kind == "dictionary_splat":
                kwargs["**"] = self.node(Unknown(self.text(child), "unpacked"), child)
            elif kind not in {"comment", "ERROR"}:
                args.append(self._member(child, 0))
        return args, kwargs

    def _member(self, place: Tree, depth: int) -> Node:
        if place.type == "list_splat":
            return self.node(Unknown(self.text(place), "unpacked"), place)
        return self.value(place, depth + 1)

    def _named(self, place: Tree) -> Node:
        name = self.text(place)
        constant = self.constants.get(name)
        if constant is not None:
            return self.node(
                Node(constant.value, self.source, self.at(place.start_byte), self.at(place.end_byte)), place
            )
        return self.node(Unknown(self.resolve(name), "a name"), place)

    def _string(self, place: Tree) -> str | Unknown:
        children = place.children
        if len(children) < 2 or any(c.type == "interpolation" for c in children):
            return Unknown(self.text(place), "formatted at run time")
        if self._filled_in(place):
            return Unknown(self.text(place), "filled in by a template")
        prefix = self.text(children[0]).lower()
        content = self.data[children[0].end_byte : children[-1].start_byte].decode("utf-8", "replace")
        return content if "\\" not in content or "r" in prefix else _ESCAPE.sub(_unescaped, content)

    def _filled_in(self, place: Tree) -> bool:
        start, end = place.start_byte, place.end_byte
        if self.templated and self._written.find(b"{%", start, end) >= 0:
            return True
        return self.data.find(b"{{", start, end) >= 0 and _TEMPLATE_VALUE.search(self.data, start, end) is not None

    def _joined(self, place: Tree) -> Node:
        parts = [self._string(c) for c in place.named_children if c.type == "string"]
        known = [p for p in parts if isinstance(p, str)]
        if len(known) < len(parts) or self._filled_in(place):
            return self.node(Unknown(self.text(place), "formatted at run time"), place)
        return self.node("".join(known), place)

    def _number(self, place: Tree, kind: str) -> int | float | Unknown:
        written = self.text(place, 400).replace("_", "").rstrip("lL")
        try:
            return int(written, 0) if kind == "integer" else float(written)
        except ValueError:
            return Unknown(written[:_EXCERPT], "not a number this reader knows")

    def _dictionary(self, place: Tree, depth: int) -> Node:
        members: dict[str, Node] = {}
        for child in place.named_children:
            if child.type == "pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                if key is not None and value is not None:
                    named = self.value(key, depth + 1).value
                    plain = isinstance(named, (str, int, float)) and not isinstance(named, bool)
                    members[str(named) if plain else self.text(key)] = self.keyed(self.value(value, depth + 1), key)
            elif child.type == "dictionary_splat":
                members["**"] = self.node(Unknown(self.text(child), "unpacked"), child)
        return self.node(members, place)

    def _negated(self, place: Tree, depth: int) -> Node:
        operand = place.child_by_field_name("argument")
        found = self.value(operand, depth + 1).value if operand is not None else None
        if isinstance(found, (int, float)) and self.data[place.start_byte : place.start_byte + 1] == b"-":
            return self.node(-found, place)
        return self.node(Unknown(self.text(place), "computed at run time"), place)

    def _computed(self, place: Tree, depth: int) -> Node:
        left, right = place.child_by_field_name("left"), place.child_by_field_name("right")
        sign = place.child_by_field_name("operator")
        if left is not None and right is not None and sign is not None:
            combined = _combined(self.value(left, depth + 1), self.text(sign), self.value(right, depth + 1))
            if combined is not None:
                return self.node(combined, place)
        return self.node(Unknown(self.text(place), "computed at run time"), place)

    def _called(self, place: Tree, depth: int) -> Node:
        function = place.child_by_field_name("function")
        if function is not None and self.text(function, 5) == "dict" and depth < _DEPTH:
            args, kwargs = self.arguments_within(place, depth)
            if not args:
                return self.node(kwargs, place)
        return self.node(Unknown(self.text(place), "the result of a call"), place)

    def arguments_within(self, call: Tree, depth: int) -> tuple[list[Node], dict[str, Node]]:
        """The keyword arguments of a `dict(...)` call at `depth`; any other argument is a positional Unknown."""
        args: list[Node] = []
        kwargs: dict[str, Node] = {}
        listed = call.child_by_field_name("arguments")
        for child in listed.named_children if listed is not None else ():
            key, value = child.child_by_field_name("name"), child.child_by_field_name("value")
            if child.type == "keyword_argument" and key is not None and value is not None:
                kwargs[self.text(key)] = self.keyed(self.value(value, depth + 1), key)
            elif child.type != "comment":
                args.append(self.node(Unknown(self.text(child), "an argument"), child))
        return args, kwargs


_NAMED_CONSTANTS: Final[dict[str, bool | str | None]] = {"true": True, "false": False, "none": None, "ellipsis": "..."}


def _masked(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return found[1] + b"#" + b" " * (len(found[2]) - 1)
    return b" " * len(found[0]) if found[0].startswith(b"{%") else found[0]


def _unescaped(found: re.Match[str]) -> str:
    newline, two, four, single = found.groups()
    if newline:
        return ""
    if two or four:
        return chr(int(two or four, 16))
    return _ESCAPED.get(single, found[0])


def _combined(left: Node, sign: str, right: Node) -> object:
    a, b = left.value, right.value
    if sign == "+" and isinstance(a, str) and isinstance(b, str):
        return a + b if len(a) + len(b) < 10_000 else None
    if sign == "+" and (isinstance(a, tuple) or isinstance(b, tuple)):
        return [
            *(left.items or ([left] if left.is_unknown else [])),
            *(right.items or ([right] if right.is_unknown else [])),
        ]
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and max(abs(a), abs(b)) < 1e15:
        if sign == "*":
            return a * b
        if sign == "+":
            return a + b
        if sign == "-":
            return a - b
        if sign in {"/", "//"} and b:
            return a / b if sign == "/" else a // b
    return None
