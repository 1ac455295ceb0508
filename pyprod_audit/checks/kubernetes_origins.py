"""What may change or add to the Kubernetes objects of a repository after the plain manifests were read.

Kustomizations lay patches, labels and components over manifests, charts and Terraform bring objects of their own, and
none of that is rendered. A rule that misses something asks here before it says so.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pyprod_audit.checks.api import Cannot
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import place_of

# https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
_CHANGES = ("patches", "patchesStrategicMerge", "patchesJson6902", "transformers", "replacements", "commonLabels")
_BRINGS = ("generators", "helmCharts", "helmChartInflationGenerator")
_INCLUDES = ("resources", "bases", "components")
_INSTALLERS = {
    "k8s.helmrelease": "a Helm release",
    "k8s.helmchart": "a Helm chart",
    "k8s.application": "an Argo CD application",
    "k8s.applicationset": "an Argo CD application set",
    "tf.helm_release": "a Helm release of Terraform",
}
_TERRAFORM = ("tf.kubernetes_", "tf.kubectl_manifest")


@dataclass(slots=True)
class _Layers:
    """The kustomizations of a repository, by path."""

    parents: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def changes(resource: Resource, repository: Repository) -> Cannot | None:
    """Why an object may be deployed otherwise than it is written: a kustomization that includes it is open."""
    layers = repository.memo("checks.kustomize_layers", _layers)
    above = _reach([resource.path], layers.parents)
    for path in sorted(_reach(above, layers.children)):
        if path in layers.reasons:
            return Cannot(place_of(resource), f"{path} {layers.reasons[path]}")
    return None


def additions(resource: Resource, repository: Repository) -> Cannot | None:
    """Why an object that is missing beside `resource` may exist all the same."""
    supply = supplies(repository)
    return Cannot(place_of(resource), supply) if supply else changes(resource, repository)


def supplies(repository: Repository) -> str:
    """What brings objects of its own into the cluster, in words; empty when there is no sign of it."""
    return repository.memo("checks.kubernetes_supplies", _supplies)


def _supplies(repository: Repository) -> str:
    for path in sorted(repository.paths):
        name = posixpath.basename(path)
        if name == "Chart.yaml":
            return f"the chart {path} may bring it: charts are not rendered"
        if name in ("helmfile.yaml", "helmfile.yml", "helmfile.yaml.gotmpl"):
            return f"{path} may bring it: charts are not rendered"
    for kind, words in _INSTALLERS.items():
        found = repository.of_kind(kind)
        if found:
            return f"{words} ({found[0].path}) may bring it"
    for kind in sorted(repository.by_kind):
        if kind.startswith(_TERRAFORM):
            return f"Terraform ({repository.by_kind[kind][0].path}) may bring it"
    return ""


def _layers(repository: Repository) -> _Layers:
    layers = _Layers()
    found = repository.of_kind("kustomize.kustomization")
    by_folder = {posixpath.dirname(one.path): one.path for one in found}
    for one in found:
        reasons = list(_own_reasons(one.node))
        for written, target in _included(one):
            child = by_folder.get(target, target if target in repository.paths else None)
            if child is None:
                reasons.append(f"includes {written}, which is not in the repository")
            else:
                layers.children.setdefault(one.path, []).append(child)
                layers.parents.setdefault(child, []).append(one.path)
        if reasons:
            layers.reasons[one.path] = reasons[0]
    return layers


def _own_reasons(node: Node) -> Iterator[str]:
    for key in _CHANGES:
        if node.items_at(key) or node.mapping_at(key):
            yield f"has {key} that are not evaluated"
    for entry in node.items_at("labels"):
        reach = [entry.get(key) for key in ("includeSelectors", "includeTemplates")]
        if any(node is not None and node.scalar is True for node in reach):
            yield "has labels that are not evaluated"
    for key in _BRINGS:
        if node.items_at(key):
            yield f"has {key}, which are not run"


def _included(kustomization: Resource) -> Iterator[tuple[str, str]]:
    """What a kustomization includes: as written, and as a path from the scan root."""
    folder = posixpath.dirname(kustomization.path)
    for key in _INCLUDES:
        for entry in kustomization.node.items_at(key):
            if entry.text is not None:
                target = posixpath.normpath(posixpath.join(folder, entry.text))
                yield entry.text, "" if target == "." else target


def _reach(start: Iterable[str], edges: Mapping[str, list[str]]) -> set[str]:
    """Everything that can be reached from `start` along `edges`, itself included."""
    pending, seen = list(start), set(start)
    while pending:
        for neighbour in edges.get(pending.pop(), ()):
            if neighbour not in seen:
                seen.add(neighbour)
                pending.append(neighbour)
    return seen
