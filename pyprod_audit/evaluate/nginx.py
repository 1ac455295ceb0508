"""The effective configuration of nginx: includes resolved, inheritance applied, per block.

Entry points are the files with an `http`, `events` or `stream` block that nobody includes. Other files that nobody
includes are read as files of `conf.d`, inside an `http` block that is not in the repository, or as snippets of an
unknown server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pyprod_audit.evaluate import nginx_values as values
from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.nginx_graph import ENTRY_BLOCKS, HTTP_BLOCKS, directives_of, starting_points
from pyprod_audit.evaluate.nginx_includes import Includes, is_for_sites, is_standard
from pyprod_audit.evaluate.nginx_inheritance import effective
from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.resource import Problem, Resource
from pyprod_audit.model.tree import Tree

_MAX_INCLUDES: Final = 20
_MAX_NESTING: Final = 30
_MIN_BUDGET: Final = 500_000
_MAX_LABEL = 120
_VARIABLES = frozenset({"map", "geo", "split_clients"})
_UNKNOWN_SERVER = Unknown("the including server", "the server that includes this file is not in the repository")


def evaluate(files: Sequence[Resource], _tree: Tree) -> Evaluated:
    """The effective blocks of all configurations.

    Args:
        files: all `nginx.config` resources of the repository. An include of anything else is unresolved, whether the
            path exists or not.

    Returns:
        The resources of the kinds in docs/model.md, a parent before its children, and what could not be followed
        (include cycles, includes or blocks nested too deep, too much to expand).
    """
    includes = Includes(files)
    evaluation = _Evaluation(includes, max(_MIN_BUDGET, 50 * sum(len(directives_of(file)) for file in files)))
    for file in starting_points(files, includes):
        evaluation.file(file)
    return Evaluated(evaluation.resources, evaluation.problems)


class _Placed(NamedTuple):
    """A directive with the files that lead to it, the innermost last."""

    directive: Node
    chain: tuple[str, ...]


@dataclass(slots=True)
class _Scope:
    """What a block hands to the blocks in it."""

    resource: Resource | None = None
    directives: dict[str, Node] = field(default_factory=dict)
    variables: dict[str, Node] = field(default_factory=dict)
    incomplete: tuple[Node, ...] = ()
    address: str = ""
    depth: int = 0


@dataclass(slots=True)
class _Level:
    """What stands in one block once its includes are put in."""

    own: dict[str, list[Node]]
    names: list[Node]
    blocks: list[_Placed]
    incomplete: tuple[Node, ...]
    sets: list[tuple[Node, bool]]


class _Evaluation:
    """The walk over all blocks."""

    def __init__(self, includes: Includes, budget: int) -> None:
        self.includes = includes
        self.budget = budget
        self.resources: list[Resource] = []
        self.problems: list[Problem] = []
        self._places: dict[tuple[str, str, str], set[int]] = {}
        self._reported: set[tuple[str, str]] = set()

    # -- files ---------------------------------------------------------------------------------------------

    def file(self, file: Resource) -> None:
        """Evaluate one file that nobody includes."""
        level = self._level(directives_of(file), (file.path,))
        blocks = {placed.directive.mapping["name"].text for placed in level.blocks}
        if blocks & ENTRY_BLOCKS:
            self._entry(level)
        elif blocks & HTTP_BLOCKS:
            scope = _Scope(None, effective({}, level.own), self._mapped(level, {}), level.incomplete)
            self._children(level.blocks, scope)
        else:
            self._snippet(file, level)

    def _entry(self, level: _Level) -> None:
        """Evaluate a main configuration; servers outside `http` (after a brace too many) are read as inside."""
        main = _Scope(directives={"error_log": node} if (node := effective({}, level.own).get("error_log")) else {})
        http: _Scope | None = None
        loose: list[_Placed] = []
        for placed in level.blocks:
            name = placed.directive.mapping["name"].text
            if name == "http":
                http = self._block(placed, "nginx.http", "http", main)
            elif name == "stream":
                self._stream(placed, main)
            elif name in HTTP_BLOCKS or name == "location":
                loose.append(placed)
        if loose:
            self._children(loose, http or _Scope(directives=effective({}, level.own), incomplete=level.incomplete))

    def _snippet(self, file: Resource, level: _Level) -> None:
        """Evaluate a file of directives for a server that is not known."""
        unknown = Node(_UNKNOWN_SERVER, file.source, 0, 0)
        scope = _Scope(incomplete=(unknown, *level.incomplete))
        scope.directives = effective({}, level.own)
        scope.variables = self._variables(level, {})
        if level.own:
            node = self._node(file.node, level, scope)
            scope.resource = Resource("nginx.snippet", file.path, Node(node, file.source, 0, len(file.source.text)))
            self.resources.append(scope.resource)
        self._children(level.blocks, scope)

    def _stream(self, placed: _Placed, main: _Scope) -> None:
        """Evaluate the servers and upstreams of a `stream` block, which is no resource itself."""
        level = self._level(placed.directive.mapping["block"].items, placed.chain)
        scope = _Scope(
            None, effective(main.directives, level.own), self._mapped(level, {}), level.incomplete, "stream", 1
        )
        for block in level.blocks:
            name = block.directive.mapping["name"].text
            if name == "server":
                self._server(block, scope, "nginx.stream_server")
            elif name == "upstream":
                self._upstream(block, scope)

    # -- blocks --------------------------------------------------------------------------------------------

    def _children(self, blocks: Iterable[_Placed], scope: _Scope) -> None:
        for placed in blocks:
            args = placed.directive.mapping["args"].items
            match placed.directive.mapping["name"].text:
                case "server":
                    self._server(placed, scope, "nginx.server")
                case "upstream":
                    self._upstream(placed, scope)
                case "location":
                    parts = values.location(args)
                    pattern = {"location": _sequence(parts, placed.directive)}
                    self._block(placed, "nginx.location", f"location[{_words(parts)}]", scope, pattern)
                case "if":
                    condition = {"condition": _sequence(args, placed.directive)}
                    self._block(placed, "nginx.if", f"if[{_words(args)}]", scope, condition)
                case "limit_except":
                    methods = {"methods": _sequence(args, placed.directive)}
                    self._block(placed, "nginx.limit_except", f"limit_except[{_words(args)}]", scope, methods)

    def _server(self, placed: _Placed, scope: _Scope, kind: str) -> None:
        level = self._level(placed.directive.mapping["block"].items, placed.chain)
        if kind == "nginx.server" and "proxy_pass" in level.own:
            kind = "nginx.stream_server"  # a server of http cannot have it outside a location
        directives = effective(scope.directives, level.own)
        listens = values.listens(directives, placed.directive)
        names = values.server_names(directives, placed.directive)
        first = listens[0].mapping
        port = _words([first["port"]]) if "port" in first else _words([first["unix"]]) if "unix" in first else "?"
        extra = {"listens": _sequence(listens, placed.directive), "server_names": _sequence(names, placed.directive)}
        self._block(placed, kind, f"server[{_words(names[:1])}:{port}]", scope, extra, level)

    def _upstream(self, placed: _Placed, scope: _Scope) -> None:
        level = self._level(placed.directive.mapping["block"].items, placed.chain)
        args = placed.directive.mapping["args"].items
        servers = tuple(values.upstream_server(found) for found in level.own.pop("server", []))
        extra = {"servers": _sequence(servers, placed.directive)}
        if args:
            extra["name"] = args[0]
        self._block(placed, "nginx.upstream", f"upstream[{_words(args[:1])}]", _Scope(scope.resource), extra, level)

    def _block(
        self,
        placed: _Placed,
        kind: str,
        label: str,
        outer: _Scope,
        extra: Mapping[str, Node] | None = None,
        level: _Level | None = None,
    ) -> _Scope | None:
        """Evaluate one block and those in it; None when it is reported already or nested too deep."""
        directive = placed.directive
        address = self._address(f"{outer.address}/{label}" if outer.address else label, kind, directive)
        if not address:
            return None
        if outer.depth >= _MAX_NESTING:
            self._problem(f"blocks are nested deeper than {_MAX_NESTING} once includes are resolved", directive)
            return None
        level = level or self._level(directive.mapping["block"].items, placed.chain)
        nameless = kind in ("nginx.if", "nginx.limit_except")
        scope = _Scope(
            directives=effective(outer.directives, level.own, nameless=nameless),
            variables=self._variables(level, self._mapped(level, outer.variables)),
            incomplete=_handed_down(outer) + level.incomplete,
            address="" if kind == "nginx.http" else address,
            depth=outer.depth + 1,
        )
        self.budget -= len(scope.directives)
        node = self._node(directive, level, scope)
        node.update(extra or {})
        place = Node(node, directive.source, directive.start, directive.end, directive.key_start, directive.key_end)
        scope.resource = Resource(kind, address, place, outer.resource)
        self.resources.append(scope.resource)
        self._children(level.blocks, scope)
        return scope

    def _node(self, directive: Node, level: _Level, scope: _Scope) -> dict[str, Node]:
        node = dict(scope.directives)
        node["own"] = _sequence(tuple(level.names), directive)
        if scope.variables:
            node["variables"] = Node(scope.variables, directive.source, directive.start, directive.end)
        if scope.incomplete:
            node["incomplete"] = _sequence(scope.incomplete, directive)
        return node

    def _address(self, address: str, kind: str, directive: Node) -> str:
        """The address, with `#2` … for further blocks of one file; empty when this block has been reported."""
        starts = self._places.setdefault((directive.source.path, kind, address), set())
        if directive.start in starts:
            return ""
        starts.add(directive.start)
        return address if len(starts) == 1 else f"{address}#{len(starts)}"

    # -- contents ------------------------------------------------------------------------------------------

    def _level(self, items: Sequence[Node], chain: tuple[str, ...]) -> _Level:
        """The contents of a block with its includes put in, in order."""
        level = _Level({}, [], [], (), [])
        incomplete: list[Node] = []
        pending = [(iter(items), chain)]
        while pending:
            directive = next(pending[-1][0], None)
            if directive is None:
                pending.pop()
                continue
            chain = pending[-1][1]
            self.budget -= 1
            if self.budget < 0:
                self._problem("too much to expand: files that include each other many times over", directive)
                break
            members = directive.mapping
            name, args = members["name"], members["args"]
            word = name.value
            if not isinstance(word, str):
                incomplete.append(name)
            elif "block" in members:
                level.blocks.append(_Placed(directive, chain))
                if word == "if":
                    inner = (child.mapping for child in members["block"].items)
                    level.sets.extend((child["args"], True) for child in inner if child["name"].value == "set")
            elif word == "include" and args.items:
                found = self._included(args.items[0], chain, incomplete)
                pending.extend((iter(directives_of(file)), (*chain, file.path)) for file in reversed(found))
            else:
                if word not in level.own:
                    level.own[word] = []
                    level.names.append(name)
                level.own[word].append(args)
                if word == "set":
                    level.sets.append((args, False))
        level.incomplete = tuple(incomplete)
        return level

    def _included(self, argument: Node, chain: tuple[str, ...], incomplete: list[Node]) -> list[Resource]:
        """The files that an include brings in here; notes the argument when it is not in the repository."""
        found = self.includes.resolve(argument)
        if not found and not is_standard(argument.text or ""):
            incomplete.append(argument)
        if found and len(chain) > _MAX_INCLUDES:
            self._problem(f"includes are nested deeper than {_MAX_INCLUDES}", argument)
            return []
        usable = [file for file in found if file.path not in chain]
        if len(usable) < len(found):
            self._problem("the file includes itself, directly or through others", argument)
        return usable

    def _variables(self, level: _Level, outer: dict[str, Node]) -> dict[str, Node]:
        """The variables that `set` defines here, over those from outside."""
        if not level.sets:
            return outer
        variables = dict(outer)
        for args, conditional in level.sets:
            values.set_variable(variables, args.items, conditional=conditional)
        return variables

    def _mapped(self, level: _Level, outer: dict[str, Node]) -> dict[str, Node]:
        """The variables that `map` and its like define here, over those from outside."""
        blocks = (placed.directive for placed in level.blocks if placed.directive.mapping["name"].value in _VARIABLES)
        found = dict(pair for pair in map(values.mapped_variable, blocks) if pair)
        return {**outer, **found} if found else outer

    def _problem(self, message: str, place: Node) -> None:
        path = place.source.path
        if (path, message) not in self._reported:
            self._reported.add((path, message))
            self.problems.append(Problem("evaluate", path, f"nginx: {message}", place.span.line))


def _handed_down(outer: _Scope) -> tuple[Node, ...]:
    """What is unknown around a block and may matter in it: `conf.d/*.conf` brings other servers, not directives."""
    return tuple(node for node in outer.incomplete if not is_for_sites(node.text or ""))


def _sequence(nodes: tuple[Node, ...], place: Node) -> Node:
    """A sequence at the place of its first member, else of the directive's name."""
    if nodes and nodes[0].source is place.source is nodes[-1].source:
        return Node(nodes, place.source, nodes[0].start, max(nodes[0].start, nodes[-1].end))
    return Node(nodes, place.source, place.start, place.key_end if place.key_end >= 0 else place.end)


def _words(nodes: Sequence[Node]) -> str:
    """Arguments as an address shows them: values, templates as they are written."""
    shown = (n.value.expression if isinstance(n.value, Unknown) else str(n.scalar) for n in nodes)
    return " ".join(" ".join(shown).split())[:_MAX_LABEL]
