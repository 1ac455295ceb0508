"""Pipenv's Pipfile.lock, which is JSON.

Source: https://pipenv.pypa.io/en/latest/pipfile.html#pipfile-lock.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile
from pyprod_audit.parsers.requirement_line import normal_name

# A key that is written with escapes is not found: looking to the end each time would cost the square of the file.
_WINDOW: Final = 1 << 16


def parse_pipfile_lock(source: SourceFile) -> Parsed:
    """Reads a Pipfile.lock into one `py.lock`; the group "default" holds production's packages. Never raises."""
    try:
        document = json.loads(source.text)
    except json.JSONDecodeError as error:
        return _refused(source, f"invalid JSON: {error.msg}", error.lineno)
    except (RecursionError, ValueError):
        return _refused(source, "invalid JSON", 1)
    if not isinstance(document, dict):
        return _refused(source, "not a Pipfile.lock", 1)
    meta = document.get("_meta")
    packages: list[Node] = []
    at = 0
    for group, members in document.items():
        if isinstance(members, dict):
            at = _find_key(source, group, at)[1]
            if group != "_meta":
                at = _add_packages(source, group, members, at, packages)
    end = len(source.text)
    node: dict[str, Node] = {
        "tool": Node("pipenv", source, 0, 0),
        "packages": Node(tuple(packages), source, 0, end),
    }
    if isinstance(meta, dict):
        start, behind = _find_key(source, "_meta", 0)
        hashes, requires = meta.get("hash"), meta.get("requires")
        digest = hashes.get("sha256") if isinstance(hashes, dict) else None
        if isinstance(digest, str):
            node["content_hash"] = _string(source, digest, behind)
        python = None
        if isinstance(requires, dict):
            python = requires.get("python_full_version") or requires.get("python_version")
        if isinstance(python, str):
            exact = python if python.count(".") > 1 else f"{python}.*"
            place = _string(source, python, behind)
            node["requires_python"] = Node(f"=={exact}", source, place.start, place.end, start, behind)
    return Parsed([Resource("py.lock", source.path, Node(node, source, 0, end))])


def _refused(source: SourceFile, message: str, line: int) -> Parsed:
    if "<<<<<<< " in source.text:
        message = f"{message} (an unresolved merge conflict?)"
    return Parsed([], [Problem("parse", source.path, message, line)], partial=True)


def _add_packages(source: SourceFile, group: str, members: dict[str, Any], at: int, packages: list[Node]) -> int:
    for name, entry in members.items():
        if not isinstance(entry, dict):
            continue
        start, at = _find_key(source, name, at)
        place = (start + 1, max(at - 1, start + 1))
        node: dict[str, Node] = {
            "name": Node(normal_name(name), source, *place),
            "hashes": Node(bool(entry.get("hashes")), source, *place),
            "groups": Node((Node(group, source, *place),), source, *place),
        }
        version = entry.get("version")
        if isinstance(version, str):
            text = version.lstrip("=")
            node["version"] = _string(source, text, at, prefix=version[: len(version) - len(text)])
        markers = entry.get("markers")
        if isinstance(markers, str):
            node["marker"] = Node(markers, source, *place)
        for key, kind in (("git", "git"), ("file", "url"), ("path", "path")):
            if isinstance(entry.get(key), str):
                node["source"] = Node(kind, source, *place)
                node["url"] = Node(entry[key], source, *place)
                break
        packages.append(Node(node, source, *place))
    return at


def _find_key(source: SourceFile, name: str, at: int) -> tuple[int, int]:
    """Start and end of the quoted key `name` at or after `at`; `at` itself when it is written with escapes."""
    quoted = f'"{name}"'
    while True:
        start = source.text.find(quoted, at, at + _WINDOW)
        if start < 0:
            return at, at
        behind = start + len(quoted)
        if re.compile(r"\s*:\s*\{").match(source.text, behind):
            return start, behind
        at = behind


def _string(source: SourceFile, text: str, at: int, prefix: str = "") -> Node:
    start = source.text.find(f'"{prefix}{text}"', at, at + _WINDOW)
    if start < 0:
        return Node(text, source, at, at)
    start += 1 + len(prefix)
    return Node(text, source, start, start + len(text))
