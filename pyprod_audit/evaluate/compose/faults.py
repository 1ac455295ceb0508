"""What is wrong with the Compose files of a tree, each thing once."""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Node, Problem, Span

_MAX_FAULTS: Final = 100


class Faults:
    """Collects problems; the same file may belong to several projects, and is wrong once all the same."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, str], Problem] = {}

    def add(self, message: str, place: Node | Span) -> None:
        """Notes that `message` holds at `place`."""
        span = place.anchor if isinstance(place, Node) else place
        if len(self._found) < _MAX_FAULTS:
            problem = Problem("evaluate", span.file.path, message, span.line)
            self._found.setdefault((problem.path, span.start, message), problem)

    def problems(self) -> list[Problem]:
        """All of them, in order of discovery."""
        return list(self._found.values())
