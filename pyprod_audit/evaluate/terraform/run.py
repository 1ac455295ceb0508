"""What the modules of one evaluation share: the folders, what is counted, and the problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.expressions import Effort
from pyprod_audit.evaluate.terraform.modules import Folder, block_labels
from pyprod_audit.evaluate.terraform.types import Constraint, constraint_of
from pyprod_audit.model import Node, Problem, Tree

_EFFORT: Final = 300_000
_EFFORT_OF_ALL: Final = 5_000_000


class Run:
    """What all module instances of one evaluation share.

    `unvisited`: folders whose calls were given up, so that nothing in them has been looked at yet; `chain`: how many
    values lead from one to the next just now; `modules`: the instances below the present root module.
    """

    def __init__(self, folders: Mapping[str, Folder], tree: Tree) -> None:
        self.folders = folders
        self.tree = tree
        self.problems: dict[tuple[str, str, int | None], Problem] = {}
        self.unvisited: dict[str, None] = {}
        self.visited: set[str] = set()
        self.modules = 0
        self.chain = 0
        self.effort = Effort(0)
        self._effort_left = _EFFORT_OF_ALL
        self._effort_of_this = 0
        self.instances: list[object] = []
        self._contents: dict[str, Contents] = {}

    def start(self) -> None:
        """Begins with a root module, whose work is counted for itself."""
        self.finish()
        self.modules = 0
        self._effort_left -= self._effort_of_this - max(self.effort.budget, 0)
        self._effort_of_this = max(min(_EFFORT, self._effort_left), 0)
        self.effort = Effort(self._effort_of_this)

    def finish(self) -> None:
        """Lets go of the instances: they hold each other, and nothing collects what does so during a scan."""
        for instance in self.instances:
            vars(instance).clear()
        self.instances.clear()

    def report(self, place: Node, message: str) -> None:
        """Notes a problem, the same one once."""
        path, line = place.source.path, place.span.line
        self.problems.setdefault((path, message, line), Problem("evaluate", path, message, line))

    def contents(self, folder: Folder) -> Contents:
        """What a folder declares, by name."""
        if folder.path not in self._contents:
            self._contents[folder.path] = Contents(folder)
        return self._contents[folder.path]


class Contents:
    """What a folder declares, by name: the same for all instances."""

    def __init__(self, folder: Folder) -> None:
        self.blocks = folder.blocks
        self.variables = _labelled(folder, "variable")
        self.outputs = _labelled(folder, "output")
        self.modules = _labelled(folder, "module")
        self.locals = {name: node for block in folder.of_type("locals") for name, node in _body(block).items()}
        self._folder = folder
        self._resources: dict[str, Node] | None = None
        self._constraints: dict[str, Constraint | None] = {}

    def resource(self, address: str) -> Node | None:
        """The block of `aws_x.y` or `data.aws_x.y`."""
        if self._resources is None:
            self._resources = dict(_named_blocks(self._folder))
        return self._resources.get(address)

    def constraint(self, name: str) -> Constraint | None:
        """What a variable's type says; None when it cannot be read."""
        if name not in self._constraints:
            self._constraints[name] = constraint_of(_body(self.variables[name]).get("type"))
        return self._constraints[name]


def _labelled(folder: Folder, keyword: str) -> dict[str, Node]:
    """The blocks with one label, by that."""
    return {labels[0]: block for block in folder.of_type(keyword) if len(labels := block_labels(block)) == 1}


def _body(block: Node) -> Mapping[str, Node]:
    return block.mapping_at("body")


def _named_blocks(module: Folder) -> Iterator[tuple[str, Node]]:
    for keyword, prefix in (("resource", ""), ("data", "data.")):
        for block in module.of_type(keyword):
            labels = block_labels(block)
            if len(labels) == 2:
                yield prefix + ".".join(labels), block
