"""Records what helm makes of the charts in tests/oracles/helm: `python tests/oracles/record_helm.py`.

With `--check` it compares instead. Needs the helm program (`--helm PROGRAM`, else the one on the PATH), which is run
without a cluster.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyprod_audit.model import Node, SourceFile
from pyprod_audit.parsers.yaml_events import parse_documents

CHARTS = Path(__file__).parent / "helm"
EXPECTED = CHARTS / "expected.json"
# What official builds of Helm 3.19 say; those of `go install` are older.
KUBERNETES = "1.34.0"
LIBRARIES = ("commons",)


def plain(node: Node) -> Any:
    """The values of a tree."""
    if isinstance(node.value, dict):
        return {key: plain(member) for key, member in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(member) for member in node.value]
    return node.value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar, empty mapping and empty list with the way to it."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from leaves(member, f"{path}/{key}")
    elif isinstance(value, list) and value:
        for index, member in enumerate(value):
            yield from leaves(member, f"{path}/{index}")
    else:
        yield path, value


def objects(text: str) -> dict[str, dict[str, Any]]:
    """The leaves of each object that helm printed, lists taken apart, without tests."""
    found: dict[str, dict[str, Any]] = {}
    for document in parse_documents(SourceFile("helm", text)).nodes:
        value = plain(document)
        members = value.get("items") if isinstance(value, dict) and value.get("kind") == "List" else [value]
        for one in members or ():
            if not isinstance(one, dict) or "kind" not in one:
                continue
            metadata = one.get("metadata") or {}
            if (metadata.get("annotations") or {}).get("helm.sh/hook") == "test":
                continue
            found[f"{one['kind']}/{metadata.get('name')}"] = dict(leaves(one))
    return dict(sorted(found.items()))


def variants(chart: Path) -> dict[str, list[str]]:
    """The arguments by name of the variant."""
    found: dict[str, list[str]] = {chart.name: []}
    for file in sorted(chart.glob("values-*.yaml")):
        found[f"{chart.name} ({file.name})"] = ["--values", str(file)]
    return found


def render(helm: str, chart: Path, arguments: list[str]) -> dict[str, Any]:
    """What helm prints for a chart, or that it refuses to."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "chart"
        shutil.copytree(chart, copy)
        for name in LIBRARIES:
            if f"name: {name}," in (chart / "Chart.yaml").read_text():
                shutil.copytree(CHARTS / name, copy / "charts" / name)
        words = [helm, "template", "release-name", str(copy), "--kube-version", KUBERNETES, *arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": scratch}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=60)
    return {"objects": objects(done.stdout)} if done.returncode == 0 else {"refused": True}


def main() -> int:
    """Writes or compares the expected results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helm", default="helm")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    version = subprocess.run(
        [options.helm, "version", "--template", "{{.Version}}"], capture_output=True, text=True, check=True
    ).stdout
    charts = [path.parent for path in sorted(CHARTS.glob("*/Chart.yaml")) if path.parent.name not in LIBRARIES]
    made = {
        name: render(options.helm, chart, arguments) for chart in charts for name, arguments in variants(chart).items()
    }
    if options.check:
        recorded = json.loads(EXPECTED.read_text())["variants"]
        different = [name for name in {**recorded, **made} if recorded.get(name) != made.get(name)]
        sys.stdout.write(("\n".join(different) or "the same") + "\n")
        return bool(different)
    header = {"recorded with": f"helm {version}", "by": "python tests/oracles/record_helm.py"}
    EXPECTED.write_text(json.dumps({**header, "variants": made}, indent=1, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{len(made)} variants\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
