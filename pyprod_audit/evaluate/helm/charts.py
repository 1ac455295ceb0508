"""Charts as they stand in the repository: metadata, templates, files, and the charts that they carry."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pyprod_audit.evaluate.gotemplate.go_numbers import general
from pyprod_audit.evaluate.helm.archives import unpack
from pyprod_audit.evaluate.helm.globs import HelmIgnore
from pyprod_audit.model import Node, SourceFile, Tree
from pyprod_audit.parsers.yaml_events import parse_documents

TEMPLATE: Final = "helm-template"
"""The kind of the sources that rendered objects stand in."""
_MAX_DEPTH = 8
_MAX_CHARTS = 100
# What a chart's own files are that `.Files` does not offer.
_SPECIAL = frozenset({"Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json", "requirements.lock"})


class Dependency(NamedTuple):
    """An entry of `dependencies`, standing at `node`."""

    name: str
    version: str
    repository: str
    alias: str
    condition: str
    tags: tuple[str, ...]
    imports: tuple[tuple[str, str], ...]
    node: Node

    @property
    def key(self) -> str:
        """The name of its values, and of its chart once it is part of the one that wants it."""
        return self.alias or self.name


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the files of a chart come from: a folder of the repository, or a packed chart.

    `names` count from the chart's folder; `path` is that folder ("" for the root), or its place in the archive.
    """

    path: str
    names: Sequence[str]
    text: Callable[[str], SourceFile | None]
    data: Callable[[str], bytes | None]
    packed: bool = False

    def below(self, folder: str) -> Origin:
        """The part of it that stands in `folder`."""
        lead = f"{folder}/"
        names = [name[len(lead) :] for name in self.names if name.startswith(lead)]
        return Origin(
            posixpath.join(self.path, folder),
            names,
            lambda name: self.text(lead + name),
            lambda name: self.data(lead + name),
            self.packed,
        )


@dataclass(slots=True, eq=False)
class Chart:
    """One chart.

    `node`: its Chart.yaml; `values`: its values.yaml, if it has one; `broken`: why it cannot be rendered; `children`:
    the charts that it carries, whether wanted or not; `missing`: dependencies that nothing here brings.
    """

    name: str
    node: Node
    origin: Origin
    values: Node | None = None
    broken: str = ""
    templates: dict[str, SourceFile] = field(default_factory=dict)
    crds: list[SourceFile] = field(default_factory=list)
    dependencies: tuple[Dependency, ...] = ()
    children: list[Chart] = field(default_factory=list)
    missing: list[Dependency] = field(default_factory=list)

    @property
    def is_library(self) -> bool:
        """Whether it only lends its named templates to others."""
        return (self.node.text_at("type") or "").lower() == "library"

    @property
    def file_names(self) -> list[str]:
        """The names that `.Files` knows."""
        own = (name for name in self.origin.names if not name.startswith(("templates/", "charts/")))
        return [name for name in own if name not in _SPECIAL]


class Shelf:
    """All charts of a tree, each file read once."""

    def __init__(self, tree: Tree, known: Mapping[str, Node] | None = None) -> None:
        """`known`: the documents of Chart.yaml and values files that were parsed before, by path."""
        self._tree = tree
        self._paths = sorted(tree.paths)
        self._known = dict(known or {})
        self._charts = 0
        self._templates: dict[str, SourceFile] = {}

    def charts(self, folders: Sequence[str]) -> Iterator[Chart]:
        """The charts in `folders` (with a Chart.yaml each) that are not carried by another one."""
        found = set(folders)
        for folder in sorted(found):
            if not _is_carried(folder, found):
                self._charts = 0
                yield self._chart(self._folder(folder), (), 0)

    def document(self, source: SourceFile) -> Node | None:
        """The first YAML document of a file; None when it is empty or broken."""
        node = self._known.get(source.path)
        if node is None or node.source.text != source.text:  # a file that the user names may have the same path
            documents = parse_documents(source)
            node = next(iter(documents.nodes), Node({}, source, 0, 0))
            if documents.partial:
                node = Node(None, source, 0, 0)
            self._known.setdefault(source.path, node)
        return node if node.mapping or node.value == {} else None

    def _folder(self, folder: str) -> Origin:
        lead = f"{folder}/" if folder else ""
        start = bisect_left(self._paths, lead)
        end = bisect_left(self._paths, f"{folder}0") if folder else len(self._paths)  # "0" follows "/"
        names = [path[len(lead) :] for path in self._paths[start:end]]
        ignore_file = self._tree.text(f"{lead}.helmignore")
        ignored = HelmIgnore(ignore_file.text if ignore_file is not None else "")
        return Origin(
            folder,
            [name for name in names if not ignored(name)],
            lambda name: self._tree.text(lead + name),
            lambda name: self._tree.data(lead + name),
        )

    def _chart(self, origin: Origin, above: tuple[str, ...], depth: int) -> Chart:
        self._charts += 1
        source = origin.text("Chart.yaml")
        node = self.document(source) if source is not None else None
        if node is None or source is None:
            place = source or SourceFile(posixpath.join(origin.path, "Chart.yaml"), "")
            return Chart(posixpath.basename(origin.path), Node({}, place, 0, 0), origin, broken="cannot be read")
        chart = Chart(scalar_text(node.get("name")), node, origin)
        if not chart.name:
            chart.broken = "has no name"
        self._fill(chart)
        chart.dependencies = tuple(self._dependencies(chart))
        if depth < _MAX_DEPTH:
            self._add_children(chart, (*above, origin.path), depth + 1)
        present = {child.name for child in chart.children}
        chart.missing = [one for one in chart.dependencies if one.name not in present]
        return chart

    def _fill(self, chart: Chart) -> None:
        """Values and templates."""
        origin = chart.origin
        names = set(origin.names)
        if "values.yaml" in names:
            source = origin.text("values.yaml")
            chart.values = self.document(source) if source is not None else None
            if chart.values is None:
                chart.broken = chart.broken or "has a values.yaml that cannot be read"
        for name in origin.names:
            if name.startswith("templates/") and (source := origin.text(name)) is not None:
                chart.templates[name] = self._template(source)
            elif origin.packed and name.startswith("crds/") and name.endswith((".yaml", ".yml", ".json")):
                if (source := origin.text(name)) is not None:
                    chart.crds.append(source)

    def _template(self, source: SourceFile) -> SourceFile:
        """The file as a template, whatever else its name says; one object for all charts that have it."""
        if source.kind == TEMPLATE:
            return source
        return self._templates.setdefault(source.path, SourceFile(source.path, source.text, TEMPLATE, source.encoding))

    def _dependencies(self, chart: Chart) -> Iterator[Dependency]:
        entries = chart.node.items_at("dependencies")
        # Charts of apiVersion v1 list them in a file of their own, which is stronger.
        source = chart.origin.text("requirements.yaml") if "requirements.yaml" in chart.origin.names else None
        if source is not None and (node := self.document(source)) is not None:
            entries = node.items_at("dependencies") or entries
        for entry in entries:
            name = scalar_text(entry.get("name"))
            if name:
                yield Dependency(
                    name,
                    scalar_text(entry.get("version")),
                    scalar_text(entry.get("repository")),
                    scalar_text(entry.get("alias")),
                    scalar_text(entry.get("condition")),
                    tuple(scalar_text(tag) for tag in entry.items_at("tags")),
                    tuple(_imports(entry)),
                    entry,
                )

    def _add_children(self, chart: Chart, above: tuple[str, ...], depth: int) -> None:
        for origin in self._carried(chart.origin):
            if self._charts >= _MAX_CHARTS:
                return
            chart.children.append(self._chart(origin, above, depth))
        present = {child.name for child in chart.children}
        for wanted in chart.dependencies:
            if wanted.name in present or not wanted.repository.startswith("file://") or chart.origin.packed:
                continue
            folder = posixpath.normpath(posixpath.join(chart.origin.path, wanted.repository.removeprefix("file://")))
            folder = "" if folder == "." else folder
            is_chart = posixpath.join(folder, "Chart.yaml") in self._tree.paths
            if is_chart and folder not in above and self._charts < _MAX_CHARTS:
                chart.children.append(self._chart(self._folder(folder), above, depth))
                present.add(wanted.name)

    def _carried(self, origin: Origin) -> Iterator[Origin]:
        """The charts in `charts/`, unpacked or packed."""
        inside = {name.split("/")[1]: name for name in origin.names if name.startswith("charts/")}
        for member, name in sorted(inside.items()):
            if member[:1] in "_.":
                continue
            if name == f"charts/{member}":
                if member.endswith(".tgz"):
                    yield self._packed(origin, name)
            elif f"charts/{member}/Chart.yaml" in origin.names:
                yield origin.below(f"charts/{member}")

    def _packed(self, origin: Origin, name: str) -> Origin:
        """A chart in an archive; one that cannot be unpacked has no files."""
        path = posixpath.join(origin.path, name)
        data = origin.data(name)
        members = unpack(data) if data is not None else {}
        sources: dict[str, SourceFile | None] = {}

        def text(member: str) -> SourceFile | None:
            if member not in sources:
                sources[member] = _decoded(f"{path}/{member}", members.get(member))
            return sources[member]

        return Origin(path, sorted(members), text, members.get, packed=True)


def _decoded(path: str, data: bytes | None) -> SourceFile | None:
    if data is None or b"\0" in data:
        return None
    return SourceFile(path, data.decode("utf-8-sig", "replace"))


def _is_carried(folder: str, charts: set[str]) -> bool:
    """Whether the chart in `folder` stands in the `charts/` of another one."""
    parts = folder.split("/")
    return any(
        part == "charts" and "/".join(parts[:count]) in charts for count, part in enumerate(parts) if count < len(parts)
    )


def _imports(entry: Node) -> Iterator[tuple[str, str]]:
    """`import-values`: tables of the child, and where they go in the parent ("." for its top)."""
    for one in entry.items_at("import-values"):
        if one.text is not None:
            yield f"exports.{one.text}", "."
        elif one.mapping:
            yield scalar_text(one.get("child")), scalar_text(one.get("parent"))


def scalar_text(node: Node | None) -> str:
    """What Go makes of a YAML scalar that has to be a string: numbers and booleans are spelled anew."""
    value = node.scalar if node is not None else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return general(value)
    return "" if value is None else str(value)
