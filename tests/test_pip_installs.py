"""Which commands install distributions, and which requirements files production reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.pip_installs import deploys, install_of
from pyprod_audit.findings import Profile, Report
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.parsers.shell import commands_in
from pyprod_audit.pipeline import scan_sources

RULES = (
    "VENV-001", "VENV-002", "VENV-003", "VENV-004", "VENV-005", "VENV-010", "VENV-012", "PYV-001", "PYV-002", "PYV-004",
    "PYV-008", "ORCH-001", "ORCH-002", "ORCH-003",
)  # fmt: skip


def audit(files: dict[str, str], *rules: str) -> Report:
    options = ScanOptions(select=rules or RULES, profile=Profile.STRICT)
    return scan_sources([SourceFile(path, text) for path, text in files.items()], options=options)


def places(report: Report) -> list[tuple[str, str, int]]:
    return [(f.rule_id, f.path, f.primary.span.line) for f in report.findings]


@pytest.mark.parametrize(
    ("command", "tool", "words", "files"),
    [
        ("pip install flask 'redis>=5'", "pip", ["flask", "redis>=5"], []),
        ("pip3.13 -q --timeout 100 install --no-cache-dir -rreq.txt -c c.txt", "pip", [], ["req.txt"]),
        ("/opt/venv/bin/python -m pip install --target=/t flask", "pip", ["flask"], []),
        ("sudo -H -u app /srv/venv/bin/pip wheel -w /wheels --requirement=req.txt", "pip", [], ["req.txt"]),
        ("uv pip sync --system req.txt", "uv pip", [], ["req.txt"]),
        ("uv pip install --index https://pypi.example.com/simple -- flask", "uv pip", ["flask"], []),
        ("pipx install --python 3.13 httpie", "pipx", ["httpie"], []),
        ("poetry install --only main --no-root", "poetry", [], []),
        ("uv sync --frozen --group prod", "uv", [], []),
    ],
)
def test_installs_are_read(command: str, tool: str, words: list[str], files: list[str]) -> None:
    source = SourceFile("a.sh", command)
    install = install_of(commands_in(source, 0, len(command))[0])
    assert install is not None
    assert install.tool == tool
    assert [word.text for word in install.words] == words
    assert [word.text for word in install.files] == files


@pytest.mark.parametrize(
    "command", ["pip list", "python -m venv /v", "uv run gunicorn", "poetry run x", "pip", "echo pip install x"]
)
def test_other_commands_install_nothing(command: str) -> None:
    source = SourceFile("a.sh", command)
    assert install_of(commands_in(source, 0, len(command))[0]) is None


@pytest.mark.parametrize(
    ("dockerfile", "path"),
    [
        ("COPY requirements*.txt /app/\nWORKDIR /app\nRUN pip install -r requirements.txt", "requirements.txt"),
        ("ADD requirements.txt .\nRUN pip install --requirement=requirements.txt", "requirements.txt"),
        ("ENV APP=/srv/app\nCOPY . $APP\nRUN pip install -r $APP/requirements.txt", "requirements.txt"),
        ("COPY reqs/prod.txt /req.txt\nRUN bash -c 'pip install -r /req.txt'", "reqs/requirements/prod.txt"),
        ("COPY requirements.txt ${LAMBDA_TASK_ROOT}\nRUN pip install -r requirements.txt", "requirements.txt"),
        ("RUN --mount=type=bind,src=requirements.txt,dst=/tmp/r.txt pip install -r /tmp/r.txt", "requirements.txt"),
    ],
)
def test_requirements_are_found_behind_copies(dockerfile: str, path: str) -> None:
    dockerfile = dockerfile.replace("reqs/prod.txt", "reqs/requirements/prod.txt")
    report = audit({"Dockerfile": f"FROM python:3.13-slim\n{dockerfile}\n", path: "flask\n"}, "VENV-002")
    assert places(report) == [("VENV-002", path, 1)]


def test_the_build_context_may_be_above_the_dockerfile() -> None:
    files = {
        "docker/web/Dockerfile": "FROM python:3.13-slim\nCOPY . /app\nWORKDIR /app\nRUN pip install -rrequirements.txt",
        "requirements.txt": "flask\n",
    }
    assert places(audit(files, "VENV-002")) == [("VENV-002", "requirements.txt", 1)]


@pytest.mark.parametrize(
    "path", ["Dockerfile.dev", ".devcontainer/Dockerfile", "compose/local/Dockerfile", "dev-requirements.txt"]
)
def test_workplaces(path: str) -> None:
    assert is_workplace(path)


@pytest.mark.parametrize(
    "path", ["Dockerfile", "services/devices/Dockerfile", "localization/Dockerfile", "docker/prod.Dockerfile"]
)
def test_production_is_everything_else(path: str) -> None:
    assert not is_workplace(path)


def test_scripts_that_deploy() -> None:
    assert deploys("scripts/deploy.sh")
    assert deploys("cloud/user-data.sh")
    assert deploys("deploy/setup.sh")
    assert not deploys("scripts/lint.sh")
    assert not deploys("deploy/dev/start.sh")


WORDS = st.sampled_from([
    "FROM", "AS", "python:3.9", "$X", "${X:-y}", "base", "RUN", "pip", "install", "-r", "a.txt", "-e", ".", "COPY",
    "--from=base", "--from=0", "/v", "/w", "USER", "root", "app", "0", "WORKDIR", "/a", "ENV", "PATH=/v/bin:$PATH",
    "python", "-m", "venv", "&&", "uv", "sync", "CMD", '["gunicorn"]', "ARG", "X=1", *["\n"] * 4,
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, max_size=40))
def test_no_dockerfile_breaks_a_rule(words: list[str]) -> None:
    files = {
        "Dockerfile": " ".join(["FROM python:3 AS base\n", *words]),
        "a.txt": "flask\n-r a.txt\n",
        "uv.lock": "version = 1\n",
    }
    report = audit(files)
    assert not [problem for problem in report.problems if problem.stage == "check"]
