"""How many pods autoscalers allow a workload, which copy of it they scale, and which routes lead to a Service."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pyprod_audit.evaluate import evaluate
from pyprod_audit.intake import from_sources
from pyprod_audit.link import build
from pyprod_audit.link.network import routes_to
from pyprod_audit.link.workloads import autoscalers
from pyprod_audit.model import Fact, Repository, SourceFile
from pyprod_audit.model.kubernetes import place_of

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1"}]}
"""
SCALER = """\
apiVersion: %s
kind: %s
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}%s}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def repository(files: Mapping[str, str]) -> Repository:
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    evaluated = evaluate(intake.resources, intake.tree())
    resources, problems = evaluated.resources, evaluated.problems
    assert not problems
    found = Repository(intake.files, intake.paths, resources)
    found.services = build(found)
    return found


@pytest.mark.parametrize(
    ("kind", "spec", "least", "most"),
    [
        ("hpa", ", maxReplicas: 6", (1, False), (6, True)),
        ("hpa", ", minReplicas: 2, maxReplicas: 6", (2, True), (6, True)),
        ("keda", "", (0, False), (100, False)),
        ("keda", ", minReplicaCount: 3, maxReplicaCount: 9", (3, True), (9, True)),
        ("keda", ", minReplicaCount: 3, idleReplicaCount: 0", (0, True), (100, False)),
    ],
)
def test_the_range_of_an_autoscaler(kind: str, spec: str, least: tuple[int, bool], most: tuple[int, bool]) -> None:
    version = {
        "hpa": ("autoscaling/v2", "HorizontalPodAutoscaler"), "keda": ("keda.sh/v1alpha1", "ScaledObject"),
    }[kind]  # fmt: skip
    (service,) = repository({"k8s/web.yaml": DEPLOYMENT, "k8s/scale.yaml": SCALER % (*version, spec)}).services
    facts = [service.facts[name] for name in ("k8s.min_replicas", "k8s.max_replicas")]
    assert [(one.value, one.declared) for one in facts if isinstance(one, Fact)] == [least, most]


def test_an_autoscaler_belongs_to_the_copy_beside_it() -> None:
    scaler = SCALER % ("autoscaling/v2", "HorizontalPodAutoscaler", ", maxReplicas: 6")
    found = repository({"base/web.yaml": DEPLOYMENT, "large/web.yaml": DEPLOYMENT, "large/scale.yaml": scaler})
    scaled = {one.path: [two.path for two in autoscalers(one, found)] for one in found.of_kind("k8s.deployment")}
    assert scaled == {"base/web.yaml": [], "large/web.yaml": ["large/scale.yaml"]}


@pytest.mark.parametrize(
    ("reference", "leads"),
    [
        ("{name: web, port: 80}", False),  # looked for in the namespace of the route
        ("{name: web, namespace: shop, port: 80}", True),
        ("{name: web, namespace: shop, kind: Service, group: '', port: 80}", True),
        ("{name: web, namespace: shop, group: net.example.com, kind: Service}", False),
        ("{name: web, namespace: other, port: 80}", False),
    ],
)
def test_a_route_leads_to_the_service_of_the_namespace_that_it_names(reference: str, *, leads: bool) -> None:
    route = (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web, namespace: edge}\n"
        f"spec: {{rules: [{{backendRefs: [{reference}]}}]}}\n"
    )
    found = repository({"k8s/service.yaml": SERVICE, "k8s/route.yaml": route})
    (service,) = found.of_kind("k8s.service")
    assert bool(routes_to(service, found)) is leads


@pytest.mark.parametrize(
    ("host", "leads"),
    [("web", False), ("web.shop", True), ("web.shop.svc.cluster.local", True), ("web.other.svc.cluster.local", False)],
)
def test_a_virtual_service_may_name_the_namespace(host: str, *, leads: bool) -> None:
    route = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web, namespace: edge}\n"
        f"spec: {{http: [{{route: [{{destination: {{host: {host}}}}}]}}]}}\n"
    )
    found = repository({"k8s/service.yaml": SERVICE, "k8s/route.yaml": route})
    (service,) = found.of_kind("k8s.service")
    assert bool(routes_to(service, found)) is leads


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n", 4),
        ("apiVersion: v1\nkind: Service\nmetadata: {generateName: web-}\n", 2),
    ],
)
def test_an_object_is_pointed_at_by_its_name(text: str, at: int) -> None:
    (service,) = repository({"k8s/web.yaml": text}).of_kind("k8s.service")
    assert place_of(service).line == at
