"""Kubernetes objects, their pods and containers, from manifests in YAML or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyprod_audit.model import Node, Parsed, Resource, SourceFile, Unknown, Via
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.kubernetes_kinds import (
    BUILT_IN_KINDS,
    KUSTOMIZE_GROUP,
    group_of,
    is_foreign,
    is_object,
    usual_group,
)
from pyprod_audit.parsers.kubernetes_variables import mark_variables
from pyprod_audit.parsers.yaml_events import duplicate_key_resources, parse_documents
from pyprod_audit.parsers.yaml_template import mask

_TEMPLATE: Final = ("spec", "template", "spec")
# Where the pod stands in the kinds that have one; the group None is that of the built-in kind.
_PODS: Final[dict[tuple[str | None, str], tuple[str, ...]]] = {
    (None, "Pod"): ("spec",),
    (None, "PodTemplate"): ("template", "spec"),
    (None, "Deployment"): _TEMPLATE,
    (None, "StatefulSet"): _TEMPLATE,
    (None, "DaemonSet"): _TEMPLATE,
    (None, "ReplicaSet"): _TEMPLATE,
    (None, "ReplicationController"): _TEMPLATE,
    (None, "Job"): _TEMPLATE,
    (None, "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("argoproj.io", "Rollout"): _TEMPLATE,
    ("apps.openshift.io", "DeploymentConfig"): _TEMPLATE,
    ("serving.knative.dev", "Configuration"): _TEMPLATE,
    ("serving.knative.dev", "Service"): _TEMPLATE,
}
_CONTAINERS: Final = (("k8s.container", "containers"), ("k8s.initcontainer", "initContainers"))
_KUSTOMIZATION_NAMES: Final = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_MAX_LIST_DEPTH: Final = 4
_JSON_START: Final = lazy(r'[ \t\r\n]*+\{[ \t\r\n]*+"(?:apiVersion|kind)"')


def looks_like_kubernetes(text: str) -> bool:
    """Whether `text` may hold Kubernetes objects: `apiVersion` and `kind` start a line, or are JSON keys."""
    return _has_key(text, "apiVersion") and _has_key(text, "kind")


def looks_like_kubernetes_json(text: str) -> bool:
    """Whether the JSON `text` may hold Kubernetes objects: it begins with one of the two keys and has the other too.

    People write them first, and kubectl sorts the keys; schemas and dashboards mention both somewhere deep inside.
    """
    return _JSON_START.match(text) is not None and looks_like_kubernetes(text)


def parse(source: SourceFile) -> Parsed:
    """The objects of a manifest, kustomization or `List`; nothing, without a problem, for any other YAML."""
    masked = mask(source.text)
    documents = parse_documents(source, masked)
    parsed = Parsed(problems=documents.problems, partial=documents.partial)
    objects: dict[int, Resource] = {}
    for index, document in enumerate(documents.nodes):
        if _is_kustomization(source, document):
            found = Resource("kustomize.kustomization", source.path, document)
            parsed.resources.append(found)
            objects[document.start] = found
            continue
        for found in objects_of(document, index):
            if found.parent is None:
                objects[found.node.start] = found
            parsed.resources.append(found)
    if documents.duplicates and objects:
        parsed.resources.extend(r for r in duplicate_key_resources(documents, objects) if r.parent is not None)
    return parsed


def objects_of(document: Node, index: int, variant: str = "", via: tuple[Via, ...] = ()) -> Iterator[Resource]:
    """The objects of one YAML document, each followed by the views of its pods; nothing when it is not Kubernetes.

    `index` is the document's number in its file, which names objects without a name; `variant` and `via` are those of
    the deployment that made it (see `Resource`). Text that a tool fills in before YAML is read becomes Unknown.
    """
    for node, kind, group in _objects(document):
        mark_variables(node)
        found = _object(node, kind, group, index, variant, via)
        yield found
        yield from _pods(found, kind, group)


def _has_key(text: str, key: str) -> bool:
    return f"\n{key}:" in text or text.startswith(f"{key}:") or f'"{key}"' in text


def _is_kustomization(source: SourceFile, document: Node) -> bool:
    if not isinstance(document.value, dict):
        return False
    api_version = document.text_at("apiVersion")
    if api_version is not None:
        return group_of(api_version) == KUSTOMIZE_GROUP and document.text_at("kind") in ("Kustomization", "Component")
    return source.path.rpartition("/")[2] in _KUSTOMIZATION_NAMES and document.get("kind") is None


def _objects(document: Node) -> Iterator[tuple[Node, str, str]]:
    """The objects of a document with kind and group: itself, or the members of a list, in order."""
    pending = [(document, "", "", 0)]
    while pending:
        node, member_kind, member_group, depth = pending.pop()
        kind, group = _kind_and_group(node, member_kind, member_group)
        if not kind or not is_object(group, kind):
            continue
        members = node.items_at("items")
        if kind.endswith("List") and members and depth < _MAX_LIST_DEPTH:
            # The members of a PodList need not repeat what they are.
            pending.extend((member, kind.removesuffix("List"), group, depth + 1) for member in reversed(members))
        elif kind != "List":
            yield node, kind, group


def _kind_and_group(node: Node, kind: str, group: str) -> tuple[str, str]:
    """What `node` says it is, else what its list says it is."""
    members = node.mapping
    written = members.get("kind")
    if written is not None:
        kind = written.text or ""
    version = members.get("apiVersion")
    if version is None:
        return (kind, group) if members else ("", "")
    if isinstance(version.value, Unknown) and kind in BUILT_IN_KINDS:
        return kind, usual_group(kind)
    found = group_of(version.text or "")
    return (kind, found) if found is not None else ("", "")


def _object(node: Node, kind: str, group: str, index: int, variant: str, via: tuple[Via, ...]) -> Resource:
    foreign = is_foreign(group, kind)
    suffix = f".{group}" if foreign else ""
    metadata = _below(node, ("metadata",))
    names = metadata.mapping if metadata else {}
    name = _written(names.get("name")) or _written(names.get("generateName")) or f"#{index}"
    return Resource(f"k8s.{kind.lower()}{suffix}", f"{kind}{suffix}/{name}", node, None, variant, via)


def _below(node: Node, path: tuple[str, ...]) -> Node | None:
    """The node under the keys of `path`; `Node.find` also makes places, which are not wanted here."""
    found: Node | None = node
    for key in path:
        found = found.mapping.get(key) if found else None
    return found


def _written(node: Node | None) -> str:
    """A name as it is written; empty when there is none."""
    if node is None or node.value is None or isinstance(node.value, (dict, tuple)):
        return ""
    return node.value.expression if isinstance(node.value, Unknown) else str(node.value)


def _pods(found: Resource, kind: str, group: str) -> Iterator[Resource]:
    """The views of the pod that an object describes: its spec, and each container of it."""
    path = _PODS.get((group, kind)) or (None if is_foreign(group, kind) else _PODS.get((None, kind)))
    if path is None:
        return
    spec = _below(found.node, path)
    if spec is None or not isinstance(spec.value, dict):
        return
    variant, via = found.variant, found.via
    pod = Resource("k8s.podspec", f"{found.address}/pod", spec, found, variant, via)
    yield pod
    for view, key in _CONTAINERS:
        containers = spec.mapping.get(key)
        for index, container in enumerate(containers.items if containers else ()):
            if isinstance(container.value, dict):
                name = _written(container.value.get("name")) or str(index)
                yield Resource(view, f"{found.address}/{key}[{name}]", container, pod, variant, via)
