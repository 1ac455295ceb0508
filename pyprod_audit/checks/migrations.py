"""Schema changes that hold a table locked while the old release still serves.

Only the newest migration of each history is looked at: the others have been applied long ago. Locks: PostgreSQL,
"Explicit Locking", CREATE INDEX and ALTER TABLE.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.model import Node, Repository, Resource, Span, Unknown
from pyprod_audit.model.patterns import lazy

_POSTGRES = lazy(r"psycopg(?:2|2-binary|-binary|-c|-pool)?|asyncpg|aiopg|pg8000|psycopg2cffi|django-pgviews")
_POSTGRES_ENGINE = lazy(r"postgres|postgis|psycopg|asyncpg")
_SQL_INDEX = lazy(
    r"\bcreate\s+(?:unique\s+)?index\s+(?!concurrently\b)(?:if\s+not\s+exists\s+)?(?:[\w\".]{1,130}\s+)?on\s+(?:only\s+)?([\w\".]{1,130})",
    re.IGNORECASE,
)
_SQL_TYPE = lazy(
    r"\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?([\w\".]{1,130})\s+alter\s+(?:column\s+)?[\w\"]{1,130}\s+"
    r"(?:set\s+data\s+)?type\s+([\w ]{1,40})",
    re.IGNORECASE,
)
_SQL_TABLE = lazy(r"\bcreate\s+table\s+(?:if\s+not\s+exists\s+)?([\w\".]{1,130})", re.IGNORECASE)
_TEXTUAL = lazy(r"text|string|varchar|unicode|char", re.IGNORECASE)


_CHANGES = {
    "index": ("an index is built without CONCURRENTLY", "{} indexes are built without CONCURRENTLY"),
    "type": ("a column changes its type", "{} columns change their type"),
}


def locks_table(module: Resource, context: Context) -> Outcomes:
    """An operation of the newest migration that blocks writes to a table that is in use."""
    operations = module.node.items_at("migrations")
    if not operations:
        return
    heads = context.repository.memo("checks.migration_heads", _heads)
    if id(module) not in heads:
        yield Skip("a later migration exists: it has been applied")
        return
    if not any(_in_project(service.project, module.path) for service in context.repository.services):
        yield Skip("nothing in the repository deploys it")
        return
    if not _uses_postgres(module, context.repository):
        yield Skip("nothing says that the database is PostgreSQL")
        return
    created = set(_created(operations))
    skipped = [state for operation in operations if (state := operation.get("kwargs.state_operations"))]
    found: dict[tuple[str, str], list[Span]] = {}
    for operation in operations:
        if operation.text_at("function") == "downgrade" or any(s.start <= operation.start < s.end for s in skipped):
            continue
        for place, table, change in _blocking(operation):
            if table not in created and (table or not created):
                found.setdefault((change, table), []).append(place)
    for (change, table), places in found.items():
        one, several = _CHANGES[change]
        what = one if len(places) == 1 else several.format(len(places))
        on = f" on {table}" if table else ""
        related = tuple((place, "and here") for place in places[1:6])
        yield Hit(places[0], {"what": what, "on": on}, related, address=f"{module.address}/{change}[{table}]")


def _blocking(operation: Node) -> Iterator[tuple[Span, str, str]]:
    """Place, table and change ("index", "type") of each blocking statement; the table is "" when it is not known."""
    name = operation.text_at("operation")
    table = "" if operation.get("batch") is not None else _plain(operation.text_at("table") or "")
    if name in ("create_index", "AddIndex"):
        concurrently = operation.get("concurrently")
        if concurrently is None or concurrently.scalar is False:
            yield operation.span.first_line, table, "index"
    elif name == "alter_column":
        new, old = operation.get("kwargs.type_"), operation.get("kwargs.existing_type")
        if new is not None and not (_is_textual(new) and (old is None or _is_textual(old))):
            yield operation.span.first_line, table, "type"
    elif name in ("execute", "RunSQL"):
        for node, text in _statements(operation):
            for found in _SQL_INDEX.finditer(text):
                yield node.span.first_line, _plain(found[1]), "index"
            for found in _SQL_TYPE.finditer(text):
                if not _TEXTUAL.search(found[2]):
                    yield node.span.first_line, _plain(found[1]), "type"


def _statements(operation: Node) -> Iterator[tuple[Node, str]]:
    """The SQL texts that an operation runs."""
    first = next(iter(operation.items_at("args")), None) or operation.get("kwargs.sql")
    for node in (first.items or (first,)) if first is not None else ():
        value = node.value
        text = value.expression if isinstance(value, Unknown) else value
        if isinstance(text, str):
            yield node, text[:20_000]


def _created(operations: Sequence[Node]) -> Iterator[str]:
    """The tables that the migration makes: nobody uses them yet."""
    for operation in operations:
        if operation.text_at("operation") in ("create_table", "CreateModel"):
            yield _plain(operation.text_at("table") or "")
        for _, text in _statements(operation) if operation.text_at("operation") in ("execute", "RunSQL") else ():
            for found in _SQL_TABLE.finditer(text):
                yield _plain(found[1])


def _is_textual(node: Node) -> bool:
    return isinstance(node.value, Unknown) and _TEXTUAL.search(node.value.expression) is not None


def _plain(table: str) -> str:
    return table.replace('"', "").rpartition(".")[2].lower()


def _heads(repository: Repository) -> frozenset[int]:
    """The migrations (by `id`) that no other one of their folder builds on."""
    folders: dict[str, list[Resource]] = {}
    for module in repository.of_kind("py.module"):
        if _is_migration(module):
            folders.setdefault(posixpath.dirname(module.path), []).append(module)
    heads: set[int] = set()
    for modules in folders.values():
        built_on = {name for module in modules for name in _builds_on(module)}
        heads.update(id(module) for module in modules if _identity(module) not in built_on)
    return frozenset(heads)


def _is_migration(module: Resource) -> bool:
    node = module.node
    return node.get("classes.Migration") is not None or node.get("assignments.down_revision") is not None


def _identity(module: Resource) -> str:
    return module.node.text_at("assignments.revision") or posixpath.basename(module.path).removesuffix(".py")


def _builds_on(module: Resource) -> Iterator[str]:
    down = module.node.get("assignments.down_revision")
    if down is not None:
        yield from (one.text for one in down.items or (down,) if one.text is not None)
    for key in ("dependencies", "replaces"):
        for pair in module.node.items_at(f"classes.Migration.assignments.{key}"):
            name = pair.text_at("1")
            if name is not None:
                yield name


def _in_project(project: str | None, path: str) -> bool:
    return project is not None and (not project or path.startswith(f"{project}/"))


def _uses_postgres(module: Resource, repository: Repository) -> bool:
    """Whether the code around a migration talks to PostgreSQL: a driver is installed, or a setting names it."""
    folders = repository.memo("checks.postgres_folders", _postgres_folders)
    return any(not folder or module.path.startswith(f"{folder}/") for folder in folders)


def _postgres_folders(repository: Repository) -> Mapping[str, Resource]:
    """The folders below which something says PostgreSQL, with what says it."""
    found: dict[str, Resource] = {}
    for resource in repository.of_kind("py.manifest", "py.requirements", "py.lock"):
        names = (
            entry.text_at("name") or ""
            for key in ("dependencies", "requirements", "packages")
            for entry in resource.node.items_at(key)
        )
        if any(_POSTGRES.fullmatch(name) for name in names):
            folder = posixpath.dirname(resource.path)
            if posixpath.basename(folder) == "requirements":
                folder = posixpath.dirname(folder)
            found.setdefault(folder, resource)
    for module in repository.of_kind("py.module"):
        engine = module.node.text_at("assignments.DATABASES.default.ENGINE")
        if engine is not None and _POSTGRES_ENGINE.search(engine):
            found.setdefault(_root_of(module.path), module)
    return found


def _root_of(settings: str) -> str:
    """The project's folder for a settings module: `src/config/settings/base.py` → `src`."""
    folder = posixpath.dirname(settings)
    if posixpath.basename(folder) == "settings":
        folder = posixpath.dirname(folder)
    return posixpath.dirname(folder)
