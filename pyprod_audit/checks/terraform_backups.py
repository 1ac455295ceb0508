"""Backups of databases that Terraform provisions: BKP-002, BKP-003, BKP-004.

Defaults: AWS provider documentation of aws_db_instance (backup_retention_period 0), aws_rds_cluster (1) and
skip_final_snapshot (false); Google provider and Cloud SQL Admin API (backups are off until they are configured).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.rehearsal import is_rehearsal
from pyprod_audit.model import Node, Repository, Resource, Span

_COPIES = ("replicate_source_db", "replication_source_identifier")
# With these and no retention of its own a database keeps the retention of what it is restored from.
_RESTORED = ("snapshot_identifier", "restore_to_point_in_time", "s3_import")
_BACKUP_PLANS = ("tf.aws_backup_plan", "tf.aws_backup_selection")


def retention_too_short(database: Resource, context: Context) -> Outcomes:
    """An RDS instance or cluster keeps no automated backups, or keeps them for fewer days than wanted."""
    if is_rehearsal(database):
        yield Skip("it is not production by its name")
        return
    copied = _first(database.node, _COPIES)
    if copied is not None:
        yield cannot(copied) if copied.is_unknown else Skip("a read replica")
        return
    wanted, is_instance = int(context.params["days"]), database.kind == "tf.aws_db_instance"
    retention = database.node.get("backup_retention_period")
    if retention is None or retention.value is None:
        restored = _first(database.node, _RESTORED)
        if restored is not None:
            yield Cannot(restored.anchor, "the retention is that of the backup it is restored from")
            return
        days = 0 if is_instance else 1
        span, by_default = database.node.anchor, ", the default"
    else:
        if retention.is_unknown:
            yield cannot(retention)
            return
        number = _integer(retention)
        if number is None or number >= wanted:
            return
        # A cluster always has backups: the provider sends no 0, and the service then keeps them for a day.
        days, span, by_default = (number if is_instance else max(number, 1)), retention.span, ""
    plan = _backup_plan(context.repository)
    if plan is not None:
        yield Cannot(plan, "an AWS Backup plan may keep backups of it")
    elif days == 0:
        yield Hit(span, {"default": by_default}, message="{address} takes no backups: its retention is 0 days{default}")
    else:
        counted = f"{days} day{'' if days == 1 else 's'}"
        yield Hit(span, {"days": counted, "default": by_default, "wanted": wanted},
                  message="{address} keeps its backups for {days}{default}; less than {wanted} days")  # fmt: skip


def cloud_sql_unprotected(instance: Resource, _context: Context) -> Outcomes:
    """A Cloud SQL instance takes no backups, or cannot be restored to a point in time."""
    node = instance.node
    if is_rehearsal(instance):
        yield Skip("it is not production by its name")
        return
    copied = _first(node, ("master_instance_name", "replica_configuration"))
    if copied is not None or node.text_at("instance_type") == "READ_REPLICA_INSTANCE":
        yield cannot(copied) if copied is not None and copied.is_unknown else Skip("a read replica")
        return
    settings = next(iter(node.items_at("settings")), None)
    if settings is None:
        clone = node.get("clone")
        yield Skip("the settings come from the instance it clones" if clone is not None else "it has no settings")
        return
    block = next(iter(settings.items_at("backup_configuration")), None)
    if settings.is_unknown or (block is not None and block.is_unknown):
        yield cannot(block if block is not None else settings)
        return
    enabled = block.get("enabled") if block is not None else None
    if enabled is not None and enabled.is_unknown:
        yield cannot(enabled)
    elif block is None or enabled is None or not _is_true(enabled):
        place = enabled.span if enabled is not None and enabled.value is not None else (block or node).anchor
        yield Hit(place, message="{address} takes no automated backups")
    else:
        yield from _point_in_time(instance, settings, block)


def _point_in_time(instance: Resource, settings: Node, block: Node) -> Outcomes:
    version = instance.node.get("database_version")
    if version is not None and version.is_unknown:
        yield cannot(version)
        return
    is_mysql = (version.text or "").startswith("MYSQL") if version is not None else False
    key = "binary_log_enabled" if is_mysql else "point_in_time_recovery_enabled"
    switch = block.get(key)
    if switch is not None and switch.is_unknown:
        yield cannot(switch)
    elif switch is None and settings.text_at("edition") == "ENTERPRISE_PLUS":
        yield Cannot(block.anchor, f"whether {key} is on by default hangs on the edition")
    elif switch is None or not _is_true(switch):
        place = switch.span if switch is not None and switch.value is not None else block.anchor
        yield Hit(place, {"key": key}, message="{address} cannot be restored to a point in time: {key} is not on")


def final_snapshot_skipped(database: Resource, _context: Context) -> Outcomes:
    """Destroying or replacing the database leaves no snapshot behind, and nothing keeps that from happening."""
    if is_rehearsal(database):
        yield Skip("it is not production by its name")
        return
    copied = _first(database.node, _COPIES)
    if copied is not None and not copied.is_unknown:
        yield Skip("a read replica")
        return
    skip = database.node.get("skip_final_snapshot")
    if skip is None:
        return
    guards = [database.node.get("deletion_protection")]
    guards += [block.get("prevent_destroy") for block in database.node.items_at("lifecycle")]
    if any(guard is not None and _is_true(guard) for guard in guards):
        return
    open_ended = next((one for one in (skip, copied, *guards) if one is not None and one.is_unknown), None)
    if _is_false(skip):
        return
    if open_ended is not None:
        yield cannot(open_ended)
    elif _is_true(skip):
        yield Hit(skip.span)


def _first(node: Node, keys: tuple[str, ...]) -> Node | None:
    """The first of the arguments that is given."""
    found = (node.get(key) for key in keys)
    return next((one for one in found if one is not None and one.value not in (None, "", ())), None)


def _integer(node: Node) -> int | None:
    value = node.scalar
    if isinstance(value, (int, float)):
        return int(value)
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 6 else None


def _is_true(node: Node) -> bool:
    return node.value is True or node.text == "true"


def _is_false(node: Node) -> bool:
    return node.value is False or node.value is None or node.text == "false"


def _backup_plan(repository: Repository) -> Span | None:
    """Where the repository sets up AWS Backup, by itself or through a module."""
    return next(_backup_plans(repository), None)


def _backup_plans(repository: Repository) -> Iterator[Span]:
    for plan in repository.of_kind(*_BACKUP_PLANS):
        yield plan.node.anchor
    for module in repository.of_kind("tf.module"):
        source = module.node.text_at("source") or ""
        if re.search(r"(?i)aws[-_]backup|backup[-_](?:plan|vault)", source[:300]):
            yield module.node.anchor
