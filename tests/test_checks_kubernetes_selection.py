"""Selectors over the copies of a repository, and what kustomizations, charts and operators may add."""

from __future__ import annotations

import pytest

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Skip
from pyprod_audit.checks.kubernetes_selection import near_misses, select
from pyprod_audit.evaluate import evaluate
from pyprod_audit.intake import from_sources
from pyprod_audit.model import Node, Repository, Resource, SourceFile

POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {LABELS}}
spec: {containers: [{name: c, image: registry.example.com/c}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {LABELS}, ports: [{port: 80}]}
"""


def repository(files: dict[str, str], others: tuple[str, ...] = ()) -> Repository:
    intake = from_sources([SourceFile(path, text) for path, text in files.items()], others)
    return Repository(intake.files, intake.paths, intake.resources)


def deployed(files: dict[str, str]) -> Repository:
    """The repository with what its kustomizations make of the objects."""
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    evaluated = evaluate(intake.resources, intake.tree())
    resources = evaluated.resources
    return Repository(intake.files, intake.paths, resources)


def pod(name: str, labels: str) -> str:
    return POD.replace("NAME", name).replace("LABELS", labels)


def service(name: str, labels: str) -> str:
    return SERVICE.replace("NAME", name).replace("LABELS", labels)


def the_service(found: Repository) -> tuple[Resource, Node]:
    resource = found.of_kind("k8s.service")[0]
    selector = resource.node.get("spec.selector")
    assert selector is not None
    return resource, selector


def names(pods: tuple[Resource, ...]) -> list[str]:
    return [one.parent.address for one in pods if one.parent is not None]


def test_selects_in_all_files_and_ignores_labels_of_controllers() -> None:
    found = repository(
        {
            "a/web.yaml": pod("web", "app: web, tier: front"),
            "b/other.yaml": pod("other", "app: other"),
            "c/service.yaml": service("web-0", "app: web, statefulset.kubernetes.io/pod-name: web-0"),
        }
    )
    resource, selector = the_service(found)
    selection = select(selector, resource, found)
    assert names(selection.sure) == ["Pod/web"]
    assert selection.maybe == ()


def test_labels_that_a_template_fills_in_may_match() -> None:
    found = repository({"web.yaml": pod("web", 'app: "${APP}"'), "service.yaml": service("web", "app: web")})
    resource, selector = the_service(found)
    selection = select(selector, resource, found)
    assert selection.sure == ()
    assert names(selection.maybe) == ["Pod/web"]


def test_near_misses_are_called_alike() -> None:
    found = repository(
        {
            "k8s/web.yaml": pod("checkout-api", "app: checkout-api"),
            "k8s/other.yaml": pod("mailer", "app: mailer"),
            "k8s/service.yaml": service("checkout", "app: checkout"),
        }
    )
    resource, selector = the_service(found)
    near = near_misses(resource, selector, found)
    assert isinstance(near, tuple)
    assert names(near) == ["Pod/checkout-api"]


@pytest.mark.parametrize(
    ("files", "others", "kind"),
    [
        ({}, (), Skip),
        ({"far/mailer.yaml": pod("mailer", "app: mailer")}, (), Cannot),
        ({"k8s/api.yaml": pod("checkout-api", "app: checkout-api"), "charts/x/Chart.yaml": "name: x"}, (), Cannot),
        (
            {
                "k8s/api.yaml": pod("checkout-api", "app: checkout-api"),
                "k8s/set.yaml": "apiVersion: apps.example.com/v1\nkind: CloneSet\nmetadata: {name: x}\n"
                "spec: {template: {metadata: {labels: {app: checkout}}}}\n",
            },
            (),
            Cannot,
        ),
    ],
)
def test_without_near_misses_nothing_is_said(
    files: dict[str, str], others: tuple[str, ...], kind: type[object]
) -> None:
    found = repository({**files, "k8s/service.yaml": service("checkout", "app: checkout")}, others)
    resource, selector = the_service(found)
    assert isinstance(near_misses(resource, selector, found), kind)


@pytest.mark.parametrize(
    ("kustomization", "why"),
    [
        ("resources: [web.yaml]", ""),
        ("resources: [web.yaml]\nimages: [{name: web, newTag: '2'}]\nnamespace: shop", ""),
        ("resources: [web.yaml]\nlabels: [{pairs: {team: a}, includeSelectors: true}]", ""),
        ("resources: [web.yaml]\npatches: [{target: {kind: Service}, patch: '[{op: remove, path: /spec/ports}]'}]", ""),
        (
            "resources: [web.yaml, 'https://git.example.com/base?ref=v1']",
            "k8s/kustomization.yaml: https://git.example.com/base?ref=v1 is on another host",
        ),
        ("resources: [web.yaml, missing.yaml]", "k8s/kustomization.yaml: missing.yaml is not in the repository"),
        (
            "resources: [web.yaml]\nhelmCharts: [{name: x}]",
            "k8s/kustomization.yaml: the chart x is not rendered",
        ),
        # Refused as a whole: what the file would have become is not known.
        (
            "resources: [web.yaml]\npatches: [{path: gone.yaml}]",
            "k8s/kustomization.yaml: it was not evaluated: there is no gone.yaml in the repository",
        ),
    ],
)
def test_what_kustomizations_leave_open(kustomization: str, why: str) -> None:
    found = deployed(
        {
            "k8s/kustomization.yaml": kustomization,
            "k8s/web.yaml": service("web", "app: web"),
            "other.yaml": pod("other", "app: other"),
        }
    )
    resource, _ = the_service(found)
    doubt = origins.changes(resource, found)
    assert (doubt.because if doubt else "") == why
    other = found.of_kind("k8s.pod")[0]
    assert origins.changes(other, found) is None


def test_bases_in_a_circle_leave_their_objects_open() -> None:
    found = deployed(
        {
            "top/kustomization.yaml": "resources: [../base]",
            "base/kustomization.yaml": "resources: [web.yaml, ../prod]",
            "base/web.yaml": service("web", "app: web"),
            "prod/kustomization.yaml": "resources: [../base]",
        }
    )
    resource, _ = the_service(found)
    assert resource.variant == ""
    doubt = origins.changes(resource, found)
    assert doubt is not None
    assert doubt.because == (
        "top/kustomization.yaml: it was not evaluated: kustomizations include each other: ../base is being evaluated"
    )


@pytest.mark.parametrize(
    ("files", "others"),
    [
        ({"deploy/chart/Chart.yaml": "name: never-rendered"}, ()),
        ({}, ("helmfile.yaml",)),
        ({"flux.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x}\nspec: {}"}, ()),
    ],
)
def test_charts_may_bring_anything(files: dict[str, str], others: tuple[str, ...]) -> None:
    found = repository({**files, "web.yaml": service("web", "app: web")}, others)
    resource, _ = the_service(found)
    assert origins.additions(resource, found) is not None
    assert origins.additions(resource, repository({"web.yaml": service("web", "app: web")})) is None
