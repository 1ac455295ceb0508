"""How a function says that its result cannot be known."""

from __future__ import annotations

from typing import Any, Final

from pyprod_audit.evaluate.gotemplate.functions import Contextual, Registered
from pyprod_audit.model import Unknown

MAX_DEPTH: Final = 100
"""Maps in maps that the functions follow; go on, and Python's stack would end."""
MAX_MEMBERS: Final = 500_000
"""Members of nested maps and slices that one call visits, each as often as it is met."""
MAX_SIZE: Final = 5_000_000
"""Characters (or members) that one call makes."""


class Undecided(Exception):  # noqa: N818 - no error: the real function has a result, which is not known
    """Raised by functions deep down; `unknown` is then the result of the call."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(unknown.because)
        self.unknown = unknown


def too_deep(name: str) -> Undecided:
    """For values nested deeper than `MAX_DEPTH` or larger than the other limits."""
    return Undecided(Unknown(name, "the value is too deep or too large to follow"))


class _Guarded:
    """A function whose `Undecided` becomes an Unknown."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        try:
            return self.function(*arguments)
        except Undecided as undecided:
            return undecided.unknown

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


def guarded(function: Registered) -> Registered:
    """The function with an Unknown as its result where it raises `Undecided`."""
    if isinstance(function, Contextual):
        return Contextual(
            _Guarded(function.function),
            lenient=function.lenient,
            transparent=function.transparent,
            takes=function.takes,
        )
    return _Guarded(function)
