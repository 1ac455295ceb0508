"""The variables that a Compose project is read with: `.env` beside its files, and what `include` adds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyprod_audit.evaluate.compose.env_files import is_templated, read_environment_file
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.model import Node, SourceFile, Tree, Unknown

PROJECT_NAME = "COMPOSE_PROJECT_NAME"


@dataclass(frozen=True, slots=True)
class ProjectEnvironment:
    """Variables by name; `broken` is the place from which on a file of them cannot be read, so that more may be set."""

    variables: dict[str, Node] = field(default_factory=dict)
    broken: Node | None = None

    def lookup(self, name: str) -> Node | None:
        """The variable of a name: a text or Unknown at its place; None when no file sets it."""
        return self.variables.get(name) or self.broken

    def text(self, name: str) -> str | None:
        """The value of a variable that is known."""
        found = self.variables.get(name)
        return found.text if found is not None else None

    def with_variable(self, name: str, node: Node) -> ProjectEnvironment:
        """The same with one more variable, stronger than what files set."""
        return ProjectEnvironment({**self.variables, name: node}, self.broken)


def environment_of(
    paths: Iterable[str], tree: Tree, faults: Faults, stronger: ProjectEnvironment | None = None
) -> ProjectEnvironment:
    """The variables of the environment files at `paths`, later ones stronger; those of `stronger` win over all.

    Files that are not there set nothing, and names without a value pass on nothing that is not known anyway.
    """
    above = stronger or ProjectEnvironment()
    variables: dict[str, Node] = {}
    broken = above.broken

    for path in paths:
        source = tree.text(path)
        if source is None:
            continue
        read = read_environment_file(source, above.variables.get, variables.get)
        variables.update(read.variables)
        if read.fault is not None:
            broken = broken or note_fault(source, read.fault, faults)
    return ProjectEnvironment({**variables, **above.variables}, broken)


def note_fault(source: SourceFile, fault: tuple[int, str], faults: Faults) -> Node:
    """Reports why an environment file cannot be read further; the result stands for what it may set."""
    offset, message = fault
    span = source.span(offset, offset + 1).first_line
    if not is_templated(source.text):
        faults.add(f"not a valid environment file: {message}", span)
    unknown = Unknown(source.path, f"{source.path} cannot be read as a whole")
    return Node(unknown, source, span.start, span.end)
