"""What is called development or test, by its names: nobody needs its data back."""

from __future__ import annotations

import re

from pyprod_audit.model import Resource
from pyprod_audit.model.kubernetes import namespace_of

_WORDS = frozenset({
    "dev", "devel", "development", "local", "test", "tests", "testing", "qa", "sandbox", "playground", "demo",
    "preview", "ephemeral", "staging", "stage", "stg", "uat", "nonprod", "preprod", "scratch", "experimental", "ci",
    "e2e",
})  # fmt: skip


def is_rehearsal(resource: Resource) -> bool:
    """Whether the folders, the file, the namespace, the deployment or the object's own name speak of no production."""
    path = resource.path.lower().rpartition(".")[0] or resource.path.lower()
    namespace = namespace_of(resource) if resource.kind.startswith("k8s.") else ""
    address = next((a.address for a in resource.ancestors()), resource.address) if namespace else resource.address
    words = re.split(r"[^a-z0-9]+", f"{path}/{namespace}/{resource.variant}/{address}".lower())
    return not _WORDS.isdisjoint(words)
