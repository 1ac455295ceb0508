"""Requests and limits that cannot be meant: more than the limit, bytes for megabytes, cores for millicores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.limit_ranges import supplied
from pyprod_audit.checks.workload_view import ends_before_start, present
from pyprod_audit.model import Node, Resource
from pyprod_audit.model.units import measure, quantity

_KINDS: Final = ("requests", "limits")
_ROUNDING: Final = 1 + 1e-9
_BYTES: Final = frozenset({"memory", "ephemeral-storage"})
_WRITTEN_WRONG: Final = {
    "MB": "M", "GB": "G", "KB": "Ki", "TB": "T", "mb": "M", "gb": "G", "kb": "k", "MiB": "Mi", "GiB": "Gi", "KiB": "Ki",
    "g": "G", "mi": "Mi", "gi": "Gi", "ki": "Ki", "K": "k",
}  # fmt: skip


def quantity_slip(resource: Resource, context: Context) -> Outcomes:
    """A quantity of a container (or of the pod) is refused by the API server or is off by powers of ten."""
    node = present(resource.node, "resources")
    if node is None:
        yield Skip("it declares no resources")
        return
    smallest, most = measure(context.params["smallest_memory"]), float(context.params["most_cores"])
    wrong: set[tuple[str, str]] = set()
    for kind in _KINDS:
        for name, value in node.mapping_at(kind).items():
            message = _slip(name, value, smallest, most)
            if message:
                wrong.add((kind, name))
                yield _hit(resource, kind, name, value, message)
    for name, request in node.mapping_at("requests").items():
        if not wrong.isdisjoint({("requests", name), ("limits", name)}):
            continue
        yield from _more_than_limit(resource, name, request, context)


def _slip(name: str, value: Node, smallest: float, most: float) -> str:
    """What is wrong with one value; empty when it is nothing."""
    if value.is_unknown or value.value is None or name not in ("cpu", *_BYTES):
        return ""
    written = value.scalar
    try:
        amount = quantity(written)
    except ValueError:
        meant = _meant(str(written))
        return f"{{written}} is not a quantity, and the API server refuses it{meant and f': write {meant}'}"
    if name == "cpu":
        if amount > most:
            return f"{{written}} is {_plain(amount)} CPU cores{_millicores(written)}"
        return ""
    if 0 < amount < smallest:
        return f"{{written}} is {_plain(amount)} bytes{_megabytes(str(written))}"
    return ""


def _meant(written: str) -> str:
    text = written.replace(" ", "")
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = _WRITTEN_WRONG.get(text[len(digits) :])
    if unit is None or not digits.replace(".", "", 1).isdigit():
        return text if text != written and _is_quantity(text) else ""
    return digits + unit


def _is_quantity(text: str) -> bool:
    try:
        quantity(text)
    except ValueError:
        return False
    return True


def _millicores(written: object) -> str:
    text = str(written)
    return f": {text}m is meant for {text} thousandths of a core" if text.isdigit() else ""


def _megabytes(written: str) -> str:
    number = written.removesuffix("m")
    if written.endswith("m") and number.isdigit():
        return f" (m is a thousandth): {number}Mi is meant for mebibytes"
    return f": {written}Mi is meant for mebibytes" if written.isdigit() else ""


def _plain(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 1000 else f"{amount:g}"


def _more_than_limit(resource: Resource, name: str, request: Node, context: Context) -> Iterator[Hit | Cannot]:
    """A pod whose request is above its limit is refused; a LimitRange may supply the limit."""
    limit = present(resource.node, "resources", "limits", name)
    if limit is None and resource.kind != "k8s.podspec" and not ends_before_start(resource):
        default = supplied(resource, name, context.repository, request=False) if name in ("cpu", "memory") else None
        limit = default.value if default is not None and default.certain else None
    if limit is None:
        return
    if request.is_unknown or limit.is_unknown:
        yield Cannot(request.anchor, f"the request or the limit of {name} is known only at deploy time")
        return
    try:
        above = quantity(request.scalar) > quantity(limit.scalar) * _ROUNDING  # 700m is not exactly 0.7
    except ValueError:
        return  # null, or the limit of a LimitRange that is none
    if above:
        message = "{written} is more than the limit of {limit}: the API server refuses the pod"
        hit = _hit(resource, "requests", name, request, message)
        yield Hit(
            hit.span,
            {**hit.values, "limit": limit.scalar},
            related=((limit.span, "the limit"),),
            address=hit.address,
            message=hit.message,
        )


def _hit(resource: Resource, kind: str, name: str, value: Node, message: str) -> Hit:
    values = {"owner": resource.address, "where": f"resources.{kind}.{name}", "written": value.scalar}
    address = f"{resource.address}/resources.{kind}.{name}"
    return Hit(value.span, values, message="{owner}: {where} " + message, address=address)
