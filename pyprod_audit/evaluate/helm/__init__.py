"""Helm charts as they are deployed: rendered without helm and without a cluster, every value with its places."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.gotemplate.values import Map
from pyprod_audit.evaluate.helm.charts import Chart, Shelf
from pyprod_audit.evaluate.helm.manifests import Manifests
from pyprod_audit.evaluate.helm.program import ProgramError, run_helm
from pyprod_audit.evaluate.helm.render import Budget, Fault, Rendering, Templates, render
from pyprod_audit.evaluate.helm.values import ValuesError, absence, overlaid, values_of
from pyprod_audit.evaluate.helm.variants import Variant, variants
from pyprod_audit.model import Node, Problem, Resource, SourceFile, Tree, Unknown, Via

_MAX_FAULTS = 20


@dataclass(slots=True)
class _Deployed:
    """A chart as one variant deploys it."""

    variant: Variant
    manifests: Manifests
    rendering: Rendering = field(default_factory=Rendering)
    refused: str = ""
    printed: bool = False
    program_failed: str = ""


def evaluate(resources: Sequence[Resource], tree: Tree) -> Evaluated:
    """The objects of all charts of a tree.

    Args:
        resources: `helm.chart` and `helm.values` resources; the folders of the former are the charts.
        tree: Where their other files are.

    Returns:
        The objects that each chart brings with each of its values files, and a `helm.release` for each of these ways,
        which says what may be missing; problems for what helm would refuse as well.
    """
    known: dict[str, Node] = {}
    for resource in resources:
        known.setdefault(resource.path, resource.node)
    shelf = Shelf(tree, known)
    found = Evaluated()
    templates = Templates()
    folders = [posixpath.dirname(resource.path) for resource in resources if resource.kind == "helm.chart"]
    for chart in shelf.charts(folders):
        if chart.is_library:
            continue
        try:
            _evaluate(chart, shelf, tree, templates, found)
        except Exception as error:  # noqa: BLE001 - an own fault with one chart must not lose the others
            message = f"the chart was not evaluated: {type(error).__name__}: {error}"
            found.problems.append(Problem("evaluate", chart.node.source.path, message))
    return found


def _evaluate(chart: Chart, shelf: Shelf, tree: Tree, templates: Templates, found: Evaluated) -> None:
    if chart.broken:
        found.problems.append(
            Problem("evaluate", chart.node.source.path, f"the chart is not rendered: it {chart.broken}")
        )
        return
    budget = Budget()
    deployed = [_deploy(chart, one, shelf, templates, budget) for one in variants(chart, tree)]
    if tree.deployment.helm:
        deployed = [_printed(tree.deployment.helm, chart, one) for one in deployed]
    for one in deployed:
        if one.refused or one.printed:
            continue
        one.manifests.add(one.rendering)
    for one in deployed:
        found.resources += one.manifests.resources
        found.resources.append(_release(chart, one))
    found.problems += _problems(chart, deployed)


def _deploy(chart: Chart, variant: Variant, shelf: Shelf, templates: Templates, budget: Budget) -> _Deployed:
    via = tuple(
        Via(source.line_span(1), f"rendered with {posixpath.basename(source.path)}") for source in variant.files
    )
    one = _Deployed(variant, Manifests(variant.name, via))
    given = overlaid(_given(source, shelf) for source in variant.files)
    try:
        one.rendering = render(chart, given, templates, budget)
    except ValuesError as error:
        one.refused = str(error)
    return one


def _printed(program: str, chart: Chart, one: _Deployed) -> _Deployed:
    """The same with what the helm program prints for it, if it prints anything."""
    try:
        one.manifests.add_printed(run_helm(program, chart, one.variant.files), one.rendering)
    except ProgramError as error:
        one.program_failed = str(error)
    else:
        one.printed = True
        one.rendering.faults.clear()  # helm had none
        one.rendering.followed.clear()
    return one


def _given(source: SourceFile, shelf: Shelf) -> Map:
    return values_of(shelf.document(source), f"set by {posixpath.basename(source.path)}")


def _problems(chart: Chart, deployed: Sequence[_Deployed]) -> Iterator[Problem]:
    """What helm would refuse; once for the same place, and not at all where other values of the chart mend it."""
    told: set[tuple[str, int, str]] = set()
    sound = [one for one in deployed if not one.refused]
    for one in deployed:
        if one.refused:
            yield Problem("evaluate", chart.node.source.path, f"{_named(one)} cannot be rendered: {one.refused}")
        if one.program_failed:
            message = f"helm failed for {_named(one)}, which was rendered without it: {one.program_failed}"
            yield Problem("evaluate", chart.node.source.path, message)
        for fault in (*one.rendering.faults, *one.manifests.faults):
            place = (fault.span.file.path, fault.span.line, fault.message)
            if place in told or (not one.variant.files and _is_mended(fault, sound)):
                continue
            told.add(place)
            if len(told) <= _MAX_FAULTS:
                yield Problem("evaluate", place[0], f"{_named(one)}: {fault.message}", place[1])


def _named(one: _Deployed) -> str:
    with_files = ", ".join(posixpath.basename(source.path) for source in one.variant.files)
    return f"the chart {one.variant.name.partition(' (')[0]} with {with_files or 'its default values'}"


def _is_mended(fault: Fault, deployed: Sequence[_Deployed]) -> bool:
    """Whether a template that fails with the default values works with others that the chart has."""
    path = fault.span.file.path
    for one in deployed:
        faults = (*one.rendering.faults, *one.manifests.faults)
        if one.variant.files and all(other.span.file.path != path for other in faults):
            return True
    return False


def _release(chart: Chart, one: _Deployed) -> Resource:
    """What a deployment amounts to: the values files that were given, and why there may be more objects."""
    at = chart.node
    via = tuple(Via(source.line_span(1), "its values") for source in one.variant.files)
    files = tuple(Node(source.path, source, 0, 0) for source in one.variant.files)
    node = Node(
        {
            "chart": at.get("name") or at,
            "values": Node(files, at.source, at.start, at.end),
            "undecided": Node(tuple(_doubts(chart, one)), at.source, at.start, at.end),
        },
        at.source,
        at.start,
        at.end,
    )
    return Resource("helm.release", one.variant.name, node, None, one.variant.name, via)


def _doubts(chart: Chart, one: _Deployed) -> Iterator[Node]:
    """Why the deployment may have objects that are not here, in words, each at its place."""
    if one.refused:
        yield chart.node.holding(f"{_named(one)} cannot be rendered")
    for owner, wanted in one.rendering.missing:
        yield wanted.node.holding(absence(owner, wanted))
    for fault in (*one.rendering.faults, *one.rendering.followed, *one.manifests.faults):
        yield Node(f"{fault.span.file.path} could not be rendered", *fault.span[:3])
    for opening in one.manifests.openings:
        unknown = opening.value if isinstance(opening.value, Unknown) else None
        because = unknown.because if unknown is not None else "its kind is not known"
        yield opening.holding(f"{opening.source.path} may bring more: {because}")
