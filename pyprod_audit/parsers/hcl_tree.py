"""HCL through tree-sitter: any valid file, and what can be saved of a broken one."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import overload

import tree_sitter

from pyprod_audit.model import Node, Problem, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.grammars import language
from pyprod_audit.parsers.hcl_expression import MAX_DEPTH, Expression, ExpressionReader

_LANGUAGE = language("tree_sitter_hcl")
_TOP_LEVEL = lazy(r'^[A-Za-z_][\w-]*(?:[ \t]+(?:"[^"\n]*"|[A-Za-z_][\w-]*))*[ \t]*(?:\{|=(?!=))', re.MULTILINE)
_LEADS = bytes(0 if 0x80 <= byte < 0xC0 else 1 for byte in range(256))
_EXPONENT = re.compile(rb"(?<![\w.])[0-9]+[eE][+-]?[0-9]+")
"""Numbers like 1e9, which tree-sitter-hcl does not know; digits in their place are read as what was written."""
_MAX_PROBLEMS = 20
_QUICK = 4096
_SLICE = 65_536
_EXCERPT = 2000
_SECONDS = 1.0
_SECONDS_PER_BYTE = 2e-6
_TOKENS = {
    "quoted_template_end": "closing quote",
    "block_end": "closing brace",
    "object_end": "closing brace",
    "tuple_end": "closing bracket",
    "template_interpolation_end": "closing brace of ${",
}


def template_value(node: Node, text: str) -> Node:
    """A string of the JSON syntax read as the template that it is; all that is in it stands where the string stands."""
    value = _template(node.source, text, node).value
    if isinstance(value, Expression) and value.operator == "template":
        only = value.operands[0].value if len(value.operands) == 1 else None
        value = only if isinstance(only, Expression) else Expression(text, "", "template", value.operands)
    return Node(value, node.source, node.start, node.end, node.key_start, node.key_end)


def read_template(source: SourceFile) -> Node:
    """A whole file read as one template, as `templatefile` does; an `Expression` that is `opaque` when it is none."""
    return _template(source, source.text, None)


def _template(source: SourceFile, text: str, place: Node | None) -> Node:
    """A template; what is in it has its places in `source`, which is the text, or all stand at `place`."""
    marker = "EOT"
    while marker in text:
        marker += "T"
    head = f"x = <<{marker}\n"
    data = f"{head}{text}\n{marker}\n".encode("utf-8", "surrogatepass")
    positions: Sequence[int] | None = _OnePlace(place.start, len(data) + 1) if place is not None else None
    if place is None and len(data) != len(head) + len(text) + len(marker) + 2:
        positions = list(accumulate(data.translate(_LEADS), initial=0))
    reader = ExpressionReader(source, data, 0 if place is not None else -len(head), positions)
    root = tree_sitter.Parser(_LANGUAGE).parse(data).root_node
    bodies = [child for child in root.named_children if child.type == "body"]
    if not root.has_error and bodies and bodies[0].named_children:
        whole = bodies[0].named_children[0].named_children[-1]  # the expression of `x`
        syntax = _descendant(whole, "heredoc_template")
        if syntax is not None:
            return reader.template(syntax, len(head), len(data) - len(marker) - 2, lines=True)
    offset = place.start if place is not None else 0
    return Node(Expression(text[:_EXCERPT], "it is not a valid template"), source, offset, offset)


def _as_digits(found: re.Match[bytes]) -> bytes:
    return b"1" * len(found[0])


def _descendant(syntax: tree_sitter.Node, kind: str) -> tree_sitter.Node | None:
    """The first node of that type on the way down along first children."""
    node: tree_sitter.Node | None = syntax
    while node is not None and node.type != kind:
        node = node.named_children[0] if node.named_children else None
    return node


class _OnePlace(Sequence[int]):
    """Byte offsets that all lead to the same place."""

    def __init__(self, place: int, length: int) -> None:
        self._place = place
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._place if isinstance(index, int) else [self._place] * self._length


class FileReader:
    """Reads a file into `blocks`, `attributes` and `problems`."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.parser = tree_sitter.Parser(_LANGUAGE)
        self.deadline = time.monotonic() + 2 * (_SECONDS + len(source.text) * _SECONDS_PER_BYTE)
        self.blocks: list[Node] = []
        self.attributes: dict[str, Node] = {}
        self.problems: list[Problem] = []

    def read(self, text: str, shift: int, *, whole: bool = True) -> None:
        """Reads `text`, which starts at `shift` of the file; a `whole` file with errors is read again in pieces."""
        data = text.encode("utf-8", "surrogatepass")
        positions = None if len(data) == len(text) else list(accumulate(data.translate(_LEADS), initial=0))
        root = self._tree(data)
        if root is not None and root.has_error:
            plain = _EXPONENT.sub(_as_digits, data)
            root = (self._tree(plain) or root) if plain != data else root
        if root is not None and not root.has_error:
            expressions = ExpressionReader(self.source, data, shift, positions)
            for child in root.named_children:
                if child.type == "body":
                    attributes, blocks = self._body(child, expressions, 0)
                    self.blocks += blocks
                    self.attributes.update(attributes)
            return
        if whole:
            starts = [found.start() for found in _TOP_LEVEL.finditer(text)]
            if starts and (len(starts) > 1 or text[: starts[0]].strip()):
                if starts[0]:
                    starts.insert(0, 0)
                for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
                    if time.monotonic() > self.deadline:
                        self._problem("so many syntax errors that reading was given up", start)
                        return
                    self.read(text[start:end], start, whole=False)
                return
        if root is None:
            self._problem("so many syntax errors that reading was given up", shift)
            return
        start, missing = _first_error(root)
        offset = start if positions is None else positions[start]
        name = text.lstrip().partition("{")[0].partition("\n")[0].strip()[:80]
        what = f"missing {_TOKENS.get(missing, missing)}" if missing else "syntax error"
        self._problem(f"{what} in {name or 'the file'}; this block is not read", shift + offset)

    def _tree(self, data: bytes) -> tree_sitter.Node | None:
        """The syntax tree; None when it takes too long (tree-sitter's error recovery can be quadratic)."""
        if len(data) <= _QUICK:
            return self.parser.parse(data).root_node
        deadline = time.monotonic() + _SECONDS + len(data) * _SECONDS_PER_BYTE
        deadline = min(deadline, self.deadline)
        try:
            return self.parser.parse(
                lambda offset, _: data[offset : offset + _SLICE],
                progress_callback=lambda _offset, _error: time.monotonic() > deadline,
            ).root_node
        except ValueError:  # how the binding says that the callback stopped it
            self.parser.reset()
            return None

    def _problem(self, message: str, offset: int) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            line = self.source.span(offset, offset).line
            self.problems.append(Problem("parse", self.source.path, message, line))

    def _body(
        self, body: tree_sitter.Node, expressions: ExpressionReader, depth: int
    ) -> tuple[dict[str, Node], list[Node]]:
        attributes: dict[str, Node] = {}
        blocks: list[Node] = []
        at = expressions.at
        for child in body.named_children:
            kind = child.type
            if kind == "attribute":
                parts = child.named_children
                name, value = parts[0], parts[-1]
                if value.type != "expression":  # a comment follows it
                    value = next((part for part in parts if part.type == "expression"), value)
                start, end = name.start_byte, name.end_byte
                key = expressions.text(start, end)
                if key in attributes:
                    self._problem(f"argument {key} is set twice; the first counts", at(start))
                else:
                    node = expressions.read(value, at(start), at(end))
                    if b"\n" in expressions.data[end : value.start_byte]:
                        node.value = Expression("", "it does not start on the line of its name")
                    attributes[key] = node
            elif kind == "block":
                if depth >= MAX_DEPTH:
                    self._problem("blocks are nested too deeply", at(child.start_byte))
                else:
                    blocks.append(self._block(child, expressions, depth))
        return attributes, blocks

    def _block(self, block: tree_sitter.Node, expressions: ExpressionReader, depth: int) -> Node:
        source, at = self.source, expressions.at
        keyword: Node | None = None
        labels: list[Node] = []
        attributes: dict[str, Node] = {}
        blocks: list[Node] = []
        for part in block.named_children:
            kind = part.type
            if kind in ("identifier", "string_lit"):
                quote = kind == "string_lit"
                word = expressions.text(part.start_byte + quote, part.end_byte - quote)
                node = Node(word, source, at(part.start_byte), at(part.end_byte))
                if keyword is None:
                    keyword = node
                else:
                    labels.append(node)
            elif kind == "body":
                attributes, blocks = self._body(part, expressions, depth + 1)
        start, end = at(block.start_byte), at(block.end_byte)
        keyword = keyword or Node("", source, start, start)
        header = labels[-1].end if labels else keyword.end
        members = {
            "type": keyword,
            "labels": Node(tuple(labels), source, keyword.end, header),
            "body": Node(attributes, source, start, end, start, header),
            "blocks": Node(tuple(blocks), source, start, end, start, header),
        }
        return Node(members, source, start, end, start, header)


def _first_error(root: tree_sitter.Node) -> tuple[int, str]:
    """The byte at which the first thing that does not fit starts, and the type of the token that is missing there."""
    node = root
    for _ in range(10_000):
        inner = next((child for child in node.children if child.has_error or child.is_error or child.is_missing), None)
        if inner is None:
            break
        if inner.is_missing:  # where it was expected is often far below: the construct that lacks it tells more
            return node.start_byte, inner.type
        node = inner
    return node.start_byte, ""
