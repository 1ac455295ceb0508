"""The `vars` of a kustomization: `$(NAME)` in certain fields, replaced by a field of an object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pyprod_audit.evaluate.kustomize.field_paths import look_up
from pyprod_audit.evaluate.kustomize.field_specs import Field, FieldSpec
from pyprod_audit.evaluate.kustomize.objects import CLUSTER, Gvk, Item, effective_namespace, group_and_version
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, over, stop, with_items, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy

_INDEX = lazy(r"\[([0-9]{1,6})\]")
_VALUE_OF: Final = "the value of the var"


class Variable(NamedTuple):
    """One entry of `vars`: the field of the object that it stands for."""

    entry: Node
    name: str
    gvk: Gvk
    object_name: str
    namespace: str
    path: str


def variable_of(entry: Node) -> Variable:
    """Raises Refused when the entry has no name."""
    name = text_of(entry.get("name"))
    if not name:
        raise Refused("a var must have a name", entry)
    group, version, kind, object_name, namespace, api_version = (
        text_of(entry.get(f"objref.{key}")) for key in ("group", "version", "kind", "name", "namespace", "apiVersion")
    )
    if api_version:
        group, version = group_and_version(api_version)
    path = text_of(entry.get("fieldref.fieldPath") or entry.get("fieldref.fieldpath")) or "metadata.name"
    return Variable(entry, name, Gvk(group, version, kind), object_name, namespace, path)


def bind(variable: Variable, items: Iterable[Item]) -> None:
    """Notes at its object that a variable reads from it. Raises Refused when it may be one of several."""
    wanted = effective_namespace(variable.gvk, variable.namespace)
    anywhere = not variable.namespace and wanted != CLUSTER
    found = [
        item
        for item in items
        if item.was_named(variable.object_name)
        and any(
            one.name == variable.object_name and one.gvk == variable.gvk and (anywhere or one.namespace == wanted)
            for one in item.ids
        )
    ]
    if len(found) > 1:
        raise Refused(f"the var {variable.name} may stand for several objects", variable.entry)
    for item in found:
        item.variables.append(variable.name)


def resolve(
    variables: Mapping[str, Variable], items: list[Item], specs: Iterable[FieldSpec], budget: Budget, *, lenient: bool
) -> None:
    """Replaces the variables in the fields of `specs`.

    Raises:
        Refused: a variable's object or field is not there (`lenient`: it may come from elsewhere), or a list of texts
            holds something else.
    """
    if not variables:
        return
    values = {name: _value(variable, items, lenient=lenient) for name, variable in sorted(variables.items())}
    for spec in specs:
        field = Field(spec, lambda node: _in_field(node, values), budget)
        for item in items:
            field.set_in(item)


def _value(variable: Variable, items: list[Item], *, lenient: bool) -> Node:
    for item in items:
        if variable.name in item.variables:
            found = look_up(item.node, _INDEX.sub(r".\1", variable.path))
            if found is None:
                raise Refused(f"{item.current} has no {variable.path}, for the var {variable.name}", variable.entry)
            return found
    if not lenient:
        raise Refused(f"there is no object for the var {variable.name}", variable.entry)
    return variable.entry.holding(Unknown(f"$({variable.name})", "its object is not in the repository"))


def _in_field(node: Node, values: Mapping[str, Node]) -> Node:
    value = node.value
    if isinstance(value, str):
        return _expanded(node, values)
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one.value, str) and (new := _expanded(one, values)) is not one:
                node = with_member(node, key, new)
        return node
    if isinstance(value, tuple):
        if any(one.value is None or isinstance(one.value, (dict, tuple, int, float)) for one in value):
            raise Refused("a var is looked for in a list of something else than texts", node)
        return with_items(node, tuple(_expanded(one, values) if isinstance(one.value, str) else one for one in value))
    return node


def _expanded(node: Node, values: Mapping[str, Node]) -> Node:
    """A text with its variables replaced; one that is nothing else gets the variable's own type."""
    text = text_of(node)
    if "$" not in text:
        return node
    parts: list[str] = []
    used: list[Node] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0 and dollar + 1 < len(text):
        parts.append(text[at:dollar])
        following = text[dollar + 1]
        close = text.find(")", dollar + 2) if following == "(" else -1
        if close < 0:
            parts.append("$" if following == "$" else text[dollar : dollar + 2])
            at = dollar + 2
            continue
        name = text[dollar + 2 : close]
        found = values.get(name)
        at = close + 1
        if found is None or isinstance(found.value, (dict, tuple)) or found.value is None:
            parts.append(f"$({name})")
            continue
        if text == f"$({name})":
            return over(found, node, "the var is used here") if found.is_unknown else _whole(node, found)
        used.append(found)
        parts.append(text_of(found))
    parts.append(text[at:])
    result = "".join(parts)
    if any(one.is_unknown for one in used):
        return node.holding(Unknown(result, "a var in it is not known")).coming(stop(used[0], _VALUE_OF))
    return node if result == text else node.holding(result).coming(*(stop(one, _VALUE_OF) for one in used[:2]))


def _whole(node: Node, found: Node) -> Node:
    return node.holding(found.value).coming(stop(found, _VALUE_OF))
