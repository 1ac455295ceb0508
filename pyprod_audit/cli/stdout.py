"""Writing reports: to standard output, or to files that appear whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


def write_stdout(text: str) -> None:
    """Write `text` as UTF-8. A reader that went away (`| head`) is no error."""
    try:
        if sys.stdout.isatty():
            click.echo(text, nl=False, color=True)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # what is still in the buffer would raise again when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_file(target: Path, text: str) -> None:
    """Write `text` as UTF-8 to `target`, replacing it at once. Raises OSError."""
    data = text.encode("utf-8", "backslashreplace")
    if target.exists() and not target.is_file():  # a pipe or a device, such as /dev/stdout
        target.write_bytes(data)
        return
    real = Path(os.path.realpath(target))
    fresh = real.with_name(f".{real.name}.{os.getpid()}.new")
    try:
        fresh.write_bytes(data)
        fresh.replace(real)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
