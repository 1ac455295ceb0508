"""Terraform's functions that take regular expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from pyprod_audit.evaluate.re2 import Captures, Charge, InvalidPatternError, Regex, Unsupported, compile_pattern
from pyprod_audit.evaluate.terraform.encoding import MAX_TEXT
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.values import STRING, Invalid, ListValue, Type, Unresolved, Value

_T = TypeVar("_T")
_STEPS_PER_COST: Final = 16


def _supported(run: Callable[[], _T]) -> _T:
    """What `run` gives. Raises Invalid for a pattern that is none, Unresolved for what cannot be followed."""
    try:
        return run()
    except InvalidPatternError as error:
        raise Invalid(f"the pattern is not valid: {error}") from error
    except Unsupported as reason:
        raise Unresolved(str(reason)) from reason


def _charge(call: Call) -> Charge:
    return lambda steps: call.charge(steps // _STEPS_PER_COST + 1)


def _with_names(pattern: str) -> Regex:
    """The compiled pattern of `regex`, whose groups all have names or none has."""
    regex = _supported(lambda: compile_pattern(pattern))
    if any(regex.groups) and not all(regex.groups):
        raise Invalid("only some groups of the pattern have names")
    return regex


def _result(call: Call, regex: Regex, text: str, found: Captures) -> Value:
    """What a match gives: the text, or that of each group."""
    if not regex.groups:
        return text[found[0] : found[1]]
    parts = [call.node(None if found[at] < 0 else text[found[at] : found[at + 1]]) for at in range(2, len(found), 2)]
    return dict(zip(regex.groups, parts, strict=True)) if any(regex.groups) else tuple(parts)


def _regex(call: Call, pattern: str, text: str) -> Value:
    regex = _with_names(pattern)
    found = _supported(lambda: regex.search(text, 0, _charge(call)))
    if found is None:
        raise Invalid("the pattern does not match")
    return _result(call, regex, text, found)


def _regexall(call: Call, pattern: str, text: str) -> Value:
    regex = _with_names(pattern)
    matches = regex.matches(text, charge=_charge(call))
    found = _supported(lambda: [_result(call, regex, text, captures) for captures in matches])
    kind: Type = STRING
    if any(regex.groups):
        kind = ("object", *sorted((name, STRING) for name in set(regex.groups)))
    elif regex.groups:
        kind = ("tuple", *[STRING] * len(regex.groups))
    return ListValue([call.node(value) for value in found], kind)


def _replace(call: Call, text: str, what: str, by: str) -> Value:
    if len(what) > 1 and what.startswith("/") and what.endswith("/"):
        pattern = what[1:-1]
        return _supported(lambda: compile_pattern(pattern).replace(text, by, most=MAX_TEXT, charge=_charge(call)))
    if len(text) + (text.count(what) + 1) * len(by) > MAX_TEXT:
        raise Unresolved("the text is too long")
    return text.replace(what, by)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "regex": function(_regex, "text text"),
    "regexall": function(_regexall, "text text"),
    "replace": function(_replace, "text text text"),
}
