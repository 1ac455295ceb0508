"""The effective Terraform configuration: root modules and what they call, with variables and locals filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.terraform.blocks import LABELS, block_node, has_labels, identity, variable_node
from pyprod_audit.evaluate.terraform.calls import called_folders, give_variable_files, starting_folders
from pyprod_audit.evaluate.terraform.instances import Instance
from pyprod_audit.evaluate.terraform.modules import Folder, block_labels, block_type, folders_of
from pyprod_audit.evaluate.terraform.references import reference_target, reference_targets
from pyprod_audit.evaluate.terraform.repetition import (
    MOST_INSTANCES,
    NO_NAMES,
    ONCE,
    Names,
    mentions_instance,
    repetition,
    same,
    suffix,
)
from pyprod_audit.evaluate.terraform.run import Run
from pyprod_audit.evaluate.terraform.variables import NoCaller, VariableFiles
from pyprod_audit.model import Node, Resource, Tree, Unknown

__all__ = ["evaluate", "reference_target", "reference_targets"]

MOST_REPEATED: Final = 50_000
"""Blocks that are evaluated again, in further calls of a module or as further instances; the rest is not looked at."""

_REPEATED: Final = frozenset({"resource", "data", "ephemeral", "module"})
_DECLARATIONS: Final = frozenset({"variable", "terraform", "locals", "moved", "removed", "import", "check"})


def evaluate(files: Sequence[Resource], tree: Tree) -> Evaluated:
    """The resources that the `tf.file` and `tf.plan` resources of a repository amount to; see docs/model.md.

    Every resource's parent is the `tf.configuration` of its module instance, so that the children of a parent are one
    module as it is deployed; the parent of that is the configuration that calls it.
    """
    plans = [file for file in files if file.kind == "tf.plan"]
    folders = folders_of(file for file in files if file.kind == "tf.file")
    run = Run(folders, tree)
    calls = called_folders(folders, tree)
    starts = starting_folders(calls)
    if tree.deployment.variables:
        for problem in give_variable_files(tree.deployment.variables, folders, starts):
            run.problems[problem.path, problem.message, problem.line] = problem
    callers = {path: block for found in calls.values() for path, block in reversed(found)}
    emitter = _Emitter(run)
    for path in starts:
        emitter.start(folders[path], callers.get(path))
    while run.unvisited:
        path = next(iter(run.unvisited))
        del run.unvisited[path]
        if path not in run.visited:
            emitter.start(folders[path], callers.get(path))
    emitter.variable_files(folders.values())
    run.finish()
    resources = emitter.resources
    if plans:
        from pyprod_audit.evaluate.terraform.plan import with_plans  # only where there is a plan

        resources = with_plans(plans, resources)
    return Evaluated(resources, list(run.problems.values()))


class _Emitter:
    """Turns modules into resources."""

    def __init__(self, run: Run) -> None:
        self.resources: list[Resource] = []
        self._run = run
        self._repeated = 0
        self._declared: dict[str, Resource] = {}

    def start(self, folder: Folder, caller: Node | None) -> None:
        """Emits the module of a folder, and all that it calls; `caller` is a block that calls it, if there is any."""
        evidence = None if caller else folder.evidence
        assignments = VariableFiles(folder) if evidence is not None else NoCaller()
        self._run.start()
        self._module(Instance(self._run, folder, assignments), None, evidence, caller)

    def variable_files(self, folders: Iterable[Folder]) -> None:
        """Emits the variable files, each with the first configuration of its folder."""
        for folder in folders:
            parent = self._declared.get(folder.path)
            for file in (*folder.automatic, *folder.named, *folder.chosen) if parent is not None else ():
                if file.path in self._run.tree.paths:
                    self.resources.append(Resource("tf.tfvars", file.path, file.node.mapping["attributes"], parent))

    def _module(self, instance: Instance, above: Resource | None, evidence: Node | None, caller: Node | None) -> None:
        configuration = _configuration(instance, above, evidence, caller)
        self.resources.append(configuration)
        first = self._declared.setdefault(instance.folder, configuration) is configuration
        if not first and not self._may_repeat(len(instance.contents.blocks), caller or evidence or configuration.node):
            return
        for block in instance.contents.blocks:
            keyword = block_type(block)
            if (keyword in _DECLARATIONS and not first) or (keyword == "output" and above is not None):
                continue  # written once for all instances; what a called module outputs is the caller's to use
            if not has_labels(block):
                wanted = LABELS[keyword]
                self._run.report(block, f"{keyword} needs {wanted} label{'s' * (wanted > 1)}")
                continue
            self.resources += self._of_block(block, instance, configuration)
        for call in instance.calls.values():
            for child in call.children():
                self._module(child.instance, configuration, None, call.block)

    def _may_repeat(self, count: int, place: Node) -> bool:
        """Whether so many blocks may be evaluated again; a problem when not."""
        before, self._repeated = self._repeated, self._repeated + count
        if before <= MOST_REPEATED < self._repeated:
            message = (
                f"more than {MOST_REPEATED} blocks of repeated modules and resources: not all are looked at from here"
            )
            self._run.report(place, message)
        return self._repeated <= MOST_REPEATED

    def _of_block(self, block: Node, instance: Instance, configuration: Resource) -> Iterator[Resource]:
        """What a block declares: nothing, one resource, or one an instance."""
        keyword, labels = block_type(block), block_labels(block)
        module = instance.address
        for key, node in self._nodes(block, keyword, instance):
            kind, own = identity(keyword, labels, node)
            address = f"{module}.{own}{key}" if module else f"{own}{key}"
            variant = _named(address, instance.root_folder) if key else configuration.variant
            yield Resource(kind, address, node, configuration, variant, configuration.via)

    def _nodes(self, block: Node, keyword: str, instance: Instance) -> list[tuple[str, Node]]:
        """The block as it is deployed, with the key of the instance when instances differ."""
        evaluator = instance.evaluator
        if keyword == "locals":
            return [("", _locals(block, instance))]
        if keyword == "variable":
            return [("", variable_node(block, evaluator))]
        call = instance.calls.get(block_labels(block)[0]) if keyword == "module" else None
        repeated = repetition(block, evaluator.evaluate) if keyword in _REPEATED else ONCE
        found = repeated.instances
        if found is not None and not found:
            return []
        several = found is not None and 1 < len(found) <= MOST_INSTANCES and mentions_instance(block)
        if found is not None and several and self._may_repeat(len(found), block):
            nodes = [
                (suffix(key), block_node(block, evaluator, names, call.evaluated(suffix(key)) if call else NO_NAMES))
                for key, names in found
            ]
            if any(not same(nodes[0][1], node) for _, node in nodes[1:]):
                return nodes
        names: Names = found[0][1] if found is not None and len(found) == 1 else NO_NAMES
        return [("", block_node(block, evaluator, names, call.evaluated("") if call else NO_NAMES))]


def _locals(block: Node, instance: Instance) -> Node:
    members: dict[str, Node] = {}
    for name, written in block.mapping_at("body").items():
        value = instance.local(name)
        members[name] = written.holding(value) if isinstance(value, Unknown) else value
    return block.holding(members)


def _named(address: str, root_folder: str) -> str:
    """The name of one way in which a module is deployed: its address, and the root module unless that is the root."""
    return f"{root_folder} ({address})" if root_folder else address


def _configuration(instance: Instance, above: Resource | None, evidence: Node | None, caller: Node | None) -> Resource:
    """The module as a whole; it stands at what shows whether it is a root module, else at its first file."""
    folder = instance.configuration
    first = folder.files[0].node
    place = evidence if evidence is not None and evidence.key_start >= 0 else first
    root = place if evidence is not None else caller or first
    members: dict[str, Node] = {
        "root": root.holding(evidence is not None),
        "called": (caller or first).holding(caller is not None),
        "files": Node(_paths(folder.files), first.source, 0, 0),
        "tfvars": Node(_paths((*folder.automatic, *folder.named, *folder.chosen)), first.source, 0, 0),
    }
    address = instance.address
    if address and caller is not None:
        members["module"] = caller.holding(address)
    variant = _named(address, instance.root_folder) if address else ""
    return Resource("tf.configuration", folder.path or ".", place.holding(members), above, variant, instance.via)


def _paths(files: Iterable[Resource]) -> tuple[Node, ...]:
    return tuple(Node(file.path, file.source, 0, 0) for file in files)
