"""Crontabs: the entries of `crontab`, `*.cron` and `cron.d/*` files.

Format: crontab(5) of cronie and of Debian's cron. Of a command the part before the first unescaped `%` is run; what
follows is its standard input.
"""

from __future__ import annotations

from pyprod_audit.model import Node, Parsed, Resource, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.shell import commands_in

_ENTRY = lazy(
    r"[ \t]*(@(?:reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|(?:[-0-9*/,a-zA-Z~]{1,60}[ \t]+){4}"
    r"[-0-9*/,a-zA-Z~]{1,60})[ \t]+(?=\S)"
)
_FIELDS = lazy(r"@|[0-9*]")
_WORD = lazy(r"(\S+)[ \t]+(?=\S)")
_ACCOUNTS = frozenset({
    "root", "www-data", "postgres", "mysql", "nobody", "app", "django", "deploy", "ubuntu", "celery",
})  # fmt: skip
_PERCENT = lazy(r"(?<!\\)%")


def parse(source: SourceFile) -> Parsed:
    """Each entry as a `cron.entry`: schedule, user, the command as written, what runs of it, and where it is cut."""
    parsed = Parsed()
    is_system = "cron.d" in source.path.split("/")[:-1] or source.path.endswith("etc/crontab")
    for start in source.line_starts:
        end = source.text.find("\n", start)
        end = len(source.text) if end < 0 else end
        end = start + len(source.text[start:end].rstrip())
        found = _ENTRY.match(source.text, start, end)
        if found is None or not _FIELDS.match(found[1]):
            continue
        fields: dict[str, Node] = {"schedule": Node(found[1], source, found.start(1), found.end(1))}
        begin, stop = found.end(), end
        word = _WORD.match(source.text, begin, stop)
        if word is not None and (is_system or word[1] in _ACCOUNTS):
            fields["user"] = Node(word[1], source, word.start(1), word.end(1))
            begin = word.end()
        percent = _PERCENT.search(source.text, begin, stop)
        if percent is not None:
            fields["cut"] = Node("%", source, percent.start(), percent.end())
        run = percent.start() if percent is not None else stop
        fields["command"] = Node(source.text[begin:stop], source, begin, stop)
        fields["commands"] = Node(commands_in(source, begin, run), source, begin, run)
        node = Node(fields, source, found.start(1), stop)
        parsed.resources.append(Resource("cron.entry", f"{source.path}/entry[{len(parsed.resources)}]", node))
    return parsed
