"""JSON patches (RFC 6902) as kustomize applies them, by the rules of evanphx/json-patch 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pyprod_audit.evaluate.kustomize.place import Budget, Refused, lessened, over, with_item, with_member
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown

_OPERATIONS: Final = frozenset({"add", "remove", "replace", "move", "copy", "test"})
_MOST_OPERATIONS: Final = 10_000


def apply_patch(node: Node, operations: Sequence[Node], budget: Budget) -> Node:
    """`node` with the operations of a patch carried out in order.

    Raises:
        Refused: an operation is malformed, its path does not exist, or a `test` does not hold.
    """
    if len(operations) > _MOST_OPERATIONS:
        raise Refused(f"the patch has more than {_MOST_OPERATIONS} operations", operations[0])
    for operation in operations:
        budget.spend()
        name = text_of(operation.get("op"))
        if name not in _OPERATIONS:
            raise Refused(f"there is no JSON patch operation {name or '(none)'}", operation)
        node = _carry_out(node, operation, name, budget)
    return node


def _carry_out(node: Node, operation: Node, name: str, budget: Budget) -> Node:
    path = _pointer(operation, "path")
    if _is_open(node, path):
        return node
    if name in ("move", "copy"):
        origin = _pointer(operation, "from")
        if _is_open(node, origin):
            return node
        value = _found(node, origin, operation)
        if name == "move":
            node = _edited(node, origin, "remove", None, operation, budget)
        return _edited(node, path, "add", value, operation, budget)
    if name == "test":
        _test(node, path, operation)
        return node
    written = operation.mapping.get("value")
    return _edited(node, path, name, _value(written, operation), operation, budget)


def _pointer(operation: Node, key: str) -> list[str]:
    found = operation.mapping.get(key)
    text = text_of(found)
    if not text.startswith("/"):
        raise Refused(f"the {key} of a JSON patch starts with a slash, not {text or 'nothing'}", found or operation)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _value(written: Node | None, operation: Node) -> Node:
    """The value of an operation, without its key: `value` names nothing in the object."""
    if written is None:
        return Node(None, operation.source, operation.start, operation.end)
    if isinstance(written.value, (dict, tuple)):
        return written
    return Node(written.value, written.source, written.start, written.end).coming(*written.via)


def _is_open(node: Node, path: Sequence[str]) -> bool:
    """Whether a path leads into a value that is not known: nothing can be done there."""
    for part in path[:-1]:
        following = _child(node, part)
        if following is None:
            return False
        if following.is_unknown:
            return True
        node = following
    return False


def _child(node: Node, part: str) -> Node | None:
    if isinstance(node.value, dict):
        return node.value.get(part)
    if isinstance(node.value, tuple):
        index = _index(part)
        size = len(node.value)
        index = index + size if index is not None and index < 0 else index
        return node.value[index] if index is not None and 0 <= index < size else None
    return None


def _index(part: str) -> int | None:
    digits = part.removeprefix("-")
    return int(part) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _found(node: Node, path: Sequence[str], operation: Node) -> Node:
    """What is at a path; null where a mapping does not have the last step."""
    for depth, part in enumerate(path):
        following = _child(node, part)
        if following is None and depth + 1 == len(path) and isinstance(node.value, dict):
            return Node(None, operation.source, operation.start, operation.end)
        if following is None:
            raise Refused(f"there is nothing at {'/' + '/'.join(path)} to take", operation)
        node = following
    return node


def _edited(node: Node, path: Sequence[str], name: str, value: Node | None, operation: Node, budget: Budget) -> Node:
    """`node` with one member added, replaced or removed (`value` None)."""
    parents = [node]
    for part in path[:-1]:
        following = _child(parents[-1], part)
        if following is None or not isinstance(following.value, (dict, tuple)):
            raise Refused(f"the patch does not apply: there is no {_written(path)}", operation.get("path"))
        parents.append(following)
    holder = parents.pop()
    budget.spend(len(path))
    if isinstance(holder.value, dict):
        new = _in_mapping(holder, path, name, value, operation)
    else:
        new = _in_sequence(holder, path, name, value, operation)
    for part, parent in zip(reversed(path[:-1]), reversed(parents), strict=True):
        if isinstance(parent.value, dict):
            new = with_member(parent, part, new)
        else:
            index = _index(part) or 0
            new = with_item(parent, index if index >= 0 else index + len(parent.items), new)
    return new


def _in_mapping(holder: Node, path: Sequence[str], name: str, value: Node | None, operation: Node) -> Node:
    old = holder.mapping.get(path[-1])
    if name == "remove" and old is None:  # `replace` adds what is not there
        raise Refused(f"the patch does not apply: there is no {_written(path)}", operation.get("path"))
    if name == "remove" or value is None:
        return lessened(with_member(holder, path[-1], None), operation)
    return with_member(holder, path[-1], over(value, old))


def _in_sequence(holder: Node, path: Sequence[str], name: str, value: Node | None, operation: Node) -> Node:
    items = holder.items
    part = path[-1]
    size = len(items) + (name == "add")
    index = len(items) if part == "-" and name == "add" else _index(part)
    if index is not None and index < 0:
        index += size
    if index is None or not 0 <= index < size:
        raise Refused(f"the patch does not apply: there is no {_written(path)}", operation.get("path"))
    if name == "remove" or value is None:
        return holder.holding((*items[:index], *items[index + 1 :]))
    if name == "add":
        return holder.holding((*items[:index], value, *items[index:]))
    return with_item(holder, index, over(value, items[index]))


def _test(node: Node, path: Sequence[str], operation: Node) -> None:
    found: Node | None = node
    for part in path:
        found = _child(found, part) if found is not None else None
    wanted = operation.mapping.get("value")
    if not _equal(found, wanted):
        raise Refused(f"the test of the patch fails at {_written(path)}", operation.get("path"))


def _equal(one: Node | None, other: Node | None) -> bool:
    """Whether two values are the same; true for what is not known. A missing value is null."""
    pending = [(one, other)]
    while pending:
        one, other = pending.pop()
        first, second = (None if one is None else one.value), (None if other is None else other.value)
        if isinstance(first, Unknown) or isinstance(second, Unknown):
            continue
        if isinstance(first, dict) and isinstance(second, dict):
            pending.extend((first.get(key), second.get(key)) for key in {**first, **second})
        elif isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
            pending.extend(zip(first, second, strict=True))
        elif type(first) is not type(second) or first != second:
            return False
    return True


def _written(path: Sequence[str]) -> str:
    return "/" + "/".join(path)
