"""The values that each chart of a release gets: defaults, values files and sub-charts laid over each other.

The steps are those of Helm's `chartutil` (https://helm.sh/docs/chart_template_guide/values_files/ and
https://helm.sh/docs/topics/charts/#scope-dependencies-and-values): first the dependencies that conditions, tags and
aliases leave, then `import-values`, then defaults below whatever was given. A null that was given takes a key away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyprod_audit.evaluate.gotemplate.go_numbers import general
from pyprod_audit.evaluate.gotemplate.values import List, Map, Value
from pyprod_audit.evaluate.helm.charts import Chart, Dependency
from pyprod_audit.model import Node, Unknown, Via
from pyprod_audit.parsers.yaml_scalars import KUBERNETES

_GLOBAL = "global"


class ValuesError(Exception):
    """Values that Helm refuses."""


@dataclass(slots=True, eq=False)
class Part:
    """A chart as one release has it: under its alias, with the sub-charts that the values leave in.

    `defaults`: its values.yaml, and what `import-values` added to it.
    """

    chart: Chart
    name: str
    defaults: Map
    wanted: list[Dependency] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def missing(self) -> list[Dependency]:
        """The dependencies that are wanted and that nothing here brings."""
        present = {child.name for child in self.parts}
        return [one for one in self.wanted if one.key not in present]


def values_of(node: Node | None, label: str) -> Map:
    """A values file as templates see it, with the place of every member; anything but a mapping is empty.

    `label` says what the file does ("set by values.yaml").
    """
    made = _value(node, label) if node is not None else None
    return made if isinstance(made, Map) else Map()


def overlaid(files: Iterable[Map]) -> Map:
    """Values files given one after the other: maps are merged, anything else is replaced."""
    laid = Map()
    for given in files:
        laid = _overlaid(laid, given)
    return laid


def compose(chart: Chart, given: Map) -> tuple[Part, Map]:
    """The charts of a release, and the values of the outermost one, which hold those of the others under their names.

    `given` are the values of the user, and stay as they are. Raises ValuesError.
    """
    root = _part(chart, chart.name)
    _leave_enabled(root, given, "")
    _import(root)
    values = _coalesced(root, given, merge=False)
    _open(root, values)
    return root, values


def absence(chart: Chart, wanted: Dependency) -> str:
    """A dependency that nothing here brings, in words."""
    folder = chart.origin.path
    return f"the dependency {wanted.name} of {folder or 'the chart'} is not in the repository"


def _part(chart: Chart, name: str) -> Part:
    defaults = values_of(chart.values, "set by values.yaml")
    return Part(chart, name, defaults, list(chart.dependencies), [_part(child, child.name) for child in chart.children])


def _value(node: Node, label: str) -> Value:
    """Go has read the file as JSON: every number is a float64."""
    value = node.value
    if isinstance(value, dict):
        made = Map()
        for written, member in value.items():
            key = _key(written, member)
            made[key] = _value(member, label)
            made.places[key] = (Via(member.anchor, label),)
        return made
    if isinstance(value, tuple):
        return List(
            (_value(member, label) for member in value),
            {index: (Via(member.anchor, label),) for index, member in enumerate(value)},
        )
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return str(value)
    return value


def _key(written: str, member: Node) -> str:
    """A key as JSON has it: `on` is "true", `0x10` is "16", unless it is quoted."""
    if written[:1] not in KUBERNETES.first or member.source.text[member.key_start : member.key_start + 1] in ("'", '"'):
        return written
    meant = KUBERNETES.resolve(written)
    if isinstance(meant, bool):
        return "true" if meant else "false"
    return general(meant) if isinstance(meant, float) else str(meant) if isinstance(meant, int) else written


def _overlaid(under: Map, over: Map) -> Map:
    laid = Map(under, under.places)
    for key, value in over.items():
        below = laid.get(key)
        if isinstance(value, Map) and isinstance(below, Map):
            laid[key] = _overlaid(below, value)
        else:
            _put(laid, key, over)
    return laid


def _put(into: Map, key: str, source: Map) -> None:
    """One member with its place, copied: templates and merges change what they get."""
    into[key] = _copied(source[key])
    if key in source.places:
        into.places[key] = source.places[key]


def _copied(value: Value) -> Value:
    if isinstance(value, Map):
        made = Map((), value.places, value.open)
        for key, member in value.items():
            made[key] = _copied(member)
        return made
    if isinstance(value, List):
        return List((_copied(member) for member in value), value.places)
    return value


def _drop(members: Map, key: str) -> None:
    del members[key]
    members.places.pop(key, None)


def _open(part: Part, values: Map) -> None:
    """Below the names of sub-charts that are missing there are their defaults, which nobody here knows."""
    for wanted in part.missing:
        own = values.setdefault(wanted.key, Map())
        unknown = Unknown(f".Values.{wanted.key}", absence(part.chart, wanted))
        pending = [own] if isinstance(own, Map) else []
        while pending:
            members = pending.pop()
            members.open = unknown
            pending.extend(member for member in members.values() if isinstance(member, Map))
    for child in part.parts:
        _open(child, values[child.name])


# -- which sub-charts there are ----------------------------------------------------------------------------


def _leave_enabled(part: Part, given: Map, path: str) -> None:
    """Takes out sub-charts that conditions and tags turn off, and names the others by their aliases."""
    if not part.wanted:
        return
    listed = {one.name for one in part.wanted}
    named = [child for child in part.parts if child.name not in listed]
    for one in part.wanted:
        child = next((child for child in part.parts if child.name == one.name), None)
        if child is not None:
            named.append(_part(child.chart, one.key))
    part.parts = named
    values = _coalesced(part, given, merge=False)
    tags = values.get("tags")
    off = {one.key for one in part.wanted if not _is_enabled(one, values, tags, path)}
    part.wanted = [one for one in part.wanted if one.key not in off]
    part.parts = [child for child in part.parts if child.name not in off]
    for child in part.parts:
        _leave_enabled(child, values, f"{path}{child.name}.")


def _is_enabled(wanted: Dependency, values: Map, tags: Value, path: str) -> bool:
    """The first condition that the values answer decides, then the tags; without either a sub-chart is on."""
    for condition in wanted.condition.strip().split(","):
        if condition:
            answer = _at(values, f"{path}{condition}")
            if isinstance(answer, bool):
                return answer
    said = [tags[tag] for tag in wanted.tags if isinstance(tags.get(tag), bool)] if isinstance(tags, Map) else []
    return True in said or not said


def _at(values: Map, path: str) -> Value:
    found: Value = values
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Map) else None
    return found


# -- import-values -----------------------------------------------------------------------------------------


def _import(part: Part) -> None:
    for child in part.parts:
        _import(child)
    if not part.wanted:
        return
    values = _coalesced(part, Map(), merge=True)
    imported = Map()
    for one in part.wanted:
        for table, target in one.imports:
            found = _at(values, f"{one.key}.{table}")
            if isinstance(found, Map):
                for key in reversed(target.split(".") if target != "." else ()):
                    found = Map({key: found})
                _fill_in(imported, found, merge=True)
    part.defaults = _copied(values)
    _fill_in(part.defaults, imported, merge=True)


# -- laying values over defaults ---------------------------------------------------------------------------


def _coalesced(part: Part, given: Map, *, merge: bool) -> Map:
    values: Map = _copied(given)
    _coalesce(part, values, merge=merge)
    return values


def _coalesce(part: Part, values: Map, *, merge: bool) -> None:
    """Fills `values` with the chart's defaults and, for each sub-chart, the globals and its own; in place."""
    children = {child.name for child in part.parts}
    for key, default in part.defaults.items():
        if key not in values:
            _put(values, key, part.defaults)
        elif values[key] is None and not merge:
            _drop(values, key)
        elif isinstance(values[key], Map) and isinstance(default, Map):
            _fill_in(values[key], default, merge=merge or key in children)
    for child in part.parts:
        own = values.setdefault(child.name, Map())
        if not isinstance(own, Map):
            raise ValuesError(f"the values of the sub-chart {child.name} are not a mapping")
        _add_globals(own, values)
        _coalesce(child, own, merge=merge)


def _fill_in(values: Map, defaults: Map, *, merge: bool) -> None:
    """Adds what `values` lacks. A null in it takes the default away, unless it is to be kept for later (`merge`)."""
    for key, default in defaults.items():
        if key not in values:
            _put(values, key, defaults)
        elif values[key] is None and not merge:
            _drop(values, key)
        elif isinstance(default, Map) and isinstance(values[key], Map):
            _fill_in(values[key], default, merge=merge)


def _add_globals(values: Map, above: Map) -> None:
    """Hands `global` down to a sub-chart: what stands above is stronger."""
    own, inherited = values.get(_GLOBAL, Map()), above.get(_GLOBAL, Map())
    if not isinstance(own, Map) or not isinstance(inherited, Map):
        return
    for key, value in inherited.items():
        mine = own.get(key)
        if isinstance(value, Map):
            if key not in own:
                _put(own, key, inherited)
            elif isinstance(mine, Map):
                laid = _copied(value)
                _fill_in(laid, mine, merge=True)
                own[key] = laid
        elif not isinstance(mine, Map):
            _put(own, key, inherited)
    values[_GLOBAL] = own
