"""What the loader's model amounts to for one service: defaults, texts, words of commands, variables of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pyprod_audit.evaluate.compose.attribute_paths import AttributeRules
from pyprod_audit.evaluate.compose.command_words import command_words
from pyprod_audit.evaluate.compose.env_files import read_environment_file
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.file_paths import inside
from pyprod_audit.evaluate.compose.merging import sequence_of
from pyprod_audit.evaluate.compose.ports import is_address
from pyprod_audit.evaluate.compose.project_environment import ProjectEnvironment, note_fault
from pyprod_audit.evaluate.compose.short_syntax import invalid
from pyprod_audit.evaluate.compose.texts import as_text, go_text, members_like
from pyprod_audit.evaluate.compose.volumes import clean
from pyprod_audit.model import Node, OpenMapping, Tree, Unknown

Change = Callable[[Node, Faults], "Node | None"]


class ServiceView:
    """Makes effective services of one project."""

    def __init__(self, environment: ProjectEnvironment, tree: Tree, faults: Faults) -> None:
        self._environment = environment
        self._tree = tree
        self._faults = faults

    def service(self, node: Node) -> Node:
        """The service as `docker compose config` prints it, but with durations and sizes as they are written."""
        if not isinstance(node.value, dict):
            return node
        members = {name: member for name, member in node.value.items() if name != "extends"}
        _build_defaults(members)
        changed = _changed(node.holding(members_like(members, node.value)), RULES, self._faults)
        value = dict(changed.mapping) if changed is not None else members
        self._variables(value)
        self._labels(value)
        _implied_dependencies(value)
        return node.holding(members_like(value, node.value))

    # -- variables ---------------------------------------------------------------------------------------------

    def _variables(self, members: dict[str, Node]) -> None:
        """`environment`, over the variables of `env_file`; names without a value are those of the project."""
        own = members.get("environment")
        if own is not None and own.is_unknown:
            return
        known = {name: self._resolved(name, node) for name, node in own.mapping.items()} if own is not None else {}
        rest = own.value.rest if own is not None and isinstance(own.value, OpenMapping) else None
        place = own
        from_files, rest = self._files(members.get("env_file"), known, rest)
        if from_files or rest is not None:
            place = place or members.get("env_file")
        if place is not None:
            found = {**from_files, **known}
            value = found if rest is None else OpenMapping(found, rest)
            if found or rest is not None or own is not None:
                members["environment"] = place.holding(value)
        build = members.get("build")
        arguments = build.mapping.get("args") if build is not None else None
        if build is not None and arguments is not None and isinstance(arguments.value, dict):
            given = {name: self._resolved(name, node) for name, node in arguments.value.items()}
            changed = arguments.holding(members_like(given, arguments.value))
            members["build"] = build.holding({**build.mapping, "args": changed})

    def _resolved(self, name: str, node: Node) -> Node:
        """A variable without a value as the project's environment has it; else as a text."""
        if node.value is not None:
            return as_text(node)
        found = self._environment.lookup(name)
        if found is None:
            return node.holding(Unknown(f"${name}", f"{name} is set in the environment at deploy time"))
        return Node(found.value, found.source, found.start, found.end, found.key_start, found.key_end)

    def _files(
        self, files: Node | None, own: dict[str, Node], rest: Node | None
    ) -> tuple[dict[str, Node], Node | None]:
        """The variables of environment files, and what may bring more of them."""
        found: dict[str, Node] = {}
        if files is None:
            return found, rest
        if files.is_unknown:
            return found, files

        def stronger(name: str) -> Node | None:
            return self._environment.variables.get(name) or own.get(name)

        for entry in files.items:
            path = entry.mapping.get("path")
            source = self._tree.text(path.text) if path is not None and path.text and inside(path.text) else None
            if source is None or entry.text_at("format") not in (None, "", ".env"):
                rest = _missing(path or entry)
                continue
            read = read_environment_file(source, stronger, found.get)
            for name, node in read.passed_on.items():
                known = stronger(name)
                found[name] = known or node.holding(
                    Unknown(f"${name}", f"{name} is set in the environment at deploy time")
                )
            found.update(read.variables)
            if read.fault is not None:
                rest = note_fault(source, read.fault, self._faults)
        return found, rest

    def _labels(self, members: dict[str, Node]) -> None:
        """`labels` over those of `label_file`."""
        files = members.get("label_file")
        if files is None:
            return
        own = members.get("labels")
        found: dict[str, Node] = {}
        rest = files if files.is_unknown else None
        for path in files.items:
            source = self._tree.text(path.text) if path.text and inside(path.text) else None
            if source is None:
                rest = _missing(path)
            else:
                found.update(read_environment_file(source, _nothing, found.get).variables)
        if own is not None and isinstance(own.value, OpenMapping):
            rest = own.value.rest
        value = {**found, **(own.mapping if own is not None else {})}
        members["labels"] = (own or files).holding(value if rest is None else OpenMapping(value, rest))


def _nothing(_name: str) -> Node | None:
    return None


def _missing(path: Node) -> Node:
    written = path.text or "…"
    unknown = Unknown(written, f"{written} is not in the repository")
    return Node(unknown, path.source, path.start, path.end)


# -- attributes by their path ---------------------------------------------------------------------------------


def _changed(node: Node, rules: AttributeRules[Change], faults: Faults) -> Node | None:
    """The node with its rules applied from the inside out; None when it is as if it was not written."""
    value = node.value
    if isinstance(value, dict) and rules.below:
        members: dict[str, Node] = {}
        for name, member in value.items():
            below = rules.at(name)
            made = _changed(member, below, faults) if below is not None else member
            if made is not None:
                members[name] = made
        node = node.holding(members_like(members, value))
    elif isinstance(value, tuple) and (every := rules.at("*")) is not None:
        items = (_changed(item, every, faults) for item in value)
        node = node.holding(tuple(item for item in items if item is not None))
    return node if rules.here is None else rules.here(node, faults)


def _words(node: Node, faults: Faults) -> Node | None:
    """A command as its words; null says nothing."""
    if isinstance(node.value, str) or node.is_unknown:
        words = command_words(node)
        return node.holding(words) if words is not None else invalid(node, "a command", faults)
    return None if node.value is None else _texts(node, faults)


def _test(node: Node, _faults: Faults) -> Node | None:
    """The test of a health check: a text is run by a shell."""
    if isinstance(node.value, str):
        inner = Node(node.value, node.source, node.start, node.end).coming(*node.via)
        return node.holding((inner.holding("CMD-SHELL"), inner))
    return None if node.value is None else node


def _as_text(node: Node, _faults: Faults) -> Node | None:
    return as_text(node)


def _texts(node: Node, _faults: Faults) -> Node | None:
    """A list of texts; one text is a list of one."""
    if isinstance(node.value, tuple):
        return node.holding(tuple(as_text(item) for item in node.value))
    if node.value is None or node.is_unknown or isinstance(node.value, dict):
        return node
    text = as_text(node)
    return node.holding((Node(text.value, node.source, node.start, node.end).coming(*node.via),))


def _text_members(node: Node, _faults: Faults) -> Node | None:
    """A mapping of texts; null is the empty text."""
    if not isinstance(node.value, dict):
        return node
    members = {
        name: member.holding("") if member.value is None else as_text(member) for name, member in node.value.items()
    }
    return node.holding(members_like(members, node.value))


def _port(node: Node, faults: Faults) -> Node | None:
    """A port with its protocol and mode, and the published one as text."""
    if not isinstance(node.value, dict):
        return node
    members = {"protocol": node.holding("tcp"), "mode": node.holding("ingress"), **node.value}
    published, host = members.get("published"), members.get("host_ip")
    if published is not None:
        members["published"] = as_text(published)
    if host is not None and host.text and not is_address(host.text):
        members["host_ip"] = invalid(host, "an address", faults)
    return node.holding(members_like(members, node.value))


def _secret(node: Node, _faults: Faults) -> Node | None:
    """A secret in a container with its path."""
    source = node.mapping.get("source")
    if source is None or "target" in node.mapping or not isinstance(node.value, dict):
        return node
    target = f"/run/secrets/{source.text}" if source.text is not None else source.value
    return node.holding({**node.value, "target": source.holding(target)})


def _volume(node: Node, _faults: Faults) -> Node | None:
    """A mount with its target cleaned; missing folders of the host are made unless it says otherwise."""
    if not isinstance(node.value, dict):
        return node
    members = dict(node.value)
    target, bind = members.get("target"), members.get("bind")
    if target is not None and target.text:
        members["target"] = target.holding(clean(target.text))
    if bind is not None and isinstance(bind.value, dict) and "create_host_path" not in bind.value:
        members["bind"] = bind.holding({**bind.value, "create_host_path": bind.holding(True)})
    return node.holding(members)


def _device_request(node: Node, _faults: Faults) -> Node | None:
    if not isinstance(node.value, dict) or "count" in node.value or "device_ids" in node.value:
        return node
    return node.holding({**node.value, "count": node.holding("all")})


def _hosts(node: Node, _faults: Faults) -> Node | None:
    """Additional hosts as `name=address`, sorted, as `docker compose config` prints them."""
    if node.is_unknown or node.value is None:
        return node
    return node.holding(tuple(sorted((_host(as_text(entry)) for entry in sequence_of(node)), key=_written)))


def _host(entry: Node) -> Node:
    text = entry.text
    if text is None:
        return entry
    separator = "=" if "=" in text else ":"
    name, _, address = text.partition(separator)
    if len(address) > 2 and address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return entry.holding(f"{name}={address}")


def _written(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else go_text(node.scalar)


def _ssh(node: Node, _faults: Faults) -> Node | None:
    """Keys as a list again: `default`, `name=path`."""
    return node.holding(sequence_of(node)) if isinstance(node.value, dict) else node


def _pull_policy(node: Node, _faults: Faults) -> Node | None:
    return node.holding("missing") if node.value == "if_not_present" else node


def _build_defaults(members: dict[str, Node]) -> None:
    build = members.get("build")
    if build is None or not isinstance(build.value, dict):
        return
    parts = dict(build.value)
    if "context" not in parts or parts["context"].value is None:
        parts["context"] = build.holding(".")
    inline = parts.get("dockerfile_inline")
    if ("dockerfile" not in parts or parts["dockerfile"].value is None) and (inline is None or inline.value is None):
        parts["dockerfile"] = build.holding("Dockerfile")
    members["build"] = build.holding(members_like(parts, build.value))


def _implied_dependencies(members: dict[str, Node]) -> None:
    """The services that links, shared namespaces and `volumes_from` wait for."""
    found: dict[str, tuple[Node, bool]] = {}
    for link in _items(members.get("links")):
        parts = (link.text or "").split(":")
        found.setdefault(parts[0] if len(parts) == 2 else ":".join(parts), (link, True))
    for name in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        node = members.get(name)
        if node is not None and node.text is not None and node.text.startswith("service:"):
            found.setdefault(node.text.removeprefix("service:"), (node, True))
    for mount in _items(members.get("volumes_from")):
        if mount.text is not None and not mount.text.startswith("container:"):
            found.setdefault(mount.text.partition(":")[0], (mount, False))
    found.pop("", None)
    if not found:
        return
    depends_on = members.get("depends_on")
    if depends_on is not None and depends_on.is_unknown:
        return
    first = next(iter(found.values()))[0]
    known = dict(depends_on.mapping) if depends_on is not None else {}
    for name, (node, restart) in found.items():
        if name not in known:
            dependency = {
                "condition": node.holding("service_started"),
                "restart": node.holding(restart),
                "required": node.holding(True),
            }
            known[name] = node.holding(dependency)
    place = depends_on if depends_on is not None else first
    members["depends_on"] = place.holding(members_like(known, depends_on.value if depends_on is not None else None))


def _items(node: Node | None) -> Iterable[Node]:
    return node.items if node is not None else ()


_TEXT_MEMBERS: Final = (
    "annotations", "labels", "sysctls", "logging.options", "storage_opt", "deploy.labels", "build.labels",
    "build.additional_contexts", "networks.*.driver_opts", "volumes.*.volume.labels",
)  # fmt: skip
_TEXT_LISTS: Final = (
    "dns", "dns_search", "tmpfs", "expose", "group_add", "label_file", "build.entitlements", "build.platforms",
)  # fmt: skip
RULES: Final = AttributeRules[Change]({
    "command": _words,
    "entrypoint": _words,
    "healthcheck.test": _test,
    "ports.*": _port,
    "secrets.*": _secret,
    "volumes.*": _volume,
    "gpus.*": _device_request,
    "deploy.resources.reservations.devices.*": _device_request,
    "extra_hosts": _hosts,
    "build.extra_hosts": _hosts,
    "build.ssh": _ssh,
    "pull_policy": _pull_policy,
    **dict.fromkeys(_TEXT_MEMBERS, _text_members),
    **dict.fromkeys(_TEXT_LISTS, _texts),
})  # fmt: skip
TEXT_MEMBERS: Final = AttributeRules[Change](
    dict.fromkeys(("driver_opts", "labels", "ipam.options", "ipam.config.*.aux_addresses"), _text_members)
)
"""Of volumes, networks, secrets and configs."""


def named_resource(name: str, node: Node, faults: Faults) -> Node:
    """A volume, network, secret or config; null is one without settings, an external one is named by its key."""
    if node.value is None:
        return node.holding({})
    changed = _changed(node, TEXT_MEMBERS, faults)
    if changed is None or not isinstance(changed.value, dict):
        return node
    external = changed.value.get("external")
    if "name" in changed.value or external is None or external.value is not True:
        return changed
    return changed.holding({**changed.value, "name": external.holding(name)})
