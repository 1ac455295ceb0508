"""Times whole scans: generated workloads or a folder, beside whichever peers are installed.

    python benchmarks/run.py                      # all generated workloads
    python benchmarks/run.py manifests dockerfiles --runs 5
    python benchmarks/run.py --folder ../some/checkout

Every command runs in turn, in the same session, with this interpreter itself and not a version manager's shim. Printed
are the medians of wall seconds, CPU seconds and peak resident memory, and the ratio to pyprod-audit.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

GOLDEN = Path(__file__).parent.parent / "fixtures" / "golden"
SEED = 20261122


class Run(NamedTuple):
    """One finished process."""

    wall: float
    cpu: float
    mebibytes: float
    exit_code: int


def service(folder: Path, _number: int) -> None:
    """One small service: the golden one."""
    shutil.copytree(GOLDEN, folder, dirs_exist_ok=True)


NINE = (
    "k8s/shop.yaml", "edge/nginx.conf", "Dockerfile", "src/shop/main.py", "src/shop/settings.py", "requirements.txt",
    "terraform/database.tf", "gunicorn.conf.py", ".dockerignore",
)  # fmt: skip
"""One file of each technology, as a small service has them."""


def nine(folder: Path, _number: int) -> None:
    """A service of nine files."""
    for name in NINE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(GOLDEN / name, folder / name)


def manifests(folder: Path, number: int) -> None:
    """Kubernetes manifests: the golden workload under `number` names, two documents a file."""
    text = (GOLDEN / "k8s" / "shop.yaml").read_text()
    chooser = random.Random(SEED)
    for index in range(number):
        parts = [part.replace("shop", f"shop{index}") for part in text.split("---\n")]
        (folder / f"{index:05}.yaml").write_text("---\n".join((parts[1], chooser.choice(parts[2:]))))


def dockerfiles(folder: Path, number: int) -> None:
    """Dockerfiles, each in a folder of its own."""
    text = (GOLDEN / "Dockerfile").read_text()
    for index in range(number):
        (folder / f"s{index}").mkdir()
        (folder / f"s{index}" / "Dockerfile").write_text(text.replace("/app", f"/app{index}"))


def terraform(folder: Path, number: int) -> None:
    """Terraform modules of two files each."""
    for index in range(number):
        (folder / f"m{index}").mkdir()
        for name in ("database.tf", "versions.tf"):
            text = (GOLDEN / "terraform" / name).read_text()
            (folder / f"m{index}" / name).write_text(text.replace('"shop', f'"shop{index}'))


def nginx(folder: Path, number: int) -> None:
    """Independent nginx configurations."""
    text = (GOLDEN / "edge" / "nginx.conf").read_text()
    for index in range(number):
        (folder / f"n{index}").mkdir()
        (folder / f"n{index}" / "nginx.conf").write_text(text.replace("www.example.com", f"w{index}.example.com"))


def python(folder: Path, number: int) -> None:
    """Python modules, one in ten of interest."""
    plain = 'def add(first: int, second: int) -> int:\n    """The sum."""\n    return first + second\n\n\n' * 30
    text = (GOLDEN / "src" / "shop" / "main.py").read_text()
    for index in range(number):
        package = folder / f"package{index // 100}"
        package.mkdir(exist_ok=True)
        (package / f"module{index}.py").write_text(text if index % 10 == 0 else plain)


WORKLOADS: Mapping[str, tuple[Callable[[Path, int], None], int]] = {
    "nine": (nine, 1),
    "service": (service, 1),
    "manifests": (manifests, 1000),
    "dockerfiles": (dockerfiles, 1000),
    "terraform": (terraform, 500),
    "nginx": (nginx, 200),
    "python": (python, 5000),
}
PEERS: Mapping[str, tuple[frozenset[str], Callable[[Path], list[str]]]] = {
    "checkov": (frozenset({"service", "manifests", "dockerfiles", "terraform"}),
                lambda folder: ["checkov", "--quiet", "--compact", "-d", str(folder)]),
    "hadolint": (frozenset({"dockerfiles"}),
                 lambda folder: ["hadolint", "--no-fail", *map(str, sorted(folder.rglob("Dockerfile")))]),
    "gixy": (frozenset({"nginx"}), lambda folder: ["gixy", *map(str, sorted(folder.rglob("nginx.conf")))]),
    "kube-linter": (frozenset({"manifests"}), lambda folder: ["kube-linter", "lint", str(folder)]),
    "bandit": (frozenset({"python"}), lambda folder: ["bandit", "-q", "-r", str(folder)]),
}  # fmt: skip


def run(command: list[str]) -> Run:
    """Run to the end and account for this one process and its children."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1024 if sys.platform != "darwin" else 1024 * 1024
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / scale, process.returncode)


def measure(label: str, commands: Mapping[str, list[str]], runs: int) -> None:
    """Time the commands in turn, `runs` times after one warm-up, and print their medians."""
    results: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            finished = run(command)
            if turn:
                results[name].append(finished)
    own = statistics.median(one.wall for one in results["pyprod-audit"])
    for name, measured in results.items():
        wall, cpu, memory = (
            statistics.median(getattr(one, key) for one in measured) for key in ("wall", "cpu", "mebibytes")
        )
        ratio = "" if name == "pyprod-audit" else f"  {wall / own:6.1f} ×"
        codes = sorted({one.exit_code for one in measured})
        print(f"{label:12} {name:12} {wall:8.3f} s wall {cpu:8.3f} s CPU {memory:7.0f} MiB  exit {codes}{ratio}")


def commands_for(workload: str, folder: Path) -> dict[str, list[str]]:
    """Our command and those of the installed peers that read such files."""
    own = [sys.executable, "-m", "pyprod_audit", "scan", str(folder), "--isolated", "--fail-on", "never"]
    commands = {"pyprod-audit": own}
    for name, (workloads, command) in PEERS.items():
        if workload in workloads and shutil.which(name):
            commands[name] = command(folder)
    return commands


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", choices=[[], *WORKLOADS], help="which ones; all without")
    parser.add_argument("--folder", type=Path, help="scan this folder instead of generated ones")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiply the number of generated files")
    chosen = parser.parse_args()
    print(f"{sys.version.split()[0]} on {os.cpu_count()} cores, medians of {chosen.runs} runs after a warm-up")
    version = [sys.executable, "-m", "pyprod_audit", "--version"]
    measure("--version", {"pyprod-audit": version}, chosen.runs)
    if chosen.folder is not None:
        measure(chosen.folder.name, commands_for("", chosen.folder), chosen.runs)
        return
    for name in chosen.workloads or WORKLOADS:
        make, number = WORKLOADS[name]
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), max(1, int(number * chosen.scale)))
            measure(name, commands_for(name, Path(folder)), chosen.runs)


if __name__ == "__main__":
    main()
