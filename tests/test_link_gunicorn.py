"""Which of gunicorn's settings win: command line, GUNICORN_CMD_ARGS, configuration file, variables, defaults."""

from __future__ import annotations

from pyprod_audit.model import AppReference, Fact, Service
from tests.linked_services import deployment, only_service


def service(command: str, *, env: str = "", conf: str | None = None, manifest: str = "") -> Service:
    files = {
        "web/Dockerfile": f"FROM python:3.13-slim\nWORKDIR /app\n{env}COPY . .\nCMD {command}\n",
        "web/requirements.txt": "gunicorn==26.1.0\n",
    }
    if conf is not None:
        files["web/gunicorn.conf.py"] = conf
    if manifest:
        files["k8s/web.yaml"] = manifest
    return only_service(files)


def value(found: Service, name: str) -> object:
    fact = found.facts.get(f"app.{name}")
    return fact.value if isinstance(fact, Fact) else "?"


def test_defaults() -> None:
    found = service('["gunicorn", "shop.wsgi"]')
    names = ("timeout", "graceful_timeout", "keepalive", "threads", "worker_class", "preload", "bind_port")
    assert [value(found, name) for name in names] == [30, 30, 2, 1, "sync", False, 8000]
    grace = found.fact("app.graceful_timeout")
    assert grace is not None
    assert (grace.unit, grace.declared) == ("s", False)


def test_order_of_precedence() -> None:
    env = 'ENV GUNICORN_CMD_ARGS="--timeout 20 --threads=3 --graceful-timeout 15"\n'
    conf = "timeout = 10\nthreads = 2\nkeepalive = 9\ngraceful_timeout = 5\n"
    found = service('["gunicorn", "--threads", "4", "shop.wsgi"]', env=env, conf=conf)
    names = ("threads", "timeout", "graceful_timeout", "keepalive")
    assert [value(found, name) for name in names] == [4, 20, 15, 9]
    timeout = found.fact("app.timeout")
    assert timeout is not None
    assert (timeout.span.file.path, timeout.span.line) == ("web/Dockerfile", 3)


def test_command_arguments_of_the_manifest_replace_those_of_the_image() -> None:
    env = 'ENV GUNICORN_CMD_ARGS="--timeout 20"\n'
    manifest = deployment(
        "web", 'image: registry.example.com/web:1, env: [{name: GUNICORN_CMD_ARGS, value: "--workers 7"}]'
    )
    found = service('["gunicorn", "shop.wsgi"]', env=env, manifest=manifest)
    assert (value(found, "timeout"), value(found, "workers")) == (30, 7)


def test_command_arguments_that_come_at_deploy_time_make_everything_else_unknown() -> None:
    manifest = deployment(
        "web",
        "image: registry.example.com/web:1, "
        "env: [{name: GUNICORN_CMD_ARGS, valueFrom: {configMapKeyRef: {name: web, key: args}}}]",
    )
    found = service('["gunicorn", "--threads", "4", "shop.wsgi"]', conf="keepalive = 9\n", manifest=manifest)
    assert [value(found, name) for name in ("threads", "timeout", "keepalive", "bind_port")] == [4, "?", "?", "?"]


def test_an_open_quote_in_the_command_arguments_is_unknown() -> None:
    found = service('["gunicorn", "shop.wsgi"]', env='ENV GUNICORN_CMD_ARGS="--name \'x"\n')
    assert value(found, "timeout") == "?"


def test_the_file_that_the_command_arguments_name() -> None:
    files = {
        "web/Dockerfile": "FROM python:3.13-slim\nWORKDIR /app\nENV GUNICORN_CMD_ARGS='-c deploy/g.py'\nCOPY . .\n"
        'CMD ["gunicorn", "shop.wsgi"]\n',
        "web/deploy/g.py": "import os\ntimeout = 77\n",
        "web/requirements.txt": "gunicorn\n",
    }
    assert value(only_service(files), "timeout") == 77


def test_the_application_may_stand_in_the_file() -> None:
    found = service('["gunicorn"]', conf='wsgi_app = "shop.wsgi:application"\n')
    assert found.process is not None
    assert isinstance(found.process.app, AppReference)
    assert (found.process.app.module, found.process.app.attribute) == ("shop.wsgi", "application")


def test_web_concurrency_is_for_workers_only_and_weaker_than_the_rest() -> None:
    env = "ENV WEB_CONCURRENCY=6\n"
    assert value(service('["gunicorn", "shop.wsgi"]', env=env), "workers") == 6
    assert value(service('["gunicorn", "shop.wsgi"]', env=env, conf="workers = 2\n"), "workers") == 2
    assert value(service('["gunicorn", "-w", "3", "shop.wsgi"]', env=env), "workers") == 3


def test_port_is_the_default_of_bind() -> None:
    found = service('["gunicorn", "shop.wsgi"]', env="ENV PORT=9000\n")
    assert (value(found, "bind_host"), value(found, "bind_port")) == ("0.0.0.0", 9000)
    bound = service('["gunicorn", "-b", "127.0.0.1:80", "shop.wsgi"]', env="ENV PORT=9000\n")
    assert (value(bound, "bind_host"), value(bound, "bind_port")) == ("127.0.0.1", 80)


def test_values_that_the_file_takes_from_the_environment() -> None:
    conf = 'import os\ntimeout = int(os.environ.get("TIMEOUT", "60"))\nthreads = int(os.getenv("THREADS", 2))\n'
    manifest = deployment("web", 'image: registry.example.com/web:1, env: [{name: TIMEOUT, value: "45"}]')
    found = service('["gunicorn", "shop.wsgi"]', conf=conf, manifest=manifest)
    assert (value(found, "timeout"), value(found, "threads")) == (45, 2)


def test_a_file_that_is_not_in_the_repository_leaves_the_defaults_open() -> None:
    found = service('["gunicorn", "-c", "/etc/gunicorn.py", "--timeout", "50", "shop.wsgi"]')
    assert (value(found, "timeout"), value(found, "graceful_timeout")) == (50, "?")
