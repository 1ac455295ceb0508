"""Charts rendered statically: what helm makes of them, with the places of every value; and what is not known."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.helm import evaluate
from pyprod_audit.intake import from_folder, from_sources
from pyprod_audit.model import Deployment, Node, OpenMapping, Resource, SourceFile, Unknown

ORACLE = Path(__file__).parent / "oracles" / "helm"
RECORDED = json.loads((ORACLE / "expected.json").read_text(encoding="utf-8"))["variants"]
CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: '4.5'\n"


def run(
    files: dict[str, str], values: dict[str, str] | None = None, packed: dict[str, bytes] | None = None
) -> Evaluated:
    intake = from_sources([SourceFile(path, text) for path, text in files.items()], packed or ())
    intake.opener = (packed or {}).get
    given = tuple(SourceFile(path, text) for path, text in (values or {}).items())
    return evaluate(intake.resources, intake.tree(Deployment(values=given)))


def chart(template: str, values: str = "", **more: str) -> dict[str, str]:
    """A chart in `web/` with one template."""
    named = {
        path.replace("__", "/").replace("_yaml", ".yaml").replace("_tpl", ".tpl"): text for path, text in more.items()
    }
    return {"web/Chart.yaml": CHART, "web/values.yaml": values, "web/templates/a.yaml": template, **named}


def objects(evaluated: Evaluated, variant: str = "web") -> dict[str, Resource]:
    return {
        one.address: one
        for one in evaluated.resources
        if one.variant == variant and one.parent is None and one.kind.startswith("k8s.")
    }


def only(files: dict[str, str], **options: Any) -> Node:
    evaluated = run(files, **options)
    assert evaluated.problems == []
    (found,) = [one for one in evaluated.resources if one.kind.startswith("k8s.") and one.parent is None]
    return found.node


def at(node: Node | None) -> tuple[str, int, str]:
    """Where a node points: file, line and the text there."""
    assert node is not None
    return (node.source.path, node.anchor.line, node.anchor.text)


def ways(node: Node | None) -> list[tuple[str, int, str]]:
    assert node is not None
    return [(via.span.file.path, via.span.line, via.label) for via in node.via]


def leaves(node: Node, path: str = "") -> dict[str, object]:
    if isinstance(node.value, dict) and node.value:
        found: dict[str, object] = {}
        for key, member in node.value.items():
            found.update(leaves(member, f"{path}/{key}"))
        return found
    if isinstance(node.value, tuple) and node.value:
        found = {}
        for index, member in enumerate(node.value):
            found.update(leaves(member, f"{path}/{index}"))
        return found
    return {path: {} if node.value == {} else [] if node.value == () else node.value}


def head(kind: str = "ConfigMap", name: str = "a") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"


class TestOracle:
    """Everything that helm prints for the charts in `oracles/helm`, which use most of what charts use."""

    @pytest.mark.parametrize("variant", sorted(RECORDED))
    def test_same_objects(self, variant: str) -> None:
        folder = variant.partition(" (")[0]
        intake = from_folder(ORACLE)
        resources = [one for one in intake.resources if not one.path.startswith("commons/")]
        evaluated = evaluate(resources, intake.tree())
        found = objects(evaluated, variant)
        if RECORDED[variant].get("refused"):
            assert any(isinstance(value, Unknown) for one in found.values() for value in leaves(one.node).values())
            return
        assert [one for one in evaluated.problems if f"chart {folder} " in one.message] == []
        expected = RECORDED[variant]["objects"]
        assert sorted(found) == sorted(expected)
        for address, one in found.items():
            real = leaves(one.node)
            unknown = {path for path, value in real.items() if isinstance(value, Unknown)}
            assert unknown <= KNOWN_UNKNOWNS.get(variant, set())
            assert {p: v for p, v in real.items() if p not in unknown} == {
                p: v for p, v in expected[address].items() if p not in unknown
            }


# What helm answers without a cluster although only the cluster knows, and how it prints its own objects.
KNOWN_UNKNOWNS = {
    "demanding (values-small.yaml)": {"/data/found"},
    "capable": {"/data/kind", "/data/printed", "/data/printed-again"},
}


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "web.name" . }}
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {{- toYaml .Values.pod | nindent 8 }}
      containers:
        - name: web
          image: "{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          args: [--port, "8000"]
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
"""
HELPERS = """\
{{- define "web.name" -}}
{{ .Release.Name }}-{{ .Chart.Name }}
{{- end }}
{{- define "web.labels" -}}
app: web
version: {{ .Chart.AppVersion | quote }}
{{- end }}
"""
VALUES = """\
replicas: 3
image:
  name: registry.example.com/web
  tag:
pod: {runAsNonRoot: true}
resources:
  limits:
    memory: 1Gi
"""


class TestPlaces:
    @pytest.fixture
    def deployment(self) -> Node:
        return only(chart(DEPLOYMENT, VALUES, web__templates__x_tpl=HELPERS))

    @pytest.fixture
    def container(self, deployment: Node) -> Node:
        (found,) = deployment.items_at("spec.template.spec.containers")
        return found

    def test_literal_text_stands_where_it_is_written(self, deployment: Node, container: Node) -> None:
        assert at(container.get("name")) == ("web/templates/a.yaml", 14, "web")
        assert at(container.get("args.1")) == ("web/templates/a.yaml", 16, '"8000"')
        assert at(deployment.get("spec.template.metadata.labels")) == ("web/templates/a.yaml", 10, "labels")
        assert ways(container.get("name")) == []

    def test_what_an_action_wrote_stands_at_the_action_by_way_of_the_values(self, deployment: Node) -> None:
        replicas = deployment.get("spec.replicas")
        assert replicas is not None
        assert replicas.value == 3
        assert at(replicas) == ("web/templates/a.yaml", 8, "{{ .Values.replicas }}")
        assert ways(replicas) == [("web/values.yaml", 1, "set by values.yaml")]
        assert replicas.key is not None
        assert replicas.key.text == "replicas"

    def test_a_scalar_of_several_parts_stands_as_a_whole(self, container: Node) -> None:
        image = container.get("image")
        assert image is not None
        assert image.value == "registry.example.com/web:4.5"
        assert at(image)[:2] == ("web/templates/a.yaml", 15)
        assert image.anchor.text.startswith('"{{ .Values.image.name }}:')
        assert ("web/values.yaml", 3, "set by values.yaml") in ways(image)
        assert ("web/Chart.yaml", 4, "set by Chart.yaml") in ways(image)

    def test_members_of_written_out_values_come_from_their_own_lines(self, deployment: Node, container: Node) -> None:
        memory = container.get("resources.limits.memory")
        assert at(memory)[:2] == ("web/templates/a.yaml", 18)
        assert ("web/values.yaml", 8, "set by values.yaml") in ways(memory)
        assert at(container.get("resources")) == ("web/templates/a.yaml", 17, "resources")
        assert at(deployment.get("spec.template.spec.securityContext"))[:2] == ("web/templates/a.yaml", 12)

    def test_a_value_that_its_line_includes_stands_in_the_line(self, deployment: Node) -> None:
        name = deployment.get("metadata.name")
        assert name is not None
        assert name.value == "release-name-web"
        assert at(name) == ("web/templates/a.yaml", 4, 'include "web.name" .')
        assert ways(name)[0][:2] == ("web/templates/x.tpl", 2)

    def test_lines_of_a_named_template_stand_there_by_way_of_the_include(self, deployment: Node) -> None:
        label = deployment.get("metadata.labels.app")
        assert at(label) == ("web/templates/x.tpl", 5, "web")
        assert ("web/templates/a.yaml", 6) in [way[:2] for way in ways(label)]
        version = deployment.get("metadata.labels.version")
        assert version is not None
        assert version.value == "4.5"
        assert at(version)[:2] == ("web/templates/x.tpl", 6)
        assert at(deployment.get("metadata.labels")) == ("web/templates/a.yaml", 5, "labels")

    def test_the_resource_stands_in_the_template_that_gave_it(self) -> None:
        files = chart(
            '{{ include "web.all" . }}', web__templates__x_tpl='{{ define "web.all" }}' + head() + "{{ end }}"
        )
        node = only(files)
        assert node.source.path == "web/templates/a.yaml"
        assert at(node.get("metadata.name"))[0] == "web/templates/x.tpl"

    def test_carriage_returns_and_tabs(self) -> None:
        node = only(chart(head().replace("\n", "\r\n") + "data:\r\n  x: {{ .Values.x }}\r\n", "x: text\r\n"))
        assert at(node.get("data.x")) == ("web/templates/a.yaml", 5, "{{ .Values.x }}")


class TestVariants:
    FILES: ClassVar = {
        **chart(head() + "data: {mode: {{ .Values.mode }}}\n", "mode: small\n"),
        "web/values-prod.yaml": "mode: large\n",
        "web/values/stage.yaml": "mode: tiny\n",
        "web/values-dev.yaml": "mode: dev\n",
        "web/values.example.yaml": "mode: example\n",
        "web/values.schema.yaml": "mode: schema\n",
        "web/ci/test-values.yaml": "mode: test\n",
        "web/other.yaml": "mode: other\n",
    }

    def test_defaults_and_every_values_file(self) -> None:
        evaluated = run(self.FILES)
        modes = {
            one.variant: one.node.text_at("data.mode") for one in evaluated.resources if one.kind == "k8s.configmap"
        }
        assert modes == {"web": "small", "web (values-prod.yaml)": "large", "web (values/stage.yaml)": "tiny"}

    def test_what_made_a_variant(self) -> None:
        (found,) = objects(run(self.FILES), "web (values-prod.yaml)").values()
        assert [(via.span.file.path, via.span.line, via.label) for via in found.via] == [
            ("web/values-prod.yaml", 1, "rendered with values-prod.yaml")
        ]
        assert ways(found.node.get("data.mode")) == [("web/values-prod.yaml", 1, "set by values-prod.yaml")]
        (default,) = objects(run(self.FILES)).values()
        assert default.via == ()

    def test_named_files_alone_count_and_the_last_one_wins(self) -> None:
        evaluated = run(self.FILES, values={"/etc/one.yaml": "mode: one\nx: 1", "/etc/two.yaml": "mode: two"})
        modes = {
            one.variant: one.node.text_at("data.mode") for one in evaluated.resources if one.kind == "k8s.configmap"
        }
        assert modes == {"web (one.yaml, two.yaml)": "two"}

    def test_a_named_file_in_a_chart_is_for_that_chart(self) -> None:
        other = {
            path.replace("web/", "api/"): text.replace("name: web", "name: api") for path, text in self.FILES.items()
        }
        evaluated = run({**self.FILES, **other}, values={"web/values-prod.yaml": "mode: given"})
        modes = {
            one.variant: one.node.text_at("data.mode") for one in evaluated.resources if one.kind == "k8s.configmap"
        }
        assert modes["web (values-prod.yaml)"] == "given"
        assert modes["api"] == "small"
        assert "web" not in modes

    def test_a_chart_at_the_root(self) -> None:
        files = {path.removeprefix("web/"): text for path, text in self.FILES.items()}
        assert {one.variant for one in run(files).resources} == {".", ". (values-prod.yaml)", ". (values/stage.yaml)"}

    def test_no_more_than_ten(self) -> None:
        more = {f"web/values-{number:02}.yaml": "a: 1\n" for number in range(30)}
        assert len({one.variant for one in run({**self.FILES, **more}).resources}) == 10


class TestManifests:
    def test_tests_are_left_out_and_other_hooks_stay(self) -> None:
        text = "---\n".join(
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{helm.sh/hook: '{hook}'}}}}\n"
            for name, hook in {
                "a": "test",
                "b": "pre-install,post-upgrade",
                "c": "test-success",
                "d": "test,pre-install",
            }.items()
        )
        assert list(objects(run(chart(text)))) == ["Pod/b", "Pod/d"]

    def test_pods_are_seen_and_belong_to_the_variant(self) -> None:
        evaluated = run(chart(DEPLOYMENT, VALUES, web__templates__x_tpl=HELPERS))
        kinds = {one.kind: one for one in evaluated.resources}
        container = kinds["k8s.container"]
        assert container.address == "Deployment/release-name-web/containers[web]"
        assert container.variant == "web"
        assert container.parent is kinds["k8s.podspec"]

    def test_repeated_keys(self) -> None:
        evaluated = run(chart(head() + "data:\n  a: 1\n  {{ .Values.key }}: 2\n", "key: a\n"))
        (found,) = [one for one in evaluated.resources if one.kind == "yaml.duplicate_key"]
        assert (found.address, found.variant) == ("ConfigMap/a/data.a", "web")
        assert at(found.node)[:2] == ("web/templates/a.yaml", 6)

    def test_variables_that_other_tools_fill_in(self) -> None:
        node = only(chart(head() + "spec:\n  a: {{ .Values.a }}\n  b: '{{ `{{ raw }}` }}'\n", "a: ${TAG}\n"))
        assert isinstance(node.get("spec.a").value, Unknown)  # type: ignore[union-attr]  # it is there
        assert node.text_at("spec.b") == "{{ raw }}"

    def test_library_charts_give_nothing_by_themselves(self) -> None:
        files = chart(head())
        files["web/Chart.yaml"] += "type: library\n"
        assert run(files).resources == []


class TestSubCharts:
    def test_their_templates_and_values(self) -> None:
        files = chart(
            head(name="root"), "db: {port: 1}\n",
            web__charts__db__Chart_yaml="name: db\nversion: 1.0.0\n",
            web__charts__db__values_yaml="port: 5432\n",
            web__charts__db__templates__b_yaml=head(name="db") + "data: {port: {{ .Values.port | quote }}}\n",
        )  # fmt: skip
        found = objects(run(files))
        assert sorted(found) == ["ConfigMap/db", "ConfigMap/root"]
        port = found["ConfigMap/db"].node.get("data.port")
        assert port is not None
        assert port.value == "1"
        assert at(port)[:2] == ("web/charts/db/templates/b.yaml", 4)
        assert ways(port) == [("web/values.yaml", 1, "set by values.yaml")]

    def test_packed_ones_are_read_in_memory(self) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, text in {
                "db/Chart.yaml": "name: db\nversion: 1.0.0\n", "db/values.yaml": "port: 5432\n",
                "db/templates/b.yaml": head(name="db") + "data: {port: {{ .Values.port | quote }}}\n",
                "db/crds/c.yaml": head("ConfigMap", "definition"),
            }.items():  # fmt: skip
                info = tarfile.TarInfo(name)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        evaluated = run(chart(head(name="root")), packed={"web/charts/db-1.0.0.tgz": buffer.getvalue()})
        found = objects(evaluated)
        assert sorted(found) == ["ConfigMap/db", "ConfigMap/definition", "ConfigMap/root"]
        assert at(found["ConfigMap/db"].node.get("data.port"))[:2] == ("web/charts/db-1.0.0.tgz/templates/b.yaml", 4)

    def test_an_archive_that_is_none(self) -> None:
        found = objects(run(chart(head(name="root")), packed={"web/charts/db-1.0.0.tgz": b"garbage"}))
        assert sorted(found) == ["ConfigMap/root"]

    MISSING = CHART + "dependencies:\n  - name: redis\n    version: 1.x.x\n    repository: https://charts.example.com\n"
    BECAUSE = "the dependency redis of web is not in the repository"

    def test_what_a_missing_one_would_bring_is_not_known(self) -> None:
        files = chart(
            head() + 'data:\n  name: {{ include "redis.name" . }}\n'
            "  port: {{ .Values.redis.port }}\n  host: {{ .Values.redis.host }}\n",
            "redis: {host: h}\n",
        )  # fmt: skip
        files["web/Chart.yaml"] = self.MISSING
        node = only(files)
        for key in ("name", "port"):
            value = node.get(f"data.{key}")
            assert value is not None
            assert isinstance(value.value, Unknown)
            assert value.value.because == self.BECAUSE
        assert node.text_at("data.host") == "h"
        (release,) = [one for one in run(files).resources if one.kind == "helm.release"]
        (doubt,) = release.node.items_at("undecided")
        assert (doubt.value, at(doubt)[:2]) == (self.BECAUSE, ("web/Chart.yaml", 6))

    def test_one_that_is_turned_off_is_not_missed(self) -> None:
        files = chart(head(), "redis: {enabled: false}\n")
        files["web/Chart.yaml"] = self.MISSING.rstrip() + "\n    condition: redis.enabled\n"
        (release,) = [one for one in run(files).resources if one.kind == "helm.release"]
        assert release.node.items_at("undecided") == ()


class TestDemands:
    def test_a_required_value_is_unknown(self) -> None:
        node = only(chart(head() + 'data: {host: {{ required "a host is needed" .Values.host }}, b: c}\n'))
        host = node.get("data.host")
        assert host is not None
        assert host.value == Unknown("a host is needed", "the chart demands a value: a host is needed")
        assert at(host)[:2] == ("web/templates/a.yaml", 4)
        assert node.text_at("data.b") == "c"

    def test_errors_without_what_the_chart_demands_are_no_problems(self) -> None:
        demands = '{{- $x := required "x is needed" .Values.x }}\n'
        evaluated = run(chart(demands + head(), web__templates__b_yaml="{{ .Values.a.b.c }}\n"))
        assert evaluated.problems == []
        (release,) = [one for one in evaluated.resources if one.kind == "helm.release"]
        assert [one.value for one in release.node.items_at("undecided")] == [
            "web/templates/b.yaml could not be rendered"
        ]

    def test_what_fails_leaves_the_object_open(self) -> None:
        text = '{{- if not .Values.x }}\n{{- fail "x is needed" }}\n{{- end }}\n' + head() + "data: {a: b}\n"
        node = only(chart(text))
        assert isinstance(node.value, OpenMapping)
        rest = node.get("spec")
        assert rest is not None
        assert isinstance(rest.value, Unknown)
        assert "x is needed" in rest.value.because
        assert node.text_at("data.a") == "b"

    ASKS = '{{- if (lookup "v1" "Secret" "" "a") }}'

    def test_an_object_of_a_version_that_is_not_known(self) -> None:
        versions = "apiVersion: policy/v1\n{{- else }}\napiVersion: policy/v1beta1\n{{- end }}\n"
        text = f"{self.ASKS}\n{versions}kind: PodDisruptionBudget\nmetadata: {{name: a}}\n"
        assert list(objects(run(chart(text)))) == ["PodDisruptionBudget/a"]

    @pytest.mark.parametrize(
        "text",
        [
            f"{ASKS}{head()}{{{{- end }}}}",
            f"{ASKS}\nkind: ConfigMap{{{{ else }}}}\nkind: Secret{{{{ end }}}}\napiVersion: v1\n",
            f"apiVersion: v1\nkind: List\nitems:\n{ASKS}\n- {{apiVersion: v1, kind: Secret}}\n{{{{- end }}}}\n",
            f"{ASKS}\napiVersion: a.example.com/v1{{{{ else }}}}\napiVersion: b.example.com/v1{{{{ end }}}}\nkind: A\n",
        ],
    )
    def test_objects_that_there_may_be_leave_the_deployment_open(self, text: str) -> None:
        evaluated = run(chart(text))
        assert objects(evaluated) == {}
        assert evaluated.problems == []
        (release,) = [one for one in evaluated.resources if one.kind == "helm.release"]
        (doubt,) = release.node.items_at("undecided")
        assert doubt.value == "web/templates/a.yaml may bring more: it is looked up in the cluster"

    def test_the_cluster_is_not_asked(self) -> None:
        text = (
            '{{- $secret := lookup "v1" "Secret" "default" "a" }}\n'
            + head("Secret")
            + (
                "data:\n  {{- if $secret }}\n  password: {{ $secret.data.password }}\n  {{- else }}\n"
                '  password: {{ "generated" | b64enc }}\n  {{- end }}\n  user: {{ "x" | b64enc }}\n'
            )
        )
        node = only(chart(text))
        assert node.text_at("data.user") == base64.b64encode(b"x").decode()
        password = node.find(("data", "password"))[0]
        assert isinstance(password, Node)
        assert isinstance(password.value, Unknown)


class TestProblems:
    def problems(self, files: dict[str, str]) -> list[tuple[str, int | None, str]]:
        return [(one.path, one.line, one.message) for one in run(files).problems]

    def test_a_template_that_helm_refuses(self) -> None:
        files = chart("{{ .Values.a.b.c }}", web__templates__b_yaml=head(name="b"))
        ((path, line, message),) = self.problems(files)
        assert (path, line) == ("web/templates/a.yaml", 1)
        assert "the chart web with its default values" in message
        assert "nil pointer" in message
        assert list(objects(run(files))) == ["ConfigMap/b"]

    def test_syntax(self) -> None:
        ((path, line, _),) = self.problems(chart("a: 1\nb: {{ if }}\n"))
        assert (path, line) == ("web/templates/a.yaml", 2)

    def test_yaml_that_cannot_be_read_is_told_at_the_line_that_made_it(self) -> None:
        files = chart(head() + "data:\n  a: {{ .Values.a }}\n---\n" + head(name="b"), 'a: "x: y: z"\n')
        ((path, line, message),) = self.problems(files)
        assert (path, line) == ("web/templates/a.yaml", 5)
        assert "not valid YAML" in message
        assert list(objects(run(files))) == ["ConfigMap/b"]

    def test_defaults_that_only_fail_without_a_values_file_are_no_problem(self) -> None:
        files = {**chart(head() + "data: {a: {{ .Values.a.b.c }}}\n"), "web/values-prod.yaml": "a: {b: {c: 1}}\n"}
        assert self.problems(files) == []
        files["web/values-prod.yaml"] = "x: 1\n"
        assert len(self.problems(files)) == 1

    def test_a_loop_without_end(self) -> None:
        files = chart("{{ range until 9000 }}{{ range until 9000 }}x{{ end }}{{ end }}", web__templates__b_yaml=head())
        ((path, line, message),) = self.problems(files)
        assert (path, line) == ("web/templates/a.yaml", 1)
        assert "rendering was given up" in message
        assert list(objects(run(files))) == ["ConfigMap/a"]

    def test_deep_values(self) -> None:
        deep = "x: " + "{a: " * 240 + "1" + "}" * 240
        node = only(chart(head() + "spec: {{ toJson .Values.x }}\n", deep))
        spec = node.get("spec")
        assert spec is not None
        assert spec.mapping or spec.is_unknown
        files = {**chart(head() + "spec: {{ toYaml .Values | nindent 2 }}\n", deep), "web/values-prod.yaml": deep}
        assert {one.variant for one in run(files).resources} == {"web", "web (values-prod.yaml)"}

    def test_templates_that_include_each_other(self) -> None:
        files = chart('{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}')
        assert len(self.problems(files)) == 1

    @pytest.mark.parametrize("text", ["", "- a\n", "version: 1\n", "name: [1]\n"])
    def test_a_chart_that_is_none(self, text: str) -> None:
        files = chart(head())
        files["web/Chart.yaml"] = text
        evaluated = run(files)
        assert [one for one in evaluated.resources if one.kind.startswith("k8s.")] == []

    def test_values_that_cannot_be_read(self) -> None:
        files = chart(head(), "a: [1\n")
        assert [message for _, _, message in self.problems(files)] == [
            "the chart is not rendered: it has a values.yaml that cannot be read"
        ]


TEMPLATES = st.lists(
    st.sampled_from([
        "{{ .Values.a }}", "{{- if .Values.b }}", "{{ else }}", "{{- end }}", "{{ range .Values.list }}", "{{ . }}",
        '{{ include "x" . }}', '{{ define "x" }}', "{{ toYaml .Values | nindent 2 }}", "{{ tpl .Values.t . }}", "a: ",
        "\n", "  ", "- ", "---\n", "kind: ConfigMap\n", "apiVersion: v1\n", "metadata: {name: x}\n", "|", "#",
        '{{ required "m" .Values.none }}', '{{ fail "no" }}', '{{ lookup "v1" "Pod" "" "" }}', "{{", "}}", '"', "{",
        '{{ with (lookup "a" "b" "c" "d") }}', "{{ .Files.Get `x` }}", "\r\n", "\t", "é", "\ue010", "\ue0105\ue011",
    ]),
    max_size=25,
).map("".join)  # fmt: skip


class TestAnything:
    @settings(max_examples=150, deadline=None)
    @given(TEMPLATES, st.text(max_size=40))
    def test_templates(self, template: str, values: str) -> None:
        run(chart(template, values, web__templates__x_tpl='{{ define "y" }}y{{ end }}'))

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=80), st.text(max_size=80))
    def test_charts(self, metadata: str, template: str) -> None:
        files = chart(template)
        files["web/Chart.yaml"] = CHART + metadata
        run(files)


def test_a_range_over_millions_is_a_problem_at_its_place_and_the_rest_counts() -> None:
    many = "{{- range $i := until 5000000 }}\n# {{ $i }}\n{{- end }}\nkind: Pod\napiVersion: v1\n"
    found = run(chart(many, web__templates__b_yaml="apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"))
    (problem,) = found.problems
    assert (problem.path, problem.line) == ("web/templates/a.yaml", 1)
    assert "a list of 5000000 numbers" in problem.message
    assert [resource.address for resource in found.resources if resource.kind == "k8s.pod"] == ["Pod/web"]
