"""Pipelines parsed: what stands inside of an action (parse.go of Go 1.26)."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from pyprod_audit.evaluate.gotemplate.formatting import quote
from pyprod_audit.evaluate.gotemplate.lexer import Kind, Token, tokens
from pyprod_audit.evaluate.gotemplate.literals import LiteralError, number, rune, unquote
from pyprod_audit.evaluate.gotemplate.syntax import (
    Chain,
    Command,
    Constant,
    Dot,
    Field,
    Name,
    Nil,
    Numeric,
    Operand,
    Pipeline,
    Variable,
)
from pyprod_audit.model import SourceFile

MAX_DEPTH: Final = 100
"""How deep control structures and parentheses may nest. Go knows no limit for the former, and 10,000 for the latter."""

_OPERANDS: Final = frozenset(
    {
        Kind.BOOL,
        Kind.COMPLEX,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NIL,
        Kind.NUMBER,
        Kind.OPEN,
        Kind.RAW,
        Kind.RUNE,
        Kind.STRING,
        Kind.VARIABLE,
    }
)


class TemplateSyntaxError(Exception):
    """Why a text is no template, and at which offset."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class PipelineParser:
    """Recursive descent over the tokens of one text; `depth` bounds the recursion, `variables` are those in scope."""

    def __init__(self, source: SourceFile, known: Container[str] | None) -> None:
        self.source = source
        self.known = known
        self.tokens = tokens(source.text)
        self.at = 0
        self.depth = 0
        self.variables = ["$"]

    # -- tokens ------------------------------------------------------------------------------------------------

    def peek(self) -> Token:
        """The next token, which may be a space."""
        return self.tokens[self.at]

    def next(self) -> Token:
        """The next token that is no space, consumed; the end and an error are never passed."""
        token = self.look()
        if token.kind is not Kind.END and token.kind is not Kind.ERROR:
            self.at += 1
        return token

    def look(self) -> Token:
        """The next token that is no space; the spaces before it are consumed."""
        while self.tokens[self.at].kind is Kind.SPACE:
            self.at += 1
        return self.tokens[self.at]

    def expect(self, kind: Kind, context: str) -> Token:
        """The next token that is no space, which must be of this kind."""
        token = self.next()
        if token.kind is not kind:
            raise self.unexpected(token, context)
        return token

    def unexpected(self, token: Token, context: str) -> TemplateSyntaxError:
        """The error for a token that cannot stand where it does."""
        if token.kind is Kind.ERROR:
            return TemplateSyntaxError(token.value, token.start)
        if token.kind is Kind.END:
            return TemplateSyntaxError(
                "unexpected EOF" if context == "input" else f"unexpected EOF in {context}", token.start
            )
        shown = f"<{token.value}>" if token.kind in (Kind.KEYWORD, Kind.NIL, Kind.DOT) else quote(token.value[:40])
        return TemplateSyntaxError(f"unexpected {shown} in {context}", token.start)

    def closed(self) -> int:
        """The end of the token that was just consumed."""
        return self.tokens[self.at - 1].end

    def deeper(self) -> None:
        """One level deeper; whoever calls it takes the level back."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TemplateSyntaxError(f"nested deeper than {MAX_DEPTH} levels", self.tokens[self.at].start)

    # -- pipelines ---------------------------------------------------------------------------------------------

    def pipeline(self, context: str, end: Kind) -> Pipeline:
        """A pipeline and the token that ends it."""
        start = self.look().start
        variables, assigns = self.declarations(context)
        commands: list[Command] = []
        while True:
            token = self.look()
            if token.kind is end:
                self.next()
                break
            if token.kind not in _OPERANDS:
                raise self.unexpected(token, context)
            commands.append(self.command())
        if not commands:
            raise TemplateSyntaxError(f"missing value for {context}", token.start)
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.operands[0], (Constant, Dot, Nil, Numeric)):
                raise TemplateSyntaxError(f"non executable command in pipeline stage {stage}", command.start)
        return Pipeline(start, commands[-1].end, tuple(variables), assigns, tuple(commands))

    def declarations(self, context: str) -> tuple[list[str], bool]:
        """The variables before `:=` or `=`, and whether it is `=`."""
        found: list[str] = []
        while True:
            token = self.look()
            if token.kind is not Kind.VARIABLE:
                return found, False
            before = self.at
            self.next()
            following = self.look()
            if following.kind in (Kind.ASSIGN, Kind.DECLARE):
                self.next()
                found.append(token.value)
                self.variables.append(token.value)
                return found, following.kind is Kind.ASSIGN
            if following.kind is not Kind.CHAR or following.value != ",":
                self.at = before
                return found, False
            self.next()
            found.append(token.value)
            self.variables.append(token.value)
            if context != "range" or len(found) > 1:
                raise TemplateSyntaxError(f"too many declarations in {context}", following.start)
            if self.look().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.CLOSE):
                raise TemplateSyntaxError("range can only initialize variables", following.start)

    def command(self) -> Command:
        """Operands up to a pipe, which is consumed, or to what ends the pipeline, which is not."""
        start = self.look().start
        operands: list[Operand] = []
        while True:
            self.look()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.peek()
            if token.kind is Kind.SPACE:
                self.at += 1
                continue
            if token.kind is Kind.PIPE:
                self.at += 1
            elif token.kind not in (Kind.RIGHT, Kind.CLOSE):
                raise self.unexpected(token, "operand")
            break
        if not operands:
            raise TemplateSyntaxError("empty command", start)
        return Command(start, operands[-1].end, tuple(operands))

    def operand(self) -> Operand | None:
        """A term and the fields after it; None when the next token begins none."""
        term = self.term()
        if term is None or self.peek().kind is not Kind.FIELD:
            return term
        names: list[str] = []
        while self.peek().kind is Kind.FIELD:
            names.append(self.peek().value[1:])
            self.at += 1
        end = self.closed()
        if isinstance(term, Field):
            return Field(term.start, end, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(term.start, end, term.name, tuple(names))
        if isinstance(term, (Constant, Dot, Nil, Numeric)):
            shown = quote(self.source.text[term.start : term.end])
            raise TemplateSyntaxError(f"unexpected . after term {shown}", term.start)
        return Chain(term.start, end, term, tuple(names))

    def term(self) -> Operand | None:
        """What stands alone: a constant, a name, a variable, a field, a pipeline in parentheses."""
        token = self.look()
        if token.kind not in _OPERANDS:
            return None
        self.at += 1
        start, end = token.start, token.end
        match token.kind:
            case Kind.FIELD:
                return Field(start, end, (token.value[1:],))
            case Kind.IDENTIFIER:
                if self.known is not None and token.value not in self.known:
                    raise TemplateSyntaxError(f'function "{token.value}" not defined', start)
                return Name(start, end, token.value)
            case Kind.VARIABLE:
                if token.value not in self.variables:
                    raise TemplateSyntaxError(f'undefined variable "{token.value}"', start)
                return Variable(start, end, token.value, ())
            case Kind.DOT:
                return Dot(start, end)
            case Kind.NIL:
                return Nil(start, end)
            case Kind.OPEN:
                self.deeper()
                inner = self.pipeline("parenthesized pipeline", Kind.CLOSE)
                self.depth -= 1
                return inner._replace(start=start, end=self.closed())
        return self.constant(token)

    def constant(self, token: Token) -> Operand:
        """A boolean, a string, a character or a number."""
        start, end = token.start, token.end
        try:
            match token.kind:
                case Kind.BOOL:
                    return Constant(start, end, token.value == "true", token.value)
                case Kind.STRING | Kind.RAW:
                    return Constant(start, end, self.string(token), token.value)
                case Kind.RUNE:
                    return Numeric(start, end, rune(token.value))
                case _:
                    return Numeric(start, end, number(token.value))
        except LiteralError as error:
            raise TemplateSyntaxError(str(error), start) from None

    def string(self, token: Token) -> str | None:
        """The value of a string token."""
        try:
            return unquote(token.value)
        except LiteralError as error:
            raise TemplateSyntaxError(str(error), token.start) from None
