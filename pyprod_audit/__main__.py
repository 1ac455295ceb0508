"""The process: `pyprod-audit` and `python -m pyprod_audit`."""

from __future__ import annotations

import sys

from pyprod_audit.version import __version__


def main() -> None:
    """Run the command line; ends the process with its exit code. The version alone needs nothing imported."""
    if sys.argv[1:] == ["--version"]:
        print(f"pyprod-audit, version {__version__}")  # noqa: T201 - what click would print, without click
        return
    from pyprod_audit.cli import main as run

    run()


if __name__ == "__main__":
    main()
