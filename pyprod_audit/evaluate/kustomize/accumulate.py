"""What a kustomization deploys: bases, resources and components gathered, generators and transformers run in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.evaluate.kustomize import plugins
from pyprod_audit.evaluate.kustomize.crds import config_of_crds
from pyprod_audit.evaluate.kustomize.default_specs import default_config
from pyprod_audit.evaluate.kustomize.field_specs import Config, FieldSpec, config_of, merged, specs
from pyprod_audit.evaluate.kustomize.generators import Read, absorb, generate
from pyprod_audit.evaluate.kustomize.images import ImageChange
from pyprod_audit.evaluate.kustomize.kustomization import Kustomization, replica_count, text_pairs
from pyprod_audit.evaluate.kustomize.objects import Item, Objects
from pyprod_audit.evaluate.kustomize.patches import Patch, apply, is_json_patch, objects_in, patch_of
from pyprod_audit.evaluate.kustomize.place import Budget, Refused
from pyprod_audit.evaluate.kustomize.replacements import replace
from pyprod_audit.evaluate.kustomize.scalars import OPERATIONS, text_of
from pyprod_audit.evaluate.kustomize.sources import Documents, Sources, is_remote, located
from pyprod_audit.evaluate.kustomize.transformers import NamespaceChange, add_affix, set_pairs, set_replicas
from pyprod_audit.evaluate.kustomize.variables import Variable, bind, variable_of
from pyprod_audit.model import Node, Problem, SourceFile, Unknown

_DEEPEST: Final = 32
_MOST_OBJECTS: Final = 10_000
_METADATA_LABELS: Final = tuple(specs("metadata/labels", create=True))


@dataclass(slots=True)
class Gathered:
    """What has been gathered on the way: objects, the configuration of transformers, variables."""

    objects: Objects = field(default_factory=Objects)
    config: Config = field(default_factory=Config)
    variables: dict[str, Variable] = field(default_factory=dict)


class Accumulator:
    """Evaluates one kustomization that is deployed.

    `problems`: what is wrong but does not end it; `brings`: why there may be more objects; `changes`: why objects may
    be other than they are here; `files`: every file that has gone into it.
    """

    def __init__(self, sources: Sources, budget: Budget) -> None:
        self._sources = sources
        self._budget = budget
        self.problems: list[Problem] = []
        self.brings: list[tuple[Node, str]] = []
        self.changes: list[tuple[Node, str]] = []
        self.files: set[str] = set()
        self._visited: list[str] = []
        self._schema: Node | None = None

    def gather(self, kustomization: Kustomization) -> Gathered:
        """The objects of a kustomization, with everything done but hashes, references and vars.

        Raises:
            Refused: kustomize would end with an error.
        """
        return self._target(kustomization, Gathered())

    # -- one kustomization ---------------------------------------------------------------------------------

    def _target(self, kustomization: Kustomization, into: Gathered) -> Gathered:
        self.files.add(kustomization.path)
        if kustomization.is_empty:
            raise Refused("the kustomization is empty", kustomization.node)
        self._visited.append(kustomization.folder)
        if len(self._visited) > _DEEPEST:
            raise Refused(f"kustomizations are nested more than {_DEEPEST} levels deep", kustomization.node)
        top = len(self._visited) == 1
        self._schema = self._schema or kustomization.node.get("openapi.path")
        for entry in kustomization.texts("resources", "bases"):
            before = len(into.objects.items)
            self._resource(kustomization, entry, into)
            _note_entry(entry, into.objects.items[before:], top=top)
        into.config = into.config.with_more(self._config(kustomization))
        self._generate(kustomization, into)
        for entry in kustomization.texts("components"):
            self._component(kustomization, entry, into)
            _note_entry(entry, (item for item in into.objects.items if item.entry is None), top=top)
        self._transform(kustomization, into)
        for entry in kustomization.entries("vars"):
            variable = variable_of(entry)
            bind(variable, into.objects.items)
            if variable.name in into.variables:
                raise Refused(f"the var {variable.name} is there already", entry)
            into.variables[variable.name] = variable
        self._visited.pop()
        return into

    def _resource(self, kustomization: Kustomization, entry: Node, into: Gathered) -> None:
        path = self._located(kustomization, entry)
        if path is None:
            return
        if self._sources.has(path):
            documents = self._read(path, entry)
            for node in objects_in(documents.nodes):
                self._add(Item(node), into, entry)
            return
        child = self._child(path, entry, component=False)
        if child is None:
            return
        own = self._target(child, Gathered())
        self._absorb(own, into, entry)

    def _add(self, item: Item, into: Gathered, entry: Node) -> None:
        self._budget.spend()
        if len(into.objects.items) >= _MOST_OBJECTS:
            raise Refused(f"there are more than {_MOST_OBJECTS} objects", entry)
        into.objects.append(item)

    def _component(self, kustomization: Kustomization, entry: Node, into: Gathered) -> None:
        path = self._located(kustomization, entry)
        child = self._child(path, entry, component=True) if path is not None else None
        if child is not None:
            self._target(child, into)
            into.objects.renamed(checked=True)

    def _absorb(self, own: Gathered, into: Gathered, entry: Node) -> None:
        for item in own.objects.items:
            self._add(item, into, entry)
        into.config = into.config.with_more(own.config)
        for name, variable in own.variables.items():
            if name in into.variables:
                raise Refused(f"the var {name} is there already", entry)
            into.variables[name] = variable

    def _child(self, folder: str, entry: Node, *, component: bool) -> Kustomization | None:
        """The kustomization in a folder; None, with a problem, when there is none."""
        found = self._sources.kustomization(folder)
        if not found:
            missing = "has no kustomization" if self._sources.is_folder(folder) else "is not in the repository"
            self._miss(entry, f"{text_of(entry)} {missing}")
            return None
        if len(found) > 1:
            raise Refused(f"there are several kustomizations in {folder or 'the root'}", entry)
        child = Kustomization(found[0], folder)
        if any(one == folder or not folder or one.startswith(f"{folder}/") for one in self._visited):
            raise Refused(f"kustomizations include each other: {text_of(entry)} is being evaluated", entry)
        if child.is_component is not component:
            expected = "a component" if component else "no component"
            raise Refused(f"{text_of(entry)} should be {expected}", entry)
        return child

    # -- files ---------------------------------------------------------------------------------------------

    def _located(self, kustomization: Kustomization, entry: Node) -> str | None:
        """Where an entry leads; None, with the reason noted, when that is not in the repository."""
        if isinstance(entry.value, Unknown):
            self.brings.append((entry, f"{entry.value.expression} is filled in by a tool"))
            return None
        written = text_of(entry)
        path = located(kustomization.folder, written)
        if path is not None and (self._sources.has(path) or self._sources.kustomization(path)):
            return path
        if is_remote(written):
            self.brings.append((entry, f"{written} is on another host"))
            return None
        if path is None:
            self._miss(entry, f"{written} leads out of the repository")
            return None
        return path

    def _miss(self, entry: Node, message: str) -> None:
        self.problems.append(Problem("evaluate", entry.source.path, message, entry.span.line))
        self.brings.append((entry, message))

    def _read(self, path: str, entry: Node) -> Documents:
        self.files.add(path)
        documents = self._sources.documents(path)
        if documents is None:
            self._miss(entry, f"{path} cannot be read")
            return Documents(())
        if documents.broken:
            self.brings.append((entry, f"a part of {path} cannot be read"))
        return documents

    def _text(self, kustomization: Kustomization) -> Read:
        def read(written: str) -> SourceFile | Unknown:
            path = located(kustomization.folder, written)
            if is_remote(written) or path is None:
                return Unknown(written, f"{written} is not in the repository")
            return self._sources.text(path)

        return read

    def _named_documents(self, kustomization: Kustomization, node: Node) -> Documents:
        """The documents of a file that must be there: a patch, a configuration, replacements."""
        path = located(kustomization.folder, text_of(node))
        documents = self._sources.documents(path) if path is not None else None
        if path is None or documents is None:
            raise Refused(f"there is no {text_of(node)} in the repository", node)
        if documents.broken:
            raise Refused(f"{path} is not valid YAML", node)
        self.files.add(path)
        return documents

    # -- configuration and generators ----------------------------------------------------------------------

    def _config(self, kustomization: Kustomization) -> Config:
        config = default_config()
        for entry in kustomization.texts("configurations"):
            for document in self._named_documents(kustomization, entry).nodes:
                config = config.with_more(config_of(document))
        for entry in kustomization.texts("crds"):
            for document in self._named_documents(kustomization, entry).nodes:
                config = config.with_more(config_of_crds(document))
        return config

    def _generate(self, kustomization: Kustomization, into: Gathered) -> None:
        options = kustomization.node.mapping.get("generatorOptions")
        read = self._text(kustomization)
        for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
            for entry in kustomization.entries(key):
                self._budget.spend()
                absorb(into.objects, generate(kind, entry, options, read))
        for key in ("helmCharts", "helmChartInflationGenerator"):
            for entry in kustomization.entries(key):
                name = text_of(entry.get("name") or entry.get("chartName"))
                self.brings.append((entry, f"the chart {name or '(without a name)'} is not rendered"))
        for config in self._plugins(kustomization, "generators"):
            kind_of = plugins.kind_of(config)
            if plugins.is_built_in(config) and kind_of in plugins.GENERATORS:
                entry = plugins.generator_entry(config)
                absorb(into.objects, generate(plugins.GENERATORS[kind_of], entry, None, read))
            else:
                self.brings.append((config, f"the generator {kind_of} is not run"))

    def _plugins(self, kustomization: Kustomization, key: str) -> Iterator[Node]:
        """The configurations of plug-ins: inline, in files, or gathered by a kustomization."""
        for entry in kustomization.texts(key):
            if "\n" in text_of(entry):
                yield from objects_in(self._sources.inside(entry).nodes)
                continue
            gathered = Gathered()
            self._resource(kustomization, entry, gathered)
            for item in gathered.objects.items:
                yield item.node

    # -- transformers --------------------------------------------------------------------------------------

    def _transform(self, kustomization: Kustomization, into: Gathered) -> None:
        """The transformers of a kustomization in the order in which kustomize runs them."""
        objects, config, budget = into.objects, into.config, self._budget
        objects.schema = self._schema
        for patch in (*self._merge_patches(kustomization), *self._patches(kustomization)):
            apply(patch, objects, budget, lenient=bool(self.brings))
        namespace = kustomization.text("namespace")
        if namespace is not None:
            NamespaceChange(namespace).set_in_all(objects, config.namespace, budget)
        prefix, suffix = kustomization.text("namePrefix"), kustomization.text("nameSuffix")
        if prefix is not None:
            add_affix(objects, prefix, config.prefix, budget, suffix=False)
        if suffix is not None:
            add_affix(objects, suffix, config.suffix, budget, suffix=True)
        for entry in kustomization.entries("labels"):
            pairs = entry.mapping.get("pairs")
            if pairs is not None:
                set_pairs(objects, text_pairs(pairs, "pairs"), _label_specs(kustomization, entry, config), budget)
        set_pairs(objects, kustomization.pairs("commonLabels"), config.common_labels, budget)
        set_pairs(objects, kustomization.pairs("commonAnnotations"), config.annotations, budget)
        for patch in self._json_patches(kustomization):
            apply(patch, objects, budget)
        for entry in kustomization.entries("replicas"):
            name = text_of(entry.mapping.get("name"))
            if not set_replicas(objects, name, replica_count(entry), config.replicas, budget) and not self.brings:
                raise Refused(f"no workload is called {name}, whose replicas are set", entry)
        for entry, text in kustomization.images():
            change = ImageChange(entry, text)
            for item in objects.items:
                change.set_in(item, config.images, budget)
        for replacement in self._replacements(kustomization, kustomization.entries("replacements")):
            replace(replacement, objects.items, budget, lenient=bool(self.brings))
        objects.renamed()
        for config_node in self._plugins(kustomization, "transformers"):
            self._run(config_node, kustomization, objects)
        objects.items[:] = [item for item in objects.items if item.node.mapping]

    def _run(self, config: Node, kustomization: Kustomization, objects: Objects) -> None:
        kind = plugins.kind_of(config)
        if plugins.is_built_in(config):
            if kind in plugins.PATCHES:
                for patch in self._plugin_patches(config, kind, kustomization):
                    apply(patch, objects, self._budget, lenient=bool(self.brings))
                return
            if kind == "ReplacementTransformer":
                for one in self._replacements(kustomization, config.items_at("replacements")):
                    replace(one, objects.items, self._budget, lenient=bool(self.brings))
                return
            if plugins.transform(config, objects, self._budget):
                return
        self.changes.append((config, f"the transformer {kind} is not run"))

    def _merge_patches(self, kustomization: Kustomization) -> list[Patch]:
        entries = list(kustomization.texts("patchesStrategicMerge"))
        found = [self._merge_patch(entry, kustomization) for entry in entries]
        if found and not any(patch.objects for patch in found):
            raise Refused("the patches are empty", entries[0])
        return found

    def _merge_patch(self, entry: Node, kustomization: Kustomization) -> Patch:
        inline = "\n" in text_of(entry)
        documents = self._sources.inside(entry) if inline else self._named_documents(kustomization, entry)
        return Patch(entry, list(objects_in(documents.nodes)), None, None)

    def _patches(self, kustomization: Kustomization) -> Iterator[Patch]:
        for entry in kustomization.entries("patches"):
            found = self._patch(entry, kustomization)
            if found is not None:
                yield found

    def _json_patches(self, kustomization: Kustomization) -> Iterator[Patch]:
        for entry in kustomization.entries("patchesJson6902"):
            found = self._patch(entry, kustomization, keeps_names=True)
            if found is not None:
                yield found

    def _patch(
        self, entry: Node, kustomization: Kustomization, inline: str = "patch", *, keeps_names: bool = False
    ) -> Patch | None:
        text, path = entry.mapping.get(inline), entry.mapping.get("path")
        target = entry.mapping.get("target")
        if text is not None and text_of(text).strip():
            if path is not None and text_of(path):
                raise Refused("a patch has a text or a path, not both", entry)
            documents = self._sources.inside(text)
            if is_json_patch(documents):
                documents = self._sources.inside(text, OPERATIONS)
            return patch_of(entry, documents, target=target, keeps_names=keeps_names)
        if path is None or not text_of(path):
            raise Refused("a patch has a text or a path", entry)
        if is_remote(text_of(path)) or path.is_unknown:
            self.changes.append((path, f"the patch {text_of(path)} is on another host"))
            return None
        documents = self._named_documents(kustomization, path)
        if is_json_patch(documents):
            located_at = located(kustomization.folder, text_of(path)) or ""
            documents = self._sources.operations(located_at) or documents
        return patch_of(entry, documents, target=target, keeps_names=keeps_names)

    def _plugin_patches(self, config: Node, kind: str, kustomization: Kustomization) -> Iterator[Patch]:
        if kind == "PatchStrategicMergeTransformer":
            for entry in config.items_at("paths"):
                yield self._merge_patch(entry, kustomization)
            text = config.mapping.get("patches")
            if text is not None:
                yield Patch(text, list(objects_in(self._sources.inside(text).nodes)), None, None)
            return
        json = kind == "PatchJson6902Transformer"
        found = self._patch(config, kustomization, "jsonOp" if json else "patch", keeps_names=json)
        if found is not None:
            yield found

    def _replacements(self, kustomization: Kustomization, entries: Iterable[Node]) -> Iterator[Node]:
        for entry in entries:
            path = entry.mapping.get("path")
            if path is None or not text_of(path):
                yield entry
                continue
            for document in self._named_documents(kustomization, path).nodes:
                yield from document.items or (document,)


def _note_entry(entry: Node, items: Iterable[Item], *, top: bool) -> None:
    """Notes at objects through which entry of the outermost kustomization they come in."""
    if top:
        for item in items:
            item.entry = entry


def _label_specs(kustomization: Kustomization, entry: Node, config: Config) -> tuple[FieldSpec, ...]:
    """The fields that the labels of one entry go to."""
    chosen = merged(kustomization.label_specs(entry), config.labels)
    if _is_set(entry, "includeSelectors"):
        return merged(chosen, config.common_labels)
    if _is_set(entry, "includeTemplates"):
        chosen = merged(chosen, config.template_labels)
    if _is_set(entry, "includeVolumeClaimTemplates"):
        chosen = merged(chosen, config.claim_labels)
    return merged(chosen, _METADATA_LABELS)


def _is_set(entry: Node, key: str) -> bool:
    found = entry.mapping.get(key)
    return found is not None and found.value is True
