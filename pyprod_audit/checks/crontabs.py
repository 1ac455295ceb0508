"""BKP-011: crontab entries that cron cuts off."""

from __future__ import annotations

import re

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes
from pyprod_audit.model import Repository, Resource, Span
from pyprod_audit.model.patterns import lazy

# Programs that read crontabs and give `%` no meaning; the crond of Alpine is busybox's.
_OTHER_CRONS = lazy(r"(?i)\b(?:supercronic|crond|dcron|yacron|ofelia)\b")
_DATE = lazy(r"\+[^\s%]{0,40}$")


def percent_unescaped(entry: Resource, context: Context) -> Outcomes:
    """An entry whose command ends at a `%` that was meant for `date` or stands in quotes."""
    cut, command = entry.node.get("cut"), entry.node.get("command")
    if cut is None or command is None:
        return
    runs = command.source.text[command.start : cut.start]
    if not _is_incomplete(runs):
        return
    other = context.repository.memo("crontabs.other_crons", _other_cron)
    if other is not None:
        yield Cannot(other, "whether the cron that reads this file gives % a meaning is not known")
    else:
        yield Hit(cut.span, {"runs": runs.strip()[-60:]})


def _is_incomplete(runs: str) -> bool:
    """Whether what is left of a command cannot be all of it: open quotes, an open `$(`, or `date +`."""
    plain = re.sub(r"\\.", "", runs)
    return (
        plain.count("$(") > plain.count(")")
        or any(plain.count(quote) % 2 for quote in "\"'`")
        or _DATE.search(plain) is not None
    )


def _other_cron(repository: Repository) -> Span | None:
    for stage in repository.of_kind("docker.stage"):
        text = stage.source.text
        found = _OTHER_CRONS.search(text, stage.node.start, stage.node.end)
        if found is not None:
            return Span(stage.source, found.start(), found.end())
    return None
