"""Record what nginx makes of the trees in `tests/oracles/nginx`, or compare with what is recorded.

    python tests/oracles/record_nginx.py [--nginx PROGRAM] [--check]

The files come from `nginx -T`, which tells them in the order in which they are opened. Directives come from an nginx
that writes, while it reads its configuration, one line for each directive to the file that `NGINX_TRACE` names:
`D` (ends in `;`), `B` (opens a block) or `E` (a block ends), and for the first two, separated by tabs, the file, the
line, and the words in hexadecimal. A plain nginx writes no trace: then only files are compared. The same program
answers the requests of `behaviour.txt` on 127.0.0.1, see `nginx/behaviour.py`.
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

from tests.oracles.nginx import behaviour
from tests.oracles.nginx.trees import EXPECTED, Configurations, configurations


class RefusedError(Exception):
    """This nginx does not take a configuration: it is too old, or was built without a module."""


def main() -> int:
    """Record, or compare with `--check`; 1 when something differs."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--nginx", default=shutil.which("nginx") or "nginx")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    version = subprocess.run([chosen.nginx, "-v"], capture_output=True, text=True, check=True).stderr.split()[-1]
    found: dict[str, dict[str, list[Any]]] = {}
    refused = []
    for tree in configurations():
        try:
            found[tree.name] = observed(tree, chosen.nginx)
        except RefusedError as error:
            refused.append(f"{tree.name}: {error}")
    for line in refused:
        tell(line)
    different = behaviours(chosen.nginx, version, check=chosen.check)
    if not chosen.check:
        if refused:
            return 1  # what nginx answered is recorded; the trees need one that knows all their directives
        EXPECTED.write_text(written(version, found), encoding="utf-8")
        return 0
    recorded = json.loads(EXPECTED.read_text(encoding="utf-8"))["trees"]
    different += [name for name, one in found.items() if any(recorded[name][key] != one[key] for key in one)]
    tell(f"{version}: {len(found)} trees, {len(different)} different: {', '.join(different)}")
    return 1 if different else 0


def behaviours(nginx: str, version: str, *, check: bool) -> list[str]:
    """Record or compare what a running nginx answers; one that does not know a directive of it is passed over."""
    different = []
    for conf, record, requests in (
        (behaviour.CONFIGURATION, behaviour.RECORDED, behaviour.REQUESTS),
        (behaviour.MORE, behaviour.MORE_RECORDED, behaviour.MORE_REQUESTS),
    ):
        try:
            rows = behaviour.observed(nginx, conf, requests)
        except behaviour.NotStartedError:
            tell(f"{version} does not start with {conf.name}")
            continue
        if not check:
            lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
            record.write_text(f'{{"program": "{version}", "answers": [\n{lines}\n]}}\n', encoding="utf-8")
        elif json.loads(record.read_text(encoding="utf-8"))["answers"] != rows:
            different.append(conf.name)
    return different


def tell(line: str) -> None:
    """A line for the terminal."""
    sys.stdout.write(f"{line}\n")


def written(version: str, found: dict[str, dict[str, list[Any]]]) -> str:
    """The record as JSON with a line for each directive."""
    parts = []
    for name, one in found.items():
        rows = ",\n".join(f"   {json.dumps(row, ensure_ascii=False)}" for row in one["directives"])
        files = json.dumps(one["files"], ensure_ascii=False)
        parts.append(f' "{name}": {{\n  "files": {files},\n  "directives": [\n{rows}\n  ]}}')
    return f'{{"program": "{version}", "trees": {{\n' + ",\n".join(parts) + "\n}}\n"


def observed(tree: Configurations, nginx: str) -> dict[str, list[Any]]:
    """What nginx reads: `files` in order, `directives` as depth, file and words; the latter only with a trace."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(tree.main).parent.as_posix().removeprefix(".")
        root, below = laid_out(Path(scratch), folder, tree.at)
        Path(scratch, "logs").mkdir()
        for path, text in tree.files.items():
            if not path.startswith(below):
                continue  # nothing that is deployed
            place = root / path.removeprefix(below)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.replace("/etc/", f"{scratch}/etc/").replace("/usr/", f"{scratch}/usr/").encode())
        conf = f"{scratch}{tree.at}"
        trace = Path(scratch, "trace")
        run = subprocess.run(
            [nginx, "-T", "-c", f"{conf}/{Path(tree.main).name}", "-p", scratch, "-e", "stderr"],
            env={**os.environ, "NGINX_TRACE": str(trace)}, capture_output=True, check=False,
        )  # fmt: skip
        if run.returncode:
            raise RefusedError(run.stderr.decode().strip().split("\n")[0])

        def back(place: str) -> str:
            return below + str(Path(place)).removeprefix(f"{root}/")

        lines = run.stdout.decode("utf-8", "surrogateescape").split("\n")
        marks = (line for line in lines if line.startswith(f"# configuration file {scratch}/"))
        files = [back(os.path.normpath(mark.removeprefix("# configuration file ").rstrip(":"))) for mark in marks]
        if not trace.exists():
            return {"files": files}
        rows: list[Any] = []
        depth = 0
        for line in trace.read_text(encoding="utf-8").splitlines():
            kind, *rest = line.split("\t")
            if kind in "DB":
                words = [bytes.fromhex(word).decode().replace(scratch, "") for word in rest[2:]]
                rows.append([depth, back(os.path.normpath(rest[0])), *words])
                depth += kind == "B"
            depth -= kind == "E"
        return {"files": files, "directives": rows}


def laid_out(scratch: Path, folder: str, at: str) -> tuple[Path, str]:
    """Where the tree goes, so that its `folder` becomes `at`, and the part of its paths that is left out.

    A tree with a whole root file system is laid out from its root; of others, only what lies in the folder is.
    """
    if f"/{folder}".endswith(at):
        below = f"/{folder}".removesuffix(at).lstrip("/")
        return scratch, f"{below}/" if below else ""
    return Path(f"{scratch}{at}"), f"{folder}/" if folder else ""


if __name__ == "__main__":
    sys.exit(main())
