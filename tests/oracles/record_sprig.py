"""Record what Sprig's and Helm's functions give for the cases in `tests/oracles/sprig`, or compare with it.

    python tests/oracles/record_sprig.py PROGRAM [--check]

The program is described in `tests/oracles/sprig/README.md`. Inputs stay as they are in the files; what was recorded is
replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "sprig"
CASES = FOLDER / "cases.json"
VALUES = FOLDER / "values.json"
FORMATS = {"yaml": "toYaml", "pretty": "toYamlPretty", "json": "toJson", "toml": "toToml"}
_INPUTS = ("group", "template", "data", "unknown")
# A zone that is not UTC, so that what depends on the zone shows.
_ENVIRONMENT = {**os.environ, "TZ": "Asia/Kolkata"}


def main() -> int:
    """Record, or compare with `--check`; 1 when something differs."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    values = json.loads(VALUES.read_text(encoding="utf-8"))
    new_cases, new_values = observed_cases(cases, chosen.program), observed_values(values, chosen.program)
    if not chosen.check:
        CASES.write_text(f'{{"data": {_line(cases["data"])},\n"cases": [\n{_rows(new_cases)}\n]}}\n', encoding="utf-8")
        VALUES.write_text(f"[\n{_rows(new_values)}\n]\n", encoding="utf-8")
        return 0
    different = [
        new for old, new in zip([*cases["cases"], *values], [*new_cases, *new_values], strict=True) if old != new
    ]
    sys.stdout.write("\n".join((f"{len(different)} different", *map(_line, different), "")))
    return 1 if different else 0


def observed_cases(recorded: dict[str, Any], program: str) -> list[dict[str, Any]]:
    """The cases with what the program answers."""
    inputs = [{key: case[key] for key in _INPUTS if key in case} for case in recorded["cases"]]
    asked = [{"template": case["template"], "data": case.get("data", recorded["data"])} for case in inputs]
    return [{**case, **answer} for case, answer in zip(inputs, _answers(asked, program), strict=True)]


def observed_values(recorded: list[dict[str, Any]], program: str) -> list[dict[str, Any]]:
    """The values with their texts in each format."""
    rows = [{"value": row["value"]} for row in recorded]
    for name, function in FORMATS.items():
        asked = [{"template": f"{{{{ {function} .v }}}}", "data": {"v": row["value"]}} for row in rows]
        for row, answer in zip(rows, _answers(asked, program), strict=True):
            row[name] = answer["output"]
    return rows


def _answers(asked: list[dict[str, Any]], program: str) -> list[dict[str, str]]:
    lines = "\n".join(map(json.dumps, asked))
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True, env=_ENVIRONMENT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _rows(rows: list[dict[str, Any]]) -> str:
    return ",\n".join(map(_line, rows))


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main())
