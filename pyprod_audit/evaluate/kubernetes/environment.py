"""The variables that Kubernetes gives a container.

What is set, and what is stronger, is that of the kubelet (kubernetes, pkg/kubelet/kubelet_pods.go,
`makeEnvironmentVariables`): `envFrom` in order, later sources over earlier ones, then `env` in order, each of which may
refer to those before it. Only `data` of a ConfigMap counts, never `binaryData`. A key or object that is missing keeps
the container from starting, unless the reference is `optional`: then the variable is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pyprod_audit.evaluate.kubernetes.expansion import expanded, value_in
from pyprod_audit.model.node import MISSING, Derived, Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.source import Span, Via
from pyprod_audit.model.units import quantity
from pyprod_audit.parsers.kubernetes_variables import is_filled_in

_BLANK = lazy(r"\s")
_LABEL = lazy(r"metadata\.(labels|annotations)\['([^']+)'\]")
_SECRET: Final = "Secret"  # noqa: S105 - the kind of an object
_MAX_VIA: Final = 4


class Entries(NamedTuple):
    """What the repository knows of a ConfigMap or Secret: its values by key.

    `missing` says why it may have other keys; empty when these are all.
    """

    values: Mapping[str, Node] = {}
    missing: str = ""


class Pod(NamedTuple):
    """What a container is told of its pod: `template` has its metadata and spec, `namespace` is as written."""

    template: Node
    namespace: Node | None = None


@dataclass(frozen=True, slots=True)
class PodEnvironment:
    """Variables of a container by name, without those of its image.

    `missing` says why others may be set; empty when these are all. What comes from a Secret is Unknown in `variables`;
    `secrets` has such values as far as the repository does: for comparing, never to be shown.
    """

    variables: Mapping[str, Node] = field(default_factory=dict)
    missing: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    service_links: bool = True

    def expand(self, word: Node) -> Node:
        """A word of `command` or `args` with its `$(NAME)` replaced; its place stays.

        A reference to nothing stays in a script, where the shell makes something of it; another word is Unknown then,
        because no program can mean it.
        """
        text = word.text
        if text is None or "$" not in text:
            return word
        undefined: list[str] = []

        def value_of(name: str) -> str | Unknown | None:
            value = value_in(self.variables, name, self.missing, service_links=self.service_links)
            if value is None:
                undefined.append(name)
            return value

        found = expanded(text, value_of)
        if undefined and not isinstance(found, Unknown) and not _BLANK.search(text):
            found = Unknown(text, f"{undefined[0]} is no variable of the container")
        return word.holding(found)

    def revealed(self) -> dict[str, str]:
        """The known values by name, those from Secrets among them: for comparing, never to be shown."""
        texts = {name: str(node.scalar) for name, node in self.variables.items() if node.scalar is not None}
        partly = {
            name: node.value.expression for name, node in self.variables.items() if isinstance(node.value, Unknown)
        }
        return {**partly, **texts, **self.secrets}


NOTHING: Final = PodEnvironment()
EntriesOf = Callable[[str, str], Entries]


def environment_of(container: Node, pod: Pod, entries_of: EntriesOf) -> PodEnvironment:
    """The variables of a container.

    Args:
        container: as the manifest has it.
        pod: for what `fieldRef` names.
        entries_of: the entries of the ConfigMap or Secret (its kind) of a name.
    """
    links = pod.template.get("spec.enableServiceLinks")
    building = _Building(container, pod, entries_of, service_links=links is None or links.scalar is not False)
    sources, variables = container.get("envFrom"), container.get("env")
    for node, take in ((sources, building.take_all), (variables, building.take)):
        if node is not None and node.is_unknown:
            building.miss(f"{node.key.text if node.key else 'env'} is known only at deploy time")
        for entry in node.items if node is not None else ():
            take(entry)
    return PodEnvironment(building.variables, building.missing, building.secrets, building.service_links)


class _Building:
    """The environment while it is put together."""

    def __init__(self, container: Node, pod: Pod, entries_of: EntriesOf, *, service_links: bool) -> None:
        self.container = container
        self.pod = pod
        self.entries_of = entries_of
        self.service_links = service_links
        self.variables: dict[str, Node] = {}
        self.secrets: dict[str, str] = {}
        self.missing = ""

    def miss(self, because: str) -> None:
        """Note why variables may be set that are not known."""
        self.missing = self.missing or because

    # -- envFrom -----------------------------------------------------------------------------------------------

    def take_all(self, source: Node) -> None:
        """One source of `envFrom`."""
        prefix = source.get("prefix")
        for kind, reference in _sources(source):
            name = reference.get("name")
            if name is None or name.text is None or (prefix is not None and prefix.is_unknown):
                self.miss(f"which {kind} sets variables is known only at deploy time")
                continue
            entries = self.entries_of(kind, name.text)
            if entries.missing:
                self.miss(entries.missing)
                if kind != _SECRET:
                    self._doubt(name, entries.missing)
            lead = str(prefix.scalar) if prefix is not None and prefix.scalar is not None else ""
            for key, value in entries.values.items():
                self._set(f"{lead}{key}", _through(value, name, kind, name.text), kind)
        if source.is_unknown:
            self.miss("a source of variables is known only at deploy time")

    def _doubt(self, place: Node, because: str) -> None:
        """What was set so far may be set otherwise by a ConfigMap that is not known.

        A Secret that is not known is taken to hold keys of its own: people keep settings and secrets apart.
        """
        for name in self.variables:
            self.variables[name] = place.holding(Unknown(name, because))

    # -- env ---------------------------------------------------------------------------------------------------

    def take(self, entry: Node) -> None:
        """One member of `env`."""
        name = entry.get("name")
        if entry.is_unknown or name is None or name.text is None:
            self.miss("the name of a variable is known only at deploy time")
            return
        value, origin = entry.get("value"), entry.get("valueFrom")
        if value is not None and value.value not in (None, ""):
            self._set(name.text, self._expanded(value), "")
        elif origin is not None:
            found = self._from(origin)
            if found is not None:
                self._set(name.text, *found)
        else:
            at = value or entry
            self._set(name.text, Node("", at.source, at.start, at.end, at.key_start, at.key_end), "")

    def _expanded(self, value: Node) -> Node:
        text = value.text
        if text is None or "$" not in text:
            return value
        return value.holding(expanded(text, self._value_of))

    def _value_of(self, name: str) -> str | Unknown | None:
        return value_in(self.variables, name, self.missing, service_links=self.service_links)

    def _set(self, name: str, value: Node, kind: str) -> None:
        """Set a variable, over what was set before; the value of a Secret is kept apart."""
        self.secrets.pop(name, None)
        if kind == _SECRET and not value.is_unknown:
            self.secrets[name] = str(value.scalar)
            value = value.holding(Unknown(name, "the value comes from a Secret"))
        self.variables[name] = value

    # -- valueFrom ---------------------------------------------------------------------------------------------

    def _from(self, origin: Node) -> tuple[Node, str] | None:
        """The value that `valueFrom` names, and the kind of object it comes from; None when it is left out."""
        for member, reference in origin.mapping.items():
            match member:
                case "configMapKeyRef":
                    return self._of_key("ConfigMap", reference)
                case "secretKeyRef":
                    return self._of_key(_SECRET, reference)
                case "fieldRef":
                    return self._of_field(reference), ""
                case "resourceFieldRef":
                    return self._of_resource(reference), ""
            return _unknown(reference, member, f"the value comes from a {member}"), ""
        return _unknown(origin, "valueFrom", "the value comes from elsewhere"), ""

    def _of_key(self, kind: str, reference: Node) -> tuple[Node, str] | None:
        name, key = reference.get("name"), reference.get("key")
        if name is None or key is None or name.text is None or key.text is None:
            return _unknown(reference, kind, f"which {kind} it comes from is known only at deploy time"), kind
        entries = self.entries_of(kind, name.text)
        found = entries.values.get(key.text)
        if found is not None:
            return _through(found, key, kind, name.text), kind
        optional = reference.get("optional")
        if not entries.missing and optional is not None and optional.scalar is True:
            return None
        because = entries.missing or f"the {kind} {name.text} has no key {key.text}"
        return _unknown(key, f"{kind} {name.text}/{key.text}", because), kind

    def _of_field(self, reference: Node) -> Node:
        path = reference.get("fieldPath")
        text = path.text if path is not None else None
        if path is None or text is None:
            return _unknown(reference, "fieldRef", "the value comes from a field of the pod")
        found: Node | None = None
        if text == "metadata.namespace":
            found = self.pod.namespace
        elif text == "spec.serviceAccountName":
            found = self.pod.template.get("spec.serviceAccountName")
        elif named := _LABEL.fullmatch(text):
            member = self.pod.template.find(("metadata", named[1], named[2]))[0]
            found = None if member is MISSING else member
        if found is None or found.text is None:
            return _unknown(path, text, f"{text} is known once the pod runs")
        return _coming(path, found, "set here").holding(found.text)

    def _of_resource(self, reference: Node) -> Node:
        """A request or limit in units of the divisor, rounded up (kubernetes, pkg/api/v1/resource/helpers.go)."""
        path, divisor = reference.get("resource"), reference.get("divisor")
        other = reference.get("containerName")
        own = other is None or other.value == self.container.text_at("name")
        amount = self.container.get(f"resources.{path.text}") if path is not None and path.text and own else None
        written = path.text or "resourceFieldRef" if path is not None else "resourceFieldRef"
        if path is None or amount is None or amount.scalar is None or (divisor is not None and divisor.is_unknown):
            return _unknown(path or reference, written, f"{written} is known once the pod runs")
        parts = 1000 if written.endswith(".cpu") else 1
        try:
            value = math.ceil(_whole(amount.scalar, parts) / (_whole(divisor.scalar if divisor else 0, parts) or parts))
        except (ValueError, OverflowError):
            return _unknown(path, written, f"{written} is no quantity")
        return _coming(path, amount, "set here").holding(str(value))


def _sources(source: Node) -> Iterator[tuple[str, Node]]:
    for kind, member in (("ConfigMap", "configMapRef"), (_SECRET, "secretRef")):
        reference = source.get(member)
        if reference is not None:
            yield kind, reference


def _whole(amount: object, parts: int) -> int:
    """A quantity in thousandths (`parts`) or units, rounded up. Raises ValueError, also when it is not exact."""
    value = math.ceil(round(quantity(amount) * parts, 6))
    if abs(value) >= 2**53:
        raise ValueError(f"too large to be exact: {amount!r}")
    return value


def _coming(place: Node, value: Node, label: str) -> Node:
    """The place that refers to a value, with that of the value behind it."""
    return Derived(place, (*place.via, Via(Span(*value.anchor[:3]), label), *value.anchor.via)[:_MAX_VIA])


def _through(value: Node, place: Node, kind: str, name: str) -> Node:
    """The value of a key, at the place that refers to it; no way leads to a Secret, because its line would be shown."""
    found = place if kind == _SECRET else _coming(place, value, f"set by the {kind} {name}")
    if isinstance(value.value, str) and is_filled_in(value.value):
        return found.holding(Unknown(value.value, "filled in by a tool that expands variables"))
    if isinstance(value.value, (dict, tuple)):
        return found.holding(Unknown(name, "it is no text"))
    return found.holding(value.value)


def _unknown(place: Node, expression: str, because: str) -> Node:
    return Node(Unknown(expression, because), place.source, place.start, place.end, place.key_start, place.key_end)
