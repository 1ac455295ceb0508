"""Transformers and generators that are configured in files of their own: kustomize's built-in ones.

Programs and containers are never run. What they would bring or change is not known, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyprod_audit.evaluate.kustomize.field_specs import FieldSpec, spec_of
from pyprod_audit.evaluate.kustomize.images import ImageChange
from pyprod_audit.evaluate.kustomize.kustomization import image_fields, replica_count, text_pairs
from pyprod_audit.evaluate.kustomize.objects import Objects
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.evaluate.kustomize.transformers import NamespaceChange, add_affix, set_pairs, set_replicas
from pyprod_audit.model import Node

_BUILT_IN: Final = "builtin"
_AFFIXES: Final = {
    "PrefixTransformer": ("prefix",), "SuffixTransformer": ("suffix",), "PrefixSuffixTransformer": ("prefix", "suffix"),
}  # fmt: skip
GENERATORS: Final = {"ConfigMapGenerator": "ConfigMap", "SecretGenerator": "Secret"}
PATCHES: Final = frozenset({"PatchTransformer", "PatchStrategicMergeTransformer", "PatchJson6902Transformer"})


def is_built_in(config: Node) -> bool:
    """Whether a plug-in's configuration is for one that kustomize itself has."""
    return text_of(config.mapping.get("apiVersion")) == _BUILT_IN


def kind_of(config: Node) -> str:
    """Which plug-in a configuration is for."""
    return text_of(config.mapping.get("kind"))


def generator_entry(config: Node) -> Node:
    """The configuration of a ConfigMapGenerator or SecretGenerator as an entry of the field of that name."""
    for key in ("name", "namespace"):
        if key not in config.mapping:
            config = with_member(config, key, config.get(f"metadata.{key}"))
    return config


def transform(config: Node, objects: Objects, budget: Budget) -> bool:
    """Carries out a built-in transformer that is no patch; False when it is none that can be carried out here.

    Raises:
        Refused: the configuration is not complete, or does not fit the objects.
    """
    specs: tuple[FieldSpec, ...] = tuple(spec_of(field) for field in config.items_at("fieldSpecs"))
    kind = kind_of(config)
    if kind in _AFFIXES:
        for key in _AFFIXES[kind]:
            affix = config.get(key)
            if affix is not None and text_of(affix):
                add_affix(objects, affix, specs, budget, suffix=key == "suffix")
    elif kind == "NamespaceTransformer":
        _set_namespace(config, objects, specs, budget)
    elif kind in ("LabelTransformer", "AnnotationsTransformer"):
        key = "labels" if kind == "LabelTransformer" else "annotations"
        pairs = config.get(key)
        if pairs is not None:
            set_pairs(objects, text_pairs(pairs, key), specs, budget)
    elif kind == "ImageTagTransformer":
        entry = config.get("imageTag")
        if entry is not None:
            _set_images(ImageChange(entry, image_fields(entry)), objects, specs, budget)
    elif kind == "ReplicaCountTransformer":
        entry = config.get("replica")
        name = text_of(entry.get("name")) if entry is not None else ""
        if entry is None or not set_replicas(objects, name, replica_count(entry), specs, budget):
            raise Refused(f"no workload is called {name}, whose replicas are set", entry or config)
    else:
        return False
    return True


def _set_namespace(config: Node, objects: Objects, specs: Iterable[FieldSpec], budget: Budget) -> None:
    namespace = config.get("metadata.namespace")
    if namespace is None or not text_of(namespace):
        return
    unset_only = config.get("unsetOnly")
    change = NamespaceChange(
        namespace,
        unset_only=unset_only is not None and unset_only.value is True,
        subjects=config.get("setRoleBindingSubjects"),
    )
    change.set_in_all(objects, specs, budget)


def _set_images(change: ImageChange, objects: Objects, specs: tuple[FieldSpec, ...], budget: Budget) -> None:
    for item in objects.items:
        change.set_in(item, specs, budget)
