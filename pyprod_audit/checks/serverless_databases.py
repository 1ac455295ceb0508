"""POOL-011: functions that scale by the request and talk to a database that does not."""

from __future__ import annotations

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.terraform_view import mentioned, same_root, without_keys
from pyprod_audit.link.poolers import poolers
from pyprod_audit.model import Node, Repository, Resource, Unknown

_DATABASES = ("tf.aws_db_instance", "tf.aws_rds_cluster")
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
    told, place = database
    yield Hit(place.span.first_line, {"database": told.address}, ((told.node.anchor, told.address),))


def _database(function: Resource, repository: Repository) -> tuple[Resource, Node] | None:
    """The RDS database whose address the function's environment has, with the place that gives it."""
    deployed = [one for one in repository.of_kind(*_DATABASES) if same_root(one, function)]
    known = {without_keys(one.address): one for one in reversed(deployed)}
    for block in function.node.items_at("environment"):
        variables = block.get("variables")
        for node in (variables.mapping if variables is not None else {}).values():
            for target in mentioned(function, node):
                if target in known:
                    return known[target], node
    return None


def _may_run_python(function: Resource) -> bool:
    """Whether the runtime is Python, an image, or not known."""
    runtime = function.node.get("runtime")
    return runtime is None or isinstance(runtime.value, Unknown) or (runtime.text or "").startswith("python")
