"""`pyprod-audit rules`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from pyprod_audit.catalogue import Catalogue, Rule
from pyprod_audit.cli.options import LEVELS, full_catalogue
from pyprod_audit.cli.stdout import write_stdout
from pyprod_audit.config import severity_named
from pyprod_audit.findings import Severity


@click.command()
@click.option("--section", type=click.IntRange(min=0), help="Only rules of this section of the guide.")
@click.option("--technology", help="Only rules about this technology: docker, k8s, nginx ...")
@click.option("--severity", type=click.Choice(LEVELS), help="Only rules from this severity on.")
@click.option("--format", "format_name", type=click.Choice(("text", "json")), default="text", help="How to list them.")
def rules(section: int | None, technology: str | None, severity: str | None, format_name: str) -> None:
    """List the rules."""
    catalogue = full_catalogue()
    if section is not None and section not in _sections(catalogue):
        raise click.BadParameter(f"the guide has no section {section}.", param_hint="'--section'")
    if technology is not None:
        _check_technology(catalogue, technology)
    lowest = severity_named(severity) if severity else Severity.INFO
    found = [
        rule
        for rule in catalogue
        if section in (None, rule.section) and technology in (None, rule.technology) and rule.severity >= lowest
    ]
    write_stdout(_json(found) if format_name == "json" else _text(found))


def _sections(catalogue: Catalogue) -> set[int]:
    return {0, *(section.number for section in catalogue.sections)}


def _check_technology(catalogue: Catalogue, technology: str) -> None:
    known = sorted({rule.technology for rule in catalogue})
    if technology not in known:
        from difflib import get_close_matches

        near = get_close_matches(technology, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."
        raise click.BadParameter(f"no rule is about {technology!r}. {hint}", param_hint="'--technology'")


def _text(found: list[Rule]) -> str:
    code = max((len(rule.id) for rule in found), default=0)
    level = max((len(rule.severity.label) for rule in found), default=0)
    name = max((len(rule.name) for rule in found), default=0)
    lines = [f"{r.id:<{code}}  {r.severity.label:<{level}}  {r.name:<{name}}  {r.title}" for r in found]
    return "\n".join([*lines, f"{len(found)} rules" if len(found) != 1 else "1 rule", ""])


def _json(found: Iterable[Rule]) -> str:
    import json

    return json.dumps([_row(rule) for rule in found], indent=2, ensure_ascii=False) + "\n"


def _row(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "aliases": list(rule.aliases),
        "title": rule.title,
        "section": rule.section,
        "technology": rule.technology,
        "severity": rule.severity.label,
        "confidence": rule.confidence.label,
        "profile": rule.profile.name.lower(),
        "target": list(rule.targets),
        "params": dict(rule.params),
        "help": rule.help,
    }
