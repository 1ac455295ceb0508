"""What outputs tell about a rule besides its findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pyprod_audit.findings import Finding
from pyprod_audit.outputs.escape import fence

_LANGUAGES: Final = {
    "yaml": "yaml", "yml": "yaml", "tf": "terraform", "py": "python", "toml": "toml", "conf": "nginx", "sh": "sh",
    "Dockerfile": "dockerfile", "json": "json",
}  # fmt: skip


class RuleText(NamedTuple):
    """One rule for a reader: `section` is "32 Zero-Downtime Deployment"; examples map paths to texts."""

    title: str
    section: str = ""
    security: bool = False
    rationale: str = ""
    fix: str = ""
    references: tuple[str, ...] = ()
    bad: tuple[Mapping[str, Any], ...] = ()
    good: tuple[Mapping[str, Any], ...] = ()

    def plain(self, rule_id: str) -> str:
        """The help as plain text."""
        parts = (self.rationale, self.fix and f"Fix: {self.fix}", "\n".join(self.references))
        told = "\n\n".join(part.strip() for part in parts if part.strip())
        return f"{told or self.title}\n\nRun `pyprod-audit explain {rule_id}` for more."

    def markdown(self, rule_id: str) -> str:
        """The help as Markdown: all that GitHub shows beside an alert. The catalogue's text is our own, so trusted."""
        parts = [self.rationale or self.title]
        if self.fix:
            parts += ["## Fix", self.fix if "\n" not in self.fix.strip() else fence(self.fix)]
        if self.bad:
            parts += ["## Wrong", *_example(self.bad[0])]
        if self.good:
            parts += ["## Right", *_example(self.good[0])]
        if self.references:
            parts += ["## References", "\n".join(f"- <{reference}>" for reference in self.references)]
        about = f"Section {self.section} of the production guide. " if self.section else ""
        parts.append(f"{about}`pyprod-audit explain {rule_id}` tells more.")
        return "\n\n".join(part.strip() for part in parts)


def rule_texts(findings: Iterable[Finding]) -> dict[str, RuleText]:
    """The texts of the rules that the findings name, from the catalogue.

    A rule that is not in it (a user's own) is told by what its first finding says.
    """
    from pyprod_audit import catalogue  # reads files: only for outputs that need it
    from pyprod_audit.process import suppression_rules

    rules = suppression_rules.with_suppression_rules(catalogue.load())
    docs = {**catalogue.load_docs(), **suppression_rules.DOCS}
    titles = {section.number: f"{section.number} {section.title}" for section in rules.sections}
    found: dict[str, RuleText] = {}
    for finding in findings:
        if finding.rule_id in found:
            continue
        rule = rules.resolve(finding.rule_id)
        doc = docs.get(finding.rule_id)
        found[finding.rule_id] = RuleText(
            title=rule.title if rule else finding.name.replace("-", " "),
            section=titles.get(finding.section, ""),
            security=rule.security if rule else False,
            rationale=doc.rationale if doc else "",
            fix=doc.fix if doc else finding.help,
            references=doc.references if doc else (),
            bad=doc.bad if doc else (),
            good=doc.good if doc else (),
        )
    return found


def _example(files: Mapping[str, Any]) -> list[str]:
    parts = []
    for path, text in files.items():
        if not isinstance(text, str):
            continue
        name = path.rsplit("/", 1)[-1]
        shown = "\n".join(line for line in text.splitlines() if "# expect" not in line)
        parts += [f"`{path}`", fence(shown, _LANGUAGES.get(name.rsplit(".", 1)[-1], ""))]
    return parts
