"""Environment variables that Python code reads, and whether it can do without them."""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model import Node
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_scopes import Scope, Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

# Readers that are called with the name: (reader, position of the default, True when the absence of a default raises).
# python-decouple, environs, django-environ and starlette.config raise; os.getenv and os.environ.get give None.
_FUNCTIONS: Final[dict[str, tuple[str, int, bool]]] = {
    "os.getenv": ("os", 1, False),
    "os.environ.get": ("os", 1, False),
    "os.environb.get": ("os", 1, False),
    "os.environ.pop": ("os", 1, True),
    "os.environ.setdefault": ("os", 1, False),
    "decouple.config": ("decouple", 1, True),
    "decouple.AutoConfig": ("decouple", 1, True),
    "decouple.Config": ("decouple", 1, True),
    "starlette.config.Config": ("starlette", 2, True),
    "environ.Env": ("django-environ", 2, True),
    "environ.FileAwareEnv": ("django-environ", 2, True),
    "environs.Env": ("environs", 1, True),
    "environs.env": ("environs", 1, True),
}
# Last parts of the dotted names worth a look; anything with "env" in its name is, too.
ENVIRONMENT_CALLS: Final = frozenset({"config", "AutoConfig", "Config", "Env"})
_METHODS: Final = frozenset(
    {"str", "bool", "int", "float", "decimal", "list", "tuple", "dict", "json", "url", "db", "db_url", "dj_db_url",
    "cache",
     "cache_url", "dj_cache_url", "email_url", "email", "search_url", "path", "bytes", "uuid", "log_level", "enum",
     "date",
     "datetime", "timedelta", "time", "channels_url", "channels", "unicode", "get_value", "dj_email_url",
     "subcast_list"}
)  # fmt: skip
_NAMELESS: Final = {"db": "DATABASE_URL", "db_url": "DATABASE_URL", "cache": "CACHE_URL", "cache_url": "CACHE_URL",
                    "email_url": "EMAIL_URL", "search_url": "SEARCH_URL"}  # fmt: skip
_VARIABLE: Final = lazy(r"[A-Z][A-Z0-9_]{0,79}")
_LOOKED_AT: Final = 500
_LOOKS: Final = lazy(rb"\bin\s{1,9}(?:os\.)?environ\b|\benviron\.get\b|\bgetenv\b")
_CATCHES: Final = lazy(rb"except\s{0,9}(?::|\(?[\w\s,.]{0,80}\b(?:KeyError|Exception|ImproperlyConfigured|EnvError)\b)")


class Environment:
    """Collects environment look-ups during the walk."""

    def __init__(self, syntax: Syntax, scopes: Scopes) -> None:
        self.syntax = syntax
        self.scopes = scopes
        self.reads: list[Node] = []
        self.schemes: dict[str, Node] = {}

    def called(self, place: Tree, name: str) -> None:
        """A call: notes it when it reads the environment."""
        known = _FUNCTIONS.get(name)
        method = ""
        if known is None:
            owner, _, method = name.rpartition(".")
            if owner == "os.environ":
                return
            known = _FUNCTIONS.get(owner) if method in _METHODS else None
            if known is None and (method == "env" or owner.rpartition(".")[2] == "env") and name != "env":
                known = ("env", 1, True) if method == "env" or method in _METHODS else None
        if known is None:
            return
        reader, position, raises = known
        args, kwargs = self.syntax.arguments(place)
        if method and method not in {"list", "dict", "tuple", "env"}:
            position = 1
        named = (
            args[0] if args else kwargs.get("var") or kwargs.get("name") or kwargs.get("key") or kwargs.get("option")
        )
        if named is None and method in _NAMELESS:
            named = self.syntax.node(_NAMELESS[method], place)
        if not args and kwargs and reader == "django-environ" and named is None:
            for key, scheme in kwargs.items():
                if len(scheme.items) == 2:
                    self.schemes[key] = scheme.items[1]
            return
        if named is None or (named.is_unknown and reader == "env"):
            return
        if reader != "os" and not (named.text is not None and _VARIABLE.fullmatch(named.text.upper())):
            return
        if reader == "env" and not _VARIABLE.fullmatch(named.text or ""):
            return
        default = kwargs.get("default") or (args[position] if len(args) > position else None)
        if default is None and named.text in self.schemes:
            default = self.schemes[named.text]
        self._note(place, named, default, raises and default is None and not self._guarded(place), reader)

    def subscripted(self, place: Tree) -> None:
        """`os.environ["X"]` that is read (not assigned or deleted)."""
        value, key = place.child_by_field_name("value"), place.child_by_field_name("subscript")
        parent = place.parent
        if (
            value is None
            or key is None
            or self.syntax.resolve(self.syntax.name(value)) not in {"os.environ", "os.environb"}
        ):
            return
        if parent is not None and (
            parent.type == "delete_statement"
            or (parent.type == "assignment" and parent.child_by_field_name("left") == place)
        ):
            return
        self._note(place, self.syntax.value(key), None, not self._guarded(place), "os")

    def _note(self, place: Tree, named: Node, default: Node | None, required: bool, reader: str) -> None:
        fields: dict[str, object] = {
            "name": named, "required": required, "reader": reader, "import_time": self.scopes.import_time,
        }  # fmt: skip
        if default is not None:
            fields["default"] = default
        if self.scopes.function is not None:
            fields["function"] = self.scopes.function.name
        if len(self.reads) < _LOOKED_AT and self._as_truth(place):
            fields["truth"] = True
        self.reads.append(self.syntax.node(fields, place))

    def _as_truth(self, place: Tree) -> bool:
        """Whether the raw text decides a condition (where "false" is true)."""
        parent = place.parent
        for _ in range(3):
            if parent is None:
                return False
            if parent.type in {"if_statement", "while_statement"}:
                return parent.child_by_field_name("condition") == place
            if parent.type == "not_operator":
                return True
            if parent.type == "argument_list" and parent.parent is not None and parent.named_child_count == 1:
                function = parent.parent.child_by_field_name("function")
                return function is not None and self.syntax.text(function) == "bool"
            if parent.type != "parenthesized_expression":
                return False
            place, parent = parent, parent.parent
        return False

    def _guarded(self, place: Tree) -> bool:
        """Whether absence is handled: in a `try` that catches it, or under a condition on the environment."""
        data = self.syntax.data
        for scope in self.scopes.stack:
            if scope.kind == "try_statement":
                if any(
                    c.type == "except_clause" and _CATCHES.match(data, c.start_byte, c.end_byte)
                    for c in scope.place.named_children
                ):
                    return True
            elif scope.kind == "if_statement":
                condition = scope.place.child_by_field_name("condition")
                if condition is not None and condition.end_byte <= place.start_byte:
                    if _LOOKS.search(data, condition.start_byte, condition.end_byte):
                        return True
        return False


def settings_fields(syntax: Syntax, scope: Scope, scopes: Scopes) -> list[Node]:
    """The environment reads of a pydantic settings class (pydantic v1 and pydantic-settings), one a field.

    The variable is the alias, else the prefix and the field's name in upper case; matching is case-insensitive by
    default (pydantic-settings documentation, "Environment variable names").
    """
    body = scope.place.child_by_field_name("body")
    if body is None or not is_settings(scope, scopes):
        return []
    prefix = ""
    assigned: list[Tree] = []
    for child in body.named_children:
        statement = (
            child.named_children[0] if child.type == "expression_statement" and child.named_child_count else child
        )
        if statement.type == "assignment":
            left, right = statement.child_by_field_name("left"), statement.child_by_field_name("right")
            if left is not None and right is not None and syntax.text(left) == "model_config":
                prefix = _prefix(syntax, right) or prefix
            else:
                assigned.append(statement)
        elif statement.type == "class_definition":
            found = re.search(r"""\benv_prefix\s{0,9}=\s{0,9}["'](\w{1,60})["']""", syntax.text(statement, 2000))
            prefix = found[1] if found else prefix
    return [node for statement in assigned for node in _field(syntax, scope, statement, prefix)]


def is_settings(scope: Scope, scopes: Scopes) -> bool:
    """Whether a class is a pydantic settings class, also through a base class of the same module."""
    level = [scope]
    for _ in range(6):
        bases = [base for s in level for base in s.bases]
        if any(b.rpartition(".")[2] == "BaseSettings" for b in bases):
            return True
        level = [scopes.classes[b] for b in bases if b in scopes.classes]
    return False


def _prefix(syntax: Syntax, right: Tree) -> str:
    if right.type == "call":
        return syntax.arguments(right)[1].get("env_prefix", syntax.node("", right)).text or ""
    return syntax.value(right).text_at("env_prefix") or ""


def _field(syntax: Syntax, scope: Scope, statement: Tree, prefix: str) -> list[Node]:
    left, right = statement.child_by_field_name("left"), statement.child_by_field_name("right")
    annotation = statement.child_by_field_name("type")
    if left is None or left.type != "identifier":
        return []
    name = syntax.text(left)
    declared = syntax.text(annotation) if annotation is not None else ""
    if name.startswith("_") or "ClassVar" in declared or (annotation is None and right is None):
        return []
    variables = [(prefix + name).upper()]
    default: Node | None = None
    required = right is None
    if right is not None and right.type == "call" and syntax.name(right).rpartition(".")[2] == "Field":
        args, kwargs = syntax.arguments(right)
        default = args[0] if args else kwargs.get("default")
        required = "default_factory" not in kwargs and (default is None or default.value == "...")
        default = None if default is not None and default.value == "..." else default
        variables = _aliases(kwargs) or variables
    elif right is not None:
        default = syntax.value(right)
        if default.value == "...":
            default, required = None, True
    fields: dict[str, object] = {
        "name": variables[0], "required": required, "reader": "pydantic", "class": scope.name, "import_time": False,
        "type": declared,
    }  # fmt: skip
    if variables[1:]:
        fields["also"] = variables[1:]
    if default is not None:
        fields["default"] = default
    return [syntax.node(fields, statement)]


def _aliases(kwargs: dict[str, Node]) -> list[str]:
    for keyword in ("validation_alias", "env", "alias"):
        node = kwargs.get(keyword)
        if node is None:
            continue
        if node.text:
            return [node.text.upper()]
        expression = getattr(node.value, "expression", "")
        names = [i.text for i in node.items if i.text] or re.findall(r"""["'](\w{1,80})["']""", expression)
        if names:
            return [n.upper() for n in names]
    return []
