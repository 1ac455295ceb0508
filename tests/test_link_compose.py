"""Compose among the ways of deployment: which projects are production's, what their services run."""

from __future__ import annotations

import pytest

from pyprod_audit.evaluate import evaluate
from pyprod_audit.intake import from_sources
from pyprod_audit.link import build
from pyprod_audit.link.compose import Purpose, deployed_services, purpose_of
from pyprod_audit.model import Repository, Service, SourceFile
from tests.linked_services import deployment

DOCKERFILE = 'FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n'


def linked(files: dict[str, str]) -> Repository:
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    evaluated = evaluate(intake.resources, intake.tree())
    resources, problems = evaluated.resources, evaluated.problems
    assert not problems
    repository = Repository(intake.files, intake.paths, resources)
    repository.services = build(repository)
    return repository


def purposes(files: dict[str, str]) -> dict[str, Purpose]:
    """What the projects are for, by the last file of each."""
    repository = linked(files)
    return {
        project.node.items_at("files")[-1].text or "": purpose_of(project, repository)
        for project in repository.of_kind("compose.project")
    }


def compose_service(files: dict[str, str], name: str = "web") -> Service:
    (service,) = [one for one in linked(files).services if one.compose is not None and one.name == name]
    return service


def started(body: str, dockerfile: str = DOCKERFILE) -> Service:
    """The service `web` with `body`, in a file for production."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    text = f"services:\n  web:\n    build: .\n{lines}"
    return compose_service({"compose.prod.yaml": text, "Dockerfile": dockerfile})


# -- which projects are deployed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "because"),
    [
        ("compose.prod.yaml", "compose.prod.yaml is named after production"),
        ("docker-compose.override.production.yml", "docker-compose.override.production.yml is named after production"),
        ("deploy/docker-compose.yml", "deploy/docker-compose.yml is named after production"),
    ],
)
def test_names_say_that_a_project_is_deployed(path: str, because: str) -> None:
    assert purposes({path: "services: {web: {image: shop}}\n"}) == {path: Purpose(True, because)}


@pytest.mark.parametrize(
    "path",
    [
        "compose.dev.yaml", "docker-compose.local.yml", "compose.test.yaml", ".devcontainer/docker-compose.yml",
        "ci/compose.yaml", "docker-compose.prod.example.yml",
    ],
)  # fmt: skip
def test_names_say_that_it_is_not(path: str) -> None:
    (purpose,) = purposes({path: "services: {web: {image: shop, restart: always}}\n"}).values()
    assert purpose == Purpose(False, f"{path} is named after development, tests or samples")


def test_services_that_are_restarted_are_deployed() -> None:
    restarted = "services: {web: {image: shop, restart: always}, db: {image: postgres, restart: unless-stopped}}\n"
    assert purposes({"compose.yaml": restarted})["compose.yaml"] == Purpose(
        True, "services.web is restarted when it ends"
    )
    few = "services: {a: {image: a}, b: {image: b}, c: {image: c, restart: always}}\n"
    assert purposes({"compose.yaml": few})["compose.yaml"] == Purpose(False, "nothing shows that it is deployed")


@pytest.mark.parametrize(
    ("body", "because"),
    [
        ("volumes: ['.:/app']", "services.web mounts its source from ."),
        ("volumes: ['./shop:/app/shop']", "services.web mounts its source from shop"),
        ("command: uvicorn shop:app --reload", "services.web starts a server for development"),
        ("command: sh -c './manage.py runserver'", "services.web starts a server for development"),
        ("environment: {DEBUG: 'true'}", "services.web sets DEBUG to true"),
        ("environment: [FLASK_ENV=development]", "services.web sets FLASK_ENV to development"),
        ("develop: {watch: [{path: ., action: sync, target: /app}]}", "services.web has a develop section"),
    ],
)  # fmt: skip
def test_what_developers_do_shows(body: str, because: str) -> None:
    files = {
        "compose.yaml": f"services:\n  web:\n    build: .\n    restart: always\n    {body}\n",
        "Dockerfile": DOCKERFILE, "shop/wsgi.py": "application = None\n",
    }  # fmt: skip
    assert purposes(files)["compose.yaml"] == Purpose(False, because)


@pytest.mark.parametrize(
    "body",
    [
        "volumes: ['./data:/app/data', './shop.conf:/etc/shop.conf']",
        "environment: {DEBUG: 'false', APP_ENV: production}", "environment: {DEBUG: $DEBUG}",
        "volumes: ['shop:/app/shop']", "volumes: ['./shop:/etc/shop:ro']",
    ],
)  # fmt: skip
def test_what_production_does_as_well(body: str) -> None:
    files = {
        "compose.yaml": f"services:\n  web:\n    build: .\n    restart: always\n    {body}\nvolumes: {{shop: }}\n",
        "Dockerfile": DOCKERFILE, "shop/wsgi.py": "application = None\n", "data/seed.json": "{}",
    }  # fmt: skip
    assert purposes(files)["compose.yaml"].deployed


def test_an_override_and_a_repository_that_is_deployed_otherwise() -> None:
    whole = "services: {web: {image: shop, restart: always}}\n"
    files = {"compose.yaml": whole, "compose.override.yaml": "services: {web: {tty: true}}\n"}
    assert purposes(files) == {
        "compose.override.yaml": Purpose(False, "compose.override.yaml is what developers change"),
        "compose.yaml": Purpose(True, "services.web is restarted when it ends"),
    }
    files = {"compose.yaml": whole, "k8s/web.yaml": deployment("web", "image: registry.example.com/web:1")}
    assert purposes(files)["compose.yaml"] == Purpose(False, "the repository is deployed in another way")


def test_a_base_is_not_deployed_without_the_file_for_production() -> None:
    files = {
        "compose.yaml": "services: {web: {image: shop, restart: always}}\n",
        "compose.prod.yaml": "services: {web: {ports: ['80:8000']}}\n",
    }
    assert purposes(files) == {
        "compose.yaml": Purpose(False, "compose.prod.yaml is laid over it"),
        "compose.prod.yaml": Purpose(True, "compose.prod.yaml is named after production"),
    }


def test_services_that_do_not_go_on_running() -> None:
    text = (
        "services:\n"
        "  web: {image: shop, depends_on: {prepare: {condition: service_completed_successfully}}}\n"
        "  prepare: {image: shop}\n"
        "  migrate: {image: shop}\n"
        "  admin: {image: shop, command: python manage.py createsuperuser}\n"
        "  report: {image: shop, restart: 'no'}\n"
        "  debug: {image: shop, profiles: [debug, test]}\n"
        "  optional: {image: shop, profiles: [mail]}\n"
        "  part: {restart: always}\n"
    )
    found = deployed_services(linked({"compose.prod.yaml": text}))
    assert [service.address for service in found] == ["services.web", "services.optional"]


# -- what they run ----------------------------------------------------------------------------------------------


def words(service: Service) -> list[str | None]:
    assert service.process is not None
    return [word.text for word in service.process.argv]


def test_the_image_decides_what_nothing_else_says() -> None:
    service = started("restart: always")
    assert words(service) == ["gunicorn", "shop.wsgi"]
    assert service.image is not None
    assert service.image.path == "Dockerfile"
    assert service.evidence[0].text == "services.web of compose.prod.yaml is built from Dockerfile"


@pytest.mark.parametrize(
    ("body", "dockerfile", "expected"),
    [
        ("command: gunicorn -w 4 shop.asgi", DOCKERFILE, ["gunicorn", "-w", "4", "shop.asgi"]),
        ("command: ['uvicorn', 'shop:app']", DOCKERFILE, ["uvicorn", "shop:app"]),
        ("command: shop.asgi", DOCKERFILE.replace("CMD", 'ENTRYPOINT ["gunicorn"]\nCMD'), ["gunicorn", "shop.asgi"]),
        ("entrypoint: gunicorn\ncommand: shop.asgi", DOCKERFILE, ["gunicorn", "shop.asgi"]),
        ("entrypoint: gunicorn shop.wsgi", DOCKERFILE, ["gunicorn", "shop.wsgi"]),
        ("command: uvicorn a:b", "FROM python:3.13\nENTRYPOINT gunicorn shop.wsgi\n", ["gunicorn", "shop.wsgi"]),
        ("command: echo start && gunicorn x", DOCKERFILE, ["echo", "start"]),
    ],
)
def test_the_compose_file_says_what_is_started(body: str, dockerfile: str, expected: list[str]) -> None:
    assert words(started(body, dockerfile)) == expected


def test_the_environment_of_the_service_reaches_the_process() -> None:
    dockerfile = "FROM python:3.13-slim\nENV PORT=5000\nCMD gunicorn --bind 0.0.0.0:$PORT shop.wsgi\n"
    service = started("environment: [PORT=8080]", dockerfile)
    port = service.fact("app.bind_port")
    assert port is not None
    assert port.value == 8080


def test_an_init_program_passes_signals_on() -> None:
    dockerfile = "FROM debian:13\nCMD gunicorn shop.wsgi | tee log\n"
    process = started("tty: true", dockerfile).process
    assert process is not None
    assert process.signals is False
    process = started("init: true\ncommand: gunicorn shop.wsgi", dockerfile).process
    assert process is not None
    assert process.signals is True
    assert process.wrappers[0] == "docker-init"


def test_a_command_that_is_not_known_starts_nothing_known() -> None:
    assert started("command: '$COMMAND'").process is None or words(started("command: '$COMMAND'")) == []


def test_context_dockerfile_and_target() -> None:
    files = {
        "deploy/compose.prod.yaml": (
            "services:\n"
            "  web: {build: {context: ../app, dockerfile: docker/web.Dockerfile, target: web}}\n"
            "  worker: {build: {context: ../app, dockerfile: docker/web.Dockerfile, target: worker}}\n"
            "  other: {build: 'https://git.example.com/shop.git'}\n"
        ),
        "app/docker/web.Dockerfile": (
            "FROM python:3.13-slim AS base\nCOPY . /app\n"
            'FROM base AS web\nCMD ["gunicorn", "shop.wsgi"]\n'
            'FROM base AS worker\nCMD ["celery", "-A", "shop", "worker"]\n'
        ),
        "app/shop/wsgi.py": "application = None\n",
        "app/requirements.txt": "gunicorn==23.0.0\n",
    }
    services = {one.name: one for one in linked(files).services}
    assert list(services) == ["web", "worker"]
    assert services["web"].process is not None
    assert services["web"].process.server == "gunicorn"
    assert services["worker"].process is not None
    assert services["worker"].process.server == "celery"
    assert services["web"].project == "app"


def test_a_service_that_runs_the_image_of_another_one() -> None:
    files = {
        "compose.prod.yaml": (
            "services:\n  web: {image: shop, build: .}\n  worker: {image: shop, command: celery -A shop worker}\n"
        ),
        "Dockerfile": DOCKERFILE,
    }
    assert words(compose_service(files, "worker")) == ["celery", "-A", "shop", "worker"]


def test_workloads_of_kubernetes_come_first() -> None:
    files = {
        "web/compose.prod.yaml": "services: {web: {build: .}}\n", "web/Dockerfile": DOCKERFILE,
        "k8s/web.yaml": deployment("web", "image: registry.example.com/web:1"),
    }  # fmt: skip
    (service,) = linked(files).services
    assert service.compose is None
    assert service.workload is not None


def test_compose_files_for_developers_leave_the_image_as_it_is() -> None:
    files = {"compose.yaml": "services: {web: {build: ., command: flask run}}\n", "Dockerfile": DOCKERFILE}
    (service,) = linked(files).services
    assert service.compose is None
    assert words(service) == ["gunicorn", "shop.wsgi"]


def test_proxies_of_the_same_project_lead_to_a_service() -> None:
    nginx = "server {\n  listen 80;\n  location / { proxy_pass http://web:8000; }\n}\n"
    files = {
        "one/compose.prod.yaml": "services: {web: {build: .}}\n", "one/Dockerfile": DOCKERFILE,
        "one/nginx/default.conf": nginx, "two/nginx/default.conf": nginx,
    }  # fmt: skip
    assert [entry.path for entry in compose_service(files).entries] == ["one/nginx/default.conf"]
