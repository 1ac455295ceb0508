"""Variables that a tool fills into manifests before Kubernetes sees them (envsubst, Flux, Cloud Build)."""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.patterns import lazy

# Scripts and files of other formats: a `$` in them is most likely their own.
_OPAQUE: Final = frozenset({"data", "stringData", "binaryData", "annotations"})
_SCRIPTS: Final = frozenset({"command", "args"})
_WHOLE = lazy(r"\$(?:\{[A-Za-z_][^{}]*\}|[A-Z_][A-Z0-9_]*)")
_BRACED = lazy(r"\$\{[A-Za-z_]")
_NAMED = lazy(r"\$(?:\{|[A-Z_][A-Z0-9_]*)")


def mark_variables(node: Node) -> None:
    """Turns the scalars below the object `node` that hold `${NAME}` into Unknown, in place.

    `$(NAME)` is Kubernetes' own and stays, as does whatever a container's shell or a file in a ConfigMap expands.
    """
    if _NAMED.search(node.source.text, node.start, node.end):
        mark_all_variables(node)


def mark_all_variables(node: Node) -> None:
    """The same where the values below `node` need not stand in its own file: what a template gave."""
    pending = [("", node)]
    seen: set[int] = set()
    while pending:
        key, current = pending.pop()
        value = current.value
        if isinstance(value, str):
            if "$" in value and is_filled_in(value, key):
                current.value = Unknown(value, "filled in by a tool that expands variables")
        elif isinstance(value, (dict, tuple)):
            if id(value) in seen:
                continue  # an alias: the same members, already done
            seen.add(id(value))
            if isinstance(value, tuple):
                pending.extend((key, member) for member in value)
            else:
                pending.extend((name, member) for name, member in value.items() if name not in _OPAQUE)


def is_filled_in(value: str, key: str = "") -> bool:
    """Whether a tool replaces something in the text `value`, which stands under `key`."""
    if _WHOLE.fullmatch(value):
        return True
    if key in _SCRIPTS or "\n" in value:
        return False
    return (_NAMED if key == "image" else _BRACED).search(value) is not None
