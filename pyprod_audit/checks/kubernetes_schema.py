"""Manifests that the API server refuses or silently cuts: unknown fields, wrong types, missing fields, doubled keys."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.kubernetes_fields import KnownFields, element, in_words, known_fields
from pyprod_audit.checks.pod_validation import refused_pods
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.kubernetes import namespace_of, place_of

_MOST_HITS: Final = 25
_NEAR: Final = 0.75
# What SOPS adds to a file that it encrypts, and takes away when it decrypts it: https://getsops.io/docs/
_SOPS: Final = "sops"
_TEMPLATE_MARKS: Final = ("{{", "{%", "${", "<%")
# Where a misplaced field is looked for: this many types up and down.
_REACH: Final = 3


def schema_error(resource: Resource, context: Context) -> Outcomes:
    """An object differs from what the Kubernetes API accepts, or a key of it is written twice."""
    if resource.kind == "yaml.duplicate_key":
        yield from _duplicate_key(resource)
        return
    if resource.parent is not None:
        yield Skip("a view of another object")
        return
    twin = _twin(resource, context.repository)
    if twin is not None:
        yield _same_object_again(resource, twin)
    table = known_fields()
    written = f"{resource.node.text_at('apiVersion') or ''} {resource.node.text_at('kind') or ''}"
    name = table.objects.get(written)
    if name is None:
        if twin is None:
            yield Skip(f"no table of the fields of {written.strip() or resource.kind}")
        return
    for count, outcome in enumerate(_compare(resource, name, table)):
        if count == _MOST_HITS:
            return
        yield outcome
    if not _is_partial(resource):
        yield from refused_pods(resource, context)


def _duplicate_key(resource: Resource) -> Outcomes:
    if resource.parent is None or not resource.parent.kind.startswith(("k8s.", "kustomize.")):
        yield Skip("not a Kubernetes object")
        return
    key = resource.node.key
    where = resource.address.removeprefix(f"{resource.parent.address}/")
    yield Hit(
        key or resource.node.anchor,
        message="{owner} sets {where} twice: the value here replaces the one above, or the manifest is refused",
        values={"owner": resource.parent.address, "where": where},
    )


def _twin(resource: Resource, repository: Repository) -> Resource | None:
    """An earlier object of the same file with the same kind, name and namespace but another content."""
    first = repository.memo("k8s.first_of_name", _first_of_name).get(_identity(resource))
    if first is None or first is resource or _is_partial(resource):
        return None
    return None if _text(first) == _text(resource) else first


def _first_of_name(repository: Repository) -> Mapping[tuple[str, ...], Resource]:
    found: dict[tuple[str, ...], Resource] = {}
    for resource in repository.of_technology("k8s"):
        name = resource.node.get("metadata.name")
        if resource.parent is None and name is not None and name.text:
            found.setdefault(_identity(resource), resource)
    return found


def _identity(resource: Resource) -> tuple[str, ...]:
    return resource.path, resource.variant, resource.address, namespace_of(resource)


def _text(resource: Resource) -> str:
    return resource.node.span.text.strip()


def _same_object_again(resource: Resource, first: Resource) -> Hit:
    name = resource.node.get("metadata.name")
    return Hit(
        name.span if name is not None else resource.node.anchor,
        values={"owner": resource.address},
        message="{owner} is in this file twice with different contents: the later one replaces the earlier",
        related=((place_of(first), "the earlier one"),),
        address=f"{resource.address}/twice",
    )


def _compare(resource: Resource, root: str, table: KnownFields) -> Iterator[Hit | Cannot]:
    """All differences between an object and its type, in the order of the file."""
    complete = not _is_partial(resource)
    if complete and not _has_name(resource.node):
        yield Hit(
            resource.node.anchor,
            {"owner": resource.address},
            message="{owner} has no metadata.name (nor generateName): the API server refuses it",
            address=f"{resource.address}/metadata.name",
        )
    pending: list[tuple[Node, str, tuple[str, ...], tuple[str, ...]]] = [(resource.node, root, (), (root,))]
    seen: set[tuple[int, str]] = set()
    while pending:
        node, notation, path, types = pending.pop()
        value = node.value
        if notation == "*" or value is None or isinstance(value, Unknown):
            continue
        wrong = _wrong_type(node, notation)
        if wrong:
            yield Hit(
                node.anchor,
                {"owner": resource.address, "where": _dotted(path), "wrong": wrong},
                message="{owner}: {where} {wrong}",
                address=f"{resource.address}/{_dotted(path)}",
            )
            continue
        if not isinstance(value, (dict, tuple)) or (id(value), notation) in seen:
            continue  # an alias: the same members, already compared
        seen.add((id(value), notation))
        inner = notation[1:-1]
        if isinstance(value, tuple):
            below = [
                (member, inner, (*path[:-1], f"{path[-1]}[{_label(member, index)}]"), types)
                for index, member in enumerate(value)
                if _may_differ(member, inner)
            ]
        elif notation[0] == "{":
            below = [
                (member, inner, (*path, key), types) for key, member in value.items() if _may_differ(member, inner)
            ]
        else:
            yield from _field_hits(resource, node, path, types, table, complete=complete)
            known = table.types[notation].fields
            below = [
                (member, known[key], (*path, key), (*types, element(known[key])))
                for key, member in value.items()
                if key in known and _may_differ(member, known[key])
            ]
        pending.extend(reversed(below))


def _may_differ(node: Node, notation: str) -> bool:
    """Whether there is more to say about a value than that it fits."""
    if notation == "*" or node.value is None:
        return False
    return isinstance(node.value, (dict, tuple)) or bool(_wrong_type(node, notation))


def _field_hits(
    resource: Resource,
    node: Node,
    path: tuple[str, ...],
    types: tuple[str, ...],
    table: KnownFields,
    *,
    complete: bool,
) -> Iterator[Hit]:
    """Fields of one mapping that do not exist, or are missing."""
    expected = table.types[types[-1]]
    templated = False
    for key, member in node.mapping.items():
        if key in expected.fields or (key == _SOPS and not path):
            continue
        if any(mark in key for mark in _TEMPLATE_MARKS):
            templated = True
            continue
        at = (*path, key)
        yield Hit(
            member.key or member.anchor,
            {"owner": resource.address, "where": _dotted(at), "advice": _advice(key, types, table)},
            message="{owner}: the API has no field {where}; {advice}",
            address=f"{resource.address}/{_dotted(at)}",
        )
    if not complete or templated:
        return
    for key in expected.required:
        found = node.mapping.get(key)
        if found is None or found.value is None:
            yield Hit(
                node.anchor,
                {"owner": resource.address, "where": _dotted(path) or "the object", "field": key},
                message="{owner}: {where} has no {field}, which the API requires",
                address=f"{resource.address}/{_dotted((*path, key))}",
            )


def _advice(key: str, types: tuple[str, ...], table: KnownFields) -> str:
    """The nearest field of this mapping, else the place where the field belongs."""
    fields = table.types[types[-1]].fields
    folded = {name.lower(): name for name in fields}
    near = folded.get(key.lower().replace("_", "").replace("-", ""))
    if near is None:
        matches = difflib.get_close_matches(key, fields, n=1, cutoff=_NEAR)
        near = matches[0] if matches else None
    if near is not None:
        return f"the nearest is {near}"
    place = _place_below(key, types[-1], table) or _place_above(key, types, table)
    if place:
        return place
    return f"it is unknown in Kubernetes {table.releases}"


def _place_below(key: str, start: str, table: KnownFields) -> str:
    level: list[tuple[str, tuple[str, ...]]] = [(start, ())]
    for _ in range(_REACH):
        level = [
            (element(notation), (*path, name + "[]" if notation[0] == "[" else name))
            for current, path in level
            for name, notation in table.types[current].fields.items()
            if element(notation) in table.types
        ]
        for current, path in level:
            if key in table.types[current].fields:
                return f"it belongs under {'.'.join(path)}"
    return ""


def _place_above(key: str, types: tuple[str, ...], table: KnownFields) -> str:
    for levels, name in enumerate(reversed(types[:-1][-_REACH:]), 1):
        known = table.types.get(name)
        if known is not None and key in known.fields:
            return f"it belongs {levels} level{'s' if levels > 1 else ''} up"
    return ""


def _wrong_type(node: Node, notation: str) -> str:
    """What is wrong with the kind of a value, in the words of a message; empty when it fits."""
    value, wanted = node.value, notation[0] if notation[0] in "[{" else notation
    if isinstance(value, dict):
        fits = wanted not in ("s", "i", "n", "b", "q", "x", "[")
    elif isinstance(value, tuple):
        fits = wanted == "["
    elif isinstance(value, bool):
        fits = wanted == "b"
    elif isinstance(value, int):
        fits = wanted in ("i", "n", "q", "x")
    elif isinstance(value, float):
        fits = wanted in ("n", "q") or (wanted in ("i", "x") and value.is_integer())
    else:
        fits = wanted in ("s", "q", "x")
    if fits:
        return ""
    if wanted == "s" and isinstance(value, (bool, int, float)):
        return f"is {_called(value)}, and the API wants text: put {_shown(node)} in quotes"
    return f"is {_called(value)}, and the API wants {in_words(notation)}"


def _called(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, tuple) else "text"


def _shown(node: Node) -> str:
    """A scalar as it is written: `yes` is a boolean, too."""
    written = node.span.first_line.text if node.source.kind != "helm-template" else str(node.scalar)
    return written if 0 < len(written) <= 20 else "it"


def _is_partial(resource: Resource) -> bool:
    """Whether the file holds only part of the object: a template, or a patch that lies over another one."""
    text = resource.source.text
    if resource.source.kind != "helm-template" and ("{{" in text or "{%" in text):
        return True
    path = resource.path.lower()
    if "patch" in path.rsplit("/", 2)[-1] or "/patches/" in f"/{path}":
        return True
    spec = resource.node.get("spec")
    if spec is None or "template" not in spec.mapping or "selector" in spec.mapping:
        return False
    containers = spec.items_at("template.spec.containers")
    return resource.kind != "k8s.job" and not any("image" in container.mapping for container in containers)


def _has_name(node: Node) -> bool:
    metadata = node.get("metadata")
    if metadata is None:
        return False
    return metadata.is_unknown or any(metadata.mapping.get(key) is not None for key in ("name", "generateName"))


def _label(member: Node, index: int) -> str:
    name = member.mapping.get("name")
    return name.text if name is not None and name.text else str(index)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path)
