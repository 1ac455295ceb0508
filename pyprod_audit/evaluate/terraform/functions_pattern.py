"""Terraform's functions that take regular expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.encoding import MAX_TEXT
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.regex import Groups, matches, program_of, replaced, search
from pyprod_audit.evaluate.terraform.regex_syntax import Program
from pyprod_audit.evaluate.terraform.values import STRING, Invalid, ListValue, Type, Unresolved, Value


def _program(pattern: str) -> Program:
    """The compiled pattern of `regex`, whose groups all have names or none has."""
    program = program_of(pattern)
    if any(program.groups) and not all(program.groups):
        raise Invalid("only some groups of the pattern have names")
    return program


def _result(call: Call, program: Program, text: str, groups: Groups) -> Value:
    """What a match gives: the text, or that of each group."""
    if not program.groups:
        return text[groups[0] : groups[1]]
    found = [
        call.node(None if groups[at] < 0 else text[groups[at] : groups[at + 1]]) for at in range(2, len(groups), 2)
    ]
    return dict(zip(program.groups, found, strict=True)) if any(program.groups) else tuple(found)


def _regex(call: Call, pattern: str, text: str) -> Value:
    program = _program(pattern)
    groups = search(program, text, 0, call.charge)
    if groups is None:
        raise Invalid("the pattern does not match")
    return _result(call, program, text, groups)


def _regexall(call: Call, pattern: str, text: str) -> Value:
    program = _program(pattern)
    found = [_result(call, program, text, groups) for groups in matches(program, text, call.charge)]
    kind: Type = STRING
    if any(program.groups):
        kind = ("object", *sorted((name, STRING) for name in program.groups))
    elif program.groups:
        kind = ("tuple", *[STRING] * len(program.groups))
    return ListValue([call.node(value) for value in found], kind)


def _replace(call: Call, text: str, what: str, by: str) -> Value:
    if len(what) > 1 and what.startswith("/") and what.endswith("/"):
        return replaced(program_of(what[1:-1]), text, by, call.charge)
    if len(text) + (text.count(what) + 1) * len(by) > MAX_TEXT:
        raise Unresolved("the text is too long")
    return text.replace(what, by)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "regex": function(_regex, "text text"),
    "regexall": function(_regexall, "text text"),
    "replace": function(_replace, "text text text"),
}
