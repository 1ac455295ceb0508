"""What the default values of a chart leave to whoever installs it: `resources: {}` is a question, not an answer."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from pyprod_audit.checks.api import Cannot
from pyprod_audit.model import Node, Repository, Resource


def left_to_installer(resource: Resource, field: str, repository: Repository) -> Cannot | None:
    """The undecided outcome when the chart that brings `resource` has an empty default for `field`; else None.

    `field` is the Kubernetes field that a rule misses ("resources", "securityContext"). The chart's template must use
    the value (`.Values.web.podSecurityContext`), and the repository must have no values files for a deployment of the
    chart: then what is deployed is known, and the answer is in them.
    """
    if not resource.variant:
        return None
    chart = repository.memo("charts.only_defaults", _charts_with_defaults_only).get(resource.variant)
    if chart is None:
        return None
    slots = repository.memo("charts.empty_values", _empty_values)
    own = resource.path.rpartition("/templates/")[0] if "/templates/" in f"/{resource.path}" else chart
    for folder in dict.fromkeys((own, chart)):
        for key, node in slots.get(folder, {}).items():
            if key.lower().endswith(field.lower()) and f".{key}" in resource.source.text:
                path = node.source.path
                return Cannot(node.anchor, f"{path} leaves {key} empty, for whoever installs the chart")
    return None


def _charts_with_defaults_only(repository: Repository) -> dict[str, str]:
    """The folders of charts that the repository has no deployment of, by the variant that renders them."""
    releases = repository.of_kind("helm.release")
    deployed = {release.path for release in releases if release.node.items_at("values")}
    return {release.variant: posixpath.dirname(release.path) for release in releases if release.path not in deployed}


def _empty_values(repository: Repository) -> dict[str, Mapping[str, Node]]:
    """By the folder of a chart, the keys whose default is empty, each with the first place where it is."""
    found: dict[str, Mapping[str, Node]] = {}
    for values in repository.of_kind("helm.values"):
        if posixpath.basename(values.path) == "values.yaml":
            slots: dict[str, Node] = {}
            for key, node in _members(values.node):
                if node.value is None or node.value in ({}, (), ""):
                    slots.setdefault(key, node)
            found[posixpath.dirname(values.path)] = slots
    return found


def _members(root: Node) -> Iterator[tuple[str, Node]]:
    for node in root.walk():
        yield from node.mapping.items()
