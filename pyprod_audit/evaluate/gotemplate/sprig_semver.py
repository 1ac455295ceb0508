"""Sprig's functions for versions: Masterminds/semver 3.4.0."""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.go_numbers import parse_uint
from pyprod_audit.evaluate.gotemplate.sprig_types import STRING, Object, Uint64, unknown_methods
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.evaluate.gotemplate.values import TemplateError, Value
from pyprod_audit.model import Unknown
from pyprod_audit.model.patterns import lazy

_TAIL: Final = r"(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?"
_VERSION = lazy(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_TAIL}")
# The characters of a number in a constraint are a class in which "|" stands for itself, but "||" has split it before.
_NUMBER: Final = r"[0-9|xX*]+"
_CONSTRAINT_VERSION: Final = (
    rf"v?({_NUMBER})(\.{_NUMBER})?(\.{_NUMBER})?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_OPERATOR: Final = r"=>|=<|=|!=|>=|>|<=|<|~>|~|\^|"
_CONSTRAINT = lazy(rf"({_OPERATOR})[ \t\n\f\r]*({_CONSTRAINT_VERSION})")
_RANGE = lazy(rf"[ \t\n\f\r]*({_CONSTRAINT_VERSION})[ \t\n\f\r]+-[ \t\n\f\r]+({_CONSTRAINT_VERSION})[ \t\n\f\r]*")
_SPACE: Final = " \t\n\f\r"
_LONGEST: Final = 1_000


class Version(NamedTuple):
    """A version; `pre` is the pre-release, `metadata` the build, `original` how it was written."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    metadata: str = ""
    original: str = ""

    def __str__(self) -> str:
        pre = f"-{self.pre}" if self.pre else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}{f'+{self.metadata}' if self.metadata else ''}"


def parse(text: str) -> Version:
    """A version, also with fewer than three numbers. Raises `TemplateError` as the real one returns an error."""
    found = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or text.endswith("\n"):
        raise TemplateError("invalid semantic version")
    numbers = [parse_uint(part or "0") for part in found.groups()[:3]]
    pre, metadata = found[4] or "", found[5] or ""
    for number in numbers:
        if number is None:
            raise TemplateError("error parsing version segment: value out of range")
    for part in pre.split(".") if pre else ():
        if not part:
            raise TemplateError("invalid semantic version")
        if part.isdigit() and len(part) > 1 and part[0] == "0":
            raise TemplateError("version segment starts with 0")
    if metadata and "" in metadata.split("."):
        raise TemplateError("invalid semantic version")
    major, minor, patch = (number or 0 for number in numbers)
    return Version(major, minor, patch, pre, metadata, text)


def compare(one: Version, other: Version) -> int:
    """-1, 0 or 1; builds do not count, and a pre-release stands before its release."""
    if one[:3] != other[:3]:
        return -1 if one[:3] < other[:3] else 1
    if one.pre == other.pre:
        return 0
    if not one.pre or not other.pre:
        return 1 if not one.pre else -1
    return _compare_pre(one.pre, other.pre)


def _compare_pre(one: str, other: str) -> int:
    first, second = one.split("."), other.split(".")
    for at in range(max(len(first), len(second))):
        left = first[at] if at < len(first) else ""
        right = second[at] if at < len(second) else ""
        if left != right:
            return _compare_part(left, right)
    return 0


def _compare_part(left: str, right: str) -> int:
    if not left or not right:
        return -1 if not left else 1
    one, other = parse_uint(left), parse_uint(right)
    if one is not None and other is not None:
        return 1 if one > other else -1
    if one is None and other is None:
        return 1 if left > right else -1
    return 1 if one is None else -1


class _Constraint(NamedTuple):
    """One constraint; the flags say which numbers are left open: all, all but the major one, only the patch."""

    operator: str
    version: Version
    dirty: bool
    minor_dirty: bool
    patch_dirty: bool


def _constraint(operator: str, version: str, parts: tuple[str | None, ...]) -> _Constraint:
    major, minor, patch = (part.removeprefix(".") if part else "" for part in parts[:3])
    pre = f"-{parts[3]}" if parts[3] else ""
    minor_dirty = patch_dirty = False
    if _is_open(major):
        text = f"0.0.0{pre}"
    elif _is_open(minor):
        text, minor_dirty = f"{major}.0.0{pre}", True
    elif _is_open(patch):
        text, patch_dirty = f"{major}.{minor}.0{pre}", True
    else:
        text = version
    dirty = _is_open(major) or minor_dirty or patch_dirty
    try:
        parsed = parse(text)
    except TemplateError as error:
        raise TemplateError("constraint parser error") from error
    return _Constraint(operator, parsed, dirty, minor_dirty, patch_dirty)


def _is_open(number: str) -> bool:
    return number in ("", "x", "X", "*")


def _parse_all(text: str) -> list[list[_Constraint]]:
    """The alternatives of a constraint, each of them constraints that must all hold."""
    text = _RANGE.sub(lambda found: f">= {found[1]}, <= {found[6]} ", text)
    return [_parse_alternative(part) for part in text.split("||")]


def _parse_alternative(text: str) -> list[_Constraint]:
    made: list[_Constraint] = []
    at = len(text) - len(text.lstrip(_SPACE))
    while at < len(text) or not made:
        found = _CONSTRAINT.match(text, at)
        if found is None:
            raise TemplateError(f"improper constraint: {text}")
        made.append(_constraint(found[1], found[2], found.groups()[2:]))
        rest = text[found.end() :].lstrip(_SPACE)
        if not rest:
            break
        gap = len(rest) < len(text) - found.end()
        if rest.startswith(","):
            rest = rest[1:].lstrip(_SPACE)
        elif not gap:
            raise TemplateError(f"improper constraint: {text}")
        at = len(text) - len(rest)
        if not rest:
            raise TemplateError(f"improper constraint: {text}")
    return made


def _holds(version: Version, constraint: _Constraint, with_pre: bool) -> bool:
    if version.pre and not with_pre:
        return False
    operator, wanted, dirty, minor_dirty, patch_dirty = constraint
    if operator in ("~", "~>") or (operator in ("", "=") and dirty):
        return _is_near(version, constraint)
    if operator in ("", "="):
        return compare(version, wanted) == 0
    if operator == "^":
        return _is_compatible(version, constraint)
    if operator == "!=":
        return _differs(version, constraint)
    if operator == "<":
        return compare(version, wanted) < 0
    if operator in (">=", "=>"):
        return compare(version, wanted) >= 0
    if operator in ("<=", "=<"):
        if not dirty:
            return compare(version, wanted) <= 0
        return version.major < wanted.major or (
            version.major == wanted.major and (minor_dirty or version.minor <= wanted.minor)
        )
    if dirty and version.major != wanted.major:
        return version.major > wanted.major
    if minor_dirty:
        return False
    return version.minor > wanted.minor if patch_dirty else compare(version, wanted) > 0


def _differs(version: Version, constraint: _Constraint) -> bool:
    _, wanted, dirty, minor_dirty, patch_dirty = constraint
    if not dirty:
        return compare(version, wanted) != 0
    if version.major != wanted.major:
        return True
    if minor_dirty:
        return False
    if version.minor != wanted.minor:
        return True
    if patch_dirty:
        return bool(version.pre or wanted.pre) and _compare_pre(version.pre, wanted.pre) != 0
    return compare(version, wanted) != 0


def _is_near(version: Version, constraint: _Constraint) -> bool:
    _, wanted, _, minor_dirty, patch_dirty = constraint
    if compare(version, wanted) < 0:
        return False
    if wanted[:3] == (0, 0, 0) and not minor_dirty and not patch_dirty:
        return True
    return version.major == wanted.major and (minor_dirty or version.minor == wanted.minor)


def _is_compatible(version: Version, constraint: _Constraint) -> bool:
    _, wanted, _, minor_dirty, patch_dirty = constraint
    if compare(version, wanted) < 0:
        return False
    if wanted.major > 0 or minor_dirty:
        return version.major == wanted.major
    if version.major > 0:
        return False
    if wanted.minor > 0 or patch_dirty:
        return version.minor == wanted.minor
    return version.minor == 0 and version.patch == wanted.patch


@takes(STRING, STRING)
def semver_compare(constraint: str, version: str) -> bool:
    """`semverCompare`."""
    if len(constraint) > _LONGEST:
        raise Undecided(Unknown("semverCompare", "the constraint is too long"))
    alternatives = _parse_all(constraint)
    parsed = parse(version)
    for alternative in alternatives:
        with_pre = any(one.version.pre for one in alternative)
        if all(_holds(parsed, one, with_pre) for one in alternative):
            return True
    return False


class VersionObject(Object):
    """What `semver` gives: a version with its methods."""

    def __init__(self, version: Version) -> None:
        super().__init__(_methods(version), str(version), "*semver.Version", "ptr")
        self.version = version


def _version_of(value: Value) -> Version:
    if not isinstance(value, VersionObject):
        raise TemplateError("wrong type for value; expected *semver.Version")
    return value.version


def _methods(version: Version) -> dict[str, Value]:
    return {
        **unknown_methods(
            "IncMajor", "IncMinor", "IncPatch", "MarshalJSON", "MarshalText", "SetMetadata", "SetPrerelease", "Value"
        ),
        "Major": lambda: Uint64(version.major),
        "Minor": lambda: Uint64(version.minor),
        "Patch": lambda: Uint64(version.patch),
        "Prerelease": lambda: version.pre,
        "Metadata": lambda: version.metadata,
        "Original": lambda: version.original,
        "String": lambda: str(version),
        "Compare": lambda other: compare(version, _version_of(other)),
        "Equal": lambda other: compare(version, _version_of(other)) == 0,
        "LessThan": lambda other: compare(version, _version_of(other)) < 0,
        "LessThanEqual": lambda other: compare(version, _version_of(other)) <= 0,
        "GreaterThan": lambda other: compare(version, _version_of(other)) > 0,
        "GreaterThanEqual": lambda other: compare(version, _version_of(other)) >= 0,
    }


@takes(STRING)
def semver(text: str) -> VersionObject:
    """`semver`."""
    return VersionObject(parse(text))


SEMVER: Final[dict[str, Registered]] = {"semver": semver, "semverCompare": semver_compare}
