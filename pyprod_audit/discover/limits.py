"""How much of a tree is read at most: hostile trees are normal."""

from __future__ import annotations

from typing import NamedTuple

_MIB = 1024 * 1024


class Limits(NamedTuple):
    """Caps: bytes per file (`lock_bytes` for lock files), number of files, folder depth, seconds to list them."""

    file_bytes: int = 5 * _MIB
    lock_bytes: int = 20 * _MIB
    files: int = 500_000
    depth: int = 64
    seconds: float = 60.0

    def bytes_for(self, kind: str) -> int:
        """The cap for a file of this kind."""
        return self.lock_bytes if kind == "lock" else self.file_bytes


def too_large(size: int, cap: int) -> str:
    """The reason for skipping a file of `size` bytes."""
    return f"larger than {cap / _MIB:g} MiB" if cap >= _MIB else f"larger than {cap} bytes ({size})"
