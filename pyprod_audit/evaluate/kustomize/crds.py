"""What `crds` files (OpenAPI definitions of custom resources) tell kustomize about their fields."""

from __future__ import annotations

from typing import Final

from pyprod_audit.evaluate.kustomize.field_specs import Config, FieldSpec
from pyprod_audit.evaluate.kustomize.objects import Gvk
from pyprod_audit.model import Node

_ANNOTATION: Final = "x-kubernetes-annotation"
_SELECTOR: Final = "x-kubernetes-label-selector"
_IDENTITY: Final = "x-kubernetes-identity"
_KIND: Final = "x-kubernetes-object-ref-kind"
_VERSION: Final = "x-kubernetes-object-ref-api-version"
_NAME_KEY: Final = "x-kubernetes-object-ref-name-key"
_DEEPEST: Final = 20
_MOST_FIELDS: Final = 10_000


def config_of_crds(document: Node) -> Config:
    """The configuration that marked fields of the definitions amount to."""
    annotations: list[FieldSpec] = []
    labels: list[FieldSpec] = []
    prefix: list[FieldSpec] = []
    names: dict[Gvk, list[FieldSpec]] = {}
    for definition, node in document.mapping.items():
        if not _properties(node).keys() >= {"kind", "apiVersion", "metadata"}:
            continue
        gvk = Gvk(kind=definition.rpartition(".")[2])
        pending = [(node, "", 0)]
        seen = 0
        while pending:
            current, path, depth = pending.pop()
            for key, member in _properties(current).items():
                seen += 1
                field = f"{path}/{key}" if path else key
                for mark, specs in ((_ANNOTATION, annotations), (_SELECTOR, labels), (_IDENTITY, prefix)):
                    if member.mapping.get(mark) is not None:
                        specs.append(FieldSpec(gvk, field))
                kind, version = member.text_at(_KIND), member.text_at(_VERSION)
                if kind and version:
                    spec = FieldSpec(gvk, f"{field}/{member.text_at(_NAME_KEY) or 'name'}")
                    names.setdefault(Gvk("", version, kind), []).append(spec)
                below = document.mapping.get(member.text_at("$ref") or "")
                if below is not None and depth < _DEEPEST and seen < _MOST_FIELDS:
                    pending.append((below, field, depth + 1))
    return Config(
        annotations=tuple(annotations),
        common_labels=tuple(labels),
        prefix=tuple(prefix),
        names=tuple((gvk, tuple(specs)) for gvk, specs in names.items()),
    )


def _properties(definition: Node) -> dict[str, Node]:
    schema = definition.mapping.get("Schema") or definition.mapping.get("schema")
    found = schema.mapping.get("properties") if schema is not None else None
    return dict(found.mapping) if found is not None else {}
