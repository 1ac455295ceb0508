"""How a later Compose file is laid over an earlier one, and a service over the one that it extends.

https://docs.docker.com/reference/compose-file/merge/: mappings are merged, sequences joined, scalars replaced, with the
exceptions of `_SPECIAL`. The places are those of what wins; a replaced value of another file is its `via`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pyprod_audit.evaluate.compose.attribute_paths import AttributeRules
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.texts import (
    HOLE,
    as_text,
    content,
    go_text,
    keyed,
    members_like,
    part,
    text_of,
)
from pyprod_audit.model import Node, OpenMapping, Unknown, Via
from pyprod_audit.model.node import Value

Merger = Callable[[Node, Node, Faults], Node]
_Rules = AttributeRules[Merger]


def merge(base: Node, over: Node, faults: Faults, rules: _Rules | None = None) -> Node:
    """`over` laid over `base`; `rules` are those of their attribute (default: of a whole file)."""
    return _merged(base, over, RULES if rules is None else rules, faults)


def _merged(base: Node, over: Node, rules: _Rules | None, faults: Faults) -> Node:
    if rules is not None and rules.here is not None:
        return rules.here(base, over, faults)
    if over.value is None:
        return base
    if base.is_unknown or over.is_unknown:
        return _with_unknown(base, over)
    if isinstance(base.value, dict):
        if isinstance(over.value, dict):
            return _mappings(base, over, rules, faults)
    elif isinstance(base.value, tuple):
        if isinstance(over.value, tuple):
            return base.holding(_joined(base.value, over.value))
    else:
        return _replaced(base, over)
    faults.add("a value of another type replaces this one: Compose refuses it", over)
    return over.holding(Unknown("…", "two files give it values of different types"))


def _mappings(base: Node, over: Node, rules: _Rules | None, faults: Faults) -> Node:
    members = dict(base.mapping)
    for name, node in over.mapping.items():
        own = members.get(name)
        below = rules.at(name) if rules is not None else None
        members[name] = node if own is None else _merged(own, node, below, faults)
    return base.holding(members_like(members, base.value, over.value))


def _with_unknown(base: Node, over: Node) -> Node:
    """One side is not known: what the other says holds, and there may be more."""
    if isinstance(over.value, dict) and base.is_unknown:
        return over.holding(OpenMapping(over.mapping, base))
    if isinstance(over.value, tuple) and base.is_unknown:
        return over.holding((base, *over.value))
    return over


def _replaced(base: Node, over: Node) -> Node:
    if base.source is over.source or base.value is None:
        return over
    return over.coming(Via(base.anchor, f"overrides {base.source.path}"))


def _override(base: Node, over: Node, _faults: Faults) -> Node:
    return _replaced(base, over)


def _joined(base: tuple[Node, ...], over: tuple[Node, ...]) -> tuple[Node, ...]:
    """The members of both, without those of the second that the first has already."""
    found = list(base)
    known = {content(node) for node in base}
    for node in over:
        key = content(node)
        if key not in known:
            known.add(key)
            found.append(node)
    return tuple(found)


# -- attributes that are merged in their own way ---------------------------------------------------------------


def _to_sequence(base: Node, over: Node, _faults: Faults) -> Node:
    first, second = sequence_of(base), sequence_of(over)
    return (over if base.value is None else base).holding(_joined(first, second))


def sequence_of(node: Node) -> tuple[Node, ...]:
    """A text, a sequence or a mapping (`host: address`) as a sequence of texts."""
    if isinstance(node.value, tuple):
        return node.value
    if isinstance(node.value, dict):
        return tuple(_pair(name, value) for name, value in _sorted_pairs(node))
    return () if node.value is None else (node,)


def _sorted_pairs(node: Node) -> Iterator[tuple[str, Node]]:
    for name in sorted(node.mapping):
        value = node.mapping[name]
        if isinstance(value.value, tuple):
            yield from ((name, member) for member in value.value)
        else:
            yield name, value


def _pair(name: str, value: Node) -> Node:
    if value.value is None:
        return value.holding(name)
    if isinstance(value.value, Unknown):
        return value.holding(Unknown(f"{name}={value.value.expression}", value.value.because))
    return value.holding(f"{name}={go_text(value.scalar)}")


def variables_of(node: Node, faults: Faults) -> Node:
    """`environment`, `labels` and the like as a mapping: `- NAME=value` is `NAME: value`, `- NAME` is a null.

    Entries whose names are not known leave the mapping open. What is neither becomes Unknown.
    """
    if isinstance(node.value, dict) or node.is_unknown or node.value is None:
        return node
    if not isinstance(node.value, tuple):
        faults.add("neither a mapping nor a list of NAME=value", node)
        return node.holding(Unknown("…", "it is neither a mapping nor a list"))
    members: dict[str, Node] = {}
    rest: Node | None = None
    for entry in node.value:
        text = text_of(as_text(entry))
        if text is None:
            faults.add("an entry that is no NAME=value", entry)
            continue
        name, equals, _ = text.partition("=")
        if HOLE in name:
            rest = entry
            continue
        key = part(entry, 0, len(name))
        value = part(as_text(entry), len(name) + 1, len(text)) if equals else key.holding(None)
        members[name] = keyed(value, key)
    return node.holding(members if rest is None else OpenMapping(members, rest))


def _variables(base: Node, over: Node, faults: Faults) -> Node:
    first, second = variables_of(base, faults), variables_of(over, faults)
    if second.value is None:
        return first
    if first.value is None or first.is_unknown or second.is_unknown:
        return _with_unknown(first, second)
    members = dict(first.mapping)
    for name, node in second.mapping.items():
        own = members.get(name)
        members[name] = node if own is None else _replaced(own, node)
    return first.holding(members_like(members, first.value, second.value))


def named_members(node: Node, faults: Faults, defaults: Callable[[Node], Value] | None = None) -> Node:
    """A sequence of names (`depends_on`, `networks`) as a mapping; `defaults` gives the value of each, else null."""
    value = (node,) if isinstance(node.value, str) else node.value
    if not isinstance(value, tuple):
        return node
    members: dict[str, Node] = {}
    rest: Node | None = None
    for entry in value:
        if entry.text is not None:
            inner = defaults(entry) if defaults is not None else None
            members[entry.text] = keyed(part(entry, 0, len(entry.text)), entry).holding(inner)
        elif entry.is_unknown:
            rest = entry
        else:
            faults.add("an entry that is no name", entry)
    return node.holding(members if rest is None else OpenMapping(members, rest))


def started(entry: Node) -> Value:
    """What `depends_on: [name]` means for `name`."""
    place = part(entry, 0, len(entry.text or ""))
    return {"condition": place.holding("service_started"), "required": place.holding(True)}


def _as_mapping(defaults: Callable[[Node], Value] | None = None) -> Merger:
    def merged(base: Node, over: Node, faults: Faults) -> Node:
        first, second = named_members(base, faults, defaults), named_members(over, faults, defaults)
        return _merged(first, second, None, faults) if first.value is not None else second

    return merged


def _build(base: Node, over: Node, faults: Faults) -> Node:
    first, second = build_mapping(base), build_mapping(over)
    rules = RULES.under("services.*.build")
    below = AttributeRules[Merger]()
    below.below = rules.below
    return _merged(first, second, below, faults) if first.value is not None else second


def build_mapping(node: Node) -> Node:
    """`build: folder` as `build: {context: folder}`."""
    if isinstance(node.value, str) or node.is_unknown:
        context = Node(node.value, node.source, node.start, node.end, node.key_start, node.key_end)
        return node.holding({"context": context.coming(*node.via)})
    return node


def _logging(base: Node, over: Node, faults: Faults) -> Node:
    """Options of another driver do not stay."""
    if over.value is None or not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return _merged(base, over, None, faults)
    first, second = base.value.get("driver"), over.value.get("driver")
    if first is None or second is None or content(first) == content(second):
        return _mappings(base, over, None, faults)
    return _replaced(base, over)


def _ulimit(base: Node, over: Node, faults: Faults) -> Node:
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return _mappings(base, over, None, faults)
    return _replaced(base, over)


def _address_pools(base: Node, over: Node, faults: Faults) -> Node:
    """`ipam.config`: pools of the same subnet are merged, as compose-go does it pair by pair."""
    if not isinstance(base.value, tuple) or not isinstance(over.value, tuple):
        return _merged(base, over, None, faults)
    pools: list[Node] = []
    for own in base.value:
        for other in over.value:
            added = other if not _same_subnet(own, other) else _mappings(own, other, None, faults)
            index = next((i for i, pool in enumerate(pools) if _same_subnet(pool, added)), None)
            if index is None:
                pools.append(added)
            else:
                pools[index] = _mappings(own, other, None, faults)
    return base.holding(tuple(pools))


def _same_subnet(one: Node, other: Node) -> bool:
    first, second = one.mapping.get("subnet"), other.mapping.get("subnet")
    return first is second or (first is not None and second is not None and content(first) == content(second))


def _workload(prefix: str) -> dict[str, Merger]:
    rows: dict[str, Merger] = {}
    for name in ("annotations", "build.args", "build.additional_contexts", "build.labels", "environment", "labels",
                 "volumes.*.volume.labels", "sysctls"):  # fmt: skip
        rows[f"{prefix}.{name}"] = _variables
    for name in ("build.extra_hosts", "dns", "dns_opt", "dns_search", "env_file", "label_file", "extra_hosts", "tmpfs"):
        rows[f"{prefix}.{name}"] = _to_sequence
    for name in ("command", "entrypoint", "healthcheck.test"):
        rows[f"{prefix}.{name}"] = _override
    rows[f"{prefix}.build"] = _build
    rows[f"{prefix}.depends_on"] = _as_mapping(started)
    rows[f"{prefix}.logging"] = _logging
    rows[f"{prefix}.models"] = _as_mapping()
    rows[f"{prefix}.networks"] = _as_mapping()
    rows[f"{prefix}.ulimits.*"] = _ulimit
    return rows


_SPECIAL: Final[dict[str, Merger]] = {
    "networks.*.ipam.config": _address_pools,
    "networks.*.labels": _variables,
    "volumes.*.labels": _variables,
    "secrets.*.labels": _variables,
    "configs.*.labels": _variables,
    **_workload("services.*"),
    "services.*.deploy.labels": _variables,
}
RULES: Final = AttributeRules[Merger](_SPECIAL)
SERVICE: Final = RULES.under("services.*")
NO_RULES: Final = AttributeRules[Merger]()
