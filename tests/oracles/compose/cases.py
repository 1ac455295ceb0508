"""The hand-written cases and what Docker Compose makes of them, and the comparison of our model with that.

`cases/*.yaml` map the name of a case to its files; `files` names those to load when they are not what Compose finds by
itself. `expected.json` is what `docker compose config` prints, with paths relative to the case's folder; it names the
version and is recorded by `python tests/oracles/record_compose.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
_FILES = "files"


class Case(NamedTuple):
    """A small folder; `named` are the files to load, empty for those that Compose finds."""

    name: str
    files: dict[str, str]
    named: tuple[str, ...]


def cases() -> Iterator[Case]:
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for name, content in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            files = {path: text for path, text in content.items() if path != _FILES}
            yield Case(f"{path.stem}/{name}", files, tuple(content.get(_FILES, ())))


def recorded() -> dict[str, dict[str, Any]]:
    """What Compose printed, by the name of the case: `project`, or `error` when it refused the files."""
    found: dict[str, dict[str, Any]] = json.loads(EXPECTED.read_text(encoding="utf-8"))["cases"]
    return found


# -- the comparison ---------------------------------------------------------------------------------------------

UNKNOWN = object()
"""Stands for a value that our model leaves open."""

_DURATIONS = {
    "interval",
    "timeout",
    "start_period",
    "start_interval",
    "stop_grace_period",
    "delay",
    "window",
    "monitor",
}
_SIZES = {"mem_limit", "mem_reservation", "memswap_limit", "shm_size", "memory", "size", "mem_swappiness"}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def differences(ours: Any, theirs: Any, path: tuple[Any, ...] = ()) -> Iterator[str]:
    """Where our plain values differ from Compose's; what is UNKNOWN differs from nothing.

    Not different: what Compose leaves out because it is zero or the default, durations and sizes written in another
    way, the names that it makes of the project's name; `x-` members, which our model leaves out at the top; and what
    `config` leaves out: `env_file` once it is read, and what no service uses.
    """
    if ours is UNKNOWN:
        return
    if isinstance(ours, dict) or isinstance(theirs, dict):
        yield from _mappings(ours, theirs, path)
    elif isinstance(ours, list) or isinstance(theirs, list):
        yield from _sequences(ours or [], theirs or [], path)
    elif not _equal(ours, theirs, str(path[-1]) if path else ""):
        yield f"{'.'.join(map(str, path))}: {ours!r} instead of {theirs!r}"


def _mappings(ours: Any, theirs: Any, path: tuple[Any, ...]) -> Iterator[str]:
    if not isinstance(ours or {}, dict) or not isinstance(theirs or {}, dict):
        yield f"{'.'.join(map(str, path))}: {ours!r} instead of {theirs!r}"
        return
    own, other = ours or {}, theirs or {}
    for name in sorted({*own, *other}):
        below = (*path, name)
        if name not in own and (_OPEN in own or name.startswith("x-") or _is_made(below, other[name])):
            continue
        if name not in other and (name in (_OPEN, "env_file") or below == ("files",) or _is_unused(below)):
            continue
        yield from differences(own.get(name), other.get(name), below)


def _is_made(path: tuple[Any, ...], value: Any) -> bool:
    """Whether Compose says something that nobody wrote: names, the default network."""
    made_name = path == ("name",) or (len(path) == 3 and path[0] != "services" and path[2] == "name")
    network = path[-2:] == ("networks", "default") or (path[-1] == "networks" and value == {"default": None})
    return made_name or network or (path == ("networks",) and set(value) == {"default"})


def _is_unused(path: tuple[Any, ...]) -> bool:
    return len(path) == 2 and path[0] in ("volumes", "networks", "secrets", "configs")


def _sequences(ours: Any, theirs: Any, path: tuple[Any, ...]) -> Iterator[str]:
    if not isinstance(ours, list) or not isinstance(theirs, list):
        yield f"{'.'.join(map(str, path))}: {ours!r} instead of {theirs!r}"
    elif len(ours) == len(theirs):
        for index, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(own, other, (*path, index))
    elif UNKNOWN not in ours:
        yield f"{'.'.join(map(str, path))}: {len(ours)} members instead of {len(theirs)}"


_OPEN = "…"


def plain(node: Any) -> Any:
    """A node as plain values, with UNKNOWN for what is open and a key `…` in mappings that may hold more."""
    from pyprod_audit.model import OpenMapping, Unknown

    value = node.value
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, dict):
        members = {name: plain(member) for name, member in value.items() if not name.startswith("x-")}
        return {**members, _OPEN: None} if isinstance(value, OpenMapping) else members
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def _equal(ours: Any, theirs: Any, key: str) -> bool:
    if theirs is None:
        # create_host_path and required are true unless it is said that they are not, and then left out
        return ours in (None, False, 0, "") or (ours is True and key in ("create_host_path", "required"))
    if ours is None:
        return theirs in (False, 0, "")
    if type(ours) is type(theirs) and ours == theirs:
        return True
    if key in _DURATIONS:
        return _seconds(ours) == _seconds(theirs)
    if key in _SIZES:
        return _bytes(ours) == _bytes(theirs)
    if key == "mode":
        return (int(ours, 8) if isinstance(ours, str) else ours) == int(str(theirs), 8)
    if key == "count":
        return bool(ours == "all" and theirs == -1)
    return key in ("cpus", "cpu_percent", "max_failure_ratio") and float(ours) == float(theirs)


def _seconds(text: object) -> float:
    found = re.findall(r"([0-9.]+)(ns|us|ms|s|m|h|d|w)", str(text))
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


def _bytes(text: object) -> float:
    found = re.fullmatch(r"(-?[0-9.]+)([kmgt]?)i?b?", str(text).lower())
    assert found is not None
    return float(found[1]) * 1024.0 ** ("kmgt".index(found[2]) + 1 if found[2] else 0)
