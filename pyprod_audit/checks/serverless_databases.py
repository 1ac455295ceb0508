"""POOL-011: functions that scale by the request and talk to a database that does not."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.evaluate.terraform import reference_targets
from pyprod_audit.link.poolers import poolers
from pyprod_audit.model import Node, Repository, Resource, Unknown

_DATABASES = ("aws_db_instance.", "aws_rds_cluster.")
_FEW = 20  # reserved concurrency that any database has connections for


def function_without_proxy(function: Resource, context: Context) -> Outcomes:
    """A Lambda function in a VPC that is told the address of an RDS database, and no RDS Proxy in the module."""
    network = next(iter(function.node.items_at("vpc_config")), None)
    database = _database(function, context.repository)
    if network is None or database is None or not _may_run_python(function):
        yield Skip("no Python function in a VPC that is told an RDS database's address")
        return
    if poolers(context.repository):
        return
    reserved = function.node.get("reserved_concurrent_executions")
    if reserved is not None and reserved.is_unknown:
        yield Cannot(reserved.anchor, "the concurrency of the function is known only at deploy time")
        return
    if reserved is not None and isinstance(reserved.scalar, int) and 0 <= reserved.scalar <= _FEW:
        return
    address, place = database
    related = tuple(
        (one.node.anchor, address) for one in _siblings(function, context.repository) if one.address == address
    )
    yield Hit(place.span.first_line, {"database": address}, related)


def _database(function: Resource, repository: Repository) -> tuple[str, Node] | None:
    """The RDS database whose address the function's environment has, with the place that gives it."""
    known = {one.address for one in _siblings(function, repository)}
    for block in function.node.items_at("environment"):
        variables = block.get("variables")
        for node in (variables.mapping if variables is not None else {}).values():
            for target in reference_targets(node):
                if target.startswith(_DATABASES) and target in known:
                    return target, node
    return None


def _siblings(function: Resource, repository: Repository) -> Iterator[Resource]:
    if function.parent is not None:
        for kind in ("tf.aws_db_instance", "tf.aws_rds_cluster"):
            yield from repository.children(function.parent, kind)


def _may_run_python(function: Resource) -> bool:
    """Whether the runtime is Python, an image, or not known."""
    runtime = function.node.get("runtime")
    return runtime is None or isinstance(runtime.value, Unknown) or (runtime.text or "").startswith("python")
