"""Connections without a pool, and pools made for every call: POOL-002, POOL-010."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.link.poolers import poolers
from pyprod_audit.link.pools import ENGINES, kind_of_url, runs_aside, unpooled
from pyprod_audit.model import Node, Repository, Resource, Service, Span
from pyprod_audit.model.patterns import lazy

_CONNECTS = frozenset({
    "psycopg2.connect", "psycopg.connect", "psycopg.Connection.connect", "psycopg.AsyncConnection.connect",
    "asyncpg.connect", "aiopg.connect", "pymysql.connect", "MySQLdb.connect", "aiomysql.connect",
    "mysql.connector.connect",
})  # fmt: skip
_ASYNC_POOLS = frozenset({
    "sqlalchemy.ext.asyncio.create_async_engine", "sqlalchemy.ext.asyncio.engine.create_async_engine",
    "asyncpg.create_pool", "psycopg_pool.AsyncConnectionPool", "motor.motor_asyncio.AsyncIOMotorClient",
    "pymongo.AsyncMongoClient", "redis.asyncio.Redis", "redis.asyncio.from_url", "redis.asyncio.Redis.from_url",
    "aioredis.from_url", "aioredis.Redis",
})  # fmt: skip
_POOLS = _ASYNC_POOLS | ENGINES | {
    "psycopg_pool.ConnectionPool", "psycopg2.pool.ThreadedConnectionPool", "psycopg2.pool.SimpleConnectionPool",
    "pymongo.MongoClient", "pymongo.mongo_client.MongoClient", "redis.Redis", "redis.StrictRedis", "redis.from_url",
    "redis.Redis.from_url", "redis.StrictRedis.from_url", "redis.client.Redis",
}  # fmt: skip
_PROBE = lazy(r"(?i)health|ready|live|alive|ping|status|startup|heartbeat")
_POOLER = lazy(
    r"(?i)\b(?:pgbouncer|pgcat|pgpool|odyssey|supavisor|proxysql|maxscale|rds[-_]proxy|aws_db_proxy)\b|-pooler\b|:6432\b"
)


class _Connecting(NamedTuple):
    """A place where a service opens connections for every use."""

    module: Resource
    call: Node
    place: Span
    message: str


def connections_without_pool(service: Service, context: Context) -> Outcomes:
    """A service that opens a new connection for every request, and nothing that pools them on the way."""
    found = [one for module in _serving(service) for one in _connecting(module)]
    if not found:
        if any(_is_client(call) for module in _serving(service) for call in module.node.items_at("calls")):
            return
        yield Skip("the service opens no database connections that are known")
        return
    pooler = _pooler(context.repository)
    for one in found:
        if pooler is not None:
            yield Cannot(pooler, "a pooler may stand between the service and its database")
            return
        name = one.call.text_at("name") or ""
        function = one.call.text_at("function") or ""
        yield Hit(one.place, {"call": name}, address=f"{one.module.address}.{function}/{name}", message=one.message)


def pool_for_every_call(module: Resource, _context: Context) -> Outcomes:
    """A client with a pool of its own that is made inside a request handler or a task."""
    made = [call for call in module.node.items_at("calls") if call.text_at("name") in _POOLS]
    if not made or runs_aside(module.path):
        yield Skip("the module makes no pools")
        return
    probes = _probe_functions(module)
    for call in made:
        name, function = call.text_at("name") or "", call.text_at("function") or ""
        in_task = _flag(call, "task")
        if not (in_task or _flag(call, "handler")) or function in probes:
            continue
        # A task that runs an event loop of its own cannot share an asynchronous pool with the next one; and a
        # connection to Redis costs little beside a task.
        if in_task and (name in _ASYNC_POOLS or name.startswith("redis.")):
            continue
        if _shares_pool(call) or unpooled(call) is not None or kind_of_url(_url(call)) == "SQLite":
            continue
        where = "task" if in_task else "request"
        yield Hit(call.span.first_line, {"call": _shown(call), "where": where, "function": function},
                  address=f"{module.address}.{function}/{name}")  # fmt: skip


# -- unpooled connections --------------------------------------------------------------------------------------


def _serving(service: Service) -> Iterator[Resource]:
    if service.process is None or service.process.server == "celery":
        return
    if service.workload is not None and service.workload.kind in ("k8s.job", "k8s.cronjob"):
        return
    for module in service.modules:
        if not runs_aside(module.path):
            yield module


def _is_client(call: Node) -> bool:
    name = call.text_at("name")
    return name in _CONNECTS or name in ENGINES


def _connecting(module: Resource) -> Iterator[_Connecting]:
    calls = module.node.items_at("calls")
    engines = [call for call in calls if call.text_at("name") in ENGINES and not _flag(call, "main_guard")]
    bare = [call for call in engines if unpooled(call) is not None]
    if len(bare) == len(engines):  # else the one without a pool is for tests or for another purpose
        for call in bare:
            poolclass = unpooled(call)
            if poolclass is not None and kind_of_url(_url(call)) != "SQLite" and not _flag(call, "task"):
                yield _Connecting(
                    module,
                    call,
                    poolclass.span,
                    "NullPool opens a new database connection for every use, and nothing pools them",
                )
    routes = module.node.items_at("routes")
    probes = _probe_functions(module)
    for call in calls:
        if call.text_at("name") in _CONNECTS and _in_request(call, routes, probes, module):
            yield _Connecting(
                module,
                call,
                call.span.first_line,
                "{call} opens a new database connection for every request, and nothing pools them",
            )


def _in_request(call: Node, routes: tuple[Node, ...], probes: frozenset[str], module: Resource) -> bool:
    """Whether requests reach the call: it stands in a handler, a function that one calls, or a dependency."""
    function = call.text_at("function") or ""
    if not function or function in probes:
        return False
    if _flag(call, "handler"):
        return True
    reached = any(
        route.text_at("handler") not in probes
        and function in {_last(one.text) for one in (*route.items_at("calls"), *route.items_at("depends"))}
        for route in routes
    )
    return reached and not _keeps_result(function, call, module)


def _keeps_result(function: str, call: Node, module: Resource) -> bool:
    """Whether the function may hand out one connection several times: it is decorated, or sets a global."""
    text = module.source.text
    found = re.search(rf"(?m)^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(function)}\b", text)
    if found is None:
        return True
    before = text[: found.start()].rstrip().rpartition("\n")[2].strip()
    return before.startswith("@") or "global " in text[found.start() : call.start]


def _probe_functions(module: Resource) -> frozenset[str]:
    """Handlers of health checks: a connection of their own is the point."""
    return frozenset(
        route.text_at("handler") or "" for route in module.node.items_at("routes")
        if _PROBE.search(f"{route.text_at('path') or ''} {route.text_at('handler') or ''}")
    )  # fmt: skip


def _pooler(repository: Repository) -> Span | None:
    """Where the repository speaks of a pooler."""
    return repository.memo("pooling.pooler", _find_pooler)


def _find_pooler(repository: Repository) -> Span | None:
    known = poolers(repository)
    if known:
        return known[0].node.anchor
    for source in repository.files.values():
        found = _POOLER.search(source.text) if source.kind != "lock" else None
        if found is not None:
            return Span(source, found.start(), found.end())
    return None


# -- reading calls ---------------------------------------------------------------------------------------------


def _shares_pool(call: Node) -> bool:
    return any(call.get(f"kwargs.{key}") is not None for key in ("connection_pool", "pool", "creator"))


def _url(call: Node) -> Node | None:
    arguments = call.items_at("args")
    return arguments[0] if arguments else call.get("kwargs.url")


def _shown(call: Node) -> str:
    """The called name as people write it: without the modules in front."""
    name = call.text_at("name") or ""
    parts = name.split(".")
    return ".".join(parts[-2:]) if len(parts) > 1 and parts[-2][:1].isupper() else parts[-1]


def _last(name: str | None) -> str:
    return (name or "").rpartition(".")[2]


def _flag(call: Node, key: str) -> bool:
    found = call.get(key)
    return found is not None and found.scalar is True
