"""Django URL configuration: the members of `urlpatterns`."""

from __future__ import annotations

import re
from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.parsers.python_tree import Syntax, Tree

_ROUTES: Final = {"path": False, "re_path": True, "url": True}
_WRAPPERS: Final = frozenset({"i18n_patterns", "decorator_include", "required", "patterns"})
_LIMIT: Final = 5000


def url_patterns(syntax: Syntax, value: Tree) -> list[Node]:
    """The routes of a list expression in order; what is not a literal route is one with Unknown `route`.

    Reads `[path(…), *others]`, `[…] + static(…)`, `i18n_patterns(path(…))`; iterative.
    """
    found: list[Node] = []
    stack = [value]
    while stack and len(found) < _LIMIT:
        place = stack.pop()
        kind = place.type
        if kind in {"list", "tuple", "parenthesized_expression", "expression_list"}:
            stack.extend(reversed([c for c in place.named_children if c.type != "comment"]))
        elif kind == "binary_operator":
            stack.extend(c for c in reversed(place.named_children) if c.type != "comment")
        elif kind == "call":
            last = syntax.name(place.child_by_field_name("function") or place).rpartition(".")[2]
            if last in _ROUTES:
                found.append(_route(syntax, place, regex=_ROUTES[last]))
            elif last in _WRAPPERS:
                arguments = place.child_by_field_name("arguments")
                children = arguments.named_children if arguments is not None else []
                stack.extend(reversed([c for c in children if c.type in {"call", "list", "list_splat", "identifier"}]))
                if last == "i18n_patterns":
                    found.append(_open(syntax, place, "language prefix"))
            elif last not in {"static", "staticfiles_urlpatterns"}:
                found.append(_open(syntax, place, "the result of a call"))
        elif kind not in {"string", "comment", "keyword_argument"}:
            found.append(_open(syntax, place, "routes from elsewhere"))
    return found


def _open(syntax: Syntax, place: Tree, because: str) -> Node:
    unknown = Unknown(syntax.text(place), because)
    return syntax.node({"route": unknown, "view": unknown, "regex": False}, place)


def _route(syntax: Syntax, place: Tree, *, regex: bool) -> Node:
    args, kwargs = syntax.arguments(place)
    route = args[0] if args else kwargs.get("route") or kwargs.get("regex")
    view = args[1] if len(args) > 1 else kwargs.get("view")
    fields: dict[str, object] = {
        "route": route if route is not None else Unknown(syntax.text(place), "no route"),
        "regex": regex,
    }
    expression = view.value.expression if view is not None and isinstance(view.value, Unknown) else ""
    if view is not None and isinstance(view.value, str):
        fields["view"] = view
    included = re.match(r"(?:[\w.]{1,40}\.)?include\s{0,9}\(", expression)
    if included and view is not None:
        fields["include"] = _included(syntax, place, view)
    elif expression:
        fields["view"] = (
            Node(_view_name(syntax, expression), syntax.source, view.start, view.end) if view else expression
        )
    if "name" in kwargs:
        fields["name"] = kwargs["name"]
    return syntax.node(fields, place)


def _included(syntax: Syntax, place: Tree, view: Node) -> Node:
    """What `include(…)` names: a dotted module, or Unknown (a list, `router.urls`)."""
    call = next(
        (
            c
            for c in (place.child_by_field_name("arguments") or place).named_children
            if c.type == "call" and "include" in syntax.name(c)
        ),
        None,
    )
    args = syntax.arguments(call)[0] if call is not None else []
    named = args[0] if args else None
    if named is not None and isinstance(named.value, tuple) and named.value:
        named = named.value[0]
    if named is None:
        return Node(Unknown("include", "no argument"), syntax.source, view.start, view.end)
    if isinstance(named.value, Unknown):
        resolved = named.value.expression
        known = (
            "." in resolved and resolved.partition(".")[0] not in syntax.imports and resolved in syntax.imports.values()
        )
        return Node(resolved if known else named.value, syntax.source, named.start, named.end)
    return named


def _view_name(syntax: Syntax, expression: str) -> str | Unknown:
    """`views.Health.as_view()` → `app.views.Health`; wrappers like `csrf_exempt(view)` are looked through."""
    inner = expression
    for _ in range(4):
        found = re.match(r"([A-Za-z_][\w.]{0,199})\s{0,9}(\(?)", inner)
        if not found:
            return Unknown(expression, "a computed view")
        name = found[1]
        if not found[2] or name.endswith(".as_view"):
            return syntax.resolve(name.removesuffix(".as_view"))
        inner = inner[found.end() :].lstrip()
    return Unknown(expression, "a computed view")
