"""What an application opens before gunicorn forks its workers."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.service_view import certain, in_words, serving
from pyprod_audit.link.imported_modules import imported_modules
from pyprod_audit.model import AppReference, Node, Repository, Resource, Service, Span, Unknown

_HOOKS = frozenset({"post_fork", "post_worker_init", "child_init", "worker_init"})
# Dotted call → what several processes then share. Clients that connect on first use are left out.
_CONNECTIONS = {
    "psycopg2.connect": "a PostgreSQL connection", "psycopg.connect": "a PostgreSQL connection",
    "psycopg.Connection.connect": "a PostgreSQL connection",
    "psycopg2.pool.SimpleConnectionPool": "a pool of PostgreSQL connections",
    "psycopg2.pool.ThreadedConnectionPool": "a pool of PostgreSQL connections",
    "psycopg_pool.ConnectionPool": "a pool of PostgreSQL connections and its threads",
    "MySQLdb.connect": "a MySQL connection", "pymysql.connect": "a MySQL connection",
    "mysql.connector.connect": "a MySQL connection", "sqlite3.connect": "an SQLite connection",
    "pymongo.MongoClient": "a MongoDB client and its monitoring threads",
    "pika.BlockingConnection": "an AMQP connection", "sqlalchemy.create_engine.connect": "a database connection",
    "sqlalchemy.create_engine.begin": "a database connection",
    "kafka.KafkaProducer": "a Kafka producer and its thread", "confluent_kafka.Producer": "librdkafka's threads",
    "grpc.insecure_channel": "a gRPC channel", "grpc.secure_channel": "a gRPC channel",
    "threading.Thread.start": "a thread, which only the master process runs",
    "threading.Timer.start": "a thread, which only the master process runs",
}  # fmt: skip
_EXPORTERS = ("BatchSpanProcessor", "PeriodicExportingMetricReader", "BatchLogRecordProcessor")
_EXPORTER = "the thread and the lock of OpenTelemetry's exporter"


def opened_before_fork(service: Service, context: Context) -> Outcomes:
    """With preload, connections and threads that are opened at import are shared by or lost to the workers."""
    process = serving(service)
    if isinstance(process, Skip) or process.server != "gunicorn":
        yield process if isinstance(process, Skip) else Skip("it does not run gunicorn")
        return
    preload = certain(service, "app.preload")
    if preload is None or isinstance(preload, Unknown):
        yield Cannot(process.span, in_words(preload, "its configuration is not known"))
        return
    if preload.value is not True:
        yield Skip("the application is loaded after the fork")
        return
    if process.config is not None and _forks_with_care(process.config):
        return
    if service.module is None:
        yield Cannot(preload.span, "the application's module is not in the repository")
        return
    workers = service.fact("app.workers")
    if workers is not None and workers.declared and workers.value == 1:
        yield Skip("there is one worker")
        return
    factory = process.app.attribute.partition("(")[0] if isinstance(process.app, AppReference) else ""
    for module, call, what in _opened(service, factory, context.repository):
        place = call.anchor
        yield Hit(
            place, {"call": (call.text_at("name") or "").rpartition(".")[2], "what": what},
            ((preload.span, "loaded before the fork"),), f"{module.path}/{_target(call, place)}",
        )  # fmt: skip


def _forks_with_care(config: Resource) -> bool:
    return any(name.text in _HOOKS for name in config.node.items_at("functions"))


def _target(call: Node, place: Span) -> str:
    return call.text_at("target") or call.text_at("function") or place.text[:40]


def _opened(service: Service, factory: str, repository: Repository) -> Iterator[tuple[Resource, Node, str]]:
    for module in imported_modules(service, repository):
        if "register_at_fork" in module.source.text:
            continue
        for call in module.node.items_at("calls"):
            name = call.text_at("name") or ""
            what = _CONNECTIONS.get(name) or (_EXPORTER if name.endswith(_EXPORTERS) else None)
            if what is None or not _runs_at_load(call, module, service, factory):
                continue
            if name == "sqlite3.connect" and _first(call) == ":memory:":
                continue
            lazy = call.get("kwargs.connect") or call.get("kwargs.open")
            if lazy is not None and lazy.scalar is False:  # MongoClient(connect=False), ConnectionPool(open=False)
                continue
            yield module, call, what


def _first(call: Node) -> str | None:
    arguments = call.items_at("args")
    return arguments[0].text if arguments else None


def _runs_at_load(call: Node, module: Resource, service: Service, factory: str) -> bool:
    at_import = call.get("import_time")
    if at_import is not None and at_import.scalar is True:
        return True
    return module is service.module and bool(factory) and call.text_at("function") == factory
