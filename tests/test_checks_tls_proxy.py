"""The checks of sections 5 and 6 on inputs that nobody would write by hand: they answer, and never fail."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.findings import Profile, Report
from pyprod_audit.model import SourceFile
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources

RULES = ("PROXY-003", "PROXY-004", "PROXY-006", "PROXY-008", "PROXY-014", "PROXY-016", "TLS-001", "TLS-002", "TLS-003",
         "TLS-005", "TLS-006", "TLS-007", "TLS-008", "TLS-010")  # fmt: skip
WORDS = st.text(alphabet="abk10.:/$~*^(){}<>[]|?+\\-_ \"'=@%#é", max_size=30)
PLAIN = st.text(alphabet="abk10.:/$~*^()?+-_=@%", min_size=1, max_size=20)


def scan(*files: tuple[str, str], rules: tuple[str, ...] = RULES) -> Report:
    options = ScanOptions(select=rules, profile=Profile.STRICT)
    return scan_sources([SourceFile(path, text) for path, text in files], options=options)


def check_problems(report: Report) -> list[str]:
    return [problem.message for problem in report.problems if problem.stage == "check"]


@settings(max_examples=60, deadline=None)
@given(pattern=PLAIN, target=PLAIN, name=PLAIN, header=WORDS)
def test_nginx_checks_answer_to_any_argument(pattern: str, target: str, name: str, header: str) -> None:
    quoted = header.replace("\\", "").replace('"', "")
    text = (
        f"server {{ listen 80; listen 443 ssl; server_name {name};\n"
        f'add_header Strict-Transport-Security "{quoted}";\n'
        f"ssl_protocols {name};\n"
        f"location ~ {pattern} {{ add_header X-A b; proxy_pass {target}; proxy_read_timeout {name}; }}\n"
        f"location {pattern} {{ alias {target}; }}\n"
        f"return 301 {target};\n}}\n"
    )
    report = scan(
        ("nginx/site.conf", text),
        ("Dockerfile", 'FROM python:3.12\nCMD ["gunicorn", "-b", "0.0.0.0:8000", "a:b"]\n'),
    )
    assert not check_problems(report)


@settings(max_examples=60, deadline=None)
@given(body=st.text(alphabet="ABMIC+/=\\nr\"' ,|-.$\n0", max_size=200))
def test_only_what_decodes_to_a_key_is_a_private_key(body: str) -> None:
    text = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    encoded = base64.b64encode(text.encode()).decode()
    report = scan(("deploy/web.key", text), ("deploy/values.yaml", f"a: {encoded}\n"), rules=("TLS-008",))
    assert not report.problems
    assert not report.findings


@settings(max_examples=60, deadline=None)
@given(words=st.lists(PLAIN, max_size=6))
def test_commands_of_any_words_are_read(words: list[str]) -> None:
    line = " ".join(words).replace("(", "").replace(")", "")
    report = scan(("deploy/run.sh", f"#!/bin/sh\ncurl {line}\nX=$(pip {line})\ngit {line}\n"), rules=("TLS-010",))
    assert not check_problems(report)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("curl -k https://a.example.com", True),
        ("curl -sSLk https://a.example.com", True),
        ("curl -ok https://a.example.com", False),
        ("curl -XPUTk https://a.example.com", False),
        ("curl --proxy-insecure https://a.example.com", True),
        ("timeout 5 curl --insecure https://a.example.com", True),
        ("curl -k https://a.example.com https://localhost/", True),
        ("curl -k https://localhost/ https://[::1]:8443/", False),
        ("curl -k http://a.example.com", False),
        ("curl -k $URL", True),
        ("pip3.12 install --trusted-host=pypi.example.com a", True),
        ("python -m pip config set global.trusted-host pypi.example.com", True),
        ("git config --global http.sslVerify false", True),
        ("git config --global http.sslVerify true", False),
        ("git -c http.https://git.example.com/.sslVerify=false clone x", True),
        ("apt-get -o Acquire::https::Verify-Peer=false update", True),
        ("npm config set strict-ssl false", True),
        ("kubectl --insecure-skip-tls-verify=false get pods", False),
        ("echo curl -k https://a.example.com > hint", False),
    ],
)
def test_options_that_switch_verification_off(words: str, found: bool) -> None:
    report = scan(("deploy/run.sh", f"#!/bin/sh\n{words}\n"), rules=("TLS-010",))
    assert bool(report.findings) is found


def test_inherited_protocols_are_reported_once() -> None:
    servers = "".join(f"server {{ listen 443 ssl; server_name s{n}.example.com; }}\n" for n in range(50))
    report = scan(
        ("nginx.conf", f"events {{}}\nhttp {{\nssl_protocols TLSv1 TLSv1.2;\n{servers}}}\n"), rules=("TLS-001",)
    )
    assert [finding.primary.span.line for finding in report.findings] == [3]


def test_a_chain_of_variables_that_refer_to_each_other_ends() -> None:
    maps = "".join(f"map $v{n} $v{n + 1} {{ default $v{n}; a $v{(n + 7) % 40}; }}\n" for n in range(40))
    text = f"{maps}server {{ listen 80; location / {{ proxy_pass http://$v30; }} }}\n"
    assert not check_problems(scan(("nginx/loop.conf", text), rules=("PROXY-014",)))
