"""Rules as data. At run time only the built index is read; YAML is read when the index is built."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pyprod_audit.findings import Confidence, Profile, Severity

_PACKAGE = Path(__file__).parent
INDEX = _PACKAGE / "_catalogue.json"
DOCS = _PACKAGE / "_docs.json"


@dataclass(frozen=True, slots=True)
class Rule:
    """The half of a rule that every run needs."""

    id: str
    name: str
    title: str
    section: int
    severity: Severity
    confidence: Confidence
    profile: Profile
    targets: tuple[str, ...]
    message: str
    help: str
    aliases: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] | None = None
    expect: Mapping[str, Any] | None = None
    function: str | None = None
    redact: bool = False
    security: bool = False
    since: str = ""

    @property
    def technology(self) -> str:
        """What the rule is about, the first word of its name: "k8s", "docker", "nginx"."""
        return self.name.split("-", 1)[0]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Rule:
        """The rule in one row of the index."""
        return cls(
            id=row["id"],
            name=row["name"],
            title=row["title"],
            section=row["section"],
            severity=Severity[row["severity"].upper()],
            confidence=Confidence[row["confidence"].upper()],
            profile=Profile[row["profile"].upper()],
            targets=tuple(row["target"]),
            message=row["message"],
            help=row["help"],
            aliases=tuple(row["aliases"]),
            params=row["params"],
            when=row.get("when"),
            expect=row.get("expect"),
            function=row.get("function"),
            redact=row["redact"],
            security=row["security"],
            since=row["since"],
        )


class Section(NamedTuple):
    """One section of the guide. `folder` is its folder under rules/, `prefix` the start of its rules' ids."""

    number: int
    title: str
    folder: str
    prefix: str


class RuleDoc(NamedTuple):
    """The half of a rule that only explain, SARIF and HTML need. Examples map paths to texts."""

    rationale: str
    fix: str
    references: tuple[str, ...]
    bad: tuple[Mapping[str, Any], ...]
    good: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Catalogue:
    """All rules, and the ways in which a user may name them."""

    rules: tuple[Rule, ...]
    sections: tuple[Section, ...]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    @cached_property
    def _by_key(self) -> dict[str, Rule]:
        return {key.casefold(): rule for rule in self.rules for key in (rule.id, rule.name, *rule.aliases)}

    def resolve(self, text: str) -> Rule | None:
        """The rule with this id, name or former name; case does not matter."""
        return self._by_key.get(text.casefold())

    def match(self, selector: str) -> list[Rule]:
        """The rules that `selector` means: an id, name, alias, id prefix (`K8S`), `section:32` or `all`."""
        rule = self.resolve(selector)
        if rule is not None:
            return [rule]
        if selector.casefold() == "all":
            return list(self.rules)
        kind, _, number = selector.partition(":")
        if kind == "section" and number.isdigit():
            return [rule for rule in self.rules if rule.section == int(number)]
        prefix = selector.upper().removesuffix("*").removesuffix("-")
        if prefix in {section.prefix for section in self.sections}:
            return [rule for rule in self.rules if rule.id.split("-")[0] == prefix]
        return [rule for rule in self.rules if rule.id.startswith(selector.upper())] if "-" in selector else []

    def knows_section(self, selector: str) -> bool:
        """Whether `selector` names a section of the guide, even one that has no rules yet."""
        kind, _, number = selector.partition(":")
        if kind == "section":
            return number in {str(section.number) for section in self.sections}
        return selector.upper() in {section.prefix for section in self.sections}

    def suggest(self, text: str) -> str | None:
        """The id, name or prefix nearest to a mistyped one."""
        from difflib import get_close_matches

        known = {key.casefold(): key for rule in self.rules for key in (rule.id, rule.name, *rule.aliases)}
        known.update({section.prefix.casefold(): section.prefix for section in self.sections})
        near = get_close_matches(text.casefold(), known, n=1, cutoff=0.6)
        return known[near[0]] if near else None

    def extended(self, rules: Sequence[Rule]) -> Catalogue:
        """This catalogue with a user's own rules. Raises ValueError when one takes a name that exists."""
        for rule in rules:
            if any(self.resolve(key) for key in (rule.id, rule.name, *rule.aliases)):
                raise ValueError(f"rule {rule.id} ({rule.name}): the id or name is taken")
        return Catalogue((*self.rules, *rules), self.sections)


def load() -> Catalogue:
    """The rules that come with the package; in a checkout the index is rebuilt when a rule file is newer."""
    _refresh_checkout()
    data = json.loads(INDEX.read_bytes())
    sections = tuple(Section(row["number"], row["title"], row["folder"], row["prefix"]) for row in data["sections"])
    return Catalogue(tuple(Rule.from_row(row) for row in data["rules"]), sections)


def load_docs() -> Mapping[str, RuleDoc]:
    """The prose of every rule, by id."""
    _refresh_checkout()
    return {
        key: RuleDoc(
            row["rationale"], row["fix"], tuple(row["references"]),
            tuple(row["examples"]["bad"]), tuple(row["examples"]["good"]),
        )
        for key, row in json.loads(DOCS.read_bytes()).items()
    }  # fmt: skip


def read_folder(folder: Path) -> list[Rule]:
    """A user's own rules: the YAML files of `folder`. Raises catalogue_build.RuleError."""
    from pyprod_audit.catalogue_build import read_rule

    return [Rule.from_row(read_rule(path, own=False)) for path in sorted(folder.glob("**/*.yaml"))]


def _refresh_checkout() -> None:
    root = _PACKAGE.parent
    rules = root / "rules"
    if not (root / "hatch_build.py").is_file() or not (rules / "sections.yaml").is_file():
        return
    builder = _PACKAGE / "catalogue_build.py"
    built = min(INDEX.stat().st_mtime, DOCS.stat().st_mtime) if INDEX.is_file() and DOCS.is_file() else 0.0
    newest = max(path.stat().st_mtime for path in (builder, rules, *rules.glob("*"), *rules.glob("*/*.yaml")))
    if newest >= built:
        from pyprod_audit.catalogue_build import write

        write(rules, INDEX, DOCS)
