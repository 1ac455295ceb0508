"""What parsers produce: typed things, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pyprod_audit.model.node import Node
from pyprod_audit.model.source import SourceFile, Via


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One thing a rule can look at.

    `kind` is `<technology>.<thing>` ("k8s.container", "docker.stage", "tf.aws_db_instance"; docs/model.md lists
    all); `address` is stable and free of line numbers ("Deployment/web/containers[web]"). `variant` names the
    deployment that it belongs to when the same files are deployed in several ways ("charts/web with values-prod.yaml",
    "overlays/prod", "module.db"), and `via` are the places that made it so.
    """

    kind: str
    address: str
    node: Node
    parent: Resource | None = None
    variant: str = ""
    via: tuple[Via, ...] = ()

    @property
    def source(self) -> SourceFile:
        """The file the resource is written in."""
        return self.node.source

    @property
    def path(self) -> str:
        """The path of that file."""
        return self.node.source.path

    def ancestors(self) -> Iterator[Resource]:
        """The parent, its parent, and so on."""
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent


class Problem(NamedTuple):
    """Something the tool could not do.

    `stage` is one of read, parse, evaluate, link, check, config; `path` is relative to the scan root, `line` 1-based.
    """

    stage: str
    path: str
    message: str
    line: int | None = None


@dataclass(slots=True)
class Parsed:
    """The result of reading one file. `partial` says that part of the file was given up (and why is a problem)."""

    resources: list[Resource] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    partial: bool = False
