"""Paths to fields as replacements and vars have them: `spec.template.spec.containers.[name=web].image`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from pyprod_audit.evaluate.kustomize.expressions import compiled
from pyprod_audit.evaluate.kustomize.field_specs import split_path
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, placed, with_item, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown

Change: TypeAlias = Callable[[Node, bool], Node]
"""What becomes of a field: it, and whether it was made now."""
_LONGEST: Final = 100


def parts_of(path: str) -> list[str]:
    """The steps of a path. `[name=a.b]` is one step, and so is the key of a mapping in brackets: `[a.b/c]`."""
    result: list[str] = []
    bracketed: list[str] = []
    for part in split_path(path, "."):
        if bracketed or (part.startswith("[") and not part.endswith("]")):
            bracketed.append(part)
            if not part.endswith("]"):
                continue
            joined = ".".join(bracketed)
            bracketed = []
            result.append(joined if "=" in joined else joined.strip("[]"))
        else:
            result.append(part)
    if bracketed:
        joined = ".".join(bracketed)
        result.append(joined if "=" in joined else joined.strip("[]"))
    return result


def look_up(node: Node, path: str) -> Node | None:
    """The field at a path; None when it is not there. An Unknown on the way is the answer."""
    for part in parts_of(path)[:_LONGEST]:
        found = _step(node, part)
        if found is None or found.is_unknown:
            return found
        node = found
    return node


def _step(node: Node, part: str) -> Node | None:
    value = node.value
    if isinstance(value, dict):
        return value.get(part)
    if not isinstance(value, tuple) or not value:
        return None
    if part == "-":
        return value[-1]
    if part.isascii() and part.isdigit() and len(part) < 10:
        return value[int(part)] if int(part) < len(value) else None
    if part.startswith("[") and part.endswith("]") and "=" in part:
        key, _, wanted = part[1:-1].partition("=")
        for item in value:
            if (text_of(item.mapping.get(key)) if key else text_of(item)) == wanted and (
                not key or key in item.mapping
            ):
                return item
    return None


class Fields:
    """The fields at a path, changed where they stand."""

    def __init__(self, path: str, change: Change, budget: Budget, create: Node | None = None) -> None:
        """`create`: missing fields are made, standing at this node. Raises Refused for a path of too many steps."""
        self._parts = parts_of(path)
        self._path = path
        self._change = change
        self._budget = budget
        self._create = create
        self.found = 0
        """How many fields were found or made."""
        if len(self._parts) > _LONGEST:
            raise Refused(f"the path {path} has too many steps")

    def in_object(self, node: Node) -> Node:
        """The object with its fields changed.

        Raises:
            Refused: the path does not fit the object.
        """
        return self._at(node, 0, made=False)

    def _at(self, node: Node, depth: int, *, made: bool) -> Node:
        self._budget.spend()
        if node.is_unknown and depth < len(self._parts):
            self.found += 1  # what is below is not known
            return node
        if depth == len(self._parts):
            self.found += 1
            return self._change(node, made)
        part = self._parts[depth]
        if part.isascii() and part.isdigit() and len(part) < 10:
            return self._item(node, int(part), depth)
        if part.startswith("[") and part.endswith("]"):
            return self._matching(node, part, depth)
        if part == "*":
            return self._each(node, list(range(len(self._sequence(node)))), depth)
        return self._member(node, part, depth)

    def _member(self, node: Node, part: str, depth: int) -> Node:
        if node.value is not None and not isinstance(node.value, dict):
            return self._below_scalar(node)
        member = node.mapping.get(part)
        made = member is None
        if member is None:
            if self._create is None:
                return node
            member = self._new(depth)
        new = self._at(member, depth + 1, made=made)
        if new is member and not made:
            return node
        return with_member(node if node.value is not None else node.holding({}), part, new)

    def _below_scalar(self, node: Node) -> Node:
        """Later kustomizes than 5.7 read a text as YAML here and change a value inside of it."""
        if isinstance(node.value, str):
            self.found += 1
            return node.holding(Unknown(node.value, "a replacement changes a value inside of this text"))
        raise Refused(f"{self._path} leads through something else than a mapping", node)

    def _item(self, node: Node, index: int, depth: int) -> Node:
        items = self._sequence(node)
        if index == len(items) and self._create is not None:
            return node.holding((*items, self._at(self._new(depth), depth + 1, made=True)))
        if index >= len(items):
            raise Refused(f"{self._path}: there are only {len(items)} members", node)
        return self._each(node, [index], depth)

    def _matching(self, node: Node, part: str, depth: int) -> Node:
        key, equals, wanted = part[1:-1].partition("=")
        expression = compiled(wanted)
        if not equals or expression is None:
            raise Refused(f"{self._path}: {part} is not [field=expression]", node)
        items = self._sequence(node)
        if not key:
            return self._plain(node, [index for index, item in enumerate(items) if expression.found_in(text_of(item))])
        chosen = [
            index
            for index, item in enumerate(items)
            if key in item.mapping and expression.found_in(text_of(item.mapping[key]))
        ]
        before = self.found
        node = self._each(node, chosen, depth)
        if self.found > before or self._create is None:
            return node
        fresh = placed({key: placed(wanted, self._create)}, self._create)
        return node.holding((*node.items, self._at(fresh, depth + 1, made=True)))

    def _plain(self, node: Node, chosen: Sequence[int]) -> Node:
        """Plain members that match: kustomize goes no further into them."""
        for index in chosen:
            self.found += 1
            node = with_item(node, index, self._change(node.items[index], False))
        return node

    def _each(self, node: Node, chosen: Sequence[int], depth: int) -> Node:
        items = list(node.items)
        different = False
        for index in chosen:
            new = self._at(items[index], depth + 1, made=False)
            different = different or new is not items[index]
            items[index] = new
        return node.holding(tuple(items)) if different else node

    def _sequence(self, node: Node) -> tuple[Node, ...]:
        if node.value is None:
            return ()
        if not isinstance(node.value, tuple):
            raise Refused(f"{self._path} leads through something else than a sequence", node)
        return node.value

    def _new(self, depth: int) -> Node:
        """What is made for a missing step: what the next step needs."""
        following = self._parts[depth + 1] if depth + 1 < len(self._parts) else ""
        at = self._create
        assert at is not None  # noqa: S101 - asked only when fields are made
        if not following:
            return placed(None, at)
        is_list = following.isdigit() or following == "-" or (following.startswith("[") and following.endswith("]"))
        return placed(() if is_list else {}, at)
