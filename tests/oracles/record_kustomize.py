"""Record what kustomize makes of the cases in `tests/oracles/kustomize/cases`, or compare with what is recorded.

    python tests/oracles/record_kustomize.py [--kustomize kustomize] [--check]

`--kustomize "kubectl kustomize"` works too. Each case is written to a folder of its own; every kustomization in it that
is no component is built.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.oracles.kustomize.cases import EXPECTED, Case, cases, objects_of


def main() -> int:
    """Record, or compare with `--check`; 1 when something differs."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--kustomize", default="kustomize")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    program = shlex.split(chosen.kustomize)
    build = program if len(program) > 1 else [*program, "build"]
    named = [*program[:1], "version"] if len(program) == 1 else [*program[:1], "version", "--client"]
    version = subprocess.run(named, capture_output=True, text=True, check=True).stdout.strip().split()[-1]
    found = {case.name: observed(case, build) for case in cases()}
    if not chosen.check:
        rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(row, sort_keys=True)}" for name, row in found.items())
        EXPECTED.write_text(f'{{"program": "kustomize {version}", "cases": {{\n{rows}\n}}}}\n', encoding="utf-8")
        return 0
    recorded = json.loads(EXPECTED.read_text(encoding="utf-8"))["cases"]
    different = [name for name, row in found.items() if compared(recorded.get(name)) != compared(row)]
    sys.stdout.write(f"kustomize {version}: {len(found)} cases, {len(different)} different {different}\n")
    return 1 if different else 0


def observed(case: Case, build: list[str]) -> dict[str, Any]:
    """What kustomize prints for each folder of a case, or the last line of why it refuses."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for path, text in case.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="")
        for folder in case.folders:
            done = subprocess.run(
                [*build, str(root / folder)], capture_output=True, text=True, check=False,
                env={"PATH": os.environ["PATH"], "HOME": str(root)},
            )  # fmt: skip
            if done.returncode == 0:
                result[folder] = objects_of(done.stdout)
            else:
                lines = [line for line in done.stderr.strip().split("\n") if line.startswith(("Error:", "error:"))]
                result[folder] = re.sub(r"0x[0-9a-f]+", "0x", (lines or ["Error"])[-1].replace(str(root), "."))[:300]
    return result


def compared(row: dict[str, Any] | None) -> dict[str, Any]:
    """The objects, and whether it was refused: the words differ between versions."""
    return {folder: "refused" if isinstance(one, str) else one for folder, one in (row or {}).items()}


if __name__ == "__main__":
    sys.exit(main())
