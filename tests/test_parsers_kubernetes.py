"""Kubernetes manifests: objects, views, and what only looks like Kubernetes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, Resource, SourceFile, Unknown
from pyprod_audit.model.kubernetes import (
    annotations_of,
    labels_of,
    name_of,
    named_ports,
    namespace_of,
    object_of,
    pod_labels,
    selector_matches,
)
from pyprod_audit.parsers.kubernetes import looks_like_kubernetes, parse
from pyprod_audit.parsers.yaml_events import parse_documents


def read(text: str, path: str = "k8s/web.yaml") -> Parsed:
    return parse(SourceFile(path, text))


def addresses(parsed: Parsed) -> list[tuple[str, str]]:
    return [(resource.kind, resource.address) for resource in parsed.resources]


def only(parsed: Parsed, kind: str) -> Resource:
    [found] = [resource for resource in parsed.resources if resource.kind == kind]
    return found


WEB = """\
# The shop's web tier
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {app: web}
  annotations:
    pyprod-audit.dev/ignore.k8s-x: because
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
        tier: front
    spec:
      initContainers:
        - name: migrate
          image: shop:1.4
          command: [python, manage.py, migrate]
        - image: proxy:2
          restartPolicy: Always
      containers:
        - name: web
          image: shop:1.4
          args: ["--bind", "0.0.0.0:$(PORT)"]
          ports:
            - name: http
              containerPort: 8000
            - containerPort: 9000
          env:
            - name: PORT
              value: "8000"
            - name: PORT
              value: "8001"
            - name: EMPTY
            - name: PASSWORD
              valueFrom:
                secretKeyRef: {name: db, key: password}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
    - port: 80
      targetPort: http
"""


def test_objects_and_views_in_order_with_parents():
    parsed = read(WEB)
    assert addresses(parsed) == [
        ("k8s.deployment", "Deployment/web"),
        ("k8s.podspec", "Deployment/web/pod"),
        ("k8s.container", "Deployment/web/containers[web]"),
        ("k8s.initcontainer", "Deployment/web/initContainers[migrate]"),
        ("k8s.initcontainer", "Deployment/web/initContainers[1]"),
        ("k8s.service", "Service/web"),
    ]
    deployment, pod, container = parsed.resources[:3]
    assert pod.parent is deployment
    assert container.parent is pod
    assert container.node.get("image").span.line == 29
    assert container.node.items_at("args")[1].value == "0.0.0.0:$(PORT)"
    assert not parsed.problems
    assert not parsed.partial


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", "spec"),
        ("v1", "PodTemplate", "template.spec"),
        ("v1", "ReplicationController", "spec.template.spec"),
        ("apps/v1", "StatefulSet", "spec.template.spec"),
        ("apps/v1", "DaemonSet", "spec.template.spec"),
        ("apps/v1", "ReplicaSet", "spec.template.spec"),
        ("extensions/v1beta1", "Deployment", "spec.template.spec"),
        ("batch/v1", "Job", "spec.template.spec"),
        ("batch/v1beta1", "CronJob", "spec.jobTemplate.spec.template.spec"),
        ("argoproj.io/v1alpha1", "Rollout", "spec.template.spec"),
        ("serving.knative.dev/v1", "Service", "spec.template.spec"),
    ],
)
def test_every_workload_has_a_pod_with_labels(api_version, kind, path):
    pod: dict = {"containers": [{"name": "app", "image": "app:1"}]}
    *outer, last = path.split(".")
    manifest: dict = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    at = manifest
    for key in outer:
        at = at.setdefault(key, {})
    at[last] = pod
    at.setdefault("metadata", {})["labels"] = {"app": "x"}
    parsed = read(json.dumps(manifest), "web.json")
    assert only(parsed, "k8s.container").node.text_at("image") == "app:1"
    assert pod_labels(only(parsed, "k8s.podspec"))["app"].value == "x"


def test_lists_are_flattened():
    text = """\
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
  - apiVersion: v1
    kind: List
    items:
      - {apiVersion: v1, kind: Secret, metadata: {name: b}}
  - apiVersion: release-notes/v2
    kind: Note
"""
    assert addresses(read(text)) == [("k8s.configmap", "ConfigMap/a"), ("k8s.secret", "Secret/b")]


def test_members_of_typed_lists_need_not_repeat_their_kind():
    text = "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n  - metadata: {name: a}\n    spec: {}\n"
    assert addresses(read(text)) == [("k8s.deployment", "Deployment/a")]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: release-notes/v2\nkind: feature\narea: security\n",
        "apiVersion: skaffold/v4beta6\nkind: Config\nmetadata: {name: app}\n",
        "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
        "apiVersion: v1\nkind: Config\nclusters: []\n",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n",
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: web}\n",
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
        "apiVersion: v1\nkind: Widget\nmetadata: {name: x}\n",
        "apiVersion: 1\nkind: 2\n",
        "apiVersion: [v1]\nkind: {a: b}\n",
        "apiVersion: example.com/v1\nkind: some kind\n",
        "services: {web: {image: x}}\n",
        "on: push\njobs: {}\n",
        "openapi: 3.0.0\npaths: {}\n",
        "- apiVersion: v1\n- kind: Pod\n",
        "just text\n",
        "",
    ],
)
def test_other_yaml_gives_nothing_and_no_problem(text):
    assert read(text) == Parsed()


def test_custom_resources_are_objects():
    text = (
        "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: web}\nspec: {containers: [{}]}\n"
    )
    assert addresses(read(text)) == [("k8s.servicemonitor", "ServiceMonitor/web")]


def test_a_custom_resource_that_borrows_a_name_keeps_its_group():
    text = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: api}
spec: {template: {spec: {containers: [{image: api}]}}}
---
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: train}
spec: {template: {spec: {containers: [{image: train}]}}}
"""
    assert addresses(read(text)) == [
        ("k8s.service.serving.knative.dev", "Service.serving.knative.dev/api"),
        ("k8s.podspec", "Service.serving.knative.dev/api/pod"),
        ("k8s.container", "Service.serving.knative.dev/api/containers[0]"),
        ("k8s.job.batch.volcano.sh", "Job.batch.volcano.sh/train"),
    ]


@pytest.mark.parametrize(
    ("metadata", "address"),
    [
        ("{generateName: run-}", "Job/run-"),
        ("{}", "Job/#1"),
        ("", "Job/#1"),
        ("{name: '{{ name }}'}", "Job/{{ name }}"),
        ("{name: 'app-${ENV}'}", "Job/app-${ENV}"),
        ("{name: 123}", "Job/123"),
    ],
)
def test_addresses_of_objects_without_plain_name(metadata, address):
    first = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"
    parsed = read(f"{first}---\napiVersion: batch/v1\nkind: Job\nmetadata: {metadata}\n")
    assert addresses(parsed)[1] == ("k8s.job", address)


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("base/kustomization.yaml", "resources: [web.yaml]\n", True),
        ("base/x.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", True),
        ("base/x.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n", True),
        ("base/x.yaml", "resources: [web.yaml]\n", False),
        ("base/kustomization.yaml", "- a\n", False),
    ],
)
def test_kustomizations(path, text, found):
    assert addresses(read(text, path)) == ([("kustomize.kustomization", path)] if found else [])


def test_flux_kustomizations_are_objects():
    text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps}\n"
    assert addresses(read(text, "kustomization.yaml")) == [("k8s.kustomization", "Kustomization/apps")]


def test_a_broken_document_keeps_the_others():
    parsed = read(WEB.replace("  replicas: 3\n", "  replicas: [3\n"))
    assert addresses(parsed) == [("k8s.service", "Service/web")]
    assert parsed.partial
    assert parsed.problems[0].path == "k8s/web.yaml"


def test_repeated_keys_are_resources_of_their_object():
    parsed = read(WEB.replace("  replicas: 3\n", "  replicas: 3\n  replicas: 4\n"))
    duplicate = only(parsed, "yaml.duplicate_key")
    assert duplicate.address == "Deployment/web/spec.replicas"
    assert duplicate.parent is only(parsed, "k8s.deployment")
    assert (duplicate.node.value, duplicate.node.key.line) == (4, 12)


def test_repeated_keys_in_lists_belong_to_the_member():
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  kind: Secret\n  metadata: {name: s}\n"
    )
    assert only(read(text), "yaml.duplicate_key").address == "Secret/s/kind"


def test_repeated_keys_of_other_yaml_are_not_reported_here():
    assert read("a: 1\na: 2\n") == Parsed()


# -- templates and variables ---------------------------------------------------------------------------------


def test_what_tools_fill_in_is_unknown():
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ replicas }}
  template:
    spec:
      {% if migrate %}
      serviceAccountName: web
      {% endif %}
      containers:
        - name: web
          image: "registry.example.com/web:${TAG}"
          command: [sh, -c, "exec gunicorn --bind 0.0.0.0:${PORT} app"]
          args: ["$(WORKERS)", "${TIMEOUT}"]
          env:
            - {name: URL, value: "postgres://${DB_HOST}/shop"}
            - {name: PRICE, value: "$5 {x}"}
        - name: side
          image: $IMAGE
"""
    parsed = read(text)
    assert not parsed.problems
    web, side = [r.node for r in parsed.resources if r.kind == "k8s.container"]
    assert only(parsed, "k8s.deployment").node.get("spec.replicas").value.expression == "{{ replicas }}"
    assert only(parsed, "k8s.podspec").node.text_at("serviceAccountName") == "web"
    assert web.get("image").value.expression == "registry.example.com/web:${TAG}"
    assert web.items_at("command")[2].text == "exec gunicorn --bind 0.0.0.0:${PORT} app"
    assert web.items_at("args")[0].text == "$(WORKERS)"
    assert web.items_at("args")[1].is_unknown
    assert web.items_at("env")[0].get("value").is_unknown
    assert web.items_at("env")[1].text_at("value") == "$5 {x}"
    assert side.get("image").is_unknown


def test_files_and_scripts_keep_their_dollars():
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: nginx}
data:
  nginx.conf: |
    proxy_set_header Host ${host};
  home: ${HOME}
"""
    data = only(read(text), "k8s.configmap").node.mapping_at("data")
    assert data["nginx.conf"].text == "proxy_set_header Host ${host};\n"
    assert data["home"].text == "${HOME}"


def test_a_template_of_the_api_version_does_not_hide_a_workload():
    text = "apiVersion: {{ version }}\nkind: Deployment\nmetadata: {name: web}\n"
    assert addresses(read(text)) == [("k8s.deployment", "Deployment/web")]
    assert read("apiVersion: {{ version }}\nkind: Something\n") == Parsed()


# -- sniffing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (WEB, True),
        ("kind: Pod\r\napiVersion: v1\r\n", True),
        ('{"kind":"Pod","apiVersion":"v1"}', True),
        ('{\n  "apiVersion" : "v1",\n  "kind": "Pod"\n}', True),
        ("apiVersion: v2\nname: chart\n", False),
        ("template:\n  apiVersion: v1\n  kind: Pod\n", False),
        ("# kind: Pod\n# apiVersion: v1\n", False),
        ("", False),
    ],
)
def test_sniffing(text, answer):
    assert looks_like_kubernetes(text) is answer


# -- questions to objects ------------------------------------------------------------------------------------


def test_views_answer_for_their_object():
    parsed = read(WEB)
    container = only(parsed, "k8s.container")
    assert object_of(container).address == "Deployment/web"
    assert (name_of(container), namespace_of(container)) == ("web", "shop")
    assert namespace_of(only(parsed, "k8s.service")) == ""
    assert labels_of(container)["app"].value == "web"
    assert list(annotations_of(container)) == ["pyprod-audit.dev/ignore.k8s-x"]
    assert {key: node.value for key, node in pod_labels(only(parsed, "k8s.podspec")).items()} == {
        "app": "web",
        "tier": "front",
    }


def test_a_namespace_that_is_filled_in_is_compared_as_written():
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: x, namespace: '${NS}'}\n"
    assert namespace_of(only(read(text), "k8s.secret")) == "${NS}"


def test_labels_that_are_filled_in_are_unknown():
    text = "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    {{ labels }}\nspec: {containers: []}\n"
    assert isinstance(pod_labels(only(read(text), "k8s.podspec")), Unknown)


def test_ports_of_a_container():
    container = only(read(WEB), "k8s.container")
    assert {name: node.value for name, node in named_ports(container).items()} == {"http": 8000}


def node_of(text: str) -> Node:
    from pyprod_audit.parsers.yaml_template import mask

    return parse_documents(SourceFile("x.yaml", text), mask(text)).nodes[0]


@pytest.mark.parametrize(
    ("selector", "labels", "answer"),
    [
        ("{app: web}", "{app: web, tier: front}", True),
        ("{app: web, tier: back}", "{app: web, tier: front}", False),
        ("{app: web}", "{}", False),
        ("{}", "{app: web}", True),
        ("{matchLabels: {app: web}}", "{app: web}", True),
        ("{matchLabels: {app: api}}", "{app: web}", False),
        ("{matchLabels: {v: '1'}}", "{v: 1}", True),
        ("{matchExpressions: [{key: app, operator: In, values: [web, api]}]}", "{app: web}", True),
        ("{matchExpressions: [{key: app, operator: In, values: [api]}]}", "{app: web}", False),
        ("{matchExpressions: [{key: app, operator: NotIn, values: [api]}]}", "{app: web}", True),
        ("{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}", "{app: web}", False),
        ("{matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}", "{app: web}", True),
        ("{matchExpressions: [{key: app, operator: Exists}]}", "{app: web}", True),
        ("{matchExpressions: [{key: app, operator: DoesNotExist}]}", "{app: web}", False),
        ("{matchLabels: {app: web}, matchExpressions: [{key: x, operator: Exists}]}", "{app: web}", False),
        ("{matchExpressions: [{key: app, operator: Like, values: [w]}]}", "{app: web}", None),
        ("{app: '{{ name }}'}", "{app: web}", None),
        ("{app: web}", "{app: '{{ name }}'}", None),
        ("{app: '{{ name }}', tier: back}", "{app: web, tier: front}", False),
        ("{app: web}", "{'{{ key }}': web}", None),
        ("{matchExpressions: [{key: app, operator: In, values: ['{{ x }}', web]}]}", "{app: web}", True),
        ("{matchExpressions: [{key: app, operator: NotIn, values: ['{{ x }}', api]}]}", "{app: web}", None),
        ("{matchExpressions: [{key: b, operator: Exists}]}", "{'{{ key }}': web}", None),
        ("{matchLabels: '{{ labels }}'}", "{app: web}", None),
    ],
)
def test_selectors(selector, labels, answer):
    assert selector_matches(node_of(selector), node_of(labels).mapping) is answer


def test_a_selector_against_unknown_labels_is_undecided():
    assert selector_matches(node_of("{app: web}"), Unknown("{{ labels }}")) is None


# -- hostile input -------------------------------------------------------------------------------------------

_WORDS = st.sampled_from([
    "apiVersion", "kind", "v1", "apps/v1", "Pod", "List", "Deployment", "metadata", "name", "spec", "template", "items",
    "containers", "env", "${X}", "{{ x }}", "{% if %}", "kustomize.config.k8s.io/v1", "labels", "", None, 1,
])  # fmt: skip
_TREES = st.recursive(
    _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS.map(str), inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=150) | _TREES.map(json.dumps))
def test_any_input_gives_a_result(text):
    parsed = read(text)
    for resource in parsed.resources:
        assert resource.address
        assert (namespace_of(resource), name_of(resource)) is not None
        if resource.kind == "k8s.podspec":
            pod_labels(resource)
        if resource.kind == "k8s.container":
            named_ports(resource)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(WEB)), st.sampled_from(["", "[", "{{", "\t", "\0", "---\n", "*x", "&a ", "'", "é", ": "]))
def test_a_manifest_damaged_anywhere_gives_a_result(at, damage):
    parsed = read(WEB[:at] + damage + WEB[at + 1 :])
    assert parsed.resources or parsed.problems


def test_shared_pods_are_no_trap():
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [&c {name: '${A}', image: a}, *c]}\n"
    parsed = read(text)
    assert [r.address for r in parsed.resources if r.kind == "k8s.container"] == ["Pod/x/containers[${A}]"] * 2
