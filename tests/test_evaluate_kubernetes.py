"""What Kubernetes makes of a container's variables: sources, precedence, references, places, and what stays hidden."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.kubernetes.environment import Entries, Pod, PodEnvironment, environment_of
from pyprod_audit.evaluate.kubernetes.expansion import expanded
from pyprod_audit.link.database_clients import demands
from pyprod_audit.link.environment import environment
from pyprod_audit.link.namespaces import peer_matches
from pyprod_audit.link.pod_environment import pod_environment
from pyprod_audit.model import Fact, Node, OpenMapping, Repository, Resource, SourceFile, Unknown
from pyprod_audit.model.kubernetes import selector_matches
from pyprod_audit.outputs import FORMATS, RenderOptions, render
from pyprod_audit.parsers.yaml_events import parse_documents
from pyprod_audit.pipeline import scan_sources
from tests.linked_services import deployment, linked

# -- references ------------------------------------------------------------------------------------------------


# Answers of kubernetes' own expand.go; the first ones are those of its documentation:
# https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$(PROTOCOL)://$(ADDRESS):$(PORT)", "https://10.0.0.1:80"),
        ("$(UNDEFINED)://$(ADDRESS)", "$(UNDEFINED)://10.0.0.1"),
        ("$$(PORT)", "$(PORT)"),
        ("$$$(PORT)", "$80"),
        ("$$$$(PORT)", "$$(PORT)"),
        ("$(PORT", "$(PORT"),
        ("$(PORT$(PORT)", "$(PORT$(PORT)"),
        ("$()$", "$()$"),
        ("${PORT} $PORT $-", "${PORT} $PORT $-"),
        ("$(a$$b)", "$(a$$b)"),
        ("$((PORT))", "$((PORT))"),
        ("$(EMPTY)x", "x"),
        ("$(NESTED)", "$(PORT)"),
        ("$(one two)", "odd"),
        ("$$ )$$", "$ )$"),
        ("a$", "a$"),
    ],
)
def test_references(text: str, result: str) -> None:
    variables = {
        "PROTOCOL": "https", "ADDRESS": "10.0.0.1", "PORT": "80", "EMPTY": "", "NESTED": "$(PORT)", "one two": "odd",
    }  # fmt: skip
    assert expanded(text, variables.get) == result


def test_a_reference_to_what_is_unknown_keeps_the_rest() -> None:
    found = expanded("$(A)-$(B)", {"A": "1", "B": Unknown("x", "it is secret")}.get)
    assert found == Unknown("1-$(B)", "it is secret")
    assert isinstance(expanded("$é", {}.get), Unknown)  # Go turns one byte of the letter into another letter


# -- one container ---------------------------------------------------------------------------------------------


def tree(text: str) -> Node:
    return parse_documents(SourceFile("pod.yaml", text)).nodes[0]


def made(container: str, objects: str = "{}", template: str = "{}", namespace: str = "{}") -> PodEnvironment:
    """The environment of a container; `objects` by kind and name."""
    given = tree(objects).mapping

    def entries_of(kind: str, name: str) -> Entries:
        found = given.get(f"{kind}/{name}")
        return Entries(found.mapping) if found is not None else Entries({}, f"{kind} {name} is not here")

    return environment_of(tree(container), Pod(tree(template), tree(namespace).get("namespace")), entries_of)


def values(environment: PodEnvironment) -> dict[str, object]:
    return {name: node.value for name, node in environment.variables.items()}


def test_later_sources_and_then_env_are_stronger() -> None:
    found = made(
        """
        envFrom:
          - configMapRef: {name: first}
          - prefix: DB_
            configMapRef: {name: second}
          - configMapRef: {name: third}
        env:
          - {name: C, value: own}
          - {name: D, value: first}
          - {name: D, value: last}
          - {name: EMPTY}
          - {name: NOTHING, value: null}
        """,
        "{ConfigMap/first: {A: '1', B: '1', C: '1', D: '1'}, ConfigMap/second: {B: '2'}, ConfigMap/third: {B: '3'}}",
    )
    assert values(found) == {"A": "1", "B": "3", "C": "own", "D": "last", "DB_B": "2", "EMPTY": "", "NOTHING": ""}
    assert found.missing == ""


def test_env_refers_to_what_stands_before_it() -> None:
    found = made(
        """
        envFrom: [{configMapRef: {name: first}}]
        env:
          - {name: URL, value: "http://$(HOST):$(PORT)"}
          - {name: PORT, value: "80"}
          - {name: FULL, value: "http://$(HOST):$(PORT)$$(X)"}
          - {name: SELF, value: "$(SELF)x"}
          - {name: HOST, value: "www.$(HOST)"}
        """,
        "{ConfigMap/first: {HOST: example.com}}",
    )
    assert values(found) == {
        "HOST": "www.example.com",
        "URL": "http://example.com:$(PORT)",
        "PORT": "80",
        "FULL": "http://example.com:80$(X)",
        "SELF": "$(SELF)x",
    }


def test_keys_by_reference() -> None:
    found = made(
        """
        env:
          - name: A
            valueFrom: {configMapKeyRef: {name: first, key: a}}
          - name: LEFT_OUT
            valueFrom: {configMapKeyRef: {name: first, key: gone, optional: true}}
          - name: NO_KEY
            valueFrom: {configMapKeyRef: {name: first, key: gone}}
          - name: NO_OBJECT
            valueFrom: {configMapKeyRef: {name: other, key: a, optional: true}}
          - {name: BOTH, value: "", valueFrom: {configMapKeyRef: {name: first, key: a}}}
          - name: FROM_FILE
            valueFrom: {fileKeyRef: {volumeName: x, path: y, key: z}}
        """,
        "{ConfigMap/first: {a: '1', d: '${FILLED}', e: 'x ${FILLED}'}}",
    )
    assert values(found) == {
        "A": "1",
        "NO_KEY": Unknown("ConfigMap first/gone", "the ConfigMap first has no key gone"),
        "NO_OBJECT": Unknown("ConfigMap other/a", "ConfigMap other is not here"),
        "BOTH": "1",
        "FROM_FILE": Unknown("fileKeyRef", "the value comes from a fileKeyRef"),
    }


def test_what_a_tool_fills_in_is_unknown() -> None:
    found = made("envFrom: [{configMapRef: {name: first}}]", "{ConfigMap/first: {A: '${X}', B: 'x ${X}', C: 'x $X'}}")
    assert [name for name, node in found.variables.items() if node.is_unknown] == ["A", "B"]


def test_a_source_that_is_not_known() -> None:
    found = made(
        """
        envFrom:
          - configMapRef: {name: first}
          - configMapRef: {name: gone}
          - configMapRef: {name: second}
        env: [{name: C, value: "3"}, {name: REF, value: $(OTHER)}]
        """,
        "{ConfigMap/first: {A: '1'}, ConfigMap/second: {B: '2'}}",
    )
    gone = "ConfigMap gone is not here"
    assert values(found) == {"A": Unknown("A", gone), "B": "2", "C": "3", "REF": Unknown("$(OTHER)", gone)}
    assert found.missing == gone


def test_a_secret_that_is_not_known_is_taken_to_hold_other_keys() -> None:
    found = made("envFrom: [{configMapRef: {name: first}}, {secretRef: {name: gone}}]", "{ConfigMap/first: {A: '1'}}")
    assert values(found) == {"A": "1"}
    assert found.missing == "Secret gone is not here"


@pytest.mark.parametrize(
    "container",
    [
        "env: '{{ env }}'",
        "envFrom: [{configMapRef: {name: '{{ name }}'}}]",
        "envFrom: [{prefix: '{{ p }}', configMapRef: {name: first}}]",
        "env: [{name: '{{ name }}', value: x}]",
        "env: ['{{ more }}']",
        "envFrom: ['{{ more }}']",
    ],
)
def test_what_a_template_leaves_open(container: str) -> None:
    text = f"{container}\n"
    from pyprod_audit.parsers.yaml_template import mask

    node = parse_documents(SourceFile("pod.yaml", text), mask(text)).nodes[0]
    found = environment_of(node, Pod(tree("{}")), lambda _kind, _name: Entries({"A": tree("'1'")}))
    assert "known only at deploy time" in found.missing


def test_values_of_secrets_stay_apart() -> None:
    found = made(
        """
        envFrom: [{secretRef: {name: db}}]
        env:
          - name: PASSWORD
            valueFrom: {secretKeyRef: {name: db, key: password}}
          - {name: URL, value: "postgres://app:$(PASSWORD)@db.example.com/shop"}
          - {name: USER, value: app}
        """,
        "{Secret/db: {password: hunter2hunter2, USER: root}}",
    )
    assert "hunter2hunter2" not in repr(found.variables)
    assert found.variables["PASSWORD"].value == Unknown("PASSWORD", "the value comes from a Secret")
    assert found.variables["PASSWORD"].span.text == "password"  # the key that is asked for
    assert not any(node.via for node in found.variables.values())
    assert found.variables["URL"].value == Unknown(
        "postgres://app:$(PASSWORD)@db.example.com/shop", "the value comes from a Secret"
    )
    assert found.secrets == {"password": "hunter2hunter2", "PASSWORD": "hunter2hunter2"}
    revealed = found.revealed()
    assert revealed["PASSWORD"] == "hunter2hunter2"
    assert (revealed["USER"], found.variables["USER"].value) == ("app", "app")


@pytest.mark.parametrize(
    ("resource", "divisor", "resources", "value"),
    [
        ("limits.cpu", "", "limits: {cpu: 2500m}", "3"),
        ("limits.cpu", "divisor: '1'", "limits: {cpu: 2}", "2"),
        ("limits.cpu", "divisor: 1m", "limits: {cpu: 250m}", "250"),
        ("limits.cpu", "divisor: '0'", "limits: {cpu: 100m}", "1"),
        ("requests.memory", "", "requests: {memory: 1Gi}", "1073741824"),
        ("limits.memory", "divisor: 1Mi", "limits: {memory: 1500M}", "1431"),
        ("limits.memory", "divisor: 1Mi", "limits: {memory: lots}", None),
        ("limits.memory", "", "limits: {memory: 9007199254740993}", None),
        ("limits.cpu", "", "requests: {cpu: 1}", None),
        ("limits.cpu", "containerName: other", "limits: {cpu: 1}", None),
    ],
)
def test_requests_and_limits(resource: str, divisor: str, resources: str, value: str | None) -> None:
    reference = f"resource: {resource}, {divisor}".rstrip(", ")
    found = made(
        f"{{name: web, env: [{{name: AMOUNT, valueFrom: {{resourceFieldRef: {{{reference}}}}}}}],"
        f" resources: {{{resources}}}}}"
    )
    node = found.variables["AMOUNT"]
    assert node.value == value if value is not None else node.is_unknown
    if value is not None:
        assert (node.span.text, [via.span.text for via in node.via]) == (resource, [resources.split(": ")[-1][:-1]])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.namespace", "shop"),
        ("metadata.labels['app.kubernetes.io/name']", "web"),
        ("metadata.annotations['x']", "here"),
        ("metadata.labels['gone']", None),
        ("spec.serviceAccountName", "robot"),
        ("status.podIP", None),
        ("metadata.name", None),
    ],
)
def test_fields_of_the_pod(path: str, value: str | None) -> None:
    found = made(
        f'env: [{{name: AMOUNT, valueFrom: {{fieldRef: {{fieldPath: "{path}"}}}}}}]',
        template="{metadata: {labels: {app.kubernetes.io/name: web}, annotations: {x: here}},"
        " spec: {serviceAccountName: robot}}",
        namespace="{namespace: shop}",
    )
    node = found.variables["AMOUNT"]
    assert node.value == value if value is not None else node.is_unknown


def test_words_of_a_command() -> None:
    found = made("env: [{name: PORT, value: '80'}]")

    def word(text: str) -> object:
        return found.expand(Node(text, SourceFile("x", text), 0, len(text))).value

    assert word("--port=$(PORT)") == "--port=80"
    assert word("--port=$$(PORT)") == "--port=$(PORT)"
    assert word("--date=$(DATE)") == Unknown("--date=$(DATE)", "DATE is no variable of the container")
    assert word("exec web --date $(date)") == "exec web --date $(date)"
    assert isinstance(word("--host=$(REDIS_SERVICE_HOST)"), Unknown)


def test_the_variables_of_services() -> None:
    container = "env: [{name: A, value: $(REDIS_PORT_6379_TCP_ADDR)}, {name: B, value: $(KUBERNETES_SERVICE_HOST)}]"
    assert [node.is_unknown for node in made(container).variables.values()] == [True, True]
    without = made(container, template="{spec: {enableServiceLinks: false}}")
    assert values(without)["A"] == "$(REDIS_PORT_6379_TCP_ADDR)"
    assert without.variables["B"].is_unknown


# -- a repository ----------------------------------------------------------------------------------------------


def container_of(repository: Repository, name: str = "web") -> Resource:
    return next(one for one in repository.of_kind("k8s.container") if one.node.text_at("name") == name)


def variables_of(files: dict[str, str]) -> dict[str, object]:
    repository = linked(files)
    return values(pod_environment(container_of(repository), repository))


WEB = deployment("web", "image: web, envFrom: [{configMapRef: {name: settings}}]")


def config_map(name: str, data: str, *, namespace: str = "") -> str:
    where = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{where}}}\ndata: {data}\n"


def test_objects_are_found_across_files_the_nearest_first() -> None:
    files = {
        "k8s/base/web.yaml": WEB,
        "k8s/base/settings.yaml": config_map("settings", "{PORT: '8000'}"),
        "k8s/other/settings.yaml": config_map("settings", "{PORT: '9000'}"),
    }
    assert variables_of(files) == {"PORT": "8000"}
    del files["k8s/base/settings.yaml"]
    assert variables_of(files) == {"PORT": "9000"}
    del files["k8s/other/settings.yaml"]
    assert variables_of(files) == {}


def test_another_namespace_does_not_count() -> None:
    web = WEB.replace("metadata: {name: web}", "metadata: {name: web, namespace: shop}", 1)
    elsewhere = config_map("settings", "{PORT: '9000'}", namespace="other")
    here = config_map("settings", "{PORT: '8000'}", namespace="shop")
    assert variables_of({"web.yaml": web, "a.yaml": elsewhere}) == {}
    assert variables_of({"web.yaml": web, "a.yaml": elsewhere, "b.yaml": here}) == {"PORT": "8000"}
    assert variables_of({"web.yaml": web, "a.yaml": config_map("settings", "{PORT: '1'}")}) == {"PORT": "1"}


def test_copies_that_lie_equally_near_must_agree() -> None:
    files = {
        "web.yaml": WEB,
        "a/settings.yaml": config_map("settings", "{PORT: '1', SAME: x, LESS: y}"),
        "b/settings.yaml": config_map("settings", "{PORT: '2', SAME: x}"),
    }
    several = "there are several ConfigMaps called settings"
    assert variables_of(files) == {"PORT": Unknown("PORT", several), "SAME": "x", "LESS": Unknown("LESS", several)}


def test_the_objects_of_a_variant_are_its_own() -> None:
    parsed = linked({"web.yaml": WEB, "settings.yaml": config_map("settings", "{PORT: '1'}")})
    other = linked({"settings.yaml": config_map("settings", "{PORT: '2'}")})
    resources: list[Resource] = []
    for variant, settings_of in (("a", parsed), ("b", other)):
        owners: dict[int, Resource] = {}
        for one in (
            *parsed.of_kind("k8s.deployment", "k8s.podspec", "k8s.container"),
            *settings_of.of_kind("k8s.configmap"),
        ):
            parent = owners.get(id(one.parent)) if one.parent is not None else None
            owners[id(one)] = Resource(one.kind, one.address, one.node, parent, variant)
            resources.append(owners[id(one)])
    repository = Repository(parsed.files, parsed.paths, resources)
    found = [values(pod_environment(one, repository)) for one in repository.of_kind("k8s.container")]
    assert found == [{"PORT": "1"}, {"PORT": "2"}]


def test_the_place_is_the_reference_and_the_way_leads_to_the_value() -> None:
    repository = linked({"web.yaml": WEB, "settings.yaml": config_map("settings", "{PORT: '8000'}")})
    node = pod_environment(container_of(repository), repository).variables["PORT"]
    assert (node.source.path, node.span.text) == ("web.yaml", "settings")
    assert [(via.span.file.path, via.span.text, via.label) for via in node.span.via] == [
        ("settings.yaml", "'8000'", "set by the ConfigMap settings")
    ]


def test_secrets() -> None:
    text = deployment("web", "image: web, envFrom: [{secretRef: {name: db}}]")
    encoded = base64.b64encode(b"from data").decode()
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nimmutable: true\n"
        f"data: {{A: {encoded}, B: {encoded}, C: '%%%', D: /w==}}\nstringData: {{B: plain}}\n"
    )
    repository = linked({"web.yaml": text, "secret.yaml": secret})
    found = pod_environment(container_of(repository), repository)
    assert found.secrets == {"A": "from data", "B": "plain"}
    assert sorted(found.variables) == ["A", "B", "C", "D"]
    assert all(node.is_unknown for node in found.variables.values())
    assert found.missing == ""


@pytest.mark.parametrize(
    ("maker", "names", "missing"),
    [
        ("SealedSecret, metadata: {name: db}, spec: {encryptedData: {A: AgB, B: AgC}}", ["A", "B"], False),
        ("ExternalSecret, metadata: {name: db}, spec: {data: [{secretKey: A}]}", ["A"], False),
        ("ExternalSecret, metadata: {name: x}, spec: {target: {name: db}, data: [{secretKey: A}]}", ["A"], False),
        ("ExternalSecret, metadata: {name: db}, spec: {dataFrom: [{extract: {key: k}}]}", [], True),
    ],
)
def test_the_makers_of_secrets_tell_their_keys(maker: str, names: list[str], missing: bool) -> None:
    text = deployment("web", "image: web, envFrom: [{secretRef: {name: db}}]")
    made_by = f"apiVersion: example.com/v1\nkind: {maker}\n".replace(", metadata", "\nmetadata").replace(
        ", spec", "\nspec"
    )
    repository = linked({"web.yaml": text, "secret.yaml": made_by})
    found = pod_environment(container_of(repository), repository)
    assert sorted(found.variables) == names
    assert bool(found.missing) is missing


DOCKERFILE = 'FROM python:3.12\nCOPY . /app\nWORKDIR /app\nCMD ["gunicorn", "shop:app"]\n'


def facts(data: str, command: str = "") -> dict[str, object]:
    repository = linked(
        {
            "web/Dockerfile": DOCKERFILE,
            "web/shop.py": "from flask import Flask\napp = Flask(__name__)\n",
            "k8s/web.yaml": deployment("web", f"image: web, {command}envFrom: [{{configMapRef: {{name: settings}}}}]"),
            "k8s/settings.yaml": config_map("settings", data),
        }
    )
    service = next(one for one in repository.services if one.container is not None)
    return {name: fact.value if isinstance(fact, Fact) else fact for name, fact in service.facts.items()}


def test_settings_of_servers_reach_them_through_config_maps() -> None:
    found = facts("{GUNICORN_CMD_ARGS: '--bind=0.0.0.0:8000 --timeout 90', WEB_CONCURRENCY: '3'}")
    assert (found["app.bind_port"], found["app.timeout"], found["app.workers"]) == (8000, 90, 3)
    assert facts("{PORT: '5000'}")["app.bind_port"] == 5000
    uvicorn = facts("{UVICORN_PORT: '7000', WEB_CONCURRENCY: '2'}", "command: [uvicorn, 'shop:app'], ")
    assert (uvicorn["app.port"] if "app.port" in uvicorn else uvicorn["app.bind_port"], uvicorn["app.workers"]) == (
        7000,
        2,
    )
    args = facts("{LISTEN: '0.0.0.0:9000'}", "args: [gunicorn, --bind, $(LISTEN), 'shop:app'], ")
    assert args["app.bind_port"] == 9000


def test_all_variables_are_known_when_every_source_is() -> None:
    closed = linked({"web.yaml": WEB, "settings.yaml": config_map("settings", "{A: x}"), "Dockerfile": DOCKERFILE})
    opened = linked({"web.yaml": WEB, "Dockerfile": DOCKERFILE})
    (image,) = closed.of_kind("docker.stage")
    assert environment(image, container_of(closed), closed).excludes("WEB_CONCURRENCY")
    assert not environment(image, container_of(opened), opened).excludes("WEB_CONCURRENCY")
    assert not environment(None, container_of(closed), closed).excludes("WEB_CONCURRENCY")


SHOP = {
    "web/Dockerfile": DOCKERFILE,
    "web/pyproject.toml": "[project]\nname = 'web'\ndependencies = ['sqlalchemy']\n",
    "web/shop.py": "import os\nfrom sqlalchemy import create_engine\n"
    "engine = create_engine(os.environ['DATABASE_URL'], pool_size=20)\napp = engine\n",
    "k8s/db.yaml": deployment("db", "image: 'postgres:16', ports: [{containerPort: 5432}]")
    + "---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {selector: {app: db}, ports: [{port: 5432}]}\n",
    "k8s/other.yaml": deployment("other", "image: 'postgres:16', ports: [{containerPort: 5432}]")
    + "---\napiVersion: v1\nkind: Service\nmetadata: {name: other}\n"
    "spec: {selector: {app: other}, ports: [{port: 5432}]}\n",
}
SECRET = "zq9-never-shown"


def with_database_url(secret: str) -> dict[str, str]:
    web = deployment("web", "image: web, envFrom: [{secretRef: {name: web}}]")
    return {**SHOP, "k8s/web.yaml": web, "k8s/secret.yaml": secret}


def test_the_host_in_a_secret_links_and_is_not_shown() -> None:
    url = f"postgresql://app:{SECRET}@db/shop"
    for secret in (
        f"stringData: {{DATABASE_URL: '{url}', PORT: '{SECRET}', WEB_CONCURRENCY: '{SECRET}'}}",
        f"data: {{DATABASE_URL: {base64.b64encode(url.encode()).decode()}}}",
    ):
        files = with_database_url(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: web}}\n{secret}\n")
        repository = linked(files)
        (demand,) = demands(repository).values()
        assert not isinstance(demand, str)
        assert demand.datastore.name == "db"
        report = scan_sources([SourceFile(path, text) for path, text in files.items()])
        assert report.findings
        for name in FORMATS:
            assert SECRET not in render(name, report, RenderOptions()), name
        for service in report.services:
            values_of = [one.value if isinstance(one, Fact) else one for one in service.facts.values()]
            assert SECRET not in repr(values_of)


# -- hostile input ---------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["env", "envFrom", "name", "value", "valueFrom", "configMapKeyRef", "secretKeyRef", "fieldRef", "fieldPath", "key",
     "resourceFieldRef", "resource", "divisor", "limits.cpu", "optional", "prefix", "configMapRef", "secretRef", "A",
     "$(A)", "$$", "metadata.labels['x']", "resources", "limits", "cpu", "1e99", "-1", "0"]
)  # fmt: skip
TREES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


def as_node(value: object) -> Node:
    source = SourceFile("x", "")
    if isinstance(value, dict):
        return Node({str(key): as_node(one) for key, one in value.items()}, source, 0, 0)
    if isinstance(value, list):
        return Node(tuple(map(as_node, value)), source, 0, 0)
    assert value is None or isinstance(value, (str, int, bool))
    return Node(value, source, 0, 0)


@settings(max_examples=300, deadline=None)
@given(TREES, TREES, st.dictionaries(WORDS, TREES, max_size=3))
def test_any_container_has_an_environment(container: object, template: object, data: dict[str, object]) -> None:
    entries = Entries({key: as_node(value) for key, value in data.items()})
    found = environment_of(as_node(container), Pod(as_node(template)), lambda _kind, _name: entries)
    for node in found.variables.values():
        found.expand(node)
    assert set(found.secrets) <= set(found.variables)
    assert set(found.revealed()) <= set(found.variables)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("$()ABé \n") | st.characters(), max_size=60))
def test_any_text_expands(text: str) -> None:
    found = expanded(text, {"A": "1"}.get)
    assert isinstance(found, (str, Unknown))
    if "$" not in text:
        assert found == text


# -- namespaces and selectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "labels", "answer"),
    [
        ("{app: web}", "{app: web}", True),
        ("{app: web}", "{}", None),
        ("{app: web}", "{app: api}", False),
        ("{matchExpressions: [{key: a, operator: DoesNotExist}]}", "{}", None),
        ("{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}", "{a: x}", False),
    ],
)
def test_labels_that_a_template_may_add_to(selector: str, labels: str, answer: bool | None) -> None:
    known = tree(labels)
    assert selector_matches(tree(selector), OpenMapping(known.mapping, known)) is answer


def test_a_selector_that_a_template_may_add_to() -> None:
    labels = tree("{app: web}").mapping
    for text, answer in (("{app: web}", None), ("{app: api}", False)):
        selector = tree(text)
        open_ended = selector.holding(OpenMapping(selector.mapping, selector))
        assert selector_matches(open_ended, labels) is answer
        assert selector_matches(tree("{}").holding({"matchLabels": open_ended}), labels) is answer


NAMESPACES = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop, env: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bare}
"""


def policy(peer: str, namespace: str) -> str:
    return (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        f"metadata: {{name: p{', namespace: ' + namespace if namespace else ''}}}\n"
        f"spec:\n  podSelector: {{}}\n  ingress: [{{from: [{peer}]}}]\n"
    )


@pytest.mark.parametrize(
    ("peer", "of_policy", "of_pod", "answer"),
    [
        ("{podSelector: {matchLabels: {app: web}}}", "shop", "shop", True),
        ("{podSelector: {matchLabels: {app: web}}}", "other", "shop", False),
        ("{podSelector: {matchLabels: {app: web}}}", "", "shop", None),
        ("{podSelector: {matchLabels: {app: web}}}", "", "", True),
        ("{podSelector: {matchLabels: {app: api}}}", "", "", False),
        ("{namespaceSelector: {}}", "other", "shop", True),
        ("{namespaceSelector: {matchLabels: {team: shop}}}", "other", "shop", True),
        ("{namespaceSelector: {matchLabels: {team: other}}}", "other", "shop", False),
        ("{namespaceSelector: {matchLabels: {team: shop}}}", "other", "bare", False),
        ("{namespaceSelector: {matchLabels: {team: shop}}}", "other", "elsewhere", None),
        ("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", "other", "shop", True),
        ("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", "other", "elsewhere", False),
        ("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}", "other", "", None),
        ("{namespaceSelector: {matchLabels: {env: prod}}, podSelector: {matchLabels: {app: api}}}", "x", "shop", False),
        ("{namespaceSelector: {matchLabels: {env: prod}}, podSelector: {matchLabels: {app: web}}}", "x", "shop", True),
        ("{namespaceSelector: {matchExpressions: [{key: env, operator: NotIn, values: [dev]}]}}", "x", "shop", True),
        ("{ipBlock: {cidr: 10.0.0.0/8}}", "shop", "shop", False),
    ],
)  # fmt: skip
def test_peers_of_a_network_policy(peer: str, of_policy: str, of_pod: str, answer: bool | None) -> None:
    web = deployment("web", "image: web")
    if of_pod:
        web = web.replace("metadata: {name: web}", f"metadata: {{name: web, namespace: {of_pod}}}", 1)
    repository = linked({"web.yaml": web, "ns/all.yaml": NAMESPACES, "policy.yaml": policy(peer, of_policy)})
    (found,) = repository.of_kind("k8s.networkpolicy")
    (pod,) = repository.of_kind("k8s.podspec")
    (node,) = found.node.items_at("spec.ingress")[0].items_at("from")
    assert peer_matches(node, found, pod, repository) is answer
