"""What plain YAML scalars mean to kustomize, and how a scalar is written.

Kustomize reads manifests with go-yaml v3 and writes typed JSON (`kyaml/yaml/rnode.go`, `MarshalJSON`): words are those
of YAML 1.2 (`yes` and `on` are text), numbers those of Go (`0777` is octal, `08` is 8), a date becomes a moment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pyprod_audit.model import Node, Scalar, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_scalars import CORE, KUBERNETES, Schema

_MOMENT = lazy(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:"
    r"[Tt]([0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
    r"| ([0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(\.[0-9]{1,9})?)?"
)
_MOST_DIGITS: Final = 64
_LARGEST: Final = (1 << 64) - 1
_EXPONENT: Final = 1e21  # from here on Go writes floats with an exponent


def _json_number(text: str) -> Scalar:
    """JSON has one kind of number: 1.0 is written as 1."""
    value = KUBERNETES.number(text)
    if isinstance(value, int) and not -(_LARGEST >> 1) - 1 <= value <= _LARGEST:
        return float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXPONENT:
        return int(value)
    return value


def _number(text: str) -> Scalar:
    value = _json_number(text)
    if not isinstance(value, str):
        return value
    moment = _MOMENT.fullmatch(text) if text[:1].isdigit() and len(text) <= _MOST_DIGITS else None
    return (_moment(moment.groups()) or text) if moment else text


def _moment(parts: tuple[str | None, ...]) -> str:
    """A date as Go writes it in JSON; empty when there is no such day or time."""
    year, month, day, zoned, zoned_fraction, zone, local, local_fraction = (part or "" for part in parts)
    hour, minute, second = (int(number) for number in (zoned or local or "0:0:0").split(":"))
    try:
        moment = datetime(int(year), int(month), int(day), hour, minute, second)  # noqa: DTZ001 - the zone stays text
    except ValueError:
        return ""
    fraction = (zoned_fraction or local_fraction).rstrip("0").rstrip(".")
    return f"{moment.isoformat()}{fraction}{zone if zone[1:] not in ('', '00:00') else 'Z'}"


SCHEMA: Final = Schema(CORE.words, _number, KUBERNETES.first | CORE.first)
# JSON patches in YAML are read with sigs.k8s.io/yaml, where `y` and `on` are booleans.
OPERATIONS: Final = Schema(KUBERNETES.words, _json_number, KUBERNETES.first)


def text_of(node: Node | None) -> str:
    """A scalar as it is written: kustomize compares and copies the text, whatever its type. Empty for containers."""
    if node is None:
        return ""
    value = node.value
    if isinstance(value, str):
        return value if value[:1] not in "12" or not value.endswith("Z") else _written(node, value)
    if isinstance(value, Unknown):
        return value.expression
    if isinstance(value, (dict, tuple)):
        return ""
    return _written(node, value)


def _written(node: Node, value: Scalar) -> str:
    """The characters at the node's place when they are what gave the value; else the value in words."""
    if node.end - node.start <= _MOST_DIGITS:
        text = node.source.text[node.start : node.end]
        resolved = SCHEMA.resolve(text)
        if resolved == value and type(resolved) is type(value):
            return text
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.17g}" if isinstance(value, float) else str(value)


def retyped(text: str, like: Scalar) -> Scalar | None:
    """`text` as a scalar of the type of `like`; None when it is none of that type."""
    if isinstance(like, str):
        return text
    value = SCHEMA.resolve(text)
    if isinstance(like, bool):
        return value if isinstance(value, bool) else None
    if isinstance(like, (int, float)):
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return value
