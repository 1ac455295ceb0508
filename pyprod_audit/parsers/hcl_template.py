"""Templates of HCL as tokens: literal text, interpolations and directives, with strip markers and indentation applied.

Source: the HCL native syntax specification (github.com/hashicorp/hcl, hclsyntax/spec.md, "Template Expressions"). In
heredocs and template files every line is a literal of its own, and a strip marker reaches to the end of the line only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyprod_audit.model import Node
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import hcl_text
from pyprod_audit.parsers.hcl_nodes import Expression, ForExpression

if TYPE_CHECKING:
    import tree_sitter

    from pyprod_audit.parsers.hcl_expression import ExpressionReader

_MARKS = {"template_if_intro": "if", "template_else_intro": "else", "template_if_end": "endif",
          "template_for_start": "for", "template_for_end": "endfor", "template_interpolation": "value"}  # fmt: skip
_MAX_DEPTH = 60
_NOT_IN_QUOTES = lazy(r"\n|(?<!\\)(?:\\\\)*\"")


class Token:
    """A piece of a template: `text`, or what stands between `${ }` or `%{ }`, with its bytes in the tree.

    `kind` is `text`, `value`, `if`, `else`, `endif`, `for` or `endfor`; `syntax` the marker's node.
    """

    __slots__ = ("end", "kind", "start", "syntax", "text")

    def __init__(self, kind: str, start: int, end: int, text: str = "", syntax: tree_sitter.Node | None = None) -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.text = text
        self.syntax = syntax


def tokens_of(
    syntax: tree_sitter.Node,
    start: int,
    end: int,
    data: bytes,
    *,
    lines: bool,
    flush: bool,
) -> list[Token]:
    """The tokens of the template between two bytes; `lines`: it is a heredoc or a file, `flush`: one with `<<-`.

    `data` is what was parsed. Literals that touch are one; empty ones are left out, unless that would leave nothing but
    one value, which is text beside a literal. Raises RecursionError when directives are nested too deeply, ValueError
    when a quoted template holds what none can.
    """
    tokens: list[Token] = []
    position = start
    for mark in _marks(syntax, 0):
        if _is_escaped(data[max(position, mark.start_byte - 1) : mark.start_byte], mark):
            continue
        tokens += _literals(position, data[position : mark.start_byte], lines=lines)
        tokens.append(Token(_MARKS[mark.type], mark.start_byte, mark.end_byte, "", mark))
        position = mark.end_byte
    tokens += _literals(position, data[position:end], lines=lines)
    _strip(tokens)
    if flush:
        cut = hcl_text.lines_without_indentation([one.text if one.kind == "text" else None for one in tokens])
        for token, found in zip(tokens, cut, strict=True):
            token.text = found or ""
    return _melded(tokens)


def _is_escaped(before: bytes, mark: tree_sitter.Node) -> bool:
    """Whether `$${` stands there, which the tree does not always tell from `${`: of `$$${` it skips the first two."""
    return before == (b"$" if mark.type == "template_interpolation" else b"%")


def _marks(syntax: tree_sitter.Node, depth: int) -> Iterator[tree_sitter.Node]:
    """Interpolations and the marks of directives in order, those inside of directives included."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    for child in syntax.named_children:
        if child.type in _MARKS:
            yield child
        elif child.type in ("template_directive", "template_if", "template_for"):
            yield from _marks(child, depth + 1)


def _literals(start: int, data: bytes, *, lines: bool) -> Iterator[Token]:
    """The literal text between two markers."""
    if not data:
        return
    raw = data.decode("utf-8", "surrogatepass")
    if not lines:
        if _NOT_IN_QUOTES.search(raw) is not None:
            raise ValueError("a quote or the end of a line stands inside of quotes")
        yield Token("text", start, start + len(data), hcl_text.quoted(raw))
        return
    at = start
    for line in hcl_text.lines_of(raw):
        after = at + (len(line) if line.isascii() else len(line.encode("utf-8", "surrogatepass")))
        yield Token("text", at, after, hcl_text.verbatim(line))
        at = after


def _strip(tokens: list[Token]) -> None:
    """What `${~` and `~}` remove of the literals beside them."""
    for at, token in enumerate(tokens):
        if token.syntax is None:
            continue
        children = token.syntax.children
        markers = [index for index, child in enumerate(children) if child.type == "strip_marker"]
        if not markers:
            continue
        if markers[0] == 1 and at and tokens[at - 1].kind == "text":
            tokens[at - 1].text = tokens[at - 1].text.rstrip(hcl_text.WHITESPACE)
        if markers[-1] == len(children) - 2 and at + 1 < len(tokens) and tokens[at + 1].kind == "text":
            tokens[at + 1].text = tokens[at + 1].text.lstrip(hcl_text.WHITESPACE)


def _melded(tokens: list[Token]) -> list[Token]:
    melded: list[Token] = []
    for token in tokens:
        last = melded[-1] if melded else None
        if token.kind == "text" and last is not None and last.kind == "text":
            last.text += token.text
            last.end = token.end
        else:
            melded.append(token)
    kept = [token for token in melded if token.kind != "text" or token.text]
    only_value = len(kept) == 1 and kept[0].kind == "value" and len(melded) > 1
    return melded if only_value else kept


def assembled(tokens: list[Token], reader: ExpressionReader, depth: int) -> list[Node] | None:
    """The parts of a template, directives with what they decide on; None when they do not fit together."""
    parts, rest = _Assembler(tokens, reader).parts(0, depth)
    return parts if rest == len(tokens) else None


class _Assembler:
    def __init__(self, tokens: list[Token], reader: ExpressionReader) -> None:
        self._tokens = tokens
        self._reader = reader

    def parts(self, at: int, depth: int) -> tuple[list[Node] | None, int]:
        """The parts up to the directive that ends them, and where that is; None when they are not complete."""
        parts: list[Node] = []
        while at < len(self._tokens):
            token = self._tokens[at]
            found: Node | None
            at += 1
            if token.kind == "text":
                found = self._reader.node(token.text, token.start, token.end)
            elif token.kind == "value":
                found = self._first(token, depth)
            elif token.kind == "if":
                found, at = self._if(at, depth)
            elif token.kind == "for":
                found, at = self._for(at, depth)
            else:
                return parts, at - 1
            if found is None:
                return None, at
            parts.append(found)
        return parts, at

    def _first(self, token: Token, depth: int) -> Node | None:
        """The expression of an interpolation or a directive."""
        return next(iter(self._reader.operands(token.syntax, depth)), None) if token.syntax is not None else None

    def _is(self, at: int, kind: str) -> bool:
        return at < len(self._tokens) and self._tokens[at].kind == kind

    def _if(self, at: int, depth: int) -> tuple[Node | None, int]:
        first = self._tokens[at - 1]
        condition = self._first(first, depth)
        then, at = self.parts(at, depth + 1)
        other: list[Node] | None = []
        if self._is(at, "else"):
            other, at = self.parts(at + 1, depth + 1)
        if then is None or other is None or condition is None or not self._is(at, "endif"):
            return None, at
        end = self._tokens[at].end
        operands = (condition, self._text(then, first.end, end), self._text(other, first.end, end))
        found = Expression(self._reader.excerpt(first.start, end), "", "%if", operands)
        return self._reader.node(found, first.start, end), at + 1

    def _for(self, at: int, depth: int) -> tuple[Node | None, int]:
        first = self._tokens[at - 1]
        collection = self._first(first, depth)
        body, at = self.parts(at, depth + 1)
        if body is None or collection is None or first.syntax is None or not self._is(at, "endfor"):
            return None, at
        start, end = first.start, self._tokens[at].end
        operands = (collection, self._text(body, first.end, end))
        names = self._reader.names(first.syntax)
        found = ForExpression(self._reader.excerpt(start, end), "", "%for", operands, "", (), *names)
        return self._reader.node(found, start, end), at + 1

    def _text(self, parts: list[Node], start: int, end: int) -> Node:
        """What a directive decides on."""
        at = self._reader.at
        place = (parts[0].start, parts[-1].end) if parts else (at(start), at(end))
        return Node(Expression("", "", "text", tuple(parts)), self._reader.source, *place)
