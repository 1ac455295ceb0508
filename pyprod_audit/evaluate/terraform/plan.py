"""Plans beside the configuration that they were made of: the planned values at the places where they are written.

A plan in the folder of a root module is the better account of the same deployment. Its resources take the place of
those of the configuration with the same address, and stand where those stand; a plan elsewhere stands for itself.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.terraform.references import without_keys
from pyprod_audit.model import Node, Resource, Unknown, Via
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.terraform_plan import SENSITIVE

_KEPT: Final = ("lifecycle", "provisioner", "connection", "timeouts", "depends_on", "provider", "count", "for_each")
_NOT_PLANNED: Final = Unknown("lifecycle", "a plan does not tell it")
_MAX_DEPTH: Final = 60
_STEP = lazy(r'module\.[\w-]+(?:\[[0-9]+\]|\["(?:[^"\\]|\\.)*"\])?')


def with_plans(plans: Sequence[Resource], written: Sequence[Resource]) -> list[Resource]:
    """The resources of the `tf.plan`s, and what they leave of `written`, the effective configuration."""
    by_folder: dict[str, list[Resource]] = {}
    for plan in plans:
        by_folder.setdefault(posixpath.dirname(plan.path), []).append(plan)
    found: list[Resource] = []
    gone: set[int] = set()
    for folder, beside in by_folder.items():
        own = _Written(folder, written)
        for plan in beside:
            found += _Plan(plan, own, alone=len(beside) == 1).resources()
        gone |= own.superseded()
    return [*(resource for resource in written if id(resource) not in gone), *found]


class _Written:
    """The configuration of one root module by address without instance keys, and what plans say about it."""

    def __init__(self, folder: str, written: Iterable[Resource]) -> None:
        self.configurations: dict[str, Resource] = {}
        self.resources: dict[str, list[Resource]] = {}
        self.planned: set[str] = set()
        own: set[int] = set()
        for resource in written:
            if resource.kind == "tf.configuration":
                root = resource
                while root.parent is not None:
                    root = root.parent
                if root.address == (folder or "."):
                    own.add(id(resource))
                    self.configurations.setdefault(without_keys(resource.node.text_at("module") or ""), resource)
        for resource in written:
            if resource.parent is not None and id(resource.parent) in own and _is_deployed(resource.kind):
                self.resources.setdefault(without_keys(resource.address), []).append(resource)

    def template(self, address: str) -> Resource | None:
        """The written resource that a planned one is an instance of, best the very instance."""
        found = self.resources.get(without_keys(address), ())
        return next((one for one in found if one.address == address), found[0] if found else None)

    def superseded(self) -> set[int]:
        """What is planned, and what the configuration leaves open and the plan does not have."""
        return {
            id(resource)
            for address, found in self.resources.items()
            for resource in found
            if address in self.planned
            or (self.planned and not resource.kind.startswith("tf.data.") and _is_open(resource))
        }


def _is_deployed(kind: str) -> bool:
    """Whether resources and data sources have this kind: their types have an underscore."""
    return "_" in kind


def _is_open(resource: Resource) -> bool:
    """Whether the configuration leaves open whether there is such a resource at all."""
    repeated = resource.node.get("count") or resource.node.get("for_each")
    return repeated is not None and repeated.is_unknown


class _Plan:
    """One plan, and the configuration that it was made of, if that lies beside it."""

    def __init__(self, plan: Resource, written: _Written, *, alone: bool) -> None:
        self._plan = plan
        self._written = written
        self._alone = alone
        self._label = f"planned in {posixpath.basename(plan.path)}"
        self._configurations: dict[str, Resource] = {}

    def resources(self) -> Iterator[Resource]:
        """The configuration of each module, before the first resource of it, and the resources."""
        for entry in self._plan.node.items_at("resources"):
            address, values = entry.text_at("address"), entry.mapping.get("values")
            if address is None or values is None:
                continue
            configuration, new = self._configuration(entry.text_at("module") or "")
            yield from new
            template = self._written.template(address)
            self._written.planned.add(without_keys(address))
            node = values
            if template is not None:
                node = grafted(values, template.node, self._label)
            elif entry.text_at("kind") != "tf.data":
                node = values.holding({**values.mapping, "lifecycle": values.holding((values.holding(_NOT_PLANNED),))})
            own = without_keys(address) != address and address.endswith("]")
            variant = self._variant(address) if own else configuration.variant
            via = template.via if template is not None else ()
            yield Resource(entry.text_at("kind") or "tf.unknown", address, node, configuration, variant, via)

    def _configuration(self, module: str) -> tuple[Resource, list[Resource]]:
        """The configuration of a module of the plan, and those that were made for it just now."""
        found = self._configurations.get(module)
        if found is not None:
            return found, []
        new: list[Resource] = []
        above = None
        if module:
            above, new = self._configuration(_outer(module))
        written = self._written.configurations.get(without_keys(module))
        place = (written or self._plan).node
        members: Mapping[str, Node] = {
            "root": place.holding(not module),
            "called": place.holding(bool(module)),
            "files": place.holding((place.holding(self._plan.path),)),
            "tfvars": place.holding(()),
            "plan": place.holding(self._plan.path),
            **({"module": place.holding(module)} if module else {}),
        }
        variant = self._variant(module) if module or not self._alone else ""
        via = written.via if written is not None else ()
        made = Resource("tf.configuration", self._plan.path, place.holding(dict(members)), above, variant, via)
        self._configurations[module] = made
        return made, [*new, made]

    def _variant(self, address: str) -> str:
        folder = posixpath.dirname(self._plan.path) if self._alone else self._plan.path
        return f"{folder} ({address})" if folder and address else folder or address


def _outer(module: str) -> str:
    """The address of the module around a module: `module.a["x"]` is around `module.a["x"].module.b`."""
    starts = [step.start() for step in _STEP.finditer(module)]
    return module[: starts[-1] - 1] if len(starts) > 1 else ""


# -- values at their places -----------------------------------------------------------------------------------------


def grafted(planned: Node, written: Node, label: str) -> Node:
    """The planned values, each where the configuration writes it; what that does not write stands at the resource."""
    members = _members(planned, written, label, 0)
    for name in _KEPT:
        if name not in members and name in written.mapping:
            members[name] = written.mapping[name]
    for name, node in written.mapping.items():
        if name not in members and name.endswith("_wo") and name not in planned.mapping:
            members[name] = node  # write-only: never in a plan
    return written.holding(members)


def _members(planned: Node, written: Node, label: str, depth: int) -> dict[str, Node]:
    members: dict[str, Node] = {}
    for name, node in planned.mapping.items():
        own = written.mapping.get(name)
        if own is None:
            members[name] = _at(written, node, label)
        else:
            members[name] = _value(node, own, label, depth + 1)
    return members


def _value(planned: Node, written: Node, label: str, depth: int) -> Node:
    value = planned.value
    if depth > _MAX_DEPTH:
        return _at(written, planned, label)
    if isinstance(value, dict) and isinstance(written.value, dict):
        return _coming(written.holding(_members(planned, written, label, depth)), planned, label)
    if isinstance(value, tuple) and isinstance(written.value, tuple):
        return _coming(written.holding(_sequence(value, written, label, depth)), planned, label)
    if not isinstance(value, (dict, tuple, Unknown)) and _same_scalar(value, written.value):
        return _coming(written.holding(value), planned, label)  # as it was evaluated, so by the same way
    if value == SENSITIVE or (isinstance(value, Unknown) and isinstance(written.value, Unknown)):
        return written
    return _at(written, planned, label)


def _sequence(planned: tuple[Node, ...], written: Node, label: str, depth: int) -> tuple[Node, ...]:
    """Members at the written ones that say the same; a set is planned in an order of its own."""
    left = list(written.items)
    found: list[Node] = []
    for node in planned:
        match = next((at for at, one in enumerate(left) if _agrees(node, one)), None)
        found.append(_at(written, node, label) if match is None else _value(node, left.pop(match), label, depth))
    return tuple(found)


def _agrees(planned: Node, written: Node) -> bool:
    """Whether nothing known in the written value contradicts the planned one."""
    pairs = [(planned, written)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one.value, Unknown) or isinstance(other.value, Unknown):
            continue
        if isinstance(one.value, dict) and isinstance(other.value, dict):
            pairs += [(one.value[name], node) for name, node in other.value.items() if name in one.value]
        elif isinstance(one.value, (dict, tuple)) or isinstance(other.value, (dict, tuple)):
            if type(one.value) is not type(other.value) and not (one.items and other.items):
                return False
        elif not _same_scalar(one.value, other.value):
            return False
    return True


def _same_scalar(one: Value, other: Value) -> bool:
    """Whether two scalars are the same to a provider, for which "5" is 5."""
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    return str(one) == str(other)


def _at(place: Node, planned: Node, label: str) -> Node:
    """A planned value at another place, everything in it too."""
    return _coming(Node(_moved(planned.value, place, 0), place.source, *_anchor(place)), planned, label)


def _moved(value: Value, place: Node, depth: int) -> Value:
    if depth > _MAX_DEPTH:
        return Unknown("", "it is nested too deeply")
    if isinstance(value, dict):
        return {
            key: Node(_moved(node.value, place, depth + 1), place.source, *_anchor(place))
            for key, node in value.items()
        }
    if isinstance(value, tuple):
        return tuple([Node(_moved(node.value, place, depth + 1), place.source, *_anchor(place)) for node in value])
    return value


def _anchor(place: Node) -> tuple[int, int, int, int]:
    if place.key_start >= 0 and isinstance(place.value, (dict, tuple)):
        return place.key_start, place.key_end, place.key_start, place.key_end
    return place.start, place.end, place.key_start, place.key_end


def _coming(node: Node, planned: Node, label: str) -> Node:
    return node.coming(Via(planned.anchor, label))
