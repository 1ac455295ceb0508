"""The scan, from a path to a report: discover, parse, evaluate, link, check, process."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pyprod_audit import engine
from pyprod_audit.catalogue import Catalogue, Rule, load, read_folder
from pyprod_audit.evaluate import evaluate
from pyprod_audit.findings import Finding, Profile, Report, RuleCount, SectionResult, Status
from pyprod_audit.intake import Intake, from_folder, from_sources
from pyprod_audit.link import build
from pyprod_audit.model import Problem, Repository, SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.process.order import in_order
from pyprod_audit.process.overrides import ignore_paths, with_severities
from pyprod_audit.process.selection import ignored_rules, select_rules
from pyprod_audit.process.suppression_rules import with_suppression_rules
from pyprod_audit.process.suppressions import apply, collect
from pyprod_audit.version import __version__

if TYPE_CHECKING:
    from pyprod_audit.config import Config


@dataclass(slots=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def scan(path: str | Path = ".", *, config: Config | None = None, options: ScanOptions | None = None) -> Report:
    """Audit the folder (or the one file) at `path`.

    Args:
        path: an existing folder or file; it is only read, and nothing outside of it.
        config: what `pyprod_audit.config_files.load` returned; None: no configuration.
        options: the choices of this run, stronger than the configuration.

    Raises:
        FileNotFoundError: `path` does not exist.
        ConfigError: the configuration names what does not exist.
        catalogue_build.RuleError: one of the user's own rules cannot be used.
    """
    chosen = (options or ScanOptions()).merged(config)
    root = Path(path)
    if chosen.stdin is None and not root.exists():
        raise FileNotFoundError(f"no such file or folder: {path}")
    clock = _Clock()
    with _without_garbage_collection():
        with clock.stage("read"):
            intake = _intake(root, config, chosen)
        return _audit(intake, clock, config, chosen, str(path))


def scan_sources(
    sources: Iterable[SourceFile], *, options: ScanOptions | None = None, extra_paths: Iterable[str] = ()
) -> Report:
    """Audit texts at hand as if they were a folder: the examples of rules, tests, editors."""
    clock = _Clock()
    with clock.stage("read"):
        intake = from_sources(sources, extra_paths)
    return _audit(intake, clock, None, (options or ScanOptions()).merged(None), ".")


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Nodes are made by the hundred thousand and hold no cycles: collecting while they are built only costs."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _intake(root: Path, config: Config | None, options: ScanOptions) -> Intake:
    if options.stdin is not None:
        return from_sources([options.stdin])
    if root.is_file():
        from pyprod_audit.discover import Skipped, read

        source = read(root.parent, root.name)
        if isinstance(source, SourceFile):
            return from_sources([source])
        reason = source.reason if isinstance(source, Skipped) else source.message
        return Intake(paths=[root.name], problems=[Problem("read", root.name, reason)])
    configured = (config.prefix, config.exclude) if config is not None else ("", ())
    return from_folder(root, exclude=options.exclude, configured=configured, progress=options.progress)


def _audit(intake: Intake, clock: _Clock, config: Config | None, options: ScanOptions, root: str) -> Report:
    with clock.stage("rules"):
        catalogue = with_suppression_rules(load())
        if config is not None:
            if config.rules_folder is not None:
                catalogue = catalogue.extended(read_folder(config.rules_folder))
            config.check(catalogue)
        rules = select_rules(
            catalogue, select=options.select, ignore=options.ignore, profile=options.profile or Profile.STANDARD
        )
    with clock.stage("evaluate"):
        evaluated = evaluate(intake.resources, intake.tree(options.deployment))
    problems = evaluated.problems
    repository = Repository(intake.files, intake.paths, evaluated.resources)
    with clock.stage("link"):
        try:
            repository.services = build(repository, config.services if config is not None else ())
        except Exception as error:  # noqa: BLE001 - rules about single resources still hold
            problems.append(Problem("link", "", f"services could not be linked: {type(error).__name__}: {error}"))
    with clock.stage("check"):
        params = config.params(catalogue) if config is not None else {}
        as_of = options.as_of or datetime.now(tz=UTC).date()
        checked = engine.check(rules, repository, as_of=as_of, params=params, progress=options.progress)
    with clock.stage("process"):
        findings = _processed(checked, catalogue, rules, repository, intake, config, as_of, options.ignore)
    return Report(
        findings=findings,
        problems=(*intake.problems, *problems, *checked.problems),
        undecided=checked.undecided,
        services=repository.services,
        sections=list(_sections(catalogue, rules, checked.counts)),
        counts=checked.counts,
        files=intake.counts,
        timings=clock.seconds,
        rules=len(rules),
        root=root,
        prefix=intake.prefix,
        version=__version__,
        notes=(*intake.notes, *evaluated.notes),
    )


def _processed(
    checked: engine.Checked,
    catalogue: Catalogue,
    rules: Sequence[Rule],
    repository: Repository,
    intake: Intake,
    config: Config | None,
    as_of: date,
    ignore: Sequence[str],
) -> list[Finding]:

    def match(selector: str) -> set[str]:
        return {rule.id for rule in catalogue.match(selector)}

    findings = apply(
        checked.findings,
        collect(intake.files, match, repository.of_technology("k8s")),
        as_of=as_of,
        require_reason=config is not None and config.require_reason,
        ran={rule.id for rule in rules},
        undecided=checked.undecided,
        partial=intake.partial,
        silent=ignored_rules(catalogue, ignore),
    )
    if config is not None:
        findings = with_severities(findings, config.severities(catalogue))
        findings = ignore_paths(findings, config.per_path_ignores, match, config.prefix)
    return in_order(findings)


def _sections(catalogue: Catalogue, rules: Sequence[Rule], counts: Mapping[str, RuleCount]) -> Iterator[SectionResult]:
    """How each of the guide's sections came out; a section without rules of this run cannot be judged."""
    by_section: dict[int, list[Rule]] = {}
    for rule in rules:
        by_section.setdefault(rule.section, []).append(rule)
    for section in catalogue.sections:
        own = by_section.get(section.number, [])
        tally = [counts[rule.id] for rule in own if rule.id in counts]
        passed, failed, undecided = (sum(getattr(c, key) for c in tally) for key in ("passed", "failed", "undecided"))
        if failed:
            status, because = Status.GAP, ""
        elif undecided:
            status, because = Status.UNDECIDED, "it hangs on values that exist only at deploy time"
        elif passed:
            status, because = Status.MET, ""
        else:
            status = Status.NOT_APPLICABLE
            because = "the repository has nothing that its rules are about" if own else "no rules for it yet"
        yield SectionResult(section.number, section.title, status, passed, failed, undecided, because)
