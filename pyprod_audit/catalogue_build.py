"""Reads rules written in YAML, checks them, and turns them into the two files that ship.

The slim index is read on every run; the docs file only by `explain`, SARIF and HTML. Used by the build hook, by a
checkout whose index is older than its rules, and for a user's own folder of rules.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyprod_audit.model.patterns import lazy

SEVERITIES = ("info", "low", "medium", "high", "critical")
CONFIDENCES = ("low", "medium", "high")
PROFILES = ("baseline", "standard", "strict")

_ID = lazy(r"[A-Z][A-Z0-9]{1,7}-[0-9]{3}")
_NAME = lazy(r"[a-z0-9]+(-[a-z0-9]+)+")
_FUNCTION = lazy(r"[a-z_0-9]+:[a-z_0-9]+")
_REQUIRED = ("id", "name", "title", "section", "severity", "confidence", "target", "message", "help", "rationale",
             "fix", "references", "examples")  # fmt: skip
_OPTIONAL = ("aliases", "profile", "when", "expect", "function", "params", "redact", "security", "since")
_LONGEST_NAME = 40
_MARK = lazy(r"\s*(?:#|//|--|;|<!--|\{#|/\*).*\bexpect(?: twice)?\s*(?:-->|#\}|\*/)?\s*")
_SPECIAL = ("expect", "as_of", "undecided")


class RuleError(ValueError):
    """A rule file that cannot be used; the message starts with its path."""


def profile_of(severity: str, confidence: str) -> str:
    """The lowest profile that contains a rule: see docs/severity.md."""
    if confidence == "low":
        return "strict"
    return "baseline" if confidence == "high" and severity in ("high", "critical") else "standard"


def rule_files(folder: Path) -> list[Path]:
    """The rule files below `folder`, in stable order."""
    return sorted(path for path in folder.glob("*/*.yaml") if path.is_file())


def read_rule(path: Path, *, own: bool = True) -> dict[str, Any]:
    """The rule in `path`, checked and with its defaults filled in. Raises RuleError.

    `own=False`: a user's rule, which may not name a function (code comes only from installed distributions).
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        row = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RuleError(f"{path}: {error}") from error
    if not isinstance(row, dict):
        raise RuleError(f"{path}: a rule is a mapping")
    for complaint in _complaints(row, own=own):
        raise RuleError(f"{path}: {complaint}")
    targets = row["target"] if isinstance(row["target"], list) else [row["target"]]
    return {
        **row,
        "target": targets,
        "aliases": row.get("aliases", []),
        "params": row.get("params", {}),
        "profile": row.get("profile") or profile_of(row["severity"], row["confidence"]),
        "redact": bool(row.get("redact", False)),
        "security": bool(row.get("security", False)),
        "since": str(row.get("since", "0.1.0")),
    }


def _complaints(row: Mapping[str, Any], *, own: bool) -> Iterator[str]:
    prose = () if own else ("references", "examples", "rationale")
    required = [key for key in _REQUIRED if key not in prose]
    for key in required:
        if key not in row:
            yield f"{key} is missing"
    for key in row:
        if key not in (*_REQUIRED, *_OPTIONAL):
            yield f"unknown key {key!r}"
    if not _ID.fullmatch(str(row["id"])):
        yield f"id {row['id']!r} is not of the form ABC-001"
    if not _NAME.fullmatch(str(row["name"])) or len(row["name"]) > _LONGEST_NAME:
        yield f"name {row['name']!r} must be kebab-case, <technology>-<problem>, at most {_LONGEST_NAME} characters"
    for key, known in (("severity", SEVERITIES), ("confidence", CONFIDENCES), ("profile", PROFILES)):
        if key in row and row[key] not in known:
            yield f"{key} {row[key]!r} is none of {', '.join(known)}"
    if ("expect" in row) == ("function" in row):
        yield "a rule has either expect or function"
    if "function" in row and not own:
        yield "rules from a folder use expect; functions come only with installed packages"
    if "function" in row and not _FUNCTION.fullmatch(str(row["function"])):
        yield f"function {row['function']!r} is not of the form module:name"
    if "\n" in str(row["help"]).strip():
        yield "help is one line"
    yield from _vocabulary_complaints(row)


def _vocabulary_complaints(row: Mapping[str, Any]) -> Iterator[str]:
    from pyprod_audit.vocabulary import VocabularyError, compile_test

    for key in ("when", "expect"):
        if key in row:
            try:
                compile_test(row[key])
            except VocabularyError as error:
                yield f"{key}: {error}"


_SLIM = ("id", "name", "aliases", "title", "section", "severity", "confidence", "profile", "target", "message", "help",
         "when", "expect", "function", "params", "redact", "security", "since")  # fmt: skip
_DOCS = ("rationale", "fix", "references", "examples")


def build(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The slim index and the docs of all rules below `folder`. Raises RuleError, also for a doubled id or name."""
    import yaml

    sections = yaml.safe_load((folder / "sections.yaml").read_text(encoding="utf-8"))["sections"]
    rules = [read_rule(path) for path in rule_files(folder)]
    seen: dict[str, str] = {}
    for rule in rules:
        for key in (rule["id"], rule["name"], *rule["aliases"]):
            if key in seen:
                raise RuleError(f"{key} names both {seen[key]} and {rule['id']}")
            seen[key] = rule["id"]
    rules.sort(key=lambda rule: (rule["section"], rule["id"]))
    index = {"sections": sections, "rules": [{k: rule[k] for k in _SLIM if k in rule} for rule in rules]}
    docs = {
        rule["id"]: {**{k: rule[k] for k in _DOCS if k in rule}, "examples": _shown(rule["examples"])} for rule in rules
    }
    return index, docs


def _shown(examples: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """The examples as people read them: files only, without the lines that mark where a finding must stand."""
    return {
        kind: [
            {
                path: "\n".join(line for line in text.split("\n") if not _MARK.fullmatch(line))
                for path, text in example.items()
                if path not in _SPECIAL
            }
            for example in examples[kind]
        ]
        for kind in ("bad", "good")
    }


def write(folder: Path, index_file: Path, docs_file: Path) -> None:
    """Build from `folder` and write both files; each appears whole or not at all."""
    index, docs = build(folder)
    for path, content in ((index_file, index), (docs_file, docs)):
        fresh = path.with_name(f".{path.name}.{os.getpid()}")  # several processes may build at once
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)  # YAML has dates, JSON text
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
