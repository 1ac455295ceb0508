"""The assertion vocabulary of YAML rules, compiled to closures.

Three outcomes: True holds, False is a finding, None cannot be decided (an Unknown value takes part). Every verdict
carries the place it is about and the value found there. docs/writing-rules.md describes the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from pyprod_audit.model import MISSING, Missing, Node, Scalar, Span, Unknown
from pyprod_audit.model.units import measure

COMBINATORS = ("all", "any", "not", "each", "some")
_LONGEST_MATCHED = 4096  # characters a pattern is tried on: files are hostile


class Verdict(NamedTuple):
    """What a test says of one node. `value` is the scalar found, for messages; `because` explains a None."""

    outcome: bool | None
    at: Span
    value: Scalar = None
    because: str = ""


Test: TypeAlias = Callable[[Node], Verdict]
Predicate: TypeAlias = Callable[[Any], bool]


class VocabularyError(ValueError):
    """A rule says something that the vocabulary does not know."""


def _same(got: object, want: object) -> bool:
    """Equality that keeps booleans and numbers apart."""
    return got == want and isinstance(got, bool) == isinstance(want, bool)


def _members(got: object) -> list[object]:
    return [item.value for item in got] if isinstance(got, tuple) else [got]


def _equals(want: Any) -> Predicate:
    return lambda got: _same(got, want)


def _not_equals(want: Any) -> Predicate:
    return lambda got: not _same(got, want)


def _in(want: Any) -> Predicate:
    return lambda got: any(_same(got, one) for one in want)


def _not_in(want: Any) -> Predicate:
    return lambda got: not any(_same(got, one) for one in want)


def _contains(want: Any) -> Predicate:
    def holds(got: Any) -> bool:
        if isinstance(got, str):
            return str(want) in got
        if isinstance(got, dict):
            return want in got
        return any(_same(member, want) for member in _members(got))

    return holds


def _matches(want: Any) -> Predicate:
    pattern = re.compile(str(want))
    return lambda got: isinstance(got, (str, int, float)) and bool(pattern.search(str(got)[:_LONGEST_MATCHED]))


def _at_least(want: Any) -> Predicate:
    bound = measure(want)
    return lambda got: measure(got) >= bound


def _at_most(want: Any) -> Predicate:
    bound = measure(want)
    return lambda got: measure(got) <= bound


def _empty(want: Any) -> Predicate:
    return lambda got: (got is None or got == "" or got in ((), {})) is bool(want)


OPERATORS: Mapping[str, Callable[[Any], Predicate]] = {
    "equals": _equals,
    "not_equals": _not_equals,
    "in": _in,
    "not_in": _not_in,
    "contains": _contains,
    "matches": _matches,
    "at_least": _at_least,
    "at_most": _at_most,
    "empty": _empty,
}
_UNSET = object()


def compile_test(spec: Mapping[str, Any]) -> Test:
    """The test that `spec` (an `expect:` or `when:` of a rule) describes. Raises VocabularyError."""
    if not isinstance(spec, Mapping):
        raise VocabularyError(f"expected a mapping, found {spec!r}")
    words = [word for word in COMBINATORS if word in spec]
    if len(words) > 1:
        raise VocabularyError(f"{' and '.join(words)} cannot stand side by side")
    if not words:
        return _compile_assertion(spec)
    word = words[0]
    allowed = {word, "of"} if word in ("each", "some") else {word}
    if set(spec) != allowed:
        raise VocabularyError(f"{word!r} goes with exactly {sorted(allowed)}, found {sorted(spec)}")
    if word == "not":
        return _negate(compile_test(spec["not"]))
    if word in ("all", "any"):
        if not isinstance(spec[word], list) or not spec[word]:
            raise VocabularyError(f"{word!r} takes a list of tests")
        return _combine([compile_test(one) for one in spec[word]], decisive=word == "any")
    return _quantify(_path(spec[word]), compile_test(spec["of"]), decisive=word == "some")


def _path(path: Any) -> tuple[str, ...]:
    if isinstance(path, list):
        return tuple(str(part) for part in path)
    if not isinstance(path, str):
        raise VocabularyError(f"a path is dotted text or a list of keys, found {path!r}")
    return tuple(path.split(".")) if path else ()


def _compile_assertion(spec: Mapping[str, Any]) -> Test:
    words = [word for word in spec if word not in ("path", "default")]
    if "path" not in spec or len(words) != 1:
        raise VocabularyError(f"a test has a path and one assertion, found {sorted(spec)}")
    path, word = _path(spec["path"]), words[0]
    if word == "exists":
        if "default" in spec:
            raise VocabularyError("'exists' and 'default' contradict each other")
        test = _exists(bool(spec["exists"]))
    elif word in OPERATORS:
        try:
            test = _compare(OPERATORS[word](spec[word]), spec.get("default", _UNSET))
        except (ValueError, TypeError, re.error) as error:
            raise VocabularyError(f"{word}: {error}") from error
    else:
        raise VocabularyError(f"unknown assertion {word!r}; known: exists, {', '.join(OPERATORS)}")
    if "*" in path:
        return _quantify(path, lambda node: test(node, node.anchor), decisive=False)

    def run(node: Node) -> Verdict:
        found, at = node.find(path)
        return test(found, at)

    return run


def _combine(tests: list[Test], *, decisive: bool) -> Test:
    """`all` is decided by the first False, `any` by the first True; None beats the rest."""

    def run(node: Node) -> Verdict:
        open_verdict = chosen = None
        for test in tests:
            verdict = test(node)
            if verdict.outcome is decisive:
                return verdict
            if verdict.outcome is None:
                open_verdict = open_verdict or verdict
            elif chosen is None or (chosen.value is None and verdict.value is not None):
                chosen = verdict  # a value that is there tells more than a place where one is missing
        found = open_verdict or chosen
        if found is None:
            raise VocabularyError("a combinator without tests")
        return found

    return run


def _negate(test: Test) -> Test:
    def run(node: Node) -> Verdict:
        verdict = test(node)
        return verdict if verdict.outcome is None else verdict._replace(outcome=not verdict.outcome)

    return run


def _expand(node: Node, path: tuple[str, ...]) -> Iterator[tuple[Node | Missing, Span]]:
    """The nodes at a path in which `*` stands for every member of a list or mapping."""
    if "*" not in path:
        yield node.find(path)
        return
    at = path.index("*")
    found, place = node.find(path[:at])
    if isinstance(found, Missing):
        return
    if found.is_unknown:
        yield found, place
        return
    for member in found.items or tuple(found.mapping.values()):
        yield from _expand(member, path[at + 1 :])


def _quantify(path: tuple[str, ...], test: Test, *, decisive: bool) -> Test:
    """`each` is decided by the first member that fails, `some` by the first that holds. No member: each holds."""
    members = path if "*" in path else (*path, "*")

    def run(node: Node) -> Verdict:
        open_verdict: Verdict | None = None
        for found, place in _expand(node, members):
            if isinstance(found, Missing):
                continue
            verdict = _undecided(found, place) if found.is_unknown else test(found)
            if verdict.outcome is decisive:
                return verdict
            if verdict.outcome is None:
                open_verdict = open_verdict or verdict
        steps = path[: path.index("*")] if "*" in path else path
        return open_verdict or Verdict(not decisive, node.find(steps)[1])

    return run


def _undecided(node: Node, at: Span) -> Verdict:
    unknown = node.value
    because = (unknown.because or f"{unknown.expression} is not known") if isinstance(unknown, Unknown) else ""
    return Verdict(None, at, None, because)


def _exists(want: bool) -> Callable[[Node | Missing, Span], Verdict]:
    def run(found: Node | Missing, at: Span) -> Verdict:
        if isinstance(found, Missing):
            return Verdict(not want, at)
        if found.is_unknown:
            return _undecided(found, at)
        return Verdict((found.value is not None) == want, at, found.scalar)

    return run


def _compare(holds: Predicate, default: Any) -> Callable[[Node | Missing, Span], Verdict]:
    def run(found: Node | Missing, at: Span) -> Verdict:
        if isinstance(found, Missing):
            return Verdict(default is not _UNSET and holds(default), at, None if default is _UNSET else default)
        if found.is_unknown:
            return _undecided(found, at)
        try:
            return Verdict(holds(found.value), at, found.scalar)
        except ValueError as error:  # a quantity that is none: the technology's own schema complains, not this rule
            return Verdict(None, at, found.scalar, str(error))

    return run


__all__ = ["COMBINATORS", "MISSING", "OPERATORS", "Test", "Verdict", "VocabularyError", "compile_test"]
