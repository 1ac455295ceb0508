"""Writes the outputs of the scan step: python -I outputs.py EXIT_CODE JSON_FILE SARIF_FILE UPLOAD."""

from __future__ import annotations

import json
import os
import sys
import uuid
from pathlib import Path

SEVERITIES = ("critical", "high", "medium", "low", "info")


def outputs(code: str, json_file: Path, sarif_file: Path, upload: str) -> dict[str, str]:
    """The step's outputs by name; counts and files are empty when the scan wrote no report."""
    counts = dict.fromkeys(("findings", *SEVERITIES[:-1]), "")
    if json_file.is_file():
        summary = json.loads(json_file.read_bytes())["summary"]
        counts = {severity: str(summary[severity]) for severity in SEVERITIES[:-1]}
        counts["findings"] = str(sum(summary[severity] for severity in SEVERITIES))
    return {
        "exit-code": code,
        **counts,
        "json-file": str(json_file) if json_file.is_file() else "",
        "sarif-file": str(sarif_file) if sarif_file.is_file() else "",
        "upload": upload,
    }


def main() -> None:
    """Append to the file that GITHUB_OUTPUT names, in the form that allows any value."""
    code, json_file, sarif_file, upload = sys.argv[1:]
    found = outputs(code, Path(json_file), Path(sarif_file), upload)
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8", newline="\n") as file:
        for name, value in found.items():
            end = uuid.uuid4().hex  # so that no value can end itself and start another output
            file.write(f"{name}<<{end}\n{value}\n{end}\n")


if __name__ == "__main__":
    main()
