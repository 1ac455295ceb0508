"""Strategic merge patches as kustomize applies them (kyaml/yaml/merge2, kyaml/yaml/walk).

Mappings are merged, lists with merge keys member by member (those of the patch first), anything else is replaced.
`null` and `$patch: delete` remove, `$patch: replace` replaces. Base and patch stay as they are: overlays share them.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from pyprod_audit.evaluate.kustomize.merge_keys import UNKNOWN, Member, below, of_kind
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, lessened, over, with_items, with_member, with_members
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown
from pyprod_audit.model.node import OpenMapping

_DIRECTIVE: Final = "$patch"
_DIRECTIVES: Final = frozenset({"delete", "replace", "merge"})
_Keys: TypeAlias = tuple[str, ...]


class _Merged(NamedTuple):
    """The outcome for one value: None when it is removed. `own`: it is the base's value, changed or not."""

    node: Node | None
    own: bool = False


_REMOVED: Final = _Merged(None)


def merge(base: Node, patch: Node, budget: Budget, schema: Node | None = None) -> Node | None:
    """The object `base` with `patch` laid over it; None when the patch deletes it.

    `schema`: the file that tells how lists are merged, if it is not Kubernetes' own; then they are not known.

    Raises:
        Refused: base and patch have values of different kinds in one place, or a directive is not known.
    """
    if _directive(patch) == "replace":
        return base  # of a whole object it does nothing: the outcome is thrown away
    # The patch is taken for one of the base's API version; its kind may be another one.
    version = text_of(base.mapping.get("apiVersion"))
    kinds = [(version, text_of(node.mapping.get("kind"))) for node in (base, patch)]
    member = next((known for kind in kinds if (known := of_kind(*kind)) is not UNKNOWN), UNKNOWN)
    return _Merger(budget, schema).merged(base, patch, member).node


class _Merger:
    def __init__(self, budget: Budget, schema: Node | None) -> None:
        self._budget = budget
        self._schema = schema

    def merged(self, base: Node | None, patch: Node | None, member: Member) -> _Merged:
        """One value of the base and of the patch, either of which may be missing."""
        self._budget.spend()
        shown = next((node for node in (base, patch) if node is not None and node.value is not None), None)
        if shown is None:
            return self._nothing(base, patch)
        if base is not None and base.is_unknown:
            return self._over_unknown(base, patch)
        if patch is not None and patch.is_unknown:
            return _Merged(over(patch, base))
        _same_kind(shown, patch)
        if isinstance(shown.value, dict):
            return self._mapping(base, patch, member)
        if isinstance(shown.value, tuple):
            return self._list(base, patch, member)
        if patch is None:
            return _Merged(base, own=True)
        return _REMOVED if patch.value is None else _Merged(over(patch, base))

    # -- what needs no merging -----------------------------------------------------------------------------

    def _nothing(self, base: Node | None, patch: Node | None) -> _Merged:
        """Two values that are null or missing: a null that is spelled out in the base alone stays."""
        kept = base is not None and patch is None and base.start < base.end
        return _Merged(base, own=True) if kept else _REMOVED

    def _over_unknown(self, base: Node, patch: Node | None) -> _Merged:
        """What the base has is filled in by a template: a mapping over it leaves the rest open."""
        if patch is None:
            return _Merged(base, own=True)
        if isinstance(patch.value, dict):
            added = self._mapping(None, patch, UNKNOWN).node
            if added is not None and _directive(patch) != "replace":
                return _Merged(added.holding(OpenMapping(dict(added.mapping), base)))
            return _Merged(added)
        if isinstance(patch.value, tuple):
            patch = patch.holding(base.value)  # it may be merged with what is not known
        return _REMOVED if patch.value is None else _Merged(over(patch, base))

    # -- mappings ------------------------------------------------------------------------------------------

    def _mapping(self, base: Node | None, patch: Node | None, member: Member) -> _Merged:
        if patch is not None and patch.value is None:
            return _REMOVED
        alone = base is patch
        directive = _directive(patch) if patch is not None else "merge"
        if patch is not None and _DIRECTIVE in patch.mapping:
            plain = with_members(patch, {k: v for k, v in patch.mapping.items() if k != _DIRECTIVE})
            base, patch = (plain if alone else base), plain
        if directive == "delete":
            return _REMOVED
        if base is None or base.value is None or directive == "replace":
            # The patch's own values are what is merged into, so that directives in it are carried out.
            return _Merged(self._members(patch, patch, member) if patch is not None else None, own=alone)
        return _Merged(self._members(base, patch, member), own=True)

    def _members(self, into: Node, patch: Node | None, member: Member) -> Node:
        """The members of both; those of `into` that do not change are not copied."""
        members = dict(into.mapping)
        different = False
        removal: Node | None = None
        for key in {**members, **(patch.mapping if patch is not None else {})}:
            old = members.get(key)
            result = self.merged(old, patch.mapping.get(key) if patch is not None else None, below(member, key))
            new = result.node
            if new is old:
                continue
            different = True
            if new is None:
                members.pop(key, None)
                removal = patch.mapping.get(key, removal) if patch is not None and patch is not into else None
            else:
                members[key] = new
        if not different:
            return into
        found = with_members(into, members)
        return lessened(found, removal) if removal is not None else found

    # -- lists ---------------------------------------------------------------------------------------------

    def _list(self, base: Node | None, patch: Node | None, member: Member) -> _Merged:
        if self._schema is not None and base is not patch and base and patch and base.value and patch.value:
            name = text_of(self._schema)
            open_ = Unknown(name, f"{name} tells how this list and the one of the patch are merged: it is not read")
            return _Merged(over(patch.holding(open_), base))
        if member.keys is None:
            if patch is None:
                return _Merged(base, own=True)
            return _REMOVED if patch.value is None else _Merged(over(patch, base))
        if base is None or base.value is None:
            return _Merged(self._associative(patch, patch, member) if patch is not None else None)
        if patch is None:
            return _Merged(self._associative(base, None, member), own=True)
        if patch.value is None:
            return _REMOVED
        directive, plain = _list_directive(patch)
        base, patch = (plain if base is patch else base), plain
        if directive == "delete":
            return _REMOVED
        if directive == "replace":
            replaced = self._associative(patch, patch, member)
            return _Merged(over(replaced, base))
        return _Merged(self._associative(base, patch, member), own=True)

    def _associative(self, into: Node, patch: Node | None, member: Member) -> Node:
        keys = member.keys or ("",)
        rows = _rows(keys, patch, into)
        if not rows:
            return into
        of_members = Member(member.type)
        left = _Elements(into.items)
        made = _Elements(())
        valid = keys
        for row in rows:
            valid, values = _valid(rows, row, keys)
            own = left.find(valid, values)
            result = self.merged(own, _Elements(patch.items).find(valid, values) if patch else None, of_members)
            if result.node is None or not (result.node.mapping or _is_value(result.node)):
                left.remove(valid, values)
                continue
            new = result.node
            if own is not None and result.own and new is not own:
                new = _named_as(own, new, valid)
                left.exchange(own, new)
            made.put(new, valid, values)
        for item in left.items:
            if valid == ("",):
                made.put(item, valid, [text_of(item)])
                continue
            values = [_value(item, key) for key in valid if key in item.mapping]
            made.items += [item] * (len(valid) - len(values))
            if len(valid) > 1:
                made.remove(valid, values)
            made.put(item, valid, values)
        return with_items(into, tuple(made.items))


def _named_as(own: Node, merged: Node, keys: _Keys) -> Node:
    """A member whose keys stand where the base has them: a patch repeats them to say which one it means."""
    for key in keys:
        name = own.mapping.get(key)
        if name is not None and text_of(name) == _value(merged, key):
            merged = with_member(merged, key, name)
    return merged


def _is_value(node: Node) -> bool:
    """Whether a node is something else than null or a mapping."""
    return node.value is not None and not isinstance(node.value, dict)


def _same_kind(shown: Node, patch: Node | None) -> None:
    if patch is None or patch.value is None or patch.is_unknown:
        return
    kinds = [
        dict if isinstance(one.value, dict) else tuple if isinstance(one.value, tuple) else str
        for one in (shown, patch)
    ]
    if kinds[0] is not kinds[1]:
        raise Refused("the patch has another kind of value here than the base", patch)


def _directive(patch: Node) -> str:
    node = patch.mapping.get(_DIRECTIVE)
    if node is None:
        return "merge"
    directive = text_of(node)
    if directive not in _DIRECTIVES:
        raise Refused(f"unknown directive $patch: {directive}", node)
    return directive


def _list_directive(patch: Node) -> tuple[str, Node]:
    """What a `- $patch: replace` of its own in a list says, and the list without it."""
    marked = next((item for item in patch.items if _DIRECTIVE in item.mapping), None)
    if marked is None or len(marked.mapping) > 1:
        return "merge", patch
    directive = _directive(marked)
    kept = _Elements(patch.items)
    kept.remove((_DIRECTIVE,), [directive])
    return directive, patch.holding(tuple(kept.items))


def _value(item: Node, key: str) -> str:
    return text_of(item.mapping.get(key))


def _rows(keys: _Keys, *lists: Node | None) -> list[list[str]]:
    """The values of the keys of every member, the patch's first, each once."""
    rows: list[list[str]] = []
    seen: set[tuple[str, ...]] = set()
    for one in lists:
        for item in one.items if one is not None else ():
            row = [text_of(item)] if keys == ("",) else [_value(item, key) for key in keys]
            if tuple(row) not in seen:
                seen.add(tuple(row))
                rows.append(row)
    if len(keys) > 1:
        _complete(rows)
    return rows


def _complete(rows: list[list[str]]) -> None:
    """Rows that agree as far as both go are one: a port without a protocol is the port with one."""
    for first in range(len(rows)):
        row = rows[first]  # as it was: what it is joined with below does not count
        for second in range(len(rows)):
            joined = _joined(row, rows[second])
            if joined is not None:
                rows[first] = rows[second] = joined


def _joined(one: list[str], other: list[str]) -> list[str] | None:
    if not any(a == b for a, b in zip(one, other, strict=True)):
        return None
    if any(a and b and a != b for a, b in zip(one, other, strict=True)):
        return None
    return [a or b for a, b in zip(one, other, strict=True)]


def _valid(rows: list[list[str]], row: list[str], keys: _Keys) -> tuple[_Keys, list[str]]:
    """The keys that any member has, and the row's values of them; all keys when no member has any."""
    used = [any(one[index] for one in rows) for index in range(len(keys))]
    if not any(used):
        return keys, row
    chosen = [index for index in range(len(keys)) if used[index]]
    return tuple(keys[index] for index in chosen), [row[index] for index in chosen]


class _Elements:
    """A list whose members are found by the values of some of their fields, with kyaml's peculiarities."""

    def __init__(self, items: tuple[Node, ...]) -> None:
        self.items = list(items)

    def find(self, keys: _Keys, values: list[str]) -> Node | None:
        """The first member that has all the values; keys without a value in the row do not count."""
        present = [index for index, value in enumerate(values) if value]
        if keys != ("",) and present:
            keys = tuple(keys[index] for index in present)
            values = [values[index] for index in present]
        for item in self.items:
            if keys == ("",):
                if text_of(item) == values[0]:
                    return item
            elif all(
                key in item.mapping and _value(item, key) == value for key, value in zip(keys, values, strict=True)
            ):
                return item
        return None

    def remove(self, keys: _Keys, values: list[str]) -> None:
        """Removes every member that matches."""
        self._set(None, keys, values)

    def put(self, element: Node, keys: _Keys, values: list[str]) -> None:
        """Puts a member in the place of those that match, or at the end."""
        if not self._set(element, keys, values):
            self.items.append(element)

    def exchange(self, old: Node, new: Node) -> None:
        """Puts a member in the place of the very same one."""
        self.items = [new if item is old else item for item in self.items]

    def _set(self, element: Node | None, keys: _Keys, values: list[str]) -> bool:
        by_mapping = bool(keys[0] and values and values[0])
        kept: list[Node] = []
        found = False
        for item in self.items:
            if item.value is None or (isinstance(item.value, dict) and not item.value):
                continue
            if (by_mapping and not isinstance(item.value, dict)) or not _matches(item, keys, values):
                if values:
                    kept.append(item)
                continue
            found = True
            if element is not None:
                kept.append(element)
        self.items = kept
        return found


def _matches(item: Node, keys: _Keys, values: list[str]) -> bool:
    """Whether a member has the values, of which there may be fewer than keys; "" is satisfied by any value."""
    for key, value in zip(keys, values, strict=False):
        if not key:
            if not isinstance(item.value, Unknown) and text_of(item) != value:
                return False
        elif key not in item.mapping or (value and _value(item, key) != value):
            return False
    return bool(values)
