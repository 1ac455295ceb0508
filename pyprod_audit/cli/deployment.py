"""What the command line says about the deployment: values and variable files, and the helm program."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pyprod_audit.model import Deployment, SourceFile

F = TypeVar("F", bound=Callable[..., Any])
_HELM = "--helm"


class ScanCommand(click.Command):
    """A command whose `--helm` takes a program only behind an equals sign, so that PATH may follow it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with a bare `--helm` spelled out."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [f"{_HELM}=helm" if arg == _HELM else arg for arg in args[:end]] + args[end:])


def deployment_options(command: F) -> F:
    """The options `--values`, `--var-file` and `--helm`."""
    for option in (
        click.option(
            _HELM,
            metavar="[=PROGRAM]",
            help="Render Helm charts with this helm program [default: without helm].",
        ),
        click.option(
            "--var-file",
            "var_files",
            multiple=True,
            metavar="FILE",
            help="Terraform variables that are deployed; later files win.",
        ),
        click.option(
            "--values",
            "values_files",
            multiple=True,
            metavar="FILE",
            help="Helm values that are deployed, instead of the defaults and all values files; later files win.",
        ),
    ):
        command = option(command)
    return command


def read_deployment(
    root: Path, values_files: tuple[str, ...], var_files: tuple[str, ...], helm: str | None
) -> Deployment:
    """The files read, the program found; `root` is the scanned folder. Raises a usage error for what is not there."""
    program = ""
    if helm is not None:
        from shutil import which  # only when somebody asks for helm

        program = which(helm) or ""
        if not program:
            raise click.BadParameter(f"there is no program {helm!r}.", param_hint=f"'{_HELM}'")
    return Deployment(
        tuple(_read(root, name, "helm-values", "--values") for name in values_files),
        tuple(_read(root, name, "terraform", "--var-file") for name in var_files),
        os.path.abspath(program) if program else "",  # noqa: PTH100 - links stay: a program may look at its own name
    )


def _read(root: Path, name: str, kind: str, flag: str) -> SourceFile:
    from pyprod_audit.discover import Limits, Skipped, decode

    cap = Limits().bytes_for(kind)
    try:
        # Not a pipe: opening one would wait for whoever writes to it.
        if not stat.S_ISREG(Path(name).stat().st_mode):
            raise click.BadParameter(f"{name} is not a file.", param_hint=f"'{flag}'")
        with Path(name).open("rb") as file:
            data = file.read(cap + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.BadParameter(f"{name} cannot be read: {reason}.", param_hint=f"'{flag}'") from error
    path = _path_of(root, name)
    source = decode(path, data, kind) if len(data) <= cap else Skipped(path, "too large")
    if isinstance(source, Skipped):
        raise click.BadParameter(f"{name} cannot be read: {source.reason}.", param_hint=f"'{flag}'")
    return source


def _path_of(root: Path, name: str) -> str:
    """The way from the scanned folder when the file stands in it, else one that cannot be taken for such a way."""
    try:
        return Path(name).resolve().relative_to(root.resolve()).as_posix()
    except (ValueError, OSError):
        given = Path(name).as_posix()
        return given if given.startswith("../") else Path(name).absolute().as_posix()
