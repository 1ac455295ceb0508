"""What plain YAML scalars and tags mean.

Kubernetes reads YAML through sigs.k8s.io/yaml, whose resolver (`goyaml.v2/resolve.go`) is YAML 1.1 without base 60:
`yes`, `on`, `y` are booleans, `0777` is octal, `1_000` is a number, a date stays text. GitHub reads the YAML 1.2 core
schema (https://yaml.org/spec/1.2.2/#103-core-schema), where the same words are text. Compose reads it with go-yaml 4
(`internal/libyaml/resolver.go`): the words of the core schema, the numbers of Go, and dates as moments in time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pyprod_audit.model import Scalar
from pyprod_audit.model.patterns import lazy


class Schema(NamedTuple):
    """How plain scalars are read: `words` by their whole text, numbers by `number`; `first` starts either.

    `number` returns what is not a number as it is.
    """

    words: Mapping[str, Scalar]
    number: Callable[[str], Scalar]
    first: frozenset[str]

    def resolve(self, text: str) -> Scalar:
        """The value of the plain scalar `text`."""
        return self.words[text] if text in self.words else self.number(text)


_MAX_DIGITS = 64
_STARTS = frozenset("0123456789+-.")
_FLOAT = lazy(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_GO_INTEGER = lazy(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_GO_BASES = (16, 2, 8, 10)
_CORE_INTEGER = lazy(r"([-+]?)(?:0x([0-9a-fA-F]+)|0o([0-7]+)|([0-9]+))")
_CORE_BASES = (16, 8, 10)


def _number(text: str, plain: str, pattern: re.Pattern[str], bases: tuple[int, ...]) -> Scalar:
    if len(text) > _MAX_DIGITS:
        return text
    if plain[0] in "123456789" and plain.isascii() and plain.isdigit():
        return int(plain)
    found = pattern.fullmatch(plain)
    if found:
        sign, *digits = found.groups()
        integer = next(int(part, base) for part, base in zip(digits, bases, strict=True) if part)
        return -integer if sign == "-" else integer
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        # Go's ParseFloat refuses what does not fit, and the scalar stays text.
        return text if value in (float("inf"), float("-inf")) else value
    return text


def _go_number(text: str) -> Scalar:
    if text[0] not in _STARTS:
        return text
    # A number starts with a digit, sign or point, so this leaves at least that.
    return _number(text, text.replace("_", ""), _GO_INTEGER, _GO_BASES)


_DATE = lazy(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt ]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)


def _go_yaml_scalar(text: str) -> Scalar:
    found = _DATE.fullmatch(text) if text[4:5] == "-" else None
    return _go_number(text) if found is None else _go_time(found) or text


def _go_time(found: re.Match[str]) -> str | None:
    """A moment as Go's `fmt.Sprint` writes it; None for what go-yaml leaves a text."""
    year, month, day, hour, minute, second = (int(group or 0) for group in found.groups()[:6])
    fraction, zone = (found[7] or "").rstrip("0").rstrip("."), found[8] or ""
    february = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    days = (31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    in_day = hour < 24 and minute < 60 and second < 60
    # With a T there is a zone, with a blank there is none.
    written = found[4] is None or (" " in found[0]) != bool(zone)
    if not (1 <= month <= 12 and 1 <= day <= days[month - 1] and in_day and written):
        return None
    offset = zone.replace(":", "") if zone not in ("", "Z") else "+0000"
    name = offset if zone not in ("", "Z", "+00:00", "-00:00") else "UTC"
    return f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}{fraction} {offset} {name}"


def _core_number(text: str) -> Scalar:
    if text[0] not in _STARTS:
        return text
    return _number(text, text, _CORE_INTEGER, _CORE_BASES)


def _spellings(value: Scalar, *words: str) -> dict[str, Scalar]:
    return {form: value for word in words for form in (word, word.capitalize(), word.upper())}


_CORE_WORDS: Final[dict[str, Scalar]] = {
    "": None,
    "~": None,
    **_spellings(None, "null"),
    **_spellings(True, "true"),
    **_spellings(False, "false"),
    **{sign + form: float(sign + "inf") for sign in ("", "+", "-") for form in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_GO_WORDS: Final = {**_CORE_WORDS, **_spellings(True, "yes", "on", "y"), **_spellings(False, "no", "off", "n")}

KUBERNETES: Final = Schema(_GO_WORDS, _go_number, frozenset(["", *"~yYnNtTfFoO0123456789+-."]))
CORE: Final = Schema(_CORE_WORDS, _core_number, frozenset(["", *"~nNtTfF0123456789+-."]))
GO_YAML: Final = Schema({**_CORE_WORDS, "-0": -0.0}, _go_yaml_scalar, CORE.first)

_STANDARD = "tag:yaml.org,2002:"
# CloudFormation's short forms, Ansible Vault, GitLab, and loaders that read the environment or other files.
_COMPUTED = frozenset({
    "Ref", "Sub", "GetAtt", "Join", "Select", "Split", "FindInMap", "ImportValue", "If", "Equals", "And", "Or", "Not",
    "Base64", "Cidr", "GetAZs", "Transform", "Condition", "Length", "ToJsonString", "ForEach", "vault",
    "vault-encrypted", "reference", "ENV", "env", "env_var", "secret", "include",
})  # fmt: skip


def is_computed(tag: str) -> bool:
    """Whether the custom `tag` (`!Ref`, `!vault`, `!reference`) stands for a value that its reader computes."""
    return tag[:1] == "!" and tag[1:] in _COMPUTED


def resolve_tagged(tag: str, text: str, schema: Schema) -> Scalar:
    """The scalar `text` under `!`, `!!str`, `!!int` and the other explicit tags of YAML itself."""
    if tag == "!" or tag in (_STANDARD + "str", _STANDARD + "binary"):
        return text
    if tag == _STANDARD + "float":
        value = schema.resolve(text)
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return schema.resolve(text)
