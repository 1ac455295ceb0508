"""Reads Python text into plain data, for the tests of the Python reader."""

from __future__ import annotations

import textwrap
from typing import Any

from pyprod_audit.model import Node, SourceFile
from pyprod_audit.parsers.python_source import read_module


def plain(node: Node) -> Any:
    """The node as plain data; Unknown stays Unknown."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    return value


def read(text: str, path: str = "shop/main.py") -> dict[str, Any]:
    parsed = read_module(SourceFile(path, textwrap.dedent(text)))
    assert parsed.problems == []
    return plain(parsed.resources[0].node)
