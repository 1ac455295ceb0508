"""The environment of a container with what ConfigMaps and Secrets of the repository bring."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.kubernetes.environment import NOTHING, Entries, Pod, PodEnvironment, environment_of
from pyprod_audit.link.network import nearest, same_namespace
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.kubernetes import name_of, object_of, template_of
from pyprod_audit.model.patterns import lazy

_MAKERS: Final = {
    "ConfigMap": ("k8s.configmap",),
    "Secret": ("k8s.secret", "k8s.sealedsecret", "k8s.externalsecret"),
}
_NOT_HERE: Final = "the {kind} {name} is not in the repository"
_BASE64 = lazy(r"\s+")


def pod_environment(container: Resource | None, repository: Repository) -> PodEnvironment:
    """The variables that Kubernetes gives a container, without those of its image; none without a container.

    Values of Secrets are Unknown among its `variables`.
    """
    if container is None:
        return NOTHING
    known: dict[int, PodEnvironment] = repository.memo("link.pod_environments", lambda _repo: {})
    found = known.get(id(container))
    if found is None:
        found = known[id(container)] = _environment(container, repository)
    return found


def _environment(container: Resource, repository: Repository) -> PodEnvironment:
    node = container.node
    if "env" not in node.mapping and "envFrom" not in node.mapping and node.get("env") is None:
        return NOTHING
    owner = object_of(container)
    pod = Pod(template_of(container.parent) if container.parent else owner.node, owner.node.get("metadata.namespace"))
    return environment_of(node, pod, lambda kind, name: _entries(kind, name, container, repository))


def objects_named(kind: str, name: str, container: Resource, repository: Repository) -> list[Resource]:
    """What makes the ConfigMap or Secret (`kind`) that a container names: the objects that lie nearest to it.

    They are of its namespace and its deployment; of a Secret, SealedSecrets and ExternalSecrets count as well.
    """
    by_name = repository.memo("link.objects_with_data", _by_name)
    candidates = [one for one in by_name.get((kind, name), ()) if same_namespace(one, container)]
    return nearest(together(candidates, container, repository), container)


def _entries(kind: str, name: str, container: Resource, repository: Repository) -> Entries:
    """What the object that a container names holds; several that lie equally near must agree."""
    objects = objects_named(kind, name, container, repository)
    if not objects:
        return Entries({}, _NOT_HERE.format(kind=kind, name=name))
    found = [_of_object(one) for one in objects]
    return found[0] if len(found) == 1 else _agreed(found, f"there are several {kind}s called {name}")


def _by_name(repository: Repository) -> Mapping[tuple[str, str], list[Resource]]:
    found: dict[tuple[str, str], list[Resource]] = {}
    for kind, makers in _MAKERS.items():
        for one in repository.of_kind(*makers):
            name = name_of(one)
            if one.kind == "k8s.externalsecret":
                name = one.node.text_at("spec.target.name") or name
            found.setdefault((kind, name), []).append(one)
    return found


def _agreed(found: Sequence[Entries], because: str) -> Entries:
    """The keys that have the same value everywhere; the others are Unknown."""
    values: dict[str, Node] = {}
    for entries in found:
        for key, node in entries.values.items():
            same = all(key in other.values and other.values[key].value == node.value for other in found)
            values.setdefault(key, node if same else node.holding(Unknown(key, because)))
    return Entries(values, next((entries.missing for entries in found if entries.missing), ""))


def _of_object(resource: Resource) -> Entries:
    match resource.kind:
        case "k8s.configmap":
            return _of_mappings(resource, ("data",))
        case "k8s.secret":
            encoded = _of_mappings(resource, ("data",))
            plain = _of_mappings(resource, ("stringData",))  # stronger: the API server writes it over data
            decoded = {key: _decoded(node) for key, node in encoded.values.items()}
            return Entries({**decoded, **plain.values}, encoded.missing or plain.missing)
        case "k8s.sealedsecret":
            sealed = _of_mappings(resource, ("spec.encryptedData", "spec.template.data"))
            unknown = {key: _hidden(node, "it is encrypted") for key, node in sealed.values.items()}
            return Entries(unknown, sealed.missing)
    return _of_external(resource)


def _of_mappings(resource: Resource, paths: tuple[str, ...]) -> Entries:
    values: dict[str, Node] = {}
    missing = ""
    for path in paths:
        node = resource.node.get(path)
        if node is None or node.value is None:
            continue
        rest = getattr(node.value, "rest", None)
        if node.is_unknown or rest is not None:
            missing = f"a part of {resource.address} is known only at deploy time"
        values.update(node.mapping)
    return Entries(values, missing)


def _of_external(resource: Resource) -> Entries:
    """The keys of the Secret that an ExternalSecret makes: https://external-secrets.io/latest/api/externalsecret/."""
    spec = resource.node.get("spec")
    because = f"{resource.address} fetches it"
    if spec is None or spec.get("dataFrom") is not None or spec.get("target.template") is not None:
        return Entries({}, because)
    keys = {key: member for member in spec.items_at("data") if (key := member.text_at("secretKey"))}
    complete = all(member.text_at("secretKey") for member in spec.items_at("data"))
    return Entries({key: _hidden(node, because) for key, node in keys.items()}, "" if complete else because)


def _hidden(node: Node, because: str) -> Node:
    return Node(Unknown("a Secret", because), node.source, node.start, node.end, node.key_start, node.key_end)


def _decoded(node: Node) -> Node:
    """The text that a value of `data` of a Secret stands for."""
    text = node.text
    if text is None:
        return node
    try:
        value = base64.b64decode(_BASE64.sub("", text), validate=True).decode()
    except (binascii.Error, ValueError):
        return node.holding(Unknown("a Secret", "it is no text in base64"))
    return node.holding(value)
