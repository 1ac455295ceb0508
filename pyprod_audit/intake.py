"""From a folder (or one text) to file-level resources: discover, read, classify, parse, with every file counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyprod_audit.discover import (
    NEEDS_CONTENT,
    Discovery,
    Limits,
    Reader,
    Skipped,
    classify,
    discover,
    helm_kinds,
    role_of,
)
from pyprod_audit.findings import FileCounts
from pyprod_audit.model import Deployment, Parsed, Problem, Resource, SourceFile, Tree
from pyprod_audit.model.tree import NO_CHOICES
from pyprod_audit.options import Progress
from pyprod_audit.parsers import parser_for
from pyprod_audit.parsers.kustomize_patches import kustomize_patches
from pyprod_audit.parsers.recognise import classify_content

_PATCH = "kustomize-patch"
_ROLE_REASONS = {
    "test": "test file (not deployed)",
    "example": "example (not deployed)",
    "docs": "documentation (not deployed)",
    "vendor": "vendored (not this repository's)",
    "archive": "archived (not deployed)",
}


_DELIBERATE = frozenset({*_ROLE_REASONS.values(), "link", "link to a folder", "deleted"})


@dataclass(slots=True)
class Intake:
    """What was read. `paths` are all paths seen; `partial` those of which a part was given up."""

    files: dict[str, SourceFile] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    partial: set[str] = field(default_factory=set)
    counts: FileCounts = field(default_factory=FileCounts)
    notes: list[str] = field(default_factory=list)
    prefix: str = ""
    reader: Callable[[str], SourceFile | None] | None = None
    opener: Callable[[str], bytes | None] | None = None

    def tree(self, deployment: Deployment = NO_CHOICES) -> Tree:
        """The tree for evaluators: what was read, what else can be, and what the user says about the deployment."""
        return Tree(frozenset(self.paths), self.files, self.reader, deployment, self.opener)


def from_folder(
    root: Path,
    *,
    exclude: Sequence[str] = (),
    configured: tuple[str, Sequence[str]] = ("", ()),
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Intake:
    """Read and parse everything of interest below `root`; see `discover.discover` for the arguments."""
    limits = limits or Limits()
    found = discover(root, exclude=exclude, configured=configured, limits=limits)
    intake = Intake(paths=found.paths, notes=list(found.notes), prefix=found.prefix)
    skipped = Counter(reason for _, reason in found.skipped)
    wanted = list(_wanted(found, skipped))
    reader = Reader(root, limits)
    intake.reader = lambda path: _text(reader.read(path))
    intake.opener = lambda path: data if isinstance(data := reader.data(path), bytes) else None
    tally = Counter[str]()
    patches = _patches(found, reader)
    for number, (path, kind) in enumerate(wanted):
        if progress is not None and number % 64 == 0:
            progress("read", number, len(wanted))
        source = reader.read(path, _PATCH if path in patches else kind)
        if isinstance(source, Skipped):
            skipped[source.reason] += 1
        elif isinstance(source, Problem):
            intake.problems.append(source)
            tally["failed"] += 1
        else:
            _take(source, intake, tally)
    intake.counts = FileCounts(
        seen=len(found.paths) + len(found.skipped),
        parsed=tally["parsed"],
        partial=tally["partial"],
        failed=tally["failed"],
        other=len(found.paths) - tally["parsed"] - tally["partial"] - tally["failed"] - _late(skipped, found),
        skipped=dict(skipped),
        deliberate=_DELIBERATE,
    )
    return intake


def from_sources(sources: Iterable[SourceFile], extra_paths: Iterable[str] = ()) -> Intake:
    """The same for texts at hand (standard input, the examples of rules); `extra_paths` exist but are not read."""
    given = list(sources)
    texts = {source.path: source for source in given}
    intake = Intake(reader=texts.get, paths=sorted({*(source.path for source in given), *extra_paths}))
    tally = Counter[str]()
    patches = kustomize_patches((s.path, s.text) for s in given if classify(s.path) == "kustomization")
    helm = helm_kinds(intake.paths)
    skipped = Counter[str]()
    for source in given:
        kind = helm.get(source.path) or classify(source.path)
        if source.path in patches:
            kind = _PATCH
        if kind is not None:
            _take(SourceFile(source.path, source.text, kind), intake, tally)
    intake.counts = FileCounts(
        seen=len(intake.paths), parsed=tally["parsed"], partial=tally["partial"], failed=tally["failed"],
        other=len(intake.paths) - sum(tally.values()) - skipped.total(), skipped=dict(skipped),
    )  # fmt: skip
    return intake


def _wanted(found: Discovery, skipped: Counter[str]) -> Iterator[tuple[str, str]]:
    """Paths and kinds of the files to read; those that are not deployed are counted."""
    for path in found.paths:
        kind = found.kinds.get(path)
        if kind is None:
            continue
        reason = _ROLE_REASONS.get(role_of(path))
        if reason is not None:
            skipped[reason] += 1
        else:
            yield path, kind


def _late(skipped: Counter[str], found: Discovery) -> int:
    """How many of the listed paths were skipped after discovery."""
    return skipped.total() - len(found.skipped)


def _patches(found: Discovery, reader: Reader) -> set[str]:
    texts = []
    for path, kind in found.kinds.items():
        if kind == "kustomization":
            source = reader.read(path, kind)
            if isinstance(source, SourceFile):
                texts.append((path, source.text))
    return kustomize_patches(texts) if texts else set()


def _text(source: SourceFile | Skipped | Problem) -> SourceFile | None:
    return source if isinstance(source, SourceFile) else None


def _take(source: SourceFile, intake: Intake, tally: Counter[str]) -> None:
    """Keep a file and parse it, if its kind has a parser."""
    if source.kind in NEEDS_CONTENT:
        kind = classify_content(source.path, source.text)
        if kind is None:
            return
        source = SourceFile(source.path, source.text, kind, source.encoding)
    intake.files[source.path] = source
    parse = parser_for(source.kind)
    if parse is None:
        return
    try:
        parsed = parse(source)
    except Exception as error:  # noqa: BLE001 - a parser's own fault must not end the scan
        parsed = Parsed(problems=[Problem("parse", source.path, f"the parser failed: {type(error).__name__}: {error}")])
    intake.resources.extend(parsed.resources)
    intake.problems.extend(parsed.problems)
    if parsed.problems and not parsed.resources:
        tally["failed"] += 1
        intake.partial.add(source.path)
    elif parsed.partial or parsed.problems:
        tally["partial"] += 1
        intake.partial.add(source.path)
    else:
        tally["parsed"] += 1
