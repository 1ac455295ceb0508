"""Comments and annotations that say: this finding is known.

`# pyprod-audit: ignore[RULE, RULE] until=2027-01-31 -- reason` on the line of a finding or on the line before it,
`ignore-file[RULE]` anywhere in a file, and on Kubernetes objects the annotation
`pyprod-audit.dev/ignore.<rule>: reason`.
A suppression counts when it stands at any of a finding's places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeAlias

from pyprod_audit.findings import Finding, Suppression, Undecided
from pyprod_audit.model import Resource, SourceFile, Span
from pyprod_audit.model.patterns import lazy
from pyprod_audit.process.suppression_rules import EXPIRED, MALFORMED, REASON, UNKNOWN, UNUSED, complaint

Match: TypeAlias = Callable[[str], Collection[str]]
"""From what a user wrote (id, name, alias, prefix) to the ids of the rules that are meant; empty when none is."""

MARK = "pyprod-audit:"
ANNOTATION = "pyprod-audit.dev/ignore."

# A leader right behind a quote is text about suppressions, not a comment.
_COMMENT = lazy(
    r"""(?<!["'`])(?P<leader>#|//|--|;|<!--|/\*|\*|\{#)[ \t]{0,8}pyprod-audit:[ \t]{0,8}(?P<rest>[^\n\r]{0,2000})"""
)
_DIRECTIVE = lazy(r"(?P<what>ignore-file|ignore)[ \t]{0,8}\[(?P<rules>[^\]]*)\](?P<tail>.*)")
_TAIL = lazy(r"[ \t]*(?:until=(?P<until>[^\s]{1,40}))?[ \t]*(?:--[ \t]*(?P<reason>.*))?(?P<more>.*)")
_CLOSERS = ("-->", "*/", "#}")
_LINE_COMMENT = ("#", "//", "--", ";", "<!--", "/*", "*", "{#", "{{/*", "{{- /*")
# What stands in front of a comment that is alone on its line; a comment of Go's templates is an action.
_ALONE = ("", "{{", "{{-")
_LONGEST_SUPPRESSED_COMMAND = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """One suppression as it is written.

    `rules`: the ids it means; `lines`: the first and last line it covers (None: the whole file); `span`: where it
    stands; `area`: for an annotation, the object it belongs to, as offsets; `owners`: that object as charts and
    overlays deploy it, by address and deployment.
    """

    by: str
    span: Span
    rules: frozenset[str]
    written: tuple[str, ...]
    reason: str = ""
    until: date | None = None
    lines: tuple[int, int] | None = None
    area: tuple[int, int] | None = None
    owners: frozenset[tuple[str, str]] = frozenset()

    @property
    def path(self) -> str:
        """The file it stands in, which is the only one that it covers."""
        return self.span.file.path

    def covers(self, span: Span) -> bool:
        """Whether a place in the same file is covered."""
        if self.area is not None:
            return self.area[0] <= span.start <= self.area[1]
        return self.lines is None or self.lines[0] <= span.line <= self.lines[1]


@dataclass(slots=True)
class Suppressions:
    """All suppressions of a tree: those that can be understood, and findings about those that cannot."""

    marks: list[Mark] = field(default_factory=list)
    complaints: list[Finding] = field(default_factory=list)


def collect(files: Mapping[str, SourceFile], match: Match, resources: Iterable[Resource] = ()) -> Suppressions:
    """Read the suppressions in comments of `files` and in annotations of Kubernetes `resources`."""
    found = Suppressions()
    for source in files.values():
        if MARK in source.text:
            _read_comments(source, match, found)
    marked = any(ANNOTATION in source.text for source in files.values())
    known: dict[tuple[str, int, str], int] = {}
    for resource in resources if marked else ():
        if resource.parent is None and resource.kind.startswith("k8s."):
            if resource.variant or ANNOTATION in resource.source.text:
                _read_annotations(resource, match, found, known)
    return found


def apply(
    findings: Sequence[Finding],
    suppressions: Suppressions,
    *,
    as_of: date,
    require_reason: bool = False,
    ran: Collection[str] | None = None,
    undecided: Iterable[Undecided] = (),
    partial: Collection[str] = (),
    silent: Collection[str] = (),
) -> list[Finding]:
    """Mark the findings that are suppressed, and add findings about suppressions.

    Args:
        findings: in any order; all are returned, suppressed or not.
        suppressions: from `collect`.
        as_of: the day on which an `until` is past.
        require_reason: whether a suppression without a reason is a finding.
        ran: ids of the rules that ran; a suppression is unused only if all its rules ran. None: all did.
        undecided: what could not be judged; a suppression of it is not unused.
        partial: paths of files that were not read completely, in which nothing is called unused.
        silent: ids of rules about suppressions that are not reported.
    """
    valid = [mark for mark in suppressions.marks if mark.until is None or mark.until >= as_of]
    by_path: dict[str, list[Mark]] = {}
    for mark in valid:
        by_path.setdefault(mark.path, []).append(mark)
    used: set[int] = set()
    result = [_judged(finding, by_path, used) if by_path else finding for finding in findings]
    for open_question in undecided:
        if open_question.span is not None:
            _first(by_path, open_question.rule_id, (open_question.span,), used)
    about = list(suppressions.complaints)
    for mark in suppressions.marks:
        named = ", ".join(mark.written)
        if mark.until is not None and mark.until < as_of:
            about.append(complaint(EXPIRED, mark.span, f"the suppression of {named} ended on {mark.until}"))
        elif id(mark) not in used and mark.path not in partial and (ran is None or mark.rules.issubset(ran)):
            about.append(complaint(UNUSED, mark.span, f"nothing is suppressed here: {named} finds nothing"))
        if require_reason and not mark.reason:
            about.append(complaint(REASON, mark.span, f"the suppression of {named} gives no reason"))
    return result + [finding for finding in about if finding.rule_id not in silent]


def _judged(finding: Finding, by_path: Mapping[str, list[Mark]], used: set[int]) -> Finding:
    if finding.suppression is not None:
        return finding
    places = (finding.primary.span, *(related.span for related in finding.related))
    mark = _first(by_path, finding.rule_id, places, used) or _of_object(finding, by_path, used)
    return finding if mark is None else replace(finding, suppression=Suppression(mark.by, mark.reason, mark.span))


def _first(by_path: Mapping[str, list[Mark]], rule: str, places: Iterable[Span], used: set[int]) -> Mark | None:
    """The first mark that covers one of `places`; every mark that does counts as used."""
    first = None
    for place in places:
        for mark in by_path.get(place.file.path, ()):
            if rule in mark.rules and mark.covers(place):
                used.add(id(mark))
                first = first or mark
    return first


def _of_object(finding: Finding, by_path: Mapping[str, list[Mark]], used: set[int]) -> Mark | None:
    """The annotation of the object that a finding is about, wherever in charts and overlays its values stand."""
    for mark in (mark for marks in by_path.values() for mark in marks if mark.owners) if finding.variants else ():
        owners = (address for address, variant in mark.owners if variant in finding.variants)
        if finding.rule_id in mark.rules and any(f"{finding.address}/".startswith(f"{one}/") for one in owners):
            used.add(id(mark))
            return mark
    return None


# -- comments --------------------------------------------------------------------------------------------------


def _read_comments(source: SourceFile, match: Match, found: Suppressions) -> None:
    for comment in _COMMENT.finditer(source.text):
        rest = comment["rest"].rstrip()
        for closer in _CLOSERS:
            rest = rest.partition(closer)[0].rstrip()
        span = source.span(comment.start("leader"), comment.start("rest") + len(rest))
        problem = _read_directive(rest, span, match, found)
        if problem:
            found.complaints.append(complaint(MALFORMED, span, problem))


def _read_directive(rest: str, span: Span, match: Match, found: Suppressions) -> str | None:
    """Add the mark that `rest` describes; says what is wrong when it describes none."""
    directive = _DIRECTIVE.fullmatch(rest)
    if directive is None:
        word = re.match(r"[\w-]{0,30}", rest)
        if word is not None and word[0] in ("ignore", "ignore-file"):
            return f"{word[0]} needs the rules in brackets: {word[0]}[RULE]"
        return "not understood: write ignore[RULE] or ignore-file[RULE], then until=YYYY-MM-DD and -- reason if wanted"
    tail = _TAIL.fullmatch(directive["tail"])
    more = "" if tail is None else tail["more"].strip()
    if tail is None or (more and not more.startswith(("#", "//"))):
        return f"{more!r} is not understood: after the rules come until=YYYY-MM-DD and -- reason"
    until = None
    if tail["until"]:
        until = _date(tail["until"])
        if until is None:
            return f"until={tail['until']} is not a date: write until=YYYY-MM-DD"
    written = tuple(dict.fromkeys(part.strip() for part in directive["rules"].split(",") if part.strip()))
    if not written:
        return f"{directive['what']}[] names no rule"
    lines = None if directive["what"] == "ignore-file" else _covered_lines(span)
    mark = _mark("inline", span, written, match, found)
    if mark is not None:
        found.marks.append(replace(mark, reason=(tail["reason"] or "").strip(), until=until, lines=lines))
    return None


def _mark(by: str, span: Span, written: tuple[str, ...], match: Match, found: Suppressions) -> Mark | None:
    """A mark for the rules that are known, after a complaint about each that is not."""
    meant: set[str] = set()
    known = []
    for name in written:
        ids = match(name)
        if ids:
            meant.update(ids)
            known.append(name)
        else:
            found.complaints.append(complaint(UNKNOWN, span, f"{name!r} names no rule", name))
    return Mark(by, span, frozenset(meant), tuple(known)) if known else None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def _covered_lines(span: Span) -> tuple[int, int]:
    """The lines that a comment speaks about: its own, or, when it stands alone, the next one that is no comment.

    A line that is continued with a backslash counts with those that continue it.
    """
    lines = span.file.lines
    own = span.line
    first = own
    if lines[own - 1][: span.column - 1].strip() in _ALONE:
        following = own + 1
        while following <= len(lines) and lines[following - 1].lstrip().startswith(_LINE_COMMENT):
            following += 1
        first = min(following, len(lines))
    last = first
    end = min(first + _LONGEST_SUPPRESSED_COMMAND, len(lines))
    while last < end and _continues(lines[last - 1]):
        last += 1
    return min(own, first), last


def _continues(line: str) -> bool:
    stripped = line.strip()
    return stripped.endswith("\\") or stripped.startswith("#")


# -- annotations -----------------------------------------------------------------------------------------------


def _read_annotations(
    resource: Resource, match: Match, found: Suppressions, known: dict[tuple[str, int, str], int]
) -> None:
    """Add a mark for each annotation; `known` has its number by place (-1: none), so that it is added once."""
    owners = frozenset({(resource.address, resource.variant)}) if resource.variant else frozenset()
    for key, node in resource.node.mapping_at("metadata.annotations").items():
        if not key.startswith(ANNOTATION):
            continue
        name = key.removeprefix(ANNOTATION)
        span = node.key or node.anchor
        place = (span.file.path, span.start, key)
        number = known.get(place)
        if number is not None:
            if number >= 0:
                found.marks[number] = replace(found.marks[number], owners=found.marks[number].owners | owners)
            continue
        mark = _mark("annotation", span, (name,), match, found) if name else None
        known[place] = -1 if mark is None else len(found.marks)
        if mark is not None:
            # An annotation that stands in another file than the object covers what is written on its own line there.
            area = (resource.node.start, resource.node.end) if span.file is resource.source else None
            lines = None if area else (span.line, span.line)
            reason = (node.text or "").strip()
            found.marks.append(replace(mark, reason=reason, area=area, lines=lines, owners=owners))
        elif not name:
            found.complaints.append(complaint(MALFORMED, span, f"{ANNOTATION}<rule> names no rule"))
