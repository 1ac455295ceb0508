"""The values of one Compose file: variables filled in, texts converted where Compose expects numbers and booleans."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from pyprod_audit.evaluate.compose.attribute_paths import AttributeRules
from pyprod_audit.evaluate.compose.env_files import via_of
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.interpolation import InvalidTemplate, Lookup, interpolate
from pyprod_audit.evaluate.gotemplate.go_numbers import parse_float, parse_int, parse_uint
from pyprod_audit.model import Node, OpenMapping, Scalar, Unknown

Cast = Callable[[str], "Scalar"]
_Rules = AttributeRules[Cast]
MAX_DEPTH: Final = 64
_MAX_STEPS: Final = 400_000
_CHARACTERS_OF_A_STEP: Final = 100
_TOO_MANY: Final = "too many values in all Compose files"


class DocumentValues:
    """Fills in documents, and counts their nodes, so that hostile trees cost no more than large ones."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._steps = 0

    def fill(self, document: Node, lookup: Lookup) -> Node:
        """The document with every variable that `lookup` knows; without top-level extensions (`x-…`)."""
        members = {name: node for name, node in document.mapping.items() if not name.startswith("x-")}
        return self._filled(document.holding(members), RULES, lookup, 0)

    def text(self, node: Node, lookup: Lookup) -> Node:
        """One text with its variables filled in."""
        return self._filled(node, None, lookup, 0)

    def _filled(self, node: Node, rules: _Rules | None, lookup: Lookup, depth: int) -> Node:
        self._steps += 1
        value = node.value
        if isinstance(value, str):
            if self._steps > _MAX_STEPS and "$" in value:
                return node.holding(Unknown(value[:80], _TOO_MANY))
            return self._text(node, value, rules.here if rules is not None else None, lookup)
        if not isinstance(value, (dict, tuple)) or not value:
            return node
        if depth > MAX_DEPTH or self._steps > _MAX_STEPS:
            why = "nested too deep" if depth > MAX_DEPTH else _TOO_MANY
            self._faults.add(f"{why}: not read", node)
            return node.holding(Unknown("…", why))
        if isinstance(value, tuple):
            below = rules.below.get("[]") or rules.below.get("*") if rules is not None else None
            items = tuple(self._filled(item, below, lookup, depth + 1) for item in value)
            changed = any(a is not b for a, b in zip(items, value, strict=True))
            return node.holding(items) if changed else node
        members: dict[str, Node] = {}
        rest: Node | None = None
        for name, member in value.items():
            below = rules.at(name) if rules is not None else None
            made = self._filled(member, below, lookup, depth + 1)
            if name == "<<" and made.is_unknown:
                rest = made
            else:
                members[name] = made
        return node.holding(members if rest is None else OpenMapping(members, rest))

    def _text(self, node: Node, text: str, cast: Cast | None, lookup: Lookup) -> Node:
        if "$" in text:
            try:
                filled = interpolate(text, lookup)
            except InvalidTemplate:
                self._faults.add("an invalid variable expression: Compose refuses it (a literal $ is written $$)", node)
                return node.holding(Unknown(text, "the variable expression is not valid"))
            node = node.holding(filled.value).coming(*via_of(filled.variables))
            if not isinstance(filled.value, str):
                return node
            text = filled.value
            self._steps += len(text) // _CHARACTERS_OF_A_STEP
        if cast is None:
            return node
        try:
            return node.holding(cast(text))
        except ValueError:
            self._faults.add(f"{text!r} is not what Compose expects here", node)
            return node.holding(Unknown(text, "Compose refuses the value"))


def _integer(text: str) -> int:
    number = parse_int(text)
    if number is None:
        raise ValueError(text)
    return number


def _mask(text: str) -> int:
    number = parse_uint(text, 0, 2**32 - 1)
    if number is None:
        raise ValueError(text)
    return number


def _real(text: str) -> float:
    number = parse_float(text)
    if number is None:
        raise ValueError(text)
    return number


def _single(text: str) -> float:
    """A float of 32 bits, with no more digits than it has."""
    number = _real(text)
    try:
        packed = struct.pack("f", number)
    except OverflowError:
        raise ValueError(text) from None
    for digits in range(1, 10):
        short = float(f"{number:.{digits}g}")
        if struct.pack("f", short) == packed:
            return short
    return number


_BOOLEANS: Final = {
    **dict.fromkeys(("true", "y", "yes", "on"), True),
    **dict.fromkeys(("false", "n", "no", "off"), False),
}


def _boolean(text: str) -> bool:
    found = _BOOLEANS.get(text.lower())
    if found is None:
        raise ValueError(text)
    return found


_SERVICE: Final[dict[Cast, tuple[str, ...]]] = {
    _integer: (
        "cpu_count", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares", "oom_score_adj",
        "pids_limit", "ulimits.*", "ulimits.*.hard", "ulimits.*.soft", "healthcheck.retries", "ports.[].target",
        "deploy.replicas", "deploy.update_config.parallelism", "deploy.rollback_config.parallelism",
        "deploy.restart_policy.max_attempts", "deploy.placement.max_replicas_per_node", "scale",
    ),
    _real: (
        "cpu_percent", "deploy.update_config.max_failure_ratio", "deploy.rollback_config.max_failure_ratio",
    ),
    _single: ("cpus",),
    _mask: ("umask",),
    _boolean: (
        "init", "networks.*.use_service_name_alias", "oom_kill_disable", "privileged", "read_only",
        "volumes.[].read_only", "volumes.[].volume.nocopy", "depends_on.*.required", "depends_on.*.restart",
        "healthcheck.disable", "stdin_open", "tty",
    ),
}  # fmt: skip
_BOOLEAN_ELSEWHERE: Final = (
    "networks.*.external", "networks.*.internal", "networks.*.attachable", "networks.*.enable_ipv4",
    "networks.*.enable_ipv6", "volumes.*.external", "secrets.*.external", "configs.*.external",
)  # fmt: skip
RULES: Final = AttributeRules[Cast]({
    **{f"services.*.{path}": cast for cast, paths in _SERVICE.items() for path in paths},
    **dict.fromkeys(_BOOLEAN_ELSEWHERE, _boolean),
})  # fmt: skip
