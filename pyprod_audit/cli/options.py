"""How values are written on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import date, datetime

import click

from pyprod_audit.catalogue import Catalogue, load
from pyprod_audit.findings import Profile, Severity
from pyprod_audit.process.suppression_rules import with_suppression_rules

LEVELS = tuple(severity.label for severity in sorted(Severity, reverse=True))
PROFILES = tuple(profile.name.lower() for profile in Profile)


def selectors(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Click callback: rule selectors, repeated or with commas between them, each once."""
    parts = [part.strip() for text in value for part in text.split(",")]
    if value and not any(parts):
        raise click.BadParameter("names no rule.")
    return tuple(dict.fromkeys(part for part in parts if part))


def day(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    """Click callback: a day as YYYY-MM-DD."""
    if value is None:
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no time zone
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a date: write YYYY-MM-DD.") from error


def full_catalogue() -> Catalogue:
    """The rules that ship, with those about suppressions."""
    return with_suppression_rules(load())


def check_selectors(catalogue: Catalogue, selectors: Iterable[str], flag: str) -> None:
    """Raise a usage error for a selector that means nothing, with the nearest one that does."""
    for selector in selectors:
        if not catalogue.match(selector) and not catalogue.knows_section(selector):
            near = catalogue.suggest(selector)
            hint = f" Did you mean {near!r}?" if near else ""
            raise click.BadParameter(f"no rule {selector!r}.{hint}", param_hint=f"'{flag}'")


def wants_color(choice: str) -> bool:
    """Whether to colour stdout: the flag decides, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
