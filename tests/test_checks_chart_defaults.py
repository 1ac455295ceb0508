"""What a chart's empty defaults leave to whoever installs it."""

from __future__ import annotations

import pytest

from pyprod_audit.findings import Report
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
SLOT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.4.2
          {{- with .Values.resources }}
          resources: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.containerSecurityContext }}
          securityContext: {{- toYaml . | nindent 12 }}
          {{- end }}
"""
EMPTY = "resources: {}\ncontainerSecurityContext: {}\n"
RULES = ("K8S-001", "K8S-002", "K8S-012", "K8S-013")


def scan(files: dict[str, str]) -> Report:
    return scan_sources([SourceFile(path, text) for path, text in files.items()], options=ScanOptions(select=RULES))


def test_an_empty_default_is_a_question_to_whoever_installs_the_chart() -> None:
    report = scan({"web/Chart.yaml": CHART, "web/values.yaml": EMPTY, "web/templates/web.yaml": SLOT})
    assert report.findings == []
    assert {(one.rule_id, one.span.file.path, one.span.line) for one in report.undecided if one.span} == {
        ("K8S-001", "web/values.yaml", 1), ("K8S-002", "web/values.yaml", 1),
        ("K8S-012", "web/values.yaml", 2), ("K8S-013", "web/values.yaml", 2),
    }  # fmt: skip
    because = next(one.because for one in report.undecided if one.rule_id == "K8S-001")
    assert because == "web/values.yaml leaves resources empty, for whoever installs the chart"


@pytest.mark.parametrize(
    ("values", "template", "more"),
    [
        # The repository says how the chart is deployed, and it does not fill the value in.
        (EMPTY, SLOT, {"web/values-prod.yaml": "replicas: 3\n"}),
        # Nobody who installs the chart can fill in what its template does not use.
        (EMPTY, SLOT.partition("          {{- with")[0], {}),
        # There is no such value.
        ("replicas: 2\n", SLOT, {}),
    ],
    ids=["values of a deployment", "not used by the template", "no such value"],
)
def test_otherwise_what_is_missing_is_missing(values: str, template: str, more: dict[str, str]) -> None:
    report = scan({"web/Chart.yaml": CHART, "web/values.yaml": values, "web/templates/web.yaml": template, **more})
    assert {finding.rule_id for finding in report.findings} == set(RULES)
    assert {finding.path for finding in report.findings} == {"web/templates/web.yaml"}


def test_a_filled_default_is_judged() -> None:
    values = "resources: {limits: {memory: 64Mi}}\ncontainerSecurityContext: {}\n"
    report = scan({"web/Chart.yaml": CHART, "web/values.yaml": values, "web/templates/web.yaml": SLOT})
    (finding,) = report.findings
    assert finding.rule_id == "K8S-002"
