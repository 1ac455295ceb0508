"""The hashes by which poetry and Pipenv tell whether a lock belongs to its manifest.

Read in the tools' own source: `Locker._get_content_hash` and `Locker.is_fresh` of poetry 1.1 to 2.5
(src/poetry/packages/locker.py), `Pipfile.get_hash` of plette 0.2 to 2.4 and `calculate_pipfile_hash` of pipenv 2026
(pipenv/project.py). The formulas changed over time, so each function gives every hash that some release accepts.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Any, Final

from pyprod_audit.parsers.requirement_line import normal_name

_POETRY_KEYS: Final = ("dependencies", "source", "extras", "dev-dependencies")
_PROJECT_KEYS: Final = ("requires-python", "dependencies", "optional-dependencies")
_PIPFILE_SECTIONS: Final = frozenset(
    ("source", "packages", "dev-packages", "requires", "scripts", "default", "develop")
)


def poetry_hashes(text: str) -> list[str]:
    """What `metadata.content-hash` of a fresh poetry.lock may be for this pyproject.toml; empty: it cannot be told."""
    document = _load(text)
    if not document:
        return []
    poetry, project = _table(_table(document, "tool"), "poetry"), _table(document, "project")
    groups = _table(document, "dependency-groups")
    variants = [_poetry_content(poetry, project, groups)]
    if groups:
        variants.append(_poetry_content(poetry, project, {}))
    if project:
        variants.append(_poetry_content(poetry, {}, {}))
    return _digests(variants, None)


def _poetry_content(poetry: dict[str, Any], project: dict[str, Any], groups: dict[str, Any]) -> dict[str, Any]:
    of_project = {key: project[key] for key in _PROJECT_KEYS if project.get(key) is not None}
    standard = {"project": of_project} if of_project else {}
    if groups:
        standard["dependency-groups"] = groups
    own = {key: poetry.get(key) for key in _POETRY_KEYS if not standard or poetry.get(key) is not None}
    if poetry.get("group") is not None:
        own["group"] = poetry["group"]
    return {**standard, "tool": {"poetry": own}} if standard else own


def pipfile_hashes(text: str) -> list[str]:
    """What `_meta.hash.sha256` of a fresh Pipfile.lock may be for this Pipfile; empty when it cannot be told."""
    document = _load(text)
    if "source" not in document:
        return []
    variants: list[dict[str, Any]] = []
    for ignored in (frozenset(("pipfile", "pipenv")), frozenset[str](), None):
        for normal in (False, True):
            content = {
                "_meta": {"sources": document["source"], "requires": document.get("requires", {})},
                "default": _named(document.get("packages", {}), normal),
                "develop": _named(document.get("dev-packages", {}), normal),
            }
            if ignored is not None:
                for name, value in document.items():
                    if name not in _PIPFILE_SECTIONS and name not in ignored:
                        content[name] = _named(value, normal)
            variants.append(content)
    return _digests(variants, (",", ":"))


def _named(section: Any, normal: bool) -> Any:
    if not normal or not isinstance(section, dict):
        return section
    return {normal_name(name): value for name, value in section.items()}


def _digests(variants: list[dict[str, Any]], separators: tuple[str, str] | None) -> list[str]:
    found: list[str] = []
    for content in variants:
        try:
            written = json.dumps(content, sort_keys=True, separators=separators)
        except (TypeError, ValueError, RecursionError):  # a date: the tools cannot hash it either
            return []
        digest = hashlib.sha256(written.encode()).hexdigest()
        if digest not in found:
            found.append(digest)
    return found


def _load(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return {}


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
