"""Objects whose members are evaluated when they are first asked for: the outputs of a module, instances of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from pyprod_audit.model import Node, SourceFile, Unknown

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_values

_NOT_YET: Final = Node(Unknown("", "it is being evaluated"), SourceFile("", ""), 0, 0)


class LazyObject(dict["str", "Node"]):
    """A mapping with known keys and members that are made on demand, each once.

    Terraform evaluates outputs one by one: a module's input may come from another module that in turn takes an input
    from an output of the first. `make` gives the member of a key.
    """

    __slots__ = ("_make",)

    def __init__(self, keys: Iterable[str], make: Callable[[str], Node]) -> None:
        super().__init__(dict.fromkeys(keys, _NOT_YET))
        self._make = make

    def __getitem__(self, key: str) -> Node:
        """The member, made now if it was not yet."""
        found = super().__getitem__(key)
        if found is _NOT_YET:
            found = self._make(key)
            super().__setitem__(key, found)
        return found

    def __iter__(self) -> Iterator[str]:
        """The keys. Being written here, it keeps `dict(lazy)` and `{**lazy}` from copying members not yet made."""
        return super().__iter__()

    def get(self, key: str, default: Any = None) -> Any:
        """The member, or `default`."""
        return self[key] if key in self else default  # noqa: SIM401 (`get` is what is written here)

    def _all(self) -> dict[str, Node]:
        return {key: self[key] for key in self}

    def values(self) -> dict_values[str, Node]:
        """All members, made now."""
        return self._all().values()

    def items(self) -> dict_items[str, Node]:
        """All keys and members, made now."""
        return self._all().items()

    def copy(self) -> dict[str, Node]:
        """All members, made now."""
        return self._all()
