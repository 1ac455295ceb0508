"""Module-level assignments as one mapping: what a settings module or gunicorn.conf.py says."""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.python_scopes import Scopes
from pyprod_audit.parsers.python_tree import Syntax, Tree

_SET_LATER: Final = lazy(
    r"(?:[\w.]{0,80}\.)?(?:config|conf|secret_key|verify|verify_mode|check_hostname|CONFIG)(?:\.\w{1,60})?"
    r"|ssl\.\w{1,60}|[\w.]{1,80}\.(?:wsgi_app|debug|permanent_session_lifetime)"
)
_LIMIT: Final = 5000


class Settings:
    """Collects what names of the module (and of its classes) are set to."""

    def __init__(self, syntax: Syntax, scopes: Scopes) -> None:
        self.syntax = syntax
        self.scopes = scopes
        self.assignments: dict[str, Node] = {}
        self.classes: dict[str, dict[str, Node]] = {}
        self.later: list[Node] = []

    def assigned(self, left: Tree, right: Tree, *, module_level: bool) -> None:
        """`left = right` for any left side but a tuple."""
        if left.type == "identifier":
            name = self.syntax.text(left)
            if module_level:
                self._set(name, self._value(left, right))
            elif self.scopes.function is None:
                cls = self.scopes.enclosing_class
                if cls is not None and (
                    name.isupper() or cls.name.endswith(("Config", "Settings", "Meta", "Migration"))
                ):
                    self.classes.setdefault(cls.name, {})[name] = self._value(left, right)
        elif left.type in {"attribute", "subscript"}:
            path = self._path(left)
            if path and module_level and isinstance(getattr(self.assignments.get(path[0]), "value", None), dict):
                self._set_below(path, self._value(left, right))
            elif path:
                self._set_elsewhere(path, left, right, module_level=module_level)

    def extended(self, left: Tree, right: Tree) -> None:
        """`NAME += right` at module level."""
        path = self._path(left)
        if len(path) != 1:
            return
        old, new = self.assignments.get(path[0]), self._value(left, right)
        conditional = self.scopes.conditional
        if old is None or not isinstance(old.value, tuple) or len(old.value) > _LIMIT:
            joined: object = Unknown(self.syntax.text(left), "extended here")
        elif isinstance(new.value, tuple) and not conditional:
            joined = [*old.value, *new.value]
        else:
            joined = [*old.value, self.syntax.node(Unknown(self.syntax.text(right), "added under a condition"), right)]
        self._put(path[0], self.syntax.keyed(self.syntax.node(joined, right), left))

    def opened(self, left: Tree) -> None:
        """A name that gets a value nobody can read: loop variable, unpacked, `with … as`."""
        for name in re.findall(r"[A-Za-z_]\w{0,99}", self.syntax.text(left)):
            self._set(name, self.syntax.keyed(self.syntax.node(Unknown(name, "assigned at run time"), left), left))

    def _value(self, left: Tree, right: Tree) -> Node:
        value = self.syntax.value(right)
        return self.syntax.keyed(value, left)

    def _set(self, name: str, value: Node) -> None:
        old = self.assignments.get(name)
        if old is not None and self.scopes.conditional and not same(old, value):
            either = Unknown(f"{_shown(old)} | {_shown(value)}", "assigned under a condition")
            value = Node(either, value.source, value.start, value.end, value.key_start, value.key_end)
        self._put(name, value)

    def _put(self, name: str, value: Node) -> None:
        self.assignments[name] = value
        constants = self.syntax.constants
        if isinstance(value.value, (Unknown, dict, tuple)):
            constants.pop(name, None)
        else:
            constants[name] = value

    def _set_below(self, path: list[str], value: Node) -> None:
        """`DATABASES["default"]["CONN_MAX_AGE"] = 60`: into the mapping when it is one."""
        root = self.assignments[path[0]]
        trail: list[dict[str, Node]] = []
        here = root
        for part in path[1:-1]:
            if not isinstance(here.value, dict):
                return
            trail.append(here.value)
            below = here.value.get(part)
            if below is None:
                below = Node({}, value.source, value.start, value.end, value.key_start, value.key_end)
                here.value[part] = below
            here = below
        if isinstance(here.value, dict):
            old = here.value.get(path[-1])
            if self.scopes.conditional and (old is None or not same(old, value)):
                shown = f"{_shown(old) if old is not None else 'absent'} | {_shown(value)}"
                either = Unknown(shown, "assigned under a condition")
                value = Node(either, value.source, value.start, value.end, value.key_start, value.key_end)
            here.value[path[-1]] = value

    def _set_elsewhere(self, path: list[str], left: Tree, right: Tree, *, module_level: bool) -> None:
        """`app.config["X"] = …`, `session.verify = False`, `ctx.check_hostname = False`, in functions as well."""
        dotted = ".".join(path)
        resolved = self.scopes.resolve(dotted)
        if not (_SET_LATER.fullmatch(dotted) or _SET_LATER.fullmatch(resolved)) or len(self.later) >= _LIMIT:
            return
        value = self._value(left, right)
        fields: dict[str, object] = {
            "target": resolved, "written": dotted, "value": value, "import_time": self.scopes.import_time,
        }  # fmt: skip
        if self.scopes.function is not None:
            fields["function"] = self.scopes.function.name
        self.later.append(self.syntax.node(fields, left))
        if module_level:
            self._set(dotted, value)

    def _path(self, place: Tree) -> list[str]:
        """The parts of `a.b["c"]["d"]`; empty when one of them is computed."""
        parts: list[str] = []
        here: Tree | None = place
        for _ in range(12):
            if here is None:
                return []
            if here.type == "identifier":
                parts.append(self.syntax.text(here))
                return parts[::-1]
            if here.type == "attribute":
                attribute = here.child_by_field_name("attribute")
                parts.append(self.syntax.text(attribute) if attribute is not None else "")
                here = here.child_by_field_name("object")
            elif here.type == "subscript":
                key = here.child_by_field_name("subscript")
                text = self.syntax.value(key).text if key is not None else None
                if text is None:
                    return []
                parts.append(text)
                here = here.child_by_field_name("value")
            else:
                return []
        return []


def same(a: Node, b: Node) -> bool:
    """Whether two nodes certainly have the same scalar value."""
    return not isinstance(a.value, (Unknown, dict, tuple)) and type(a.value) is type(b.value) and a.value == b.value


def _shown(node: Node) -> str:
    return (
        node.value.expression[:80] if isinstance(node.value, Unknown) else node.source.text[node.start : node.end][:80]
    )
