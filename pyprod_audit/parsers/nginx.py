"""nginx configuration files: directives and blocks with exact places, of files that need not be valid.

A brace that is missing is noticed where a block opens that cannot stand inside the one that is open; the rest of the
file is then read as if the brace were there.
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.resource import Parsed, Problem, Resource
from pyprod_audit.model.source import SourceFile
from pyprod_audit.parsers.nginx_directives import (
    DATA_BLOCKS,
    DISTINCTIVE,
    LUA_SUFFIX,
    NAMED_BLOCKS,
    PARENTS,
    TAKE_ANY_WORDS,
)
from pyprod_audit.parsers.nginx_sniff import looks_like_nginx
from pyprod_audit.parsers.nginx_templates import filled_in, inserts_text, masked
from pyprod_audit.parsers.nginx_tokens import (
    BROKEN_QUOTE,
    PUNCTUATION,
    QUOTED,
    STATEMENT,
    STATEMENT_MARK,
    TOKEN,
    VALUE_MARK,
    end_of_lua,
    unescape,
)

__all__ = ["MAX_DEPTH", "looks_like_nginx", "parse", "parse_range"]

MAX_DEPTH: Final = 100
_MAX_PROBLEMS = 20
_REST_OF_LINE = lazy(r"[ \t]*+(?:\r?\n|#|\Z)")
_BECAUSE = "filled in before nginx reads it"


def parse(source: SourceFile) -> Parsed:
    """One `nginx.config` resource with the file's directives; what is malformed is a problem with its line."""
    node, problems = parse_range(source, 0, len(source.text))
    return Parsed([Resource("nginx.config", source.path, node)], problems, partial=bool(problems))


def parse_range(
    source: SourceFile, start: int, end: int, *, name: str = "", indentation: str = ""
) -> tuple[Node, list[Problem]]:
    """The node of a configuration that is a range of a file, and what is malformed.

    Args:
        source: the file; of another format when the configuration stands in it as text.
        start: where the configuration begins.
        end: where it ends.
        name: of the configuration, which tells templates from others; that of the file when empty.
        indentation: what stands before every line and is no part of the configuration.
    """
    reader = _Reader(source, start, end, name or source.path, indentation)
    reader.read(start)
    directives = Node(tuple(reader.top.items), source, start, end)
    return Node({"directives": directives}, source, start, end), reader.problems


class _Block:
    """A block that is still open: its opening words and what it holds so far."""

    __slots__ = ("items", "name", "start", "words")

    def __init__(self, words: list[Node], start: int) -> None:
        self.words = words
        self.start = start
        self.items: list[Node] = []
        self.name = words[0].text if words else ""


class _Reader:
    """The state of reading one configuration; `text` is that of the file up to its end, templates masked."""

    def __init__(self, source: SourceFile, start: int, end: int, name: str, indentation: str) -> None:
        self.source = source
        self.name = name
        written = source.text[start:end]
        self.text = masked(name, written)
        self.templated = self.text is not written
        if start:
            self.text = " " * start + self.text
        self.line_start = f"\n{indentation}" if indentation else ""
        self.problems: list[Problem] = []
        self.top = _Block([], 0)
        self.stack: list[_Block] = []
        self.items = self.top.items
        self.dropped = 0
        self.marks: list[int] = []

    def read(self, at: int) -> None:
        """Read everything from `at` on."""
        text, source, match = self.text, self.source, TOKEN.match
        words: list[Node] = []
        while token := match(text, at):
            group = token.lastindex
            start, at = token.start(group or 0), token.end()
            if group == PUNCTUATION:
                at = self._punctuation(text[start], start, words)
                if words:
                    words = []
            elif group == STATEMENT:
                self._statement(start, at, words)
            else:
                raw = text[start:at]
                if group == QUOTED:
                    value = raw[1:-1]
                elif group == BROKEN_QUOTE:
                    at = self._end_of_broken_quote(start)
                    raw = text[start:at]
                    value = raw[1:-1] if len(raw) > 1 and raw[-1] == raw[0] else raw[1:]
                else:
                    value = raw
                    if words and value in DISTINCTIVE and self._forgotten_semicolon(words, start):
                        self._finish(words, words[-1].end)
                        words = []
                if self.line_start and "\n" in value:
                    value = value.replace(self.line_start, "\n")
                node = Node(unescape(value) if "\\" in value else value, source, start, at)
                if self.templated or "$" in value:
                    self._template(node, raw)
                    if not words and node.is_unknown and _REST_OF_LINE.match(text, at):
                        self._finish([node], at)  # text put in by a template, on a line of its own
                        continue
                words.append(node)
        self._end(words)

    # -- tokens --------------------------------------------------------------------------------------------

    def _punctuation(self, character: str, start: int, words: list[Node]) -> int:
        """Take `;`, `{` or `}`. Returns where to read on."""
        end = start + 1
        if character == ";":
            if words:
                self._finish(words, end)
            elif not self.templated:
                self._problem("unexpected ';'", start)
        elif character == "{":
            return self._open(words, end)
        else:
            if words:
                self._problem(f"{_name(words)} does not end with ';'", words[0].start)
                self._finish(words, words[-1].end)
            self._close(start, end)
        return end

    def _statement(self, start: int, end: int, words: list[Node]) -> None:
        """Take a template statement: it makes arguments unknown; between directives it counts when it inserts some."""
        expression = self.source.text[start:end]
        if words:
            self.marks.append(len(words))
            words.append(Node(Unknown(expression, _BECAUSE), self.source, start, end))
        elif inserts_text(expression):
            self._finish([Node(Unknown(expression, _BECAUSE), self.source, start, end)], end)

    def _template(self, node: Node, raw: str) -> None:
        """Make a word unknown when a template fills it in."""
        if self.templated and (VALUE_MARK in raw or STATEMENT_MARK in raw):
            node.value = Unknown(self.source.text[node.start : node.end], _BECAUSE)
        elif "$" in raw and (expression := filled_in(self.name, raw)):
            node.value = Unknown(raw, f"{expression} is {_BECAUSE}")

    def _end_of_broken_quote(self, start: int) -> int:
        """Where a quoted word ends that has no closing quote, or has something glued to it."""
        text = self.text
        quote = text[start]
        line_end = text.find("\n", start)
        line_end = len(text) if line_end < 0 else line_end
        closing = text.find(quote, start + 1, line_end)
        while closing > 0 and text[closing - 1] == "\\":
            closing = text.find(quote, closing + 1, line_end)
        if closing > 0:
            self._problem(f"something follows the closing {quote} without a space", closing)
            return closing + 1
        self._problem(f"the {quote} is never closed", start)
        written = text[start:line_end].rstrip()
        if written.endswith("{"):
            written = written[:-1].rstrip()
        return start + max(len(written.rstrip(";")), 1)

    def _forgotten_semicolon(self, words: list[Node], start: int) -> bool:
        """Whether the directive name at `start` begins a new directive, although the one before it was not ended.

        It begins a line then, and nginx would refuse to take it for a word of the directive before.
        """
        inside = self.stack[-1].name if self.stack else ""
        if inside in DATA_BLOCKS or "\n" not in self.text[words[-1].end : start]:
            return False
        self._problem(f"{_name(words)} does not end with ';'", words[0].start)
        return words[0].value not in TAKE_ANY_WORDS

    # -- structure -----------------------------------------------------------------------------------------

    def _finish(self, words: list[Node], end: int) -> None:
        if not self.dropped:
            self.items.append(self._directive(words, end))
        self.marks.clear()

    def _directive(self, words: list[Node], end: int, block: Node | None = None) -> Node:
        source, name = self.source, words[0]
        args = words[1:]
        if self.marks and args:
            first, last = max(self.marks[0], 1), self.marks[-1]
            start, stop = words[first].start, words[last].end
            unknown = Node(Unknown(source.text[start:stop], _BECAUSE), source, start, stop)
            args = [*words[1:first], unknown, *words[last + 1 :]]
        self.marks.clear()
        if block is not None and name.value == "if":
            args = _without_parentheses(args)
        start, stop = (args[0].start, args[-1].end) if args else (name.end, name.end)
        value = {"name": name, "args": Node(tuple(args), source, start, stop, name.start, name.end)}
        if block is not None:
            value["block"] = block
        return Node(value, source, name.start, end, name.start, name.end)

    def _open(self, words: list[Node], end: int) -> int:
        """Open a block behind the brace that ends at `end`. Returns where to read on."""
        name = words[0].text if words else None
        if name is not None and name.endswith(LUA_SUFFIX):
            return self._lua(words, end)
        if self.dropped or len(self.stack) >= MAX_DEPTH:
            if not self.dropped:
                self._problem(f"blocks are nested deeper than {MAX_DEPTH}", end - 1)
            self.dropped += 1
            self.marks.clear()
            return end
        if not words and not self.templated:
            self._problem("unexpected '{'", end - 1)
        if name in PARENTS:
            self._close_wrong_parents(name, words)
        block = _Block(words, end)
        if self.marks:  # what a template says in the opening words is settled now
            opened = self._directive(words, end)
            block.words = [opened.mapping["name"], *opened.mapping["args"].items]
        self.stack.append(block)
        self.items = block.items
        return end

    def _lua(self, words: list[Node], start: int) -> int:
        """Take Lua code up to its brace as the last argument."""
        end = end_of_lua(self.source.text, start)
        if not 0 <= end < len(self.text):
            self._problem(f"{_name(words)} is never closed", words[0].start)
            end = len(self.text)
        code = self.source.text[start:end]
        if self.line_start:
            code = code.replace(self.line_start, "\n")
        words.append(Node(code, self.source, start, end))
        after = min(end + 1, len(self.text))
        self._finish(words, after)
        return after

    def _close(self, start: int, end: int) -> None:
        """Close the innermost block at a brace."""
        if self.dropped:
            self.dropped -= 1
        elif self.stack:
            self._pop(start, end)
        else:
            self._problem("unexpected '}': no block is open", start)

    def _pop(self, start: int, end: int) -> None:
        block = self.stack.pop()
        self.items = self.stack[-1].items if self.stack else self.top.items
        if block.words:
            content = Node(tuple(block.items), self.source, block.start, max(start, block.start))
            self.items.append(self._directive(block.words, end, content))
        else:
            self.items.extend(block.items)

    def _close_wrong_parents(self, name: str, words: list[Node]) -> None:
        """Close the blocks in which the block `name` cannot stand: their closing brace is missing."""
        allowed, start = PARENTS[name], words[0].start
        while self.stack:
            parent = self.stack[-1]
            if parent.name is None or (parent.name in allowed and not _is_outside(words, parent)):
                return
            if parent.name not in NAMED_BLOCKS and parent.name not in DATA_BLOCKS and parent.name != "if":
                return  # a block of a module that we do not know
            self._problem(f"the block {_name(parent.words)} is not closed before {_name(words)}", parent.words[0].start)
            self._pop(start, start)

    def _end(self, words: list[Node]) -> None:
        """Settle what is open at the end of the file."""
        end = len(self.text)
        if words:
            self._problem(f"{_name(words)} does not end with ';'", words[0].start)
            self._finish(words, words[-1].end)
        while self.stack:
            block = self.stack[-1]
            if block.words:
                self._problem(f"the block {_name(block.words)} is never closed", block.words[0].start)
            self._pop(end, end)

    def _problem(self, message: str, offset: int) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            line = self.source.span(offset, offset).line
            self.problems.append(Problem("parse", self.source.path, f"nginx: {message}", line))


def _name(words: list[Node]) -> str:
    """A directive in a message: `server`, `location /api`."""
    shown = " ".join(word.source.text[word.start : word.end] for word in words[:3])
    return f"'{shown[:60]}'"


def _without_parentheses(args: list[Node]) -> list[Node]:
    """The arguments of `if` without the parentheses around the condition."""
    args = list(args)
    if args and (first := args[0]).text is not None and first.text.startswith("("):
        args[0] = Node(first.text[1:], first.source, first.start + 1, first.end)
        if not args[0].value:
            del args[0]
    if args and (last := args[-1]).text is not None and last.text.endswith(")"):
        args[-1] = Node(last.text[:-1], last.source, last.start, last.end - 1)
        if not args[-1].value:
            del args[-1]
    return args


def _is_outside(words: list[Node], parent: _Block) -> bool:
    """Whether a location cannot be nested in `parent`, by the tests of `ngx_http_core_location`."""
    if words[0].value != "location" or parent.name != "location":
        return False
    inner, outer = _prefix(words), _prefix(parent.words)
    if inner is None or outer is None:
        return False
    return inner.startswith("@") or outer.startswith(("@", "=")) or not inner.removeprefix("=").startswith(outer)


def _prefix(words: list[Node]) -> str | None:
    """The prefix of a location (with a leading `=` when exact); None for regular expressions and unknown ones."""
    args = [word.text for word in words[1:]]
    if None in args or not 1 <= len(args) <= 2:
        return None
    modifier, prefix = args if len(args) == 2 else ("", args[0])
    if modifier not in ("", "=", "^~") or prefix is None or prefix.startswith("~"):
        return None
    return f"={prefix}" if modifier == "=" else prefix
