"""Terraform files in plain syntax, read in one pass of regular expressions instead of through a syntax tree.

Most files hold nothing but blocks of arguments whose values are literals, references, lists, objects, calls and
templates. Those are read here, several times faster; at the first sign of anything else (operators, `for`, splats,
control characters, errors) the file is left to tree-sitter as a whole. Whatever is read here gives the same nodes (a
test compares the two).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pyprod_audit.discover.walk import is_utf8
from pyprod_audit.model import Node, Scalar, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers import hcl_text
from pyprod_audit.parsers.hcl_expression import WORDS, Expression, number_of

_DEPTH: Final = 20  # of blocks and of values; deeper ones are left to tree-sitter
_LONGEST: Final = 2000  # characters of an expression that is kept as text
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*"
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?![0-9A-Za-z_.])"
_REFERENCE: Final = rf"{_NAME}(?:\.{_NAME})*"
_LINE_END: Final = r"[ \t]*(?:(?:\#|//)[^\n]*)?(?:\n|\Z)"
_STRANGE: Final = lazy("[\\x00-\\x08\\x0b-\\x1f\\x7f]|\\ufeff")
_GAP: Final = lazy(r"[ \t\n]*(?:(?:(?:#|//)[^\n]*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)[ \t\n]*)*")
_CHARACTERS: Final = r'(?:[^"\\$%\n]|\\["\\nrt]|[$%](?![{$%"]))'
_END: Final = lazy(_LINE_END)
_LINE: Final = lazy(
    rf"(?P<name>{_NAME})[ \t]*=[ \t]*"
    rf'(?:"(?P<string>[^"\\$%\n]*)"|(?P<reference>{_REFERENCE})|(?P<number>{_NUMBER})){_LINE_END}[ \t\n]*'
)
_HEADER: Final = lazy(rf'({_NAME})((?:[ \t]+(?:"[^"\\$%\n]*"|{_NAME}))*)[ \t]*\{{(?:[ \t]*(\}}))?{_LINE_END}')
_LABEL: Final = lazy(rf'"[^"\n]*"|{_NAME}')
_ARGUMENT: Final = lazy(rf"({_NAME})[ \t]*=[ \t]*(?=[^ \t\n=])")
_VALUE: Final = lazy(
    rf'(?P<string>"{_CHARACTERS}*")'
    rf"|(?P<call>{_NAME}\()"
    rf'|(?P<reference>{_REFERENCE}(?:\.{_NAME}|\[(?:[0-9]{{1,9}}|"[^"\\$%\n]*")\])*)'
    rf"|(?P<number>{_NUMBER})"
    r"|(?P<tuple>\[)|(?P<object>\{)|(?P<template>\")"
    rf"|(?P<heredoc><<(?P<flush>-?)(?P<marker>{_NAME})\n)"
)
_STEP: Final = lazy(rf'({_NAME})|\[(?:([0-9]+)|"([^"]*)")\]')
_KEY: Final = lazy(rf'(?:({_NAME})|"([^"\\$%\n]*)")[ \t]*(?:=(?![=>])|:)[ \t]*')
_PIECE: Final = lazy(rf'({_CHARACTERS}+)|(\$\{{[ \t]*)|(")')
_LINES: Final = lazy(r"((?:[^$%]|[$%](?![{$%]))+)|(\$\{[ \t]*)")
_CLOSED: Final = lazy(r"[ \t]*\}")
_RESERVED: Final = frozenset({"for", "in", "if", "else", "endif", "endfor"})


class PlainFile(NamedTuple):
    """The top level of a file."""

    attributes: dict[str, Node]
    blocks: list[Node]


class _UnusualError(Exception):
    """Something that is not plain."""


def read_plain(source: SourceFile) -> PlainFile | None:
    """The arguments and blocks of a file, in the shape of `parsers.terraform`; None when not all of it is plain."""
    if _STRANGE.search(source.text) or not is_utf8(source.text):
        return None
    reader = _Reader(source)
    try:
        attributes, blocks, _ = reader.body(0, None, 0)
    except _UnusualError:
        return None
    return PlainFile(attributes, blocks)


class _Reader:
    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.source_text = source.text

    def body(self, at: int, closing: str | None, depth: int) -> tuple[dict[str, Node], list[Node], int]:
        """The arguments and blocks up to the brace, and the offset of it (of the end of the text at the top)."""
        text, source = self.source_text, self.source
        line_at, gap_at = _LINE.match, _GAP.match
        attributes: dict[str, Node] = {}
        blocks: list[Node] = []
        while True:
            found = line_at(text, at)
            if found is None:
                at = _end(gap_at(text, at))
                found = line_at(text, at)
            if found is not None:
                name = found["name"]
                if name in attributes or name in _RESERVED:
                    raise _UnusualError
                kind = found.lastgroup or ""
                start, end = found.span(kind)
                value: Scalar | Expression
                if kind == "string":
                    value = found["string"]
                    value = value if value.isascii() else hcl_text.normal(value)
                    start, end = start - 1, end + 1
                elif kind == "number":
                    value = number_of(found["number"])
                else:
                    value = _reference(found["reference"])
                attributes[name] = Node(value, source, start, end, found.start(), found.start() + len(name))
                at = found.end()
            elif at == len(text):
                if closing is not None:
                    raise _UnusualError
                return attributes, blocks, at
            elif text[at] == closing:
                return attributes, blocks, at
            else:
                at = self._statement(at, attributes, blocks, depth)

    def _statement(self, at: int, attributes: dict[str, Node], blocks: list[Node], depth: int) -> int:
        """A block, or an argument with a value of several parts; the offset behind it."""
        text = self.source_text
        header = _HEADER.match(text, at)
        if header is not None and header[1] not in _RESERVED:
            block, at = self._block(header, depth)
            blocks.append(block)
            return at
        argument = _ARGUMENT.match(text, at)
        if argument is None or argument[1] in attributes or argument[1] in _RESERVED:
            raise _UnusualError
        value = self._value(argument.end(), 0)
        value.key_start, value.key_end = argument.span(1)
        attributes[argument[1]] = value
        end = _END.match(text, value.end)
        if end is None:
            raise _UnusualError
        return end.end()

    def _block(self, header: re.Match[str], depth: int) -> tuple[Node, int]:
        if depth >= _DEPTH:
            raise _UnusualError
        source, text = self.source, self.source_text
        start, header_end = header.span(1)
        keyword = Node(header[1], source, start, header_end)
        labels = []
        for label in _LABEL.finditer(text, *header.span(2)):
            labels.append(Node(label[0].strip('"'), source, label.start(), label.end()))
            header_end = label.end()
        attributes: dict[str, Node] = {}
        blocks: list[Node] = []
        if header[3]:
            end, after = header.end(3), header.end()
        else:
            attributes, blocks, brace = self.body(header.end(), "}", depth + 1)
            end = brace + 1
            after = _end(_END.match(text, end))
        members = {
            "type": keyword,
            "labels": Node(tuple(labels), source, keyword.end, header_end),
            "body": Node(attributes, source, start, end, start, header_end),
            "blocks": Node(tuple(blocks), source, start, end, start, header_end),
        }
        return Node(members, source, start, end, start, header_end), after

    # -- values --------------------------------------------------------------------------------------------

    def _value(self, at: int, depth: int) -> Node:
        """The value that starts at an offset. Whether it ends there is for the caller to see."""
        if depth > _DEPTH:
            raise _UnusualError
        found = _VALUE.match(self.source_text, at)
        if found is None:
            raise _UnusualError
        kind, end = found.lastgroup, found.end()
        if kind == "string":
            return Node(hcl_text.quoted(found[0][1:-1]), self.source, at, end)
        if kind == "reference":
            return Node(_reference(found[0]), self.source, at, end)
        if kind == "number":
            return Node(number_of(found[0]), self.source, at, end)
        if kind == "tuple":
            members, end = self._members(end, "]", depth)
            return Node(members, self.source, at, end)
        if kind == "object":
            return self._object(at, end, depth)
        if kind == "template":
            return self._template(at, end, depth)
        if kind == "heredoc":
            return self._heredoc(found, depth)
        operands, end = self._members(end, ")", depth)
        return self._expression("call", at, end, operands, found[0][:-1])

    def _expression(self, operator: str, start: int, end: int, operands: tuple[Node, ...], name: str = "") -> Node:
        if end - start > _LONGEST:
            raise _UnusualError
        return Node(Expression(self.source_text[start:end], "", operator, operands, name), self.source, start, end)

    def _members(self, at: int, closing: str, depth: int) -> tuple[tuple[Node, ...], int]:
        """Values with commas between them (and perhaps one behind), and the offset behind the bracket."""
        text = self.source_text
        members: list[Node] = []
        comma = True
        while True:
            at = _end(_GAP.match(text, at))
            if text.startswith(closing, at):
                return tuple(members), at + 1
            if not comma:
                raise _UnusualError
            members.append(self._value(at, depth + 1))
            at = _end(_GAP.match(text, members[-1].end))
            comma = text.startswith(",", at)
            at += comma

    def _object(self, start: int, at: int, depth: int) -> Node:
        text = self.source_text
        members: dict[str, Node] = {}
        separated = True
        while True:
            at = _end(_GAP.match(text, at))
            if text.startswith("}", at):
                return Node(members, self.source, start, at + 1)
            key = _KEY.match(text, at)
            if key is None or not separated or key[1] in _RESERVED:
                raise _UnusualError
            value = self._value(_end(_GAP.match(text, key.end())), depth + 1)
            value.key_start, value.key_end = key.span(1) if key[2] is None else (key.start(2) - 1, key.end(2) + 1)
            name = key[1] if key[2] is None else key[2]
            members[name if name.isascii() else hcl_text.normal(name)] = value
            at = _end(_GAP.match(text, value.end))
            separated = text.startswith(",", at) or "\n" in text[value.end : at]
            at += text.startswith(",", at)

    def _template(self, start: int, at: int, depth: int) -> Node:
        """A quoted template with something filled in."""
        parts: list[Node] = []
        while True:
            piece = _PIECE.match(self.source_text, at)
            if piece is None:
                raise _UnusualError
            at = piece.end()
            if piece[3]:
                return self._expression("template", start, at, tuple(parts))
            if piece[1] is not None:
                parts.append(Node(hcl_text.quoted(piece[1]), self.source, *piece.span(1)))
            else:
                parts.append(self._value(at, depth + 1))
                at = _end(_CLOSED.match(self.source_text, parts[-1].end))

    def _heredoc(self, head: re.Match[str], depth: int) -> Node:
        text, at = self.source_text, head.end()
        closing = re.compile(rf"^[ \t]*{head['marker']}", re.MULTILINE).search(text, at)
        if closing is None or not text.startswith(("\n", ",", ")"), closing.end()):
            raise _UnusualError
        start, stop, end = head.start(), closing.start(), closing.end()
        literals: list[str | None] = [""]
        places = [(at, at)]
        inserted: dict[int, Node] = {}
        while at < stop:
            piece = _LINES.match(text, at, stop)
            if piece is None:
                raise _UnusualError
            at = piece.end()
            if piece[1] is not None:
                literals[-1], places[-1] = piece[1], piece.span()
                continue
            value = self._value(at, depth + 1)
            inserted[len(literals)] = value
            at = _end(_CLOSED.match(text, value.end))
            literals += [None, ""]
            places += [(0, 0), (at, at)]
        if head["flush"]:
            literals = hcl_text.without_indentation(literals)
        if not inserted:
            return Node(hcl_text.verbatim(literals[0] or ""), self.source, start, end)
        parts = tuple(
            inserted[index] if literal is None else Node(hcl_text.verbatim(literal), self.source, *places[index])
            for index, literal in enumerate(literals)
            if literal != ""
        )
        return self._expression("template", start, end, parts)


def _reference(text: str) -> Scalar | Expression:
    """The value of a bare word, or of names, indexes and keys in turn."""
    if text in WORDS:
        return WORDS[text]
    if "[" not in text:
        name, *names = text.split(".")
        steps: list[str | int] = [*names]
    else:
        first, *others = _STEP.findall(text)
        name = first[0]
        steps = [int(position) if position else step or key for step, position, key in others]
    if name in _RESERVED or name in WORDS:
        raise _UnusualError
    return Expression(text, "", "reference", (), name, tuple(steps))


def _end(found: re.Match[str] | None) -> int:
    if found is None:
        raise _UnusualError
    return found.end()
