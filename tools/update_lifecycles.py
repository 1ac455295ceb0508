"""Rewrites pyprod_audit/data/lifecycles.json from endoflife.date's data.

    python tools/update_lifecycles.py RELEASES.json DATE

RELEASES.json is an extract of a checkout of github.com/endoflife-date/endoflife.date (MIT):
`{"products": {NAME: [{"releaseCycle", "releaseDate", "eol", "eoas"?, "eoes"?}…]}}`; DATE is the day of the checkout's
commit (2026-08-22).
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "pyprod_audit" / "data" / "lifecycles.json"
SOURCE = "https://endoflife.date (github.com/endoflife-date/endoflife.date, MIT)"
PRODUCTS = (
    "python", "debian", "ubuntu", "alpine-linux", "amazon-linux", "rhel", "rocky-linux", "almalinux", "postgresql",
    "redis", "valkey", "mysql", "mariadb", "mongodb", "memcached", "elasticsearch", "opensearch", "rabbitmq",
    "apache-kafka", "nginx", "haproxy", "traefik", "apache-http-server", "nodejs", "kubernetes", "amazon-eks",
    "azure-kubernetes-service", "google-kubernetes-engine", "docker-engine", "terraform", "opentofu", "istio",
    "cert-manager", "argo-cd", "keycloak", "grafana", "prometheus", "django", "wagtail", "apache-airflow", "aws-lambda",
    "github-actions-runner-images",
)  # fmt: skip
# Where a later phase of free support follows the one that endoflife.date calls the end of life.
EXTENDED_IS_FREE = frozenset(("debian",))
# Lambda: `eoas` is the day from which a runtime gets no patches, `eol` the day from which functions cannot be updated.
PATCHED_UNTIL_EOAS = frozenset(("aws-lambda",))
OLDEST_END = "2013"


def moment(value: str | None) -> str | bool | None:
    """A date, True (over, day unknown), or None (not over, day unknown)."""
    return {"True": True, "False": None, None: None}.get(value, value)


def entry(product: str, release: dict[str, str]) -> list[str | bool | None] | None:
    """`[released, end of life, end of security support]`, the last only where it differs."""
    cycle, end = release["releaseCycle"], moment(release.get("eol"))
    if product == "aws-lambda" and not cycle.startswith("python"):
        return None
    if isinstance(end, str) and end < OLDEST_END:
        return None
    row: list[str | bool | None] = [release.get("releaseDate"), end]
    if product in EXTENDED_IS_FREE and "eoes" in release:
        return [row[0], moment(release["eoes"]), end]
    if product in PATCHED_UNTIL_EOAS and "eoas" in release:
        return [*row, moment(release["eoas"])]
    return row


def main(extract: str, day: str) -> None:
    """Writes the data file."""
    dt.date.fromisoformat(day)
    data: dict[str, Any] = json.loads(Path(extract).read_text(encoding="utf-8"))
    lines: list[str] = []
    for product in PRODUCTS:
        rows = {r["releaseCycle"]: entry(product, r) for r in data["products"][product]}
        kept = {cycle: row for cycle, row in rows.items() if row is not None}
        lines.append(f"  {json.dumps(product)}: {json.dumps(kept, separators=(',', ':'))}")
    head = f'{{"source": {json.dumps(SOURCE)},\n "date": {json.dumps(day)},\n "products": {{\n'
    TARGET.write_text(head + ",\n".join(lines) + "\n }}\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
