"""Records what Terraform makes of the expressions in tests/oracles/terraform.

Run `python tests/oracles/record_terraform.py`; with `--check` it compares instead. It needs the terraform program
(`--terraform PROGRAM`, else the one on the PATH), whose `console` is asked once for the JSON text of each value and
once for its type; nothing is downloaded. `--add FILE` first takes in the expressions of a JSON list.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import concurrent.futures
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "terraform"
EXPECTED = FOLDER / "expressions.json"
FILES = FOLDER / "files"
LONGEST = 20_000


def asked(terraform: str, folder: Path, question: str) -> str | None:
    """What the console prints; None when it complains."""
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "TF_CLI_CONFIG_FILE": os.devnull,
                   "CHECKPOINT_DISABLE": "1"}  # fmt: skip
    found = subprocess.run(
        [terraform, "console", "-no-color"], input=question + "\n", cwd=folder, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if found.returncode or "Error: " in found.stderr:
        return None
    return found.stdout.strip()


def recorded(terraform: str, expression: str) -> dict[str, Any]:
    """The entry of one expression: its value as JSON text and its type, or that it is an error."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "files").symlink_to(FILES.resolve(), target_is_directory=True)
        (folder / "main.tf").write_text(f"locals {{\n  t = {expression}\n}}\n", encoding="utf-8")
        text = asked(terraform, folder, "base64encode(nonsensitive(jsonencode(local.t)))")
        if text is None or "known after apply" in text:
            return {"expression": expression, "error": True}
        try:
            value = base64.b64decode(text.strip('"'), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return {"expression": expression, "error": True}
        kind = asked(terraform, folder, "type(local.t)") or ""
    if len(value) > LONGEST:
        sys.exit(f"{expression}: the value is too long")
    return {"expression": expression, "result": value, "type": " ".join(kind.split())}


def record(terraform: str, expressions: Iterable[str]) -> list[dict[str, Any]]:
    """The entries of all expressions, in order."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(functools.partial(recorded, terraform), expressions))


def written(entries: list[dict[str, Any]]) -> str:
    """The entries as JSON, one a line."""
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]\n"


def main() -> int:
    """Records, or compares."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--terraform", default=shutil.which("terraform"))
    arguments.add_argument("--add", type=Path)
    given = arguments.parse_args()
    if not given.terraform:
        sys.exit("there is no terraform program")
    known = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else []
    expressions = [entry["expression"] for entry in known]
    if given.add is not None:
        expressions += json.loads(given.add.read_text(encoding="utf-8"))
    made = record(given.terraform, dict.fromkeys(expressions))
    if not given.check:
        EXPECTED.write_text(written(made), encoding="utf-8")
        sys.stdout.write(f"{len(made)} expressions\n")
        return 0
    changed = [new for new, old in zip(made, known, strict=True) if new != old]
    for entry in changed:
        sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main())
