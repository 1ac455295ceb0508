"""Which image, workload and project belong together."""

from __future__ import annotations

import pytest

from pyprod_audit.config import StatedService
from pyprod_audit.model import Repository, Service
from tests.linked_services import deployment, linked, only_service

DOCKERFILE = 'FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nCMD ["gunicorn", "shop.wsgi"]\n'
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"


def joins(repository: Repository) -> dict[str, str | None]:
    """The Dockerfile of each service by its name."""
    return {service.name: service.image.path if service.image else None for service in repository.services}


@pytest.mark.parametrize(
    "image",
    [
        "web", "registry.example.com/shop/web:1.4", "registry.example.com:5000/web", "localhost:5000/web:2",
        "registry.example.com/web@sha256:" + "0" * 64, "${REGISTRY}/web:${TAG}",
    ],
)  # fmt: skip
def test_the_name_of_the_image_is_the_folder_of_the_dockerfile(image: str) -> None:
    files = {
        "services/web/Dockerfile": DOCKERFILE, "services/api/Dockerfile": DOCKERFILE,
        "k8s/web.yaml": deployment("web", f'image: "{image}"'),
        "k8s/api.yaml": deployment("api", "image: registry.example.com/api:1"),
    }  # fmt: skip
    assert joins(linked(files)) == {"web": "services/web/Dockerfile", "api": "services/api/Dockerfile"}


@pytest.mark.parametrize(
    ("path", "image"),
    [
        ("Dockerfile.web", "web"), ("docker/web.Dockerfile", "web"), ("src/user-service/Dockerfile", "userservice"),
        ("src/accounts/contacts/Dockerfile", "registry.example.com/bank/contacts:v1"),
    ],
)  # fmt: skip
def test_names_are_compared_without_separators_and_with_the_marks_of_the_file(path: str, image: str) -> None:
    files = {path: DOCKERFILE, "other/Dockerfile": DOCKERFILE, "k8s/x.yaml": deployment("x", f"image: {image}")}
    assert joins(linked(files))["x"] == path


def test_of_two_images_of_one_name_the_nearer_one() -> None:
    files = {
        "one/web/Dockerfile": DOCKERFILE, "two/web/Dockerfile": DOCKERFILE,
        "two/k8s/web.yaml": deployment("web", "image: registry.example.com/web:1"),
    }  # fmt: skip
    image = linked(files).services[0].image
    assert image is not None
    assert image.path == "two/web/Dockerfile"


def test_the_only_pair_left() -> None:
    files = {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": "gunicorn\n",
        "k8s/site.yaml": deployment("site", "image: registry.example.com/acme/storefront:1"),
        "k8s/cache.yaml": deployment("cache", "image: redis:8"),
    }
    assert joins(linked(files)) == {"site": "Dockerfile", "cache": None}


def test_no_pair_when_two_could_be_meant() -> None:
    files = {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": "gunicorn\n",
        "k8s/one.yaml": deployment("one", "image: registry.example.com/acme/one:1"),
        "k8s/two.yaml": deployment("two", "image: registry.example.com/acme/two:1"),
    }
    found = linked(files)
    assert joins(found) == {"one": None, "two": None, "image": "Dockerfile"}


def test_public_images_are_not_built_here_even_when_a_folder_has_their_name_elsewhere() -> None:
    files = {"docker/nginx.Dockerfile": DOCKERFILE, "k8s/proxy.yaml": deployment("proxy", "image: nginx:1.29")}
    assert joins(linked(files))["proxy"] is None


def test_stated_services_come_first() -> None:
    files = {
        "build/api/Dockerfile": DOCKERFILE, "build/web/Dockerfile": DOCKERFILE,
        "k8s/web.yaml": deployment("web", "image: registry.example.com/web:1"),
    }  # fmt: skip
    stated = [StatedService("shop", "build/api/Dockerfile", "Deployment/web", "src/shop")]
    (service, *_) = linked(files, stated).services
    assert service.image is not None
    assert (service.image.path, service.project) == ("build/api/Dockerfile", "src/shop")
    assert "shop" in service.evidence[0].text


def test_one_service_for_each_container_and_one_for_each_image_that_nobody_runs() -> None:
    pod = "      initContainers: [{name: migrate, image: registry.example.com/web:1}]\n"
    two = deployment("web", "image: registry.example.com/web:1}, {name: proxy, image: envoyproxy/envoy:v1", pod=pod)
    found = linked({"web/Dockerfile": DOCKERFILE, "tool/Dockerfile": DOCKERFILE, "k8s/web.yaml": two})
    assert joins(found) == {"web/web": "web/Dockerfile", "web/proxy": None, "tool": "tool/Dockerfile"}


def one(files: dict[str, str]) -> Service:
    return linked(files).services[0]


def test_a_service_has_what_leads_to_it_its_project_and_its_module() -> None:
    ingress = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: site}\n"
        "spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}\n"
    )
    found = one(
        {
            "web/Dockerfile": DOCKERFILE,
            "web/requirements.txt": "gunicorn\n",
            "web/shop/wsgi.py": "from flask import Flask\napplication = Flask(__name__)\n",
            "k8s/web.yaml": f"{deployment('web', 'image: registry.example.com/web:1')}---\n{SERVICE}---\n{ingress}",
        }
    )
    assert [entry.address for entry in found.entries] == ["Service/web", "Ingress/site"]
    assert found.project == "web"
    assert found.module is not None
    assert found.module.path == "web/shop/wsgi.py"
    assert [module.path for module in found.modules] == ["web/shop/wsgi.py"]


def test_facts_of_the_workload() -> None:
    pod = "      terminationGracePeriodSeconds: 45\n"
    container = (
        "image: registry.example.com/web:1, lifecycle: {preStop: {exec: {command: [sh, -c, sleep 7]}}},"
        " resources: {limits: {cpu: 500m, memory: 1Gi}}"
    )
    found = one({"k8s/web.yaml": deployment("web", container, pod=pod)})
    names = ("termination_grace", "prestop", "replicas", "cpu_limit", "memory_limit")
    facts = [found.fact(f"k8s.{name}") for name in names]
    assert [fact.value if fact else None for fact in facts] == [45, 7, 1, 0.5, 2**30]
    assert [fact.declared if fact else None for fact in facts[:3]] == [True, True, False]


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        ("sleep: {seconds: 10}", 10),
        ("exec: {command: [sleep, '15']}", 15),
        ("exec: {command: [/bin/sh, -c, 'sleep 5; nginx -s quit']}", 5),
        ("exec: {command: [/opt/drain.sh]}", None),
        ("httpGet: {path: /drain, port: 80}", None),
    ],
)
def test_how_long_the_prestop_hook_takes(hook: str, seconds: int | None) -> None:
    container = f"image: registry.example.com/web:1, lifecycle: {{preStop: {{{hook}}}}}"
    found = one({"k8s/web.yaml": deployment("web", container)})
    fact = found.fact("k8s.prestop")
    assert (fact.value if fact else None) == seconds
    assert (found.unknown("k8s.prestop") is not None) == (seconds is None)


def stage_of(dockerfile: str) -> str | None:
    """The name of the stage that the one service of a Dockerfile runs."""
    image = only_service({"Dockerfile": dockerfile, "shop/wsgi.py": "", "requirements.txt": ""}).image
    return image.node.text_at("name") if image is not None else None


PROD = 'FROM python:3.13-slim AS base\nWORKDIR /app\nCOPY . .\nFROM base AS prod\nCMD ["gunicorn", "shop.wsgi"]\n'


def test_a_last_stage_for_development_is_not_what_is_shipped() -> None:
    assert stage_of(PROD + 'FROM prod AS dev\nCMD ["flask", "run", "--debug"]\n') == "prod"
    assert stage_of(PROD + 'FROM prod AS web\nCMD ["gunicorn", "shop.wsgi"]\n') == "web"


def test_a_stage_for_development_is_taken_when_no_other_starts_something() -> None:
    dockerfile = 'FROM python:3.13-slim AS base\nWORKDIR /app\nCOPY . .\nFROM base AS dev\nCMD ["flask", "run"]\n'
    assert stage_of(dockerfile) == "dev"
