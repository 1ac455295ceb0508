"""The Action: action.yml is read, and its shell steps are run as a runner would run them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# A scanner that notes how it was called and writes what it was told to write.
STAND_IN = r"""#!/usr/bin/env bash
printf '%s\n' "$@" >"${RECORD}"
echo "[hostile] ::error::from the scanned tree ##[warning]x"
for argument in "$@"; do
  case "${argument}" in
    json=*) [[ -n "${REPORT}" ]] && cp "${REPORT}" "${argument#json=}" ;;
    sarif=*) [[ -n "${REPORT}" ]] && echo '{}' >"${argument#sarif=}" ;;
    github=*) [[ -n "${REPORT}" ]] && echo '::error file=a::b' >"${argument#github=}" ;;
    markdown=*) [[ -n "${REPORT}" ]] && echo '## pyprod-audit' >"${argument#markdown=}" ;;
  esac
done
exit "${CODE}"
"""


def bash() -> str:
    """Git's bash on Windows (the one in System32 starts a virtual machine), the usual one elsewhere."""
    git = shutil.which("git")
    if os.name == "nt" and git:
        return str(Path(git).parents[1] / "bin" / "bash.exe")
    return shutil.which("bash") or "bash"


def script(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8", newline="\n")
    path.chmod(0o755)
    return path.as_posix()


def step(name: str) -> dict[str, Any]:
    (found,) = (entry for entry in STEPS if entry.get("id") == name or entry["name"] == name)
    return found


def read_outputs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if "<<" in line:
            name, end = line.split("<<", 1)
            found[name] = "\n".join(iter(lines.__next__, end))
        else:
            name, _, found[name] = line.partition("=")
    return found


@dataclass
class Runner:
    """A runner's environment around one workspace."""

    folder: Path
    action_path: Path = ROOT
    inputs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[str, str]] = field(default_factory=dict)
    head_repository: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    stdout: str = ""

    def __post_init__(self) -> None:
        for name in ("workspace", "temp"):
            (self.folder / name).mkdir(parents=True)
        self.inputs = {name: spec["default"] for name, spec in ACTION["inputs"].items()} | self.inputs

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def summary(self) -> str:
        path = self.folder / "summary"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def value(self, expression: str) -> str:
        """What `${{ … }}` gives; only plain references are used in env."""
        found = re.fullmatch(r"\$\{\{ ([\w.-]+) \}\}", expression)
        assert found, expression
        kind, *path = found[1].split(".")
        if kind == "inputs":
            return self.inputs[path[0]]
        if kind == "steps":
            return self.steps.get(path[0], {}).get(path[2], "")
        assert found[1] == "github.event.pull_request.head.repo.full_name"
        return self.head_repository

    def run(self, name: str) -> int:
        """Run the step as `shell: bash` does, and keep its outputs."""
        entry = step(name)
        output = self.folder / "output"
        output.write_text("", encoding="utf-8")
        # CI runs these tests inside a runner: its own variables must not leak in.
        env = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "RUNNER_"))}
        env |= {
            "GITHUB_ACTION_PATH": str(self.action_path),
            "GITHUB_ACTOR": "someone",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REPOSITORY": "example/shop",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder / "temp"),
            **{key: self.value(value) for key, value in entry["env"].items()},
            **self.extra,
        }
        done = subprocess.run(
            [bash(), "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", entry["run"]],
            cwd=self.workspace / self.inputs["working-directory"],
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )
        self.stdout = done.stdout + done.stderr
        self.steps[entry.get("id", name)] = read_outputs(output.read_text(encoding="utf-8"))
        return done.returncode


def stand_in(tmp_path: Path, *, code: int = 1, report: bool = True, **given: Any) -> Runner:
    """A runner whose install step has installed the stand-in."""
    runner = Runner(tmp_path / "runner", **given)
    summary = {"critical": 1, "high": 4, "medium": 6, "low": 2, "info": 1}
    (tmp_path / "report").write_text(json.dumps({"summary": summary}), encoding="utf-8")
    runner.steps["install"] = {"scanner": script(tmp_path / "scanner", STAND_IN), "python": sys.executable}
    runner.extra |= {
        "RECORD": str(tmp_path / "record"),
        "REPORT": str(tmp_path / "report") if report else "",
        "CODE": str(code),
    }
    return runner


def called_with(tmp_path: Path) -> list[str]:
    return (tmp_path / "record").read_text(encoding="utf-8").splitlines()


# -- what action.yml and the workflows say -----------------------------------------------------------------------


def uses(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "uses":
                yield member
            yield from uses(member)
    elif isinstance(value, list):
        for member in value:
            yield from uses(member)


def runs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "run":
                yield member
            yield from runs(member)
    elif isinstance(value, list):
        for member in value:
            yield from runs(member)


@pytest.mark.parametrize("path", [ROOT / "action.yml", *WORKFLOWS], ids=lambda path: path.name)
class TestFiles:
    def test_every_action_is_pinned_to_a_commit_with_its_version(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for used in uses(yaml.safe_load(text)):
            if used == "./":
                continue
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used)
            assert re.search(rf"{re.escape(used)} # v\d+\.\d+\.\d+\n", text)

    def test_nothing_is_interpolated_into_shell(self, path: Path) -> None:
        found = list(runs(yaml.safe_load(path.read_text(encoding="utf-8"))))
        assert not any("${{" in run for run in found)

    def test_no_privileged_trigger(self, path: Path) -> None:
        assert "pull_request_target" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_few_permissions(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}


def test_the_workflow_audits_this_repository_with_this_action() -> None:
    audit = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text(encoding="utf-8"))
    assert "./" in list(uses(audit))


def test_every_input_is_used_and_every_output_is_set() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    for name in ACTION["inputs"]:
        assert f"inputs.{name} " in text
    writer = (ROOT / "action" / "outputs.py").read_text(encoding="utf-8")
    for name in ("exit-code", "findings", "json-file", "sarif-file", "upload"):
        assert f'"{name}"' in writer


def test_inputs_and_outputs_are_described() -> None:
    for entry in (*ACTION["inputs"].values(), *ACTION["outputs"].values()):
        assert entry["description"].strip()
    documented = (ROOT / "docs" / "github-action.md").read_text(encoding="utf-8")
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in documented


# -- the steps ---------------------------------------------------------------------------------------------------


def test_scan_writes_every_report_at_once(tmp_path: Path) -> None:
    runner = stand_in(tmp_path)
    assert runner.run("scan") == 0
    outputs = runner.steps["scan"]
    assert {key: outputs[key] for key in ("exit-code", "findings", "critical", "high", "medium", "low", "upload")} == {
        "exit-code": "1", "findings": "14", "critical": "1", "high": "4", "medium": "6", "low": "2", "upload": "true",
    }  # fmt: skip
    assert Path(outputs["sarif-file"]).is_file()
    assert Path(outputs["json-file"]).is_file()
    assert runner.summary == "## pyprod-audit\n"
    written = [a.split("=")[0] for a in called_with(tmp_path) if re.match(r"(json|sarif|github|markdown)=", a)]
    assert written == ["json", "sarif", "github", "markdown"]
    assert called_with(tmp_path)[-2:] == ["--", "."]


def test_inputs_become_arguments_and_nothing_else(tmp_path: Path) -> None:
    evil = "$(touch owned) `touch owned`; touch owned #"
    runner = stand_in(
        tmp_path,
        inputs={
            "path": f"-rf web app {evil}",
            "config": f"../base.toml {evil}",
            "fail-on": "medium",
            "severity": "low",
            "select": "K8S-006, section:32\nDOCK",
            "ignore": "*",
            "args": "--strict  --exclude *.md",
        },
    )
    assert runner.run("scan") == 0
    arguments = [a for a in called_with(tmp_path) if not re.match(r"-o$|(json|sarif|github|markdown)=", a)]
    assert arguments == [
        "scan", "--format=text", f"--config=../base.toml {evil}", "--fail-on=medium", "--severity=low",
        "--select=K8S-006", "--select=section:32", "--select=DOCK", "--ignore=*", "--strict", "--exclude", "*.md",
        "--", f"-rf web app {evil}",
    ]  # fmt: skip
    assert not list(tmp_path.rglob("owned"))


def test_the_scanned_tree_cannot_speak_to_the_runner(tmp_path: Path) -> None:
    runner = stand_in(tmp_path)
    runner.run("scan")
    lines = runner.stdout.splitlines()
    stop = next(line for line in lines if line.startswith("::stop-commands::"))
    token = stop.rsplit("::", 1)[1]
    assert len(token) == 40
    report = next(index for index, line in enumerate(lines) if "[hostile]" in line)
    assert lines.index(stop) < report < lines.index(f"::{token}::") < lines.index("::error file=a::b")


def test_annotations_and_summary_can_be_left_out(tmp_path: Path) -> None:
    runner = stand_in(tmp_path, inputs={"annotations": "false", "summary": "false"})
    assert runner.run("scan") == 0
    assert "::error file=a::b" not in runner.stdout
    assert runner.summary == ""


def test_sarif_file_is_below_the_working_directory(tmp_path: Path) -> None:
    runner = stand_in(tmp_path, inputs={"sarif-file": "out/x.sarif", "working-directory": "web"})
    (runner.workspace / "web").mkdir()
    assert runner.run("scan") == 0
    assert (runner.workspace / "web" / "out" / "x.sarif").is_file()
    assert Path(runner.steps["scan"]["sarif-file"]).samefile(runner.workspace / "web" / "out" / "x.sarif")


@pytest.mark.parametrize("name", ["annotations", "summary", "upload-sarif"])
def test_a_wrong_switch_is_an_error(tmp_path: Path, name: str) -> None:
    runner = stand_in(tmp_path, inputs={name: "yes"})
    assert runner.run("scan") == 2
    assert f"::error title=pyprod-audit::the input '{name}'" in runner.stdout
    assert not (tmp_path / "record").exists()


@pytest.mark.parametrize(
    ("upload", "event", "head", "actor", "expected"),
    [
        ("auto", "push", "", "someone", "true"),
        ("auto", "pull_request", "example/shop", "someone", "true"),
        ("auto", "pull_request", "stranger/shop", "someone", "false"),
        ("auto", "pull_request", "", "someone", "false"),  # the fork was deleted
        ("auto", "push", "", "dependabot[bot]", "false"),
        ("true", "pull_request", "stranger/shop", "someone", "true"),
        ("false", "push", "", "someone", "false"),
    ],
)
def test_upload_only_where_the_token_may_write(
    tmp_path: Path, upload: str, event: str, head: str, actor: str, expected: str
) -> None:
    runner = stand_in(tmp_path, inputs={"upload-sarif": upload}, head_repository=head)
    runner.extra |= {"GITHUB_EVENT_NAME": event, "GITHUB_ACTOR": actor}
    assert runner.run("scan") == 0
    assert runner.steps["scan"]["upload"] == expected


def test_a_failed_scan_reports_nothing_and_fails_at_the_gate(tmp_path: Path) -> None:
    runner = stand_in(tmp_path, code=2, report=False)
    assert runner.run("scan") == 0
    outputs = runner.steps["scan"]
    assert (outputs["exit-code"], outputs["findings"], outputs["sarif-file"], outputs["upload"]) == (
        "2",
        "",
        "",
        "false",
    )
    assert runner.run("Pass or fail") == 2


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_gate_ends_as_the_scan_ended(tmp_path: Path, code: int) -> None:
    runner = stand_in(tmp_path, code=code)
    assert runner.run("scan") == 0
    assert runner.run("Pass or fail") == code
    assert ("::error" in runner.stdout) == (code != 0)


def test_the_gate_is_last_and_runs_after_a_failed_upload() -> None:
    assert STEPS[-1]["name"] == "Pass or fail"
    assert "!cancelled()" in STEPS[-1]["if"]
    assert step("Upload to code scanning")["continue-on-error"] == "${{ inputs.upload-sarif != 'true' }}"


# -- installing --------------------------------------------------------------------------------------------------


def stand_in_wheel(folder: Path) -> Path:
    """A wheel of another pyprod-audit, 9.9.9, with a console script."""
    info = "pyprod_audit-9.9.9.dist-info"
    files = {
        "pyprod_audit/__init__.py": "def main():\n    print('pyprod-audit 9.9.9')\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: pyprod-audit\nVersion: 9.9.9\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\npyprod-audit = pyprod_audit:main\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    path = folder / "pyprod_audit-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return path


def checkout(folder: Path, wheel: Path) -> Path:
    """The Action's files around a project that builds that wheel without the network."""
    shutil.copytree(ROOT / "action", folder / "action")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    (folder / "backend.py").write_text(
        "import shutil\n\ndef build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    shutil.copy({str(wheel)!r}, folder)\n    return {wheel.name!r}\n",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("version", ["", "v9.9.9"], ids=["checkout", "version"])
def test_install_is_isolated(tmp_path: Path, version: str) -> None:
    wheel = stand_in_wheel(tmp_path)
    runner = Runner(tmp_path / "runner", checkout(tmp_path / "checkout", wheel), inputs={"version": version})
    runner.steps["python"] = {"python-path": sys.executable}
    runner.extra = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    # Modules of the checkout under audit that Python must not import.
    for name in ("venv", "pip", "json", "ensurepip"):
        (runner.workspace / f"{name}.py").write_text("raise SystemExit('imported from the workspace')\n")
    assert runner.run("install") == 0, runner.stdout
    assert "pyprod-audit 9.9.9" in runner.stdout
    outputs = runner.steps["install"]
    assert Path(outputs["python"]).parent.is_relative_to(runner.folder / "temp")
    assert shutil.which(outputs["scanner"])


def test_install_refuses_what_is_no_version(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "runner", inputs={"version": "1.0 --index-url=https://example.com"})
    runner.steps["python"] = {"python-path": sys.executable}
    assert runner.run("install") == 2
    assert "is not a version" in runner.stdout


# -- everything together -----------------------------------------------------------------------------------------

DOCKERFILE = """FROM python:3.13-slim
ENV DATABASE_PASSWORD=correct-horse-7Battery
CMD ["python", "-m", "web"]
"""

OWN_RULE = """id: OWN-001
name: docker-password-in-env
title: A password is baked into the image
section: 16
severity: critical
confidence: high
target: docker.stage
message: the image holds a password
help: mount it as a secret
fix: mount it as a secret
redact: true
expect: {path: env.DATABASE_PASSWORD, exists: false}
"""


def test_the_real_scanner(tmp_path: Path) -> None:
    runner = Runner(tmp_path / "runner", inputs={"path": "services/web", "config": "pyprod-audit.toml"})
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pyprod_audit.cli import main; main()"
    python = Path(sys.executable).as_posix()
    scanner = script(tmp_path / "scanner", f'#!/usr/bin/env bash\nexec "{python}" -c "{code}" "$@"\n')
    runner.steps["install"] = {"scanner": scanner, "python": sys.executable}
    files = {
        ".git/HEAD": "ref: refs/heads/main\n",
        "services/web/Dockerfile": DOCKERFILE,
        "pyprod-audit.toml": 'rules-folder = "policy"\nselect = ["OWN-001"]\n',
        "policy/own/password.yaml": OWN_RULE,
    }
    for name, text in files.items():
        path = runner.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    assert runner.run("scan") == 0, runner.stdout
    outputs = runner.steps["scan"]
    assert outputs["exit-code"] == "1", runner.stdout
    report = json.loads(Path(outputs["json-file"]).read_text(encoding="utf-8"))
    assert [entry["rule"] for entry in report["findings"]] == ["OWN-001"]
    assert (outputs["findings"], outputs["critical"], outputs["medium"]) == ("1", "1", "0")
    (run,) = json.loads(Path(outputs["sarif-file"]).read_text(encoding="utf-8"))["runs"]
    places = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]}
    assert places == {"services/web/Dockerfile"}
    assert "::error file=services/web/Dockerfile,line=2," in runner.stdout
    assert "ENV DATABASE_PASSWORD=****" in runner.stdout
    assert runner.summary.startswith("## pyprod-audit")
    assert "correct-horse" not in runner.stdout + runner.summary
    assert runner.run("Pass or fail") == 1


# -- the pre-commit hook -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Dockerfile", True),
        ("web/Dockerfile.prod", True),
        ("k8s/web.yaml", True),
        ("infra/main.tf", True),
        ("requirements-dev.txt", True),
        ("app/settings.py", True),
        (".env.example", True),
        ("README.md", False),
        ("static/logo.svg", False),
        ("notes.txt", False),
    ],
)
def test_the_pre_commit_hook_runs_for_what_is_audited(path: str, expected: bool) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "pyprod-audit scan"
    assert hook["pass_filenames"] is False
    assert bool(re.search(hook["files"], path)) is expected
