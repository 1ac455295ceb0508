"""The examples of the rules as test cases: which findings must stand where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from pyprod_audit.findings import Profile, Report
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources

RULES = Path(__file__).parent.parent / "rules"
_MARK = re.compile(r"^\s*(?:#|//|--|;|<!--|\{#|/\*).*\bexpect(?P<twice> twice)?\s*(?:-->|#\}|\*/)?\s*$")
_SPECIAL = ("expect", "as_of", "undecided")


@dataclass(frozen=True)
class Example:
    """One example of a rule."""

    rule: str
    kind: str
    number: int
    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.rule}-{self.kind}{self.number}"

    @property
    def files(self) -> dict[str, str]:
        return {path: text for path, text in self.content.items() if path not in _SPECIAL}

    def expected(self) -> Counter[tuple[str, int]]:
        """Path and line of each finding that must be there."""
        places: Counter[tuple[str, int]] = Counter()
        for path, text in self.files.items():
            for number, line in enumerate(text.split("\n"), start=1):
                found = _MARK.match(line)
                if found:
                    places[path, number + 1] += 2 if found["twice"] else 1
        for place in self.content.get("expect", ()):
            path, _, line = str(place).rpartition(":")
            places[path, int(line)] += 1
        return places

    def scan(self) -> Report:
        """The report of a scan of the example with its own rule only."""
        as_of = self.content.get("as_of")
        day = as_of if isinstance(as_of, date) else date.fromisoformat(as_of) if as_of else date(2026, 11, 22)
        options = ScanOptions(select=(self.rule,), profile=Profile.STRICT, as_of=day)
        return scan_sources([SourceFile(path, text) for path, text in self.files.items()], options=options)


def rule_rows() -> Iterator[dict[str, Any]]:
    for path in sorted(RULES.glob("*/*.yaml")):
        yield {**yaml.safe_load(path.read_text(encoding="utf-8")), "path": path}


def examples() -> list[Example]:
    found = []
    for row in rule_rows():
        for kind in ("bad", "good"):
            found.extend(Example(row["id"], kind, i, content) for i, content in enumerate(row["examples"][kind], 1))
    return found
