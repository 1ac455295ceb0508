"""Record what Terraform makes of the trees in `tests/oracles/terraform_modules`, or compare with what is recorded.

    python tests/oracles/record_terraform_modules.py [--terraform PROGRAM] [--check]

Each tree is planned (`terraform init`, `terraform plan`, `terraform show -json`): its modules are all local and its
resources are `terraform_data`, which is built in, so that nothing is fetched. Recorded are the outputs of the root
module and the `input` of every resource, each with what of it is known only after an apply.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from tests.oracles.terraform_modules.trees import EXPECTED, ModuleTree, trees


class RefusedError(Exception):
    """Terraform does not take a tree."""


def main() -> int:
    """Record, or compare with `--check`; 1 when something differs."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--terraform", default=shutil.which("terraform") or "terraform")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    program = str(Path(chosen.terraform).resolve())
    version = json.loads(_run(program, Path.cwd(), "version", "-json"))["terraform_version"]
    found: dict[str, Any] = {}
    refused: list[str] = []
    for tree in trees():
        try:
            found[tree.name] = planned(tree, program)
        except RefusedError as error:
            refused.append(f"{tree.name}: {error}")
    if refused:
        sys.stdout.write("\n".join([*refused, ""]))
        return 1
    if chosen.check:
        recorded = json.loads(EXPECTED.read_text(encoding="utf-8"))["trees"]
        different = [name for name, one in found.items() if recorded.get(name) != one]
        sys.stdout.write(f"Terraform {version}: {len(found)} trees, {len(different)} different {different}\n")
        return 1 if different else 0
    content = {"program": f"Terraform {version}", "command": "record_terraform_modules.py", "trees": found}
    EXPECTED.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def planned(tree: ModuleTree, program: str) -> dict[str, Any]:
    """Outputs and resources of a tree: `[value, what of it is unknown]` by name and by address."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in tree.files.items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        root = Path(folder, tree.folder)
        _run(program, root, "init", "-input=false")
        named = [f"-var-file={file}" for file in tree.variable_files]
        _run(program, root, "plan", "-input=false", "-out=plan.bin", *named)
        plan = json.loads(_run(program, root, "show", "-json", "plan.bin"))
    return {
        "outputs": {
            name: [change.get("after"), change["after_unknown"]]
            for name, change in plan.get("output_changes", {}).items()
        },
        "resources": {
            one["address"]: [one["change"]["after"].get("input"), one["change"]["after_unknown"].get("input", False)]
            for one in plan.get("resource_changes", [])
        },
    }


def _run(program: str, folder: Path, *arguments: str) -> str:
    """What the program prints. Raises RefusedError."""
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        [program, *arguments, *([] if arguments[0] in ("version", "show") else ["-no-color"])],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RefusedError(" ".join(done.stderr.split())[:500])
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
