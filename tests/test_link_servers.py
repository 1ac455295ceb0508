"""Which server a start command runs and what its settings amount to, from whole small repositories."""

from __future__ import annotations

import pytest

from pyprod_audit.model import AppReference, Fact, Service, SourceFile, Unknown
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources


def service(command: str, files: dict[str, str] | None = None, *, env: str = "") -> Service:
    """The service of an image that copies `files` to /app and runs `command`."""
    dockerfile = f"FROM python:3.12-slim\nWORKDIR /app\n{env}COPY . .\nCMD {command}\n"
    texts = {"Dockerfile": dockerfile, "requirements.txt": "flask==3.1.0\n", **(files or {})}
    report = scan_sources([SourceFile(path, text) for path, text in texts.items()], options=ScanOptions(select=("X",)))
    assert not report.problems
    (found,) = report.services
    return found


def facts(found: Service) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, fact in found.facts.items():
        values[name.removeprefix("app.")] = fact.value if isinstance(fact, Fact) else "?"
    return values


def app(found: Service) -> str:
    assert found.process is not None
    reference = found.process.app
    return f"{reference.module}:{reference.attribute}" if isinstance(reference, AppReference) else str(reference)


@pytest.mark.parametrize(
    ("command", "server", "reference", "host", "port"),
    [
        ('["gunicorn", "shop.wsgi"]', "gunicorn", "shop.wsgi:application", "127.0.0.1", 8000),
        ('["python", "-m", "gunicorn", "-b", ":80", "shop:app"]', "gunicorn", "shop:app", "0.0.0.0", 80),
        ('["uvicorn", "main:app"]', "uvicorn", "main:app", "127.0.0.1", 8000),
        ('["python3", "-X", "dev", "-m", "uvicorn", "main:app", "--host", "::"]', "uvicorn", "main:app", "::", 8000),
        ('["hypercorn", "main:app", "-b", "0.0.0.0:80"]', "hypercorn", "main:app", "0.0.0.0", 80),
        ('["daphne", "config.asgi:application"]', "daphne", "config.asgi:application", "127.0.0.1", 8000),
        ('["granian", "--interface", "asgi", "main:app"]', "granian", "main:app", "127.0.0.1", 8000),
        ('["waitress-serve", "--port=80", "shop:app"]', "waitress-serve", "shop:app", "0.0.0.0", 80),
        ('["waitress-serve", "--listen=*:8041", "shop:app"]', "waitress-serve", "shop:app", "0.0.0.0", 8041),
        ('["uwsgi", "--http-socket", ":80", "-w", "shop:app"]', "uwsgi", "shop:app", "0.0.0.0", 80),
        ('["uwsgi", "--http", ":80", "--wsgi-file", "shop.py"]', "uwsgi", "shop:application", "0.0.0.0", 80),
        ('["flask", "--app", "shop", "run", "-p", "80"]', "flask", "shop:", "127.0.0.1", 80),
        ('["fastapi", "run", "app/main.py"]', "fastapi run", "app.main:app", "0.0.0.0", 8000),
        ('["python", "manage.py", "runserver", "8080"]', "runserver", "None", "127.0.0.1", 8080),
        ('["./manage.py", "runserver", "0:80"]', "runserver", "None", "0.0.0.0", 80),
        ('["python", "-m", "http.server", "9000"]', "http.server", "None", "0.0.0.0", 9000),
    ],
)  # fmt: skip
def test_servers(command: str, server: str, reference: str, host: str, port: int) -> None:
    found = service(command)
    assert found.process is not None
    assert (found.process.server, app(found)) == (server, reference)
    assert (facts(found)["bind_host"], facts(found)["bind_port"]) == (host, port)


def test_defaults_are_not_declared_and_say_what_may_change_them() -> None:
    workers = service('["uvicorn", "main:app"]').facts["app.workers"]
    assert isinstance(workers, Fact)
    assert (workers.value, workers.declared, workers.label) == (1, False, "WEB_CONCURRENCY may change it")


def test_variables_give_settings_and_the_command_line_is_stronger() -> None:
    found = service(
        '["uvicorn", "main:app", "--port", "81"]',
        env="ENV UVICORN_HOST=0.0.0.0 UVICORN_PORT=80 UVICORN_RELOAD=false WEB_CONCURRENCY=3\n",
    )
    known = facts(found)
    assert (known["bind_host"], known["bind_port"], known["reload"], known["workers"]) == ("0.0.0.0", 81, False, 3)


def test_flask_and_granian_take_variables_too() -> None:
    flask = facts(service('["flask", "run"]', env="ENV FLASK_RUN_HOST=0.0.0.0 FLASK_RUN_PORT=80 FLASK_DEBUG=1\n"))
    assert (flask["bind_host"], flask["bind_port"], flask["debug"]) == ("0.0.0.0", 80, True)
    granian = facts(service('["granian", "main:app"]', env="ENV GRANIAN_INTERFACE=asgi GRANIAN_HOST=0.0.0.0\n"))
    assert (granian["interface"], granian["bind_host"]) == ("asgi", "0.0.0.0")


def test_options_that_the_shell_fills_in_make_the_defaults_unknown() -> None:
    known = facts(service("uvicorn main:app $UVICORN_ARGS"))
    assert (known["workers"], known["bind_port"]) == ("?", "?")


def test_a_configuration_file_that_is_not_read_makes_the_defaults_unknown() -> None:
    known = facts(service('["hypercorn", "-c", "hypercorn.toml", "-w", "2", "main:app"]'))
    assert (known["keepalive"], known["bind_port"], known["workers"]) == ("?", "?", 2)


def test_uwsgi_ini() -> None:
    ini = (
        "; comment\n[uwsgi]\nhttp-socket = 0.0.0.0:$(PORT)\nchdir=src\nmodule = shop\ncallable = app\n"
        "processes = 4\nthreads=2\ndie-on-term = true\nharakiri = %(limit)\nif-env = DEBUG\npy-autoreload = 1\n"
        "endif =\n[other]\nprocesses = 9\n"
    )
    found = service(
        '["uwsgi", "--ini", "uwsgi.ini"]', {"uwsgi.ini": ini, "src/shop.py": "app = 1\n"}, env="ENV PORT=8080\n"
    )
    known = facts(found)
    assert (known["workers"], known["threads"], known["die_on_term"]) == (4, 2, True)
    assert (known["timeout"], known["reload"]) == ("?", "?")
    assert (known["bind_host"], known["bind_port"], app(found)) == ("0.0.0.0", 8080, "shop:app")
    assert found.module is not None
    assert found.module.path == "src/shop.py"
    workers = found.facts["app.workers"]
    assert isinstance(workers, Fact)
    assert (workers.span.file.path, workers.span.text) == ("uwsgi.ini", "4")


def test_uwsgi_with_a_file_from_elsewhere_is_unknown() -> None:
    assert facts(service('["uwsgi", "/etc/uwsgi/shop.ini"]'))["workers"] == "?"


PROGRAM = """
import os
import uvicorn
from fastapi import FastAPI

app = FastAPI()

def main():
    uvicorn.run("main:app", host="0.0.0.0", port=int(os.environ.get("PORT", 8080)), reload=True, timeout_keep_alive=70)

if __name__ == "__main__":
    main()
"""


def test_a_program_that_starts_its_server() -> None:
    found = service('["python", "main.py"]', {"main.py": PROGRAM}, env="ENV PORT=9000\n")
    assert found.process is not None
    assert (found.process.server, app(found)) == ("uvicorn", "main:app")
    known = facts(found)
    assert (known["bind_host"], known["bind_port"], known["reload"], known["keepalive"]) == ("0.0.0.0", 9000, True, 70)
    assert found.process.script is not None
    assert found.process.script.path == "main.py"


def test_the_port_of_a_program_stays_unknown_while_the_variable_may_come() -> None:
    found = service('["python", "main.py"]', {"main.py": PROGRAM})
    assert isinstance(found.facts["app.bind_port"], Unknown)


def test_a_module_that_is_run_as_a_program() -> None:
    found = service('["python", "-m", "shop"]', {"shop/__main__.py": PROGRAM})
    assert found.process is not None
    assert found.process.server == "uvicorn"


FLASK = """
from flask import Flask
from waitress import serve

app = Flask(__name__)

if __name__ == "__main__":
    {}
"""


def test_flasks_own_server_and_one_for_production() -> None:
    own = service('["python", "app.py"]', {"app.py": FLASK.format('app.run("0.0.0.0", 80, debug=True)')})
    assert own.process is not None
    assert own.process.server == "flask"
    assert (facts(own)["bind_host"], facts(own)["bind_port"], facts(own)["debug"]) == ("0.0.0.0", 80, True)
    both = service('["python", "app.py"]', {"app.py": FLASK.format("app.run() if app.debug else serve(app, port=81)")})
    assert both.process is not None
    assert both.process.server == "waitress-serve"
    assert facts(both)["bind_port"] == 81


def test_programs_that_serve_nothing() -> None:
    found = service('["python", "job.py"]', {"job.py": "import requests\nrequests.get('https://example.com')\n"})
    assert found.process is not None
    assert (found.process.server, found.facts) == ("python", {})
    handler = "import uvicorn\ndef configure():\n    uvicorn.run('a:b')\n"
    other = service('["python", "job.py"]', {"job.py": handler}).process
    assert other is not None
    assert other.server == "python"


def test_settings_that_a_program_computes_are_unknown() -> None:
    text = "import uvicorn\nfrom conf import options\nuvicorn.run('a:b', **options)\n"
    assert facts(service('["python", "run.py"]', {"run.py": text}))["bind_port"] == "?"


def test_gunicorns_file_is_kept_with_the_process() -> None:
    conf = 'chdir = "src"\nworkers = 3\n'
    found = service('["gunicorn", "shop:app"]', {"gunicorn.conf.py": conf, "src/shop.py": "app = 1\n"})
    assert found.process is not None
    assert found.process.config is not None
    assert (found.process.config.path, found.process.chdir) == ("gunicorn.conf.py", "src")
    assert found.module is not None
    assert found.module.path == "src/shop.py"
