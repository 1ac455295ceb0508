"""A bar on a terminal for scans that take a while."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

_WAIT = 1.0
_PAUSE = 0.1
_CELLS = 30


class Progress:
    """Shows the stage and how far it is, from the second second on, and leaves nothing behind."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._next = time.monotonic() + _WAIT
        self._shown = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            self._stream.write("\r" + " " * self._shown + "\r")
            self._stream.flush()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell that `done` of `total` steps of `stage` are done; `total` is 0 when it is not known."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PAUSE
        line = f"{stage} {done}" if done else stage
        if total > 0:
            filled = _CELLS * min(done, total) // total
            line = f"{stage} [{'#' * filled}{'.' * (_CELLS - filled)}] {done}/{total}"
        self._stream.write("\r" + line.ljust(self._shown))
        self._stream.flush()
        self._shown = max(self._shown, len(line))
