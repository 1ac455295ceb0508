"""SQLite as the database of a service that several processes or pods share, or that forgets."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.service_view import address_at, certain, in_words, serving
from pyprod_audit.link.application import finder_of
from pyprod_audit.link.datastores import volumes_of
from pyprod_audit.link.environment import environment
from pyprod_audit.link.imported_modules import django_setting, imported_modules, settings_module
from pyprod_audit.model import Fact, Node, Process, Repository, Resource, Service, Span, Unknown

_ENGINES = frozenset({"sqlalchemy.create_engine", "sqlmodel.create_engine", "sqlalchemy.engine.create_engine",
                      "sqlalchemy.ext.asyncio.create_async_engine"})  # fmt: skip
_URI = "SQLALCHEMY_DATABASE_URI"
_VARIABLES = ("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL", "DB_URL", "DATABASE_URI")
_LASTING = frozenset({"persistentVolumeClaim", "hostPath", "nfs", "csi", "awsElasticBlockStore", "gcePersistentDisk",
                      "azureDisk", "azureFile", "cephfs"})  # fmt: skip


class Database(NamedTuple):
    """An SQLite database of a service: where it is set, and the path of its file when that is written."""

    span: Span
    path: str
    tuned: bool = False


def shared_sqlite(service: Service, context: Context) -> Outcomes:
    """An SQLite file behind several pods, in a container that loses it, or behind several workers."""
    process = serving(service)
    if isinstance(process, Skip):
        yield process
        return
    found = _database(service, context.repository)
    if found is None:
        yield Skip("its database is not SQLite, or not known")
    elif isinstance(found, Cannot):
        yield found
    else:
        yield from _judge(service, process, found)


def _judge(service: Service, process: Process, database: Database) -> Outcomes:
    address = address_at(service, database.span, "sqlite")
    if service.container is not None:
        pods = service.facts.get("k8s.max_replicas") or service.facts.get("k8s.replicas")
        if isinstance(pods, Fact) and pods.number > 1:
            message = "the database is SQLite, but up to {pods} pods run: each has a file of its own"
            related = ((pods.span, f"{pods.value:g} pods"),)
            yield Hit(database.span, {"pods": f"{pods.value:g}"}, related, address, message)
            return
        kept = _is_kept(service.container, database.path)
        if kept is False:
            message = "the database is SQLite on the container's own file system: every restart of the pod empties it"
            yield Hit(database.span, {}, ((service.container.node.anchor, "no lasting volume"),), address, message)
            return
        if kept is None:
            yield Cannot(database.span, "whether its volume lasts is known only at deploy time")
            return
    counts = [certain(service, f"app.{name}") for name in ("workers", "threads")]
    known = [int(count.number) for count in counts if isinstance(count, Fact)]
    total = 1
    for number in known:
        total *= number
    if total > 1 and not database.tuned:
        places = [count.span for count in counts if isinstance(count, Fact) and count.number > 1]
        message = (
            "the database is SQLite, and {server} works on {total} requests at a time: writers wait for one lock and "
            "fail with 'database is locked'"
        )
        yield Hit(
            database.span, {"server": process.server, "total": total},
            tuple((place, "workers and threads") for place in places), address, message,
        )  # fmt: skip


def _is_kept(container: Resource, path: str) -> bool | None:
    """Whether a volume that outlives the pod is mounted where the file may be; None when that is not known."""
    kept: bool | None = False
    for mount_path, volume in volumes_of(container):
        if volume is not None and volume.is_unknown:
            kept = None
        elif volume is None or not _LASTING.isdisjoint(volume.mapping):  # None: a claim template of a StatefulSet
            if not path.startswith("/") or _inside(path, mount_path):
                return True
    return kept


def _inside(path: str, folder: str) -> bool:
    return posixpath.normpath(path).startswith(folder.rstrip("/") + "/")


def _database(service: Service, repository: Repository) -> Database | Cannot | None:
    env = environment(service.image, service.container or service.compose, repository)
    for name in _VARIABLES:
        node = env.variables.get(name)
        if node is not None:
            return _in_calls(service, repository) if node.is_unknown else _of_url(node)
    settings = settings_module(service, repository)
    if isinstance(settings, Unknown):
        place = service.process.span if service.process is not None else None
        return Cannot(place, in_words(settings))
    if settings is not None:
        return _of_django(django_setting(settings, "DATABASES", finder_of(service, repository)))
    for module in imported_modules(service, repository):
        for node in _urls(module):
            database = _of_url(node)
            if database is not None:
                return database
    return None


def _in_calls(service: Service, repository: Repository) -> Database | None:
    """The SQLite file whose path is written where an engine is made: no variable changes it."""
    for module in imported_modules(service, repository):
        for node in _engine_urls(module):
            database = _of_url(node)
            if database is not None:
                return database
    return None


def _of_django(databases: Node | None) -> Database | Cannot | None:
    default = databases.get("default") if databases is not None else None
    engine = default.get("ENGINE") if default is not None else None
    if default is None or engine is None:
        return None
    if isinstance(engine.value, Unknown):
        return Cannot(engine.anchor, in_words(engine.value))
    if not (engine.text or "").endswith(("sqlite3", "spatialite")):
        return None
    name = default.text_at("NAME") or ""
    if ":memory:" in name or "mode=memory" in name:
        return None
    return Database(engine.span, name, tuned=default.get("OPTIONS") is not None)


def _urls(module: Resource) -> list[Node]:
    """URLs that the module gives SQLAlchemy, or Flask-SQLAlchemy by its configuration; classes may be unused."""
    found = []
    for key, value in module.node.mapping_at("assignments").items():
        if key in (_URI, f"app.config.{_URI}"):
            found.append(value)
    for later in module.node.items_at("later_assignments"):
        given = later.get("value")
        if given is not None and (later.text_at("target") or "").endswith(_URI):
            found.append(given)
    return [*found, *_engine_urls(module)]


def _engine_urls(module: Resource) -> list[Node]:
    found = []
    for call in module.node.items_at("calls"):
        if call.text_at("name") in _ENGINES:
            arguments = call.items_at("args")
            url = arguments[0] if arguments else call.get("kwargs.url")
            if url is not None:
                found.append(url)
    return found


def _of_url(node: Node) -> Database | None:
    text = node.text or ""
    scheme, separator, path = text.partition(":///")
    if not scheme.startswith("sqlite") or not separator or not path or ":memory:" in path or "mode=memory" in path:
        return None
    return Database(node.span, path.partition("?")[0])
