"""The ways in which a chart is deployed: with its own values, with a values file of it, with what the user names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final, NamedTuple

from pyprod_audit.evaluate.helm.charts import Chart
from pyprod_audit.model import SourceFile, Tree
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.workplaces import names_a_workplace

MAX_VARIANTS: Final = 10
# values-prod.yaml, values.prod.yaml, values_prod.yaml; the first group is what it is for.
_BESIDE = lazy(r"values[-._](.{1,100})\.ya?ml")
_INSIDE = lazy(r"values/([^/]{1,100})\.ya?ml")
# What lies beside values to be copied, or to describe them.
_NOT_DEPLOYED: Final = ("schema", "example", "sample", "template")


class Variant(NamedTuple):
    """One way to deploy a chart: its name, and the values files that are given, the last one the strongest."""

    name: str
    files: tuple[SourceFile, ...] = ()


def variants(chart: Chart, tree: Tree) -> Iterator[Variant]:
    """The chart with its own values, and once with each values file beside them; or with what the user named."""
    name = chart.origin.path or "."
    given = tuple(one for one in tree.deployment.values if _is_meant(one.path, chart, tree))
    if given:
        yield Variant(f"{name} ({', '.join(posixpath.basename(one.path) for one in given)})", given)
        return
    yield Variant(name)
    files = [one for one in sorted(chart.origin.names) if _is_variant(one)]
    for file in files[: MAX_VARIANTS - 1]:
        source = chart.origin.text(file)
        if source is not None:
            yield Variant(f"{name} ({file})", (source,))


def _is_meant(path: str, chart: Chart, tree: Tree) -> bool:
    """Whether a values file that the user named is for `chart`: one that stands in a chart is for that chart only."""
    folder = posixpath.dirname(path)
    while True:
        if posixpath.join(folder, "Chart.yaml") in tree.paths:
            return folder == chart.origin.path
        if not folder or folder == "/":
            return True
        folder = posixpath.dirname(folder)


def _is_variant(name: str) -> bool:
    """Whether a file of a chart holds the values of one deployment of it that others than developers use."""
    found = _BESIDE.fullmatch(name) or _INSIDE.fullmatch(name)
    if found is None or names_a_workplace(found[1]):
        return False
    return not any(word in found[1].lower() for word in _NOT_DEPLOYED)
