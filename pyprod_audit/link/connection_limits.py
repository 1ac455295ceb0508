"""How many client connections a database takes, and where that is said.

Defaults: PostgreSQL 18 documentation, "Connections and Authentication" (max_connections 100,
superuser_reserved_connections 3); MySQL 8.4 manual and MariaDB documentation (max_connections 151, one more for an
administrator); Amazon RDS user guide, "Quotas and constraints" (PostgreSQL the least of DBInstanceClassMemory/9531392
and 5000, MySQL and MariaDB DBInstanceClassMemory/12582880); Cloud SQL for PostgreSQL, "Quotas and limits".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pyprod_audit.link.datastores import MONGODB, MYSQL, POSTGRESQL, Datastore
from pyprod_audit.link.pod_environment import objects_named, pod_environment
from pyprod_audit.model import Fact, Node, Repository, Resource, Span, Unknown
from pyprod_audit.model.patterns import lazy

RESERVED = 3  # connections that PostgreSQL keeps for superusers
_DEFAULT: Mapping[str, int] = {POSTGRESQL: 100, MYSQL: 151}
_PARAMETERS = (
    "spec.postgresql.parameters.max_connections",  # CloudNativePG, Zalando
    "spec.patroni.dynamicConfiguration.postgresql.parameters.max_connections",  # Crunchy, Percona
)
_OPTION = lazy(r"(?:--)?max[_-]connections=([0-9]{1,7})")
_NAMED = lazy(r"max[_-]connections\b")
_LINE = lazy(r"(?m)^[ \t]{0,40}(?:max_connections|max-connections)[ \t]{0,40}=?[ \t]{0,40}'?([0-9]{1,7})\b")
_VARIABLES = ("POSTGRESQL_MAX_CONNECTIONS", "POSTGRES_MAX_CONNECTIONS", "MYSQL_MAX_CONNECTIONS")

_GIB = 1024**3
# GiB of an RDS class: the first size of a family; each further size has twice as much.
_RDS_SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge")
_RDS_LARGE = {"t": 8, "m": 8, "r": 16}
_RDS_SMALL = {"micro": 1, "small": 2, "medium": 4}
# Cloud SQL for PostgreSQL: (memory in GiB, default).
_CLOUD_SQL = ((120, 1000), (60, 800), (30, 600), (15, 500), (7.5, 400), (6, 200), (3.75, 100), (1.7, 50), (0.6, 25))


def connection_limit(datastore: Datastore, repository: Repository) -> Fact | Unknown | None:
    """The `max_connections` of a database; None for one that has no such limit or none that is known."""
    if datastore.kind not in _DEFAULT:
        return None if datastore.kind == MONGODB else Unknown("engine", "the database's engine is not known")
    if datastore.runs_as == "container":
        return _of_container(datastore, repository)
    if datastore.runs_as == "operator":
        return _of_operator(datastore)
    if datastore.resource.kind in ("tf.aws_db_instance", "tf.aws_rds_cluster"):
        return _of_rds(datastore, repository)
    if datastore.resource.kind == "tf.google_sql_database_instance":
        return _of_cloud_sql(datastore)
    return _of_azure(datastore, repository)


def usable(limit: Fact, kind: str) -> int:
    """The connections of `limit` that an application may take."""
    return int(limit.number) - (RESERVED if kind == POSTGRESQL else 0)


def _of_container(datastore: Datastore, repository: Repository) -> Fact | Unknown:
    container = datastore.resource
    words = (*container.node.items_at("command"), *container.node.items_at("args"))
    found = _in_words(words) or _in_environment(container, repository) or _in_config_maps(container, repository)
    if found is not None:
        return found
    if any(word.is_unknown for word in words):
        return Unknown("args", "an argument of the database is known only at deploy time")
    default = _DEFAULT[datastore.kind]
    if _own_configuration(container):
        return Unknown("max_connections", "the database is given a configuration that is not in the repository")
    return Fact(default, datastore.span, declared=False, label=f"{datastore.kind}'s default")


def _in_words(words: Sequence[Node]) -> Fact | Unknown | None:
    for word in words:
        text = word.text
        found = _OPTION.search(text) if text is not None else None
        if found is not None:
            return Fact(int(found[1]), word.span.first_line)
        written = word.value.expression if isinstance(word.value, Unknown) else text or ""
        if _NAMED.search(written):  # `max_connections=${LIMIT}`
            return Unknown(written, "max_connections is filled in at deploy time")
    for before, word in pairwise(words):
        if before.text == "-N" and word.text is not None and word.text.isdigit():
            return Fact(int(word.text), word.span)
    return None


def _in_environment(container: Resource, repository: Repository) -> Fact | Unknown | None:
    env = pod_environment(container, repository).variables
    return next((_number(env[name]) for name in _VARIABLES if name in env), None)


def _in_config_maps(container: Resource, repository: Repository) -> Fact | None:
    """A `max_connections` line of a file in a ConfigMap that the pod mounts."""
    pod = container.parent
    volumes = pod.node.items_at("volumes") if pod is not None else ()
    names = dict.fromkeys(name for volume in volumes if (name := volume.text_at("configMap.name")))
    for config in (one for name in names for one in objects_named("ConfigMap", name, container, repository)):
        for node in config.node.mapping_at("data").values():
            if node.text is None or not _LINE.search(node.text):
                continue
            found = _LINE.search(node.source.text, node.start, node.end)
            if found is not None:
                return Fact(int(found[1]), Span(node.source, found.start(), found.end()))
            # The text was made by a template.
            written = _LINE.search(node.text)
            if written is not None:
                return Fact(int(written[1]), node.anchor)
    return None


def _own_configuration(container: Resource) -> bool:
    """Whether a volume may bring a configuration file of which the repository does not show the text."""
    mounts = (mount.text_at("mountPath") or "" for mount in container.node.items_at("volumeMounts"))
    if any(path.endswith((".conf", ".cnf")) or "/conf.d" in path or "/etc/mysql" in path for path in mounts):
        return True
    words = (*container.node.items_at("command"), *container.node.items_at("args"))
    return any("config_file" in (word.text or "") or "defaults-file" in (word.text or "") for word in words)


def _of_operator(datastore: Datastore) -> Fact | Unknown:
    for path in _PARAMETERS:
        node = datastore.resource.node.get(path)
        if node is not None:
            return _number(node)
    if datastore.kind != POSTGRESQL:
        return Unknown("max_connections", "the operator decides the number of connections")
    return Fact(_DEFAULT[POSTGRESQL], datastore.span, declared=False, label="PostgreSQL's default")


def _of_rds(datastore: Datastore, repository: Repository) -> Fact | Unknown:
    node = datastore.resource.node
    for key, kind in (
        ("parameter_group_name", "tf.aws_db_parameter_group"),
        ("db_cluster_parameter_group_name", "tf.aws_rds_cluster_parameter_group"),
    ):
        named = node.get(key)
        if named is None:
            continue
        group = _parameter_group(named, kind, datastore.resource, repository)
        if group is None:
            if named.text is not None and named.text.startswith("default."):
                continue
            return Unknown(key, "the parameter group is not in this module")
        for parameter in group.node.items_at("parameter"):
            if parameter.is_unknown:
                return Unknown("parameter", "the parameter group's parameters are known only at deploy time")
            value = parameter.get("value")
            if parameter.text_at("name") == "max_connections" and value is not None:
                return _number(value)
    return _rds_default(datastore)


def _parameter_group(named: Node, kind: str, owner: Resource, repository: Repository) -> Resource | None:
    from pyprod_audit.evaluate.terraform.references import referred  # only where there is Terraform

    found = referred(owner, named, repository)
    if found is not None and found.kind == kind:
        return found
    for group in repository.children(owner.parent, kind) if owner.parent is not None else []:
        if named.text is not None and group.node.text_at("name") == named.text:
            return group
    return None


def _rds_default(datastore: Datastore) -> Fact | Unknown:
    node = datastore.resource.node.get("instance_class")
    if node is None or datastore.resource.kind != "tf.aws_db_instance":
        return Unknown("max_connections", "the default hangs on the class of the cluster's instances")
    memory = rds_memory(node.text or "")
    if memory is None:
        return Unknown("instance_class", "the memory of the instance class is not known")
    divisor = 9531392 if datastore.kind == POSTGRESQL else 12582880
    limit = min(memory * _GIB // divisor, 5000) if datastore.kind == POSTGRESQL else memory * _GIB // divisor
    return Fact(limit, node.span, declared=False, label=f"RDS's default for {node.text}")


def rds_memory(instance_class: str) -> int | None:
    """GiB of memory of an RDS instance class of the families t, m and r (`db.t4g.micro`); None for others."""
    found = re.fullmatch(r"db\.([tmr])[0-9]{1,2}[a-z]{0,3}\.([0-9a-z]{2,10})", instance_class)
    if found is None:
        return None
    family, size = found.groups()
    if size in _RDS_SMALL:
        return _RDS_SMALL[size] if family == "t" else None
    return _RDS_LARGE[family] * 2 ** _RDS_SIZES.index(size) if size in _RDS_SIZES else None


def _of_cloud_sql(datastore: Datastore) -> Fact | Unknown:
    settings = datastore.resource.node.items_at("settings")
    for block in settings:
        for flag in block.items_at("database_flags"):
            if flag.is_unknown:
                return Unknown("database_flags", "the database flags are known only at deploy time")
            value = flag.get("value")
            if flag.text_at("name") == "max_connections" and value is not None:
                return _number(value)
    tier = next((block.get("tier") for block in settings if block.get("tier") is not None), None)
    memory = _cloud_sql_memory(tier.text or "") if tier is not None else None
    if tier is None or memory is None or datastore.kind != POSTGRESQL:
        return Unknown("tier", "the memory of the tier is not known")
    limit = next(limit for least, limit in _CLOUD_SQL if memory >= least)
    return Fact(limit, tier.span, declared=False, label=f"Cloud SQL's default for {tier.text}")


def _cloud_sql_memory(tier: str) -> float | None:
    """GiB of memory of a Cloud SQL tier."""
    shared = {"db-f1-micro": 0.6, "db-g1-small": 1.7}
    if tier in shared:
        return shared[tier]
    found = re.fullmatch(r"db-custom-[0-9]{1,3}-([0-9]{4,7})", tier)
    return max(int(found[1]) / 1024, 0.6) if found is not None else None


def _of_azure(datastore: Datastore, repository: Repository) -> Fact | Unknown:
    from pyprod_audit.evaluate.terraform.references import refers  # only where there is Terraform

    owner = datastore.resource
    siblings: Iterator[Resource] = iter(repository.children(owner.parent)) if owner.parent is not None else iter(())
    for sibling in siblings:
        server = sibling.node.get("server_id") or sibling.node.get("server_name")
        value = sibling.node.get("value")
        if (
            sibling.node.text_at("name") == "max_connections"
            and server is not None and value is not None
            and refers(sibling, server, owner)
        ):  # fmt: skip
            return _number(value)
    return Unknown("max_connections", "the default hangs on the server's size")


def _number(node: Node) -> Fact | Unknown:
    if isinstance(node.value, Unknown):
        return node.value
    text = str(node.scalar).strip()
    if text.isdigit() and len(text) < 8:
        return Fact(int(text), node.span.first_line)
    return Unknown(text, f"{text!r} is not a number")
