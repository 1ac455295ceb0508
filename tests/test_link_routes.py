"""The full set of paths of an application, and when it cannot be known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.link.routes import Opening, RouteSet, join, routes_of, segments_of
from tests.linked_services import linked


def routes(command: str, files: dict[str, str], env: str = "") -> RouteSet:
    dockerfile = f"FROM python:3.13-slim\nWORKDIR /app\n{env}COPY . .\nCMD {command}\n"
    repository = linked({"Dockerfile": dockerfile, "requirements.txt": "x==1\n", **files})
    found = routes_of(repository.services[0], repository)
    assert found is not None
    return found


def paths(found: RouteSet) -> set[str]:
    ignored = ("/docs", "/redoc", "/openapi.json", "/static")
    return {route.path for route in found.routes if not route.path.startswith(ignored)}


FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"


def test_flask_in_a_factory_with_blueprints() -> None:
    files = {
        "shop/__init__.py": (
            "from flask import Flask\nfrom shop.health import bp\nfrom shop.api import api\n"
            "def create_app():\n    app = Flask(__name__)\n    app.register_blueprint(bp)\n"
            "    app.register_blueprint(api, url_prefix='/v2')\n"
            "    @app.get('/version')\n    def version():\n        return '1'\n    return app\n"
        ),
        "shop/health.py": (
            "from flask import Blueprint\nbp = Blueprint('health', __name__, url_prefix='/internal')\n"
            "@bp.route('/health')\ndef health():\n    return 'ok'\n"
        ),
        "shop/api.py": (
            "from flask import Blueprint\nfrom shop.orders import orders\n"
            "api = Blueprint('api', __name__, url_prefix='/v1')\n"
            "api.register_blueprint(orders)\n@api.get('/')\ndef index():\n    return ''\n"
        ),
        "shop/orders.py": (
            "from flask import Blueprint\norders = Blueprint('orders', __name__, url_prefix='/orders')\n"
            "@orders.post('/<int:id>')\ndef create(id):\n    return ''\n"
        ),
    }
    found = routes('["gunicorn", "shop:create_app()"]', files)
    assert paths(found) == {"/version", "/internal/health", "/v2/", "/v2/orders/<int:id>"}
    assert not found.open
    assert found.find("/internal/health") is not None
    assert found.find("/health") is None
    assert found.find("/v2/orders/7") is None
    posted = found.find("/v2/orders/7", "POST")
    assert posted is not None
    assert posted.handler == "create"


def test_fastapi_routers_through_several_modules_and_a_prefix_from_settings() -> None:
    files = {
        "app/main.py": (
            "from fastapi import FastAPI\nfrom app.api import api_router\nfrom app.config import settings\n"
            "app = FastAPI()\napp.include_router(api_router, prefix=settings.API)\n"
        ),
        "app/config.py": (
            "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    API: str = '/api/v1'\n"
            "settings = Settings()\n"
        ),
        "app/api.py": (
            "from fastapi import APIRouter\nfrom app.routes import health, items\napi_router = APIRouter()\n"
            "api_router.include_router(health.router)\napi_router.include_router(items.router, prefix='/things')\n"
        ),
        "app/routes/__init__.py": "",
        "app/routes/health.py": (
            "from fastapi import APIRouter\nrouter = APIRouter(prefix='/health')\n"
            "@router.get('')\nasync def health():\n    return {}\n"
        ),
        "app/routes/items.py": (
            "from fastapi import APIRouter\nrouter = APIRouter(prefix='/items')\n"
            "@router.get('/{id}')\nasync def item(id: int):\n    return {}\n"
        ),
    }
    found = routes('["uvicorn", "app.main:app"]', files)
    assert paths(found) == {"/api/v1/health", "/api/v1/things/items/{id}"}
    assert not found.open
    assert found.find("/openapi.json") is not None


def test_mounted_applications_keep_their_prefix() -> None:
    code = (
        "from fastapi import FastAPI\nfrom fastapi.staticfiles import StaticFiles\n"
        "app = FastAPI()\nadmin = FastAPI()\napp.mount('/admin', admin)\n"
        "app.mount('/files', StaticFiles(directory='files'))\n"
        "@admin.get('/health')\ndef health():\n    return {}\n@app.get('/ping')\ndef ping():\n    return {}\n"
    )
    found = routes('["uvicorn", "main:app"]', {"main.py": code})
    assert paths(found) == {"/admin/health", "/ping"}
    assert [opening.prefix for opening in found.openings] == ["/files"]
    assert found.doubt("/files/logo.png") is not None
    assert found.doubt("/health") is None


@pytest.mark.parametrize(
    ("code", "because"),
    [
        (FLASK + "from flask_healthz import Healthz\nHealthz(app)\n", "flask_healthz"),
        (FLASK + "from elsewhere import bp\napp.register_blueprint(bp)\n", "elsewhere.bp is not in the repository"),
        (FLASK + "for bp in found():\n    app.register_blueprint(bp)\n", "bp is not in the repository"),
        (FLASK + "@app.route(PREFIX + '/x')\ndef x():\n    return ''\n", "computed"),
        (FLASK + "from plugins import wire\nwire(app)\n", "plugins.wire is given the application"),
        ("from flask import Flask\nfrom odd import Gate\napp = Gate(Flask(__name__))\n", "odd.Gate"),
    ],
)
def test_what_leaves_the_set_open(code: str, because: str) -> None:
    found = routes('["gunicorn", "main:app"]', {"main.py": code})
    assert found.open
    assert because in " ".join(opening.because for opening in found.openings)
    assert found.doubt("/health") is not None


def test_extensions_that_add_nothing_leave_it_closed() -> None:
    code = FLASK + (
        "from flask_cors import CORS\nfrom werkzeug.middleware.proxy_fix import ProxyFix\nCORS(app)\n"
        "app.wsgi_app = ProxyFix(app.wsgi_app)\nfrom shop import wire\nwire(app)\n"
    )
    shop = "def wire(app):\n    @app.route('/wired')\n    def wired():\n        return ''\n"
    found = routes('["gunicorn", "main:app"]', {"main.py": code, "shop.py": shop})
    assert not found.open
    assert paths(found) == {"/wired"}


def test_a_router_that_nobody_is_seen_to_include_leaves_a_doubt_about_its_own_paths() -> None:
    router = "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/health')\ndef h():\n    return {}\n"
    found = routes('["uvicorn", "main:app"]', {"main.py": FASTAPI, "health.py": router})
    assert [route.path for route in found.unmounted] == ["/health"]
    assert found.doubt("/api/health") is not None
    assert found.doubt("/ready") is None


def test_an_application_that_another_module_makes_is_unknown() -> None:
    found = routes('["gunicorn", "main:app"]', {"main.py": "from elsewhere import create_app\napp = create_app()\n"})
    assert found.open
    assert found.routes == ()


WSGI = (
    "import os\nfrom django.core.wsgi import get_wsgi_application\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\napplication = get_wsgi_application()\n"
)
SETTINGS = "ROOT_URLCONF = 'shop.urls'\nMIDDLEWARE = ['django.middleware.common.CommonMiddleware']\n"


def django(urls: str, **files: str) -> RouteSet:
    texts = {
        "shop/wsgi.py": WSGI,
        "shop/settings.py": SETTINGS,
        "shop/urls.py": "from django.urls import include, path, re_path\nfrom shop import views\n" + urls,
        **{f"{name.replace('__', '/')}.py": text for name, text in files.items()},
    }
    return routes('["gunicorn", "shop.wsgi"]', texts)


def test_django_with_includes_and_literal_expressions() -> None:
    found = django(
        "urlpatterns = [path('', views.home), path('api/', include('shop.api')),\n"
        "    re_path(r'^healthz/?$', views.healthz), path('u/<slug:name>/', views.user)]\n",
        shop__api="from django.urls import path\nfrom shop import views\nurlpatterns = [path('ready/', views.ready)]\n",
    )
    assert found.framework == "django"
    assert not found.open
    for path, handler in (
        ("/", "shop.views.home"),
        ("/api/ready", "shop.views.ready"),
        ("/healthz", "shop.views.healthz"),
        ("/u/ann/", "shop.views.user"),
    ):
        route = found.find(path)
        assert route is not None
        assert route.handler == handler
    assert found.find("/ready") is None


@pytest.mark.parametrize(
    ("urls", "prefix"),
    [
        ("urlpatterns = [path('ht/', include('health_check.urls'))]\n", "/ht/"),
        ("from django.contrib import admin\nurlpatterns = [path('admin/', admin.site.urls)]\n", "/admin/"),
        ("urlpatterns = [re_path(r'^v(?P<n>[0-9]+)/x$', views.x)]\n", ""),
        ("urlpatterns = [re_path(r'^api/v(?P<n>[0-9]+)/x$', views.x)]\n", "/api"),
        ("urlpatterns = [path('api/', include(router.urls))]\n", "/api/"),
        ("urlpatterns = []\nurlpatterns.append(path('x', views.x))\n", ""),
        ("urlpatterns = [*others]\n", ""),
    ],
)
def test_django_parts_that_are_not_known(urls: str, prefix: str) -> None:
    found = django(urls)
    assert [opening.prefix for opening in found.openings] == [prefix]


def test_django_middleware_may_answer_by_itself() -> None:
    strange = SETTINGS.replace("CommonMiddleware'", "CommonMiddleware', 'beat.Middleware'")
    assert django("urlpatterns = []\n", shop__settings=strange).open
    own = SETTINGS.replace("CommonMiddleware'", "CommonMiddleware', 'shop.beat.Middleware'")
    assert not django("urlpatterns = []\n", shop__settings=own, shop__beat="class Middleware:\n    pass\n").open


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/", "/", True), ("/health", "/health/", True), ("/health/", "/health?full=1", True),
        ("/health", "/healthz", False), ("/a/<int:id>", "/a/7", True), ("/a/<int:id>", "/a/7/b", False),
        ("/a/{id}/b", "/a/x/b", True), ("/files/<path:name>", "/files/a/b", True), ("/{rest:path}", "/x/y", True),
        ("/v{n}/x", "/v2/x", True), ("", "/", True),
    ],
)  # fmt: skip
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    found = routes('["uvicorn", "main:app"]', {"main.py": f"{FASTAPI}@app.get({pattern!r})\ndef x():\n    return 1\n"})
    assert (found.find(path) is not None) is expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abz-._", min_size=1, max_size=4), max_size=5), st.booleans())
def test_a_literal_path_matches_itself_and_what_is_below_it_is_covered(parts: list[str], slash: bool) -> None:
    path = "/" + "/".join(parts) + ("/" if slash else "")
    assert segments_of(path) == tuple(parts)
    assert join(path, "") == path
    opening = Opening(path, "")
    assert opening.covers(path)
    assert opening.covers(join(path, "more"))
    assert opening.covers("/other") is (not parts or parts == ["other"])
