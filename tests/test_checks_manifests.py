"""The rules about Kubernetes manifests, beyond their examples: messages, related places, hostile input."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.catalogue import load
from pyprod_audit.checks.kubernetes_fields import element, known_fields
from pyprod_audit.engine import check
from pyprod_audit.findings import Finding, Profile, Report
from pyprod_audit.intake import from_sources
from pyprod_audit.model import Repository, SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources

RULES = (
    "K8S-001", "K8S-002", "K8S-003", "K8S-004", "K8S-005", "K8S-012", "K8S-013", "K8S-014", "K8S-018", "K8S-019",
    "K8S-024", "K8S-025",
)  # fmt: skip
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.4.2
          {extra}
"""


def report(files: dict[str, str], *rules: str) -> Report:
    options = ScanOptions(select=rules, profile=Profile.STRICT)
    return scan_sources([SourceFile(path, text) for path, text in files.items()], options=options)


def findings(text: str, *rules: str) -> list[Finding]:
    return list(report({"k8s/web.yaml": text}, *rules).findings)


def messages(text: str, rule: str) -> list[str]:
    return [finding.message for finding in findings(text, rule)]


def with_container(extra: str) -> str:
    return DEPLOYMENT.format(extra=extra)


class TestMemory:
    def test_neither_limit_nor_request(self) -> None:
        (message,) = messages(with_container("ports: []"), "K8S-001")
        assert message == (
            "Deployment/web/containers[web] sets neither a memory limit nor a request: a leak grows until the node"
            " runs out of memory, and its pod is evicted early"
        )

    def test_the_request_is_named(self) -> None:
        (message,) = messages(with_container("resources: {requests: {memory: 256Mi}}"), "K8S-001")
        assert "no memory limit (its request is 256Mi)" in message

    def test_address_is_that_of_the_limit(self) -> None:
        (finding,) = findings(with_container("resources: {requests: {memory: 256Mi}}"), "K8S-001")
        assert finding.address == "Deployment/web/containers[web]/resources.limits.memory"

    def test_a_default_request_is_not_missed(self) -> None:
        limits = "\n---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: x}\nspec:\n  limits:\n"
        text = with_container("ports: []") + limits + "  - {type: Container, defaultRequest: {memory: 1Gi}}\n"
        (message,) = messages(text, "K8S-001")
        assert "sets no memory limit: " in message

    def test_a_patch_for_another_container_does_not_count(self) -> None:
        patch = (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers:"
            " [{name: proxy, resources: {limits: {memory: 1Gi}}}]}}}\n"
        )
        files = {
            "base/web.yaml": with_container("ports: []"),
            "prod/kustomization.yaml": "resources: [../base]\npatches: [{path: limits.yaml}]\n",
            "prod/limits.yaml": patch,
        }
        assert len(report(files, "K8S-001").findings) == 1


class TestCpu:
    def test_the_autoscaler_is_related(self) -> None:
        scaler = (
            "---\napiVersion: autoscaling/v1\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n"
            "spec: {maxReplicas: 4, targetCPUUtilizationPercentage: 60,"
            " scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
        )
        (finding,) = findings(with_container("ports: []") + scaler, "K8S-002")
        assert "HorizontalPodAutoscaler/web cannot compute" in finding.message
        assert [one.span.line for one in finding.related] == [16]


@pytest.mark.parametrize(
    ("resources", "part"),
    [
        ("{limits: {memory: 512m}}", "512m is 0.512 bytes (m is a thousandth): 512Mi is meant"),
        ("{limits: {memory: 512}}", "512 is 512 bytes: 512Mi is meant"),
        ("{requests: {cpu: 500}}", "500 is 500 CPU cores: 500m is meant for 500 thousandths"),
        ("{limits: {memory: 1.5gb}}", "1.5gb is not a quantity, and the API server refuses it: write 1.5G"),
        ("{limits: {cpu: half}}", "half is not a quantity, and the API server refuses it"),
        ("{requests: {memory: 2Gi}, limits: {memory: 1Gi}}", "2Gi is more than the limit of 1Gi"),
    ],
)
def test_quantities(resources: str, part: str) -> None:
    (message,) = messages(with_container(f"resources: {resources}"), "K8S-003")
    assert part in message


@pytest.mark.parametrize(
    ("extra", "part"),
    [
        ("replicas: 2", "it belongs 3 levels up"),
        ("readinessprobe: {}", "the nearest is readinessProbe"),
        ("image_pull_policy: Always", "the nearest is imagePullPolicy"),
        ("httpGet: {path: /}", "it belongs under livenessProbe"),
        ("flavour: vanilla", "it is unknown in Kubernetes 1.25 to 1.37"),
        ("command: gunicorn", "containers[web].command is text, and the API wants a list"),
        ("tty: 'yes'", "containers[web].tty is text, and the API wants true or false"),
        ("env: [{name: DEBUG, value: no}]", "is a boolean, and the API wants text: put no in quotes"),
        ("livenessProbe: {httpGet: {path: /}}", "livenessProbe.httpGet has no port, which the API requires"),
    ],
)
def test_schema_messages(extra: str, part: str) -> None:
    (message,) = messages(with_container(extra), "K8S-025")
    assert part in message


def test_a_misplaced_field_of_the_pod() -> None:
    text = with_container("ports: []") + "      livenessProbe: {exec: {command: [true]}}\n"
    assert "it belongs under containers[]" in messages(text, "K8S-025")[0]


def test_hits_are_bounded() -> None:
    extra = "env:\n" + "".join(f"            - {{nam: A{i}}}\n" for i in range(200))
    assert 0 < len(messages(with_container(extra), "K8S-025")) <= 25


def test_fields_are_closed() -> None:
    table = known_fields()
    named = {element(notation) for one in table.types.values() for notation in one.fields.values()}
    assert {name for name in named if name[:1].isupper()} <= set(table.types)
    assert set(table.objects.values()) <= set(table.types)
    assert "name" in table.types["Container"].required


@pytest.mark.parametrize(("release", "expected"), [("1.35", 0), ("1.36", 1), ("v1.37.2", 1), ("1.9", 0), ("newest", 1)])
def test_removed_api_version_follows_the_parameter(release: str, expected: int) -> None:
    text = "apiVersion: resource.k8s.io/v1beta1\nkind: DeviceClass\nmetadata: {name: gpu}\n"
    intake = from_sources([SourceFile("k8s/gpu.yaml", text)])
    rules = [rule for rule in load().rules if rule.id == "K8S-019"]
    repository = Repository(intake.files, intake.paths, intake.resources)
    params = {"K8S-019": {"kubernetes": release}}
    checked = check(rules, repository, as_of=date(2026, 11, 22), params=params)
    assert (len(checked.findings), checked.problems) == (expected, [])


KEYS = st.sampled_from([
    "apiVersion", "kind", "metadata", "name", "namespace", "spec", "template", "containers", "initContainers", "image",
    "resources", "limits", "requests", "memory", "cpu", "env", "value", "ports", "hostPort", "volumes", "hostPath",
    "path", "securityContext", "capabilities", "drop", "livenessProbe", "httpGet", "rules", "verbs", "roleRef",
    "target", "subjects", "type", "default", "items", "images", "newTag", "patches", "selector", "restartPolicy",
    "{{ x }}",
])  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(allow_nan=False), st.text(max_size=6),
    st.sampled_from(["512m", "${X}", "{{ x }}", "latest", "a:b", "Container", "auto", "secrets", "*", "web", "a@b"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)
HEADS = st.sampled_from([
    ("v1", "Pod"), ("apps/v1", "Deployment"), ("batch/v1", "CronJob"), ("v1", "LimitRange"), ("v1", "Service"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"), ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"), ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("v1", "PersistentVolume"), ("skaffold/v4beta11", "Config"),
])  # fmt: skip


def wrapped(kind: str, pod: Any) -> dict[str, Any]:
    if kind == "Deployment":
        return {"spec": {"template": {"spec": pod}}}
    if kind == "CronJob":
        return {"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
    return {"spec": pod, "rules": [pod], "subjects": [pod], "roleRef": pod, "images": [pod], "patches": [pod]}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(HEADS, st.dictionaries(KEYS, VALUES, max_size=8), VALUES), min_size=1, max_size=3))
def test_odd_objects_never_fail(objects: list[tuple[tuple[str, str], dict[str, Any], Any]]) -> None:
    texts = []
    for (version, kind), pod, container in objects:
        body = {**wrapped(kind, {**pod, "containers": [container, {"name": "a", "image": container}]})}
        texts.append(json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **body}))
    files = {"k8s/all.yaml": "\n---\n".join(texts), "k8s/kustomization.yaml": texts[0], "skaffold.yaml": texts[-1]}
    problems = [problem for problem in report(files, *RULES).problems if problem.stage == "check"]
    assert problems == []
