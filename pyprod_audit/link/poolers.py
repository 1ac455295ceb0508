"""What stands between clients and a database and shares its connections: PgBouncer and its like, RDS Proxy."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pyprod_audit.model import Node, Repository, Resource, Unknown

_IMAGES = ("pgbouncer", "pgcat", "odyssey", "pgpool", "proxysql", "maxscale", "supavisor", "pgdog", "cnpg-pooler")
_OPERATOR_SWITCHES = (
    ("k8s.postgresql", "spec.enableConnectionPooler"),
    ("k8s.postgrescluster", "spec.proxy.pgBouncer"),
    ("k8s.perconapgcluster", "spec.proxy.pgBouncer"),
    ("k8s.perconaxtradbcluster", "spec.proxysql"),
)


def poolers(repository: Repository) -> tuple[Resource, ...]:
    """Everything in the repository that pools connections for several clients."""
    return repository.memo("link.poolers", lambda repo: tuple(_all(repo)))


def names_pooler(text: str) -> bool:
    """Whether an image, host or module source names a pooler; 6432 is PgBouncer's port."""
    lowered = text.lower()
    return any(mark in lowered for mark in (*_IMAGES, "-pooler", "rds-proxy", "rds_proxy", ":6432", ".proxy-"))


def _all(repository: Repository) -> Iterator[Resource]:
    for container in repository.of_kind("k8s.container", "k8s.initcontainer"):
        image = _written(container.node.get("image"))
        name = posixpath.basename(image.split("@", 1)[0]).partition(":")[0]
        if any(mark in name.lower() for mark in _IMAGES) and "exporter" not in name:
            yield container
    for pooler in repository.of_kind("k8s.pooler"):
        if (pooler.node.text_at("apiVersion") or "").startswith("postgresql.cnpg.io/"):
            yield pooler
    for kind, path in _OPERATOR_SWITCHES:
        for cluster in repository.of_kind(kind):
            switch = cluster.node.get(path)
            if switch is not None and switch.scalar is not False and switch.value is not None:
                yield cluster
    yield from repository.of_kind("tf.aws_db_proxy")
    for module in repository.of_kind("tf.module"):
        if names_pooler(_written(module.node.get("source"))):
            yield module
    for setting in repository.of_kind("tf.azurerm_postgresql_flexible_server_configuration"):
        if setting.node.text_at("name") == "pgbouncer.enabled":
            yield setting
    for release in repository.of_kind("tf.helm_release"):
        if names_pooler(_written(release.node.get("chart"))):
            yield release


def _written(node: Node | None) -> str:
    if node is None:
        return ""
    return node.value.expression if isinstance(node.value, Unknown) else node.text or ""
