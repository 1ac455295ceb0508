"""Plans of Terraform and OpenTofu as `terraform show -json` writes them.

Source: developer.hashicorp.com/terraform/internals/json-format. A plan has every resource as it will be: with the
defaults of the provider, in modules and instances that the configuration alone may leave open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Unknown
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.json_tree import JsonError, read_members

SENSITIVE: Final = Unknown("(sensitive)", "the plan marks it as sensitive")
_AFTER: Final = "known after apply"
_START = lazy(r'\s*\{\s*"(?:format_version|applyable|complete|configuration|checks|errored|output_changes)"\s*:')
_KEY = lazy(r'\[(?:[0-9]{1,9}|"(?:[^"\\]|\\.)*")\]')
_MAX_DEPTH: Final = 60
_MODES: Final = {"managed": "tf.", "data": "tf.data."}
_EXPRESSION: Final = ("references", "constant_value")


def looks_like_plan(text: str) -> bool:
    """Whether the JSON `text` is a plan: it begins as one, as it is written or with its keys sorted."""
    if _START.match(text) is None or '"format_version"' not in text:
        return False
    return '"planned_values"' in text or '"resource_changes"' in text


class _Change(NamedTuple):
    """What a plan says about one resource besides its values."""

    unknown: Any
    sensitive: Any
    removed: bool


def parse(source: SourceFile) -> Parsed:
    """The plan as a `tf.plan`; docs/model.md gives the shape. JSON that is no plan gives nothing."""
    try:
        found = read_members(source, ("planned_values",), ("resource_changes", "configuration", "format_version"))
    except JsonError as error:
        line = source.span(error.offset, error.offset).line
        return Parsed([], [Problem("parse", source.path, f"not JSON: {error}", line)], partial=True)
    if not isinstance(found.plain.get("format_version"), str):
        return Parsed()
    changes = _changes(found.plain.get("resource_changes"))
    written = _expressions(found.plain.get("configuration"))
    values = found.placed.get("planned_values")
    if values is not None:
        listed = list(_planned(values))
    elif "resource_changes" in found.plain:
        listed = list(_changed(read_members(source, ("resource_changes",), ()).placed["resource_changes"]))
    else:
        return Parsed()
    resources = [node for entry in listed if (node := _resource(entry, changes, written)) is not None]
    end = len(source.text)
    members = {"resources": Node(tuple(resources), source, 0, end)}
    return Parsed([Resource("tf.plan", source.path, Node(members, source, 0, end))])


class _Entry(NamedTuple):
    """A resource of the plan: the object that describes it, its values, and the module that it is in."""

    node: Node
    values: Node
    module: str


def _planned(values: Node) -> Iterator[_Entry]:
    """The resources of the planned state, module by module."""
    root = values.mapping.get("root_module")
    waiting = [(root, "")] if root is not None else []
    while waiting:
        module, address = waiting.pop()
        for node in module.items_at("resources"):
            own = node.mapping.get("values")
            if own is not None:
                yield _Entry(node, own, address)
        waiting += [(child, child.text_at("address") or "") for child in reversed(module.items_at("child_modules"))]


def _changed(changes: Node) -> Iterator[_Entry]:
    """The resources of a plan of which only the changes are left."""
    for node in changes.items:
        change = node.mapping.get("change")
        after = change.mapping.get("after") if change is not None else None
        if after is not None and isinstance(after.value, dict) and "deposed" not in node.mapping:
            yield _Entry(node, after, node.text_at("module_address") or "")


def _changes(changes: Any) -> dict[str, _Change]:
    found: dict[str, _Change] = {}
    for entry in changes if isinstance(changes, list) else ():
        if not isinstance(entry, dict) or "deposed" in entry or not isinstance(entry.get("change"), dict):
            continue
        change = entry["change"]
        found[str(entry.get("address"))] = _Change(
            change.get("after_unknown"),
            change.get("after_sensitive"),
            change.get("actions") in (["delete"], ["forget"]),
        )
    return found


def _expressions(configuration: Any) -> dict[str, Any]:
    """What the configuration in the plan writes for each resource, by address without instance keys."""
    found: dict[str, Any] = {}
    root = configuration.get("root_module") if isinstance(configuration, dict) else None
    waiting: list[tuple[Any, str]] = [(root, "")]
    while waiting:
        module, prefix = waiting.pop()
        if not isinstance(module, dict):
            continue
        resources, calls = module.get("resources"), module.get("module_calls")
        for entry in resources if isinstance(resources, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("address"), str):
                found[prefix + entry["address"]] = entry.get("expressions") or {}
        for name, call in calls.items() if isinstance(calls, dict) else ():
            if isinstance(call, dict):
                waiting.append((call.get("module"), f"{prefix}module.{name}."))
    return found


def _resource(entry: _Entry, changes: Mapping[str, _Change], written: Mapping[str, Any]) -> Node | None:
    """A resource with the values that it will have; None for one that will be gone, or is not understood."""
    node, values = entry.node, entry.values
    address = node.mapping.get("address")
    kind = _MODES.get(node.text_at("mode") or "managed")
    if address is None or address.text is None or kind is None or not isinstance(values.value, dict):
        return None
    change = changes.get(address.text)
    if change is not None and change.removed:
        return None
    reader = _Values(address, written.get(_KEY.sub("", address.text)))
    sensitive = _plain(node.mapping.get("sensitive_values"))
    if sensitive is None and change is not None:
        sensitive = change.sensitive
    members = reader.mapping(values, change.unknown if change is not None else None, sensitive, reader.expressions, 0)
    planned = Node(members, node.source, values.start, values.end, address.start + 1, address.end - 1)
    named = {
        "kind": Node(f"{kind}{node.text_at('type') or ''}", node.source, node.start, node.end),
        "address": address,
        "module": Node(entry.module, node.source, node.start, node.end),
        "values": planned,
    }
    return Node(named, node.source, node.start, node.end)


class _Values:
    """Brings the values of one resource into the shape that configuration has.

    `expressions` is what the configuration writes for it; None when the plan does not have that.
    """

    def __init__(self, address: Node, expressions: Any) -> None:
        self.address = address
        self.expressions = expressions if isinstance(expressions, dict) else None

    def mapping(self, node: Node, unknown: Any, sensitive: Any, written: Any, depth: int) -> dict[str, Node]:
        """The members without those that nobody sets; what is known only after the apply is Unknown."""
        members: dict[str, Node] = {}
        for key, member in node.mapping.items():
            told, expression = _member(unknown, key), _member(written, key)
            if member.value is None or (member.value == () and expression is None):
                continue
            members[key] = self._value(member, told, _member(sensitive, key), expression, depth + 1)
        for key, told in unknown.items() if isinstance(unknown, dict) else ():
            expression = _member(written, key)
            if told is True and key not in members and (expression is not None or not _is_block(written)):
                members[str(key)] = self._later(expression)
        return members

    def _value(self, node: Node, unknown: Any, sensitive: Any, written: Any, depth: int) -> Node:
        if unknown is True:
            return node.holding(self._reason(written))
        if sensitive is True:
            return node.holding(SENSITIVE)
        if depth > _MAX_DEPTH:
            return node.holding(Unknown("", "it is nested too deeply"))
        if isinstance(node.value, dict):
            return node.holding(self.mapping(node, unknown, sensitive, written, depth))
        if isinstance(node.value, tuple):
            parts = [
                self._value(member, _member(unknown, at), _member(sensitive, at), _block(written, at), depth + 1)
                for at, member in enumerate(node.value)
            ]
            return node.holding(tuple(parts))
        return node

    def _later(self, written: Any) -> Node:
        """A value of which nothing is known yet, at the resource's address; nested blocks are tuples as ever."""
        place = self.address
        node = Node(self._reason(written), place.source, place.start, place.end)
        return node.holding((node,)) if isinstance(written, list) or _is_block(written) else node

    def _reason(self, written: Any) -> Unknown:
        """Why a value is not known, with the reference that the configuration writes when that is all of it."""
        references = written.get("references") if isinstance(written, dict) else None
        found = [one for one in references if isinstance(one, str)] if isinstance(references, list) else []
        if found and all(found[0].startswith(one) for one in found):
            return Unknown(found[0], _AFTER)
        return Unknown(" ".join(found[:5]), _AFTER)


def _is_block(written: Any) -> bool:
    """Whether this is what the configuration writes in a block, argument by argument, not for one argument."""
    return isinstance(written, dict) and not any(key in written for key in _EXPRESSION)


def _member(container: Any, key: str | int) -> Any:
    if isinstance(container, dict):
        return container.get(key)
    if isinstance(container, list) and isinstance(key, int) and key < len(container):
        return container[key]
    return None


def _block(written: Any, at: int) -> Any:
    """What the configuration writes for one of several blocks; a single one may stand for all."""
    if isinstance(written, list):
        return _member(written, at if len(written) > 1 else 0)
    return written


def _plain(node: Node | None) -> Any:
    """A node as plain data, without places; None for no node."""
    if node is None:
        return None
    value: Value = node.value
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    return value
