"""Hand-made reports for the tests of the outputs."""

from __future__ import annotations

import os
from pathlib import Path

from pyprod_audit.findings import (
    Confidence,
    FileCounts,
    Finding,
    Location,
    Report,
    RuleCount,
    SectionResult,
    Severity,
    Status,
    Suppression,
    Undecided,
)
from pyprod_audit.model import Evidence, Node, Problem, Resource, Service, SourceFile, Span
from pyprod_audit.outputs.rule_text import RuleText

SNAPSHOTS = Path(__file__).parent / "snapshots"

WORKLOAD = SourceFile(
    "k8s/web.yaml",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n"
    "      terminationGracePeriodSeconds: 30\n      containers:\n        - name: web\n"
    "          readinessProbe: {httpGet: {path: /healthz, port: 8080}}\n",
)
DOCKERFILE = SourceFile(
    "Dockerfile",
    "FROM python:3.12-slim\nENV TOKEN=hunter2-very-secret DEBUG=1\n"
    'CMD ["gunicorn", "--graceful-timeout", "120", "app:app"]\n',
)


def span(source: SourceFile, text: str, *, nth: int = 1) -> Span:
    """The place of the n-th `text` in the file."""
    at = -1
    for _ in range(nth):
        at = source.text.index(text, at + 1)
    return source.span(at, at + len(text))


def finding(
    place: Span,
    *,
    rule: str = "K8S-006",
    name: str = "k8s-probe-port-mismatch",
    severity: Severity = Severity.HIGH,
    section: int = 39,
    message: str = "the readiness probe asks port 8080, nothing listens there",
    address: str = "Deployment/web/containers[web]",
    related: tuple[Location, ...] = (),
    advice: str = "point the probe at the port the server binds",
    suppression: Suppression | None = None,
    redact: bool = False,
    service: str = "",
) -> Finding:
    """A finding with everything filled in."""
    return Finding(
        rule, name, severity, Confidence.HIGH, section, message, address, Location(place, "", redact), related, service,
        advice, suppression,
    )  # fmt: skip


def many(count: int, *, rule: str = "K8S-003", severity: Severity = Severity.MEDIUM) -> list[Finding]:
    """One rule over `count` resources, each in its own file."""
    found = []
    for number in range(count):
        source = SourceFile(f"k8s/job-{number:04}.yaml", f"kind: Job\nmetadata:\n  name: job-{number}\n")
        place = span(source, f"job-{number}")
        found.append(
            finding(
                place,
                rule=rule,
                name="k8s-no-memory-limit",
                severity=severity,
                address=f"Job/job-{number}",
                message=f"container job-{number} has no memory limit",
                advice="set resources.limits.memory",
            )
        )
    return found


def sample() -> Report:
    """A small repository with a finding across files, a repeated one, a secret, a suppressed one and problems."""
    drain = finding(
        span(WORKLOAD, "30"),
        rule="ZDT-004",
        name="service-drain-exceeds-grace",
        severity=Severity.CRITICAL,
        section=32,
        message="the server drains for 120 s after a 0 s preStop, the pod is killed after 30 s",
        address="Deployment/web",
        related=(Location(span(DOCKERFILE, '"120"'), "the server [gunicorn] waits this long"),),
        advice="set terminationGracePeriodSeconds above 125",
        service="web",
    )
    secret = finding(
        span(DOCKERFILE, "hunter2-very-secret"),
        rule="SEC-002",
        name="docker-secret-in-env",
        severity=Severity.CRITICAL,
        section=16,
        message="ENV TOKEN holds a secret that every layer keeps",
        address="stage[0]/ENV[TOKEN]",
        advice="mount it with RUN --mount=type=secret",
        redact=True,
    )
    # Another rule about the same line must not print the secret either.
    debug = finding(
        span(DOCKERFILE, "DEBUG=1"),
        rule="ENV-004",
        name="docker-debug-on",
        severity=Severity.LOW,
        section=15,
        message="DEBUG is on in the image",
        address="stage[0]/ENV[DEBUG]",
        advice="",
    )
    hidden = finding(
        span(WORKLOAD, "containers"),
        rule="K8S-013",
        name="k8s-runs-as-root",
        severity=Severity.HIGH,
        message="the container may run as root",
        suppression=Suppression("inline", "needs port 80"),
    )
    image = Resource("docker.stage", "stage[0]", Node({}, DOCKERFILE, 0, 1))
    workload = Resource("k8s.deployment", "Deployment/web", Node({}, WORKLOAD, 0, 1))
    return Report(
        findings=[drain, secret, finding(span(WORKLOAD, "8080")), hidden, *many(5), debug],
        problems=[
            Problem("parse", "nginx/broken.conf", 'unexpected "}"', 7),
            Problem("read", "data/latin1.yaml", "not UTF-8"),
        ],
        undecided=[
            Undecided("BKP-003", "aws_db_instance.main", span(DOCKERFILE, "FROM"), "var.retention has no default")
        ],
        services=[
            Service("web", "", image=image, workload=workload, evidence=(Evidence("the image is called web in both"),))
        ],
        sections=[
            SectionResult(1, "Virtual Environments in Production", Status.MET, 3, 0, 0),
            SectionResult(2, "Python Version Management", Status.MET, 2, 0, 0),
            SectionResult(10, "Database Backups", Status.UNDECIDED, 0, 0, 1),
            SectionResult(16, "Secrets Management", Status.GAP, 2, 1, 0),
            SectionResult(32, "Zero-Downtime Deployment", Status.GAP, 5, 1, 2),
            SectionResult(40, "Helm Charts", Status.NOT_APPLICABLE, because="no chart in the repository"),
        ],
        counts={"ZDT-004": RuleCount(1, 0, 1, 0, 1), "K8S-003": RuleCount(6, 1, 5, 0, 5)},
        files=FileCounts(seen=12, parsed=8, partial=1, failed=1, skipped={"binary": 2}),
        timings={"discover": 0.01, "parse": 0.2},
        rules=346,
        prefix="services/web shop",
        version="0.1.0",
    )


def texts() -> dict[str, RuleText]:
    """Rule texts for every rule of `sample()`."""
    plain = {
        rule: RuleText(
            title=f"Title of {rule}", section="39 Kubernetes Manifests", rationale="It breaks.", fix="Do it."
        )
        for rule in ("K8S-003", "K8S-006", "K8S-013", "ENV-004")
    }
    return plain | {
        "SEC-002": RuleText("A secret is baked into the image", security=True, rationale="Layers are forever."),
        "ZDT-004": RuleText(
            "The pod is killed before its server has drained",
            section="32 Zero-Downtime Deployment",
            rationale="Requests are cut.",
            fix="spec:\n  terminationGracePeriodSeconds: 130",
            references=("https://docs.gunicorn.org/en/stable/settings.html",),
            bad=({"Dockerfile": "# expect ZDT-004\nFROM a\n```\n"},),
            good=({"k8s/web.yaml": "kind: Deployment\n"},),
        ),
    }


def check_snapshot(name: str, text: str) -> None:
    """Compare with tests/snapshots/<name>; PYPROD_AUDIT_UPDATE_SNAPSHOTS=1 rewrites it (then read the diff)."""
    path = SNAPSHOTS / name
    if os.environ.get("PYPROD_AUDIT_UPDATE_SNAPSHOTS") == "1":
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.is_file(), f"{path} is missing: run with PYPROD_AUDIT_UPDATE_SNAPSHOTS=1 and review it"
    assert text == path.read_text(encoding="utf-8")
