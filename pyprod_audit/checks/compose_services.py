"""What Compose services that are deployed lack: a restart policy, a volume for data, a closed port, a health check."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.compose_ports import EVERYWHERE
from pyprod_audit.checks.docker_view import root_reference
from pyprod_audit.checks.service_view import ASGI_SERVERS, WSGI_SERVERS, serving
from pyprod_audit.lifecycles import product_of_image
from pyprod_audit.link.compose import is_deployed, is_restarted, not_running, purpose_of, service_name
from pyprod_audit.link.compose_images import built_stage
from pyprod_audit.model import Node, OpenMapping, Resource, Service, Unknown

_SWARM: Final = ("mode", "placement", "update_config", "rollback_config", "endpoint_mode")
_SERVERS: Final = WSGI_SERVERS | ASGI_SERVERS
# Distributions and language images of Docker's official library, none of which has a HEALTHCHECK.
_WITHOUT_CHECK: Final = frozenset(
    {"python", "debian", "ubuntu", "alpine", "fedora", "rockylinux", "almalinux", "scratch"}
)


class Store(NamedTuple):
    """A server that keeps something: what it is called, its ports, and where its data lies (empty: not for keeping)."""

    label: str
    ports: frozenset[int]
    data: str = ""


def _store(label: str, *ports: int, data: str = "") -> Store:
    return Store(label, frozenset(ports), data)


_POSTGRESQL = _store("PostgreSQL", 5432, data="/var/lib/postgresql")
_MYSQL = _store("MySQL", 3306, 33060, data="/var/lib/mysql")
_MONGODB = _store("MongoDB", 27017, data="/data/db")
_REDIS = _store("Redis", 6379)
_STORES: Final[Mapping[str, Store]] = {
    **dict.fromkeys(("postgres", "postgis", "timescaledb", "timescaledb-ha", "pgvector"), _POSTGRESQL),
    **dict.fromkeys(("mysql", "mysql-server", "mariadb", "percona", "percona-server"), _MYSQL),
    **dict.fromkeys(("mongo", "mongodb-community-server", "percona-server-mongodb"), _MONGODB),
    **dict.fromkeys(("redis", "valkey", "redis-stack-server", "redis-stack", "keydb", "dragonfly"), _REDIS),
    "memcached": _store("Memcached", 11211),
    "rabbitmq": _store("RabbitMQ", 5672, 15672, 25672, 4369, data="/var/lib/rabbitmq"),
    **dict.fromkeys(("elasticsearch", "opensearch"), _store("the search cluster", 9200, 9300)),
    "clickhouse-server": _store("ClickHouse", 8123, 9000, 9009, data="/var/lib/clickhouse"),
    "cassandra": _store("Cassandra", 9042, 7000, data="/var/lib/cassandra"),
    "influxdb": _store("InfluxDB", 8086),
    **dict.fromkeys(("adminer", "phpmyadmin", "pgadmin4", "mongo-express", "redis-commander", "redisinsight"),
                    _store("the database's administration", 80, 443, 8080, 8081, 5050, 5540)),
    **dict.fromkeys(("kafka", "cp-kafka", "redpanda"), _store("Kafka", 9092, 9093)),
    "etcd": _store("etcd", 2379, 2380),
}  # fmt: skip
# Where images that are derived from the official ones keep the same data.
_OTHER_DATA: Final[Mapping[str, tuple[str, ...]]] = {
    "PostgreSQL": ("/bitnami/postgresql", "/home/postgres/pgdata"),
    "MySQL": ("/bitnami/mysql", "/bitnami/mariadb"),
    "MongoDB": ("/bitnami/mongodb",),
    "RabbitMQ": ("/bitnami/rabbitmq",),
}
_DOCKER_SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock")
# Programs that work on containers, or watch them, for which the socket is what they are run for.
_DOCKER_TOOLS: Final = frozenset({
    "traefik", "portainer", "portainer-ce", "portainer-ee", "watchtower", "autoheal", "docker-socket-proxy",
    "dockerproxy", "nginx-proxy", "docker-gen", "acme-companion", "letsencrypt-nginx-proxy-companion", "dozzle", "diun",
    "ofelia", "cadvisor", "netdata", "telegraf", "agent", "datadog-agent", "promtail", "alloy", "vector", "fluent-bit",
    "filebeat", "metricbeat", "glances", "dockge", "caddy-docker-proxy", "swarm-cronjob", "logspout", "gitlab-runner",
    "crowdsec", "newrelic-infra", "beszel-agent", "docker-volume-backup", "homepage",
})  # fmt: skip


def restart_missing(project: Resource, context: Context) -> Outcomes:
    """A service of a deployed project that stays down when it ends, or the host restarts."""
    repository = context.repository
    purpose = purpose_of(project, repository)
    if not purpose.deployed:
        yield Skip(purpose.because)
        return
    services = repository.children(project, "compose.service")
    if any(service.node.get(f"deploy.{key}") is not None for service in services for key in _SWARM):
        yield Skip("Swarm restarts tasks by itself")
        return
    running = [service for service in services if not_running(service, repository) is None]
    restarted = {service.address: is_restarted(service) for service in running}
    lacking = [service for service in running if restarted[service.address] is False and _lasts(service, services)]
    yield from (
        Cannot(service.node.anchor, "its restart policy is known only at deploy time")
        for service in running
        if restarted[service.address] is None
    )
    if not lacking:
        return
    if len(lacking) > 1 and not any(restarted.values()):
        names = ", ".join(service_name(service) for service in lacking)
        message = (
            "no service of {project} has a restart policy ({names}): what ends stays down, and all of it after a reboot"
        )
        place = project.node.mapping["services"]
        yield Hit(place.anchor, {"project": project.address, "names": names}, message=message)
        return
    example = next((service for service in running if restarted[service.address]), None)
    policy = example.node.get("restart") if example is not None else None
    related = ((policy.anchor, "others have one"),) if policy is not None else ()
    for service in lacking:
        yield Hit(service.node.anchor, {"service": service.address}, related, f"{project.address}/{service.address}")


def _lasts(service: Resource, services: Sequence[Resource]) -> bool:
    """Whether something shows that a service goes on running: others need it, or it runs what a restarted one runs."""
    node = service.node
    if any(node.get(key) is not None for key in ("ports", "expose", "healthcheck")) or _store_of(service) is not None:
        return True
    name = service_name(service)
    for other in services:
        if name in other.node.mapping_at("depends_on"):
            return True
        if other is not service and _same_image(node, other.node) and is_restarted(other) is not False:
            return True
    return False


def _same_image(one: Node, other: Node) -> bool:
    image = one.text_at("image")
    if image is not None and image == other.text_at("image"):
        return True
    builds = [(node.text_at("build.context"), node.text_at("build.dockerfile")) for node in (one, other)]
    return builds[0][0] is not None and builds[0] == builds[1]


def database_without_volume(service: Resource, context: Context) -> Outcomes:
    """A database of a deployed project whose data goes with its container."""
    found = _deployed_store(service, context)
    if isinstance(found, Skip):
        yield found
        return
    if not found.data:
        yield Skip("what it keeps may be lost")
        return
    volumes = service.node.get("volumes")
    if (volumes is not None and volumes.is_unknown) or service.node.get("volumes_from") is not None:
        yield Cannot(service.node.anchor, "its volumes are known only at deploy time")
        return
    if any(_inside(tmpfs.text or "", found.data) for tmpfs in service.node.items_at("tmpfs")):
        yield Skip("its data is meant to be lost")
        return
    folders = (found.data, *_OTHER_DATA.get(found.label, ()))
    anonymous: Node | None = None
    for mount in service.node.items_at("volumes"):
        target, kind = mount.get("target"), mount.text_at("type")
        if mount.is_unknown or target is None or target.is_unknown:
            yield Cannot(mount.anchor, "a volume is known only at deploy time")
            return
        if kind == "tmpfs" or not any(_inside(target.text or "", folder) for folder in folders):
            continue
        if mount.get("source") is not None:
            return
        anonymous = mount
    moved = _moved_data(service)
    if moved is not None:
        yield Cannot(moved.anchor, "its data lies where a variable says")
        return
    values = {"service": service.address, "database": found.label, "data": found.data}
    if anonymous is not None:
        message = (
            "{service} keeps the data of {database} in a volume without a name: docker compose down, then up, starts "
            "with an empty one"
        )
        yield Hit(anonymous.span, values, message=message)
    else:
        yield Hit(service.node.anchor, values)


def _inside(path: str, folder: str) -> bool:
    """Whether `path` is the folder, lies in it or holds it."""
    path = posixpath.normpath(path) if path else ""
    return path == folder or path.startswith(f"{folder}/") or (path not in ("", "/") and folder.startswith(f"{path}/"))


def _moved_data(service: Resource) -> Node | None:
    """What says that the data lies elsewhere than in the image's usual folder."""
    variables = service.node.mapping_at("environment")
    words = service.node.items_at("command")
    for name in ("PGDATA", "MYSQL_DATA_DIR", "MARIADB_DATA_DIR"):
        if name in variables:
            return variables[name]
    return next((word for word in words if "datadir" in (word.text or "") or word.text in ("-D", "--dbpath")), None)


def published_store(service: Resource, context: Context) -> Outcomes:
    """A database, a broker or its administration that a deployed project publishes on every address of the host."""
    found = _deployed_store(service, context)
    if isinstance(found, Skip):
        yield found
        return
    for port in service.node.items_at("ports"):
        target, host = port.get("target"), port.get("host_ip")
        if target is None or target.is_unknown or target.scalar not in found.ports:
            continue
        if host is not None and host.is_unknown:
            yield cannot(host)
        elif host is None or host.text in EVERYWHERE:
            shown = port.get("published")
            place = shown if shown is not None and not shown.is_unknown else target
            yield Hit(
                place.span,
                {"service": service.address, "store": found.label, "port": target.scalar},
                address=f"{service.address}/ports[{target.scalar}]",
            )


def _deployed_store(service: Resource, context: Context) -> Store | Skip:
    if not is_deployed(service, context.repository):
        return Skip("nothing shows that it is deployed")
    built = built_stage(service, context.repository)
    found = _store_of(service) if built is None else _store_called(built.stage.node.get("base.image"))
    return found or Skip("no database, broker or cache")


def _store_of(service: Resource) -> Store | None:
    return _store_called(service.node.get("image"))


def _store_called(image: Node | None) -> Store | None:
    """The store that an image is the server of, by its name; the tag may be known only at deploy time."""
    if image is None:
        return None
    text = image.value.expression if isinstance(image.value, Unknown) else image.text or ""
    return _STORES.get(posixpath.basename(text.partition("@")[0]).partition(":")[0].lower())


def health_check_missing(service: Service, _context: Context) -> Outcomes:
    """A server that Compose starts and of which nobody can tell whether it answers."""
    started, stage = service.compose, service.image
    if started is None or stage is None:
        yield Skip("Compose does not start it")
        return
    process = serving(service)
    if isinstance(process, Skip) or process.server not in _SERVERS:
        yield process if isinstance(process, Skip) else Skip("it runs no server that answers HTTP")
        return
    if started.node.get("healthcheck") is not None or isinstance(started.node.value, OpenMapping):
        return
    if stage.node.get("healthcheck") is not None:
        return
    reference = root_reference(stage)
    name = (reference.name or "").removeprefix("docker.io/").removeprefix("library/") if reference is not None else ""
    if name not in _WITHOUT_CHECK and product_of_image(name) != "python":
        yield Cannot(started.node.anchor, f"the image {name or 'that it is built on'} may have a HEALTHCHECK")
        return
    yield Hit(
        started.node.anchor, {"service": started.address, "server": process.server, "image": stage.path},
        ((stage.node.anchor, "no HEALTHCHECK here"),), started.address,
    )  # fmt: skip


def holds_the_host(service: Resource, context: Context) -> Iterator[Hit | Cannot | Skip]:
    """A service that runs privileged, adds capabilities that amount to it, or talks to Docker itself."""
    if not is_deployed(service, context.repository):
        yield Skip("nothing shows that it is deployed")
        return
    node = service.node
    values = {"container": service.address}
    privileged = node.get("privileged")
    if privileged is not None and privileged.is_unknown:
        yield cannot(privileged)
    elif privileged is not None and privileged.value is True:
        message = "{container} runs privileged: whoever gets into it owns the host"
        yield Hit(privileged.span, values, address=f"{service.address}/privileged", message=message)
        return
    escapes = {str(name).upper() for name in context.params["capabilities"]}
    for added in node.items_at("cap_add"):
        name = str(added.scalar).upper().removeprefix("CAP_")
        if name in escapes and not (name == "SYS_MODULE" and _is_vpn(service)):
            message = "{container} adds the capability {capability}, which lets it take over the host"
            yield Hit(added.span, {**values, "capability": name}, (), f"{service.address}/{name}", message)
    yield from _docker_socket(service, values)


def _is_vpn(service: Resource) -> bool:
    """Whether a service is WireGuard, whose images load its kernel module."""
    image = service.node.text_at("image") or ""
    return "wireguard" in image or "wg-easy" in image


def _docker_socket(service: Resource, values: Mapping[str, str]) -> Iterator[Hit]:
    """A mount of Docker's socket, read-only or not, into anything but a program that is made to work on it."""
    image = service.node.text_at("image") or ""
    if posixpath.basename(image.partition("@")[0]).partition(":")[0].lower() in _DOCKER_TOOLS:
        return
    for mount in service.node.items_at("volumes"):
        source = mount.get("source")
        if source is not None and source.text in _DOCKER_SOCKETS:
            message = "{container} holds Docker's socket: whoever gets into it can start a container that owns the host"
            yield Hit(source.span, values, address=f"{service.address}/docker.sock", message=message)
