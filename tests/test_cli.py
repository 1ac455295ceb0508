"""The command line as users meet it: exit codes, streams, flags, suggestions."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pyprod_audit import pipeline
from pyprod_audit.cli import main
from pyprod_audit.cli.progress import Progress
from pyprod_audit.cli.stdout import write_file
from pyprod_audit.version import __version__

RULE = """\
id: OWN-001
name: docker-user-absent
title: The image does not say as whom it runs
section: 24
severity: high
confidence: high
target: docker.stage
expect: {path: user, exists: true}
message: "{address} sets no user"
help: "add USER app"
fix: "USER app"
"""
BAD = 'FROM python:3.13-slim\nCMD ["gunicorn", "app:app"]\n'
GOOD = 'FROM python:3.13-slim\nUSER app\nCMD ["gunicorn", "app:app"]\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one finding of one rule of its own."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "repo"
    put(root, "audit/own.yaml", RULE)
    put(root, "Dockerfile", BAD)
    put(root, "pyprod-audit.toml", 'rules-folder = "audit"\nselect = ["OWN-001"]\n')
    monkeypatch.chdir(root)
    return root


def put(root: Path, path: str, text: str) -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def run(*words: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, words, input=stdin)


def found(result: Result) -> list[str]:
    return [finding["rule"] for finding in json.loads(result.stdout)["findings"]]


class TestExitCodes:
    def test_findings(self, root: Path) -> None:
        result = run("scan")
        assert result.exit_code == 1
        assert "OWN-001" in result.stdout
        assert "Dockerfile:1" in result.stdout
        assert result.stderr == ""

    def test_clean(self, root: Path) -> None:
        put(root, "Dockerfile", GOOD)
        assert run("scan").exit_code == 0

    @pytest.mark.parametrize(
        ("threshold", "code"), [("critical", 0), ("high", 1), ("medium", 1), ("info", 1), ("never", 0)]
    )
    def test_threshold(self, root: Path, threshold: str, code: int) -> None:
        assert run("scan", "--fail-on", threshold).exit_code == code

    def test_threshold_of_the_configuration(self, root: Path) -> None:
        put(root, "pyprod-audit.toml", 'rules-folder = "audit"\nfail-on = "critical"\n')
        assert run("scan", "--select", "OWN-001").exit_code == 0
        assert run("scan", "--select", "OWN-001", "--fail-on", "high").exit_code == 1

    @pytest.mark.parametrize("format_name", ["text", "json", "sarif", "github", "markdown"])
    def test_do_not_depend_on_the_format(self, root: Path, format_name: str) -> None:
        assert run("scan", "-f", format_name).exit_code == 1
        assert run("scan", "-f", format_name, "--fail-on", "never").exit_code == 0

    def test_strict(self, tmp_path: Path) -> None:
        assert run("scan", str(tmp_path)).exit_code == 0
        assert run("scan", str(tmp_path), "--strict").exit_code == 3

    def test_crash_is_no_finding(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def crash(*_: object, **__: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(pipeline, "scan", crash)
        result = run("scan")
        assert result.exit_code == 2
        assert "internal error: RuntimeError: boom" in result.stderr
        assert "Traceback" not in result.stderr
        monkeypatch.setenv("PYPROD_AUDIT_TRACEBACK", "1")
        assert "Traceback" in run("scan").stderr

    def test_interrupt(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(pipeline, "scan", interrupt)
        assert run("scan").exit_code == 130


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("scna",), "Did you mean 'scan'?"),
            (("scan", "--selct", "K8S"), "--select"),
            (("scan", "--select", "OWN-01"), "no rule 'OWN-01'. Did you mean 'OWN-001'?"),
            (("scan", "--ignore", "docker-user-absnt"), "Did you mean 'docker-user-absent'?"),
            (("scan", "--ignore", "section:99"), "no rule 'section:99'"),
            (("scan", "--select", ","), "names no rule"),
            (("scan", "--severity", "never"), "'never' is not one of"),
            (("scan", "--fail-on", "hihg"), "'hihg' is not one of"),
            (("scan", "--profile", "all"), "'all' is not one of"),
            (("scan", "--as-of", "tomorrow"), "write YYYY-MM-DD"),
            (("scan", "-o", "report.sarif"), "not of the form FORMAT=FILE"),
            (("scan", "-o", "sarf=x"), "no format 'sarf'. Did you mean 'sarif'?"),
            (("scan", "-o", "json=nowhere/x.json"), "there is no such folder"),
            (("scan", "-o", "json=x", "-o", "sarif=x"), "Two reports cannot go to x"),
            (("scan", "-f", "json", "-o", "sarif=-"), "Only one report can go to stdout"),
            (("scan", "-q", "-v"), "exclude each other"),
            (("scan", "nowhere"), "'nowhere' does not exist"),
            (("scan", "--config", "nowhere.toml"), "cannot be read"),
            (("scan", "--config", "pyprod-audit.toml", "--isolated"), "exclude each other"),
            (("scan", "--stdin-filename", "Dockerfile"), "needs PATH to be -"),
            (("scan", "-"), "--stdin-filename"),
            (("scan", "-", "--stdin-filename", "x.png"), "not the name of a file that is read"),
            (("scan", "-", "--stdin-filename", "../Dockerfile"), "not the name of a file that is read"),
            (("scan", "--baseline", "x"), "No such option"),
            (("explain", "SUP-01"), "Did you mean 'SUP-001'?"),
            (("explain",), "Missing argument"),
            (("rules", "--section", "99"), "the guide has no section 99"),
            (("rules", "--technology", "supression"), "Did you mean 'suppression'?"),
        ],
    )
    def test_exit_code_and_hint(self, root: Path, words: tuple[str, ...], message: str) -> None:
        result = run(*words)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stdout == ""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("\nselekt = []\n", "pyprod-audit.toml:2: unknown key 'selekt'; did you mean 'select'?"),
            ('rules-folder = "audit"\nselect = ["OWN-002"]\n', "pyprod-audit.toml:2: no rule 'OWN-002'"),
            ('rules-folder = "nowhere"\n', "pyprod-audit.toml:1: rules-folder: there is no folder 'nowhere'"),
        ],
    )
    def test_configuration(self, root: Path, text: str, message: str) -> None:
        put(root, "pyprod-audit.toml", text)
        result = run("scan")
        assert result.exit_code == 2
        assert message in result.stderr

    def test_own_rule_that_is_broken(self, root: Path) -> None:
        put(root, "audit/own.yaml", RULE.replace("severity: high", "severity: awful"))
        result = run("scan")
        assert result.exit_code == 2
        assert "own.yaml" in result.stderr
        assert "awful" in result.stderr


class TestSelection:
    def test_ignore(self, root: Path) -> None:
        put(root, "pyprod-audit.toml", 'rules-folder = "audit"\n')
        assert "OWN-001" in found(run("scan", "-f", "json"))
        assert "OWN-001" not in found(run("scan", "-f", "json", "--ignore", "docker-user-absent,SUP-001"))

    def test_isolated_ignores_the_configuration(self, root: Path) -> None:
        assert run("scan", "--isolated", "-f", "json", "--fail-on", "never").exit_code == 0
        assert "OWN-001" not in found(run("scan", "--isolated", "-f", "json"))

    def test_named_configuration(self, root: Path) -> None:
        put(root.parent, "ci/c.toml", 'exclude = ["Dockerfile"]\n')
        put(root.parent, "ci/d.toml", 'extends = "../repo/pyprod-audit.toml"\nexclude = ["Dockerfile"]\n')
        assert found(run("scan", "-f", "json", "--config", "../ci/d.toml")) == []

    def test_exclude(self, root: Path) -> None:
        assert found(run("scan", "-f", "json", "--exclude", "Docker*")) == []

    def test_rule_severity_of_the_configuration(self, root: Path) -> None:
        put(
            root,
            "pyprod-audit.toml",
            'rules-folder = "audit"\nselect = ["OWN-001"]\n[rules.OWN-001]\nseverity = "low"\n',
        )
        result = run("scan", "-f", "json")
        assert [f["severity"] for f in json.loads(result.stdout)["findings"]] == ["low"]
        assert result.exit_code == 0

    def test_minimum_severity_hides(self, root: Path) -> None:
        assert "OWN-001" not in run("scan", "--severity", "critical").stdout

    def test_suppressed_findings(self, root: Path) -> None:
        put(root, "Dockerfile", f"# pyprod-audit: ignore[OWN-001] -- test image\n{BAD}")
        quiet, shown = run("scan"), run("scan", "--show-suppressed")
        assert quiet.exit_code == shown.exit_code == 0
        assert "docker-user-absent" not in quiet.stdout
        assert "test image" in shown.stdout

    def test_one_file(self, root: Path) -> None:
        assert run("scan", "Dockerfile").exit_code == 1


class TestStdin:
    def test_file_is_judged_under_its_name(self, root: Path) -> None:
        result = run("scan", "-", "--stdin-filename", "images/web.Dockerfile", "-f", "json", stdin=BAD)
        assert result.exit_code == 1
        assert [f["path"] for f in json.loads(result.stdout)["findings"]] == ["images/web.Dockerfile"]
        assert run("scan", "-", "--stdin-filename", "Dockerfile", stdin=GOOD).exit_code == 0

    def test_binary(self, root: Path) -> None:
        result = run("scan", "-", "--stdin-filename", "Dockerfile", stdin=b"a\0b")
        assert result.exit_code == 2
        assert "binary" in result.stderr


class TestOutputs:
    def test_one_scan_many_reports(self, root: Path) -> None:
        result = run("scan", "-o", "json=a.json", "-o", "sarif=b.sarif")
        assert "OWN-001" in result.stdout
        assert json.loads((root / "a.json").read_text(encoding="utf-8"))["version"] == 1
        assert json.loads((root / "b.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"

    def test_dash_is_stdout(self, root: Path) -> None:
        assert found(run("scan", "-o", "json=-")) == ["OWN-001"]

    def test_same_tree_same_bytes(self, root: Path) -> None:
        reports = [json.loads(run("scan", "-f", "json", "--as-of", "2026-11-22").stdout) for _ in range(2)]
        assert reports[0] == reports[1]

    def test_file_is_replaced_whole_and_nothing_is_left(self, tmp_path: Path) -> None:
        target = put(tmp_path, "r.json", "old")
        write_file(target, "new ü")
        assert target.read_text(encoding="utf-8") == "new ü"
        assert [path.name for path in tmp_path.iterdir()] == ["r.json"]

    def test_link_is_written_through(self, tmp_path: Path) -> None:
        put(tmp_path, "real.json", "old")
        (tmp_path / "link.json").symlink_to("real.json")
        write_file(tmp_path / "link.json", "new")
        assert (tmp_path / "link.json").is_symlink()
        assert (tmp_path / "real.json").read_text(encoding="utf-8") == "new"

    def test_file_that_cannot_be_written(self, root: Path) -> None:
        (root / "taken").mkdir()
        result = run("scan", "-o", "json=taken")
        assert result.exit_code == 2
        assert "taken" in result.stderr

    @pytest.mark.parametrize(
        ("words", "variables", "colored"),
        [
            ((), {}, False),
            ((), {"FORCE_COLOR": "1"}, True),
            ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
            (("--color", "always"), {"NO_COLOR": "1"}, True),
            (("--color", "never"), {"FORCE_COLOR": "1"}, False),
        ],
    )
    def test_color(
        self,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, ...],
        variables: dict[str, str],
        colored: bool,
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert ("\x1b[" in run("scan", *words).stdout) == colored

    def test_files_have_no_color(self, root: Path) -> None:
        run("scan", "--color", "always", "-o", "text=r.txt")
        assert "\x1b[" not in (root / "r.txt").read_text(encoding="utf-8")


def program(*words: str) -> list[str]:
    return [sys.executable, "-c", "from pyprod_audit.cli import main; main()", *words]


class TestProcess:
    def test_reader_that_goes_away(self, root: Path) -> None:
        read_end, write_end = os.pipe()
        os.close(read_end)
        with os.fdopen(write_end, "wb") as gone:
            done = subprocess.run(program("scan", "-f", "json"), stdout=gone, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 1
        assert done.stderr == b""

    def test_terminal_gets_color(self, root: Path) -> None:
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm"}
        subprocess.run(program("scan"), stdout=theirs, stderr=subprocess.DEVNULL, env=environment, check=False)
        os.close(theirs)
        assert b"\x1b[" in os.read(ours, 65536)
        os.close(ours)

    def test_version_loads_click_and_nothing_of_weight(self) -> None:
        script = (
            "import sys\nfrom pyprod_audit.cli import main\n"
            "try:\n    main(['--version'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
            "ours = {m for m in sys.modules if m.startswith('pyprod_audit')}\n"
            "heavy = {'yaml', 'tomllib', 'json', 'hashlib', 'tree_sitter', 'packaging', 'pathspec', 'subprocess'}\n"
            "print(sorted(ours), sorted(heavy & set(sys.modules)))\n"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        version, modules = done.stdout.splitlines()
        assert version == f"pyprod-audit, version {__version__}"
        assert modules == "['pyprod_audit', 'pyprod_audit.cli', 'pyprod_audit.version'] []"


class TestProgress:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def test_short_scans_show_nothing(self) -> None:
        terminal = self.Terminal()
        with Progress(terminal) as progress:
            progress("read", 1, 2)
        assert terminal.getvalue() == ""

    def test_long_ones_show_a_bar_and_clean_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        terminal = self.Terminal()
        with Progress(terminal) as progress:
            now[0] += 1.5
            progress("read", 64, 128)
            progress("read", 65, 128)
            now[0] += 1
            progress("check", 0, 0)
        shown = terminal.getvalue().split("\r")
        assert shown[1] == "read [" + "#" * 15 + "." * 15 + "] 64/128"
        assert shown[2].rstrip() == "check"
        assert shown[3].strip() == ""
        assert len(shown[3]) == len(shown[1])


class TestRules:
    def test_text(self) -> None:
        result = run("rules", "--technology", "suppression", "--severity", "medium")
        lines = result.stdout.splitlines()
        assert [line.split()[0] for line in lines[:-1]] == ["SUP-002", "SUP-003", "SUP-004"]
        assert lines[-1] == "3 rules"
        assert result.exit_code == 0

    def test_json(self) -> None:
        rows = json.loads(run("rules", "--section", "0", "--format", "json").stdout)
        assert [row["id"] for row in rows] == ["SUP-001", "SUP-002", "SUP-003", "SUP-004", "SUP-005"]
        assert rows[0]["name"] == "suppression-unused"
        assert rows[0]["severity"] == "low"

    def test_section_without_rules(self) -> None:
        rows = json.loads(run("rules", "--section", "52", "--format", "json").stdout)
        assert all(row["section"] == 52 for row in rows)


class TestExplain:
    @pytest.mark.parametrize("name", ["SUP-004", "sup-004", "suppression-expired"])
    def test_any_name_of_a_rule(self, name: str) -> None:
        result = run("explain", name)
        assert result.exit_code == 0
        assert result.stdout.startswith("SUP-004 suppression-expired\nA suppression is past its date\n")
        for part in (
            "Severity:    medium",
            "Why it matters",
            "How to fix it",
            "Bad\n",
            "Good\n",
            "until=2024-01-31",
            "References",
        ):
            assert part in result.stdout


def test_help_lists_the_commands() -> None:
    result = run("--help")
    for name in ("scan", "explain", "rules"):
        assert f"\n  {name} " in result.stdout


def test_rules_about_suppressions_follow_the_configuration(root: Path) -> None:
    put(root, "Dockerfile", f"# pyprod-audit: ignore[NOPE-001]\n{BAD}")
    base = 'rules-folder = "audit"\nselect = ["OWN-001"]\n'
    assert found(run("scan", "-f", "json")) == ["OWN-001", "SUP-002"]
    assert found(run("scan", "-f", "json", "--ignore", "SUP-002")) == ["OWN-001"]
    put(root, "pyprod-audit.toml", f'{base}ignore = ["suppression-unknown-rule"]\n')
    assert found(run("scan", "-f", "json")) == ["OWN-001"]
    put(root, "pyprod-audit.toml", f'{base}[per-path-ignores]\n"Dockerfile" = ["SUP-002", "OWN-001"]\n')
    assert run("scan").exit_code == 0
    put(root, "pyprod-audit.toml", f'{base}[rules.SUP-002]\nseverity = "critical"\n')
    assert found(run("scan", "-f", "json")) == ["SUP-002", "OWN-001"]
