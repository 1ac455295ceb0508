"""Which Python files are worth parsing, told from their names and bytes."""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model.patterns import lazy

_ALWAYS: Final = lazy(
    r"(?:^|/)(?:gunicorn[\w.-]{0,60}|[\w-]{0,60}settings[\w-]{0,60}|settings/[^/]{1,100}|urls|wsgi|asgi|manage|app|main"
    r"|celery|celeryconfig|uwsgi|config)\.py$"
    r"|(?:^|/)(?:migrations|versions)/[^/]{1,200}\.py$"
)
# Tests do not run in production, and what they do (no TLS verification, made-up keys) would be found wanting.
_NEVER: Final = lazy(r"(?:^|/)(?:tests?/|testing/|conftest\.py$|test_[^/]{0,200}\.py$|[^/]{1,200}_tests?\.py$)")
_EMPTY: Final = 200
# Whole files are searched for these; each is long enough to be rare in code that has nothing to do with deployment.
_IMPORTED: Final = (
    "flask", "fastapi", "starlette", "quart", "sanic", "litestar", "starlite", "falcon", "bottle", "tornado",
    "connexion",
    "dash", "ninja", "pyramid", "blacksheep", "aiohttp", "celery", "dramatiq", "rq", "huey", "sqlalchemy", "sqlmodel",
    "databases", "psycopg", "asyncpg", "aiopg", "pymysql", "MySQLdb", "sqlite3", "redis", "aioredis", "pymongo",
    "motor",
    "pika", "aio_pika", "kafka", "aiokafka", "confluent_kafka", "requests", "httpx", "urllib3", "urllib.request", "ssl",
    "subprocess", "signal", "prometheus_client", "opentelemetry", "sentry_sdk", "ddtrace", "newrelic", "uvicorn",
    "hypercorn",
    "gunicorn", "waitress", "gevent", "eventlet", "alembic", "decouple", "environ", "environs", "pydantic_settings",
    "dj_database_url", "dotenv", "random", "uuid", "tempfile", "threading", "multiprocessing", "socketio", "jwt",
    "jose",
    "rest_framework", "channels", "socket", "wsgiref", "apscheduler", "loguru", "structlog", "mangum", "grpc",
)  # fmt: skip
_IMPORT: Final = lazy(
    rb"^[ \t]{0,40}(?:from|import)[ \t]{1,9}(?:"
    + "|".join(re.escape(n) for n in _IMPORTED).encode()
    + rb")(?![\w])[ \t.,;\r\n]?",
    re.MULTILINE,
)
_WORDS: Final = (
    b"environ", b"getenv", b"BaseSettings", b"create_engine", b"DATABASES", b"SECRET_KEY", b"ALLOWED_HOSTS",
    b"urlpatterns",
    b"DATABASE_URL", b"create_app", b"_app()", b".route(", b"add_url_rule", b"add_api_route", b"APIRouter",
    b"Blueprint",
    b"include_router", b"django.urls", b"django.conf.urls", b"get_wsgi_application", b"get_asgi_application",
    b"time.sleep(",
    b"from time import", b"verify=False", b"CERT_NONE", b"signal.signal", b"add_signal_handler", b"app.run(",
    b"os.system(",
    b"os._exit", b"os.fork", b"FileHandler", b"dictConfig", b"health", b"http.server", b"django.db.connection",
    b"import connection", b"concurrent.futures", b"urllib import", b"uuid1", b"AsyncWebsocketConsumer", b"@app.",
    b"@router.",
)  # fmt: skip


def is_interesting(path: str, data: bytes) -> bool:
    """Whether a Python file may hold a fact that a rule or the linker reads.

    `path`: relative and POSIX; `data`: the file as read. Errs on the side of True.
    """
    if _NEVER.search(path) or not data:
        return False
    if _ALWAYS.search(path):
        return len(data) >= _EMPTY or not path.endswith("/__init__.py")
    return any(word in data for word in _WORDS) or _IMPORT.search(data) is not None
