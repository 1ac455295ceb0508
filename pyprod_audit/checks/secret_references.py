"""Whether the Secrets that workloads name are those that ExternalSecrets and SealedSecrets make.

A Secret may come from anywhere (`kubectl create secret`, a chart, Terraform), so a name that nothing here makes says
nothing by itself. It does when something beside it makes a Secret that nobody uses, of nearly the same name or with the
keys that are asked for.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_selection import telling_words, workload_of
from pyprod_audit.link.network import same_namespace
from pyprod_audit.link.variants import exclude_each_other
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import name_of, namespace_of

_ALIKE = 0.8  # of SequenceMatcher: `app-secret` and `app-secrets`
# https://external-secrets.io/latest/api/externalsecret/, https://github.com/bitnami-labs/sealed-secrets
_MAKERS = ("k8s.externalsecret", "k8s.clusterexternalsecret", "k8s.sealedsecret")
# Other kinds that make Secrets, and where they say the name.
_OTHER_MAKERS: Mapping[str, tuple[str, ...]] = {
    "k8s.secret": ("metadata.name",),
    "k8s.certificate": ("spec.secretName",),
    "k8s.vaultstaticsecret": ("spec.destination.name",),
    "k8s.vaultdynamicsecret": ("spec.destination.name",),
    "k8s.vaultpkisecret": ("spec.destination.name",),
    "k8s.onepassworditem": ("metadata.name",),
    "k8s.infisicalsecret": ("spec.managedSecretReference.secretName",),
    "k8s.dopplersecret": ("spec.managedSecret.name",),
    "k8s.bitwardensecret": ("spec.secretName",),
    "k8s.issuer": ("spec.acme.privateKeySecretRef.name",),
    "k8s.clusterissuer": ("spec.acme.privateKeySecretRef.name",),
}


class _Reference(NamedTuple):
    """A Secret as a pod names it: `key` when one of its keys is asked for."""

    name: Node
    key: str = ""
    optional: bool = False


class _Made(NamedTuple):
    """A Secret that an ExternalSecret or a SealedSecret makes."""

    name: str
    place: Node
    keys: frozenset[str]
    maker: Resource


@dataclass(slots=True)
class _Index:
    made: list[_Made] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)


def secret_name_differs(pod: Resource, context: Context) -> Outcomes:
    """A pod that names a Secret which is made under a slightly different name."""
    repository = context.repository
    index = repository.memo("checks.secrets", _index)
    references = [one for one in _references(pod) if not one.optional]
    if not references or not index.made:
        yield Skip("no Secret that it names is made by an ExternalSecret or a SealedSecret here")
        return
    by_name: dict[str, list[_Reference]] = {}
    for reference in references:
        if reference.name.is_unknown:
            yield cannot(reference.name)
        elif reference.name.text is not None and reference.name.text not in index.known:
            by_name.setdefault(reference.name.text, []).append(reference)
    for name, wanted in by_name.items():
        keys = {reference.key for reference in wanted if reference.key}
        meant = [
            one for one in index.made if one.name not in index.used and _is_meant(name, keys, one, pod, repository)
        ]
        if not meant:
            continue
        best = max(meant, key=lambda one: _likeness(name, one.name))
        supply = origins.supplies(repository, pod)
        doubt = Cannot(wanted[0].name.span, supply) if supply else origins.changes(pod, repository)
        yield doubt or Hit(
            wanted[0].name.span,
            {"workload": workload_of(pod), "secret": name, "maker": best.maker.address, "made": best.name},
            ((best.place.anchor, f"makes the Secret {best.name}, which nobody uses"),),
            f"{workload_of(pod)}/{name}",
        )


def _is_meant(name: str, keys: set[str], made: _Made, pod: Resource, repository: Repository) -> bool:
    """Whether a Secret that is made beside the pod must be the one that it names."""
    folder = posixpath.dirname(pod.path)
    namespace = namespace_of(pod)
    if not same_namespace(pod, made.maker) or exclude_each_other(pod, made.maker, repository):
        return False
    if posixpath.dirname(made.maker.path) != folder and not (namespace and namespace == namespace_of(made.maker)):
        return False
    if _likeness(name, made.name) >= _ALIKE:
        return True
    return bool(keys) and keys <= made.keys and bool(telling_words(name) & telling_words(made.name))


def _index(repository: Repository) -> _Index:
    index = _Index()
    for resource in repository.of_kind(*_MAKERS):
        made = _made_by(resource)
        index.known.add(made.name)
        index.made.append(made)
    if not index.made:  # then nobody asks
        return index
    for kind, paths in _OTHER_MAKERS.items():
        for resource in repository.of_kind(kind):
            index.known.update(filter(None, (resource.node.text_at(path) for path in paths)))
    for resource in repository.of_kind("k8s.secretproviderclass"):
        index.known.update(one.text_at("secretName") or "" for one in resource.node.items_at("spec.secretObjects"))
    for resource in repository.of_kind("kustomize.kustomization"):
        index.known.update(one.text_at("name") or "" for one in resource.node.items_at("secretGenerator"))
    for pod in repository.of_kind("k8s.podspec"):
        index.used.update(reference.name.text or "" for reference in _references(pod))
    index.used.update(_used_elsewhere(repository))
    return index


def _made_by(resource: Resource) -> _Made:
    node = resource.node
    if resource.kind == "k8s.sealedsecret":
        keys = frozenset(node.mapping_at("spec.encryptedData"))
        return _Made(name_of(resource), node.get("metadata.name") or node, keys, resource)
    spec = node.get("spec.externalSecretSpec") if resource.kind == "k8s.clusterexternalsecret" else node.get("spec")
    target = spec.get("target.name") if spec is not None else None
    place = target or node.get("spec.externalSecretName") or node.get("metadata.name") or node
    keys = frozenset(one.text_at("secretKey") or "" for one in (spec.items_at("data") if spec is not None else ()))
    template = frozenset(spec.mapping_at("target.template.data")) if spec is not None else frozenset()
    return _Made(place.text or name_of(resource), place, template or keys, resource)


def _references(pod: Resource) -> Iterator[_Reference]:
    """The Secrets that a pod needs to start."""
    for kind in ("containers", "initContainers"):
        for container in pod.node.items_at(kind):
            for entry in container.items_at("env"):
                yield from _reference(entry.get("valueFrom.secretKeyRef"), "name")
            for entry in container.items_at("envFrom"):
                yield from _reference(entry.get("secretRef"), "name")
    for volume in pod.node.items_at("volumes"):
        yield from _reference(volume.get("secret"), "secretName")
        for source in volume.items_at("projected.sources"):
            yield from _reference(source.get("secret"), "name")


def _reference(node: Node | None, key: str) -> Iterator[_Reference]:
    name = node.get(key) if node is not None else None
    if node is not None and name is not None:
        optional = node.get("optional")
        yield _Reference(name, node.text_at("key") or "", optional is not None and optional.scalar is True)


def _used_elsewhere(repository: Repository) -> Iterator[str]:
    """Names that service accounts, Ingresses and custom resources refer to."""
    for resource in repository.of_technology("k8s"):
        if resource.kind in ("k8s.podspec", "k8s.container", "k8s.initcontainer", "k8s.secret", *_MAKERS):
            continue
        for node in resource.node.walk():
            for key, value in node.mapping.items():
                if key == "secretName" or (key == "name" and node.key is not None and "ecret" in node.key.text):
                    yield value.text or ""
                elif key in ("imagePullSecrets", "secrets"):
                    yield from (one.text_at("name") or "" for one in value.items)


def _likeness(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # only for names that are missing

    return SequenceMatcher(None, one, other).ratio()
