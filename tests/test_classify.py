"""What files are called by their names, and by what is in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.discover import KINDS, NEEDS_CONTENT, classify, helm_kinds, role_of
from pyprod_audit.parsers.recognise import classify_content

DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Dockerfile", "dockerfile"), ("a/Dockerfile.prod", "dockerfile"), ("web.Dockerfile", "dockerfile"),
        ("Containerfile", "dockerfile"), ("x/api.dockerfile", "dockerfile"), ("Dockerfile-web", "dockerfile"),
        ("Dockerfile.3.12", "dockerfile"), ("Dockerfile.dockerignore", "dockerignore"),
        ("Dockerfile.j2.license", None), ("Dockerfile.j2", None), ("Dockerfile.md", None),
        ("dockerfile_parser.py", "python"),
        ("dockerfiles", "script?"), (".dockerignore", "dockerignore"),
        ("run.sh", "shell"), ("bin/entrypoint", "script?"), ("Makefile", None), ("LICENSE", None),
        ("k8s/web.yaml", "yaml?"), ("a.yml", "yaml?"), ("a.yaml.j2", None), ("a.gotmpl", None),
        ("kustomization.yaml", "kustomization"), ("o/Kustomization", "kustomization"), ("pnpm-lock.yaml", None),
        ("nginx.conf", "conf?"), ("templates/default.conf.template", "conf?"),
        ("nginx/sites-enabled/example.com", "conf?"),
        ("nginx/sites-enabled/default", "conf?"), ("gunicorn.conf.py", "python"), ("nginx/readme.md", None),
        ("main.tf", "terraform"), ("m.tofu", "terraform"), ("x.tf.json", "terraform"),
        ("prod.auto.tfvars", "terraform"),
        ("prod.tfvars.json", "terraform"), (".terraform.lock.hcl", None),
        ("requirements.txt", "requirements"), ("requirements-dev.txt", "requirements"),
        ("dev-requirements.in", "requirements"),
        ("requirements/base.txt", "requirements"), ("constraints.txt", "requirements"), ("notes.txt", None),
        ("pyproject.toml", "manifest"), ("setup.cfg", "manifest"), ("setup.py", "manifest"), ("Pipfile", "manifest"),
        ("uv.lock", "lock"), ("poetry.lock", "lock"), ("Pipfile.lock", "lock"), ("pylock.toml", "lock"),
        ("pylock.prod.toml", "lock"), ("pdm.lock", "lock"), ("yarn.lock", None), ("package-lock.json", None),
        (".python-version", "python-version"), ("runtime.txt", "python-version"), (".tool-versions", "python-version"),
        ("app/main.py", "python"), ("a.pyc", None), (".env", "text"), (".env.production", "text"),
        ("deploy/prod.env", "text"),
        ("config.ini", "text"), ("certs/server.key", "text"), ("id_rsa", "text"), ("settings.json", "json?"),
        ("k8s/web.json", "json?"),
        ("logo.png", None), ("README.md", None), ("", None), ("folder/", None), (".py", None),
    ],
)  # fmt: skip
def test_by_name(path: str, kind: str | None) -> None:
    assert classify(path) == kind


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("web.yaml", DEPLOYMENT, "kubernetes"),
        ("web.json", '{\n\t"kind": "Service",\n\t"apiVersion": "v1"\n}\n', "kubernetes"),
        (
            "all.json",
            '{"apiVersion": "v1", "items": [{"apiVersion": "v1", "kind": "Pod"}], "kind": "List"}',
            "kubernetes",
        ),
        ("schema.json", '{"properties": {"apiVersion": {}, "kind": {}}}', "text"),
        ("settings.json", '{"debug": false}', "text"),
        ("compose.yaml", "services:\n  web:\n    image: x\n", "compose"),
        ("docker-compose-web.yml", "version: '3'\n\nservices:\n  web:\n    image: x\n", "compose"),
        ("compose.override.yml", "volumes:\n  data:\n", "compose"),
        ("local.compose.yaml", '"services":\n  web:\n    image: x\n', "compose"),
        ("deploy-docker-compose.yml", "on: push\njobs:\n  web:\n    services:\n      db: {}\n", "yaml"),
        ("decompose.yaml", "services:\n  web:\n    image: x\n", "yaml"),
        ("site.conf", "server {\n  listen 80;\n  location / { proxy_pass http://app; }\n}\n", "nginx"),
        ("supervisord.conf", "[supervisord]\nnodaemon=true\n", "text"),
        ("bin/start", "#!/usr/bin/env bash\nexec gunicorn app:app\n", "shell"),
        ("bin/start", "#!/bin/sh -e\n", "shell"),
        ("bin/manage", "#!/usr/bin/env python3.12\n", "python"),
        ("services/web/run", "#!/command/with-contenv /usr/bin/bash\n", "shell"),
        ("bin/fish", "#!/usr/bin/fish\n", None),
        ("bin/node", "#!/usr/bin/env node\n", None),
        ("words", "just words\n", None),
        ("Dockerfile", "anything", "dockerfile"),
    ],
)
def test_by_content(path: str, text: str, kind: str | None) -> None:
    assert classify_content(path, text) == kind


def test_helm_charts() -> None:
    paths = [
        "chart/Chart.yaml", "chart/values.yaml", "chart/values-prod.yaml", "chart/templates/web.yaml",
        "chart/templates/sub/job.yml", "chart/templates/NOTES.txt", "chart/crds/x.yaml", "chart/ci/small-values.yaml",
        "chart/charts/db/Chart.yaml", "chart/charts/db/templates/db.yaml", "chart/charts/db/values.yaml",
        "chart/templates/_helpers.tpl", "chart/templates/conf/nginx.conf", "chart/values/dev.yaml", "chart/README.md",
        "chart/values.schema.yaml", "chart/values.yaml.md", "chart/files/templates/a.yaml", "chart/ci/other.yaml",
        "templates/web.yaml", "other/templates/x.yaml", "values.yaml", "MyChart.yaml", "my/templates/y.yaml",
    ]  # fmt: skip
    assert helm_kinds(paths) == {
        "chart/Chart.yaml": "helm-chart",
        "chart/charts/db/Chart.yaml": "helm-chart",
        "chart/templates/_helpers.tpl": "helm-template",
        "chart/templates/conf/nginx.conf": "helm-template",
        "chart/values/dev.yaml": "helm-values",
        "chart/values.yaml": "helm-values",
        "chart/values-prod.yaml": "helm-values",
        "chart/ci/small-values.yaml": "helm-values",
        "chart/templates/web.yaml": "helm-template",
        "chart/templates/sub/job.yml": "helm-template",
        "chart/templates/NOTES.txt": "helm-template",
        "chart/charts/db/templates/db.yaml": "helm-template",
        "chart/charts/db/values.yaml": "helm-values",
        "chart/files/templates/a.yaml": "text",
    }


def test_chart_at_the_root() -> None:
    assert helm_kinds(["Chart.yaml", "templates/a.yaml", "values.yaml", "x/templates/b.yaml"]) == {
        "Chart.yaml": "helm-chart",
        "templates/a.yaml": "helm-template",
        "values.yaml": "helm-values",
    }


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("Dockerfile", ""), ("src/app/main.py", ""), ("tests/Dockerfile", "test"), ("pkg/testdata/x.yaml", "test"),
        ("app/test_views.py", "test"), ("conftest.py", "test"), ("examples/flask/app.py", "example"),
        ("docs/k8s.yaml", "docs"), ("vendor/x/tests/y.py", "vendor"), ("docs/examples/a.tf", "example"),
        ("third_party/a/b.sh", "vendor"), ("latest/contest.py", ""), ("testing.py", ""),
        ("_archived/storm/pod.yaml", "archive"), ("archive.py", ""),
    ],
)  # fmt: skip
def test_roles(path: str, role: str) -> None:
    assert role_of(path) == role


@given(st.text(max_size=60), st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_name_has_an_answer(path: str, text: str) -> None:
    assert classify(path) in {None, *KINDS, *NEEDS_CONTENT}
    assert classify_content(path, text) in {None, *KINDS}
    role_of(path)
