"""Dependencies written as tables: Poetry's, Pipenv's and uv's `name = { git = …, rev = … }`.

Sources: https://python-poetry.org/docs/dependency-specification/, https://pipenv.pypa.io/en/latest/specifiers.html,
https://docs.astral.sh/uv/concepts/projects/dependencies/#dependency-sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pyprod_audit.model import Node, Problem
from pyprod_audit.parsers.requirement_line import Requirement, commit_or_release, set_specifier, set_url

Convert = Callable[[str], "str | None"]


def table_requirements(table: Mapping[str, Node], convert: Convert, problems: list[Problem]) -> Iterator[Node]:
    """The requirements of a table of dependencies; `convert` turns the tool's version constraint into PEP 440's."""
    for name, value in table.items():
        for entry in value.items or (value,):
            yield from _entry(name, entry, value, convert, problems)


def _entry(name: str, entry: Node, holder: Node, convert: Convert, problems: list[Problem]) -> Iterator[Node]:
    start = holder.key_start if entry is holder and holder.key_start >= 0 else entry.start
    key = (holder.key_start, holder.key_end)
    text = entry.source.text[start : entry.end]
    found = Requirement(text, name=name)
    constraint = entry.text if entry.text is not None else entry.text_at("version")
    if constraint is not None:
        specifier = convert(constraint)
        if specifier is None and "|" in constraint:
            found.specifier = constraint
        else:
            outcome = set_specifier(found, specifier if specifier is not None else constraint)
            if isinstance(outcome, str):
                problems.append(Problem("parse", entry.source.path, outcome, entry.span.line))
                return
    add_source(found, entry.mapping)
    found.extras = tuple(extra.text for extra in entry.items_at("extras") if extra.text)
    found.marker = entry.text_at("markers") or entry.text_at("marker") or ""
    node = found.node(entry.source, start, max(entry.end, start), key)
    yield node


def add_source(found: Requirement, table: Mapping[str, Node]) -> None:
    """Puts where a distribution comes from (`git`, `url`, `path`, `workspace`, `index`) into a requirement."""

    def text(*names: str) -> str:
        return next((t for t in (table[n].text for n in names if n in table) if t), "")

    vcs = next((name for name in ("git", "hg", "svn", "bzr") if name in table), "")
    if vcs:
        found.url, found.vcs = text(vcs), True
        found.ref = text("rev", "ref", "tag", "branch")
        found.pinned = "tag" in table or ("branch" not in table and commit_or_release(found.ref))
        found.specifier = found.version = ""
    elif text("url"):
        set_url(found, text("url"))
    elif text("path", "file"):
        address = text("path", "file")
        if "://" in address:
            set_url(found, address)
        else:
            found.path = address
    elif "workspace" in table and table["workspace"].scalar is True:
        found.path = "."
    editable = table.get("editable", table.get("develop"))
    found.editable = editable is not None and editable.scalar is True
    found.index = text("index", "source")


def pipenv_specifier(constraint: str) -> str | None:
    """Pipenv's constraint as PEP 440 has it: `*` is any version, `1.2` means exactly that."""
    text = constraint.strip()
    if text in ("", "*"):
        return ""
    return f"=={text}" if text[0].isdigit() else text
