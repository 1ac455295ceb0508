"""Rewrites pyprod_audit/data/kubernetes_fields.json from the schemas of the Kubernetes API.

    python tools/update_kubernetes_fields.py SCHEMAS DATE

SCHEMAS is the folder `kubernetes-json-schema` of an installed `kubernetes-validate` distribution (Apache-2.0), which
carries the API's own OpenAPI definitions by release; DATE is the day on which that distribution was released. A field
is known when any of the releases has it, and required when all of them require it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "pyprod_audit" / "data" / "kubernetes_fields.json"
SOURCE = "OpenAPI definitions of the Kubernetes API (Apache-2.0), by way of kubernetes-validate"
API = "io.k8s.api."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
MORE_OF_CORE = "ReplicationController ResourceQuota Secret Service ServiceAccount"
OBJECTS = {
    "v1": (
        "core.v1",
        f"ConfigMap LimitRange Namespace PersistentVolume PersistentVolumeClaim Pod PodTemplate {MORE_OF_CORE}",
    ),
    "apps/v1": ("apps.v1", "DaemonSet Deployment ReplicaSet StatefulSet"),
    "batch/v1": ("batch.v1", "CronJob Job"),
    "autoscaling/v1": ("autoscaling.v1", "HorizontalPodAutoscaler"),
    "autoscaling/v2": ("autoscaling.v2", "HorizontalPodAutoscaler"),
    "policy/v1": ("policy.v1", "PodDisruptionBudget"),
    "networking.k8s.io/v1": ("networking.v1", "Ingress IngressClass NetworkPolicy"),
    "rbac.authorization.k8s.io/v1": ("rbac.v1", "ClusterRole ClusterRoleBinding Role RoleBinding"),
    "scheduling.k8s.io/v1": ("scheduling.v1", "PriorityClass"),
    "storage.k8s.io/v1": ("storage.v1", "StorageClass"),
}  # fmt: skip
SCALARS = {"string": "s", "integer": "i", "number": "n", "boolean": "b"}
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    META + "Time": "s",
    META + "MicroTime": "s",
    META + "FieldsV1": "*",
    META + "ManagedFieldsEntry": "*",
}
# What the cluster writes; nobody's manifest is wrong there.
OPEN_FIELDS = frozenset({"status", "managedFields"})
# Numbers whose zero is a value like any other: the API server takes their absence for it.
OPTIONAL = frozenset({"lun"})


def reference(schema: dict[str, Any]) -> str | None:
    """The definition that a property stands for."""
    found = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", ()) if "$ref" in part), None)
    return found.rsplit("/", 1)[-1] if found else None


def types_of(schema: dict[str, Any]) -> list[str]:
    """The JSON types of a property, without null."""
    found = schema.get("type", [])
    return [one for one in ([found] if isinstance(found, str) else found) if one != "null"]


class Table:
    """The types reached from the objects, merged over releases."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, str]] = {}
        self.required: dict[str, set[str]] = {}
        self.names: dict[str, str] = {}

    def name(self, definition: str) -> str:
        """A short name for a definition, its own where two groups share the last part."""
        if definition not in self.names:
            *_, group, version, last = definition.split(".")
            taken = set(self.names.values())
            self.names[definition] = last if last not in taken else f"{last}-{group}-{version}"
        return self.names[definition]

    def add(self, definitions: dict[str, Any], root: str) -> None:
        """Take in the definition `root` and all that it reaches."""
        pending, seen = [root], set()
        while pending:
            current = pending.pop()
            if current in seen or current not in definitions:
                continue
            seen.add(current)
            pending.extend(self._merge(definitions, current))

    def _merge(self, definitions: dict[str, Any], current: str) -> Iterator[str]:
        schema, name = definitions[current], self.name(current)
        fields = self.fields.setdefault(name, {})
        for field, value in schema.get("properties", {}).items():
            notation, reached = self._notation(definitions, value)
            if field in OPEN_FIELDS:
                fields[field] = "*"
                continue
            fields[field] = notation
            if reached:
                yield reached
        needed = set(schema.get("required", ())) - OPTIONAL
        self.required[name] = self.required[name] & needed if name in self.required else needed

    def _notation(self, definitions: dict[str, Any], schema: dict[str, Any]) -> tuple[str, str | None]:
        target = reference(schema)
        if target is not None:
            if target in SPECIAL:
                return SPECIAL[target], None
            definition = definitions[target]
            return (self.name(target), target) if "properties" in definition else ("*", None)
        if "items" in schema:
            inner, reached = self._notation(definitions, schema["items"])
            return f"[{inner}]", reached
        if isinstance(schema.get("additionalProperties"), dict):
            inner, reached = self._notation(definitions, schema["additionalProperties"])
            return "{" + inner + "}", reached
        if schema.get("format") == "int-or-string":
            return "x", None
        kinds = types_of(schema)
        if sorted(kinds) in (["number", "string"], ["integer", "string"]):
            return "q", None
        return SCALARS.get(kinds[0], "*") if len(kinds) == 1 else "*", None


def releases(folder: Path) -> list[tuple[tuple[int, ...], Path]]:
    """The releases that `folder` holds, oldest first."""
    found = []
    for path in folder.iterdir():
        match = re.fullmatch(r"v(\d+)\.(\d+)\.(\d+)-local", path.name)
        if match:
            found.append((tuple(int(part) for part in match.groups()), path))
    return sorted(found)


def main(schemas: str, date: str) -> None:
    """Write the table."""
    table, objects = Table(), {}
    available = releases(Path(schemas))
    for _, path in available:
        definitions = json.loads((path / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
        for version, (package, kinds) in OBJECTS.items():
            for kind in kinds.split():
                root = f"{API}{package}.{kind}"
                table.add(definitions, root)
                objects[f"{version} {kind}"] = table.name(root)
    rows = {
        name: " ".join(f"{field}{'!' if field in table.required[name] else ''}={notation}"
                       for field, notation in sorted(fields.items()))
        for name, fields in sorted(table.fields.items())
    }  # fmt: skip
    first, last = (".".join(map(str, version[:2])) for version, _ in (available[0], available[-1]))
    content = {"source": SOURCE, "date": date, "releases": f"{first} to {last}", "objects": objects, "types": rows}
    TARGET.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
