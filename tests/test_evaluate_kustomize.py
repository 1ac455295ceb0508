"""What kustomizations deploy: agreement with kustomize, places, what stays open, what is refused, hostile input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.kustomize import evaluate
from pyprod_audit.evaluate.kustomize.expressions import compiled
from pyprod_audit.evaluate.kustomize.field_paths import parts_of
from pyprod_audit.evaluate.kustomize.place import Refused
from pyprod_audit.evaluate.kustomize.scalars import SCHEMA
from pyprod_audit.evaluate.kustomize.selectors import requirements
from pyprod_audit.evaluate.kustomize.sources import is_remote, located
from pyprod_audit.findings import Report
from pyprod_audit.intake import from_sources
from pyprod_audit.model import Node, Resource, SourceFile, Unknown
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources
from tests.oracles.kustomize.cases import Case, cases, identity, plain, recorded

CASES = list(cases())
RECORDED = recorded()
# Kustomize refuses the whole for a file that is not there; what is there is judged all the same.
GOES_ON = {"inclusion/missing-resource"}


def run(files: dict[str, str], only: str | None = None) -> Evaluated:
    """Evaluates all kustomizations, or the one in a folder as if there were no others."""
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    resources = [one for one in intake.resources if one.kind == "kustomize.kustomization"]
    if only is not None:
        resources = [one for one in resources if (one.path.rpartition("/")[0] or ".") == only]
    return evaluate(resources, intake.tree())


def objects(evaluated: Evaluated) -> list[Resource]:
    return [one for one in evaluated.resources if one.kind.startswith("k8s.") and one.parent is None]


def the(evaluated: Evaluated, address: str, variant: str | None = None) -> Resource:
    (found,) = [one for one in objects(evaluated) if one.address == address and variant in (None, one.variant)]
    return found


def at(resource: Resource, path: str) -> Node:
    found = resource.node.get(path)
    assert found is not None, path
    return found


def place(node: Node) -> tuple[str, int]:
    return node.anchor.file.path, node.anchor.line


def stops(node: Node) -> list[tuple[str, int]]:
    return [(via.span.file.path, via.span.line) for via in node.via]


def builds(evaluated: Evaluated) -> dict[str, Resource]:
    return {one.address: one for one in evaluated.resources if one.kind == "kustomize.build"}


def open_reasons(build: Resource) -> list[str | None]:
    return [node.text for key in ("brings", "changes") for node in build.node.items_at(key)]


# -- agreement with kustomize -------------------------------------------------------------------------------------


def folders() -> Iterator[Any]:
    for case in CASES:
        for folder in case.folders:
            yield pytest.param(case, folder, id=f"{case.name}-{folder}")


@pytest.mark.parametrize(("case", "folder"), list(folders()))
def test_objects_are_those_that_kustomize_builds(case: Case, folder: str) -> None:
    evaluated = run(case.files, folder)
    expected = RECORDED[case.name][folder]
    if isinstance(expected, str):
        assert evaluated.problems, "kustomize refuses it"
        if case.name not in GOES_ON:
            assert not objects(evaluated)
            assert not evaluated.replaced
        return
    assert not evaluated.problems
    assert [open_reasons(build) for build in builds(evaluated).values() if is_evaluated(build)] == [[]]
    own = sorted((plain(one.node) for one in objects(evaluated) if "k8s." in one.kind), key=identity)
    known = [one for one in expected if is_shown(one)]
    assert own == known


def is_evaluated(build: Resource) -> bool:
    return at(build, "evaluated").value is True


def is_shown(one: dict[str, Any]) -> bool:
    """Whether our parser takes it for an object: `builtin` configurations are none."""
    return one.get("apiVersion") != "builtin"


def test_every_case_is_recorded_and_most_are_built() -> None:
    assert {case.name: set(case.folders) for case in CASES} == {name: set(row) for name, row in RECORDED.items()}
    built = [one for row in RECORDED.values() for one in row.values() if isinstance(one, list)]
    assert len(CASES) >= 60
    assert len(built) >= 55


# -- deployments and places ---------------------------------------------------------------------------------------

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/shop:dev
          envFrom: [{configMapRef: {name: settings}}]
          resources:
            limits:
              memory: 256Mi
"""
SHOP = {
    "base/kustomization.yaml": "resources:\n  - web.yaml\nconfigMapGenerator:\n  - name: settings\n"
    "    literals: [LEVEL=info]\n    envs: [vars.env]\n",
    "base/web.yaml": WEB,
    "base/vars.env": "# for all\nREGION=eu\n",
    "overlays/prod/kustomization.yaml": """\
resources:
  - ../../base
namespace: shop
namePrefix: prod-
images:
  - name: registry.example.com/shop
    newTag: "2.0"
replicas:
  - name: web
    count: 3
patches:
  - path: memory.yaml
  - patch: |-
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web}
      spec:
        template:
          spec:
            containers:
              - name: web
                readinessProbe: {httpGet: {path: /ready, port: 8000}}
  - target: {kind: Deployment}
    patch: "[{op: add, path: /spec/paused, value: true}]"
commonLabels: {team: shop}
""",
    "overlays/prod/memory.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          resources:
            limits:
              memory: 1Gi
""",
    "overlays/asia/kustomization.yaml": "resources: [../../base]\n",
}
PROD = "overlays/prod/kustomization.yaml"
CONTAINER = "spec.template.spec.containers.0"


def test_every_overlay_is_a_deployment_and_the_base_is_none() -> None:
    evaluated = run(SHOP)
    assert {one.variant for one in objects(evaluated)} == {"overlays/asia", "overlays/prod"}
    assert set(builds(evaluated)) == {"overlays/asia", "overlays/prod"}
    assert {"base/web.yaml", "base/kustomization.yaml", PROD} <= evaluated.replaced
    pods = [one for one in evaluated.resources if one.kind == "k8s.container"]
    assert [(one.address, one.variant) for one in pods] == [
        ("Deployment/web/containers[web]", "overlays/asia"),
        ("Deployment/prod-web/containers[web]", "overlays/prod"),
    ]


def test_what_no_overlay_touches_stands_in_the_base() -> None:
    web = the(run(SHOP), "Deployment/web", "overlays/asia")
    assert place(at(web, f"{CONTAINER}.image")) == ("base/web.yaml", 13)
    assert stops(at(web, f"{CONTAINER}.image")) == []
    (via,) = web.via
    assert (via.span.file.path, via.span.line) == ("overlays/asia/kustomization.yaml", 1)
    assert via.label == "included by overlays/asia"


@pytest.mark.parametrize(
    ("path", "value", "stands", "came"),
    [
        ("metadata.name", "prod-web", ("base/web.yaml", 4), [(PROD, 4)]),
        ("metadata.namespace", "shop", (PROD, 3), []),
        ("metadata.labels.team", "shop", (PROD, 25), []),
        ("spec.replicas", 3, (PROD, 10), [("base/web.yaml", 6)]),
        ("spec.paused", True, (PROD, 24), []),
        (f"{CONTAINER}.name", "web", ("base/web.yaml", 12), []),
        (f"{CONTAINER}.image", "registry.example.com/shop:2.0", (PROD, 7), [("base/web.yaml", 13)]),
        (f"{CONTAINER}.resources.limits.memory", "1Gi", ("overlays/prod/memory.yaml", 11), [("base/web.yaml", 17)]),
        (f"{CONTAINER}.readinessProbe.httpGet.path", "/ready", (PROD, 22), []),
    ],
)
def test_a_changed_value_stands_where_it_is_written_and_tells_what_it_replaces(
    path: str, value: object, stands: tuple[str, int], came: list[tuple[str, int]]
) -> None:
    node = at(the(run(SHOP), "Deployment/prod-web"), path)
    assert node.value == value
    assert place(node) == stands
    assert stops(node) == came


@pytest.mark.parametrize(
    "patch",
    [
        "[{op: remove, path: /spec/template/spec/containers/0/resources/limits}]",
        (
            "{apiVersion: v1, kind: A, metadata: {name: a}, "
            "spec: {template: {spec: {containers: [{name: web, resources: {limits: null}}]}}}}"
        ),
    ],
)
def test_a_mapping_tells_what_takes_a_part_of_it_away(patch: str) -> None:
    kustomization = (
        f"resources: [../../base]\npatches:\n  - target: {{kind: Deployment}}\n    patch: |\n      {patch}\n"
    )
    files = {**SHOP, "overlays/asia/kustomization.yaml": kustomization}
    resources = at(the(run(files), "Deployment/web", "overlays/asia"), f"{CONTAINER}.resources")
    assert resources.mapping == {}
    assert place(resources) == ("base/web.yaml", 15)
    assert stops(resources) == [("overlays/asia/kustomization.yaml", 5)]
    assert resources.via[0].label == "a part is removed here"


def test_lists_that_a_schema_of_its_own_merges_are_unknown() -> None:
    schema = "openapi: {path: https://schemas.example.com/all.json}\n"
    for path in (PROD, "base/kustomization.yaml"):
        web = the(run({**SHOP, path: schema + SHOP[path]}), "Deployment/prod-web")
        containers = at(web, "spec.template.spec.containers")
        assert isinstance(containers.value, Unknown)
        assert "https://schemas.example.com/all.json tells how" in containers.value.because
        assert at(web, "spec.replicas").value == 3


def test_columns_of_an_inline_patch_are_those_of_the_file() -> None:
    node = at(the(run(SHOP), "Deployment/prod-web"), f"{CONTAINER}.readinessProbe.httpGet.path")
    assert node.span.text == "/ready"


def test_generated_objects_stand_at_their_generator_and_their_values_where_they_are_written() -> None:
    evaluated = run(SHOP)
    (settings_,) = [one for one in objects(evaluated) if one.kind == "k8s.configmap" and one.variant == "overlays/prod"]
    assert settings_.path == "base/kustomization.yaml"
    assert place(at(settings_, "metadata.name")) == ("base/kustomization.yaml", 4)
    assert at(settings_, "data.LEVEL").span.text == "info"
    assert place(at(settings_, "data.REGION")) == ("base/vars.env", 2)
    reference = at(the(evaluated, "Deployment/prod-web"), f"{CONTAINER}.envFrom.0.configMapRef.name")
    assert reference.value == at(settings_, "metadata.name").value
    assert place(reference) == ("base/web.yaml", 14)


def test_a_patch_of_a_patch_tells_both_places() -> None:
    files = {
        "kustomization.yaml": "resources: [a.yaml]\npatches: [{path: one.yaml}, {path: two.yaml}]\n",
        "a.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: base}}",
        "one.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: one}}",
        "two.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: two}}",
    }
    node = at(the(run(files), "ConfigMap/a"), "data.k")
    assert place(node) == ("two.yaml", 1)
    assert stops(node) == [("one.yaml", 1), ("a.yaml", 1)]


def test_the_root_folder_is_called_a_dot_and_own_files_need_no_explanation() -> None:
    files = {"kustomization.yaml": "resources: [k8s/web.yaml]\n", "k8s/web.yaml": WEB}
    web = the(run(files), "Deployment/web")
    assert (web.variant, web.via) == (".", ())


def test_examples_and_tests_include_bases_without_deploying_them() -> None:
    files = {**SHOP, "tests/all/kustomization.yaml": "resources: [../../base]\nnamePrefix: test-\n"}
    del files["overlays/asia/kustomization.yaml"], files[PROD], files["overlays/prod/memory.yaml"]
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    listed = [one for one in intake.resources if one.path == "base/kustomization.yaml"]
    assert [one.variant for one in objects(evaluate(listed, intake.tree()))] == ["base", "base"]


# -- what is not known --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        "https://github.com/example/shop//deploy?ref=v1.2",
        "git@example.com:shop/deploy.git",
        "github.com/example/shop//deploy",
        "https://example.com/manifests/all.yaml",
        "ssh://git@example.com/shop.git",
    ],
)
def test_bases_on_other_hosts_leave_the_deployment_open(entry: str) -> None:
    files = {
        "kustomization.yaml": f"resources:\n  - {entry}\n  - web.yaml\npatches: [{{path: other.yaml}}]\n"
        "replicas: [{name: elsewhere, count: 2}]\n",
        "web.yaml": WEB,
        "other.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: elsewhere}, spec: {replicas: 2}}",
    }
    evaluated = run(files)
    assert evaluated.problems == []
    assert [one.address for one in objects(evaluated)] == ["Deployment/web"]
    assert open_reasons(builds(evaluated)["."]) == [f"{entry} is on another host"]


def test_charts_and_plug_ins_are_not_run() -> None:
    files = {
        "kustomization.yaml": "resources: [web.yaml]\nhelmCharts: [{name: redis, repo: https://charts.example.com}]\n"
        "generators: [made.yaml]\ntransformers: [changed.yaml]\n",
        "web.yaml": WEB,
        "made.yaml": "{apiVersion: example.com/v1, kind: Maker, metadata: {name: made}}",
        "changed.yaml": "apiVersion: example.com/v1\nkind: Changer\nmetadata:\n  name: changed\n  annotations:\n"
        "    config.kubernetes.io/function: |\n      exec: {path: ./changer}\n",
    }
    evaluated = run(files)
    assert evaluated.problems == []
    assert [one.address for one in objects(evaluated)] == ["Deployment/web"]
    assert open_reasons(builds(evaluated)["."]) == [
        "the chart redis is not rendered", "the generator Maker is not run", "the transformer Changer is not run",
    ]  # fmt: skip


def test_contents_that_are_not_in_the_repository_make_the_name_unknown_too() -> None:
    files = {
        "kustomization.yaml": "resources: [web.yaml]\nsecretGenerator:\n  - {name: keys, envs: [secret.env]}\n",
        "web.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n"
        "  containers: [{name: web, image: a, envFrom: [{secretRef: {name: keys}}]}]\n",
    }
    evaluated = run(files)
    assert evaluated.problems == []
    (secret,) = [one for one in objects(evaluated) if one.kind == "k8s.secret"]
    for node in (
        at(secret, "metadata.name"),
        at(the(evaluated, "Pod/web"), "spec.containers.0.envFrom.0.secretRef.name"),
    ):
        assert isinstance(node.value, Unknown)
        assert node.value.expression == "keys-…"
    password = at(secret, "data.PASSWORD")
    assert isinstance(password.value, Unknown)
    assert password.value.because == "secret.env is not in the repository"


def test_values_that_a_tool_fills_in_are_unknown_in_every_overlay() -> None:
    files = {
        "base/kustomization.yaml": "resources: [a.yaml]\n",
        "base/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n"
        "  containers: [{name: a, image: '${IMAGE}'}, {name: b, image: '{{ image }}'}]\n",
        "one/kustomization.yaml": "resources: [../base]\n",
        "two/kustomization.yaml": "resources: [../base]\npatches: [{path: p.yaml}]\n",
        "two/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
        "spec: {containers: [{name: c, image: '${C}'}]}\n",
    }
    evaluated = run(files)
    images = [at(one, "image") for one in evaluated.resources if one.kind == "k8s.container"]
    assert [node.value.expression for node in images if isinstance(node.value, Unknown)] == [
        "${IMAGE}", "{{ image }}", "${C}", "${IMAGE}", "{{ image }}",
    ]  # fmt: skip


def test_replacements_that_differ_between_versions_are_unknown() -> None:
    files = {
        "kustomization.yaml": "resources: [a.yaml]\nreplacements:\n"
        "  - source: {kind: ConfigMap, name: one, fieldPath: data.k}\n"
        "    targets:\n      - {select: {name: tw.*}, fieldPaths: [data.k]}\n"
        "      - {select: {name: three}, fieldPaths: [data.json.inner]}\n",
        "a.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {k: new}}\n---\n"
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: two}, data: {k: old}}\n---\n"
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: three}, data: {json: '{\"inner\": 1}'}}\n",
    }
    evaluated = run(files)
    assert at(the(evaluated, "ConfigMap/two"), "data.k").is_unknown
    assert at(the(evaluated, "ConfigMap/three"), "data.json").is_unknown
    assert at(the(evaluated, "ConfigMap/one"), "data.k").value == "new"


def test_a_component_that_nobody_includes_leaves_its_manifests_open() -> None:
    files = {
        "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "resources: [web.yaml]\n",
        "part/web.yaml": WEB,
    }
    evaluated = run(files)
    assert not objects(evaluated)
    assert not evaluated.replaced
    build = builds(evaluated)["part"]
    assert {node.text for node in build.node.items_at("files")} == {"part/kustomization.yaml", "part/web.yaml"}
    assert at(build, "evaluated").value is False


# -- what is refused ----------------------------------------------------------------------------------------------


def refused(files: dict[str, str]) -> tuple[str, int | None, str]:
    """The one problem: its path, line and words."""
    evaluated = run(files)
    assert not objects(evaluated)
    assert not evaluated.replaced
    (problem,) = evaluated.problems
    assert problem.stage == "evaluate"
    return problem.path, problem.line, problem.message


def test_a_cycle_is_a_problem_at_the_entry_that_closes_it() -> None:
    files = {"a/kustomization.yaml": "resources:\n  - ../b\n", "b/kustomization.yaml": "resources:\n\n  - ../a\n"}
    path, line, message = refused(files)
    assert (path, line) == ("b/kustomization.yaml", 3)
    assert message.startswith("a/kustomization.yaml was not evaluated: kustomizations include each other")


def test_a_patch_for_nobody_is_a_problem_at_the_patch() -> None:
    patch = "# for the shop\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\n"
    path, line, message = refused(
        {"kustomization.yaml": "resources: [web.yaml]\npatches: [{path: p.yaml}]\n", "web.yaml": WEB, "p.yaml": patch}
    )
    assert (path, line) == ("p.yaml", 2)
    assert message == "kustomization.yaml was not evaluated: no object is Deployment/shop, for the patch"


def test_manifests_of_a_refused_kustomization_are_judged_as_they_are_written() -> None:
    files = {"kustomization.yaml": "resources: [web.yaml]\nimages: [{name: a, newTag: 1.10}]\n", "web.yaml": WEB}
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    evaluated = evaluate([one for one in intake.resources if one.kind == "kustomize.kustomization"], intake.tree())
    assert evaluated.replaced == set()
    build = builds(evaluated)["."]
    assert {node.text for node in build.node.items_at("files")} == {"kustomization.yaml", "web.yaml"}
    assert open_reasons(build) == ["it was not evaluated: newTag must be text: kustomize does not read 1.10 as such"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("../outside", "../outside leads out of the repository"),
        ("/etc/passwd", "/etc/passwd leads out of the repository"),
        ("nothing.yaml", "nothing.yaml is not in the repository"),
        ("more", "more has no kustomization"),
    ],
)
def test_what_is_missing_is_a_problem_and_the_rest_goes_on(entry: str, message: str) -> None:
    files = {"kustomization.yaml": f"resources:\n  - {entry}\n  - web.yaml\n", "web.yaml": WEB, "more/a.yaml": "a: b\n"}
    evaluated = run(files)
    assert [(p.path, p.line, p.message) for p in evaluated.problems] == [("kustomization.yaml", 2, message)]
    assert [one.address for one in objects(evaluated)] == ["Deployment/web"]
    assert open_reasons(builds(evaluated)["."]) == [message]


def test_a_chain_of_kustomizations_ends_somewhere() -> None:
    files = {f"k{i}/kustomization.yaml": f"resources: [../k{i + 1}]\n" for i in range(40)}
    files["k40/kustomization.yaml"] = "resources: [a.yaml]\n"
    files["k40/a.yaml"] = WEB
    assert "more than 32 levels deep" in refused(files)[2]


def test_work_is_bounded() -> None:
    files = {"k0/kustomization.yaml": "resources: [a.yaml]\n", "k0/a.yaml": "\n---\n".join(
        f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{i}}}}}" for i in range(40)
    )}  # fmt: skip
    for level in range(1, 9):
        copies = ""
        for copy in range(17):
            files[f"k{level}-{copy}/kustomization.yaml"] = f"namePrefix: x{copy}-\nresources: [../k{level - 1}]\n"
            copies += f"  - ../k{level}-{copy}\n"
        files[f"k{level}/kustomization.yaml"] = f"resources:\n{copies}"
    assert "more than 10000 objects" in refused(files)[2]


# -- single parts -------------------------------------------------------------------------------------------------


def test_an_expression_has_to_match_the_whole_name_unless_it_is_part_of_a_path() -> None:
    whole, part = compiled("web|api-.*", whole=True), compiled("web")
    assert whole is not None
    assert part is not None
    assert [whole.found_in(name) for name in ("web", "api-1", "web-1", "my-web")] == [True, True, False, False]
    assert part.found_in("my-web-1")


def test_an_expression_that_takes_too_much_work_is_refused() -> None:
    own = compiled("(a?){900}b", whole=True)
    assert own is not None
    assert not own.found_in("a" * 5000)
    with pytest.raises(Refused, match="too many steps"):  # one limit for all that it is asked
        own.found_in("a" * 5000)


@pytest.mark.parametrize("pattern", ["[", "(", "a)", "*a", "[z-a]", "[[:no:]]", "a{3,2}", "\\p{Greek}"])
def test_expressions_that_cannot_be_followed_are_none(pattern: str) -> None:
    assert compiled(pattern) is None
    assert compiled(pattern, whole=True) is None


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("spec.containers.[name=a.b].image", ["spec", "containers", "[name=a.b]", "image"]),
        ("metadata.annotations.[a.b/c]", ["metadata", "annotations", "a.b/c"]),
        ("metadata.annotations.a\\.b", ["metadata", "annotations", "a.b"]),
        ("spec.*.x", ["spec", "*", "x"]),
    ],
)
def test_field_paths(path: str, parts: list[str]) -> None:
    assert parts_of(path) == parts


@pytest.mark.parametrize(
    ("selector", "labels", "holds"),
    [
        ("a=b", {"a": "b"}, True), ("a==b", {"a": "c"}, False), ("a!=b", {}, True), ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False), ("a in (b, c)", {"a": "c"}, True), ("a notin (b)", {"a": "b"}, False),
        ("a=b,c", {"a": "b"}, False), ("a=b, !c", {"a": "b"}, True), ("", {}, True),
    ],
)  # fmt: skip
def test_label_selectors(selector: str, labels: dict[str, str], holds: bool) -> None:
    node = Node(selector, SourceFile("x", selector), 0, len(selector))
    assert all(one.holds(labels) for one in requirements(node)) is holds


def test_folders_and_hosts() -> None:
    assert located("a/b", "../c") == "a/c"
    assert located("a", "..") == ""
    assert located("", "..") is None
    assert located("a", "../../b") is None
    assert is_remote("github.com/example/shop")
    assert not is_remote("../base")
    assert not is_remote("apps/shop.github.com")


# -- rules --------------------------------------------------------------------------------------------------------


def scan(files: dict[str, str], *rules: str) -> Report:
    return scan_sources([SourceFile(path, text) for path, text in files.items()], options=ScanOptions(select=rules))


def test_rules_judge_what_overlays_deploy() -> None:
    files = {**SHOP, "overlays/asia/kustomization.yaml": "resources: [../../base]\npatches: [{path: p.yaml}]\n"}
    files["overlays/asia/p.yaml"] = files["overlays/prod/memory.yaml"].replace("limits:", "limits: null")
    files["overlays/asia/p.yaml"] = files["overlays/asia/p.yaml"].replace("              memory: 1Gi\n", "")
    (finding,) = scan(files, "K8S-001").findings
    assert finding.variants == ("overlays/asia",)
    assert (finding.path, finding.primary.span.line) == ("base/web.yaml", 15)
    places = [(one.span.file.path, one.span.line) for one in finding.related]
    assert places == [("overlays/asia/p.yaml", 10), ("overlays/asia/kustomization.yaml", 1)]


def test_the_same_gap_in_several_overlays_is_one_finding() -> None:
    (finding,) = scan({**SHOP, "base/web.yaml": WEB.replace("memory: 256Mi", "cpu: 1"), "overlays/prod/memory.yaml": (
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}}"
    )}, "K8S-001").findings  # fmt: skip
    assert finding.variants == ("overlays/asia", "overlays/prod")


def test_a_moving_tag_is_told_once_at_the_kustomization() -> None:
    files = {**SHOP, PROD: SHOP[PROD].replace('newTag: "2.0"', "newTag: latest")}
    del files["overlays/asia/kustomization.yaml"]
    (finding,) = scan(files, "K8S-004").findings
    assert (finding.path, finding.primary.span.line) == (PROD, 7)


def test_a_suppression_counts_at_the_base_and_at_the_overlay() -> None:
    gap = {**SHOP, "base/web.yaml": WEB.replace("memory: 256Mi", "cpu: 1")}
    del gap[PROD], gap["overlays/prod/memory.yaml"]
    commented = gap["base/web.yaml"].replace("limits:\n", "limits: # pyprod-audit: ignore[K8S-001] -- known\n")
    annotated = gap["base/web.yaml"].replace(
        "  name: web\nspec", "  name: web\n  annotations: {pyprod-audit.dev/ignore.K8S-001: known}\nspec"
    )
    overlay = "resources: [../../base]\ncommonAnnotations: {pyprod-audit.dev/ignore.K8S-001: known}\n"
    for files in (
        {**gap, "base/web.yaml": commented},
        {**gap, "base/web.yaml": annotated},
        {**gap, "base/web.yaml": annotated, "overlays/two/kustomization.yaml": "resources: [../../base]\n"},
        {**gap, "overlays/asia/kustomization.yaml": overlay},
    ):
        found = scan(files, "K8S-001").findings
        assert [one.rule_id for one in found if one.suppression is None] == []
        assert len(found) == 1


@pytest.mark.parametrize(("overlay", "told"), [("dev", False), ("next", True)])
def test_a_moving_tag_is_told_where_the_overlay_is_judged(overlay: str, told: bool) -> None:
    path = f"overlays/{overlay}/kustomization.yaml"
    moving = "resources: [../../base]\nimages: [{name: registry.example.com/shop, newTag: latest}]\n"
    found = scan({**SHOP, path: moving}, "K8S-004").findings
    assert (path in {finding.path for finding in found}) is told


def test_patch_files_are_read_and_counted() -> None:
    report = scan(SHOP, "K8S-001")
    assert report.files.skipped == {}
    assert report.files.parsed == 5
    assert not report.problems


# -- hostile input ------------------------------------------------------------------------------------------------

FIELDS = """
    resources bases components patches patchesStrategicMerge patchesJson6902 images replicas namePrefix nameSuffix
    namespace labels commonLabels commonAnnotations configMapGenerator secretGenerator generatorOptions
    replacements vars configurations crds transformers generators
"""
MEMBERS = """
    name count path patch target kind literals files envs behavior pairs source targets select fieldPaths options
    metadata spec op value $patch
"""
KEYS = [*FIELDS.split(), *MEMBERS.split()]
LEAVES = st.sampled_from([
    "", "a.yaml", "..", ".", "a", "web", "- {op: add, path: /a/b, value: 1}", "ConfigMap", "[", 1, True, None,
    "replace", "delete", "merge", "/spec/-", "a=b", "${X}", "{{ x }}", "https://example.com/x",
])  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS.split()), TREES, max_size=5), TREES)
def test_nothing_raises_for_any_kustomization(kustomization: object, patch: object) -> None:
    import json

    files = {
        "kustomization.yaml": json.dumps(kustomization),
        "a/kustomization.yaml": "resources: [web.yaml]\n",
        "a/web.yaml": WEB,
        "a.yaml": json.dumps(patch) + "\n---\n" + WEB,
    }
    run(files)


@settings(max_examples=150, deadline=None)
@given(TREES, TREES)
def test_nothing_raises_for_any_patch(spec: object, patch: object) -> None:
    import json

    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    files = {
        "kustomization.yaml": "resources: [web.yaml]\npatches: [{path: p.yaml}, {path: q.yaml, target: {kind: D.*}}]\n",
        "web.yaml": json.dumps({**head, "spec": {"template": {"spec": spec}}}),
        "p.yaml": json.dumps({**head, "spec": {"template": {"spec": patch}}}),
        "q.yaml": json.dumps([{"op": "add", "path": "/spec/x", "value": patch}, patch]),
    }
    run(files)


@settings(deadline=None)
@given(st.text())
def test_nothing_raises_for_any_text(text: str) -> None:
    run({"kustomization.yaml": text, "x/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: p.yaml}]\n",
         "x/a.yaml": WEB, "x/p.yaml": text})  # fmt: skip


@given(st.text(max_size=40))
def test_scalars_never_raise(text: str) -> None:
    SCHEMA.resolve(text)
