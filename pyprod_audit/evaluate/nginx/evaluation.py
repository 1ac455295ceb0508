"""The effective configuration of nginx: includes resolved, inheritance applied, per block.

Entry points are the files with an `http`, `events` or `stream` block that nobody includes. Other files that nobody
includes are read as files of `conf.d`, inside an `http` block that is not in the repository, or as snippets of an
unknown server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.nginx import values as values
from pyprod_audit.evaluate.nginx.contents import Contents, Level, Placed
from pyprod_audit.evaluate.nginx.files import ENTRY_BLOCKS, ConfigFile, Files
from pyprod_audit.evaluate.nginx.graph import HTTP_BLOCKS, starting_points
from pyprod_audit.evaluate.nginx.includes import Includes, is_for_sites
from pyprod_audit.evaluate.nginx.inheritance import effective
from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.resource import Resource
from pyprod_audit.model.source import Via
from pyprod_audit.model.tree import Tree

_MAX_NESTING: Final = 30
_MIN_BUDGET: Final = 500_000
_MAX_LABEL = 120
_VARIABLES = frozenset({"map", "geo", "split_clients"})
_UNKNOWN_SERVER = Unknown("the including server", "the server that includes this file is not in the repository")


def evaluate(resources: Sequence[Resource], tree: Tree) -> Evaluated:
    """The effective blocks of all configurations.

    Args:
        resources: all `nginx.config` resources of the repository.
        tree: where files are read that an include names and that were not recognised as configurations of nginx.

    Returns:
        The resources of the kinds in docs/model.md, a parent before its children, the `nginx.config` of files that were
        read now, and what could not be followed (include cycles, includes or blocks nested too deep, too much to
        expand).
    """
    given = [ConfigFile(resource.path, resource) for resource in resources]
    return evaluate_together(Files(given, tree), Reported())


def evaluate_together(files: Files, reported: Reported, variant: str = "", via: tuple[Via, ...] = ()) -> Evaluated:
    """The effective blocks of files that may include each other.

    Args:
        files: at their places.
        reported: blocks that are no longer to be told; these are added.
        variant: the deployment that the files belong to.
        via: what made it.
    """
    includes = Includes(files)
    budget = max(_MIN_BUDGET, 50 * sum(len(file.directives) for file in files.given))
    evaluation = _Evaluation(Contents(includes, budget), reported, variant, via)
    for file in starting_points(files.given, includes):
        evaluation.file(file)
    read = [file.resource for file in sorted(files.read, key=lambda file: file.location)]
    return Evaluated([*read, *evaluation.resources], [*files.problems, *evaluation.contents.problems])


class Reported:
    """The blocks that were told, by deployment, file, kind and address."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str, str, str], list[int]] = {}

    def add(self, variant: str, kind: str, address: str, directive: Node) -> str:
        """The address, with `#2` … for further blocks of one file; empty when this block has been told."""
        known = self._blocks.setdefault((variant, directive.source.path, kind, address), [])
        if id(directive) in known:
            return ""
        known.append(id(directive))
        return address if len(known) == 1 else f"{address}#{len(known)}"


@dataclass(slots=True)
class _Scope:
    """What a block hands to the blocks in it."""

    resource: Resource | None = None
    directives: dict[str, Node] = field(default_factory=dict)
    variables: dict[str, Node] = field(default_factory=dict)
    incomplete: tuple[Node, ...] = ()
    address: str = ""
    depth: int = 0


class _Evaluation:
    """The walk over all blocks."""

    def __init__(self, contents: Contents, reported: Reported, variant: str, via: tuple[Via, ...]) -> None:
        self.contents = contents
        self.reported = reported
        self.variant = variant
        self.via = via
        self.resources: list[Resource] = []

    # -- files ---------------------------------------------------------------------------------------------

    def file(self, file: ConfigFile) -> None:
        """Evaluate one file that nobody includes."""
        level = self.contents.level(file.directives, (file.location,))
        blocks = {placed.directive.mapping["name"].text for placed in level.blocks}
        if blocks & ENTRY_BLOCKS:
            self._entry(level)
        elif blocks & HTTP_BLOCKS:
            scope = _Scope(None, effective({}, level.own), self._mapped(level, {}), level.incomplete)
            self._children(level.blocks, scope)
        else:
            self._snippet(file.resource, level)

    def _entry(self, level: Level) -> None:
        """Evaluate a main configuration; servers outside `http` (after a brace too many) are read as inside."""
        main = _Scope(directives={"error_log": node} if (node := effective({}, level.own).get("error_log")) else {})
        http: _Scope | None = None
        loose: list[Placed] = []
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

    def _snippet(self, file: Resource, level: Level) -> None:
        """Evaluate a file of directives for a server that is not known."""
        unknown = Node(_UNKNOWN_SERVER, file.source, file.node.start, file.node.start)
        scope = _Scope(incomplete=(unknown, *level.incomplete))
        scope.directives = effective({}, level.own)
        scope.variables = self._variables(level, {})
        if level.own:
            node = file.node.holding(self._node(file.node, level, scope))
            scope.resource = self._resource("nginx.snippet", file.address, node)
        self._children(level.blocks, scope)

    def _stream(self, placed: Placed, main: _Scope) -> None:
        """Evaluate the servers and upstreams of a `stream` block, which is no resource itself."""
        level = self.contents.level(placed.directive.mapping["block"].items, placed.chain)
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

    def _children(self, blocks: Iterable[Placed], scope: _Scope) -> None:
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

    def _server(self, placed: Placed, scope: _Scope, kind: str) -> None:
        level = self.contents.level(placed.directive.mapping["block"].items, placed.chain)
        if kind == "nginx.server" and "proxy_pass" in level.own:
            kind = "nginx.stream_server"  # a server of http cannot have it outside a location
        directives = effective(scope.directives, level.own)
        listens = values.listens(directives, placed.directive)
        names = values.server_names(directives, placed.directive)
        first = listens[0].mapping
        port = _words([first["port"]]) if "port" in first else _words([first["unix"]]) if "unix" in first else "?"
        extra = {"listens": _sequence(listens, placed.directive), "server_names": _sequence(names, placed.directive)}
        self._block(placed, kind, f"server[{_words(names[:1])}:{port}]", scope, extra, level)

    def _upstream(self, placed: Placed, scope: _Scope) -> None:
        level = self.contents.level(placed.directive.mapping["block"].items, placed.chain)
        args = placed.directive.mapping["args"].items
        servers = tuple(values.upstream_server(found) for found in level.own.pop("server", []))
        extra = {"servers": _sequence(servers, placed.directive)}
        if args:
            extra["name"] = args[0]
        self._block(placed, "nginx.upstream", f"upstream[{_words(args[:1])}]", _Scope(scope.resource), extra, level)

    def _block(
        self,
        placed: Placed,
        kind: str,
        label: str,
        outer: _Scope,
        extra: Mapping[str, Node] | None = None,
        level: Level | None = None,
    ) -> _Scope | None:
        """Evaluate one block and those in it; None when it is reported already or nested too deep."""
        directive = placed.directive
        full = f"{outer.address}/{label}" if outer.address else label
        address = self.reported.add(self.variant, kind, full, directive)
        if not address:
            return None
        if outer.depth >= _MAX_NESTING:
            self.contents.problem(f"blocks are nested deeper than {_MAX_NESTING} once includes are resolved", directive)
            return None
        level = level or self.contents.level(directive.mapping["block"].items, placed.chain)
        nameless = kind in ("nginx.if", "nginx.limit_except")
        scope = _Scope(
            directives=effective(outer.directives, level.own, nameless=nameless),
            variables=self._variables(level, self._mapped(level, outer.variables)),
            incomplete=_handed_down(outer) + level.incomplete,
            address="" if kind == "nginx.http" else address,
            depth=outer.depth + 1,
        )
        self.contents.budget -= len(scope.directives)
        node = self._node(directive, level, scope)
        node.update(extra or {})
        place = Node(node, directive.source, directive.start, directive.end, directive.key_start, directive.key_end)
        scope.resource = self._resource(kind, address, place, outer.resource)
        self._children(level.blocks, scope)
        return scope

    def _node(self, directive: Node, level: Level, scope: _Scope) -> dict[str, Node]:
        node = dict(scope.directives)
        node["own"] = _sequence(tuple(level.names), directive)
        if scope.variables:
            node["variables"] = Node(scope.variables, directive.source, directive.start, directive.end)
        if scope.incomplete:
            node["incomplete"] = _sequence(scope.incomplete, directive)
        return node

    def _resource(self, kind: str, address: str, node: Node, parent: Resource | None = None) -> Resource:
        found = Resource(kind, address, node, parent, self.variant, self.via)
        self.resources.append(found)
        return found

    # -- contents -------------------------------------------------------------------------------------------

    def _variables(self, level: Level, outer: dict[str, Node]) -> dict[str, Node]:
        """The variables that `set` defines here, over those from outside."""
        if not level.sets:
            return outer
        variables = dict(outer)
        for args, conditional in level.sets:
            values.set_variable(variables, args.items, conditional=conditional)
        return variables

    def _mapped(self, level: Level, outer: dict[str, Node]) -> dict[str, Node]:
        """The variables that `map` and its like define here, over those from outside."""
        found: dict[str, Node] = {}
        for placed in level.blocks:
            if placed.directive.mapping["name"].value in _VARIABLES:
                missing: list[Node] = []
                block = placed.directive.mapping["block"].items
                entries = [inner.directive for inner in self.contents.directives(block, placed.chain, missing)]
                found.update(values.mapped_variable(placed.directive, entries, missing))
        return {**outer, **found} if found else outer


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
