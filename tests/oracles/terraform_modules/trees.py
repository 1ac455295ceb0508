"""The trees of configurations in this folder: `=== name [folder [--var-file=file…]]`, then `--- path` and the file.

`folder` is where terraform runs, `.` unless given; variable files are relative to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
BUNDLES = ("calls.txt", "variables.txt", "repetition.txt")
EXPECTED = FOLDER / "expected.json"


class ModuleTree(NamedTuple):
    """Files by path, the folder of the root module ("" for the top), and the variable files that are named."""

    name: str
    folder: str
    variable_files: tuple[str, ...]
    files: dict[str, str]


def trees() -> Iterator[ModuleTree]:
    """All trees, in order."""
    for bundle in BUNDLES:
        for part in (FOLDER / bundle).read_text(encoding="utf-8").split("\n=== "):
            head, _, body = part.removeprefix("=== ").partition("\n")
            name, *rest = head.split()
            folder = rest[0] if rest and rest[0] != "." else ""
            named = tuple(word.removeprefix("--var-file=") for word in rest[1:])
            yield ModuleTree(name, folder, named, dict(_files(body)))


def _files(body: str) -> Iterator[tuple[str, str]]:
    for part in f"\n{body}".split("\n--- ")[1:]:
        path, _, text = part.partition("\n")
        yield path, text if text.endswith("\n") else f"{text}\n"
