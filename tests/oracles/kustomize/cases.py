"""The hand-written kustomizations and what kustomize makes of them, and the comparison of our objects with that.

`cases/*.yaml` map the name of a case to its files. `expected.json` has, for each folder with a kustomization that is no
component, the objects of `kustomize build`, or the last line of why it refuses.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pyprod_audit.model import Node, Unknown

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class Case(NamedTuple):
    """A small repository."""

    name: str
    files: dict[str, str]

    @property
    def folders(self) -> list[str]:
        """The folders that can be built."""
        found = []
        for path, text in self.files.items():
            if posixpath.basename(path) in NAMES and "kind: Component" not in text:
                found.append(posixpath.dirname(path) or ".")
        return found


def cases() -> Iterator[Case]:
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for name, files in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            yield Case(f"{path.stem}/{name}", files)


def recorded() -> dict[str, dict[str, Any]]:
    """What kustomize made, by case and folder: a list of objects, or a text that says why it refused."""
    found: dict[str, dict[str, Any]] = json.loads(EXPECTED.read_text(encoding="utf-8"))["cases"]
    return found


class Loader(yaml.SafeLoader):
    """YAML as kustomize writes it: what looks like a date is text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def objects_of(text: str) -> list[Any]:
    """The objects that kustomize printed, in an order of their own."""
    return sorted((one for one in yaml.load_all(text, Loader) if one), key=identity)


def identity(one: Any) -> str:
    metadata = one.get("metadata", {})
    return f"{one.get('kind')} {metadata.get('namespace', '')} {metadata.get('name')} {one.get('apiVersion')}"


def plain(node: Node) -> Any:
    """A node as plain values; what is not known is the text UNKNOWN."""
    value = node.value
    if isinstance(value, Unknown):
        return "UNKNOWN"
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value
