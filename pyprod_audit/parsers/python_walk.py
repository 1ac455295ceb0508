"""The one pass over a Python tree that hands its parts to the collectors of each theme."""

from __future__ import annotations

import functools
import re
from typing import Final

import tree_sitter

from pyprod_audit.model import Node, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_apps import CLASS_OF, Apps
from pyprod_audit.parsers.python_calls import ATTRIBUTE_WORDS, ATTRIBUTES, attribute_node, call_node, is_of_interest
from pyprod_audit.parsers.python_env import ENVIRONMENT_CALLS, Environment, settings_fields
from pyprod_audit.parsers.python_migrations import is_operation, operation_node
from pyprod_audit.parsers.python_routes import HEALTH_TEXT, ROUTE_CALLS, Routes, reached_calls
from pyprod_audit.parsers.python_scopes import Decorator, Scope, Scopes
from pyprod_audit.parsers.python_settings import Settings
from pyprod_audit.parsers.python_signals import SIGNAL_CALLS, SignalHandlers
from pyprod_audit.parsers.python_tree import LANGUAGE, Syntax, Tree
from pyprod_audit.parsers.python_urlconf import url_patterns

_IMPORTS: Final = "[(import_statement) (import_from_statement)] @import"
_PARTS: Final = """(call) (assignment) (augmented_assignment) (function_definition) (class_definition)
  (decorated_definition) (if_statement) (try_statement) (for_statement) (while_statement) (with_statement)
  (match_statement) (import_statement) (import_from_statement) (lambda) (return_statement) (as_pattern)"""
_HEALTH_NAME: Final = lazy(r"(?i)[\w.]{0,80}(?:health|ready|readi|live|ping|status|alive|probe|heartbeat)[\w.]{0,80}")
_BLOCKS: Final = frozenset(
    {"if_statement", "try_statement", "for_statement", "while_statement", "with_statement", "match_statement", "lambda"}
)
_PATTERNS: Final = frozenset({"pattern_list", "tuple_pattern", "list_pattern"})
_BODIES_KEPT: Final = 50
# Lower-case names only: upper-case ones in a parameter list are defaults, which refer to the constant.
_PARAMETER: Final = lazy(r"\b[a-z_][a-z0-9_]{0,60}\b")
_CALLS_KEPT: Final = 5000


@functools.cache
def _query(more: str) -> tree_sitter.Query:
    """The query for the usual parts and `more`; a run needs one or two of the three."""
    return tree_sitter.Query(LANGUAGE, f"[{_PARTS} {more}] @part {_IMPORTS}")


class Walk:
    """Reads one module; `node()` is the result."""

    def __init__(self, source: SourceFile, data: bytes, module: str, *, package: bool) -> None:
        """`module`: dotted name of the file; `package`: whether it is an `__init__.py`."""
        self.syntax = Syntax(source, data)
        self.module = module
        self.package = package
        syntax = self.syntax
        self.scopes = Scopes(syntax)
        self.apps = Apps(syntax, self.scopes)
        self.routes = Routes(syntax, self.scopes)
        self.environment = Environment(syntax, self.scopes)
        self.settings = Settings(syntax, self.scopes)
        self.signals = SignalHandlers(syntax, self.scopes)
        self.imports: dict[str, Node] = {}
        self.definitions: dict[str, Node] = {}
        self.star_imports: list[Node] = []
        self.calls: list[Node] = []
        self.attributes: list[Node] = []
        self.migrations: list[Node] = []
        self.urls: list[Node] = []
        self.has_urls = False
        self.given: list[Node] = []
        self.main_guard: Node | None = None
        self.dynamic = False
        self._roots: set[str] = set()
        self._locals: dict[int, list[tuple[str, Tree]]] = {}
        self._decorators: dict[int, list[Decorator]] = {}

    def run(self) -> None:
        """One query for the parts that matter, then one loop over them in document order."""
        data = self.syntax.data
        if any(word in data for word in ATTRIBUTE_WORDS):
            query = _query("(subscript) (attribute) (identifier)")
        else:
            query = _query("(subscript)" if b"environ" in data else "")
        captures = tree_sitter.QueryCursor(query).captures(self.syntax.root)
        for place in sorted(captures.get("import", ()), key=lambda p: p.start_byte):
            self._imported(place)
        self._roots = {dotted.partition(".")[0] for dotted in self.syntax.imports.values()}
        handlers = {
            "import_statement": self._import_met, "import_from_statement": self._import_met,
            "call": self._called, "assignment": self._assigned, "augmented_assignment": self._extended,
            "function_definition": self._function, "class_definition": self._class,
            "decorated_definition": self._decorated,
            "return_statement": self.apps.returned, "as_pattern": self._bound,
            "subscript": self.environment.subscripted,
            "attribute": self._named, "identifier": self._named, **dict.fromkeys(_BLOCKS, self._block),
        }  # fmt: skip
        leave = self.scopes.leave
        # The binding gives captures in no particular order; what encloses comes before what it holds.
        for start, _, _, place in sorted((p.start_byte, -p.end_byte, p.id, p) for p in captures.get("part", ())):
            leave(start)
            handlers[place.type](place)

    # -- imports -------------------------------------------------------------------------------------------------

    def _imported(self, place: Tree) -> None:
        syntax = self.syntax
        base = ""
        if place.type == "import_from_statement":
            module = place.child_by_field_name("module_name")
            base = self._absolute(syntax.text(module)) if module is not None else ""
            if any(c.type == "wildcard_import" for c in place.named_children):
                self.star_imports.append(syntax.node(base, place))
                return
        top = place.start_point[1] == 0
        names = self._locals[place.start_byte] = []
        for child in place.children_by_field_name("name"):
            named, alias = child, None
            if child.type == "aliased_import":
                named, alias = child.child_by_field_name("name") or child, child.child_by_field_name("alias")
            written = syntax.text(named)
            dotted = f"{base}.{written}" if base else written
            local = syntax.text(alias) if alias is not None else written
            if not base and alias is None:
                local = dotted = written.partition(".")[0]
            self._import(local, dotted, written if not base else dotted, child, top=top)
            names.append((local, child))

    def _import(self, local: str, dotted: str, full: str, place: Tree, *, top: bool) -> None:
        if top or local not in self.syntax.imports:
            self.syntax.imports[local] = dotted
            self.imports[local if full == dotted or local != dotted else full] = self.syntax.node(full, place)

    def _import_met(self, place: Tree) -> None:
        if self.scopes.at_module_level:
            for local, child in self._locals.get(place.start_byte, ()):
                self._define(local, child)

    def _absolute(self, written: str) -> str:
        name = written.replace(" ", "")
        rest = name.lstrip(".")
        dots = len(name) - len(rest)
        if not dots:
            return name
        parts = self.module.split(".")
        kept = parts[: len(parts) - dots + (1 if self.package else 0)]
        return ".".join([*kept, rest] if rest else kept)

    # -- definitions ---------------------------------------------------------------------------------------------

    def _define(self, name: str, place: Tree) -> None:
        if name not in self.definitions and not self.scopes.main_guard:
            self.definitions[name] = self.syntax.node(name, place)

    def _decorated(self, place: Tree) -> None:
        definition = place.child_by_field_name("definition")
        if definition is None:
            return
        syntax = self.syntax
        found = []
        for child in place.named_children:
            if child.type == "decorator" and child.named_child_count:
                expression = child.named_children[0]
                call = expression if expression.type == "call" else None
                written = syntax.name(expression)
                found.append(Decorator(expression, self.scopes.resolve(written), written, call))
        self._decorators[definition.start_byte] = found

    def _function(self, place: Tree) -> None:
        scopes = self.scopes
        if scopes.at_module_level:
            named = place.child_by_field_name("name")
            if named is not None:
                self._define(self.syntax.text(named), named)
        scope = scopes.open_function(place, self._decorators.pop(place.start_byte, ()))
        if scope.decorators:
            self.routes.decorated(scope)
        self.apps.annotated(scope)
        parameters = place.child_by_field_name("parameters")
        if parameters is not None and self.syntax.constants:
            for name in _PARAMETER.findall(self.syntax.text(parameters)):
                self.syntax.constants.pop(name, None)

    def _class(self, place: Tree) -> None:
        scopes = self.scopes
        if scopes.at_module_level:
            named = place.child_by_field_name("name")
            if named is not None:
                self._define(self.syntax.text(named), named)
        scope = scopes.open_class(place, self._decorators.pop(place.start_byte, ()))
        if scope.decorators:
            self.routes.decorated(scope)
        self.environment.reads.extend(settings_fields(self.syntax, scope, scopes))

    def _block(self, place: Tree) -> None:
        scope = self.scopes.open_block(place)
        if scope.main_guard and self.main_guard is None:
            self.main_guard = self.syntax.node(True, place.child_by_field_name("condition") or place)
        if place.type == "for_statement" and self.scopes.at_module_level:
            self._targets(place.child_by_field_name("left"))

    def _targets(self, left: Tree | None) -> None:
        if left is not None and (left.type == "identifier" or left.type in _PATTERNS):
            for name in re.findall(r"[A-Za-z_]\w{0,99}", self.syntax.text(left)):
                self._define(name, left)
            self.settings.opened(left)

    def _bound(self, place: Tree) -> None:
        children = place.named_children
        if len(children) < 2 or children[0].type not in {"call", "await"}:
            return
        name = self.syntax.text(children[-1])
        cls = self.scopes.resolve(self.syntax.name(children[0]))
        if name.isidentifier() and "." in cls:
            self.scopes.note_instance(name, cls)
        if name.isidentifier() and self.scopes.at_module_level:
            self._define(name, children[-1])

    # -- statements ----------------------------------------------------------------------------------------------

    def _assigned(self, place: Tree) -> None:
        left, right = place.child_by_field_name("left"), place.child_by_field_name("right")
        if left is None or right is None:
            return
        for _ in range(20):
            if right.type != "assignment":
                break
            right = right.child_by_field_name("right") or place
        module_level = self.scopes.at_module_level
        if left.type in _PATTERNS:
            self._unpacked(left, right, module_level=module_level)
            return
        self.scopes.target = (self.syntax.text(left, 80), right.start_byte, right.end_byte)
        self._bind(left, right, module_level=module_level)

    def _unpacked(self, left: Tree, right: Tree, *, module_level: bool) -> None:
        targets = left.named_children
        values = right.named_children if right.type in {"expression_list", "tuple", "list"} else []
        if len(targets) == len(values):
            for target, value in zip(targets, values, strict=True):
                if target.type in _PATTERNS and module_level:
                    self._targets(target)
                else:
                    self._bind(target, value, module_level=module_level)
        elif module_level:
            self._targets(left)

    def _bind(self, left: Tree, right: Tree, *, module_level: bool) -> None:
        syntax = self.syntax
        if left.type in {"identifier", "attribute"}:
            name = syntax.text(left)
            if not module_level:
                syntax.constants.pop(name, None)  # a local variable of this name hides the constant
            if left.type == "identifier" and module_level:
                self._define(name, left)
                if name == "urlpatterns":
                    self.has_urls = True
                    self.urls.extend(url_patterns(syntax, right))
            if right.type in {"call", "attribute", "identifier", "subscript", "await"}:
                written = syntax.name(right)
                dotted = self.scopes.resolve(written)
                self.apps.assigned(name, left, right, written, dotted)
                self.routes.assigned(name, left, right)
                if right.type in {"call", "await"} and "." in dotted and dotted.partition(".")[0] in self._roots:
                    self.scopes.note_instance(name, dotted)
                elif module_level and name in self.apps.found:
                    self.scopes.note_instance(name, CLASS_OF.get(self.apps.found[name].framework, dotted))
        self.settings.assigned(left, right, module_level=module_level)

    def _extended(self, place: Tree) -> None:
        left, right = place.child_by_field_name("left"), place.child_by_field_name("right")
        if left is None or right is None or not self.scopes.at_module_level:
            return
        if self.syntax.text(left) == "urlpatterns":
            self.has_urls = True
            self.urls.extend(url_patterns(self.syntax, right))
        self.settings.extended(left, right)

    # -- expressions ---------------------------------------------------------------------------------------------

    def _called(self, place: Tree) -> None:
        function = place.child_by_field_name("function")
        if function is None:
            return
        written = self.syntax.name(function)
        if not written:
            return
        scopes = self.scopes
        name = scopes.resolve(written)
        for scope in scopes.stack:
            if scope.kind == "function":
                scope.called(name)
        last = name.rpartition(".")[2]
        imported = name != written or written.partition(".")[0] in self.syntax.imports
        if len(self.calls) < _CALLS_KEPT and is_of_interest(name, imported=imported):
            self.calls.append(call_node(self.syntax, scopes, place, name))
        if name[:2] in {"al", "dj"} and is_operation(name):
            self.migrations.append(operation_node(self.syntax, scopes, place, name))
        if last in ENVIRONMENT_CALLS or "nv" in name:
            self.environment.called(place, name)
        if last in ROUTE_CALLS:
            self.routes.called(place, written, name)
        elif last in SIGNAL_CALLS:
            self.signals.called(place, name)
        self._given_the_app(place, name)
        if written in {"globals", "exec", "locals", "vars"} and scopes.function is None:
            self.dynamic = True

    def _given_the_app(self, place: Tree, name: str) -> None:
        """`register_routes(app)`, `db.init_app(app)`: whatever gets the application may add routes to it."""
        function = self.scopes.function
        apps = function.apps if function is not None and function.apps else self.apps.found
        arguments = place.child_by_field_name("arguments") if apps else None
        if arguments is None:
            return
        for child in arguments.named_children[:6]:
            value = child.child_by_field_name("value") if child.type == "keyword_argument" else child
            if value is not None and value.type == "identifier" and self.syntax.text(value) in apps:
                self.given.append(self.syntax.node({"name": name, "app": self.syntax.text(value)}, place))
                return

    def _named(self, place: Tree) -> None:
        name = self.syntax.resolve(self.syntax.name(place))
        parent = place.parent
        if (
            name in ATTRIBUTES
            and parent is not None
            and parent.type not in {"attribute", "dotted_name", "aliased_import"}
        ):
            if parent.type != "call" or parent.child_by_field_name("function") != place:
                self.attributes.append(attribute_node(self.syntax, self.scopes, place, name))

    # -- result --------------------------------------------------------------------------------------------------

    def node(self) -> Node:
        """The node of `py.module` (docs/model.md)."""
        syntax = self.syntax
        lists: dict[str, list[Node]] = {
            "apps": self.apps.nodes(),
            "routes": self.routes.nodes(),
            "routers": list(self.routes.routers.values()),
            "includes": self.routes.includes,
            "env_reads": self.environment.reads,
            "calls": self.calls,
            "attributes": self.attributes,
            "later_assignments": self.settings.later,
            "signal_handlers": self.signals.nodes(),
            "migrations": self.migrations,
            "app_passed_to": self.given,
            "star_imports": self.star_imports,
            "definitions": list(self.definitions.values()),
            "functions": [self._name_node(s) for s in self.scopes.functions.values() if "." not in s.name],
            "health_texts": self._health_texts(),
        }
        fields: dict[str, object] = {key: members for key, members in lists.items() if members}
        if self.has_urls:
            fields["urlpatterns"] = self.urls
        mappings = {
            "assignments": self.settings.assignments,
            "imports": self.imports,
            "bodies": self._bodies(),
            "classes": self._classes(),
        }
        fields.update({key: members for key, members in mappings.items() if members})
        fields["main_guard"] = self.main_guard if self.main_guard is not None else False
        fields["definitions_open"] = bool(self.star_imports) or self.dynamic or "__getattr__" in self.definitions
        result = syntax.node(fields, syntax.root)
        result.start, result.end = 0, len(syntax.source.text)
        return result

    def _name_node(self, scope: Scope) -> Node:
        return self.syntax.node(scope.name, scope.place.child_by_field_name("name") or scope.place)

    def _health_texts(self) -> list[Node]:
        found: list[Node] = []
        for match in HEALTH_TEXT.finditer(self.syntax.data):
            if len(found) >= _BODIES_KEPT:
                break
            start, end = self.syntax.at(match.start()), self.syntax.at(match.end())
            found.append(Node(match[1].decode("utf-8", "replace"), self.syntax.source, start, end))
        return found

    def _bodies(self) -> dict[str, Node]:
        """What the functions and views do that a probe may reach from another module's routes."""
        result: dict[str, Node] = {}
        for name, scope in self.scopes.functions.items():
            if len(result) < _BODIES_KEPT and _HEALTH_NAME.fullmatch(name):
                fields: dict[str, object] = {"async": scope.is_async, "calls": reached_calls([scope], self.scopes)}
                if scope.decorators:
                    fields["decorators"] = [d.name for d in scope.decorators]
                result[name] = self.syntax.node(fields, scope.place.child_by_field_name("name") or scope.place)
        return result

    def _classes(self) -> dict[str, Node]:
        result: dict[str, Node] = {}
        for name, scope in self.scopes.classes.items():
            assignments = self.settings.classes.get(name)
            if assignments:
                fields: dict[str, object] = {"bases": list(scope.bases), "assignments": assignments}
                result[name] = self.syntax.node(fields, scope.place.child_by_field_name("name") or scope.place)
        return result
