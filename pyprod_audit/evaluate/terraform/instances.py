"""Modules as they are deployed: each call of a root module, and of what it calls, with its own inputs.

An `Instance` is what the names in one module's expressions stand for (`Definitions`). Everything in it is evaluated
when it is first asked for, each variable, local and output by itself, as Terraform does: modules may feed each other.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

from pyprod_audit.evaluate.terraform.calls import local_source
from pyprod_audit.evaluate.terraform.expressions import Evaluator
from pyprod_audit.evaluate.terraform.modules import Folder
from pyprod_audit.evaluate.terraform.outputs import LazyObject
from pyprod_audit.evaluate.terraform.references import passed, without_keys
from pyprod_audit.evaluate.terraform.repetition import (
    MOST_INSTANCES,
    NO_NAMES,
    Names,
    Repetition,
    mentions_instance,
    repetition,
    same,
    suffix,
)
from pyprod_audit.evaluate.terraform.resources import written_arguments
from pyprod_audit.evaluate.terraform.run import Run
from pyprod_audit.evaluate.terraform.sources import said
from pyprod_audit.evaluate.terraform.values import Unresolved
from pyprod_audit.evaluate.terraform.variables import (
    Arguments,
    Assigned,
    Assignments,
    value_of,
)
from pyprod_audit.model import Node, SourceFile, Unknown, Via

MOST_MODULES: Final = 500
"""Module instances below one root module."""

_DEEPEST: Final = 12
_LONGEST_CHAIN: Final = 60
_META: Final = ("source", "version", "providers", "count", "for_each", "depends_on")
_ITSELF: Final = "the number of its instances hangs on the module itself"
_EVALUATING: Final = Unknown("", "it is being evaluated")

_Key = tuple[str, str]


class Instance:
    """One module with what its variables are set to.

    `caller` is the call that makes it, None for the module that an evaluation starts from.
    """

    def __init__(self, run: Run, module: Folder, assignments: Assignments, caller: Call | None = None) -> None:
        self.run = run
        self.configuration = module
        self.contents = contents = run.contents(module)
        self.caller = caller
        self.key = ""
        self.folder = module.path
        self.root_folder: str = module.path if caller is None else caller.owner.root_folder
        self.depth: int = 0 if caller is None else caller.owner.depth + 1
        self.evaluator = Evaluator(self, run.effort)
        self._assignments = assignments
        self.calls = {name: Call(self, name, block) for name, block in contents.modules.items()}
        self._known: dict[_Key, Node | Unknown] = {}
        self.outputs = LazyObject(contents.outputs, self._output)
        run.visited.add(module.path)
        run.instances.append(self)

    @property
    def address(self) -> str:
        """The address of the module, `module.a.module.b["x"]`; "" for the one that the evaluation starts from."""
        if self.caller is None:
            return ""
        above = self.caller.owner.address
        return f"{above}.module.{self.caller.name}{self.key}" if above else f"module.{self.caller.name}{self.key}"

    @property
    def prefix(self) -> str:
        """What addresses from the root module have in front of those in here, without instance keys."""
        address = without_keys(self.address)
        return f"{address}." if address else ""

    @property
    def via(self) -> tuple[Via, ...]:
        """The `module` blocks that call it, the nearest first."""
        if self.caller is None:
            return ()
        owner = self.caller.owner
        here = f"module.{self.caller.name}" if owner.caller is None else f"{owner.address}.module.{self.caller.name}"
        return (Via(self.caller.block.anchor, f"called here as {here}"), *owner.via)

    def callers(self) -> Iterator[Instance]:
        """The instance itself, the one that calls it, and so on."""
        instance: Instance | None = self
        while instance is not None:
            yield instance
            instance = instance.caller.owner if instance.caller is not None else None

    # -- definitions -----------------------------------------------------------------------------------------

    def variable(self, name: str) -> Node | Unknown:
        """The value of `var.<name>`, or why there is none."""
        block = self.contents.variables.get(name)
        if block is None:
            return Unknown(f"var.{name}", f"var.{name} is not declared in this folder")
        return self._once(("var", name), block, lambda: self._variable(name, block))

    def _variable(self, name: str, block: Node) -> Node | Unknown:
        constraint = self.contents.constraint(name)
        found = value_of(name, block, constraint, self._assignments, self.evaluator.evaluate)
        return said(found.node, found.label) if isinstance(found, Assigned) else found

    def local(self, name: str) -> Node | Unknown:
        """The value of `local.<name>`, or why there is none. A local that refers to itself is a problem."""
        written = self.contents.locals.get(name)
        if written is None:
            return Unknown(f"local.{name}", f"local.{name} is not declared in this folder")
        return self._once(("local", name), written, lambda: _plain(self.evaluator.evaluate(written)))

    def module(self, name: str) -> Node | Unknown:
        """`module.<name>`: the object of its outputs, a tuple of objects with `count`, a map with `for_each`."""
        call = self.calls.get(name)
        if call is None:
            return Unknown(f"module.{name}", f"module.{name} is not declared in this folder")
        return self._once(("module", name), call.block, call.value)

    def resource(self, address: str) -> Node | Unknown:
        """The arguments of `aws_x.y` or `data.aws_x.y` as they are written; what is not is computed."""
        block = self.contents.resource(address)
        if block is None:
            return Unknown(address, f"computed by {address}")
        return self._once(("resource", address), block, lambda: written_arguments(address, block, self.evaluator))

    def file(self, path: str) -> SourceFile | None:
        """The file at `path`, relative to the folder that terraform runs in; None when it is not there, or outside."""
        found = posixpath.normpath(posixpath.join(self.root_folder, path))
        return None if found.startswith("../") else self.run.tree.text(found)

    def paths(self) -> Collection[str]:
        """The paths of all files below the scan root."""
        return self.run.tree.paths

    def _output(self, name: str) -> Node:
        block = self.contents.outputs[name]
        written = _body(block).get("value")
        outside = f"module.{self.caller.name}.{name}" if self.caller is not None else f"output.{name}"
        if written is None:
            return block.holding(Unknown(outside, "it has no value"))
        found = self._once(("output", name), block, lambda: self.handed(self.evaluator.evaluate(written), outside))
        return block.holding(found) if isinstance(found, Unknown) else found

    def handed(self, node: Node, name: str) -> Node:
        """A value of this module as it is under `name` in the module that called, or in one that it calls."""
        try:
            return passed(node, name, self.prefix, self.evaluator.charge)
        except Unresolved as why:
            return node.holding(Unknown(name, str(why)))

    def _once(self, key: _Key, place: Node, make: Callable[[], Node | Unknown]) -> Node | Unknown:
        """What `make` says, asked once; Unknown and a problem when it needs itself to say it."""
        found = self._known.get(key)
        if found is _EVALUATING:
            message = f"{'.'.join(key) if key[0] != 'resource' else key[1]} refers to itself"
            self.run.report(place, message)
            found = self._known[key] = Unknown(".".join(key), message)
        if found is not None:
            return found
        if self.run.chain >= _LONGEST_CHAIN:
            return Unknown(".".join(key), "too many values lead from one to the next")
        self._known[key] = _EVALUATING
        self.run.chain += 1
        try:
            value = make()
        finally:
            self.run.chain -= 1
        if self._known[key] is _EVALUATING:
            self._known[key] = value
        return self._known[key]


class Child(NamedTuple):
    """An instance of a called module, and the key that it has in addresses when there are several (`["eu"]`)."""

    key: str
    instance: Instance


class Call:
    """A `module` block of one instance, and the instances of the module that it makes."""

    def __init__(self, owner: Instance, name: str, block: Node) -> None:
        self.owner = owner
        self.name = name
        self.block = block
        self._arguments: dict[str, dict[str, Node]] = {}
        self._children: list[Child] | None = None
        self._repetition: Repetition | None = None
        self._because = ""

    def children(self) -> list[Child]:
        """The instances; of those that get the same arguments one, without a key."""
        children = self._made()
        if len(children) > 1 and not self._differ(children):
            children[1:] = []
            children[0] = Child("", children[0].instance)
            children[0].instance.key = ""
        return children

    def evaluated(self, key: str) -> Mapping[str, Node]:
        """The arguments that have been evaluated so far for the instance with this key, as the caller has them."""
        return self._arguments.get(key, {})

    def value(self) -> Node | Unknown:
        """What `module.<name>` is to the caller."""
        children = self._made()
        if self._because:
            return Unknown(f"module.{self.name}", self._because)
        repeated = self._repetition
        if repeated is None or not repeated.by:
            return self.block.holding(children[0].instance.outputs)
        if repeated.instances is None:
            return Unknown(f"module.{self.name}", repeated.because)
        shared = len(children) == 1
        members = [
            self.block.holding(children[0 if shared else at].instance.outputs) for at in range(len(repeated.instances))
        ]
        if repeated.by == "count":
            return self.block.holding(tuple(members))
        return self.block.holding({str(key): members[at] for at, (key, _) in enumerate(repeated.instances)})

    def _made(self) -> list[Child]:
        if self._children is None:
            self._children, self._because = [], _ITSELF  # should it be asked for while it is made
            self._children = self._make()
        elif self._because is _ITSELF:
            self.owner.run.report(self.block, f"module.{self.name}: {_ITSELF}")
        return self._children

    def _make(self) -> list[Child]:
        folder, self._because = self._folder()
        if folder is None:
            return []
        self._repetition = found = repetition(self.block, self.owner.evaluator.evaluate)
        instances = found.instances
        if instances is None or len(instances) > MOST_INSTANCES:
            return self._instance(folder, "", NO_NAMES)
        if len(instances) < 2 or not mentions_instance(self.block):
            return self._instance(folder, "", instances[0][1]) if instances else []
        return [child for key, names in instances for child in self._instance(folder, suffix(key), names)]

    def _folder(self) -> tuple[Folder | None, str]:
        """The folder that is called, or why there is nothing to look into."""
        run, owner = self.owner.run, self.owner
        source = _body(self.block).get("source")
        text = owner.evaluator.evaluate(source).text if source is not None else None
        found = local_source(owner.folder, text, run.folders, run.tree) if text else None
        if source is None or found is None:
            return None, f"module.{self.name} is not in the repository"
        if found.because:
            if found.missing:
                run.report(source, f"module.{self.name}: {found.because}")
            return None, f"module.{self.name} is not in the repository: {found.because}"
        if any(found.path == above.folder for above in owner.callers()):
            message = f"module.{self.name} calls the module that it stands in"
            run.report(source, message)
            return None, message
        if owner.depth >= _DEEPEST:
            return self._given_up(found.path, f"modules are called more than {_DEEPEST} deep")
        return run.folders[found.path], ""

    def _given_up(self, path: str, because: str) -> tuple[None, str]:
        run = self.owner.run
        run.unvisited[path] = None
        run.report(self.block, f"{because}: module.{self.name} is not looked into here")
        return None, because

    def _instance(self, folder: Folder, key: str, names: Names) -> list[Child]:
        owner, run = self.owner, self.owner.run
        if run.modules >= MOST_MODULES:
            _, self._because = self._given_up(folder.path, f"a root module has more than {MOST_MODULES} modules")
            return []
        run.modules += 1

        known = self._arguments.setdefault(key, {})

        def argument(name: str, written: Node) -> Node:
            if name not in known:
                known[name] = owner.evaluator.evaluate(written, names)
            return owner.handed(known[name], f"var.{name}")

        instance = Instance(run, folder, Arguments(self.block, argument), self)
        instance.key = key
        return [Child(key, instance)]

    def _differ(self, children: list[Child]) -> bool:
        """Whether the instances get different arguments."""
        names = [name for name in _body(self.block) if name not in _META]
        first = [children[0].instance.variable(name) for name in names]
        return any(
            not _equal(child.instance.variable(name), value)
            for child in children[1:]
            for name, value in zip(names, first, strict=True)
        )


def _equal(left: Node | Unknown, right: Node | Unknown) -> bool:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left == right
    return same(left, right)


def _body(block: Node) -> Mapping[str, Node]:
    return block.mapping_at("body")


def _plain(node: Node) -> Node | Unknown:
    """The node, or what is unknown by itself: `local.id` that is `aws_vpc.main.id` stays that reference."""
    return node.value if isinstance(node.value, Unknown) else node
