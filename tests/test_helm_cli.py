"""What the command line says about the deployment, and the helm program that it may name."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyprod_audit.cli import main
from pyprod_audit.cli.deployment import read_deployment
from pyprod_audit.evaluate.helm import program
from pyprod_audit.intake import from_folder

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.4.2
          securityContext:
            privileged: {{ .Values.privileged }}
"""
RULE = "ORCH-014"  # a container that runs privileged


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chart that is sound with its own values."""
    folder = tmp_path / "repo"
    put(folder, "chart/Chart.yaml", CHART)
    put(folder, "chart/values.yaml", "replicas: 2\nprivileged: false\n")
    put(folder, "chart/templates/web.yaml", DEPLOYMENT)
    monkeypatch.chdir(folder)
    return folder


def put(root: Path, path: str, text: str) -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def scan(*words: str) -> Result:
    return CliRunner().invoke(main, ["scan", "--isolated", "--fail-on", "never", "--select", RULE, *words])


def report(*words: str) -> dict[str, Any]:
    done = scan("-f", "json", "-q", *words)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def findings(*words: str) -> list[tuple[str, int, list[str]]]:
    return [(one["path"], one["line"], one["variants"]) for one in report(*words)["findings"]]


class TestValues:
    def test_charts_are_read_without_any_flag(self, root: Path) -> None:
        assert findings() == []
        counts = from_folder(root).counts
        assert (counts.seen, counts.parsed, counts.skipped) == (3, 3, {})

    def test_a_file_beside_the_chart(self, root: Path) -> None:
        put(root, "chart/values-prod.yaml", "privileged: true\n")
        assert findings() == [("chart/templates/web.yaml", 12, ["chart (values-prod.yaml)"])]

    def test_a_named_file_is_the_only_way_of_deploying(self, root: Path, tmp_path: Path) -> None:
        put(root, "chart/values-prod.yaml", "privileged: true\n")
        safe = put(tmp_path, "safe.yaml", "privileged: false\n")
        assert findings("--values", str(safe)) == []

    def test_the_last_one_wins_and_is_told_as_what_set_the_value(self, root: Path, tmp_path: Path) -> None:
        first = put(tmp_path, "one.yaml", "privileged: false\n")
        second = put(root, "deploy/two.yaml", "\nprivileged: true\n")
        (found,) = report("--values", str(first), "--values", str(second))["findings"]
        assert found["variants"] == ["chart (one.yaml, two.yaml)"]
        assert ("deploy/two.yaml", 2, "set by two.yaml") in [
            (one["path"], one["line"], one["message"]) for one in found["related"]
        ]
        assert findings("--values", str(second), "--values", str(first)) == []

    @pytest.mark.parametrize("flag", ["--values", "--var-file"])
    def test_a_file_that_is_not_there(self, root: Path, flag: str) -> None:
        done = scan(flag, "absent.yaml")
        assert done.exit_code == 2
        assert f"'{flag}'" in done.output
        assert "absent.yaml" in done.output

    @pytest.mark.parametrize("flag", ["--values", "--var-file"])
    def test_what_is_no_file(self, root: Path, flag: str) -> None:
        os.mkfifo(root / "pipe")
        for name in ("chart", "pipe"):
            done = scan(flag, name)
            assert done.exit_code == 2
            assert f"{name} is not a file" in done.output

    def test_binary_and_large_files(self, root: Path) -> None:
        (root / "binary").write_bytes(b"\0\1")
        (root / "large").write_bytes(b"a" * (5 * 1024 * 1024 + 1))
        assert "binary cannot be read: binary" in scan("--values", "binary").output
        assert "large cannot be read: too large" in scan("--values", "large").output

    def test_paths(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(root, "deploy/a.yaml", "a: 1\n")
        put(tmp_path, "values.yaml", "b: 1\n")
        monkeypatch.chdir(tmp_path)
        names = ("repo/deploy/a.yaml", "values.yaml", "repo/../values.yaml")
        deployment = read_deployment(root, names, ("values.yaml",), None)
        outside = (tmp_path / "values.yaml").as_posix()
        assert [one.path for one in deployment.values][:2] == ["deploy/a.yaml", outside]
        assert [one.path for one in deployment.variables] == [outside]
        assert [one.kind for one in (*deployment.values[:1], *deployment.variables)] == ["helm-values", "terraform"]


FAKE = """\
#!{python}
import json, os, sys
{body}
"""


def fake_helm(folder: Path, body: str) -> str:
    """A program that stands for helm."""
    target = put(folder, "fake-helm", FAKE.format(python=sys.executable, body=body))
    target.chmod(0o755)
    return str(target)


RENDERED = DEPLOYMENT.replace("{{ .Values.replicas }}", "3").replace("{{ .Values.privileged }}", "true")
PRINTS = f"print('---\\n# Source: web/templates/web.yaml\\n' + {RENDERED!r})"


class TestHelm:
    def test_what_it_prints_counts_at_the_places_of_the_templates(self, root: Path, tmp_path: Path) -> None:
        assert findings(f"--helm={fake_helm(tmp_path, PRINTS)}") == [("chart/templates/web.yaml", 12, ["chart"])]

    def test_an_object_that_only_helm_gives(self, root: Path, tmp_path: Path) -> None:
        put(root, "chart/templates/more.yaml", "{{ if .Capabilities.x }}\nkind: Deployment\n{{ end }}\n")
        body = PRINTS.replace("templates/web.yaml", "templates/more.yaml")
        assert findings(f"--helm={fake_helm(tmp_path, body)}") == [("chart/templates/more.yaml", 2, ["chart"])]

    def test_arguments_and_surroundings(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", "/secret")
        monkeypatch.setenv("HELM_PLUGINS", "/plugins")
        monkeypatch.setenv("HTTPS_PROXY", "proxy.example.com")
        seen = tmp_path / "seen"
        body = f"open({str(seen)!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ), os.listdir(sys.argv[3])]))"
        report(f"--helm={fake_helm(tmp_path, body)}", "--values", str(put(tmp_path, "v.yaml", "a: 1\n")))
        arguments, environment, files = json.loads(seen.read_text())
        assert arguments[:2] == ["template", "release-name"]
        assert arguments[3:8] == ["--namespace", "default", "--kube-version", "1.34.0", "--values"]
        assert not any(str(root) in one for one in arguments)
        assert set(files) == {"Chart.yaml", "templates", "values.yaml"}
        assert "KUBECONFIG" not in environment
        assert "HTTPS_PROXY" not in environment
        assert environment["HELM_PLUGINS"] != "/plugins"
        assert not Path(environment["HOME"]).exists()

    def test_a_dependency_beside_the_chart_is_put_into_it(self, root: Path, tmp_path: Path) -> None:
        put(root, "common/Chart.yaml", "apiVersion: v2\nname: common\nversion: 1.0.0\ntype: library\n")
        put(root, "common/templates/_a.tpl", '{{ define "a" }}{{ end }}')
        wants = "dependencies: [{name: common, version: 1.x.x, repository: 'file://../common'}]\n"
        put(root, "chart/Chart.yaml", CHART + wants)
        seen = tmp_path / "seen"
        body = f"open({str(seen)!r}, 'w').write(' '.join(os.listdir(sys.argv[3] + '/charts/common')))"
        report(f"--helm={fake_helm(tmp_path, body)}")
        assert sorted(seen.read_text().split()) == ["Chart.yaml", "templates"]

    def test_links_are_not_handed_over(self, root: Path, tmp_path: Path) -> None:
        put(tmp_path, "outside", "secret")
        (root / "chart" / "linked").symlink_to(tmp_path / "outside")
        seen = tmp_path / "seen"
        body = f"open({str(seen)!r}, 'w').write(' '.join(os.listdir(sys.argv[3])))"
        report(f"--helm={fake_helm(tmp_path, body)}")
        assert "linked" not in seen.read_text().split()

    def test_failure_is_a_problem_and_our_own_rendering_counts(self, root: Path, tmp_path: Path) -> None:
        put(root, "chart/values.yaml", "replicas: 2\nprivileged: true\n")
        program_name = fake_helm(tmp_path, "sys.exit('Error: no such\\nchart')")
        found = report(f"--helm={program_name}")
        (problem,) = found["problems"]
        assert problem["path"] == "chart/Chart.yaml"
        assert problem["message"].startswith("helm failed for the chart chart with its default values")
        assert problem["message"].endswith("Error: no such chart")
        assert [one["line"] for one in found["findings"]] == [12]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("import time; time.sleep(60)", "helm took more than"),
            ("sys.stdout.write('x' * 5000)", "helm printed too much"),
        ],
    )
    def test_bounds(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str) -> None:
        monkeypatch.setattr(program, "_SECONDS", 1)
        monkeypatch.setattr(program, "_MAX_OUTPUT", 4000)
        (problem,) = report(f"--helm={fake_helm(tmp_path, body)}")["problems"]
        assert message in problem["message"]

    def test_a_program_that_is_not_there(self, root: Path) -> None:
        done = scan("--helm=/nowhere/helm")
        assert done.exit_code == 2
        assert "there is no program '/nowhere/helm'" in done.output

    def test_the_flag_alone_takes_no_path_for_a_program(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "bin"
        fake_helm(folder, PRINTS)
        (folder / "fake-helm").rename(folder / "helm")
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        assert findings("--helm", ".") == [("chart/templates/web.yaml", 12, ["chart"])]
        monkeypatch.setenv("PATH", str(tmp_path))
        assert scan("--helm", ".").exit_code == 2
