"""What the variables of a module are set to: by variable files in a root module, by the caller in any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from pyprod_audit.evaluate.terraform.modules import Folder
from pyprod_audit.evaluate.terraform.repetition import same
from pyprod_audit.evaluate.terraform.types import Constraint, constrained
from pyprod_audit.evaluate.terraform.values import Invalid, Unresolved
from pyprod_audit.model import Node, Unknown

CALLER: Final = "set by the module's caller"


class Assigned(NamedTuple):
    """A value that something assigns to a variable, and who does ("terraform.tfvars sets var.size")."""

    node: Node
    label: str


class Assignments(Protocol):
    """Where the values of a module's variables come from."""

    def assigned(self, name: str) -> Assigned | Unknown | None:
        """What is assigned to a variable; Unknown when that is open; None when nothing is: the default counts."""


class NoCaller:
    """A module that is there to be called, from elsewhere."""

    def assigned(self, name: str) -> Assigned | Unknown | None:
        """Always Unknown."""
        return Unknown(f"var.{name}", CALLER)


class VariableFiles:
    """The variable files of a root module.

    What the user named wins over what applies by itself. When nobody named anything and another variable file in the
    folder or below sets a variable to something else, it is Unknown.
    """

    def __init__(self, folder: Folder) -> None:
        self._assigned: dict[str, Assigned] = {}
        self._alternatives: dict[str, list[Node]] = {}
        for file in (*folder.automatic, *folder.named):
            for name, node in file.node.mapping_at("attributes").items():
                self._assigned[name] = Assigned(node, f"{_base(file.path)} sets var.{name}")
        for file in folder.chosen:
            for name, node in file.node.mapping_at("attributes").items():
                self._alternatives.setdefault(name, []).append(node)

    def assigned(self, name: str) -> Assigned | Unknown | None:
        """What the files that apply set."""
        return self._assigned.get(name)

    def alternatives(self, name: str) -> list[Node]:
        """What variable files say that apply only when they are named."""
        return self._alternatives.get(name, [])


def _base(path: str) -> str:
    return path.rpartition("/")[2]


class Arguments:
    """The arguments of a module call; `value` evaluates one for the module that is called."""

    def __init__(self, block: Node, value: Callable[[str, Node], Node]) -> None:
        self._written: Mapping[str, Node] = block.mapping_at("body")
        self._value = value

    def assigned(self, name: str) -> Assigned | Unknown | None:
        """What the caller passes."""
        written = self._written.get(name)
        return None if written is None else Assigned(self._value(name, written), f"the caller sets {name}")


def value_of(
    name: str,
    block: Node,
    constraint: Constraint | None,
    assignments: Assignments,
    evaluate: Callable[[Node], Node],
) -> Assigned | Unknown:
    """The value of a variable, of the type that it declares, or why there is none."""
    body = block.mapping_at("body")
    found = assignments.assigned(name)
    if isinstance(found, Unknown):
        return found
    others = assignments.alternatives(name) if isinstance(assignments, VariableFiles) else []
    default = Assigned(body["default"], f"the default of var.{name}") if "default" in body else None
    if found is None or (found.node.value is None and not _nullable(body)):
        found = default
    if found is None and others:
        found = Assigned(others[0], f"{_base(others[0].source.path)} sets var.{name}")
    if found is None:
        because = f"nobody sets var.{name}" if isinstance(assignments, Arguments) else f"var.{name} has no default"
        return Unknown(f"var.{name}", because)
    value = evaluate(found.node)
    for other in others:
        if not _known_same(value, evaluate(other)):
            return Unknown(f"var.{name}", f"{other.source.path} sets var.{name}")
    if isinstance(value.value, Unknown):
        return value.value
    if constraint is None:
        return Unknown(f"var.{name}", f"the type of var.{name} cannot be read")
    try:
        return Assigned(constrained(value, constraint), found.label)
    except Invalid as why:
        return Unknown(f"var.{name}", f"the value does not fit the type of var.{name}: {why}")
    except Unresolved as why:
        return Unknown(f"var.{name}", str(why))


def _nullable(body: Mapping[str, Node]) -> bool:
    node = body.get("nullable")
    return node is None or node.value is not False


def _known_same(left: Node, right: Node) -> bool:
    """Whether two values are equal and all of them is known."""
    return same(left, right) and not any(node.is_unknown for node in left.walk())
