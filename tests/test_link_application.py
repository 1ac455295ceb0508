"""The application object behind the name that a server is given."""

from __future__ import annotations

import pytest

from pyprod_audit.intake import from_sources
from pyprod_audit.link import build
from pyprod_audit.link.application import Application, application
from pyprod_audit.link.imported_modules import imported_modules, settings_module
from pyprod_audit.model import Repository, Resource, Service, SourceFile, Unknown
from pyprod_audit.parsers import parser_for


def linked(command: str, files: dict[str, str], env: str = "") -> tuple[Service, Repository]:
    dockerfile = f"FROM python:3.12-slim\nWORKDIR /srv\n{env}COPY . .\nCMD {command}\n"
    texts = {"Dockerfile": dockerfile, "requirements.txt": "x==1\n", **files}
    intake = from_sources([SourceFile(path, text) for path, text in texts.items()])
    repository = Repository(intake.files, intake.paths, intake.resources)
    repository.services = build(repository)
    return repository.services[0], repository


def found(command: str, **files: str) -> Application | Unknown | None:
    texts = {name.replace("__", "/") + ".py": text for name, text in files.items()}
    return application(*linked(command, texts))


FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FACTORY = "from fastapi import FastAPI\ndef create_app():\n    app = FastAPI()\n    return app\n"


@pytest.mark.parametrize(
    ("command", "files", "framework", "interface", "path"),
    [
        ('["gunicorn", "shop:app"]', {"shop": FLASK}, "flask", "wsgi", "shop.py"),
        ('["gunicorn", "wsgi:app"]', {"wsgi": "from shop import app\n", "shop": FLASK}, "flask", "wsgi", "shop.py"),
        ('["gunicorn", "wsgi:application"]', {"wsgi": "from shop.web import app as application\n", "shop__web": FLASK},
         "flask", "wsgi", "shop/web.py"),
        ('["gunicorn", "shop.wsgi:app"]', {"shop__wsgi": "from .web import app\n", "shop__web": FLASK}, "flask", "wsgi",
         "shop/web.py"),
        ('["uvicorn", "--factory", "shop:create_app"]', {"shop": FACTORY}, "fastapi", "asgi", "shop.py"),
        ('["gunicorn", "shop:create_app()"]', {"shop": FACTORY}, "fastapi", "asgi", "shop.py"),
        ('["uvicorn", "main:app"]', {"main": "from shop import create_app\napp = create_app()\n", "shop": FACTORY},
         "fastapi", "asgi", "shop.py"),
        ('["gunicorn", "config.wsgi"]',
         {"config__wsgi": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"},
         "django", "wsgi", "config/wsgi.py"),
        ('["uvicorn", "shop:asgi"]', {"shop": FLASK + "from asgiref.wsgi import WsgiToAsgi\nasgi = WsgiToAsgi(app)\n"},
         "flask", "asgi", "shop.py"),
    ],
)  # fmt: skip
def test_applications(command: str, files: dict[str, str], framework: str, interface: str, path: str) -> None:
    result = found(command, **files)
    assert isinstance(result, Application)
    assert (result.framework, result.interface, result.module.path) == (framework, interface, path)


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ('["gunicorn", "shop:app"]', {}),
        ('["gunicorn", "shop:app"]', {"shop": "from vendor import app\n"}),
        ('["gunicorn", "shop:app"]', {"shop": "app = make()\n"}),
        ('["gunicorn", "a:app"]', {"a": "from b import app\n", "b": "from a import app\n"}),
        ('["uvicorn", "shop:app"]', {"shop": FLASK + "from vendor import Middleware\napp = Middleware(app)\n"}),
        ("gunicorn $APP", {"shop": FLASK}),
    ],
)
def test_what_cannot_be_told_says_why(command: str, files: dict[str, str]) -> None:
    result = found(command, **files)
    assert isinstance(result, Unknown)
    assert result.because


def test_no_server_no_application() -> None:
    assert found('["celery", "-A", "shop", "worker"]', shop=FLASK) is None


def test_a_module_that_the_parser_passed_over_is_read_when_a_process_names_it() -> None:
    service, repository = linked('["gunicorn", "entry:server"]', {"entry.py": "server = object()\n"})
    assert not repository.of_kind("py.module")
    assert service.module is not None
    assert [name.text for name in service.module.node.items_at("definitions")] == ["server"]
    assert parser_for("python") is not None


DJANGO = {
    "config/wsgi.py": "import os\nfrom django.core.wsgi import get_wsgi_application\n"
    'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")\napplication = get_wsgi_application()\n',
    "config/settings/base.py": 'DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}\n',
}
PRODUCTION = {"config/settings/production.py": "from .base import *\nDATABASES = {}\n"}


def test_the_settings_of_django() -> None:
    service, repository = linked('["gunicorn", "config.wsgi"]', DJANGO)
    settings = settings_module(service, repository)
    assert isinstance(settings, Resource)
    assert settings.path == "config/settings/base.py"
    assert settings in imported_modules(service, repository)


def test_several_settings_modules_are_the_choice_of_the_deployment() -> None:
    assert isinstance(settings_module(*linked('["gunicorn", "config.wsgi"]', {**DJANGO, **PRODUCTION})), Unknown)


def test_a_variable_chooses_the_settings() -> None:
    env = "ENV DJANGO_SETTINGS_MODULE=config.settings.production\n"
    settings = settings_module(*linked('["gunicorn", "config.wsgi"]', {**DJANGO, **PRODUCTION}, env))
    assert isinstance(settings, Resource)
    assert settings.path == "config/settings/production.py"


def test_imports_are_followed_once() -> None:
    files = {
        "a.py": "import b\nfrom flask import Flask\napp = Flask('a')\n",
        "b.py": "import a\nimport c.d\n",
        "c/d.py": "x = 1\n",
    }
    service, repository = linked('["gunicorn", "a:app"]', files)
    assert [module.path for module in imported_modules(service, repository)] == ["a.py", "b.py", "c/d.py"]
