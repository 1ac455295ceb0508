"""Signal handlers: what happens when SIGTERM arrives."""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_scopes import Scope, Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

SIGNAL_CALLS: Final = frozenset({"signal", "add_signal_handler"})
_EXITS: Final = frozenset({"sys.exit", "os._exit", "exit", "quit", "os.abort", "os.kill", "builtins.exit"})
_HARMLESS: Final = lazy(r"(?:print|log|debug|info|warn|warning|error|exception|critical|flush|write|format|str)")
_SIGNAL: Final = lazy(r"\bSIG[A-Z0-9]{2,8}\b")


class SignalHandlers:
    """Collects registrations during the walk; handlers are read at its end."""

    def __init__(self, syntax: Syntax, scopes: Scopes) -> None:
        self.syntax = syntax
        self.scopes = scopes
        self._found: list[tuple[Tree, str, dict[str, object]]] = []

    def called(self, place: Tree, name: str) -> None:
        """`signal.signal(SIGTERM, handler)` and `loop.add_signal_handler(SIGTERM, handler)`."""
        if name != "signal.signal" and not name.endswith(".add_signal_handler"):
            return
        arguments = place.child_by_field_name("arguments")
        members = [c for c in (arguments.named_children if arguments is not None else []) if c.type != "comment"]
        if len(members) < 2:
            return
        function = self.scopes.function
        common: dict[str, object] = {"import_time": self.scopes.import_time, "main_guard": self.scopes.main_guard}
        if function is not None:
            common["function"] = function.name
        for signal in self._signals(members[0]):
            self._found.append((place, self._handler(members[1]), {"signal": signal, **common, "_tree": members[1]}))

    def _signals(self, place: Tree) -> list[str | Unknown]:
        written = self.syntax.text(place)
        found = _SIGNAL.search(written)
        if found:
            return [found[0]]
        for scope in reversed(self.scopes.stack):
            if scope.kind == "for_statement":
                left, right = scope.place.child_by_field_name("left"), scope.place.child_by_field_name("right")
                if left is not None and right is not None and self.syntax.text(left) == written:
                    return list(dict.fromkeys(_SIGNAL.findall(self.syntax.text(right)))) or [Unknown(written, "a loop")]
        return [Unknown(written, "computed at run time")]

    def _handler(self, place: Tree) -> str:
        if place.type == "lambda":
            return "<lambda>"
        name = self.syntax.name(place)
        if place.type == "call" and name.rpartition(".")[2] == "partial":
            arguments = place.child_by_field_name("arguments")
            return (
                self.syntax.name(arguments.named_children[0])
                if arguments is not None and arguments.named_child_count
                else ""
            )
        return name

    def nodes(self) -> list[Node]:
        """The model nodes. `exits`: the handler ends the process; `at_once`: and does nothing but log before it."""
        result = []
        for place, handler, fields in self._found:
            tree = fields.pop("_tree")
            fields["handler"] = self.syntax.resolve(handler)
            scope = self._scope(handler)
            body = scope.place if scope is not None else tree if handler == "<lambda>" else None
            if isinstance(body, type(place)):
                exits, at_once = self._ends(body, scope)
                fields["exits"], fields["at_once"] = exits, at_once
            elif handler.endswith(("SIG_DFL", "SIG_IGN")):
                fields["exits"] = fields["at_once"] = handler.endswith("SIG_DFL")
            elif handler in _EXITS:
                fields["exits"] = fields["at_once"] = True
            else:
                unknown = Unknown(handler, "the handler is not in this module")
                fields["exits"] = fields["at_once"] = unknown
            result.append(self.syntax.node(fields, place))
        return result

    def _scope(self, handler: str) -> Scope | None:
        functions = self.scopes.functions
        last = handler.rpartition(".")[2]
        found = functions.get(handler)
        if found is not None or not last:
            return found
        return next((s for name, s in functions.items() if name.rpartition(".")[2] == last), None)

    def _ends(self, body: Tree, scope: Scope | None) -> tuple[bool, bool]:
        text = self.syntax.text(body, 4000)
        calls = list(scope.calls) if scope is not None else re.findall(r"([\w.]{1,60})\(", text)
        resolved = [self.scopes.resolve(c) for c in calls]
        raises = bool(re.search(r"\braise\s{1,9}(?:SystemExit|KeyboardInterrupt)\b", text))
        exits = raises or any(c in _EXITS for c in resolved)
        others = [
            c
            for c in resolved
            if c not in _EXITS and c != "SystemExit" and not _HARMLESS.fullmatch(c.rpartition(".")[2])
        ]
        return exits, exits and not others
