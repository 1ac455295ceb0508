"""HCL expressions as nodes: literals become values, everything else an `Expression` that an evaluator can finish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from pyprod_audit.model import Node, Scalar, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import hcl_template, hcl_text
from pyprod_audit.parsers.hcl_nodes import Expression, ForExpression, Step
from pyprod_audit.parsers.hcl_number import ExactNumber, number_of

if TYPE_CHECKING:
    import tree_sitter
__all__ = ["MAX_DEPTH", "WORDS", "Expression", "ExpressionReader", "ForExpression", "Step", "number_of"]

MAX_DEPTH: Final = 60
_MAX_EXPRESSION: Final = 2000

_Syntax: TypeAlias = "tree_sitter.Node"


_SIMPLE = lazy(
    r'"(?P<string>[^"\\$%\n]*)"'
    r"|(?P<word>true|false|null)"
    r"|(?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?)"
    r"|(?P<reference>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)"
)
WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


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
            value = value if value.isascii() else hcl_text.normal(value)
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

    def node(self, value: Scalar | Unknown | dict[str, Node] | tuple[Node, ...], start: int, end: int) -> Node:
        """A value at a range of bytes."""
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
        return self.node(Expression(self.excerpt(start, end), "", operator, operands, name, steps), start, end)

    def excerpt(self, start: int, end: int) -> str:
        """The text of an expression, cut when it is long."""
        if end - start <= _MAX_EXPRESSION:
            return self.text(start, end)
        return self.data[start : start + _MAX_EXPRESSION].decode("utf-8", "replace") + "…"

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
            name = self.text(primary.start_byte, primary.end_byte)
            return self._traversal(None, name, rest, start, end, depth)
        base = self._primary(primary, parent, depth)
        if not rest:
            base.start, base.end = self.at(start), self.at(end)
            return base
        return self._traversal(base, "", rest, start, end, depth)

    def _traversal(self, base: Node | None, name: str, parts: list[_Syntax], start: int, end: int, depth: int) -> Node:
        """What attribute accesses, indexes and splats lead to from a variable's name or a value.

        Each member follows all steps behind `[*]`, but only attributes behind `.*`: `a.*.b[0]` is the first of all `b`.
        """
        steps: list[Step] = []
        splats: list[str] = []
        links = list(_links(parts))
        for at, link in enumerate(links):
            if splats and splats[-1] == ".*" and link.type in ("new_index", "full_splat"):
                if len(splats) > 1:
                    return self._opaque(start, end, "splats of different kinds in one expression are not evaluated")
                base = self._made_traversal(base, name, steps, start, link.start_byte)
                steps, splats = [], []
            if link.type == "get_attr":
                steps.append(self.text(link.start_byte, link.end_byte).lstrip(". \t\r\n"))
            elif link.type == "legacy_index":
                position = self.text(link.start_byte, link.end_byte).lstrip(".")
                if (at and links[at - 1].type == "legacy_index") or not position.isdigit() or len(position) > 18:
                    return self._opaque(start, end, "it is not a complete expression")
                steps.append(int(position))
            elif link.type == "new_index":
                index = next(iter(self.operands(link, depth)), None)
                if index is None:
                    return self._opaque(start, end, "it is not a complete expression")
                value = index.value
                steps.append(value if isinstance(value, (str, int)) and not isinstance(value, bool) else index)
            else:
                steps.append(None)
                splats.append("[*]" if link.type == "full_splat" else ".*")
        return self._made_traversal(base, name, steps, start, end)

    def _made_traversal(self, base: Node | None, name: str, steps: list[Step], start: int, end: int) -> Node:
        if base is None:
            return self._make("reference", start, end, (), name, tuple(steps))
        return self._make("traversal", start, end, (base,), "", tuple(steps))

    def _primary(self, syntax: _Syntax, parent: _Syntax, depth: int) -> Node:
        kind = syntax.type
        start, end = syntax.start_byte, syntax.end_byte
        if kind == "expression":  # in parentheses
            return self.read(syntax, depth=depth + 1)
        if kind in ("literal_value", "template_expr", "collection_value", "operation"):
            if not syntax.named_children:
                return self.node(WORDS.get(self.text(start, end)), start, end)
            inner = next((child for child in syntax.named_children if child.type != "comment"), syntax)
            return self._inner(inner, depth)
        if kind == "conditional":
            return self._conditional(syntax, depth)
        if kind == "function_call":
            return self._call(syntax, depth)
        if kind == "for_expr":
            return self._for(syntax, depth)
        return self._broken(parent)

    def _conditional(self, syntax: _Syntax, depth: int) -> Node:
        """`a ? b : c ? d : e` is `a ? b : (c ? d : e)`; the tree has it as `(a ? b : c) ? d : e`."""
        results: list[tuple[_Syntax, _Syntax]] = []
        inner: _Syntax | None = syntax
        condition = syntax
        while inner is not None:
            parts = [child for child in inner.named_children if child.type == "expression"]
            if len(parts) != 3:
                return self._broken(syntax)
            condition = parts[0]
            results.append((parts[1], parts[2]))
            first = next((child for child in condition.children if child.type != "comment"), None)
            inner = first if first is not None and first.type == "conditional" else None
        results.reverse()
        conditions = [condition, *(other for _, other in results[:-1])]
        if depth + len(results) > MAX_DEPTH:
            return self._opaque(syntax.start_byte, syntax.end_byte, "it is nested too deeply")
        end = syntax.end_byte
        node = self.read(results[-1][1], depth=depth + 1)
        for one, (then, _) in zip(reversed(conditions), reversed(results), strict=True):
            operands = (self.read(one, depth=depth + 1), self.read(then, depth=depth + 1), node)
            node = self._make("?:", one.start_byte, end, operands)
        return node

    def _broken(self, syntax: _Syntax) -> Node:
        return self._opaque(syntax.start_byte, syntax.end_byte, "it is not a complete expression")

    def operands(self, syntax: _Syntax, depth: int) -> tuple[Node, ...]:
        """The expressions directly inside of `syntax`."""
        return tuple(self.read(child, depth=depth + 1) for child in syntax.named_children if child.type == "expression")

    def _inner(self, syntax: _Syntax, depth: int) -> Node:
        kind = syntax.type
        start, end = syntax.start_byte, syntax.end_byte
        if kind == "string_lit":
            text = self.text(start + 1, end - 1)
            return self.node(hcl_text.quoted(text), start, end) if "\n" not in text else self._broken(syntax)
        if kind == "numeric_lit":
            number = number_of(self.text(start, end))
            return (
                self._opaque(start, end, "the number is too large") if number is None else self.node(number, start, end)
            )
        if kind in ("bool_lit", "null_lit"):
            return self.node(WORDS.get(self.text(start, end)), start, end)
        if kind == "tuple":
            return self.node(self.operands(syntax, depth), start, end)
        if kind == "object":
            return self._object(syntax, depth)
        if kind in ("binary_operation", "unary_operation"):
            return self._operation(syntax, depth)
        if kind == "quoted_template":
            return self.template(syntax, start + 1, end - 1, depth, lines=False)
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
            if isinstance(value, (int, float)) and not isinstance(value, (bool, ExactNumber)) and value:
                return self.node(-value, start, end)
            operator = "-x"
        return self._make(operator, start, end, operands)

    def _call(self, syntax: _Syntax, depth: int) -> Node:
        name = ""
        operands: list[Node] = []
        for child in syntax.named_children:
            if child.type == "identifier":
                name = self.text(child.start_byte, child.end_byte)
            elif child.type == "function_arguments":
                operands.extend(self.operands(child, depth))
                if operands and any(part.type == "ellipsis" for part in child.named_children):
                    last = operands[-1]
                    operands[-1] = Node(Expression("", "", "expand", (last,)), self.source, last.start, last.end)
        return self._make("call", syntax.start_byte, syntax.end_byte, tuple(operands), name)

    def _object(self, syntax: _Syntax, depth: int) -> Node:
        start, end = syntax.start_byte, syntax.end_byte
        pairs: list[tuple[Node, Node]] = []
        literal = True
        before = -1
        for element in syntax.named_children:
            if element.type != "object_elem":
                continue
            between = self.data[before : element.start_byte] if before >= 0 else b","
            if b"," not in between and b"\n" not in between:
                return self._broken(syntax)
            before = element.end_byte
            sides = [child for child in element.named_children if child.type == "expression"]
            if len(sides) != 2:
                return self._broken(syntax)
            key = self._key(sides[0], depth)
            literal = literal and isinstance(key.value, str)
            pairs.append((key, self.read(sides[1], key.start, key.end, depth + 1)))
        if literal:
            return self.node({str(key.value): value for key, value in pairs}, start, end)
        return self._make("object", start, end, tuple(node for pair in pairs for node in pair))

    def _key(self, syntax: _Syntax, depth: int) -> Node:
        """An object's key: a bare word is a string, and so is a whole number; names with dots are none."""
        text = self.text(syntax.start_byte, syntax.end_byte)
        if text.replace("-", "_").isidentifier():
            return self.node(text, syntax.start_byte, syntax.end_byte)
        node = self.read(syntax, depth=depth + 1)
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            node.value = str(node.value)
        elif isinstance(node.value, Expression) and node.value.operator == "reference" and not text.startswith("("):
            return self._opaque(syntax.start_byte, syntax.end_byte, "a key with dots needs quotes or parentheses")
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
        return self.template(syntax, body, max(body, stop), depth, lines=True, flush=flush)

    def template(
        self, syntax: _Syntax, start: int, end: int, depth: int = 0, *, lines: bool, flush: bool = False
    ) -> Node:
        """The template between two bytes of `syntax`; `lines`: it is no quoted one, `flush`: a heredoc with `<<-`."""
        try:
            tokens = hcl_template.tokens_of(syntax, start, end, self.data, lines=lines, flush=flush)
        except RecursionError:
            return self._opaque(syntax.start_byte, syntax.end_byte, "it is nested too deeply")
        except ValueError:
            return self._broken(syntax)
        if not tokens or (len(tokens) == 1 and tokens[0].kind == "text"):
            return self.node(tokens[0].text if tokens else "", syntax.start_byte, syntax.end_byte)
        parts = hcl_template.assembled(tokens, self, depth)
        if parts is None:
            return self._broken(syntax)
        return self._make("template", syntax.start_byte, syntax.end_byte, tuple(parts))

    # -- for -----------------------------------------------------------------------------------------------

    def names(self, intro: _Syntax) -> tuple[str, str]:
        """The names of key (or "") and value."""
        names = [
            self.text(child.start_byte, child.end_byte) for child in intro.named_children if child.type == "identifier"
        ]
        return ("", *names)[-2], ("", *names)[-1]

    def _for(self, syntax: _Syntax, depth: int) -> Node:
        start, end = syntax.start_byte, syntax.end_byte
        inner = syntax.named_children[0] if syntax.named_children else syntax
        intro = next((child for child in inner.named_children if child.type == "for_intro"), None)
        condition = next((child for child in inner.named_children if child.type == "for_cond"), None)
        collection = self.operands(intro, depth) if intro is not None else ()
        values = self.operands(inner, depth)
        is_object = inner.type == "for_object_expr"
        if intro is None or not collection or len(values) != 1 + is_object:
            return self._broken(syntax)
        return self.node(
            ForExpression(
                self.excerpt(start, end),
                "",
                "for{}" if is_object else "for[]",
                (collection[0], values[-1]),
                "",
                (),
                *self.names(intro),
                values[0] if is_object else None,
                next(iter(self.operands(condition, depth)), None) if condition is not None else None,
                any(child.type == "ellipsis" for child in inner.named_children),
            ),
            start,
            end,
        )


def _links(parts: list[_Syntax]) -> Iterator[_Syntax]:
    """Attribute accesses, indexes and splats in order; the tree has what follows a splat inside of it."""
    waiting = list(reversed(parts))
    while waiting:
        part = waiting.pop()
        if part.type in ("index", "splat"):
            waiting += reversed(part.named_children)
            continue
        if part.type in ("get_attr", "legacy_index", "new_index", "full_splat", "attr_splat"):
            yield part
        if part.type in ("full_splat", "attr_splat"):
            waiting += reversed(part.named_children)
