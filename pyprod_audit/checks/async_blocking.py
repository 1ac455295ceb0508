"""Calls that block the event loop in the handlers of an asynchronous application."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.model import Node, Resource
from pyprod_audit.model.patterns import lazy

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request", "send")
_WAITS = {
    "time.sleep": "asyncio.sleep", "urllib.request.urlopen": "httpx.AsyncClient",
    "urllib.request.urlretrieve": "httpx.AsyncClient", "os.system": "asyncio.create_subprocess_shell",
    "subprocess.run": "asyncio.create_subprocess_exec", "subprocess.call": "asyncio.create_subprocess_exec",
    "subprocess.check_call": "asyncio.create_subprocess_exec",
    "subprocess.check_output": "asyncio.create_subprocess_exec",
    "subprocess.getoutput": "asyncio.create_subprocess_shell",
    "psycopg2.connect": "psycopg.AsyncConnection or asyncpg", "psycopg.connect": "psycopg.AsyncConnection",
    "pymysql.connect": "aiomysql", "MySQLdb.connect": "aiomysql", "mysql.connector.connect": "aiomysql",
    "smtplib.SMTP": "aiosmtplib", "smtplib.SMTP_SSL": "aiosmtplib",
}  # fmt: skip
# Objects whose methods wait for the network: what they are made by, the methods, and what to use instead.
_CLIENTS = (
    (lazy(r"requests(?:\.api|\.Session|\.sessions\.Session|\.session)?"), _VERBS, "httpx.AsyncClient"),
    (lazy(r"httpx(?:\.Client)?"), (*_VERBS, "stream"), "httpx.AsyncClient"),
    (lazy(r"urllib3\.PoolManager"), ("request", "urlopen"), "httpx.AsyncClient"),
    (lazy(r"redis\.(?:Redis|StrictRedis|from_url|Redis\.from_url|client\.Redis)"), (), "redis.asyncio"),
    (lazy(r"psycopg2\.connect(?:\.cursor)?|psycopg\.connect(?:\.cursor)?|pymysql\.connect(?:\.cursor)?"
                r"|MySQLdb\.connect(?:\.cursor)?"),
     ("execute", "executemany", "fetchone", "fetchall", "fetchmany", "commit"), "an asynchronous driver"),
    (lazy(r"sqlalchemy\.(?:engine\.)?create_engine"), ("connect", "begin", "execute"),
     "sqlalchemy.ext.asyncio"),
    (lazy(r"boto3\.(?:client|resource|Session\.client|session\.Session\.client)"), (), "aioboto3"),
    (lazy(r"smtplib\.SMTP(?:_SSL)?"), ("send_message", "sendmail", "login", "starttls"), "aiosmtplib"),
)  # fmt: skip
# Methods that stay in the process.
_AT_HAND = frozenset({"close", "pipeline", "register_script", "lock", "pubsub", "generate_presigned_url",
                      "generate_presigned_post", "get_paginator", "can_paginate", "get_waiter", "Table", "Bucket",
                      "Object", "Queue", "from_url", "exceptions", "json", "register_connect_callback"})  # fmt: skip
# Frameworks whose asynchronous handlers share one event loop. Flask gives each its own, and so does Django under WSGI.
_LOOPS = ("fastapi", "starlette", "quart", "sanic", "litestar", "starlite", "aiohttp", "blacksheep", "channels",
          "tornado", "falcon", "socketio")  # fmt: skip


def blocks_event_loop(module: Resource, _context: Context) -> Outcomes:
    """A blocking call in an `async def` handler, or in an asynchronous function of the module that one calls."""
    routes = module.node.items_at("routes")
    calls = [call for call in module.node.items_at("calls") if _true(call, "async")]
    if not calls or not _on_one_loop(module):
        yield Skip("it has no asynchronous handlers that make calls of interest")
        return
    reached = _reached(routes)
    for call in calls:
        function = call.text_at("function") or ""
        if not (_true(call, "handler") or function in reached) or _true(call, "awaited") or _true(call, "task"):
            continue
        name = call.text_at("name") or ""
        instead = _instead(name, call)
        if instead is None:
            continue
        yield Hit(
            call.anchor, {"call": _shown(name), "function": function, "instead": instead},
            address=f"{module.path}/{function}/{_shown(name)}",
        )  # fmt: skip


def _true(call: Node, key: str) -> bool:
    found = call.get(key)
    return found is not None and found.scalar is True


def _on_one_loop(module: Resource) -> bool:
    roots = {(node.text or "").partition(".")[0] for node in module.node.mapping_at("imports").values()}
    return not roots.isdisjoint(_LOOPS)


def _reached(routes: tuple[Node, ...]) -> frozenset[str]:
    """The handlers and the functions of the module that asynchronous handlers call."""
    names: set[str] = set()
    for route in routes:
        if _true(route, "async"):
            names.add(route.text_at("handler") or "")
            names.update(_local(route))
    return frozenset(names)


def _local(route: Node) -> Iterator[str]:
    for key in ("calls", "depends"):
        for name in route.items_at(key):
            if name.text:
                yield name.text
                if name.text.startswith("self."):
                    owner = (route.text_at("handler") or "").rpartition(".")[0]
                    yield f"{owner}.{name.text[5:]}" if owner else name.text[5:]


def _instead(name: str, call: Node) -> str | None:
    """What to use instead of a call that waits; None when it does not wait."""
    found = _WAITS.get(name)
    if found is not None:
        arguments = call.items_at("args")
        return None if name == "time.sleep" and arguments and arguments[0].scalar == 0 else found
    owner, _, method = name.rpartition(".")
    if method in _AT_HAND:
        return None
    for pattern, methods, instead in _CLIENTS:
        if pattern.fullmatch(owner):
            return instead if not methods or method in methods else None
    return None


def _shown(name: str) -> str:
    parts = name.split(".")
    return name if len(parts) < 4 else ".".join(parts[-3:])
