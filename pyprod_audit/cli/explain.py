"""`pyprod-audit explain`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from pyprod_audit.catalogue import Catalogue, Rule, RuleDoc, load_docs
from pyprod_audit.cli.options import full_catalogue, wants_color
from pyprod_audit.cli.stdout import write_stdout
from pyprod_audit.process import suppression_rules

_WIDTH = 100


@click.command()
@click.argument("rule_name", metavar="RULE")
def explain(rule_name: str) -> None:
    """Say why RULE (id or name) matters and how to follow it, with a bad and a good example."""
    catalogue = full_catalogue()
    rule = catalogue.resolve(rule_name)
    if rule is None:
        near = catalogue.suggest(rule_name)
        hint = f" Did you mean {near!r}?" if near else " `pyprod-audit rules` lists them."
        raise click.BadParameter(f"no rule {rule_name!r}.{hint}", param_hint="'RULE'")
    doc = load_docs().get(rule.id) or suppression_rules.DOCS[rule.id]
    text = "\n".join(_lines(rule, doc, catalogue)) + "\n"
    write_stdout(text if wants_color("auto") else click.unstyle(text))


def _lines(rule: Rule, doc: RuleDoc, catalogue: Catalogue) -> Iterator[str]:
    yield click.style(f"{rule.id} {rule.name}", bold=True)
    yield rule.title
    yield ""
    section = next((s for s in catalogue.sections if s.number == rule.section), None)
    if section is not None:
        yield f"Section:     {section.number}, {section.title}"
    yield f"Severity:    {rule.severity.label}"
    yield f"Confidence:  {rule.confidence.label}"
    yield f"Profile:     {rule.profile.name.lower()}"
    if rule.aliases:
        yield f"Known as:    {', '.join(rule.aliases)}"
    for key, value in rule.params.items():
        yield f"Parameter:   {key} (default: {value})"
    yield from _heading("Why it matters")
    yield from _wrapped(doc.rationale)
    yield from _heading("How to fix it")
    yield doc.fix.rstrip()
    yield from _examples("Bad", doc.bad)
    yield from _examples("Good", doc.good)
    if doc.references:
        yield from _heading("References")
        yield from doc.references


def _heading(text: str) -> Iterator[str]:
    yield ""
    yield click.style(text, bold=True)


def _wrapped(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), _WIDTH)


def _examples(title: str, examples: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The first example: the others are there for the tests."""
    if not examples:
        return
    yield from _heading(title)
    for path, text in examples[0].items():
        yield f"{path}:"
        yield textwrap.indent(str(text).rstrip(), "    ")
