"""POOL-001: what all processes of all replicas may open, against what the database takes."""

from __future__ import annotations

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.link.connection_limits import RESERVED, connection_limit, usable
from pyprod_audit.link.database_clients import Demand, demands
from pyprod_audit.link.datastores import POSTGRESQL, Datastore
from pyprod_audit.model import Fact, Repository, Service, Span, Unknown

_Related = tuple[tuple[Span, str], ...]


def exceed_limit(service: Service, context: Context) -> Outcomes:
    """The pools of a service, alone or with the others that use the same database, need more than it takes."""
    own = demands(context.repository).get(id(service))
    if own is None or isinstance(own, str):
        yield Skip(own or "the service opens no pool that is known")
        return
    limit = connection_limit(own.datastore, context.repository)
    if limit is None:
        yield Skip("the database has no limit to compare with")
    elif isinstance(limit, Unknown):
        yield Cannot(own.datastore.span, limit.because or f"{limit.expression} is known only at deploy time")
    elif isinstance(own.total, Unknown):
        yield Cannot(own.places[0][0], own.total.because or f"{own.total.expression} is known only at deploy time")
    else:
        yield from _compared(own, own.total, limit, context.repository)


def _compared(own: Demand, total: int, limit: Fact, repository: Repository) -> Outcomes:
    takes = usable(limit, own.datastore.kind)
    end = (limit.span, f"{own.datastore.address}: max_connections {limit.number:g}{_by(limit)}")
    span, related = own.places[0][0], (*own.places[1:], end)
    values = {"sum": own.shown, "total": total, "database": own.datastore.address, "takes": takes,
              "limit": _arithmetic(limit, own.datastore)}  # fmt: skip
    if total > takes:
        yield Hit(span, values, related)
        return
    others = _sharing(own, repository)
    if any(count > takes for _, count in others):
        return
    together = total + sum(count for _, count in others)
    # One finding for all of them: at the service that opens most, the first of equals.
    first = all((count, own.service.name) <= (total, one.service.name) for one, count in others)
    if together > takes and first:
        summands = [f"{total} by {own.service.name}", *(f"{count} by {one.service.name}" for one, count in others)]
        yield Hit(
            span, {**values, "sum": " + ".join(summands), "total": together},
            (*related, *((one.places[0][0], f"{one.service.name}: {one.shown} = {count}") for one, count in others)),
            message="{name} and the others may open {sum} = {total} connections; {database} takes {takes} ({limit})",
        )  # fmt: skip


def _sharing(own: Demand, repository: Repository) -> list[tuple[Demand, int]]:
    """The other services on the same database with their known totals; copies of one manifest count once."""
    found: dict[str, tuple[Demand, int]] = {}
    for one in demands(repository).values():
        if not isinstance(one, Demand) or not isinstance(one.total, int) or one.datastore is not own.datastore:
            continue
        name = one.service.name
        if name != own.service.name and (name not in found or one.total > found[name][1]):
            found[name] = (one, one.total)
    return list(found.values())


def _by(limit: Fact) -> str:
    return "" if limit.declared else f" ({limit.label})"


def _arithmetic(limit: Fact, datastore: Datastore) -> str:
    number = f"max_connections {limit.number:g}" + ("" if limit.declared else f", {limit.label}")
    return f"{number}; {RESERVED} reserved" if datastore.kind == POSTGRESQL else number
