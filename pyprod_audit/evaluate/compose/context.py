"""What Compose files are loaded with, and what one document comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from pyprod_audit.evaluate.compose.project_environment import ProjectEnvironment
from pyprod_audit.evaluate.compose.resets import Paths
from pyprod_audit.model import Node

MAX_NESTED: Final = 16
"""How deep includes and extends may go."""


@dataclass(frozen=True, slots=True)
class Context:
    """What files are loaded with.

    `folder`: of the project, relative to the scan root; `included`: the files on the way here, outermost first.
    """

    folder: str
    environment: ProjectEnvironment
    included: tuple[str, ...] = ()


class Loaded(NamedTuple):
    """One document, filled in; `resets`: what it takes back of the files before it."""

    model: Node
    resets: Paths
