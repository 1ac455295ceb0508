"""The command line. Subcommands are imported when they are asked for: `--version` loads click and nothing of weight."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import click

from pyprod_audit.version import __version__

_COMMANDS: Mapping[str, str] = {
    "scan": "pyprod_audit.cli.scan:scan",
    "explain": "pyprod_audit.cli.explain:explain",
    "rules": "pyprod_audit.cli.rules:rules",
}
_FAILED = 2
_INTERRUPTED = 130


class Commands(click.Group):
    """The group of all commands: lazy, and with the project's exit codes whatever goes wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of the commands, in the order in which help shows them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command `cmd_name`; None when there is none."""
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        return cast("click.Command", getattr(import_module(module), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` starts with; a usage error that suggests the nearest one."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches  # only for a mistake

            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; ends the process with 0 to 3 as documented, never with 1 for anything but findings."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        try:
            result = super().main(args, "pyprod-audit", complete_var, False, **extra)
            code = result if isinstance(result, int) else 0
        except click.ClickException as error:
            error.show()
            code = _FAILED
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            code = _INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the exit code of a crash must not say "findings"
            _tell_of_crash(error)
            code = _FAILED
        sys.exit(code)


def _tell_of_crash(error: Exception) -> None:
    if os.environ.get("PYPROD_AUDIT_TRACEBACK"):
        import traceback

        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(
        f"internal error: {type(error).__name__}: {error}\n"
        "Please report this; with PYPROD_AUDIT_TRACEBACK=1 in the environment the place is shown.",
        err=True,
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(__version__, prog_name="pyprod-audit")
def main() -> None:
    """Audit a repository of a Python service for production readiness: all of its deployment files together."""
