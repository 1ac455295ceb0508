"""Labels that kustomize keeps in one place for several fields of an object.

A transformer of labels or annotations puts one and the same value into every field that lacks it (metadata, selector,
template). What changes one of them later, a patch or the labels of an overlay, changes them all, although it names only
one (api/filters/filtersutil, `SetEntry`; kyaml, `FieldSetter`). A JSON patch ends that.
"""

from __future__ import annotations

from typing import TypeAlias

from pyprod_audit.evaluate.kustomize.place import with_item, with_member
from pyprod_audit.model import Node

Path: TypeAlias = tuple[str | int, ...]


class Shared:
    """A value that stands at several paths of an object."""

    __slots__ = ("node", "paths")

    def __init__(self, node: Node, paths: list[Path]) -> None:
        self.node = node
        self.paths = paths

    def follow(self, root: Node) -> Node:
        """`root` with the value that one of the paths has got at all of them."""
        found = [(path, node) for path in self.paths if (node := _get(root, path)) is not None]
        self.paths = [path for path, _ in found]
        changed = [node for _, node in sorted(found, key=lambda one: str(one[0])) if node is not self.node]
        if not changed or isinstance(changed[-1].value, (dict, tuple)):
            return root
        self.node = changed[-1]
        for path, node in found:
            if node is not self.node:
                root = _set(root, path, self.node)
        return root


def _get(node: Node, path: Path) -> Node | None:
    found: Node | None = node
    for step in path:
        if found is None:
            return None
        if isinstance(step, int):
            found = found.items[step] if step < len(found.items) else None
        else:
            found = found.mapping.get(step)
    return found


def _set(node: Node, path: Path, new: Node) -> Node:
    parents = [node]
    for step in path[:-1]:
        parents.append(parents[-1].items[step] if isinstance(step, int) else parents[-1].mapping[step])
    for step, parent in zip(reversed(path), reversed(parents), strict=True):
        new = with_item(parent, step, new) if isinstance(step, int) else with_member(parent, step, new)
    return new
