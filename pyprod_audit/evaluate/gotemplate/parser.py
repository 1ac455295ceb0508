"""Templates parsed: Go's grammar of text/template (parse.go of Go 1.26), with the place of every node."""

from __future__ import annotations

from collections.abc import Container, Mapping, MutableMapping
from typing import NamedTuple

from pyprod_audit.evaluate.gotemplate.lexer import Kind, Token
from pyprod_audit.evaluate.gotemplate.pipelines import PipelineParser, TemplateSyntaxError
from pyprod_audit.evaluate.gotemplate.syntax import (
    Action,
    Body,
    Branch,
    Definition,
    Invocation,
    Leave,
    Literal,
    Range,
    Statement,
)
from pyprod_audit.model import SourceFile, Span


class Parsed(NamedTuple):
    """One text parsed.

    `definitions` by name: those of `define` and `block`, and the text's own body under the name that `parse` got. When
    `problems` (message, 1-based line) are not empty, Go refuses the text, and with it the whole chart; the definitions
    that were complete before the problem are there nevertheless.
    """

    definitions: Mapping[str, Definition]
    problems: tuple[tuple[str, int], ...]


def parse(source: SourceFile, name: str, known: Container[str] | None = None) -> Parsed:
    """The templates of a file; spans point into it.

    `known`: the names of all functions, to find misspelt ones as Go does when it parses; None: not looked at.
    """
    return _parse(source, name, None, known)


def parse_text(text: str, anchor: Span, name: str, known: Container[str] | None = None) -> Parsed:
    """The templates of a text that stands in no file (`tpl`): all spans are `anchor`."""
    return _parse(SourceFile(anchor.file.path, text), name, anchor, known)


def add_definitions(templates: MutableMapping[str, Definition], parsed: Parsed) -> None:
    """Adds what a file defines as Go does: a later definition replaces an earlier one unless it is blank."""
    for name, definition in parsed.definitions.items():
        if name not in templates or not definition.blank:
            templates[name] = definition


def _parse(source: SourceFile, name: str, anchor: Span | None, known: Container[str] | None) -> Parsed:
    parser = _Parser(source, anchor, known)
    try:
        parser.file(name)
    except TemplateSyntaxError as error:
        return Parsed(parser.definitions, ((str(error), source.span(error.at, error.at).line),))
    return Parsed(parser.definitions, ())


class _Parser(PipelineParser):
    """The statements around the pipelines; `loops` counts those of `range` that are open."""

    def __init__(self, source: SourceFile, anchor: Span | None, known: Container[str] | None) -> None:
        super().__init__(source, known)
        self.anchor = anchor
        self.loops = 0
        self.definitions: dict[str, Definition] = {}

    def file(self, name: str) -> None:
        """The whole text."""
        body: list[Statement] = []
        while True:
            token = self.look()
            if token.kind is Kind.END:
                break
            if token.kind is Kind.LEFT and self._defines():
                self.define()
                continue
            statement = self.statement()
            if isinstance(statement, Token):
                raise TemplateSyntaxError(f"unexpected {{{{{statement.value}}}}}", statement.start)
            body.append(statement)
        self.add(name, tuple(body))

    def _defines(self) -> bool:
        after = self.at + 1
        while self.tokens[after].kind is Kind.SPACE:
            after += 1
        return self.tokens[after].kind is Kind.KEYWORD and self.tokens[after].value == "define"

    def define(self) -> None:
        """`define "name"` up to its end."""
        self.next()
        self.next()
        name = self.template_name("define clause")
        self.expect(Kind.RIGHT, "define clause")
        self.named(name, "define clause")

    def named(self, name: str, context: str) -> None:
        """The body of a definition and its end, which has its own variables and loops."""
        variables, loops = self.variables, self.loops
        self.variables, self.loops = ["$"], 0
        body, last = self.body()
        if last.value != "end":
            raise self.unexpected(last, context)
        self.variables, self.loops = variables, loops
        self.add(name, body)

    def add(self, name: str, body: Body) -> None:
        """Defines a template; two that are not blank may not have the same name."""
        definition = Definition(name, self.source, body, self.anchor)
        before = self.definitions.get(name)
        if before is None or before.blank:
            self.definitions[name] = definition
        elif not definition.blank:
            raise TemplateSyntaxError(f'multiple definition of template "{name}"', self.peek().start)

    def body(self) -> tuple[Body, Token]:
        """Statements up to the `end` or `else` that closes them, which is the second result."""
        self.deeper()
        found: list[Statement] = []
        while True:
            if self.look().kind is Kind.END:
                raise TemplateSyntaxError("unexpected EOF", self.peek().start)
            statement = self.statement()
            if isinstance(statement, Token):
                self.depth -= 1
                return tuple(found), statement
            found.append(statement)

    def statement(self) -> Statement | Token:
        """A piece of text or an action; the token when it is an `end` or `else`, whose delimiter is consumed.

        After `else if` and `else with` the second word is the next token.
        """
        token = self.next()
        if token.kind is Kind.TEXT:
            return Literal(token.start, token.end, token.value)
        if token.kind is not Kind.LEFT:
            raise self.unexpected(token, "input")
        word = self.look()
        if word.kind is not Kind.KEYWORD:
            pipeline = self.pipeline("command", Kind.RIGHT)
            return Action(token.start, self.closed(), pipeline)
        self.next()
        return self.control(token.start, word)

    def control(self, start: int, word: Token) -> Statement | Token:
        """The rest of an action that begins with a keyword."""
        match word.value:
            case "if" | "with" | "range":
                return self.structure(start, word.value)
            case "end":
                self.expect(Kind.RIGHT, "end")
                return word
            case "else":
                if self.look().value not in ("if", "with") or self.look().kind is not Kind.KEYWORD:
                    self.expect(Kind.RIGHT, "else")
                return word
            case "template":
                return self.invocation(start)
            case "block":
                return self.block(start)
            case "break" | "continue":
                self.expect(Kind.RIGHT, f"{{{{{word.value}}}}}")
                if not self.loops:
                    raise TemplateSyntaxError(f"{{{{{word.value}}}}} outside {{{{range}}}}", word.start)
                return Leave(start, self.closed(), word.value == "break")
        raise self.unexpected(word, "command")

    def structure(self, start: int, word: str) -> Statement:
        """`if`, `with` or `range` up to its end."""
        scope = len(self.variables)
        pipeline = self.pipeline(word, Kind.RIGHT)
        end = self.closed()
        self.loops += word == "range"
        body, last = self.body()
        self.loops -= word == "range"
        otherwise: Body = ()
        if last.value == "else":
            following = self.look()
            # `else if …` is `else` with an `if` in it that shares its end.
            if following.kind is Kind.KEYWORD and following.value == word and word != "range":
                self.next()
                self.deeper()
                otherwise = (self.structure(last.start, word),)
                self.depth -= 1
            else:
                otherwise, last = self.body()
                if last.value != "end":
                    raise TemplateSyntaxError("expected end; found {{else}}", last.start)
        del self.variables[scope:]
        if word == "range":
            return Range(start, end, pipeline, body, otherwise)
        return Branch(start, end, word == "with", pipeline, body, otherwise)

    def template_name(self, context: str) -> str:
        """The name of a template, a string."""
        token = self.next()
        if token.kind not in (Kind.STRING, Kind.RAW):
            raise self.unexpected(token, context)
        name = self.string(token)
        if name is None:
            raise TemplateSyntaxError("a name that is not UTF-8", token.start)
        return name

    def invocation(self, start: int) -> Statement:
        """The rest of `template`."""
        name = self.template_name("template clause")
        pipeline = None
        if self.look().kind is Kind.RIGHT:
            self.next()
        else:
            pipeline = self.pipeline("template clause", Kind.RIGHT)
        return Invocation(start, self.closed(), name, pipeline)

    def block(self, start: int) -> Statement:
        """The rest of `block`: a definition that is invoked where it stands."""
        name = self.template_name("block clause")
        pipeline = self.pipeline("block clause", Kind.RIGHT)
        end = self.closed()
        self.named(name, "block clause")
        return Invocation(start, end, name, pipeline)
