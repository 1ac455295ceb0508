"""Where a piece of Python stands: the functions, classes and conditions around it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_tree import Syntax, Tree

MAIN_GUARD: Final = lazy(rb"""\(?\s{0,9}__name__\s{0,9}==\s{0,9}["']__main__["']""")
CONDITIONAL: Final = frozenset({"if_statement", "try_statement", "for_statement", "while_statement", "match_statement"})
_REQUEST_BASES: Final = (
    "View",
    "ViewSet",
    "Resource",
    "HTTPEndpoint",
    "HTTPMethodView",
    "RequestHandler",
    "Controller",
)
_REQUEST_METHODS: Final = frozenset(
    {"get", "post", "put", "patch", "delete", "head", "options", "dispatch", "list", "create", "retrieve", "update",
     "destroy", "on_get", "on_post", "on_put", "on_patch", "on_delete"}
)  # fmt: skip
_CALLS_KEPT: Final = 300
# Scopes nested deeper than this count as the outer one, so that looking at the stack stays cheap.
_DEEPEST: Final = 100


@dataclass(slots=True, eq=False)
class Decorator:
    """A decorator: its tree, its dotted name (imports resolved), its name as written, and the call when it is one."""

    place: Tree
    name: str
    written: str
    call: Tree | None


@dataclass(slots=True, eq=False)
class Scope:
    """A function, lambda, class or compound statement that is open at some point of the walk."""

    kind: str
    name: str
    place: Tree
    body: int
    end: int
    is_async: bool = False
    handler: bool = False
    task: bool = False
    main_guard: bool = False
    bases: tuple[str, ...] = ()
    decorators: tuple[Decorator, ...] = ()
    instances: dict[str, str] = field(default_factory=dict)
    apps: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: dict[str, None] = field(default_factory=dict)
    depends: dict[str, None] = field(default_factory=dict)

    def called(self, name: str) -> None:
        """Notes that the body calls `name`; bounded."""
        if len(self.calls) < _CALLS_KEPT:
            self.calls[name] = None


class Scopes:
    """The stack of open scopes, and every function met so far by qualified name."""

    def __init__(self, syntax: Syntax) -> None:
        self.syntax = syntax
        self.stack: list[Scope] = []
        self.functions: dict[str, Scope] = {}
        self.classes: dict[str, Scope] = {}
        self.function: Scope | None = None
        self.instances: dict[str, str] = {}
        self.templated = syntax.templated
        self.target = ("", 0, 0)
        self._top: Scope | None = None
        self._settled = 0

    def leave(self, at: int) -> None:
        """Closes what ends before the byte `at`, and finds the innermost function whose body holds it."""
        stack = self.stack
        while stack and stack[-1].end <= at:
            stack.pop()
        top = stack[-1] if stack else None
        if top is self._top and (not self._settled or at < self._settled):
            return
        self._top, self._settled, self.function = top, 0, None
        for scope in reversed(stack):
            if scope.kind == "function" or scope.kind == "lambda":
                if scope.body <= at:
                    self.function = scope
                    break
                self._settled = scope.body

    @property
    def at_module_level(self) -> bool:
        """Whether names assigned here become the module's."""
        return not any(s.kind in {"function", "lambda", "class"} for s in self.stack)

    @property
    def enclosing_class(self) -> Scope | None:
        """The innermost open class, unless a function stands between."""
        for scope in reversed(self.stack):
            if scope.kind == "class":
                return scope
            if scope.kind in {"function", "lambda"}:
                return None
        return None

    @property
    def conditional(self) -> bool:
        """Whether this place is reached only under a condition, in a loop or in a `try`."""
        return self.templated or any(s.kind in CONDITIONAL for s in self.stack)

    @property
    def main_guard(self) -> bool:
        """Whether this place runs only when the file is run as a program."""
        return any(s.main_guard for s in self.stack)

    @property
    def import_time(self) -> bool:
        """Whether this place runs when the module is imported."""
        return self.function is None and not self.main_guard

    def resolve(self, name: str) -> str:
        """`name` as a dotted name: local instances (`app` → `flask.Flask`) first, then imports."""
        head, dot, rest = name.partition(".")
        if head == "self" and rest:
            attribute, dot, rest = rest.partition(".")
            head = "self." + attribute
        scope = self.function
        found = (scope.instances.get(head) if scope is not None else None) or self.instances.get(head)
        return found + dot + rest if found else self.syntax.resolve(name)

    def note_instance(self, name: str, cls: str) -> None:
        """`name` now holds what the call of `cls` gave."""
        if self.function is not None and not name.startswith("self."):
            self.function.instances[name] = cls
        elif name.startswith("self.") or self.at_module_level:
            self.instances[name] = cls

    def open_function(self, place: Tree, decorators: Iterable[Decorator]) -> Scope:
        """Opens a `def`, named after the classes and functions it stands in."""
        syntax = self.syntax
        named, body = place.child_by_field_name("name"), place.child_by_field_name("body")
        outer = next((s for s in reversed(self.stack) if s.kind in {"function", "class"}), None)
        own = syntax.text(named) if named is not None else ""
        name = f"{outer.name}.{own}" if outer is not None and len(outer.name) < 200 else own
        is_async = syntax.data[place.start_byte : place.start_byte + 6].startswith(b"async")
        scope = Scope("function", name, place, body.start_byte if body is not None else place.end_byte, place.end_byte,
                      is_async=is_async, decorators=tuple(decorators))  # fmt: skip
        scope.task = any(is_task(d.name) for d in scope.decorators)
        if outer is not None and outer.kind == "class":
            by_class = any(base.rpartition(".")[2].endswith(_REQUEST_BASES) for base in outer.bases)
            scope.handler = own in _REQUEST_METHODS and (by_class or outer.handler or own.startswith("on_"))
        else:
            scope.handler = self._takes_request(place)
        self.functions.setdefault(name, scope)
        self._push(scope)
        return scope

    def _takes_request(self, place: Tree) -> bool:
        parameters = place.child_by_field_name("parameters")
        return parameters is not None and bool(re.match(r"\(\s{0,99}request\b", self.syntax.text(parameters)))

    def open_class(self, place: Tree, decorators: Iterable[Decorator]) -> Scope:
        """Opens a class; `bases` are dotted names."""
        syntax = self.syntax
        named, body = place.child_by_field_name("name"), place.child_by_field_name("body")
        listed = place.child_by_field_name("superclasses")
        bases = tuple(
            syntax.resolve(syntax.name(c)) for c in (listed.named_children if listed is not None else ())
            if c.type in {"identifier", "attribute", "call", "subscript"}
        )  # fmt: skip
        outer = next((s for s in reversed(self.stack) if s.kind in {"function", "class"}), None)
        own = syntax.text(named) if named is not None else ""
        name = f"{outer.name}.{own}" if outer is not None and len(outer.name) < 200 else own
        scope = Scope("class", name, place, body.start_byte if body is not None else place.end_byte, place.end_byte,
                      bases=bases, decorators=tuple(decorators))  # fmt: skip
        self.classes.setdefault(name, scope)
        self._push(scope)
        return scope

    def open_block(self, place: Tree) -> Scope:
        """Opens a lambda, `if`, `try`, `for`, `while`, `with` or `match`."""
        scope = Scope(place.type, "<lambda>" if place.type == "lambda" else "", place, place.start_byte, place.end_byte)
        if place.type == "if_statement":
            condition = place.child_by_field_name("condition")
            consequence = place.child_by_field_name("consequence")
            if condition is not None and MAIN_GUARD.match(self.syntax.data, condition.start_byte, condition.end_byte):
                scope.main_guard = True
                scope.end = consequence.end_byte if consequence is not None else place.end_byte
        self._push(scope)
        return scope

    def _push(self, scope: Scope) -> None:
        if len(self.stack) < _DEEPEST:
            self.stack.append(scope)


def is_task(name: str) -> bool:
    """Whether a decorator of this dotted name makes a function a background task (Celery, Dramatiq, RQ, Huey)."""
    last = name.rpartition(".")[2]
    return last in {"task", "shared_task", "actor", "periodic_task", "db_task"} or name in {
        "rq.decorators.job", "django_rq.job",
    }  # fmt: skip
