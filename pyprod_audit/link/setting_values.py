"""Numbers that Python code takes from the environment or from settings, as one deployed service gets them.

`int(os.getenv("POOL_SIZE", "5"))`, a module's constant, a field of a pydantic settings class: what the container sets
counts, else the default. Where the container's variables are not all known (`envFrom` of a Secret), the value is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyprod_audit.link.pod_environment import pod_environment
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

_DEPTH = 4  # constants that refer to constants
_INT = lazy(r"int\((.{1,200})\)", re.DOTALL)
_LOOK_UP = lazy(
    r"(?:os\.)?(?:getenv|environ(?:\.get)?|config|env(?:\.int)?)[(\[]\s{0,9}[\"']([A-Za-z_]\w{0,79})[\"']"
    r"(?:,\s{0,9}(?:default\s{0,3}=\s{0,3})?[\"']?([0-9]{1,7})[\"']?)?(?:,\s{0,9}cast\s{0,3}=\s{0,3}int)?"
    r"\s{0,9},?\s{0,9}[)\]](?:\s{1,3}or\s{1,3}[\"']?([0-9]{1,7})[\"']?)?"
)
_NAME = lazy(r"(?:[A-Za-z_][\w.]{0,200}(?:\(\))?\.)?([A-Za-z_]\w{0,79})")
_FIELD = lazy(r"[A-Za-z_]\w{0,79}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides the settings of a service: its modules and its variables; `open`: others may be set as well."""

    modules: Sequence[Resource] = ()
    variables: Mapping[str, Node] = field(default_factory=dict)
    open: bool = True

    def number(self, node: Node, module: Resource) -> Node:
        """`node`, written in `module`, with the whole number that it comes to; unchanged when that is not known."""
        found = self._number(node, module, _DEPTH)
        if not isinstance(found, int):
            return Node(found, node.source, node.start, node.end) if found is not None else node
        return Node(found, node.source, node.start, node.end, node.key_start, node.key_end)

    def _number(self, node: Node, module: Resource, depth: int) -> int | Unknown | None:
        value = node.value
        if not isinstance(value, Unknown):
            return _whole(value)
        if depth == 0:
            return None
        expression = value.expression.strip()
        inside = _INT.fullmatch(expression)
        expression = inside[1].strip() if inside is not None else expression
        read = _LOOK_UP.fullmatch(expression)
        if read is not None:
            return self._variable(read[1], _whole(read[2] or read[3]))
        named = _NAME.fullmatch(expression)
        return self._named(expression, named[1], module, depth) if named is not None else None

    def _named(self, expression: str, last: str, module: Resource, depth: int) -> int | Unknown | None:
        """A constant of a module, or a field of the settings class."""
        owner = expression.rpartition(".")[0]
        for one in self.modules:
            if one is module if not owner else one.address == owner or one.address.endswith(f".{owner}"):
                constant = one.node.mapping_at("assignments").get(last)
                if constant is not None:
                    return self._number(constant, one, depth - 1)
        fields = list(self._declared(last)) if owner else []
        if len(fields) != 1:
            return None
        default = fields[0].get("default")
        names = [fields[0].text_at("name"), *(other.text for other in fields[0].items_at("also"))]
        for name in names:
            if name is not None and self._written(name) is not None:
                return self._variable(name, None)
        return self._variable(names[0] or "", _whole(default.value) if default is not None else None)

    def _declared(self, name: str) -> Iterator[Node]:
        """The fields of that name of pydantic settings classes."""
        for module in self.modules:
            for read in module.node.items_at("env_reads"):
                if read.text_at("reader") != "pydantic":
                    continue
                found = _FIELD.match(read.source.text, read.start)
                if found is not None and found[0] == name:
                    yield read

    def _written(self, name: str) -> Node | None:
        """A variable of the container; pydantic does not heed case."""
        found = self.variables.get(name)
        return found if found is not None else self.variables.get(name.lower())

    def _variable(self, name: str, default: int | None) -> int | Unknown | None:
        written = self._written(name)
        if written is not None:
            return _whole(written.value)
        if self.open:
            return Unknown(name, f"{name} may be set at deploy time")
        return default


def settings_of(service: Service, repository: Repository) -> Settings:
    """The settings of a service; without a container its variables are open."""
    image = service.image.node.mapping_at("env") if service.image is not None else {}
    if service.container is None:
        return Settings(service.modules, image)
    given = pod_environment(service.container, repository)
    return Settings(service.modules, {**image, **given.variables}, bool(given.missing))


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8 else None
