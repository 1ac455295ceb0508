"""Template files: `templatefile` and `templatestring`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from pyprod_audit.evaluate.terraform.conversion import as_text
from pyprod_audit.evaluate.terraform.values import (
    EncodedMapping,
    EncodedSequence,
    Invalid,
    Unresolved,
    Value,
    is_mapping,
    mapping_of,
)
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers.hcl_expression import Expression, ForExpression

if TYPE_CHECKING:
    from pyprod_audit.evaluate.terraform.functions import Call

_LONGEST: Final = 65_536
_MOST_TEMPLATES: Final = 500


def template_of(call: Call, file: SourceFile) -> Node:
    """The file read as a template, once for all who render it. Raises Invalid when it is none, Unresolved."""
    known = call.evaluator.effort.templates
    found = known.get(file.path)
    if found is None or found.source is not file:
        if len(known) >= _MOST_TEMPLATES:
            raise Unresolved("there are too many templates")
        found = known[file.path] = _read(file)
    return _valid(found)


def template_of_text(text: str) -> Node:
    """A text read as a template. Raises Invalid when it is none, Unresolved."""
    return _valid(_read(SourceFile("", text)))


def _read(file: SourceFile) -> Node:
    from pyprod_audit.parsers.hcl_tree import read_template  # loads tree-sitter

    if len(file.text) > _LONGEST:
        raise Unresolved("the template is too long")
    return read_template(file)


def _valid(template: Node) -> Node:
    if isinstance(template.value, Expression) and template.value.operator == "opaque":
        raise Invalid(f"it is no template: {template.value.because}")
    return template


class _NoDefinitions:
    """What a template sees besides the variables that it is given: files, as everything else, but no names."""

    def __init__(self, call: Call) -> None:
        self._definitions = call.definitions
        self.folder = self._definitions.folder
        self.root_folder = self._definitions.root_folder

    def variable(self, name: str) -> Node | Unknown:
        """There are none."""
        raise Invalid(f"the template is not given var.{name}")

    def local(self, name: str) -> Node | Unknown:
        """There are none."""
        raise Invalid(f"the template is not given local.{name}")

    def module(self, name: str) -> Node | Unknown:
        """There are none."""
        raise Invalid(f"the template is not given module.{name}")

    def resource(self, address: str) -> Node | Unknown:
        """There are none."""
        raise Invalid(f"the template is not given {address}")

    def file(self, path: str) -> SourceFile | None:
        """The same files."""
        return self._definitions.file(path)

    def paths(self) -> Collection[str]:
        """The same files."""
        return self._definitions.paths()


def rendered(call: Call, template: Node, variables: Value) -> Value:
    """The template with its variables filled in. Raises Invalid, Unresolved."""
    from pyprod_audit.evaluate.terraform.expressions import Evaluator, Scope

    if not is_mapping(variables):
        raise Invalid("the variables of a template are a map")
    names = mapping_of(variables)
    for name in names:
        if not name.replace("-", "_").isidentifier():
            raise Invalid("a template's variable has no proper name")
    _require_names(template, names)
    inner = Evaluator(_NoDefinitions(call), call.evaluator.effort)
    value = inner.value(template, Scope({}, names))
    if isinstance(value, Unknown):
        raise Unresolved(value.because)
    if value is None:
        raise Unresolved("the type of the null is not known")
    if isinstance(value, (EncodedMapping, EncodedSequence)):
        return as_text(value)
    if isinstance(value, (dict, tuple)):
        from pyprod_audit.evaluate.terraform.traversal import placed

        return placed(value, call.place, template.source.path, call.charge)
    return value


def _require_names(template: Node, names: Mapping[str, Node]) -> None:
    """Raises Invalid when the template names a variable anywhere that it is not given."""
    stack: list[tuple[Node, frozenset[str]]] = [(template, frozenset(names))]
    while stack:
        node, known = stack.pop()
        value = node.value
        if isinstance(value, Expression):
            if value.operator == "reference" and value.name not in known:
                raise Invalid(f"the template is not given {value.name[:60]}")
            inner = known
            if isinstance(value, ForExpression):
                stack.append((value.operands[0], known))
                inner = known | {value.key_name, value.value_name}
                stack += [(one, inner) for one in (value.key, value.condition) if one is not None]
            stack += [(one, inner) for one in value.operands[isinstance(value, ForExpression) :]]
            stack += [(step, known) for step in value.steps if isinstance(step, Node)]
        stack += [(one, known) for one in (*node.items, *node.mapping.values())]
