"""What Compose files amount to: agreement with Docker Compose, places, what stays open, which files belong together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.compose import evaluate
from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.intake import from_sources
from pyprod_audit.model import Node, OpenMapping, Resource, SourceFile, Unknown
from tests.oracles.compose.cases import Case, cases, differences, plain, recorded

CASES = list(cases())
RECORDED = recorded()
# Compose refuses these because something is missing at deploy time, which the repository cannot tell.
MISSING_AT_DEPLOY_TIME = {"environment/env-file-missing", "interpolation/required-and-unset"}


def run(files: dict[str, str]) -> Evaluated:
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    assert intake.problems == []
    return evaluate([r for r in intake.resources if r.kind == "compose.file"], intake.tree())


def projects(evaluated: Evaluated) -> list[Resource]:
    return [resource for resource in evaluated.resources if resource.kind == "compose.project"]


def files_of(project: Resource) -> tuple[str | None, ...]:
    return tuple(node.text for node in project.node.items_at("files"))


def service(files: dict[str, str], name: str = "web", variant: str | None = None) -> Node:
    found = [
        resource
        for resource in run(files).resources
        if resource.address == f"services.{name}" and variant in (None, resource.variant)
    ]
    assert found
    return found[0].node


def one(text: str, path: str, env: str = "") -> Node:
    """A value of the service `web`, given its body."""
    body = "".join(f"    {line}\n" for line in text.splitlines())
    files = {"compose.yaml": f"services:\n  web:\n    image: app\n{body}"}
    if env:
        files[".env"] = env
    found = service(files).get(path)
    assert found is not None
    return found


def unknown(node: Node) -> Unknown:
    assert isinstance(node.value, Unknown)
    return node.value


# -- Docker Compose itself -------------------------------------------------------------------------------------


def evaluated_case(case: Case) -> tuple[Resource | None, Evaluated]:
    evaluated = run(case.files)
    for project in projects(evaluated):
        if case.named in ((), files_of(project)) and "/" not in project.path:
            return project, evaluated
    return None, evaluated


def test_there_are_cases_and_all_are_recorded() -> None:
    assert len(CASES) > 100
    assert {case.name for case in CASES} == set(RECORDED)


@pytest.mark.parametrize(
    "case", [case for case in CASES if "project" in RECORDED[case.name]], ids=lambda case: case.name
)
def test_as_docker_compose_config(case: Case) -> None:
    project, evaluated = evaluated_case(case)
    assert project is not None
    assert evaluated.problems == []
    assert list(differences(plain(project.node), RECORDED[case.name]["project"])) == []


@pytest.mark.parametrize("case", [one for one in CASES if "error" in RECORDED[one.name]], ids=lambda one: one.name)
def test_what_docker_compose_refuses(case: Case) -> None:
    _, evaluated = evaluated_case(case)
    assert bool(evaluated.problems) is (case.name not in MISSING_AT_DEPLOY_TIME)
    for problem in evaluated.problems:
        assert problem.stage == "evaluate"
        assert problem.line is not None
        assert problem.path in case.files


# -- places ----------------------------------------------------------------------------------------------------

PLACES = {
    ".env": "TAG=1.4\nSTAGE=prod\n",
    "common.yaml": "services:\n  base:\n    restart: always\n    environment:\n      LEVEL: info\n",
    "compose.yaml": (
        "services:\n"
        "  web:\n"
        "    extends: {file: common.yaml, service: base}\n"
        "    image: registry.example.com/shop:${TAG}\n"
        "    command: gunicorn --workers 4 'shop.wsgi:application'\n"
        "    ports:\n"
        '      - "127.0.0.1:8080:8000/tcp"\n'
        "    environment:\n"
        "      - STAGE=${STAGE}-eu\n"
        "      - PLAIN=some text\n"
        "    volumes:\n"
        "      - ./data:/data:ro\n"
    ),
    "compose.override.yaml": "services:\n  web:\n    image: other:2\n    stop_grace_period: 1m\n",
}


def where(node: Node) -> tuple[str, int, str]:
    return node.source.path, node.span.line, node.span.text


def at(path: str, variant: str = "compose.yaml") -> Node:
    node, _ = service(PLACES, variant=variant).find(tuple(path.split(".")))
    assert isinstance(node, Node)
    return node


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("command.0", ("compose.yaml", 5, "gunicorn")),
        ("command.2", ("compose.yaml", 5, "4")),
        ("command.3", ("compose.yaml", 5, "'shop.wsgi:application'")),
        ("ports.0.host_ip", ("compose.yaml", 7, "127.0.0.1")),
        ("ports.0.published", ("compose.yaml", 7, "8080")),
        ("ports.0.target", ("compose.yaml", 7, "8000")),
        ("environment.PLAIN", ("compose.yaml", 10, "some text")),
        ("volumes.0.source", ("compose.yaml", 12, "./data")),
        ("volumes.0.target", ("compose.yaml", 12, "/data")),
        ("volumes.0.read_only", ("compose.yaml", 12, "ro")),
        ("restart", ("common.yaml", 3, "always")),
        ("environment.LEVEL", ("common.yaml", 5, "info")),
    ],
)
def test_parts_stand_where_they_are_written(path: str, place: tuple[str, int, str]) -> None:
    assert where(at(path)) == place


def test_the_key_of_a_listed_variable_is_its_name() -> None:
    key = at("environment.PLAIN").key
    assert key is not None
    assert (key.line, key.text) == (10, "PLAIN")


def test_a_service_stands_in_the_file_that_its_owner_opens() -> None:
    node = service(PLACES, variant="compose.yaml")
    assert (node.source.path, node.anchor.text) == ("compose.yaml", "web")


def via(node: Node) -> list[tuple[str, int, str]]:
    return [(one.span.file.path, one.span.line, one.label) for one in node.via]


def test_values_tell_what_they_came_through() -> None:
    assert at("image").value == "registry.example.com/shop:1.4"
    assert via(at("image")) == [(".env", 1, "set in .env")]
    assert at("environment.STAGE").value == "prod-eu"
    assert via(at("environment.STAGE")) == [(".env", 2, "set in .env")]
    assert via(at("restart")) == [("compose.yaml", 3, "extended by web")]
    image = at("image", variant="compose.override.yaml")
    assert where(image) == ("compose.override.yaml", 3, "other:2")
    assert via(image) == [("compose.yaml", 4, "overrides compose.yaml")]


def test_variables_of_files_stand_in_them() -> None:
    node = service({"web.env": "A=1\nB='two'\n", "compose.yaml": "services: {web: {image: x, env_file: web.env}}\n"})
    found = node.mapping_at("environment")
    assert where(found["B"]) == ("web.env", 2, "two")
    assert found["B"].key is not None
    assert found["B"].key.text == "B"


# -- what is not known -------------------------------------------------------------------------------------------


def test_a_variable_that_no_file_sets_is_unknown() -> None:
    image = unknown(one("hostname: h-${NAME}.${ZONE:-example.com}", "hostname"))
    assert image.expression == "h-${NAME}.example.com"
    assert image.because == "NAME is set in the environment at deploy time"


@pytest.mark.parametrize("written", ["${X:?set it}", "${X?}", "${X:+a}", "${X+a}", "$X", "${X}", "${Y:-${X}}"])
def test_what_hangs_on_the_deployment(written: str) -> None:
    assert unknown(one(f"hostname: {written}", "hostname")).because == "X is set in the environment at deploy time"


def test_a_variable_of_the_env_file_that_hangs_on_the_deployment() -> None:
    assert unknown(one("hostname: ${A:-default}", "hostname", env="A=$NOWHERE\n")).expression == "${A:-default}"


def test_the_known_part_of_a_port_is_known() -> None:
    port = one('ports: ["${PORT}:8000"]', "ports.0").mapping
    assert port["target"].value == 8000
    assert port["protocol"].value == "tcp"
    assert unknown(port["published"]).expression == "${PORT}"
    assert port["host_ip"].is_unknown  # PORT may be `127.0.0.1:8000`
    bound = one('ports: ["127.0.0.1:${PORT}:${TARGET}/udp"]', "ports.0").mapping
    assert bound["host_ip"].value == "127.0.0.1"
    assert unknown(bound["target"]).expression == "${TARGET}"
    assert one('ports: ["$IP:25:2525"]', "ports.0").mapping["published"].value == "25"


def test_the_known_part_of_a_volume_is_known() -> None:
    volume = one('volumes: ["${DATA}:/var/lib/data:ro"]', "volumes.0").mapping
    assert volume["target"].value == "/var/lib/data"
    assert volume["read_only"].value is True
    assert volume["type"].is_unknown
    assert one('volumes: ["${DATA}/db:/data"]', "volumes.0").mapping["type"].value == "bind"
    assert one('volumes: ["$ANY"]', "volumes.0").is_unknown


def test_the_known_words_of_a_command_are_known() -> None:
    words = one('command: gunicorn -w "$WORKERS" --bind=0.0.0.0:$PORT app:app', "command").items
    assert [word.text for word in words] == ["gunicorn", "-w", None, None, "app:app"]
    assert [unknown(word).expression for word in words if word.text is None] == ["$WORKERS", "--bind=0.0.0.0:$PORT"]


def test_a_variable_without_a_value_is_passed_on() -> None:
    found = one("environment:\n  - SECRET\n  - EMPTY=\n", "environment").mapping
    assert unknown(found["SECRET"]).because == "SECRET is set in the environment at deploy time"
    assert found["EMPTY"].value == ""


def test_an_environment_file_that_is_not_there_leaves_the_environment_open() -> None:
    evaluated = run({"compose.yaml": "services: {web: {image: x, env_file: [prod.env], environment: {A: '1'}}}\n"})
    node = next(r.node for r in evaluated.resources if r.address == "services.web")
    environment = node.mapping["environment"].value
    assert evaluated.problems == []
    assert isinstance(environment, OpenMapping)
    assert environment["A"].value == "1"
    assert unknown(environment.rest).because == "prod.env is not in the repository"
    found = node.get("environment.B")
    assert found is not None
    assert found.is_unknown


def test_what_an_unknown_list_brings_leaves_it_open() -> None:
    assert isinstance(one("environment: ['$MORE', 'A=1']", "environment").value, OpenMapping)


def test_a_broken_env_file_leaves_variables_open() -> None:
    files = {".env": "A=1\n?=2\n", "compose.yaml": "services: {web: {image: 'x:${B:-1}', hostname: $A}}\n"}
    node = service(files)
    assert node.mapping["hostname"].value == "1"
    assert unknown(node.mapping["image"]).because == ".env cannot be read as a whole"
    (problem,) = run(files).problems
    assert (problem.path, problem.line) == (".env", 2)


def test_templated_environment_files_are_no_fault() -> None:
    evaluated = run({
        "a.env": "A={{ slug }}\nB=1\n{% if x %}\nC=2\n",
        "compose.yaml": "services: {web: {image: x, env_file: a.env}}\n",
    })  # fmt: skip
    environment = next(r.node for r in evaluated.resources if r.address == "services.web").mapping_at("environment")
    assert evaluated.problems == []
    assert environment["A"].is_unknown
    assert environment["B"].value == "1"
    assert isinstance(environment, OpenMapping)


def test_what_is_extended_elsewhere_leaves_the_service_open() -> None:
    node = service({"compose.yaml": "services: {web: {image: x, extends: {file: nowhere.yaml, service: base}}}\n"})
    assert node.mapping["image"].value == "x"
    restart = node.get("restart")
    assert restart is not None
    assert restart.is_unknown


def test_what_is_included_from_elsewhere_leaves_the_project_open() -> None:
    text = "include: ['https://git.example.com/shop.git']\nservices: {web: {image: x}}\n"
    evaluated = run({"compose.yaml": text})
    assert evaluated.problems == []
    assert isinstance(projects(evaluated)[0].node.mapping["services"].value, OpenMapping)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("include: [../up.yaml]\nservices: {web: {image: x}}\n", "outside of the scanned folder", 1),
        ("services:\n  web:\n    image: x\n    extends: {file: ../x.yaml, service: y}\n", "outside of the scanned", 4),
        (
            "services:\n  web:\n    image: x\n    extends: {file: /etc/x.yaml, service: y}\n",
            "outside of the scanned",
            4,
        ),
        ("services:\n  web:\n    image: x\n    depends_on: 5\n", "names of services", 4),
        ("services:\n  web:\n    image: x\n    volumes: [5]\n", "not valid as a volume", 4),
        ("services:\n  web:\n    build: [a]\n", "not valid as a build", 3),
        ("volumes:\n  data: x\nservices: {web: {image: x}}\n", "not valid as a mapping", 2),
    ],
)
def test_faults(text: str, message: str, line: int) -> None:
    (problem,) = run({"compose.yaml": text}).problems
    assert message in problem.message
    assert (problem.path, problem.line) == ("compose.yaml", line)


def test_one_fault_in_several_projects_is_one() -> None:
    files = {
        "compose.yaml": "services: {web: {image: x, ports: ['a:b']}}\n",
        "compose.one.yaml": "services: {web: {restart: always}}\n",
        "compose.two.yaml": "services: {web: {restart: 'no'}}\n",
    }
    evaluated = run(files)
    assert len(projects(evaluated)) == 3
    assert len(evaluated.problems) == 1


# -- which files belong together ------------------------------------------------------------------------------


def combinations(files: dict[str, str]) -> dict[str, tuple[str | None, ...]]:
    return {project.variant: files_of(project) for project in projects(run(files))}


WHOLE = "services: {web: {image: x}}\n"
PART = "services: {web: {restart: always}}\n"


def test_a_single_file_is_a_project_without_variant() -> None:
    assert combinations({"docker-compose.yml": WHOLE}) == {"": ("docker-compose.yml",)}


def test_the_preferred_name_wins() -> None:
    assert combinations({"docker-compose.yml": WHOLE, "compose.yaml": WHOLE}) == {"": ("compose.yaml",)}


def test_an_override_and_the_main_file_alone() -> None:
    assert combinations({"compose.yml": WHOLE, "compose.override.yml": PART}) == {
        "compose.override.yml": ("compose.yml", "compose.override.yml"),
        "compose.yml": ("compose.yml",),
    }


def test_parts_are_laid_over_the_main_file_and_whole_files_stand_alone() -> None:
    files = {
        "app/docker-compose.yml": "services: {web: {image: x}, db: {image: postgres}}\n",
        "app/docker-compose.override.yml": PART,
        "app/docker-compose.prod.yml": PART,
        "app/docker-compose.test.yml": "services: {test: {build: ., depends_on: [web]}}\n",
        "app/docker-compose-tools.yml": "services: {adminer: {image: adminer}}\n",
    }
    assert combinations(files) == {
        "app/docker-compose.override.yml": ("app/docker-compose.yml", "app/docker-compose.override.yml"),
        "app/docker-compose.prod.yml": ("app/docker-compose.yml", "app/docker-compose.prod.yml"),
        "app/docker-compose.test.yml": ("app/docker-compose.yml", "app/docker-compose.test.yml"),
        "app/docker-compose-tools.yml": ("app/docker-compose-tools.yml",),
    }


def test_a_base_that_is_not_the_main_file() -> None:
    files = {
        "docker-compose.base.yml": WHOLE,
        "docker-compose.prod.yml": PART,
        "docker-compose.staging.yml": PART,
    }
    assert combinations(files) == {
        "docker-compose.prod.yml": ("docker-compose.base.yml", "docker-compose.prod.yml"),
        "docker-compose.staging.yml": ("docker-compose.base.yml", "docker-compose.staging.yml"),
    }


def test_extended_and_included_files_are_no_projects() -> None:
    files = {
        "compose.yaml": "include: [db.compose.yaml]\nservices: {web: {extends: {file: a.compose.yaml, service: b}}}\n",
        "a.compose.yaml": "services: {b: {image: x}}\n",
        "db.compose.yaml": "services: {db: {image: postgres}}\n",
    }
    assert combinations(files) == {"": ("compose.yaml",)}


def test_a_variable_may_name_the_files() -> None:
    files = {".env": "COMPOSE_FILE=docker-compose.yml:docker-compose.prod.yml\n", "docker-compose.yml": WHOLE}
    assert combinations({**files, "docker-compose.prod.yml": PART, "docker-compose.override.yml": PART}) == {
        "": ("docker-compose.yml", "docker-compose.prod.yml")
    }
    assert run(files).problems[0].message == "COMPOSE_FILE names docker-compose.prod.yml, which is not there"


def test_addresses_parents_and_kinds() -> None:
    text = (
        "name: shop\nservices: {web: {image: x}}\nvolumes: {data: }\nnetworks: {back: {}}\n"
        "secrets: {s: {file: s}}\nconfigs: {c: {content: x}}\n"
    )
    resources = run({"deploy/compose.yaml": text}).resources
    assert [(resource.kind, resource.address) for resource in resources] == [
        ("compose.project", "shop"), ("compose.service", "services.web"), ("compose.volume", "volumes.data"),
        ("compose.network", "networks.back"), ("compose.secret", "secrets.s"), ("compose.config", "configs.c"),
    ]  # fmt: skip
    assert {resource.parent for resource in resources[1:]} == {resources[0]}
    assert [r.address for r in projects(run({"deploy/compose.yaml": WHOLE, "compose.yaml": WHOLE}))] == ["deploy", "."]


# -- hostile input ---------------------------------------------------------------------------------------------


def test_a_long_chain_of_extends_ends() -> None:
    chain = "".join(f"  s{i}:\n    extends: s{i + 1}\n" for i in range(100))
    evaluated = run({"compose.yaml": f"services:\n{chain}  s100:\n    image: x\n"})
    assert evaluated.problems


def test_a_range_of_all_ports_is_one_unknown() -> None:
    (port,) = one('ports: ["1-65535:1-65535"]', "ports").items
    assert unknown(port).because == "a range of more than 64 ports"


def test_texts_do_not_grow_without_end() -> None:
    doubling = "".join(f"A{i}=$A{i - 1}$A{i - 1}\n" for i in range(1, 60))
    assert one("hostname: $A59", "hostname", env=f"A0=xxxxxxxxxx\n{doubling}").is_unknown


def test_the_number_of_projects_is_bounded() -> None:
    files = {f"compose.v{number}.yaml": PART for number in range(40)}
    evaluated = run({"compose.yaml": WHOLE, **files})
    assert len(projects(evaluated)) == 30
    assert [problem.message for problem in evaluated.problems] == [
        "more than 30 Compose projects in one folder: the rest is not evaluated"
    ]


def test_depth_and_size_are_bounded() -> None:
    deep = "[" * 200 + "]" * 200
    assert run({"compose.yaml": f"services:\n  web:\n    image: x\n    cap_add: {deep}\n"}).problems
    nested = "${A:-" * 60 + "x" + "}" * 60
    assert one(f"hostname: {nested}", "hostname").is_unknown


def test_many_unclosed_expressions_are_read_once() -> None:
    assert one(f"hostname: 'x{'${A-' * 20_000}'", "hostname").is_unknown


ATTRIBUTES = [
    "image: x", "extends: web", "extends: {file: b.yaml, service: web}", "extends: [web]",
    "ports: ['$A:80', 1-3, 70000]", "ports: {a: 1}", "environment: [A, B=$A, {}]", "environment: !reset",
    "volumes: ['a:b:c', 'a:$B', {}, 7]", "volumes: x", "command: \"$X ' |\"", "command: [1, [2]]",
    "build: {args: [A], ssh: default}", "build: $A", "depends_on: {web: }", "depends_on: [1, $A]",
    "env_file: [b.yaml, e.env, {path: 1}]", "env_file: 3", "networks: [1, a, [b]]", "networks: a",
    "ports: !override []", "<<: *a", "<<: 1", "healthcheck: {test: a, retries: x}", "healthcheck: !override",
    "extra_hosts: {a: [1]}", "extra_hosts: 1", "secrets: [a, {}, 1]", "label_file: e.env", "label_file: [1]",
    "ulimits: {a: $X}", "links: [a, 1]", "network_mode: service:a", "logging: 3", "logging: {driver: 1}",
    "labels: {a: }", "labels: [[]]", "gpus: all", "devices: [a, 1]", "deploy: {resources: 1, labels: $A}",
    "privileged: maybe", "dns: 1", "a: ${", "\ue000: \ue000",
]  # fmt: skip
SECTIONS = [
    "include: [b.yaml]", "include: [{path: [b.yaml, $A], project_directory: .., env_file: e.env}]", "include: b.yaml",
    "volumes: {a: {external: {name: x}}, b: 1}", "networks: []", "networks: {a: {ipam: {config: [1, {subnet: 1}]}}}",
    "name: ${N:-x}", "name: [x]", "secrets: !reset {}", "configs: {c: {file: $A}}", "services: [a]", "---",
]  # fmt: skip


@st.composite
def compose_files(draw: st.DrawFn) -> str:
    """Mostly valid YAML, mostly no valid Compose file."""
    body = "".join(f"    {line}\n" for line in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=8, unique=True)))
    other = "".join(f"    {line}\n" for line in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=4, unique=True)))
    sections = "\n".join(draw(st.lists(st.sampled_from(SECTIONS), max_size=3, unique=True)))
    return f"x-a: &a {{image: y}}\nservices:\n  web:\n{body}  a:\n{other}{sections}\n{draw(st.text(max_size=3))}"


@given(
    compose_files() | st.text(max_size=40),
    compose_files() | st.text(max_size=40),
    compose_files(),
    st.text(alphabet="A=$\n\"'{}:-#\\ e", max_size=30),
)
@settings(max_examples=300, deadline=None)
def test_nothing_raises(main: str, override: str, other: str, env: str) -> None:
    texts = {"compose.yaml": main, "compose.override.yaml": override, "b.yaml": other, ".env": env, "e.env": env}
    intake = from_sources([SourceFile(path, text) for path, text in texts.items()])
    evaluated = evaluate([r for r in intake.resources if r.kind == "compose.file"], intake.tree())
    for resource in evaluated.resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(node.source.text)
