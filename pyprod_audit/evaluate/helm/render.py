"""A chart rendered with the values of one deployment: each template's text, with the places of its parts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.evaluate.gotemplate.interpreter import Limits, Renderer
from pyprod_audit.evaluate.gotemplate.marks import Mark
from pyprod_audit.evaluate.gotemplate.parser import Parsed, add_definitions, parse
from pyprod_audit.evaluate.gotemplate.syntax import Definition
from pyprod_audit.evaluate.gotemplate.values import LimitReached, Map, TemplateError, Text, Value
from pyprod_audit.evaluate.helm.charts import Chart, Dependency
from pyprod_audit.evaluate.helm.functions import Refusals, functions
from pyprod_audit.evaluate.helm.objects import capabilities, chart_object, files_object, release
from pyprod_audit.evaluate.helm.values import Part, absence, compose
from pyprod_audit.model import SourceFile, Span, Unknown

_NOTES = "NOTES.txt"


class Fault(NamedTuple):
    """What went wrong, and where."""

    message: str
    span: Span


class Output(NamedTuple):
    """What one template gave; `name` is Helm's name for it."""

    name: str
    template: SourceFile
    text: Text


@dataclass(slots=True)
class Rendering:
    """A chart rendered with one set of values.

    `templates`: all files by the name that Helm has for them; `faults`: templates that the real engine would have
    refused; `refusals`: what `required` and `fail` said; `followed`: errors that came after that, where the real engine
    had stopped; `missing`: dependencies that the repository does not have; `crds`: the definitions in packed charts.
    """

    templates: dict[str, SourceFile] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    marks: Sequence[Mark] = ()
    faults: list[Fault] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    followed: list[Fault] = field(default_factory=list)
    missing: list[tuple[Chart, Dependency]] = field(default_factory=list)
    crds: list[SourceFile] = field(default_factory=list)


class _Template(NamedTuple):
    name: str
    source: SourceFile
    data: Map
    base: str


@dataclass(slots=True)
class Budget:
    """What all renderings of one chart may do together: steps of the engine, and characters of output."""

    steps: int = 20_000_000
    characters: int = 100_000_000

    def limits(self) -> Limits:
        """What the next template may do."""
        most = Limits()
        return most._replace(steps=min(most.steps, self.steps), characters=min(most.characters, self.characters))

    def take(self, renderer: Renderer) -> None:
        """Subtracts what a template did."""
        self.steps -= renderer.steps
        self.characters -= renderer.written


class Templates:
    """Templates parsed, each once for all renderings."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, str], Parsed] = {}

    def parsed(self, source: SourceFile, name: str) -> Parsed:
        """What `source` defines; `name` is the one that Helm gives the file."""
        key = (source.path, name)
        if key not in self._parsed:
            self._parsed[key] = parse(source, name)
        return self._parsed[key]


def render(chart: Chart, given: Map, templates: Templates, budget: Budget) -> Rendering:
    """The chart with `given` laid over its own values. Raises ValuesError."""
    root, values = compose(chart, given)
    found: list[_Template] = []
    rendering = Rendering()
    _collect(root, root.name, values, None, found, rendering)
    rendering.templates = {one.name: one.source for one in found}
    _run(_helm_order(found), templates, rendering, budget)
    return rendering


def _helm_order(found: Iterable[_Template]) -> list[_Template]:
    """The deepest first, and among equals the last name first (`sort.Reverse(byPathLen)`): later definitions win."""
    return sorted(found, key=lambda one: (one.name.count("/"), one.name), reverse=True)


def _collect(
    part: Part, path: str, values: Value, shared: Map | None, found: list[_Template], rendering: Rendering
) -> Map:
    """The templates of a chart and of those below it, with the data that each sees; returns the chart's own data."""
    chart = part.chart
    data = Map(
        {
            "Chart": chart_object(part, is_root=shared is None),
            "Files": files_object(chart),
            "Release": shared["Release"] if shared is not None else release(),
            "Capabilities": shared["Capabilities"] if shared is not None else capabilities(),
            "Values": values if isinstance(values, Map) else Map(),
        }
    )
    below = Map()
    data["Subcharts"] = below
    for child in part.parts:
        own = data["Values"].get(child.name)
        below[child.name] = _collect(child, f"{path}/charts/{child.name}", own, data, found, rendering)
    rendering.missing += [(chart, one) for one in part.missing]
    if part.missing:
        below.open = Unknown(".Subcharts", absence(chart, part.missing[0]))
    rendering.crds += chart.crds
    for name, source in chart.templates.items():
        if not chart.is_library or posixpath.basename(name).startswith("_"):
            found.append(_Template(f"{path}/{name}", source, data, f"{path}/templates"))
    return data


def _run(found: Sequence[_Template], templates: Templates, rendering: Rendering, budget: Budget) -> None:
    definitions: dict[str, Definition] = {}
    for one in found:
        parsed = templates.parsed(one.source, one.name)
        add_definitions(definitions, parsed)
        rendering.faults += [Fault(message, one.source.line_span(line)) for message, line in parsed.problems]
    known = functions(definitions, _why_missing(rendering.missing), rendering.refusals)
    renderer = Renderer(definitions, known)
    errors: list[Fault] = []
    for one in found:
        if posixpath.basename(one.name).startswith("_") or one.name not in definitions:
            continue
        if budget.steps <= 0 or budget.characters <= 0:
            message = "rendering was given up: the chart as a whole takes too many steps"
            rendering.faults.append(Fault(message, one.source.span(0, 0)))
            break
        renderer.limits = budget.limits()
        one.data["Template"] = Map({"Name": one.name, "BasePath": one.base})
        try:
            text = renderer.render(one.name, one.data)
        except LimitReached as reached:
            rendering.faults.append(Fault(f"rendering was given up: {reached}", reached.span or one.source.span(0, 0)))
        except TemplateError as error:
            errors.append(Fault(str(error), error.span or one.source.span(0, 0)))
        else:
            if not one.name.endswith(_NOTES):
                rendering.outputs.append(Output(one.name, one.source, text))
        finally:
            budget.take(renderer)
    rendering.marks = renderer.marks
    # A chart that demands values fails in many places without them.
    (rendering.followed if rendering.refusals.reasons else rendering.faults).extend(errors)


def _why_missing(missing: Sequence[tuple[Chart, Dependency]]) -> str:
    return next((absence(chart, one) for chart, one in missing), "")
