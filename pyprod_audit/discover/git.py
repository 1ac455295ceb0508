"""Asking git for its list of files, without letting the scanned repository run anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pyprod_audit.discover.ignore import is_never_ours
from pyprod_audit.model.patterns import lazy

if TYPE_CHECKING:
    from pyprod_audit.discover.walk import Discovery

# Each of these settings could make git start a program, use the network or depend on who runs it.
_SAFE = (
    "-c", "core.fsmonitor=false",
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.untrackedCache=false",
    "-c", f"core.excludesFile={os.devnull}",
    "-c", f"core.attributesFile={os.devnull}",
    "-c", "protocol.allow=never",
)  # fmt: skip
_COMMAND = ("ls-files", "-z", "--stage", "--cached", "--others", "--exclude-standard")
_KEPT_VARIABLES = ("GIT_CONFIG_", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH")
_TRACKED = lazy(rb"([0-7]{6}) [0-9a-f]{40,64} [0-3]\t")
_SUBMODULE = b"160000"


def list_with_git(root: Path, found: Discovery, seconds: float) -> list[str] | None:
    """The files below `root` that git tracks or would let one add; None when git cannot say.

    Why it cannot goes to `found.notes`; submodules and names that are no text go to `found.skipped`.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "--no-pager", *_SAFE, *_COMMAND],  # noqa: S607 - git is wherever PATH says
            cwd=root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        found.notes.append("git is not installed: the folder was walked instead")
        return None
    except (OSError, subprocess.TimeoutExpired) as error:
        found.notes.append(f"git did not answer ({type(error).__name__}): the folder was walked instead")
        return None
    if done.returncode != 0:
        first = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        found.notes.append(f"git refused ({first}): the folder was walked instead")
        return None
    listed = _read(done.stdout, found)
    if not listed:
        found.notes.append("git lists nothing here: the folder was walked instead")
    return listed


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith(_KEPT_VARIABLES)}
    return {
        **kept,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "LC_ALL": "C",
    }


def _read(output: bytes, found: Discovery) -> list[str]:
    listed: dict[str, None] = {}  # an unmerged file is listed once a side
    tracked = _TRACKED.match
    for entry in output.split(b"\0"):
        if not entry:
            continue
        match = tracked(entry)
        raw = entry[match.end() :] if match else entry
        try:
            path = raw.decode("utf-8")
        except UnicodeDecodeError:
            found.skipped.append((raw.decode("utf-8", "backslashreplace"), "name is not UTF-8"))
            continue
        if match is None:
            if path.endswith("/"):
                found.skipped.append((path.rstrip("/"), "repository of its own"))
                continue
            if any(is_never_ours(part) for part in path.split("/")[:-1]):
                continue
        elif match[1] == _SUBMODULE:
            found.skipped.append((path, "submodule"))
            continue
        listed[path] = None
    return list(listed)
