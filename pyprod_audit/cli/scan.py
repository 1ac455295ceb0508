"""`pyprod-audit scan`."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import click

from pyprod_audit.cli.deployment import ScanCommand, deployment_options, read_deployment
from pyprod_audit.cli.options import (
    LEVELS,
    PROFILES,
    check_selectors,
    day,
    full_catalogue,
    selectors,
    wants_color,
)
from pyprod_audit.cli.progress import Progress
from pyprod_audit.cli.stdout import write_file, write_stdout
from pyprod_audit.config import NEVER, Config, ConfigError, severity_named
from pyprod_audit.config_files import load
from pyprod_audit.findings import Profile, Report, Severity
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.outputs import FORMATS, RenderOptions, render
from pyprod_audit.outputs.escape import terminal

_STDIN = "-"
_DEFAULT_WIDTH = 100


def _outputs(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Click callback: FORMAT=FILE."""
    found = []
    for text in value:
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise click.BadParameter(f"{text!r} is not of the form FORMAT=FILE.")
        if name not in FORMATS:
            from difflib import get_close_matches

            near = get_close_matches(name, FORMATS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(FORMATS)}."
            raise click.BadParameter(f"no format {name!r}. {hint}")
        found.append((name, file))
    return tuple(found)


@click.command(cls=ScanCommand)
@click.argument("path", default=".", metavar="[PATH]")
@click.option(
    "--select",
    multiple=True,
    metavar="RULES",
    callback=selectors,
    help="Run these rules: ids, names, prefixes, section:NN.",
)
@click.option("--ignore", multiple=True, metavar="RULES", callback=selectors, help="Do not run these rules.")
@click.option("--severity", type=click.Choice(LEVELS), help="Show findings from this severity on.")
@click.option(
    "--fail-on", type=click.Choice((*LEVELS, NEVER)), help="Exit with 1 from this severity on [default: high]."
)
@click.option("--profile", type=click.Choice(PROFILES), help="How much to ask for [default: standard].")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these paths out, as in a .gitignore.")
@deployment_options
@click.option("--strict", is_flag=True, help="Exit with 3 when the scan is incomplete or finds nothing to read.")
@click.option(
    "-f", "--format", "format_name", type=click.Choice(tuple(FORMATS)), help="Format on stdout [default: text]."
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT=FILE",
    callback=_outputs,
    help="Write a report to a file (- is stdout).",
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Use this configuration file.")
@click.option("--isolated", is_flag=True, help="Use no configuration file.")
@click.option(
    "--as-of", metavar="DATE", callback=day, help="The day to compare end-of-life dates with [default: today]."
)
@click.option("--color", type=click.Choice(("auto", "always", "never")), default="auto", help="Colour the text report.")
@click.option("-q", "--quiet", is_flag=True, help="Show only findings.")
@click.option("-v", "--verbose", is_flag=True, help="Show every place of every finding.")
@click.option("--stats", is_flag=True, help="Show counts and timings.")
@click.option("--show-suppressed", is_flag=True, help="Show suppressed findings too.")
@click.option("--show-undecided", is_flag=True, help="Show what could not be decided, and why.")
@click.option("--stdin-filename", metavar="PATH", help="What the file is called that is read from stdin with PATH -.")
@click.pass_context
def scan(
    ctx: click.Context,
    path: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: str | None,
    fail_on: str | None,
    profile: str | None,
    exclude: tuple[str, ...],
    values_files: tuple[str, ...],
    var_files: tuple[str, ...],
    helm: str | None,
    strict: bool,
    format_name: str | None,
    outputs: tuple[tuple[str, str], ...],
    config_file: Path | None,
    isolated: bool,
    as_of: date | None,
    color: str,
    quiet: bool,
    verbose: bool,
    stats: bool,
    show_suppressed: bool,
    show_undecided: bool,
    stdin_filename: str | None,
) -> None:
    """Scan the folder or file PATH (default: the current folder); - reads one file from stdin.

    Exit codes: 0 nothing at or above --fail-on; 1 findings; 2 usage, configuration or internal error; 3 with --strict,
    incomplete or nothing to scan.
    """
    if quiet and verbose:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    _check_globs(exclude)
    targets = _targets(format_name, outputs)
    stdin = _stdin(path, stdin_filename)
    root = Path() if stdin is not None else _root(path)
    config = _config(root, config_file, isolated=isolated)
    _check_rules(config, select, ignore)
    threshold = fail_on or config.fail_on or "high"
    shown = severity_named(severity) if severity else config.severity or Severity.INFO
    report = _run(
        path if stdin is None else ".",
        config,
        ScanOptions(
            select=select,
            ignore=ignore,
            profile=Profile[profile.upper()] if profile else None,
            exclude=exclude,
            as_of=as_of,
            stdin=stdin,
            deployment=read_deployment(root, values_files, var_files, helm),
        ),
        quiet=quiet,
    )
    if not quiet:
        for note in report.notes:
            click.echo(f"note: {terminal(note)}", err=True)
    for name, file in targets:
        to_stdout = file == _STDIN
        options = RenderOptions(
            color=to_stdout and wants_color(color),
            verbose=verbose,
            quiet=quiet,
            show_suppressed=show_suppressed,
            show_undecided=show_undecided,
            stats=stats,
            minimum=shown,
            width=_width(),
            fail_on=None if threshold == NEVER else severity_named(threshold),
            strict=strict,
        )
        text = render(name, report, options)
        if to_stdout:
            write_stdout(text)
        else:
            try:
                write_file(Path(file), text)
            except OSError as error:
                raise click.FileError(file, error.strerror) from error
    ctx.exit(report.exit_code(None if threshold == NEVER else severity_named(threshold), strict=strict))


def _targets(format_name: str | None, outputs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Format and file of each report; exactly one goes to stdout."""
    on_stdout = [name for name, file in outputs if file == _STDIN]
    if len(on_stdout) + (format_name is not None) > 1:
        raise click.UsageError("Only one report can go to stdout.")
    files = [file for _, file in outputs]
    doubled = next((file for file in files if files.count(file) > 1), None)
    if doubled is not None:
        raise click.UsageError(f"Two reports cannot go to {doubled}.")
    for file in files:
        if file != _STDIN and not Path(file).parent.is_dir():
            raise click.FileError(file, "there is no such folder")
    return [*outputs] if on_stdout else [(format_name or "text", _STDIN), *outputs]


def _stdin(path: str, name: str | None) -> SourceFile | None:
    if path != _STDIN:
        if name is not None:
            raise click.UsageError("--stdin-filename needs PATH to be -.")
        return None
    if name is None:
        raise click.UsageError("Reading from stdin needs --stdin-filename, which tells what kind of file it is.")
    from pyprod_audit.discover import Limits, Skipped, classify, decode
    from pyprod_audit.parsers.recognise import classify_content

    normal = Path(name).as_posix().lstrip("/")
    kind = classify(normal)
    if kind is None or ".." in normal.split("/"):
        raise click.BadParameter(f"{name!r} is not the name of a file that is read.", param_hint="'--stdin-filename'")
    cap = Limits().bytes_for(kind)
    data = sys.stdin.buffer.read(cap + 1)
    source = decode(normal, data, kind) if len(data) <= cap else Skipped(normal, "too large")
    if isinstance(source, Skipped):
        raise click.UsageError(f"What came from stdin cannot be read: {source.reason}.")
    return SourceFile(normal, source.text, classify_content(normal, source.text) or "text", source.encoding)


def _root(path: str) -> Path:
    """The folder whose configuration counts."""
    given = Path(path)
    if not given.exists():
        raise click.BadParameter(f"{path!r} does not exist.", param_hint="'PATH'")
    return given if given.is_dir() else given.parent


def _config(root: Path, file: Path | None, *, isolated: bool) -> Config:
    if isolated:
        if file is not None:
            raise click.UsageError("--config and --isolated exclude each other.")
        return Config()
    try:
        return load(root, file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def _check_globs(globs: tuple[str, ...]) -> None:
    from pyprod_audit.discover.ignore import complaint_about

    for glob in globs:
        complaint = complaint_about(glob)
        if complaint:
            raise click.BadParameter(f"{glob!r}: {complaint}", param_hint="'--exclude'")


def _check_rules(config: Config, select: tuple[str, ...], ignore: tuple[str, ...]) -> None:
    from pyprod_audit.catalogue import read_folder

    if not (select or ignore or config.rules_folder):
        return  # the scan itself checks the rest of the configuration
    try:
        catalogue = full_catalogue()
        if config.rules_folder is not None:
            catalogue = catalogue.extended(read_folder(config.rules_folder))
        config.check(catalogue)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    check_selectors(catalogue, select, "--select")
    check_selectors(catalogue, ignore, "--ignore")


def _run(path: str, config: Config, options: ScanOptions, *, quiet: bool) -> Report:
    from pyprod_audit.pipeline import scan as run

    try:
        if quiet or not sys.stderr.isatty():
            return run(path, config=config, options=options)
        with Progress() as progress:
            return run(path, config=config, options=replace(options, progress=progress))
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        from pyprod_audit.catalogue_build import RuleError  # only for a mistake in a user's own rules

        if not isinstance(error, RuleError):
            raise
        raise click.ClickException(str(error)) from error


def _width() -> int:
    """The columns of the terminal that stdout is, if it is one."""
    if not sys.stdout.isatty():
        return _DEFAULT_WIDTH
    from shutil import get_terminal_size

    return get_terminal_size((_DEFAULT_WIDTH, 24)).columns
