"""Record what Docker Compose makes of the cases in `tests/oracles/compose/cases`, or compare with what is recorded.

    python tests/oracles/record_compose.py [--compose "docker compose"] [--check]

Each case is written to a folder of its own and printed with `config --format json`, with all profiles and an empty
environment. Paths in that folder become relative to it; `$$`, which `config` writes for a dollar, becomes one again.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.oracles.compose.cases import EXPECTED, Case, cases

_HOME = "/nonexistent"


def main() -> int:
    """Record, or compare with `--check`; 1 when something differs."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--compose", default="docker compose")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    program = shlex.split(chosen.compose)
    version = subprocess.run(
        [*program, "version", "--short"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = {case.name: observed(case, program) for case in cases()}
    if not chosen.check:
        rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(row, sort_keys=True)}" for name, row in found.items())
        EXPECTED.write_text(f'{{"program": "Docker Compose {version}", "cases": {{\n{rows}\n}}}}\n', encoding="utf-8")
        return 0
    recorded = json.loads(EXPECTED.read_text(encoding="utf-8"))["cases"]
    different = [name for name, row in found.items() if recorded.get(name) != row]
    sys.stdout.write(f"Docker Compose {version}: {len(found)} cases, {len(different)} different {different}\n")
    return 1 if different else 0


def observed(case: Case, program: list[str]) -> dict[str, Any]:
    """What Compose prints for a case, or the first line of why it refuses it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "shop"
        for path, text in case.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="")
        named = [word for path in case.named for word in ("-f", path)]
        # Without the folder Compose takes that of the first file for the project's.
        start = folder if not case.named or len(case.named) > 1 else folder / Path(case.named[0]).parent
        done = subprocess.run(
            [*program, *named, "--profile", "*", "config", "--format", "json"],
            cwd=folder, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "HOME": _HOME},
        )  # fmt: skip
        if done.returncode != 0:
            return {"error": relative(done.stderr.strip().split("\n")[0], start)}
        return {"project": relative(json.loads(done.stdout), folder)}


def relative(value: Any, folder: Path) -> Any:
    """The value with paths in `folder` relative to it, and dollars as they were."""
    if isinstance(value, dict):
        return {name.replace("$$", "$"): relative(member, folder) for name, member in value.items()}
    if isinstance(value, list):
        return [relative(member, folder) for member in value]
    if not isinstance(value, str):
        return value
    if value == str(folder):
        return "."
    if value == str(folder.parent):
        return ".."
    text = value.replace(f"{folder}/", "").replace(f"{folder.parent}/", "../")
    return text.replace(f"{_HOME}/", "~/").replace("$$", "$")


if __name__ == "__main__":
    sys.exit(main())
