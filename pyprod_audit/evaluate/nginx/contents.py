"""What stands in a block of nginx once its includes are put in, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from pyprod_audit.evaluate.nginx.files import ConfigFile
from pyprod_audit.evaluate.nginx.includes import Includes, is_standard
from pyprod_audit.model.node import Node
from pyprod_audit.model.resource import Problem

_MAX_INCLUDES: Final = 20


class Placed(NamedTuple):
    """A directive with the locations of the files that lead to it, the innermost last."""

    directive: Node
    chain: tuple[str, ...]


@dataclass(slots=True)
class Level:
    """What stands in one block: simple directives by name, blocks, and what the repository does not have.

    `names` are the simple directives' names, the first of each; `sets` the arguments of `set`, with whether an `if`
    guards them.
    """

    own: dict[str, list[Node]]
    names: list[Node]
    blocks: list[Placed]
    incomplete: tuple[Node, ...]
    sets: list[tuple[Node, bool]]


class Contents:
    """Reads blocks; `budget` is how many directives may still be read, `problems` are what could not be followed."""

    def __init__(self, includes: Includes, budget: int) -> None:
        self.includes = includes
        self.budget = budget
        self.problems: list[Problem] = []
        self._reported: set[tuple[str, str]] = set()

    def level(self, items: Sequence[Node], chain: tuple[str, ...]) -> Level:
        """The contents of a block whose directives are `items`, in a file that `chain` leads to."""
        level = Level({}, [], [], (), [])
        missing: list[Node] = []
        for placed in self.directives(items, chain, missing):
            members = placed.directive.mapping
            name, args = members["name"], members["args"]
            word = name.value
            if not isinstance(word, str):
                missing.append(name)
            elif "block" in members:
                level.blocks.append(placed)
                if word == "if":
                    inner = (child.mapping for child in members["block"].items)
                    level.sets.extend((child["args"], True) for child in inner if child["name"].value == "set")
            else:
                if word not in level.own:
                    level.own[word] = []
                    level.names.append(name)
                level.own[word].append(args)
                if word == "set":
                    level.sets.append((args, False))
        level.incomplete = tuple(missing)
        return level

    def directives(self, items: Sequence[Node], chain: tuple[str, ...], missing: list[Node]) -> Iterator[Placed]:
        """The directives, with those of the included files in the place of each `include`.

        The arguments of includes that the repository does not have are added to `missing`.
        """
        pending = [(iter(items), chain)]
        while pending:
            directive = next(pending[-1][0], None)
            if directive is None:
                pending.pop()
                continue
            chain = pending[-1][1]
            self.budget -= 1
            if self.budget < 0:
                self.problem("too much to expand: files that include each other many times over", directive)
                return
            members = directive.mapping
            if members["name"].value == "include" and "block" not in members and members["args"].items:
                found = self._included(members["args"].items[0], chain, missing)
                pending.extend((iter(file.directives), (*chain, file.location)) for file in reversed(found))
            else:
                yield Placed(directive, chain)

    def _included(self, argument: Node, chain: tuple[str, ...], missing: list[Node]) -> list[ConfigFile]:
        """The files that an include brings in here; notes the argument when it is not in the repository."""
        main = self.includes.main_of(chain[0])
        found = self.includes.resolve(argument, chain[-1], main)
        if self.includes.is_itself(argument, chain[-1], main):
            self.problem("the file includes itself", argument)
            return []
        if not found and not is_standard(argument.text or ""):
            missing.append(argument)
        if found and len(chain) > _MAX_INCLUDES:
            self.problem(f"includes are nested deeper than {_MAX_INCLUDES}", argument)
            return []
        usable = [file for file in found if file.location not in chain]
        if len(usable) < len(found):
            self.problem("the file includes itself, directly or through others", argument)
        return usable

    def problem(self, message: str, place: Node) -> None:
        """Note what could not be followed, once for each file."""
        path = place.source.path
        if (path, message) not in self._reported:
            self._reported.add((path, message))
            self.problems.append(Problem("evaluate", path, f"nginx: {message}", place.span.line))
