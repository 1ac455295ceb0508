"""The helm program, run by those who ask for it: `helm template`, without a cluster, network or plugins.

The chart is copied to a folder of its own, with nothing but what the scan may read: helm itself would follow links.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from pyprod_audit.evaluate.helm.charts import Chart
from pyprod_audit.evaluate.helm.objects import KUBERNETES, RELEASE_NAME
from pyprod_audit.model import SourceFile
from pyprod_audit.model.patterns import lazy

_SECONDS: Final = 60
_MAX_OUTPUT: Final = 32 * 1024 * 1024
_MAX_ERROR: Final = 2_000
_SOURCE = lazy(r"^---\n# Source: ([^\n]{1,1000})\n", 8)  # re.MULTILINE
# What helm and the system underneath need. Everything else could lead it to a cluster, a registry or a plugin.
_KEPT: Final = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "TMPDIR")


class ProgramError(Exception):
    """Why helm gave nothing."""


class Manifest(NamedTuple):
    """A document that helm printed, and the name it has for the template that gave it."""

    template: str
    text: str


def run_helm(program: str, chart: Chart, values: Sequence[SourceFile]) -> list[Manifest]:
    """What `helm template` prints for a chart. Raises ProgramError."""
    with tempfile.TemporaryDirectory(prefix="pyprod-audit-helm-") as scratch:
        home = Path(scratch)
        folder = home / "chart"
        _copy(chart, folder)
        words = [program, "template", RELEASE_NAME, str(folder), "--namespace", "default", "--kube-version", KUBERNETES]
        for number, source in enumerate(values):
            file = home / f"values-{number}.yaml"
            file.write_bytes(source.text.encode("utf-8", "surrogatepass"))
            words += ["--values", str(file)]
        return list(_manifests(_output(words, home)))


def _copy(chart: Chart, folder: Path) -> None:
    for name in chart.origin.names:
        data = chart.origin.data(name)
        if data is not None:
            _write(folder, name, data)
    for child in chart.children:
        inside = child.origin.path.startswith(f"{chart.origin.path}/" if chart.origin.path else "charts/")
        if not inside and not child.origin.packed:  # a `file://` dependency stands elsewhere
            _copy(child, folder / "charts" / child.name)


def _write(folder: Path, name: str, data: bytes) -> None:
    target = folder / name
    with suppress(OSError, ValueError):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _environment(home: Path) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    places = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HELM_PLUGINS")
    return {**kept, "HOME": str(home), **{name: str(home / name.lower()) for name in places}}


def _output(words: Sequence[str], home: Path) -> str:
    errors = home / "errors"
    with errors.open("wb") as error_file:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell; the program is the one that the user named
                words,
                cwd=home,
                env=_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=error_file,
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramError(f"{words[0]} cannot be run: {error.strerror or error}") from error
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(_SECONDS, stop)
        timer.start()
        try:
            output = process.stdout.read(_MAX_OUTPUT + 1) if process.stdout is not None else b""
            if len(output) > _MAX_OUTPUT:
                _kill(process)
            code = process.wait()
        finally:
            timer.cancel()
            if process.stdout is not None:
                process.stdout.close()
    if late.is_set():
        raise ProgramError(f"helm took more than {_SECONDS} s")
    if len(output) > _MAX_OUTPUT:
        raise ProgramError("helm printed too much")
    if code != 0:
        with errors.open("rb") as file:
            said = file.read(_MAX_ERROR).decode("utf-8", "replace").replace(f"{home}/", "")
        raise ProgramError(" ".join(said.split()) or f"helm ended with {code}")
    return output.decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError, AttributeError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):
        process.kill()


def _manifests(output: str) -> Iterator[Manifest]:
    heads = list(_SOURCE.finditer(output))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        yield Manifest(head[1], output[head.end() : following.start() if following is not None else len(output)])
