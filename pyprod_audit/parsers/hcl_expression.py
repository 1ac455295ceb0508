"""HCL expressions as nodes: literals become values, everything else an `Expression` that an evaluator can finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pyprod_audit.model import Node, Scalar, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import hcl_text

if TYPE_CHECKING:
    import tree_sitter

MAX_DEPTH: Final = 60
_MAX_EXPRESSION: Final = 2000

Step: TypeAlias = "str | int | Node | None"
_Syntax: TypeAlias = "tree_sitter.Node"


@dataclass(frozen=True, slots=True)
class Expression(Unknown):
    """An expression that one file alone cannot answer; `expression` is its text.

    `operator` is one of

    - `reference`: `name` is the first word (`var`, `local`, a resource type), `steps` lead on from there;
    - `traversal`: likewise, from the value of `operands[0]`;
    - `template`: `operands` are the parts that make up the string;
    - `call`: function `name` with `operands` as arguments; the last may be `expand` (`f(xs...)`);
    - `object`: keys and values in turn, for objects whose keys are not all literal;
    - `?:`, `-x`, `!`, `==`, `+` …: the operator with its operands;
    - `opaque`: nothing that is evaluated; `because` says why.

    A step is a name, a position, a node (`[each.key]`) or None for a splat (`[*]`).
    """

    operator: str = "opaque"
    operands: tuple[Node, ...] = ()
    name: str = ""
    steps: tuple[Step, ...] = ()


_SIMPLE = lazy(
    r'"(?P<string>[^"\\$%\n]*)"'
    r"|(?P<word>true|false|null)"
    r"|(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?)"
    r"|(?P<reference>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)"
)
WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_LARGEST: Final = 400


def number_of(text: str) -> int | float | None:
    """The number that `text` writes, whole numbers as int; None when it is none or beyond all measure."""
    if len(text) > _LARGEST:
        return None
    try:
        number = float(text)
        if number != number or number in (float("inf"), float("-inf")):
            return None
        if text.lstrip("-").isdigit():
            return int(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


class ExpressionReader:
    """Turns the expressions of one tree-sitter tree into nodes of one file.

    `data` is what tree-sitter was given and `positions` leads from its byte offsets to offsets in the file's text;
    None when they are the same.
    """

    def __init__(self, source: SourceFile, data: bytes, shift: int = 0, positions: Sequence[int] | None = None) -> None:
        self.source = source
        self.data = data
        self.shift = shift
        self.positions = positions

    def at(self, offset: int) -> int:
        """The offset in the file's text of a byte offset of the tree."""
        return offset + self.shift if self.positions is None else self.positions[offset] + self.shift

    def text(self, start: int, end: int) -> str:
        """The text of a byte range of the tree."""
        return self.data[start:end].decode("utf-8", "surrogatepass")

    def read(self, syntax: _Syntax, key_start: int = -1, key_end: int = -1, depth: int = 0) -> Node:
        """The value of an `expression`."""
        start, end = syntax.start_byte, syntax.end_byte
        text = self.text(start, end)
        found = _SIMPLE.fullmatch(text)
        if found is None:
            node = self._complex(syntax.named_children, syntax, start, end, depth)
            node.key_start, node.key_end = key_start, key_end
            return node
        value: Scalar | Unknown
        kind = found.lastgroup
        if kind == "string":
            value = found["string"]
        elif kind == "word":
            value = WORDS[text]
        elif kind == "number":
            value = number_of(text)
        else:
            name, *steps = text.split(".")
            value = Expression(text, "", "reference", (), name, tuple(steps))
        if self.positions is None:
            return Node(value, self.source, start + self.shift, end + self.shift, key_start, key_end)
        return Node(value, self.source, self.at(start), self.at(end), key_start, key_end)

    # -- pieces --------------------------------------------------------------------------------------------

    def _node(self, value: Scalar | Unknown | dict[str, Node] | tuple[Node, ...], start: int, end: int) -> Node:
        return Node(value, self.source, self.at(start), self.at(end))

    def _make(
        self,
        operator: str,
        start: int,
        end: int,
        operands: tuple[Node, ...] = (),
        name: str = "",
        steps: tuple[Step, ...] = (),
    ) -> Node:
        text = self.text(start, min(end, start + _MAX_EXPRESSION)) if end - start <= _MAX_EXPRESSION else ""
        if not text:
            text = self.data[start : start + _MAX_EXPRESSION].decode("utf-8", "replace") + "…"
        return self._node(Expression(text, "", operator, operands, name, steps), start, end)

    def _opaque(self, start: int, end: int, because: str) -> Node:
        node = self._make("opaque", start, end)
        assert isinstance(node.value, Expression)  # noqa: S101 (what _make makes)
        node.value = Expression(node.value.expression, because)
        return node

    def _complex(self, children: list[_Syntax], parent: _Syntax, start: int, end: int, depth: int) -> Node:
        """A primary followed by attribute accesses, indexes and splats."""
        if depth > MAX_DEPTH:
            return self._opaque(start, end, "it is nested too deeply")
        parts = [child for child in children if child.type != "comment"]
        if not parts:
            return self._opaque(start, end, "it is not a complete expression")
        primary, rest = parts[0], parts[1:]
        if primary.type == "variable_expr":
            steps = self._steps(rest, depth)
            name = self.text(primary.start_byte, primary.end_byte)
            return self._make("reference", start, end, (), name, steps)
        base = self._primary(primary, parent, depth)
        if not rest:
            base.start, base.end = self.at(start), self.at(end)
            return base
        return self._make("traversal", start, end, (base,), "", self._steps(rest, depth))

    def _steps(self, parts: list[_Syntax], depth: int) -> tuple[Step, ...]:
        steps: list[Step] = []
        for part in parts:
            kind = part.type
            if kind == "get_attr":
                steps.append(self.text(part.start_byte, part.end_byte).lstrip(". \t\r\n"))
            elif kind == "index":
                inner = part.named_children[0] if part.named_children else part
                if inner.type == "legacy_index":
                    position = self.text(inner.start_byte, inner.end_byte).lstrip(".")
                    steps.append(int(position) if position.isdigit() and len(position) < 19 else position)
                    continue
                expressions = [child for child in inner.named_children if child.type == "expression"]
                index = self.read(expressions[0], depth=depth + 1) if expressions else self._opaque(0, 0, "")
                value = index.value
                steps.append(value if isinstance(value, (str, int)) and not isinstance(value, bool) else index)
            elif kind == "splat":
                steps.append(None)
        return tuple(steps)

    def _primary(self, syntax: _Syntax, parent: _Syntax, depth: int) -> Node:
        kind = syntax.type
        start, end = syntax.start_byte, syntax.end_byte
        if kind == "expression":  # in parentheses
            return self.read(syntax, depth=depth + 1)
        if kind in ("literal_value", "template_expr", "collection_value", "operation"):
            if not syntax.named_children:
                return self._node(WORDS.get(self.text(start, end)), start, end)
            inner = next((child for child in syntax.named_children if child.type != "comment"), syntax)
            return self._inner(inner, depth)
        if kind == "conditional":
            operands = self._operands(syntax, depth)
            return self._make("?:", start, end, operands) if len(operands) == 3 else self._broken(syntax)
        if kind == "function_call":
            return self._call(syntax, depth)
        if kind == "for_expr":
            return self._opaque(start, end, "for expressions are not evaluated yet")
        return self._broken(parent)

    def _broken(self, syntax: _Syntax) -> Node:
        return self._opaque(syntax.start_byte, syntax.end_byte, "it is not a complete expression")

    def _operands(self, syntax: _Syntax, depth: int) -> tuple[Node, ...]:
        return tuple(self.read(child, depth=depth + 1) for child in syntax.named_children if child.type == "expression")

    def _inner(self, syntax: _Syntax, depth: int) -> Node:
        kind = syntax.type
        start, end = syntax.start_byte, syntax.end_byte
        if kind == "string_lit":
            return self._node(hcl_text.quoted(self.text(start + 1, end - 1)), start, end)
        if kind == "numeric_lit":
            number = number_of(self.text(start, end))
            return (
                self._opaque(start, end, "the number is too large")
                if number is None
                else self._node(number, start, end)
            )
        if kind in ("bool_lit", "null_lit"):
            return self._node(WORDS.get(self.text(start, end)), start, end)
        if kind == "tuple":
            return self._node(self._operands(syntax, depth), start, end)
        if kind == "object":
            return self._object(syntax, depth)
        if kind in ("binary_operation", "unary_operation"):
            return self._operation(syntax, depth)
        if kind == "quoted_template":
            return self._template(syntax, start + 1, end - 1, depth)
        if kind == "heredoc_template":
            return self._heredoc(syntax, depth)
        return self._broken(syntax)

    def _operation(self, syntax: _Syntax, depth: int) -> Node:
        start, end = syntax.start_byte, syntax.end_byte
        left: list[_Syntax] = []
        right: list[_Syntax] = []
        operator = ""
        for child in syntax.children:
            if not child.is_named and not operator and child.type not in "()":
                operator = child.type
            elif child.is_named:
                (right if operator else left).append(child)
        sides = [side for side in (left, right) if side]
        operands = tuple(
            self._complex(side, syntax, side[0].start_byte, side[-1].end_byte, depth + 1) for side in sides
        )
        if not left and operator == "-" and operands:
            value = operands[0].value
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return self._node(-value, start, end)
            operator = "-x"
        return self._make(operator, start, end, operands)

    def _call(self, syntax: _Syntax, depth: int) -> Node:
        name = ""
        operands: list[Node] = []
        for child in syntax.named_children:
            if child.type == "identifier":
                name = self.text(child.start_byte, child.end_byte)
            elif child.type == "function_arguments":
                operands.extend(self._operands(child, depth))
                if operands and any(part.type == "ellipsis" for part in child.named_children):
                    last = operands[-1]
                    operands[-1] = Node(Expression("", "", "expand", (last,)), self.source, last.start, last.end)
        return self._make("call", syntax.start_byte, syntax.end_byte, tuple(operands), name)

    def _object(self, syntax: _Syntax, depth: int) -> Node:
        start, end = syntax.start_byte, syntax.end_byte
        pairs: list[tuple[Node, Node]] = []
        literal = True
        for element in syntax.named_children:
            if element.type != "object_elem":
                continue
            sides = [child for child in element.named_children if child.type == "expression"]
            if len(sides) != 2:
                return self._broken(syntax)
            key = self._key(sides[0], depth)
            literal = literal and isinstance(key.value, str)
            pairs.append((key, self.read(sides[1], key.start, key.end, depth + 1)))
        if literal:
            return self._node({str(key.value): value for key, value in pairs}, start, end)
        return self._make("object", start, end, tuple(node for pair in pairs for node in pair))

    def _key(self, syntax: _Syntax, depth: int) -> Node:
        """An object's key: a bare word is a string, other literals are turned into one."""
        text = self.text(syntax.start_byte, syntax.end_byte)
        if text.replace("-", "_").isidentifier():
            return self._node(text, syntax.start_byte, syntax.end_byte)
        node = self.read(syntax, depth=depth + 1)
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
            node.value = text
        return node

    # -- templates -----------------------------------------------------------------------------------------

    def _heredoc(self, syntax: _Syntax, depth: int) -> Node:
        names = [child for child in syntax.named_children if child.type == "heredoc_identifier"]
        start, end = syntax.start_byte, syntax.end_byte
        if len(names) < 2:
            return self._broken(syntax)
        body = self.data.find(b"\n", names[0].end_byte, end) + 1
        stop = self.data.rfind(b"\n", start, names[-1].start_byte) + 1
        flush = self.data.startswith(b"<<-", start)
        return self._template(syntax, body, max(body, stop), depth, heredoc=True, flush=flush)

    def _template(
        self, syntax: _Syntax, start: int, end: int, depth: int, *, heredoc: bool = False, flush: bool = False
    ) -> Node:
        literals: list[str | None] = []
        places: list[tuple[int, int]] = []
        inserted: dict[int, Node] = {}
        position = start
        for child in syntax.named_children:
            if child.type == "template_directive":
                return self._opaque(syntax.start_byte, syntax.end_byte, "template directives are not evaluated yet")
            if child.type != "template_interpolation":
                continue
            if any(part.type == "strip_marker" for part in child.named_children):
                return self._opaque(syntax.start_byte, syntax.end_byte, "strip markers are not evaluated yet")
            expressions = [part for part in child.named_children if part.type == "expression"]
            if not expressions:
                return self._broken(syntax)
            literals += [self.text(position, child.start_byte), None]
            places += [(position, child.start_byte), (child.start_byte, child.end_byte)]
            inserted[len(literals) - 1] = self.read(expressions[0], depth=depth + 1)
            position = child.end_byte
        literals.append(self.text(position, end))
        places.append((position, end))
        if flush:
            literals = hcl_text.without_indentation(literals)
        value = hcl_text.verbatim if heredoc else hcl_text.quoted
        if not inserted:
            return self._node(value(literals[0] or ""), syntax.start_byte, syntax.end_byte)
        parts = tuple(
            inserted[index] if literal is None else self._node(value(literal), *places[index])
            for index, literal in enumerate(literals)
            if literal != ""
        )
        return self._make("template", syntax.start_byte, syntax.end_byte, parts)
