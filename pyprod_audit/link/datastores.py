"""The databases that a repository runs or provisions, and what is known of each.

Operators' custom resources and the Services they make: the API references of CloudNativePG 1.2x, Zalando
postgres-operator, Crunchy Postgres for Kubernetes 5, Percona's operators, MySQL Operator for Kubernetes, MariaDB
operator, MongoDB Community operator.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyprod_audit.link.compose import deployed_services, service_name
from pyprod_audit.link.compose_images import built_stage
from pyprod_audit.link.network import services_of
from pyprod_audit.model import Node, Repository, Resource, Span, Unknown
from pyprod_audit.model.kubernetes import name_of, namespace_of, object_of

POSTGRESQL, MYSQL, MONGODB, SQLSERVER = "PostgreSQL", "MySQL", "MongoDB", "SQL Server"

_IMAGES: Mapping[str, str] = {
    **dict.fromkeys(
        ("postgres", "postgresql", "postgis", "timescaledb", "timescaledb-ha", "pgvector", "postgresql-repmgr",
         "crunchy-postgres", "crunchy-postgres-ha", "spilo", "postgres-ha"), POSTGRESQL),
    **dict.fromkeys(
        ("mysql", "mysql-server", "mariadb", "mariadb-galera", "percona", "percona-server",
         "percona-xtradb-cluster"), MYSQL),
    **dict.fromkeys(
        ("mongo", "mongodb", "mongodb-community-server", "mongodb-enterprise-server", "percona-server-mongodb"),
        MONGODB),
}  # fmt: skip
_SERVER_PROGRAMS = frozenset({
    "postgres", "postmaster", "docker-entrypoint.sh", "entrypoint.sh", "patroni", "run-postgresql", "mysqld",
    "mariadbd", "mysqld_safe", "run-mysqld", "mongod", "mongos", "run-mongod", "run.sh", "launch.sh",
})  # fmt: skip
_RUNS_FOR_EVER = frozenset({
    "k8s.deployment", "k8s.statefulset", "k8s.replicaset", "k8s.replicationcontroller", "k8s.daemonset", "k8s.pod",
})  # fmt: skip
# Volumes that live longer than the pod; a generic ephemeral volume and an emptyDir do not.
_LASTING = frozenset({
    "persistentVolumeClaim", "hostPath", "nfs", "csi", "awsElasticBlockStore", "gcePersistentDisk", "azureDisk",
    "azureFile", "cephfs", "rbd", "iscsi", "fc", "glusterfs", "vsphereVolume", "portworxVolume", "cinder",
    "flexVolume",
})  # fmt: skip
_NOT_DATA = ("/etc/", "/docker-entrypoint-initdb.d", "/usr/", "/opt/bitnami/scripts", "/run/", "/var/run/", "/dev/",
             "/backup")  # fmt: skip

# Custom resource → its API group, the database, and what is added to its name to reach the server that writes.
_OPERATORS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "k8s.cluster": ("postgresql.cnpg.io", POSTGRESQL, ("-rw", "-r", "-ro")),
    "k8s.postgresql": ("acid.zalan.do", POSTGRESQL, ("", "-repl")),
    "k8s.postgrescluster": ("postgres-operator.crunchydata.com", POSTGRESQL, ("-primary", "-ha", "-replicas")),
    "k8s.perconapgcluster": ("pgv2.percona.com", POSTGRESQL, ("-primary", "-ha", "-replicas")),
    "k8s.perconaxtradbcluster": ("pxc.percona.com", MYSQL, ("-pxc",)),
    "k8s.perconaservermysql": ("ps.percona.com", MYSQL, ("-mysql-primary", "-mysql")),
    "k8s.perconaservermongodb": ("psmdb.percona.com", MONGODB, ("-rs0", "-mongos")),
    "k8s.innodbcluster": ("mysql.oracle.com", MYSQL, ("",)),
    "k8s.mariadb": ("k8s.mariadb.com", MYSQL, ("", "-primary")),
    "k8s.mongodbcommunity": ("mongodbcommunity.mongodb.com", MONGODB, ("-svc",)),
}
_TERRAFORM: Mapping[str, str] = {
    "tf.aws_db_instance": "", "tf.aws_rds_cluster": "", "tf.google_sql_database_instance": "",
    "tf.azurerm_postgresql_flexible_server": POSTGRESQL, "tf.azurerm_postgresql_server": POSTGRESQL,
    "tf.azurerm_mysql_flexible_server": MYSQL, "tf.azurerm_mysql_server": MYSQL, "tf.aws_docdb_cluster": MONGODB,
}  # fmt: skip
_ENGINES = (
    ("postgres", POSTGRESQL), ("mysql", MYSQL), ("mariadb", MYSQL), ("aurora", MYSQL), ("sqlserver", SQLSERVER),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Datastore:
    """One database server or cluster.

    `kind` is one of the constants of this module, "" when the engine is not known; `resource` what declares it: a
    `k8s.container`, a `compose.service` of a project that is deployed, an operator's custom resource or a `tf.*`, at
    `span`; `hosts` the names under which clients inside the cluster or project reach it; `runs_as` "container",
    "operator", "compose" or "cloud"; `lasting` whether its data outlives the pod or container, None when that cannot be
    told; `replica` whether it is, or may be, a copy of another one.
    """

    kind: str
    address: str
    name: str
    resource: Resource
    span: Span
    runs_as: str
    hosts: frozenset[str] = frozenset()
    lasting: bool | None = True
    replica: bool = False


def datastores(repository: Repository) -> tuple[Datastore, ...]:
    """All databases of the repository, in order of discovery; the several copies of one manifest are several."""
    return repository.memo("link.datastores", lambda repo: tuple(_all(repo)))


def database_of_image(image: str) -> str:
    """The database that an image name (`docker.io/bitnami/postgresql:16`) is the server of; "" for any other."""
    path = image.split("@", 1)[0]
    name = posixpath.basename(path)
    name = name.partition(":")[0].lower()
    if name.startswith("spilo-"):
        name = "spilo"
    return _IMAGES.get(name, "")


def volumes_of(container: Resource) -> Iterator[tuple[str, Node | None]]:
    """The mount path and the volume (None: a claim template or not declared here) of each mount of a container."""
    pod = container.parent
    volumes = {v.text_at("name"): v for v in pod.node.items_at("volumes")} if pod is not None else {}
    for mount in container.node.items_at("volumeMounts"):
        path, name = mount.text_at("mountPath"), mount.text_at("name")
        if path is not None and name is not None:
            yield path, volumes.get(name)


def _all(repository: Repository) -> Iterator[Datastore]:
    yield from _containers(repository)
    yield from _custom_resources(repository)
    yield from _composed(repository)
    yield from _cloud(repository)


def _containers(repository: Repository) -> Iterator[Datastore]:
    for service in repository.services:
        container, workload = service.container, service.workload
        if container is None or workload is None or workload.kind not in _RUNS_FOR_EVER:
            continue
        image = container.node.get("image")
        kind = database_of_image(_written(image)) if image is not None else ""
        if not kind and service.image is not None:
            base = service.image.node.text_at("base.image")
            kind = database_of_image(base) if base else ""
        if not kind or not _runs_server(container):
            continue
        yield Datastore(
            kind, workload.address, name_of(workload), container, (image or container.node).anchor, "container",
            _hosts(container, repository), _outlives_pod(container, workload),
        )  # fmt: skip


def _written(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else node.text or ""


def _runs_server(container: Resource) -> bool:
    """Whether the container starts the server of its image, not a client such as `sleep` or `pg_dump`."""
    words = container.node.items_at("command")
    if not words:
        first = next(iter(container.node.items_at("args")), None)
        program = posixpath.basename(first.text) if first is not None and first.text is not None else ""
        return program not in ("sh", "bash", "sleep", "psql")
    text = " ".join(word.text or "" for word in (*words, *container.node.items_at("args")))
    return any(posixpath.basename(word.strip(";&|\"'")) in _SERVER_PROGRAMS for word in text.split())


def _hosts(container: Resource, repository: Repository) -> frozenset[str]:
    """The DNS names of the Services in front of the pod, and the workload's own governing Service."""
    if container.parent is None:
        return frozenset()
    owner = object_of(container)
    names = {name_of(service) for service in services_of(container.parent, repository)}
    governing = owner.node.text_at("spec.serviceName")
    if governing:
        names.add(governing)
        names.add(f"{name_of(owner)}-0.{governing}")
    return frozenset(host for name in names for host in dns_names(name, namespace_of(owner)))


def dns_names(name: str, namespace: str) -> Iterator[str]:
    """How clients may write the name of a Service."""
    yield name
    if namespace:
        yield from (f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local")


def _outlives_pod(container: Resource, workload: Resource) -> bool | None:
    """Whether a volume that outlives the pod holds data of the container."""
    claims = {claim.text_at("metadata.name") for claim in workload.node.items_at("spec.volumeClaimTemplates")}
    pod = container.parent
    volumes = pod.node.get("volumes") if pod is not None else None
    if volumes is not None and volumes.is_unknown:
        return None
    declared = {v.text_at("name"): v for v in volumes.items} if volumes is not None else {}
    for mount in container.node.items_at("volumeMounts"):
        path, name = mount.text_at("mountPath") or "", mount.text_at("name")
        if path.startswith(_NOT_DATA):
            continue
        volume = declared.get(name)
        if name in claims or (volume is not None and not _LASTING.isdisjoint(volume.mapping)):
            return True
    return False


def _custom_resources(repository: Repository) -> Iterator[Datastore]:
    for resource_kind, (group, kind, suffixes) in _OPERATORS.items():
        for resource in repository.of_kind(resource_kind):
            if not (resource.node.text_at("apiVersion") or "").startswith(f"{group}/"):
                continue
            name = name_of(resource)
            hosts = (host for end in suffixes for host in dns_names(name + end, namespace_of(resource)))
            place = resource.node.get("metadata.name") or resource.node
            yield Datastore(
                kind, resource.address, name, resource, place.anchor, "operator", frozenset(hosts),
                replica=_cnpg_replica(resource),
            )  # fmt: skip


def _cnpg_replica(resource: Resource) -> bool:
    enabled = resource.node.get("spec.replica.enabled")
    return enabled is not None and enabled.scalar is True


def _composed(repository: Repository) -> Iterator[Datastore]:
    """The databases that Compose runs; what is not mounted from elsewhere goes with the container."""
    for service in deployed_services(repository):
        built = built_stage(service, repository)
        image = service.node.get("image") if built is None else built.stage.node.get("base.image")
        kind = database_of_image(_written(image)) if image is not None else ""
        if not kind:
            continue
        mounts = [mount for mount in service.node.items_at("volumes") if mount.get("source") is not None]
        lasting = any(not (mount.text_at("target") or "/etc/").startswith(_NOT_DATA) for mount in mounts)
        place = service.node.get("image") or service.node
        yield Datastore(
            kind, service.address, service_name(service), service, place.anchor, "compose",
            frozenset((service_name(service),)), lasting,
        )  # fmt: skip


def _cloud(repository: Repository) -> Iterator[Datastore]:
    for resource_kind, known in _TERRAFORM.items():
        for resource in repository.of_kind(resource_kind):
            node = resource.node
            engine = node.get("engine") or node.get("database_version")
            kind = known or (_engine(_written(engine)) if engine is not None else "")
            replica = any(
                (found := node.get(key)) is not None and found.value not in (None, "")
                for key in ("replicate_source_db", "replication_source_identifier", "master_instance_name",
                            "source_server_id", "creation_source_server_id")
            )  # fmt: skip
            yield Datastore(kind, resource.address, resource.address, resource, node.anchor, "cloud", replica=replica)


def _engine(text: str) -> str:
    lowered = text.lower()
    return next((kind for mark, kind in _ENGINES if mark in lowered), "")
