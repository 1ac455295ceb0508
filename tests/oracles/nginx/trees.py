"""The trees of configurations in this folder: `=== name [main [at]]`, then `--- path [flags]` and the file.

`main` is the main configuration, `nginx.conf` unless given; `at` the folder that holds it where nginx runs. Flags:
`(crlf)` for lines that end in CR and LF, `(no newline)` for a last line that does not end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent
BUNDLES = ("includes.txt", "syntax.txt")
EXPECTED = FOLDER / "expected.json"


class Configurations(NamedTuple):
    """Files by path, the main configuration among them, and the folder of it where nginx runs."""

    name: str
    main: str
    at: str
    files: dict[str, str]


def configurations() -> Iterator[Configurations]:
    """All trees, in order."""
    for bundle in BUNDLES:
        for part in (FOLDER / bundle).read_text(encoding="utf-8").split("\n=== "):
            head, _, body = part.removeprefix("=== ").partition("\n")
            name, main, at = [*head.split(), *["nginx.conf", "/etc/nginx"][len(head.split()) - 1 :]]
            yield Configurations(name, main, at, dict(_files(body)))


def _files(body: str) -> Iterator[tuple[str, str]]:
    for part in f"\n{body}".split("\n--- ")[1:]:
        head, _, text = part.partition("\n")
        path, _, flags = head.partition(" (")
        text = text + "\n" if text and not text.endswith("\n") else text
        if flags.startswith("crlf"):
            text = text.replace("\n", "\r\n")
        if flags.startswith("no newline"):
            text = text.rstrip("\n")
        yield path, text
