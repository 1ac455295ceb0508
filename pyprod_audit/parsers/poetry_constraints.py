"""Poetry's version constraints as PEP 440 specifiers.

Source: https://python-poetry.org/docs/dependency-specification/ (caret, tilde, wildcard and exact requirements).
"""

from __future__ import annotations

from pyprod_audit.model.patterns import lazy

_RELEASE = lazy(r"[vV]?([0-9]{1,9}(?:\.[0-9]{1,9}){0,5})((?:[.-]?[A-Za-z]+[.-]?[0-9]{0,9}){0,3})")
_WILDCARD = lazy(r"(==|!=)?\s*[vV]?([0-9]{1,9}(?:\.[0-9]{1,9}){0,4})\.[*x]")
_COMPARISON = lazy(r"(===|==|~=|!=|<=|>=|<|>|=)\s*([A-Za-z0-9][A-Za-z0-9.*+!_-]*)")
_BLANKS = lazy(r"(?<=[0-9A-Za-z*])[ \t]+(?=[\^~<>=!])")
_AFTER_OPERATOR = lazy(r"(?<=[\^~<>=])[ \t]+")


def pep440(constraint: str) -> str | None:
    """The specifier that means the same (`^1.2` → `>=1.2,<2.0`), or None when there is none, as for `||`.

    `*` is the empty specifier: any version.
    """
    if "|" in constraint:
        return None
    joined = _BLANKS.sub(",", _AFTER_OPERATOR.sub("", constraint.strip()))
    clauses: list[str] = []
    for part in joined.split(","):
        clause = _clause(part.strip())
        if clause is None:
            return None
        if clause:
            clauses.append(clause)
    return ",".join(clauses)


def _clause(text: str) -> str | None:
    if text in ("", "*"):
        return ""
    wildcard = _WILDCARD.fullmatch(text)
    if wildcard:
        return f"{wildcard[1] or '=='}{wildcard[2]}.*"
    compared = _COMPARISON.fullmatch(text)
    if compared:
        return f"{'==' if compared[1] == '=' else compared[1]}{compared[2]}"
    operator = text[0] if text[0] in "^~" else ""
    release = _RELEASE.fullmatch(text.removeprefix(operator).strip())
    if not release:
        return None
    version = release[1] + release[2]
    if not operator:
        return f"=={version}"
    parts = [int(part) for part in release[1].split(".")]
    return f">={version},<{_upper(parts, operator)}"


def _upper(parts: list[int], operator: str) -> str:
    """The first version that the caret or tilde no longer allows."""
    if operator == "~":
        index = min(len(parts), 2) - 1
    else:
        index = next((position for position, part in enumerate(parts) if part), len(parts) - 1)
    bumped = [*parts[:index], parts[index] + 1]
    return ".".join(map(str, bumped + [0] * (min(len(parts), 3) - len(bumped))))
