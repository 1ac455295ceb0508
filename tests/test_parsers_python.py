"""What `parse` reads from Python source: applications, routes, calls, signals, definitions."""

from __future__ import annotations

from typing import Any

import pytest

from pyprod_audit.model import Parsed, SourceFile, Unknown
from pyprod_audit.parsers.python_source import module_name, parse
from tests.python_samples import plain, read


def apps(text: str) -> dict[str, tuple[Any, Any, bool]]:
    return {a["name"]: (a["framework"], a["interface"], a["factory"]) for a in read(text).get("apps", [])}


def routes(text: str, path: str = "shop/main.py") -> dict[Any, dict[str, Any]]:
    return {r["path"]: r for r in read(text, path).get("routes", [])}


def calls(text: str) -> dict[str, dict[str, Any]]:
    return {c["name"]: c for c in read(text).get("calls", [])}


# -- applications --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "expression", "framework", "interface"),
    [
        ("from flask import Flask", "Flask(__name__)", "flask", "wsgi"),
        ("import flask as f", "f.Flask(__name__)", "flask", "wsgi"),
        ("from fastapi import FastAPI as API", "API()", "fastapi", "asgi"),
        ("from starlette.applications import Starlette", "Starlette(routes=[])", "starlette", "asgi"),
        ("from django.core.wsgi import get_wsgi_application", "get_wsgi_application()", "django", "wsgi"),
        ("from django.core.asgi import get_asgi_application", "get_asgi_application()", "django", "asgi"),
        ("import falcon.asgi", "falcon.asgi.App()", "falcon", "asgi"),
        ("import falcon", "falcon.App()", "falcon", "wsgi"),
        ("from aiohttp import web", "web.Application()", "aiohttp", "aiohttp"),
        ("from celery import Celery", "Celery('shop')", "celery", "celery"),
    ],
)
def test_application_objects(imports: str, expression: str, framework: str, interface: str) -> None:
    assert apps(f"{imports}\napp = {expression}\n") == {"app": (framework, interface, False)}


def test_factory_and_what_it_gives() -> None:
    found = apps("""
        from flask import Flask
        def create_app(config=None):
            app = Flask(__name__)
            return app
        application = create_app()
    """)
    assert found == {"create_app": ("flask", "wsgi", True), "application": ("flask", "wsgi", False)}


def test_factory_of_another_module_is_unknown_but_named() -> None:
    app = read("from .factory import create_app\napp = create_app()\n")["apps"][0]
    assert isinstance(app["framework"], Unknown)
    assert app["from"] == "shop.factory.create_app"


@pytest.mark.parametrize(
    ("wrapper", "interface"),
    [
        ("from uvicorn.middleware.wsgi import WSGIMiddleware as W", "asgi"),
        ("from asgiref.wsgi import WsgiToAsgi as W", "asgi"),
        ("from a2wsgi import ASGIMiddleware as W", "wsgi"),
        ("from werkzeug.middleware.proxy_fix import ProxyFix as W", "wsgi"),
    ],
)
def test_wrapped_application_changes_interface(wrapper: str, interface: str) -> None:
    found = apps(f"from flask import Flask\n{wrapper}\napp = Flask(__name__)\napp = W(app)\n")
    assert found == {"app": ("flask", interface, False)}


@pytest.mark.parametrize("text", ["app = Shield(FastAPI())", "inner = FastAPI()\napp = Shield(inner)"])
def test_unknown_wrapper_makes_the_interface_unknown(text: str) -> None:
    framework, interface, _ = apps(f"from fastapi import FastAPI\nfrom mine import Shield\n{text}\n")["app"]
    assert framework == "fastapi"
    assert isinstance(interface, Unknown)


def test_run_of_what_a_local_factory_made() -> None:
    found = calls("""
        from flask import Flask
        def create_app():
            return Flask(__name__)
        web = create_app()
        web.run(host="0.0.0.0")
    """)
    assert found["flask.Flask.run"]["kwargs"] == {"host": "0.0.0.0"}


def test_flask_inside_dash() -> None:
    found = apps("import dash\napp = dash.Dash(__name__)\nserver = app.server\n")
    assert found["server"] == ("flask", "wsgi", False)


def test_local_variable_of_an_ordinary_function_is_no_application() -> None:
    assert apps("from flask import Flask\ndef check():\n    app = Flask('x')\n    app.test_client()\n") == {}


# -- routes --------------------------------------------------------------------------------------------------


def test_fastapi_routes_with_dependencies_and_calls() -> None:
    found = routes("""
        from typing import Annotated
        from fastapi import APIRouter, Depends, FastAPI
        from sqlalchemy import text
        from .db import get_db
        app = FastAPI()
        router = APIRouter(prefix="/v1")
        Session = Annotated[object, Depends(get_db)]

        def check(session):
            session.execute(text("select 1"))

        @app.get("/healthz")
        async def health():
            return {}

        @router.get("/ready", dependencies=[Depends(require_user)])
        def ready(session: Session):
            check(session)

        @router.post("/x")
        def create(db=Depends(get_db)):
            pass

        @app.websocket("/ws")
        async def ws(socket):
            pass
    """)
    assert found["/healthz"]["async"] is True
    assert found["/healthz"]["calls"] == []
    assert found["/healthz"]["methods"] == ["GET"]
    assert "session.execute" in found["/ready"]["calls"]
    assert found["/ready"]["depends"] == ["require_user", "shop.db.get_db"]
    assert found["/x"]["depends"] == ["shop.db.get_db"]
    assert found["/ws"]["websocket"] is True
    assert found["/ready"]["owner"] == "router"


def test_routers_and_what_includes_them() -> None:
    module = read("""
        from flask import Blueprint, Flask
        from . import admin
        bp = Blueprint("api", __name__, url_prefix="/api")
        app = Flask(__name__)
        app.register_blueprint(bp)
        app.register_blueprint(admin.bp, url_prefix="/admin")
        register_more(app)
        @bp.route("/users", methods=["GET", "POST"])
        @login_required
        def users():
            pass
    """)
    assert [(r["name"], r["prefix"], r["framework"]) for r in module["routers"]] == [("bp", "/api", "flask")]
    assert [(i["router"], i["prefix"]) for i in module["includes"]] == [("bp", ""), ("shop.admin.bp", "/admin")]
    assert module["routes"][0]["methods"] == ["GET", "POST"]
    assert module["routes"][0]["decorators"] == ["login_required"]
    assert [g["name"] for g in module["app_passed_to"]] == ["register_more"]


def test_routes_registered_by_calls_and_objects() -> None:
    found = routes("""
        from aiohttp import web
        from starlette.routing import Mount, Route, WebSocketRoute
        from flask_restful import Api
        api = Api(app)
        app.add_url_rule("/a", view_func=views.a, methods=["GET"])
        app.add_api_route("/b", b)
        app.router.add_get("/c", c)
        api.add_resource(Health, "/d", "/e")
        table = [Route("/f", f), WebSocketRoute("/g", g), web.post("/h", h)]
        app.add_route(PATH + "/i", i)
        class Health:
            def get(self):
                redis.ping()
    """)
    assert {p for p in found if isinstance(p, str)} == {f"/{c}" for c in "abcdefgh"}
    assert found["/g"]["websocket"] is True
    assert found["/c"]["methods"] == ["GET"]
    assert found["/e"]["calls"] == ["redis.ping"]
    assert sum(isinstance(p, Unknown) for p in found) == 1


def test_things_that_look_like_routes_are_none() -> None:
    assert routes("""
        from unittest import mock
        @mock.patch("shop.views.get")
        def a(): pass
        @cache.get("key")
        def b(): pass
        requests.get("/x")
    """) == {}  # fmt: skip


def test_metrics_exposed_by_the_instrumentator() -> None:
    found = routes("""
        from fastapi import FastAPI
        from prometheus_fastapi_instrumentator import Instrumentator
        app = FastAPI()
        Instrumentator().instrument(app).expose(app)
    """)
    assert set(found) == {"/metrics"}


def test_django_urls() -> None:
    patterns = read(
        """
        from django.urls import include, path, re_path
        from rest_framework.routers import DefaultRouter
        from . import views
        router = DefaultRouter()
        router.register("items", views.ItemViewSet)
        urlpatterns = [
            path("healthz/", views.Health.as_view(), name="health"),
            re_path(r"^old/$", csrf_exempt(views.old)),
            path("api/", include("shop.api.urls")),
            path("v2/", include((patterns, "v2"))),
            path(f"{PREFIX}/x", views.x),
            *router.urls,
        ]
        urlpatterns += [path("late/", views.late)]
        """,
        "shop/urls.py",
    )["urlpatterns"]
    assert [p["route"] for p in patterns if isinstance(p["route"], str)] == [
        "healthz/",
        "^old/$",
        "api/",
        "v2/",
        "late/",
    ]
    assert patterns[0]["view"] == "shop.views.Health"
    assert patterns[1]["view"] == "shop.views.old"
    assert patterns[1]["regex"] is True
    assert patterns[2]["include"] == "shop.api.urls"
    assert isinstance(patterns[3]["include"], Unknown)
    assert [type(p["route"]) for p in patterns[4:6]] == [Unknown, Unknown]


def test_bodies_of_health_views_are_kept_for_routes_of_other_modules() -> None:
    bodies = read("""
        from django.db import connection
        def healthz(request):
            ping()
        def ping():
            connection.cursor().execute("select 1")
    """)["bodies"]
    assert "django.db.connection.cursor.execute" in bodies["healthz"]["calls"]


# -- calls ---------------------------------------------------------------------------------------------------


def test_calls_know_where_they_stand() -> None:
    found = calls("""
        import time, requests, redis
        from flask import Flask
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool as NP
        SIZE = 5
        app = Flask(__name__)
        engine = create_engine(URL, pool_size=SIZE, max_overflow=2 * 5, poolclass=NP)
        @app.get("/x")
        async def handler():
            time.sleep(1)
            requests.get("https://example.com", verify=False)
        @celery.task
        def job():
            redis.Redis(host="cache")
        if __name__ == "__main__":
            app.run(debug=True, port=-1)
    """)
    engine = found["sqlalchemy.create_engine"]
    assert (engine["kwargs"]["pool_size"], engine["kwargs"]["max_overflow"], engine["target"]) == (5, 10, "engine")
    assert engine["kwargs"]["poolclass"] == Unknown("sqlalchemy.pool.NullPool", "a name")
    assert engine["import_time"] is True
    sleep = found["time.sleep"]
    assert (sleep["function"], sleep["async"], sleep["handler"], sleep["import_time"]) == ("handler", True, True, False)
    assert found["requests.get"]["kwargs"]["verify"] is False
    assert found["redis.Redis"]["task"] is True
    run = found["flask.Flask.run"]
    assert (run["main_guard"], run["import_time"]) == (True, False)
    assert run["kwargs"] == {"debug": True, "port": -1}


def test_methods_of_instances_resolve_to_the_class() -> None:
    found = calls("""
        import httpx, threading
        client = httpx.Client(verify=False)
        client.get("https://example.com")
        threading.Thread(target=f).start()
        class Api:
            def __init__(self):
                self.session = httpx.Client()
            def read(self):
                self.session.post("https://example.com")
        async def f():
            async with httpx.AsyncClient() as c:
                await c.get("https://example.com")
    """)
    assert {"httpx.Client.get", "threading.Thread.start", "httpx.Client.post", "httpx.AsyncClient.get"} <= set(found)
    assert found["httpx.AsyncClient.get"]["awaited"] is True
    assert found["threading.Thread.start"]["import_time"] is True


def test_same_names_without_the_import_are_not_of_interest() -> None:
    assert calls("def f(requests, random):\n    requests.get('x')\n    random.choice('x')\n") == {}


def test_attributes_used_without_a_call() -> None:
    module = read("""
        import ssl
        ssl._create_default_https_context = ssl._create_unverified_context
        ctx = ssl.create_default_context()
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE  # not "ssl.CERT_NONE" in a comment
    """)
    names = [a["name"] for a in module["attributes"]]
    assert names.count("ssl.CERT_NONE") == 1
    assert "ssl._create_unverified_context" in names
    assert ("ssl.create_default_context.check_hostname", False) in [
        (s["target"], s["value"]) for s in module["later_assignments"]
    ]


def test_random_knows_what_it_is_for() -> None:
    found = calls("import random\ndef make_token():\n    token = ''.join(random.choice('ab') for _ in range(9))\n")
    assert (found["random.choice"]["target"], found["random.choice"]["function"]) == ("token", "make_token")


def test_local_names_hide_constants_of_the_module() -> None:
    found = calls("""
        import uvicorn, redis
        port = 80
        SIZE = 5
        def serve(port, other=SIZE):
            uvicorn.run("shop:app", port=port, workers=SIZE)
        def connect():
            SIZE = compute()
            redis.Redis(max_connections=SIZE)
    """)
    assert isinstance(found["uvicorn.run"]["kwargs"]["port"], Unknown)
    assert found["uvicorn.run"]["kwargs"]["workers"] == 5
    assert isinstance(found["redis.Redis"]["kwargs"]["max_connections"], Unknown)


# -- signals, definitions, imports ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "exits", "at_once"),
    [
        ("sys.exit(0)", True, True),
        ("print('bye'); os._exit(1)", True, True),
        ("raise SystemExit", True, True),
        ("pool.drain(); sys.exit(0)", True, False),
        ("stop.set()", False, False),
    ],
)
def test_signal_handlers(body: str, exits: bool, at_once: bool) -> None:
    module = read(
        f"import os, sys, signal\ndef stop_now(number, frame):\n    {body}\nsignal.signal(signal.SIGTERM, stop_now)\n"
    )
    (handler,) = module["signal_handlers"]
    assert (handler["signal"], handler["handler"], handler["exits"], handler["at_once"]) == (
        "SIGTERM", "stop_now", exits, at_once,
    )  # fmt: skip


def test_signals_of_a_loop_and_handlers_from_elsewhere() -> None:
    handlers = read("""
        import signal
        from .stop import bye
        for s in (signal.SIGTERM, signal.SIGINT):
            signal.signal(s, bye)
    """)["signal_handlers"]
    assert [h["signal"] for h in handlers] == ["SIGTERM", "SIGINT"]
    assert isinstance(handlers[0]["exits"], Unknown)


def test_definitions_and_imports() -> None:
    module = read("""
        import os.path, numpy as np
        from . import models
        from ..lib.x import y as z
        a, (b, c) = 1, (2, 3)
        d = e = None
        class K: inner = 1
        def f(): hidden = 1
        try:
            import ujson as json
        except ImportError:
            import json
        if __name__ == "__main__":
            only_here = 1
    """, "pkg/sub/mod.py")  # fmt: skip
    names = set(module["definitions"])
    assert {"os", "np", "models", "z", "a", "b", "c", "d", "e", "K", "f", "json"} <= names
    assert not names & {"inner", "hidden", "only_here", "y"}
    assert module["imports"]["models"] == "pkg.sub.models"
    assert module["imports"]["z"] == "pkg.lib.x.y"
    assert module["imports"]["json"] == "ujson"
    assert module["definitions_open"] is False
    assert module["main_guard"] is True
    assert module["functions"] == ["f"]


def test_star_imports_open_the_definitions() -> None:
    module = read("from .base import *\n", "config/settings/__init__.py")
    assert module["star_imports"] == ["config.settings.base"]
    assert module["definitions_open"] is True


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.py", ("a.b", False)),
        ("a/__init__.py", ("a", True)),
        ("app.py", ("app", False)),
        ("__init__.py", ("__init__", True)),
    ],
)
def test_module_names(path: str, name: tuple[str, bool]) -> None:
    assert module_name(path) == name


# -- places and odd input ------------------------------------------------------------------------------------


def test_places_count_characters_not_bytes() -> None:
    text = '# žluťoučký 🐍\nimport os\nname = "ě"; key = os.environ["KLÍČ"]\n'
    parsed = parse(SourceFile("shop/settings.py", text))
    (read_,) = parsed.resources[0].node.items_at("env_reads")
    assert read_.span.text == 'os.environ["KLÍČ"]'
    assert read_.mapping["name"].span.text == '"KLÍČ"'
    assert read_.span.position(read_.start) == (3, 19)


@pytest.mark.parametrize(
    "text",
    [
        "import os\ntry:\n    pass\nexcept A, B:\n    pass\nKEY = os.environ['KEY']\n",  # 3.14, and Python 2
        "import os\nprint 'hello'\nKEY = os.environ['KEY']\n",
        "import os\ntype X[T] = list[T]\nKEY = os.environ['KEY']\n",
        "import os\nx = t'{a!r:>{w}}'\nKEY = os.environ['KEY']\n",
        "import os\ndef broken(:\n    pass\nKEY = os.environ['KEY']\n",
        "import os\n{% if cookiecutter.x %}\nA = 1\n{% endif %}\nKEY = os.environ['KEY']\n",
        "\ufeffimport os\r\nKEY = os.environ['KEY']\r\n",
    ],
)
def test_other_syntax_keeps_the_rest(text: str) -> None:
    parsed = parse(SourceFile("shop/config.py", text))
    assert [plain(r)["name"] for r in parsed.resources[0].node.items_at("env_reads")] == ["KEY"]


def test_a_file_that_is_not_python_gives_one_problem() -> None:
    parsed = parse(SourceFile("settings.py", "<html>\n<body class='x'>os.environ & so on\n" + "</p> ) ] } <p>\n" * 20))
    assert [p.stage for p in parsed.problems] == ["parse"]
    assert parsed.resources == []
    assert parsed.partial


@pytest.mark.parametrize(
    ("path", "text", "interesting"),
    [
        ("lib/geometry.py", "def area(a, b):\n    return a * b\n", False),
        ("lib/geometry.py", "import requests_toolbelt_like\n", False),
        ("lib/geometry.py", "    import requests\n", True),
        ("conf/gunicorn.conf.py", "workers = 4\n", True),
        ("shop/migrations/0002_x.py", "x = 1\n", True),
        ("tests/test_api.py", "import requests\nrequests.get('x', verify=False)\n", False),
    ],
)
def test_prefilter(path: str, text: str, interesting: bool) -> None:
    parsed: Parsed = parse(SourceFile(path, text))
    assert bool(parsed.resources) is interesting
