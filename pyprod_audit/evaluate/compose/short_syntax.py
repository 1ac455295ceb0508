"""The short syntaxes of attributes in their long form, after each file that is laid over the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pyprod_audit.evaluate.compose.attribute_paths import AttributeRules
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.merging import build_mapping, named_members, started, variables_of
from pyprod_audit.evaluate.compose.ports import long_ports
from pyprod_audit.evaluate.compose.texts import as_text, members_like
from pyprod_audit.evaluate.compose.volumes import long_device, long_volume
from pyprod_audit.model import Node, Unknown

Transformer = Callable[[Node, Faults], Node]
_Rules = AttributeRules[Transformer]


def long_form(model: Node, faults: Faults) -> Node:
    """The model with everything in its long form; what is not valid becomes Unknown."""
    return _transformed(model, RULES, faults)


def _transformed(node: Node, rules: _Rules, faults: Faults) -> Node:
    if rules.here is not None:
        node = rules.here(node, faults)
    value = node.value
    if not rules.below:
        return node
    if isinstance(value, dict):
        changed: dict[str, Node] = {}
        for name, member in value.items():
            below = rules.at(name)
            if below is not None:
                made = _transformed(member, below, faults)
                if made is not member:
                    changed[name] = made
        if changed:
            return node.holding(members_like({**value, **changed}, value))
    elif isinstance(value, tuple):
        every = rules.at("*")
        if every is not None:
            made_items = tuple(_transformed(member, every, faults) for member in value)
            if any(a is not b for a, b in zip(made_items, value, strict=True)):
                return node.holding(made_items)
    return node


def invalid(node: Node, what: str, faults: Faults) -> Node:
    """An Unknown in the place of a value that Compose refuses."""
    faults.add(f"not valid as {what}: Compose refuses it", node)
    written = node.value if isinstance(node.value, str) else "…"
    return node.holding(Unknown(written, f"it is not valid as {what}"))


def _mapping_of(what: str) -> Transformer:
    def checked(node: Node, faults: Faults) -> Node:
        if node.value is None or isinstance(node.value, (dict, Unknown)):
            return node
        return invalid(node, what, faults)

    return checked


def _list(node: Node, _faults: Faults) -> Node:
    return node.holding((_bare(node),)) if isinstance(node.value, str) else node


def _bare(node: Node) -> Node:
    return Node(node.value, node.source, node.start, node.end).coming(*node.via)


def _ports(node: Node, faults: Faults) -> Node:
    if node.is_unknown or node.value is None:
        return node
    if not isinstance(node.value, tuple):
        return invalid(node, "a list of ports", faults)
    ports: list[Node] = []
    for entry in node.value:
        if isinstance(entry.value, dict):
            ports.append(entry)
            continue
        made = long_ports(entry)
        ports.extend(made if made is not None else (invalid(entry, "a port", faults),))
    return node.holding(tuple(ports))


def _volume(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, dict):
        return node
    made = long_volume(node) if isinstance(node.value, (str, Unknown)) else None
    return made or invalid(node, "a volume", faults)


def _device(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, dict):
        return node
    made = long_device(node) if isinstance(node.value, (str, Unknown)) else None
    return made or invalid(node, "a device", faults)


def _file_mount(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, dict):
        return node
    if isinstance(node.value, str) or node.is_unknown:
        return node.holding({"source": _bare(node)})
    return invalid(node, "the name of a secret or config", faults)


def _environment_files(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, str) or node.is_unknown:
        return node.holding((_environment_file(_bare(node), faults),))
    if isinstance(node.value, tuple):
        return node.holding(tuple(_environment_file(entry, faults) for entry in node.value))
    return node if node.value is None else invalid(node, "a list of files", faults)


def _environment_file(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, str) or node.is_unknown:
        return node.holding({"path": _bare(node), "required": node.holding(True)})
    if not isinstance(node.value, dict):
        return invalid(node, "the path of a file", faults)
    if "required" in node.value:
        return node
    return node.holding({**node.value, "required": node.holding(True)})


def _depends_on(node: Node, faults: Faults) -> Node:
    made = named_members(node, faults, started)
    if not isinstance(made.value, dict):
        return made if made.value is None or made.is_unknown else invalid(node, "the names of services", faults)
    members = dict(made.value)
    for name, member in made.value.items():
        if member.value is None:
            member = member.holding({})
        if isinstance(member.value, dict):
            defaults = {"condition": member.holding("service_started"), "required": member.holding(True)}
            members[name] = member.holding({**defaults, **member.value})
        elif not member.is_unknown:
            members[name] = invalid(member, "a dependency", faults)
    return made.holding(members_like(members, made.value))


def _named(node: Node, faults: Faults) -> Node:
    return named_members(node, faults)


def _pairs(node: Node, faults: Faults) -> Node:
    return variables_of(node, faults)


def _gpus(node: Node, _faults: Faults) -> Node:
    if isinstance(node.value, str):
        return node.holding((_bare(node).holding({"count": _bare(node).holding("all")}),))
    return node


def _extends(node: Node, faults: Faults) -> Node:
    if isinstance(node.value, str) or node.is_unknown:
        return node.holding({"service": _bare(node)})
    return node if isinstance(node.value, dict) else invalid(node, "the name of a service", faults)


def _text(node: Node, _faults: Faults) -> Node:
    return as_text(node)


def _build(node: Node, faults: Faults) -> Node:
    made = build_mapping(node)
    if made.value is None or isinstance(made.value, dict):
        return made
    return invalid(node, "a build", faults)


def _ssh(node: Node, faults: Faults) -> Node:
    return variables_of(node, faults)


def _external(node: Node, faults: Faults) -> Node:
    """`external: {name: x}` of old files is `external: true` with that name."""
    if node.value is None or node.is_unknown:
        return node
    if not isinstance(node.value, dict):
        return invalid(node, "a mapping", faults)
    external = node.value.get("external")
    if external is None or not isinstance(external.value, dict):
        return node
    members = {**node.value, "external": external.holding(True)}
    name = external.value.get("name")
    if name is not None and "name" not in members:
        members["name"] = name
    return node.holding(members)


_SERVICE: Final[dict[str, Transformer]] = {
    "env_file": _environment_files,
    "label_file": _list,
    "gpus": _gpus,
    "networks": _named,
    "models": _named,
    "volumes.*": _volume,
    "dns": _list,
    "devices.*": _device,
    "secrets.*": _file_mount,
    "configs.*": _file_mount,
    "environment": _pairs,
    "labels": _pairs,
    "annotations": _pairs,
    "sysctls": _pairs,
    "deploy.labels": _pairs,
    "build": _build,
    "build.args": _pairs,
    "build.labels": _pairs,
    "build.additional_contexts": _pairs,
    "build.secrets.*": _file_mount,
    "build.ssh": _ssh,
    "build.provenance": _text,
    "build.sbom": _text,
    "depends_on": _depends_on,
    "extends": _extends,
    "ports": _ports,
    "develop.watch.*.ignore": _list,
    "develop.watch.*.include": _list,
}
_ROWS: Final[dict[str, Transformer]] = {
    "services": _mapping_of("a mapping of services"),
    "services.*": _mapping_of("a service"),
    **{f"services.*.{path}": transformer for path, transformer in _SERVICE.items()},
    **dict.fromkeys(("volumes", "networks", "secrets", "configs"), _mapping_of("a mapping of names")),
    **dict.fromkeys(("volumes.*", "networks.*", "secrets.*", "configs.*"), _external),
    **dict.fromkeys(("volumes.*.labels", "networks.*.labels", "secrets.*.labels", "configs.*.labels"), _pairs),
}
RULES: Final = AttributeRules[Transformer](_ROWS)
