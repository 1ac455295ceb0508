"""Record what Go's text/template writes for the cases in `tests/oracles/gotemplate/cases.json`, or compare with it.

    python tests/oracles/record_gotemplate.py PROGRAM [--check]

The program is described in `tests/oracles/gotemplate/README.md`. Inputs stay as they are in the file; `output` or
`error` of each case are replaced.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "gotemplate" / "cases.json"
_INPUTS = ("template", "data", "missingkey", "sprig")


def main() -> int:
    """Record, or compare with `--check`; 1 when something differs."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    recorded = json.loads(CASES.read_text(encoding="utf-8"))
    found = observed(recorded, chosen.program)
    if not chosen.check:
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in found)
        data = json.dumps(recorded["data"], ensure_ascii=False)
        CASES.write_text(f'{{"data": {data},\n"cases": [\n{rows}\n]}}\n', encoding="utf-8")
        return 0
    different = [new["template"] for old, new in zip(recorded["cases"], found, strict=True) if old != new]
    sys.stdout.write("\n".join((f"{len(found)} cases, {len(different)} different", *different, "")))
    return 1 if different else 0


def observed(recorded: dict[str, Any], program: str) -> list[dict[str, Any]]:
    """The cases with what the program answers."""
    inputs = [{key: case[key] for key in _INPUTS if key in case} for case in recorded["cases"]]
    asked = "\n".join(json.dumps({**case, "data": recorded["data"][case["data"]]}) for case in inputs)
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [{**case, **answer} for case, answer in zip(inputs, answers, strict=True)]


if __name__ == "__main__":
    raise SystemExit(main())
