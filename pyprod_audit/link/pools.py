"""How many database connections one process of a Python service may hold.

Defaults: SQLAlchemy 2.0 "Connection Pooling" (pool_size 5, max_overflow 10; 0 and -1 mean no limit), Flask-SQLAlchemy
3 "Configuration", asyncpg API reference (`create_pool`: max_size 10), psycopg_pool API (min_size 4, max_size None: the
same as min_size), psycopg2.pool, Django 5.2 "Databases" (one connection per thread; `OPTIONS["pool"]` is a psycopg
pool).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pyprod_audit.link.datastores import MONGODB, MYSQL, POSTGRESQL
from pyprod_audit.link.setting_values import Settings
from pyprod_audit.model import Node, Resource, Span, Unknown
from pyprod_audit.model.patterns import lazy

ENGINES = frozenset({
    "sqlalchemy.create_engine", "sqlalchemy.engine.create_engine", "sqlmodel.create_engine",
    "sqlalchemy.ext.asyncio.create_async_engine", "sqlmodel.ext.asyncio.create_async_engine",
    "sqlalchemy.ext.asyncio.engine.create_async_engine",
})  # fmt: skip
_ASYNCPG = frozenset({"asyncpg.create_pool", "asyncpg.pool.create_pool"})
_PSYCOPG = frozenset({"psycopg_pool.ConnectionPool", "psycopg_pool.AsyncConnectionPool"})
_PSYCOPG2 = frozenset({"psycopg2.pool.ThreadedConnectionPool", "psycopg2.pool.SimpleConnectionPool"})
_FLASK = "flask_sqlalchemy.SQLAlchemy"
_OPTIONS = "SQLALCHEMY_ENGINE_OPTIONS"
_URI = "SQLALCHEMY_DATABASE_URI"
_SIZES = frozenset({"pool_size", "max_overflow", "max_size", "min_size", "maxconn"})
# dj-database-url, django-environ: Django's settings of a database, from a URL in the environment.
_DATABASE_URL = lazy(r"(?:dj_database_url\.(?:config|parse)|env\.(?:dj_)?db(?:_url)?)\(")
# Code that runs beside the service, not in its processes.
_ASIDE = lazy(r"(?:^|/)(?:alembic|migrations?|versions|scripts?|bin|tools|management|cli|seeds?|notebooks)/"
                    r"|(?:^|/)(?:migrate|seed|populate|init_db|create_tables|cli|manage)[\w-]{0,40}\.py$")  # fmt: skip
_SCHEMES = (
    ("postgres", POSTGRESQL), ("cockroachdb", ""), ("mysql", MYSQL), ("mariadb", MYSQL), ("mongodb", MONGODB),
    ("sqlite", "SQLite"),
)  # fmt: skip
_DJANGO = (
    ("postgres", POSTGRESQL), ("postgis", POSTGRESQL), ("mysql", MYSQL), ("sqlite", "SQLite"), ("spatialite", "SQLite"),
)  # fmt: skip


class Pool(NamedTuple):
    """The connections that one process may hold.

    `kind` is the database's (as `Datastore.kind`), "" when the address is not known; `size` is the upper bound,
    Unknown when it is set at deploy time or nothing bounds it; `shown` says how it comes about ("(5 + 10)"); `span` is
    the place to change it, `label` what to say there; `bound_by_threads` says that connections are opened only when a
    thread asks for one; `per_thread` that each thread has its own (then `size` counts for one thread); `url` is what
    names the server, when the code shows it.
    """

    kind: str
    size: int | Unknown
    shown: str
    span: Span
    label: str
    bound_by_threads: bool = True
    per_thread: bool = False
    url: Node | None = None


def runs_aside(path: str) -> bool:
    """Whether a module, by its path, is a migration, a script or a command, and no part of the serving process."""
    return _ASIDE.search(path) is not None


def pools_of(modules: Iterable[Resource], settings: Settings | None = None) -> tuple[Pool, ...]:
    """The pools that the given `py.module`s of one service make when they are imported or started.

    `settings` tells what sizes come to that are read from the environment; without it they are not known.
    """
    serving = [module for module in modules if not runs_aside(module.path)]
    given = settings if settings is not None else Settings()
    found = [pool for module in serving for pool in _declared(module, serving, given)]
    return (*found, *_django(serving, given))


def kind_of_url(url: Node | None) -> str:
    """The database that a URL or DSN names; "" when it is not known."""
    if url is None:
        return ""
    text = url.value.expression.lstrip("fFrRbB\"'") if isinstance(url.value, Unknown) else url.text or ""
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    return next((kind for start, kind in _SCHEMES if scheme.startswith(start)), "")


def unpooled(call: Node) -> Node | None:
    """The `poolclass=NullPool` of an engine, or None."""
    poolclass = call.get("kwargs.poolclass")
    return poolclass if poolclass is not None and _name(poolclass).endswith("NullPool") else None


def _name(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else node.text or ""


def _declared(module: Resource, serving: Iterable[Resource], settings: Settings) -> Iterator[Pool]:
    for call in module.node.items_at("calls"):
        name = call.text_at("name") or ""
        if _true(call, "main_guard") or _true(call, "handler"):
            continue
        if name in ENGINES:
            given = _resolved(call.mapping_at("kwargs"), module, settings)
            pool = _engine(call, given, _first(call, "url"))
        elif name == _FLASK:
            options = call.get("kwargs.engine_options") or _setting(serving, _OPTIONS)
            given = _resolved(options.mapping if options is not None else {}, module, settings)
            if options is not None and options.is_unknown:
                given = {"**": options}
            elif options is None and (written := _mention(serving, _OPTIONS)) is not None:
                given = {"**": written}
            pool = _engine(call, given, _setting(serving, _URI))
        else:
            pool = _driver_pool(name, call, module, settings)
        if pool is not None:
            yield pool


def _true(call: Node, key: str) -> bool:
    found = call.get(key)
    return found is not None and found.scalar is True


def _first(call: Node, *keywords: str) -> Node | None:
    arguments = call.items_at("args")
    if arguments:
        return arguments[0]
    return next((found for key in keywords if (found := call.get(f"kwargs.{key}")) is not None), None)


def _setting(modules: Iterable[Resource], name: str) -> Node | None:
    """What Flask's configuration sets: in a settings module, a class of settings, or on the application."""
    for module in modules:
        assignments = module.node.mapping_at("assignments")
        for key, value in assignments.items():
            if key == name or key.endswith(f".{name}"):
                return value
        for cls in module.node.mapping_at("classes").values():
            found = cls.mapping_at("assignments").get(name)
            if found is not None:
                return found
        for later in module.node.items_at("later_assignments"):
            given = later.get("value")
            if given is not None and (later.text_at("target") or "").endswith(f".{name}"):
                return given
        for call in module.node.items_at("calls"):
            if (call.text_at("name") or "").endswith((".config.from_mapping", ".config.update")):
                found = call.get(f"kwargs.{name}") or next(
                    (one for argument in call.items_at("args") if (one := argument.get(name)) is not None), None
                )
                if found is not None:
                    return found
    return None


def _mention(modules: Iterable[Resource], name: str) -> Node | None:
    """A place that sets `name` in a way that is not read, such as `app.config.setdefault("NAME", …)`."""
    for module in modules:
        start = module.source.text.find(name)
        if start >= 0:
            value = Unknown(name, f"{name} is set where it is not read")
            return Node(value, module.source, start, start + len(name))
    return None


def _engine(call: Node, options: Mapping[str, Node], url: Node | None) -> Pool | None:
    """The QueuePool of an engine; None for engines with another kind of pool."""
    poolclass = options.get("poolclass")
    kind = kind_of_url(url)
    if kind == "SQLite" or (poolclass is not None and not _name(poolclass).endswith("QueuePool")):
        return None
    size, overflow = options.get("pool_size"), options.get("max_overflow")
    place = size or overflow
    span = place.span if place is not None else call.anchor
    label = "the size of the connection pool" + ("" if size is not None else ", by default 5")
    numbers: list[int] = []
    bounds: tuple[tuple[Node | None, int, int], ...] = ((size, 5, 0), (overflow, 10, -1))
    for node, default, unlimited in bounds:
        value = default if node is None else node.value
        open_ended = node or options.get("**")
        if open_ended is not None and open_ended.is_unknown:
            return Pool(kind, _unknown(open_ended), "", span, label, url=url)
        if not isinstance(value, int) or value == unlimited or value < 0:
            return Pool(kind, Unknown("pool_size", "the pool has no limit"), "", span, label, url=url)
        numbers.append(value)
    return Pool(kind, sum(numbers), f"({numbers[0]} + {numbers[1]})", span, label, url=url)


def _resolved(options: Mapping[str, Node], module: Resource, settings: Settings) -> Mapping[str, Node]:
    """The options of a pool with their sizes as the service gets them."""
    return {key: settings.number(node, module) if key in _SIZES else node for key, node in options.items()}


def _driver_pool(name: str, call: Node, module: Resource, settings: Settings) -> Pool | None:
    """The pool of a driver of its own."""
    options = _resolved(call.mapping_at("kwargs"), module, settings)
    if name in _ASYNCPG:
        return _sized(call, options.get("max_size"), 10, _first(call, "dsn", "host"))
    if name in _PSYCOPG:
        return _sized(call, options.get("max_size") or options.get("min_size"), 4, _first(call, "conninfo"))
    if name in _PSYCOPG2:
        arguments = call.items_at("args")
        most = settings.number(arguments[1], module) if len(arguments) > 1 else options.get("maxconn")
        return _sized(call, most, None, call.get("kwargs.dsn")) if most is not None else None
    return None


def _sized(call: Node, most: Node | None, default: int | None, url: Node | None) -> Pool:
    size: int | Unknown
    if most is None:
        size = default if default is not None else Unknown("max_size", "the size of the pool is not known")
    elif isinstance(most.value, int):
        size = most.value
    else:
        size = _unknown(most)
    span = most.span if most is not None else call.anchor
    label = "the size of the connection pool" + ("" if most is not None else f", by default {default}")
    return Pool(POSTGRESQL, size, str(size), span, label, bound_by_threads=False, url=url)


def _unknown(node: Node) -> Unknown:
    if isinstance(node.value, Unknown):
        expression, because = node.value.expression, node.value.because
        return Unknown(expression, f"{expression[:60]} ({because or 'known only at run time'})")
    return Unknown(str(node.value), "the size of the pool is not a plain number")


def _django(modules: Iterable[Resource], settings: Settings) -> Iterator[Pool]:
    """Django's `DATABASES["default"]`: a connection for each thread, or a psycopg pool."""
    for module in modules:
        database = module.node.find(("assignments", "DATABASES", "default"))[0]
        if not isinstance(database, Node):
            continue
        if _DATABASE_URL.match(_name(database)):
            yield Pool("", 1, "1", database.anchor, "one connection for each thread", per_thread=True)
            continue
        engine = database.text_at("ENGINE") or ""
        kind = next((kind for mark, kind in _DJANGO if mark in engine), "")
        if kind == "SQLite":
            continue
        url = database.get("HOST")
        place = database.get("CONN_MAX_AGE") or database
        pool = database.get("OPTIONS.pool")
        if pool is None or pool.scalar is False:
            yield Pool(kind, 1, "1", place.anchor, "one connection for each thread", per_thread=True, url=url)
        elif pool.is_unknown:
            yield Pool(kind, _unknown(pool), "", pool.anchor, "the connection pool", url=url)
        else:
            given = _resolved(pool.mapping, module, settings)
            most = given.get("max_size") or given.get("min_size")
            yield _sized(pool, most, 4, url)
