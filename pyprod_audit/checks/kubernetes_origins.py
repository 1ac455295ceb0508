"""What may change or add to the Kubernetes objects of a repository after the plain manifests were read.

Kustomizations and charts may want more than the repository has (bases on other hosts, plug-ins, sub-charts), and
Terraform brings objects of its own. A rule that misses something asks here before it says so.
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot
from pyprod_audit.model import Repository, Resource
from pyprod_audit.model.kubernetes import place_of

_INSTALLERS = {
    "k8s.helmrelease": "a Helm release",
    "k8s.helmchart": "a Helm chart",
    "k8s.application": "an Argo CD application",
    "k8s.applicationset": "an Argo CD application set",
    "tf.helm_release": "a Helm release of Terraform",
}
_TERRAFORM = ("tf.kubernetes_", "tf.kubectl_manifest")


class _Doubts(NamedTuple):
    """Why what kustomizations deploy is not all known: by deployment, and by file where they were not evaluated."""

    by_variant: dict[str, str]
    by_path: dict[str, str]


def changes(resource: Resource, repository: Repository) -> Cannot | None:
    """Why an object may be deployed otherwise, or beside others: the kustomization that has it is open."""
    doubts = repository.memo("checks.kustomize_doubts", _doubts)
    found = doubts.by_variant.get(resource.variant) if resource.variant else doubts.by_path.get(resource.path)
    return Cannot(place_of(resource), found) if found else None


def additions(resource: Resource, repository: Repository) -> Cannot | None:
    """Why an object that is missing beside `resource` may exist all the same."""
    supply = supplies(repository, resource)
    return Cannot(place_of(resource), supply) if supply else changes(resource, repository)


def supplies(repository: Repository, beside: Resource | None = None) -> str:
    """What brings objects of its own into the cluster, in words; empty when there is no sign of it.

    `beside`: something that is deployed with them; what another chart lacks is of no concern to it.
    """
    found = repository.memo("checks.kubernetes_supplies", _supplies)
    if found:
        return found
    charts = repository.memo("checks.chart_supplies", _chart_supplies)
    if beside is not None and beside.variant in charts:
        return charts[beside.variant]
    return "" if beside is not None and beside.variant else next(filter(None, charts.values()), "")


def _chart_supplies(repository: Repository) -> dict[str, str]:
    """By deployment of a chart, why it may have further objects."""
    found = {}
    for release in repository.of_kind("helm.release"):
        doubts = release.node.items_at("undecided")
        found[release.variant] = f"a chart may bring it: {doubts[0].text}" if doubts else ""
    return found


def _supplies(repository: Repository) -> str:
    for path in sorted(repository.paths):
        if posixpath.basename(path) in ("helmfile.yaml", "helmfile.yml", "helmfile.yaml.gotmpl"):
            return f"{path} may bring it: the charts that it names are not rendered"
    rendered = {release.path for release in repository.of_kind("helm.release")}
    for chart in repository.of_kind("helm.chart"):
        above = f"/{chart.path}".rpartition("/charts/")[0].removeprefix("/")
        carried = "/charts/" in f"/{chart.path}" and posixpath.join(above, "Chart.yaml") in repository.paths
        is_library = (chart.node.text_at("type") or "").lower() == "library"
        if chart.path not in rendered and not carried and not is_library:
            return f"the chart {chart.path} may bring it: it was not rendered"
    for kind, words in _INSTALLERS.items():
        found = repository.of_kind(kind)
        if found:
            return f"{words} ({found[0].path}) may bring it"
    for kind in sorted(repository.by_kind):
        if kind.startswith(_TERRAFORM):
            return f"Terraform ({repository.by_kind[kind][0].path}) may bring it"
    return ""


def _doubts(repository: Repository) -> _Doubts:
    found = _Doubts({}, {})
    for build in repository.of_kind("kustomize.build"):
        reasons = [*build.node.items_at("changes"), *build.node.items_at("brings")]
        if not reasons:
            continue
        doubt = f"{build.node.text_at('kustomization')}: {reasons[0].text}"
        evaluated = build.node.get("evaluated")
        if evaluated is not None and evaluated.value is True:
            found.by_variant[build.variant] = doubt
            continue
        for path in build.node.items_at("files"):
            found.by_path.setdefault(path.text or "", doubt)
    return found
