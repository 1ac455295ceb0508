"""Calls and attributes that a rule may ask for, by dotted name."""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Node
from pyprod_audit.parsers.python_scopes import Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

# First part of the dotted name → parts of which one must follow; empty: every call below it.
_ANY: Final[frozenset[str]] = frozenset()
INTEREST: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("requests", "httpx", "urllib3", "subprocess", "random", "tempfile", "uvicorn", "hypercorn", "gunicorn",
        "waitress",
         "gevent", "eventlet", "redis", "pymongo", "motor", "psycopg2", "psycopg", "psycopg_pool", "asyncpg", "aiopg",
         "MySQLdb", "pymysql", "aiomysql", "mysql", "sqlite3", "aiosqlite", "databases", "pika", "aio_pika", "kafka",
         "aiokafka",
         "confluent_kafka", "kombu", "boto3", "prometheus_client", "prometheus_fastapi_instrumentator",
         "starlette_exporter",
         "prometheus_flask_exporter", "sentry_sdk", "ddtrace", "newrelic", "dj_database_url", "dotenv", "wsgiref",
         "threading", "multiprocessing", "open", "signal", "aioredis", "pgbouncer", "memcache", "pymemcache",
         "elasticsearch",
         "apscheduler", "flask_socketio", "socketio", "smtplib", "fastapi_health", "healthcheck", "whitenoise",
         "statsd",
         "dramatiq", "rq", "huey"),
        _ANY,
    ),
    "ssl": _ANY,
    "os": frozenset({"system", "popen", "_exit", "fork", "abort", "kill", "environ", "putenv"}),
    "sys": frozenset({"exit"}),
    "time": frozenset({"sleep"}),
    "uuid": frozenset({"uuid1"}),
    "urllib": frozenset({"urlopen", "urlretrieve"}),
    "aiohttp": frozenset(
        {"ClientSession", "TCPConnector", "request", "get", "post", "put", "patch", "delete", "head", "ws_connect",
        "run_app",
         "AppRunner"}
    ),
    "http": frozenset({"HTTPServer", "ThreadingHTTPServer", "HTTPSConnection", "HTTPConnection"}),
    "socket": frozenset({"socket", "create_connection", "gethostbyname"}),
    "concurrent": frozenset({"ThreadPoolExecutor", "ProcessPoolExecutor"}),
    "asyncio": frozenset({"run", "add_signal_handler"}),
    "sqlalchemy": frozenset(
        {"create_engine", "create_async_engine", "engine_from_config", "async_engine_from_config",
        "create_pool_from_url",
         "sessionmaker", "async_sessionmaker", "scoped_session", "connect", "begin", "execute", "pool", "NullPool"}
    ),
    "sqlmodel": frozenset({"create_engine"}),
    "flask_sqlalchemy": frozenset({"SQLAlchemy"}),
    "flask": frozenset({"Flask", "run"}),
    "quart": frozenset({"Quart", "run"}),
    "sanic": frozenset({"Sanic", "run"}),
    "fastapi": frozenset({"FastAPI", "CORSMiddleware", "add_middleware"}),
    "starlette": frozenset({"Starlette", "CORSMiddleware", "Middleware", "add_middleware"}),
    "bottle": frozenset({"run", "Bottle"}),
    "cherrypy": frozenset({"quickstart"}),
    "dash": frozenset({"Dash", "run", "run_server"}),
    "connexion": frozenset({"App", "FlaskApp", "AsyncApp", "run"}),
    "tornado": frozenset({"listen", "start"}),
    "werkzeug": frozenset({"run_simple", "ProxyFix"}),
    "celery": frozenset({"Celery"}),
    "opentelemetry": frozenset(
        {"BatchSpanProcessor", "SimpleSpanProcessor", "ConsoleSpanExporter", "OTLPSpanExporter",
        "PeriodicExportingMetricReader",
         "TracerProvider", "MeterProvider", "Resource", "BatchLogRecordProcessor", "instrument", "instrument_app"}
    ),
    "logging": frozenset(
        {"FileHandler", "RotatingFileHandler", "TimedRotatingFileHandler", "WatchedFileHandler", "basicConfig",
        "dictConfig",
         "setLevel"}
    ),
    "loguru": frozenset({"add"}),
    "structlog": frozenset({"configure"}),
    "jwt": frozenset({"encode", "decode"}),
    "jose": frozenset({"encode", "decode"}),
    "django": frozenset({"execute_from_command_line", "setup", "connect", "connections"}),
    "grpc": frozenset({"insecure_channel", "server"}),
    "paramiko": frozenset({"set_missing_host_key_policy"}),
}  # fmt: skip
_LAST: Final = frozenset(
    {"add_signal_handler", "run_app", "from_mapping", "config_from_object", "run_simple", "from_object"}
)
_CONFIGURES: Final = frozenset({"config.update", "conf.update", "config.from_object", "config.from_mapping"})
ATTRIBUTES: Final = frozenset(
    {"ssl.CERT_NONE", "ssl._create_unverified_context", "ssl._create_default_https_context", "sqlalchemy.pool.NullPool",
     "ssl.PROTOCOL_TLSv1", "ssl.PROTOCOL_SSLv3", "ssl.PROTOCOL_SSLv23", "ssl.PROTOCOL_TLSv1_1"}
)  # fmt: skip
ATTRIBUTE_WORDS: Final = (
    b"CERT_NONE",
    b"_create_unverified_context",
    b"NullPool",
    b"PROTOCOL_",
    b"_create_default_https",
)


def is_of_interest(name: str, *, imported: bool) -> bool:
    """Whether a call of the dotted `name` is kept; `imported`: its first part stands for a module or an instance."""
    if not imported:
        return name == "open" or (name.endswith((".run", ".add_signal_handler")) and _runs_app(name.split(".")))
    parts = name.split(".")
    wanted = INTEREST.get(parts[0])
    if wanted is not None:
        return not wanted or parts[-1] in wanted or ".".join(parts[-2:]) in _CONFIGURES
    return _runs_app(parts) or ".".join(parts[-2:]) in _CONFIGURES


def _runs_app(parts: list[str]) -> bool:
    if parts[-1] == "run":
        return len(parts) > 1 and parts[-2].lower().endswith(("app", "application", "socketio", "server", "flask"))
    return parts[-1] in _LAST


def call_node(syntax: Syntax, scopes: Scopes, place: Tree, name: str) -> Node:
    """The model node of one call of interest (docs/model.md, `calls`)."""
    args, kwargs = syntax.arguments(place)
    fields: dict[str, object] = {"name": name, "args": args, "kwargs": kwargs, **context(scopes)}
    target, start, end = scopes.target
    if start <= place.start_byte < end:
        fields["target"] = target
    if syntax.data[max(place.start_byte - 6, 0) : place.start_byte] == b"await ":
        fields["awaited"] = True
    return syntax.node(fields, place)


def attribute_node(syntax: Syntax, scopes: Scopes, place: Tree, name: str) -> Node:
    """The model node of an attribute of interest that is used without a call."""
    return syntax.node({"name": name, **context(scopes)}, place)


def context(scopes: Scopes) -> dict[str, object]:
    """Where the walk stands, as members of a node."""
    function = scopes.function
    guard = scopes.main_guard
    fields: dict[str, object] = {"async": False, "handler": False, "import_time": function is None and not guard}
    if function is not None:
        fields["function"] = function.name
        fields["async"], fields["handler"] = function.is_async, function.handler
        if function.task:
            fields["task"] = True
    fields["main_guard"] = guard
    return fields
