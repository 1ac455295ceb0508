"""What a container starts and whether SIGTERM gets there: shells, init programs, wrappers, scripts, manifests."""

from __future__ import annotations

import pytest

from pyprod_audit.model import Process, Unknown
from tests.linked_services import deployment, only_service

SLIM = "FROM python:3.13-slim\n"
ALPINE = "FROM python:3.13-alpine\n"
UBI = "FROM registry.access.redhat.com/ubi9/python-312\n"
OLD_UBI = "FROM registry.access.redhat.com/ubi8/python-312\n"
PRIVATE = "FROM registry.example.com/base/python:7\n"


def process(dockerfile: str, files: dict[str, str] | None = None) -> Process:
    found = only_service({"web/Dockerfile": dockerfile, **(files or {})}).process
    assert found is not None
    return found


def words(found: Process) -> list[str]:
    return [word.value.expression if isinstance(word.value, Unknown) else str(word.scalar) for word in found.argv]


@pytest.mark.parametrize(
    ("dockerfile", "signals"),
    [
        (SLIM + 'CMD ["gunicorn", "shop.wsgi"]', True),
        (SLIM + "CMD gunicorn shop.wsgi", False),
        (SLIM + "CMD exec gunicorn shop.wsgi", True),
        (SLIM + "CMD cd src && gunicorn shop.wsgi", False),
        (SLIM + "CMD cd src && exec gunicorn shop.wsgi", True),
        (SLIM + "ENTRYPOINT gunicorn shop.wsgi", False),
        (ALPINE + "CMD gunicorn shop.wsgi", True),
        (ALPINE + "CMD cd src && gunicorn shop.wsgi", True),
        (ALPINE + "CMD gunicorn shop.wsgi | tee /log", False),
        (UBI + "CMD gunicorn shop.wsgi", True),
        (UBI + "CMD cd src && gunicorn shop.wsgi", True),
        (UBI + "CMD gunicorn shop.wsgi 2>&1", False),
        (UBI + "CMD cd src; true && gunicorn shop.wsgi", None),
        (OLD_UBI + "CMD gunicorn shop.wsgi", True),
        (OLD_UBI + "CMD cd src && gunicorn shop.wsgi", None),
        (PRIVATE + "CMD gunicorn shop.wsgi", None),
        (PRIVATE + "CMD exec gunicorn shop.wsgi", True),
        (SLIM + 'SHELL ["/bin/bash", "-c"]\nCMD gunicorn shop.wsgi', True),
        (SLIM + 'CMD ["bash", "-c", "gunicorn shop.wsgi"]', True),
        (SLIM + 'CMD ["sh", "-c", "gunicorn shop.wsgi"]', False),
        (SLIM + 'CMD ["poetry", "run", "gunicorn", "shop.wsgi"]', True),
        (SLIM + 'CMD ["pipenv", "run", "gunicorn", "shop.wsgi"]', True),
        (SLIM + 'CMD ["uv", "run", "--no-dev", "gunicorn", "shop.wsgi"]', True),
        (SLIM + 'CMD ["pdm", "run", "gunicorn", "shop.wsgi"]', None),
        (SLIM + 'ENTRYPOINT ["tini", "--"]\nCMD ["gunicorn", "shop.wsgi"]', True),
        (SLIM + 'ENTRYPOINT ["tini", "--"]\nCMD gunicorn shop.wsgi', False),
        (SLIM + 'ENTRYPOINT ["tini", "-g", "--"]\nCMD gunicorn shop.wsgi', None),
        (SLIM + 'ENTRYPOINT ["dumb-init", "--"]\nCMD gunicorn shop.wsgi', None),
        (SLIM + 'ENTRYPOINT ["dumb-init", "--single-child", "--"]\nCMD gunicorn shop.wsgi', False),
        (SLIM + 'CMD ["gosu", "app", "gunicorn", "shop.wsgi"]', True),
        (SLIM + 'CMD ["env", "A=1", "ddtrace-run", "gunicorn", "shop.wsgi"]', True),
        ("FROM public.ecr.aws/docker/library/python:3.13\nCMD gunicorn shop.wsgi", False),
    ],
)  # fmt: skip
def test_signals(dockerfile: str, signals: bool | None) -> None:
    found = process(dockerfile)
    assert found.server == "gunicorn"
    assert found.signals is signals, found.signals_because
    assert (found.signals_span is None) == (signals is True)
    assert bool(found.signals_because) == (signals is not True)


def test_a_shell_under_an_init_program_takes_the_container_with_it() -> None:
    found = process(SLIM + 'ENTRYPOINT ["tini", "--"]\nCMD gunicorn shop.wsgi')
    assert found.wrappers == ("tini", "sh -c")
    assert found.signals_because == "tini passes SIGTERM to the shell only, and the container ends with the shell"


ENTRYPOINT = SLIM + 'WORKDIR /app\nCOPY . .\nENTRYPOINT ["./entrypoint.sh"]\nCMD ["gunicorn", "shop.wsgi"]\n'


@pytest.mark.parametrize(
    ("script", "signals"),
    [
        ('#!/bin/sh\nset -e\npython manage.py migrate\nexec "$@"\n', True),
        ('#!/bin/sh\n"$@"\n', False),
        ("#!/bin/bash\ngunicorn shop.wsgi\n", False),
        ("#!/bin/bash\nexec gunicorn shop.wsgi\n", True),
        ("#!/bin/bash\nexec gosu app gunicorn shop.wsgi\n", True),
        ("#!/bin/sh\ntrap 'kill -TERM $PID' TERM\ngunicorn shop.wsgi &\nPID=$!\nwait $PID\n", None),
        ('#!/bin/sh\nif [ "$1" = web ]; then\n  exec gunicorn shop.wsgi\nfi\ngunicorn shop.wsgi\n', None),
    ],
)
def test_scripts(script: str, signals: bool | None) -> None:
    found = process(ENTRYPOINT, {"web/entrypoint.sh": script})
    assert (found.server, found.signals) == ("gunicorn", signals)
    assert found.wrappers[0] == "entrypoint.sh"
    if signals is False:
        assert found.signals_span is not None
        assert found.signals_span.file.path == "web/entrypoint.sh"


def test_a_script_that_waits_and_then_execs_is_looked_through_even_when_it_is_in_the_repository() -> None:
    dockerfile = SLIM + 'COPY . /\nCMD ["/wait-for-it.sh", "db:5432", "--", "gunicorn", "shop.wsgi"]\n'
    found = process(dockerfile, {"web/wait-for-it.sh": '#!/bin/bash\nexec "${CLI[@]}"\n'})
    assert (words(found), found.signals) == (["gunicorn", "shop.wsgi"], True)


@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        ("exec gunicorn -b 0.0.0.0:$PORT shop.wsgi", ["gunicorn", "-b", "0.0.0.0:9000", "shop.wsgi"]),
        ('exec gunicorn --bind="0.0.0.0:${PORT}" shop.wsgi', ["gunicorn", "--bind=0.0.0.0:9000", "shop.wsgi"]),
        ("exec gunicorn -w ${WORKERS:-4} shop.wsgi", ["gunicorn", "-w", "4", "shop.wsgi"]),
        ("exec gunicorn -w ${PORT:+2} shop.wsgi", ["gunicorn", "-w", "${PORT:+2}", "shop.wsgi"]),
        ("exec gunicorn $ARGS shop.wsgi", ["gunicorn", "--threads", "8", "shop.wsgi"]),
        ('exec gunicorn "$ARGS" shop.wsgi', ["gunicorn", "--threads 8", "shop.wsgi"]),
        ("exec gunicorn $UNKNOWN shop.wsgi", ["gunicorn", "$UNKNOWN", "shop.wsgi"]),
        ("exec gunicorn -w $(nproc) shop.wsgi", ["gunicorn", "-w", "$(nproc)", "shop.wsgi"]),
        ("export PORT=80 && exec gunicorn -b :$PORT shop.wsgi", ["gunicorn", "-b", ":80", "shop.wsgi"]),
        ("exec gunicorn -n 'a b' shop.wsgi", ["gunicorn", "-n", "a b", "shop.wsgi"]),
    ],
)
def test_what_the_shell_fills_in(cmd: str, expected: list[str]) -> None:
    found = process(SLIM + 'ENV PORT=9000 ARGS="--threads 8"\nCMD ' + cmd)
    assert words(found) == expected


def test_what_a_script_sets_counts_and_what_it_sets_under_a_condition_is_unknown() -> None:
    script = '#!/bin/sh\nPORT=${PORT:-8000}\nif [ -n "$FAST" ]; then\n  WORKERS=9\nfi\n'
    script += "exec gunicorn -b :$PORT -w $WORKERS shop.wsgi\n"
    found = process(SLIM + 'COPY . /\nENV WORKERS=2\nCMD ["/run.sh"]\n', {"web/run.sh": script})
    assert words(found) == ["gunicorn", "-b", ":8000", "-w", "$WORKERS", "shop.wsgi"]


@pytest.mark.parametrize(
    ("container", "server", "signals"),
    [
        ("image: registry.example.com/web:1", "gunicorn", False),
        ("image: registry.example.com/web:1, command: [uvicorn, shop.asgi]", "uvicorn", True),
        ("image: registry.example.com/web:1, command: [sh, -c], args: [uvicorn shop.asgi]", "uvicorn", False),
        ("image: registry.example.com/web:1, command: [sh, -c, exec uvicorn shop.asgi]", "uvicorn", True),
        ("image: registry.example.com/web:1, args: [uvicorn, shop.asgi]", "uvicorn", True),
    ],
)
def test_a_manifest_overrides_the_image(container: str, server: str, signals: bool) -> None:
    manifest = deployment("web", container)
    found = process(SLIM + "CMD gunicorn shop.wsgi\n", {"k8s/web.yaml": manifest})
    assert (found.server, found.signals) == (server, signals)


def test_arguments_of_a_manifest_go_to_the_entrypoint_of_the_image() -> None:
    manifest = deployment("web", 'image: registry.example.com/web:1, args: ["--workers", "$(COUNT)"],'
                          'env: [{name: COUNT, value: "3"}]')  # fmt: skip
    found = process(SLIM + 'ENTRYPOINT ["gunicorn", "shop.wsgi"]\n', {"k8s/web.yaml": manifest})
    assert words(found) == ["gunicorn", "shop.wsgi", "--workers", "3"]


def test_a_pod_that_shares_its_processes_has_another_first_process() -> None:
    manifest = deployment("web", "image: registry.example.com/web:1", pod="      shareProcessNamespace: true\n")
    found = process(SLIM + "CMD gunicorn shop.wsgi\n", {"k8s/web.yaml": manifest})
    assert found.signals is None


def test_the_shell_of_a_public_image_is_known_without_a_dockerfile() -> None:
    files = {"k8s/web.yaml": deployment("web", "image: python:3.13-alpine, command: [sh, -c, gunicorn shop.wsgi]")}
    found = only_service(files).process
    assert found is not None
    assert found.signals is True


def test_a_script_with_holes_of_a_template_is_not_known() -> None:
    script = '"echo {{cell}} && gunicorn $(ARGS) shop.wsgi"'
    found = only_service({"k8s/web.yaml": deployment("web", f"image: python:3.13, command: [sh, -c, {script}]")})
    assert found.process is None
