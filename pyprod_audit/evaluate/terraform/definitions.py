"""What the names in the expressions of one Terraform module stand for."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from typing import Final, Protocol

from pyprod_audit.evaluate.terraform.values import Invalid
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers.hcl_expression import WORDS, Step

BUDGET: Final = 500_000
"""How many steps and values the expressions of one module may cost that loops and references multiply."""

Names = Mapping[str, Node]
NO_NAMES: Final[Names] = {}


class Definitions(Protocol):
    """What the names of one module (one instance of it) stand for.

    A `Node` that is returned carries its own place, and the `via` that it came through before; the evaluator adds the
    place itself as one more stop. `Unknown` says why there is no value. Values that a declared type turns into lists,
    sets and maps are `ListValue`, `SetValue` and `MapValue` of `values`; plain tuples and dicts are tuples
    and objects, as literals are.
    """

    folder: str
    """The module's folder, relative to the scan root; "" for the scan root itself."""
    root_folder: str
    """The folder that terraform runs in, relative to the scan root: the folder of the root module."""

    def variable(self, name: str) -> Node | Unknown:
        """The value of `var.<name>`, or why there is none."""

    def local(self, name: str) -> Node | Unknown:
        """The value of `local.<name>`, or why there is none."""

    def module(self, name: str) -> Node | Unknown:
        """`module.<name>`: the object of its outputs, a tuple of objects with `count`, a map with `for_each`."""

    def resource(self, address: str) -> Node | Unknown:
        """The arguments that the configuration writes of `aws_x.y` or `data.aws_x.y`, computed ones as Unknown members.

        Unknown (`computed by aws_x.y`) when nothing is to be told.
        """

    def file(self, path: str) -> SourceFile | None:
        """The file at `path`, relative to the folder that terraform runs in; None when it is not there, or outside."""

    def paths(self) -> Collection[str]:
        """The paths of all files below the scan root, relative to it: what `fileset` and `fileexists` see."""


class Effort:
    """How deep evaluation is, how much more work it may do, and what it has read.

    Evaluators that need each other's values share one. `templates` and `decoded` are files as templates and as data.
    """

    __slots__ = ("budget", "decoded", "depth", "templates")

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self.depth = 0
        self.templates: dict[str, Node] = {}
        self.decoded: dict[str, Node] = {}


class Scope(dict[str, Node]):
    """Names with those of `for` loops among them.

    `labels` are what the places of the loops' members are ("local.services"); "" for members of literals, which stand
    where they are wanted already.
    """

    __slots__ = ("labels",)

    def __init__(self, names: Names, own: Names, label: str = "") -> None:
        super().__init__(names)
        self.update(own)
        outer = names.labels if isinstance(names, Scope) else {}
        self.labels: dict[str, str] = {**outer, **dict.fromkeys(own, label)}


def defined(
    definitions: Definitions, name: str, steps: tuple[Step, ...], text: str
) -> tuple[Node | Unknown, str, tuple[Step, ...]]:
    """What the first words of a reference stand for, those words, and the steps behind them.

    Raises Invalid when they can stand for nothing.
    """
    first = steps[0] if steps else None
    if isinstance(first, str):
        label, rest = f"{name}.{first}", steps[1:]
        if name == "var":
            return definitions.variable(first), label, rest
        if name == "local":
            return definitions.local(first), label, rest
        if name == "module":
            return definitions.module(first), label, rest
        if name == "data" and len(steps) > 1 and isinstance(steps[1], str):
            label, rest = f"data.{first}.{steps[1]}", steps[2:]
            found = definitions.resource(label)
            return Unknown(label, f"read by {label}") if isinstance(found, Unknown) else found, label, rest
        if "_" in name and name not in _NAMES_OF_ITS_OWN:
            return definitions.resource(label), label, rest
    return Unknown(text, _because(name, first)), text, ()


def path_of(definitions: Definitions, steps: tuple[Step, ...], text: str) -> str | Unknown:
    """`path.module` and `path.root` as they are where terraform runs; `path.cwd` is not known."""
    if steps == ("root",):
        return "."
    if steps == ("module",):
        return posixpath.relpath("/" + definitions.folder, "/" + definitions.root_folder)
    return Unknown(text, _NAMES_OF_ITS_OWN["path"])


_NAMES_OF_ITS_OWN: Final = {
    "each": "it differs between the instances of for_each",
    "count": "it differs between the instances of count",
    "self": "it is known only at deploy time",
    "path": "it depends on where terraform runs",
    "terraform": "the workspace is chosen at deploy time",
}


def _because(name: str, first: Step) -> str:
    if name in WORDS:
        raise Invalid(f"{name} has no members")
    if name in _NAMES_OF_ITS_OWN:
        return _NAMES_OF_ITS_OWN[name]
    if not isinstance(first, str) or ("_" not in name and name not in ("data", "module")):
        return f"{name} is a name, not a value"
    return f"computed by {name}.{first}"
