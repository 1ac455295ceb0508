"""Partners belong to the same way of deploying: charts with their values files, and what stands beside them."""

from __future__ import annotations

import pytest

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.kubernetes_selection import select
from pyprod_audit.evaluate import evaluate
from pyprod_audit.intake import from_sources
from pyprod_audit.link.network import nearest, services_of
from pyprod_audit.link.variants import exclude_each_other, together
from pyprod_audit.link.workloads import autoscalers
from pyprod_audit.model import Repository, Resource, SourceFile
from pyprod_audit.pipeline import scan_sources

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1"}]}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
BUDGET = (
    "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n"
    "spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}\n"
)
SCALER = (
    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n"
    "spec: {minReplicas: 3, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
)
CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "budget: false\n",
    "web/values-prod.yaml": "budget: true\n",
    "web/templates/web.yaml": f"{DEPLOYMENT}---\n{SERVICE}",
    "web/templates/budget.yaml": f"{{{{ if .Values.budget }}}}{BUDGET}{{{{ end }}}}",
    "web/templates/scaler.yaml": f"{{{{ if .Values.budget }}}}{SCALER}{{{{ end }}}}",
}
BOTH = ["web", "web (values-prod.yaml)"]


def repository(files: dict[str, str]) -> Repository:
    intake = from_sources(SourceFile(path, text) for path, text in files.items())
    evaluated = evaluate(intake.resources, intake.tree())
    resources, problems = evaluated.resources, evaluated.problems
    assert problems == []
    return Repository(intake.files, intake.paths, resources)


@pytest.fixture
def found() -> Repository:
    return repository(CHART)


def by_variant(found: Repository, kind: str) -> dict[str, Resource]:
    return {one.variant: one for one in found.of_kind(kind)}


def test_a_service_leads_to_the_pods_of_its_own_variant(found: Repository) -> None:
    for variant, service in by_variant(found, "k8s.service").items():
        selector = service.node.get("spec.selector")
        assert selector is not None
        assert [pod.variant for pod in select(selector, service, found).sure] == [variant]
    for variant, pod in by_variant(found, "k8s.podspec").items():
        assert [service.variant for service in services_of(pod, found)] == [variant]


def test_what_only_one_variant_has_is_not_there_for_the_other(found: Repository) -> None:
    deployments = by_variant(found, "k8s.deployment")
    assert autoscalers(deployments["web"], found) == []
    assert [one.variant for one in autoscalers(deployments[BOTH[1]], found)] == [BOTH[1]]
    assert together(found.of_kind("k8s.poddisruptionbudget"), deployments["web"], found) == []
    assert exclude_each_other(deployments["web"], deployments[BOTH[1]], found)


def test_plain_manifests_go_with_every_variant() -> None:
    found = repository({**CHART, "web/values-prod.yaml": "budget: false\n", "deploy/budget.yaml": BUDGET})
    (budget,) = found.of_kind("k8s.poddisruptionbudget")
    for deployment in found.of_kind("k8s.deployment"):
        assert together([budget], deployment, found) == [budget]
    # One of the ways to deploy the workload is enough.
    assert [one.variant for one in together(found.of_kind("k8s.deployment"), budget, found)] == ["web"]


def test_the_own_variant_comes_before_plain_manifests() -> None:
    found = repository({**CHART, "deploy/web.yaml": DEPLOYMENT})
    for variant, service in by_variant(found, "k8s.service").items():
        assert [one.variant for one in together(found.of_kind("k8s.deployment"), service, found)] == [variant]


def test_plain_ones_come_first_for_each_other() -> None:
    found = repository({**CHART, "deploy/web.yaml": DEPLOYMENT, "deploy/service.yaml": SERVICE})
    service = by_variant(found, "k8s.service")[""]
    assert [one.path for one in together(found.of_kind("k8s.deployment"), service, found)] == ["deploy/web.yaml"]
    assert [one.path for one in nearest(found.of_kind("k8s.deployment"), service)] == ["deploy/web.yaml"]


def test_charts_do_not_exclude_each_other() -> None:
    other = {path.replace("web/", "api/", 1): text for path, text in CHART.items() if "values-prod" not in path}
    found = repository({**CHART, **other})
    deployments = by_variant(found, "k8s.deployment")
    assert not exclude_each_other(deployments["web"], deployments["api"], found)
    assert together([deployments["api"]], deployments["web"], found) == [deployments["api"]]


def test_a_finding_of_one_variant_names_it() -> None:
    report = scan_sources(SourceFile(path, text) for path, text in CHART.items())
    found = [one for one in report.findings if "PodDisruptionBudget" in one.message]
    assert [one.variants for one in found] == [("web",)]
    both = [one for one in report.findings if one.name == "k8s-liveness-probe-missing"]
    assert [one.variants for one in both] == [tuple(BOTH)]


def test_what_a_chart_lacks_leaves_only_its_own_objects_open() -> None:
    lacking = {
        "db/Chart.yaml": "name: db\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.x.x, repository: x}]\n",
        "db/templates/a.yaml": DEPLOYMENT.replace("web", "db"),
    }
    found = repository({**CHART, **lacking, "plain.yaml": SERVICE})
    deployments = by_variant(found, "k8s.deployment")
    assert origins.additions(deployments["web"], found) is None
    doubt = origins.additions(deployments["db"], found)
    assert doubt is not None
    assert doubt.because == "a chart may bring it: the dependency redis of db is not in the repository"
    plain = by_variant(found, "k8s.service")[""]
    assert origins.additions(plain, found) is not None


PRIVILEGED = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
    - name: web
      image: registry.example.com/web:1
      securityContext:
        privileged: {{ .Values.privileged }}
"""


@pytest.mark.parametrize(
    ("template", "values", "suppressed"),
    [
        (PRIVILEGED, "privileged: true\n", False),
        (PRIVILEGED, "privileged: true  # pyprod-audit: ignore[ORCH-014] -- reviewed\n", True),
        (
            PRIVILEGED.replace("}}\n", "}}  # pyprod-audit: ignore[ORCH-014] -- reviewed\n"),
            "privileged: true\n",
            True,
        ),
        (
            PRIVILEGED.replace("        pr", "        {{- /* pyprod-audit: ignore[ORCH-014] -- seen */}}\n        pr"),
            "privileged: true\n",
            True,
        ),
        (
            PRIVILEGED.replace("{name: web}", "{name: web, annotations: {pyprod-audit.dev/ignore.ORCH-014: reviewed}}"),
            "privileged: true\n",
            True,
        ),
    ],
)  # fmt: skip
def test_findings_in_charts_are_suppressed_where_they_are_told(template: str, values: str, suppressed: bool) -> None:
    files = {"web/Chart.yaml": CHART["web/Chart.yaml"], "web/values.yaml": values, "web/templates/web.yaml": template}
    report = scan_sources(SourceFile(path, text) for path, text in files.items())
    (found,) = [one for one in report.findings if one.rule_id == "ORCH-014"]
    assert (found.suppression is not None) is suppressed
    assert [one for one in report.findings if one.rule_id.startswith("SUP")] == []
