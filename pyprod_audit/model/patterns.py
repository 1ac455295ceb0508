"""Regular expressions that are compiled when they are first used.

A scan of a small repository needs a few of the two hundred patterns of the package; compiling all of them at import
would cost more than the scan.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_METHODS = ("finditer", "findall", "fullmatch", "match", "search", "split", "sub", "subn")


class _Lazy:
    """Stands for the pattern; the first method asked for compiles it, and later calls go to the compiled one."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled: re.Pattern[Any] = re.compile(self.pattern, self.flags)
        self.__dict__.update({method: getattr(compiled, method) for method in _METHODS})
        return getattr(compiled, name)


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What `re.compile` returns, but compiled on first use; a mistake in `pattern` shows only then."""
    return cast("re.Pattern[AnyStr]", _Lazy(pattern, flags))
