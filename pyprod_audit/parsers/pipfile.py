"""Pipenv's Pipfile.

Source: https://pipenv.pypa.io/en/latest/pipfile.html.
"""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Node, Parsed, Resource, SourceFile
from pyprod_audit.parsers.dependency_tables import pipenv_specifier, table_requirements
from pyprod_audit.parsers.toml_tree import parse_toml

_NOT_GROUPS: Final = frozenset(("source", "packages", "requires", "scripts", "pipenv", "pipfile"))


def parse_pipfile(source: SourceFile) -> Parsed:
    """Reads a Pipfile into one `py.manifest`; `groups` are dev-packages ("dev") and custom categories."""
    tree = parse_toml(source)
    root, problems = tree.root, tree.problems
    if not root.mapping:
        return Parsed([], problems, partial=bool(problems))

    def requirements(table: Node | None) -> Node:
        if table is None:
            return Node((), source, 0, 0)
        found = tuple(table_requirements(table.mapping, pipenv_specifier, problems))
        return Node(found, source, table.start, table.end, table.key_start, table.key_end)

    groups = {
        "dev" if name == "dev-packages" else name: requirements(table)
        for name, table in root.mapping.items()
        if name not in _NOT_GROUPS and isinstance(table.value, dict)
    }
    node: dict[str, Node] = {
        "tool": Node("pipenv", source, 0, 0),
        "dependencies": requirements(root.get("packages")),
        "groups": Node(groups, source, 0, 0),
        "extras": Node({}, source, 0, 0),
        "dynamic": Node((), source, 0, 0),
        "buildable": Node(False, source, 0, 0),
        "indexes": Node(root.items_at("source"), source, 0, 0),
    }
    python = root.get("requires.python_full_version") or root.get("requires.python_version")
    if python is not None and python.text:
        exact = python.text if python.text.count(".") > 1 else f"{python.text}.*"
        node["requires_python"] = Node(f"=={exact}", source, python.start, python.end, python.key_start, python.key_end)
    from pyprod_audit.parsers.freshness import pipfile_hashes  # loads OpenSSL

    hashes = [] if problems else pipfile_hashes(source.text)
    if hashes:
        node["content_hashes"] = Node(tuple(Node(value, source, 0, 0) for value in hashes), source, 0, 0)
    resource = Resource("py.manifest", source.path, Node(node, source, 0, len(source.text)))
    return Parsed([resource], problems, partial=bool(problems))
