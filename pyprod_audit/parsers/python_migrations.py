"""Schema operations of Alembic and Django migrations."""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_scopes import Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

_PREFIXES: Final = ("alembic.op.", "django.db.migrations.", "django.contrib.postgres.operations.")
_NOT_OPERATIONS: Final = frozenset({"swappable_dependency", "Migration", "get_bind", "get_context", "f",
"batch_alter_table"})  # fmt: skip
_PATH: Final = lazy(r"(?:^|/)(?:migrations|versions|alembic)/")


def is_migration(path: str) -> bool:
    """Whether a file of this path stands where migrations stand."""
    return bool(_PATH.search(path))


def is_operation(name: str) -> bool:
    """Whether a call of the dotted `name` is a migration operation."""
    return name.startswith(_PREFIXES) and name.rpartition(".")[2] not in _NOT_OPERATIONS and ".get_context." not in name


def operation_node(syntax: Syntax, scopes: Scopes, place: Tree, name: str) -> Node:
    """The model node of one operation (docs/model.md, `migrations`).

    `operation` is the last part of the name; `table` is what the first arguments say; `concurrently` is True when the
    index is built without blocking writes (`postgresql_concurrently=True`, `AddIndexConcurrently`); `autocommit` is
    True inside `autocommit_block()`.
    """
    args, kwargs = syntax.arguments(place)
    operation = name.rpartition(".")[2]
    fields: dict[str, object] = {"operation": operation, "name": name, "args": args, "kwargs": kwargs}
    if scopes.function is not None:
        fields["function"] = scopes.function.name
    concurrently = kwargs.get("postgresql_concurrently")
    if operation.endswith("Concurrently"):
        fields["concurrently"] = True
    elif concurrently is not None:
        fields["concurrently"] = concurrently
    if ".batch_alter_table." in name:
        fields["batch"] = True
    if any(s.kind == "with_statement" and "autocommit_block" in syntax.text(s.place, 120) for s in scopes.stack):
        fields["autocommit"] = True
    table = _table(operation, args, kwargs)
    if table is not None:
        fields["table"] = table
    return syntax.node(fields, place)


def _table(operation: str, args: list[Node], kwargs: dict[str, Node]) -> Node | None:
    for keyword in ("table_name", "model_name", "name" if operation in {"CreateModel", "DeleteModel"} else "table"):
        if keyword in kwargs:
            return kwargs[keyword]
    position = 1 if operation in {"create_index", "create_unique_constraint", "create_check_constraint",
    "create_foreign_key",
                                  "drop_constraint", "drop_index", "f"} else 0  # fmt: skip
    found = args[position] if len(args) > position and operation not in {"execute", "RunSQL", "RunPython"} else None
    return found if found is not None and not isinstance(found.value, (Unknown, tuple)) else None
