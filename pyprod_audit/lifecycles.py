"""Until when releases are supported: dated facts from endoflife.date, shipped as pyprod_audit/data/lifecycles.json.

tools/update_lifecycles.py rewrites the data. Nothing is looked up on the network; rules compare with the scan's
`as_of` day, and `is_stale` tells when the facts themselves are too old to trust.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pyprod_audit.model.patterns import lazy

_DATA: Final = Path(__file__).parent / "data"
_STALE_AFTER: Final = dt.timedelta(days=365)
_NUMBER: Final = lazy(r"[vV]?([0-9]{1,6}(?:\.[0-9]{1,6}){0,4})")
_PYTHON_TAG: Final = lazy(r"(?:^|.*python|.*py|.*cp)([23](?:\.[0-9]{1,2}){0,2})(?![0-9])")
_ALPINE: Final = lazy(r"(?:^|-)alpine-?([0-9]{1,2}\.[0-9]{1,2})?(?![0-9a-z])")
_DEBIAN_NUMBER: Final = lazy(r"(?:^|-)(debian|ubuntu|ubi|rockylinux|almalinux)-?([0-9]{1,2}(?:\.[0-9]{2})?)(?![0-9])")
_POSTGRES_TAG: Final = lazy(r"(?:^|[.-])pg-?([0-9]{1,2})(?![0-9])")
_REGISTRIES: Final = (
    "docker.io/", "index.docker.io/", "registry-1.docker.io/", "registry.hub.docker.com/", "mirror.gcr.io/",
    "public.ecr.aws/docker/",
)  # fmt: skip
_ALIASES: Final = {
    "alpine": "alpine-linux", "amazonlinux": "amazon-linux", "eks": "amazon-eks", "aks": "azure-kubernetes-service",
    "gke": "google-kubernetes-engine", "httpd": "apache-http-server", "kafka": "apache-kafka", "mongo": "mongodb",
    "node": "nodejs", "postgres": "postgresql", "rockylinux": "rocky-linux", "ubi": "rhel",
    "airflow": "apache-airflow", "docker": "docker-engine", "argocd": "argo-cd",
}  # fmt: skip
_CODENAMES: Final = {
    "wheezy": ("debian", "7"), "jessie": ("debian", "8"), "stretch": ("debian", "9"), "buster": ("debian", "10"),
    "bullseye": ("debian", "11"), "bookworm": ("debian", "12"), "trixie": ("debian", "13"),
    "trusty": ("ubuntu", "14.04"), "xenial": ("ubuntu", "16.04"), "bionic": ("ubuntu", "18.04"),
    "focal": ("ubuntu", "20.04"), "jammy": ("ubuntu", "22.04"), "noble": ("ubuntu", "24.04"),
    "oracular": ("ubuntu", "24.10"), "plucky": ("ubuntu", "25.04"), "questing": ("ubuntu", "25.10"),
}  # fmt: skip
_IMAGES: Final = {
    "python": "python", "debian": "debian", "ubuntu": "ubuntu", "alpine": "alpine-linux", "postgres": "postgresql",
    "amazonlinux": "amazon-linux", "rockylinux": "rocky-linux", "almalinux": "almalinux", "redis": "redis",
    "valkey/valkey": "valkey", "mysql": "mysql", "mariadb": "mariadb", "mongo": "mongodb", "memcached": "memcached",
    "elasticsearch": "elasticsearch", "docker.elastic.co/elasticsearch/elasticsearch": "elasticsearch",
    "opensearchproject/opensearch": "opensearch", "rabbitmq": "rabbitmq", "apache/kafka": "apache-kafka",
    "nginx": "nginx", "nginxinc/nginx-unprivileged": "nginx", "haproxy": "haproxy", "traefik": "traefik",
    "httpd": "apache-http-server", "node": "nodejs", "quay.io/keycloak/keycloak": "keycloak",
    "grafana/grafana": "grafana", "grafana/grafana-oss": "grafana", "prom/prometheus": "prometheus",
    "quay.io/prometheus/prometheus": "prometheus", "apache/airflow": "apache-airflow", "docker": "docker-engine",
    "bitnami/postgresql": "postgresql", "bitnami/redis": "redis", "bitnami/mongodb": "mongodb",
    "bitnami/mysql": "mysql", "bitnami/mariadb": "mariadb", "bitnami/rabbitmq": "rabbitmq", "bitnami/nginx": "nginx",
    "bitnami/kafka": "apache-kafka", "bitnami/python": "python", "cimg/python": "python", "circleci/python": "python",
    "postgis/postgis": "postgresql", "pgvector/pgvector": "postgresql", "timescale/timescaledb": "postgresql",
    "timescale/timescaledb-ha": "postgresql", "cimg/postgres": "postgresql", "public.ecr.aws/lambda/python": "python",
    "amazon/aws-lambda-python": "python", "mcr.microsoft.com/devcontainers/python": "python",
    "tiangolo/uvicorn-gunicorn-fastapi": "python", "tiangolo/uvicorn-gunicorn": "python",
    "ghcr.io/astral-sh/uv": "python",
}  # fmt: skip
# Their tags begin with a version of their own, and name the product's further on.
_OWN_VERSION: Final = frozenset((
    "ghcr.io/astral-sh/uv", "pgvector/pgvector", "timescale/timescaledb", "timescale/timescaledb-ha",
    "tiangolo/uvicorn-gunicorn-fastapi", "tiangolo/uvicorn-gunicorn",
))  # fmt: skip


class Lifecycle(NamedTuple):
    """One release cycle of a product.

    `cycle` is how the product counts ("3.12", "13"); `end_of_life` the day on which all free support ends, None when no
    day is set; `over` says that it has ended on an unknown day; `security_ends` an earlier day on which the regular
    security support ends and a reduced one begins (Debian's LTS).
    """

    product: str
    cycle: str
    released: dt.date | None = None
    end_of_life: dt.date | None = None
    security_ends: dt.date | None = None
    over: bool = False

    def is_past(self, day: dt.date) -> bool:
        """Whether all support has ended by `day`; the last day itself still counts as supported."""
        return self.over or (self.end_of_life is not None and self.end_of_life < day)

    def security_is_past(self, day: dt.date) -> bool:
        """Whether the regular security support has ended by `day`; like `is_past` where there is no other phase."""
        return self.is_past(day) or (self.security_ends is not None and self.security_ends < day)


@cache
def _facts() -> dict[str, Any]:
    import json  # only rules about releases need the data

    facts: dict[str, Any] = json.loads((_DATA / "lifecycles.json").read_text(encoding="utf-8"))
    return facts


def facts_date() -> dt.date:
    """The day as of which the facts were published."""
    return dt.date.fromisoformat(_facts()["date"])


def facts_source() -> str:
    """Where the facts come from, for messages and documentation."""
    return str(_facts()["source"])


def is_stale(day: dt.date) -> bool:
    """Whether the facts are more than a year old on `day`."""
    return day - facts_date() > _STALE_AFTER


def products() -> frozenset[str]:
    """The names of all products with facts, as endoflife.date spells them."""
    return frozenset(_facts()["products"])


@cache
def lifecycle(product: str, version: str) -> Lifecycle | None:
    """The release cycle that `version` ("3.12.4", "v1.30", "bookworm") belongs to, or None when there are no facts.

    `product` is endoflife.date's name or a usual short one ("postgres", "node", "alpine").
    """
    name = _ALIASES.get(product, product)
    cycles = _facts()["products"].get(name)
    if cycles is None:
        return None
    wanted = version.strip().lower()
    codename = _CODENAMES.get(wanted)
    if codename and codename[0] == name:
        wanted = codename[1]
    number = _NUMBER.match(wanted)
    parts = number[1].split(".") if number and wanted not in cycles else []
    for candidate in (wanted, *(".".join(parts[:count]) for count in range(len(parts), 0, -1))):
        if candidate in cycles:
            return _lifecycle(name, candidate, cycles[candidate])
    return None


def _lifecycle(product: str, cycle: str, row: list[Any]) -> Lifecycle:
    days = [dt.date.fromisoformat(value) if isinstance(value, str) else None for value in row]
    security = days[2] if len(row) > 2 else None
    return Lifecycle(product, cycle, days[0], days[1], security, over=row[1] is True)


def image_product(image: str, tag: str) -> tuple[str, str] | None:
    """Product and version in a well-known image: `("postgres", "16.2-alpine")` → `("postgresql", "16.2")`.

    `image` is the name without tag and digest. None when the image is not known or its tag does not tell a version.
    """
    name = _short_name(image)
    product = _IMAGES.get(name)
    if product is None:
        return None
    if product == "python":
        version = python_version_of_tag(tag) if name not in _OWN_VERSION or "python" in tag else None
    elif product == "postgresql" and name in _OWN_VERSION:
        found = _POSTGRES_TAG.search(tag)
        version = found[1] if found else None
    elif product in ("debian", "ubuntu"):
        suite = distro_of_tag(tag)
        plain = _NUMBER.match(tag)
        version = suite[1] if suite and suite[0] == product else plain[1] if plain else None
    else:
        plain = _NUMBER.match(tag)
        version = plain[1] if plain else None
    return (product, version) if version else None


def product_of_image(image: str) -> str | None:
    """The product that a well-known image is about, whatever its tag: "python" for `cimg/python`; else None."""
    return _IMAGES.get(_short_name(image))


def _short_name(image: str) -> str:
    name = image.lower()
    for registry in _REGISTRIES:
        name = name.removeprefix(registry)
    return name.removeprefix("library/")


def python_version_of_tag(tag: str) -> str | None:
    """The Python version in a tag: `3.12.4-slim-bookworm` → "3.12.4", `python3.11-slim` → "3.11"; None for `slim`."""
    found = _PYTHON_TAG.match(tag[:128])
    return found[1] if found else None


def distro_of_tag(tag: str) -> tuple[str, str] | None:
    """Product and version of the distribution that a tag names: `3.12-slim-bookworm` → `("debian", "12")`.

    The version is "" for `3.12-alpine`, which moves; None when the tag names no distribution.
    """
    for word in tag.lower()[:128].split("-"):
        if word in _CODENAMES:
            return _CODENAMES[word]
    alpine = _ALPINE.search(tag[:128])
    if alpine:
        return "alpine-linux", alpine[1] or ""
    numbered = _DEBIAN_NUMBER.search(tag[:128])
    return (_ALIASES.get(numbered[1], numbered[1]), numbered[2]) if numbered else None
