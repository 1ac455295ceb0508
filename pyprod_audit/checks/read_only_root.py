"""Containers whose files anybody inside may change, and those that are read-only where the server must write."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.chart_defaults import left_to_installer
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.workload_view import (
    ends_before_start,
    image_name,
    is_added_to,
    is_injected,
    is_one_shot,
    is_windows,
    pod_of,
    present,
)
from pyprod_audit.link.environment import environment
from pyprod_audit.model import Fact, Node, Resource, Service, Span, Unknown

# Servers of data, whose images write to many places of their root file system when they start.
_DATASTORES: Final = frozenset({
    "cassandra", "cockroach", "couchdb", "elasticsearch", "etcd", "influxdb", "kafka", "mariadb", "minio", "mongo",
    "mongodb", "mysql", "opensearch", "postgis", "postgres", "postgresql", "rabbitmq", "redis", "valkey", "zookeeper",
})  # fmt: skip
_FIXED_VOLUMES: Final = ("configMap", "secret", "projected", "downwardAPI")
# Where Python's tempfile looks: https://docs.python.org/3/library/tempfile.html#tempfile.gettempdir
_TEMPORARY: Final = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - places in a container, nothing is written there
_TEMPORARY_VARIABLES: Final = ("TMPDIR", "TEMP", "TMP")
_ALWAYS_WRITABLE: Final = "/dev/shm"  # noqa: S108 - likewise: the runtime mounts memory there


def root_file_system(subject: Resource | Service, context: Context) -> Outcomes:
    """The root file system is writable, or read-only without a place for what the server writes."""
    if isinstance(subject, Service):
        yield from _nowhere_to_write(subject, context)
    else:
        yield from _writable(subject, context)


def _writable(container: Resource, context: Context) -> Outcomes:
    if ends_before_start(container) or is_one_shot(container):
        yield Skip("it ends before anybody could use what was left behind")
        return
    privileged = present(container.node, "securityContext", "privileged")
    if privileged is not None and privileged.scalar is True:
        yield Skip("it is privileged, and nothing less applies")
        return
    if is_windows(pod_of(container)):
        yield Skip("Windows containers have no read-only root file system")
        return
    image = posixpath.basename(image_name(container))
    if image in _DATASTORES or image == "pause":
        yield Skip("a server of data writes to many places" if image in _DATASTORES else "it runs nothing that writes")
        return
    own = present(container.node, "securityContext", "readOnlyRootFilesystem")
    if own is not None and own.is_unknown:
        yield cannot(own)
        return
    if own is not None and own.scalar is True:
        return
    patch = patch_that_sets(container, "readOnlyRootFilesystem", context.repository)
    if patch:
        yield Cannot(container.node.anchor, f"a Kustomize patch sets readOnlyRootFilesystem: {patch}")
    elif is_injected(container) or is_added_to(container.node):
        yield Cannot(container.node.anchor, "a template or a webhook adds to the container")
    else:
        at = container.node.find(("securityContext", "readOnlyRootFilesystem"))[1]
        left = left_to_installer(container, "securityContext", context.repository) if own is None else None
        yield left or Hit(at)


def _nowhere_to_write(service: Service, context: Context) -> Outcomes:
    container = service.container
    if container is None or service.pod is None:
        yield Skip("no workload runs it")
        return
    read_only = present(container.node, "securityContext", "readOnlyRootFilesystem")
    if read_only is None or read_only.scalar is not True:
        yield Skip("its root file system is writable")
        return
    writable = frozenset(_writable_paths(service, container))
    variables = environment(service.image, container, context.repository).variables
    outcomes = [
        *_multiprocess_metrics(container, variables, read_only, writable),
        *_heartbeat(service, container, variables, read_only, writable),
    ]
    if outcomes and (is_added_to(container.node) or patch_that_sets(container, "volumeMounts", context.repository)):
        outcomes = [Cannot(container.node.anchor, "volumes may be mounted that are not in this manifest")]
    yield from outcomes


def _multiprocess_metrics(
    container: Resource, variables: Mapping[str, Node], read_only: Node, writable: frozenset[str]
) -> Iterator[Hit]:
    """prometheus_client writes a file for each process: https://prometheus.github.io/client_python/multiprocess/."""
    folder = variables.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None or folder.text is None or not folder.text.startswith("/"):
        return
    if not _is_below(folder.text, writable):
        yield Hit(
            read_only.span,
            {"container": container.address, "folder": folder.text},
            related=((folder.span, "the folder of the metrics"),),
            address=f"{container.address}/PROMETHEUS_MULTIPROC_DIR",
            message="{container}: the root file system is read-only and no volume is mounted at {folder},"
            " where PROMETHEUS_MULTIPROC_DIR wants metrics written: the workers do not start",
        )


def _heartbeat(
    service: Service, container: Resource, variables: Mapping[str, Node], read_only: Node, writable: frozenset[str]
) -> Iterator[Hit | Cannot]:
    """Gunicorn's workers cannot start without a file in worker_tmp_dir, or else in the temporary folder."""
    process = service.process
    if process is None or process.server != "gunicorn":
        return
    stated = process.facts.get("app.worker_tmp_dir")
    if isinstance(stated, Unknown):
        yield Cannot(process.span, stated.because or "worker_tmp_dir is known only at deploy time")
        return
    if isinstance(stated, Fact) and isinstance(stated.value, str) and stated.value.startswith("/"):
        candidates: tuple[str, ...] = (stated.value,)
        place: Span = stated.span
    else:
        candidates, place = tuple(_temporary_folders(service, container, variables)), process.span
    if "" in candidates:
        yield Cannot(process.span, "which folder is the temporary one is known only at deploy time")
        return
    if any(_is_below(folder, writable) for folder in candidates):
        return
    yield Hit(
        read_only.span,
        {"container": container.address, "folder": candidates[0]},
        related=((place, "gunicorn"),),
        address=f"{container.address}/worker_tmp_dir",
        message="{container}: the root file system is read-only and no volume is mounted at {folder}:"
        " gunicorn's workers cannot create their heartbeat file and do not start",
    )


def _temporary_folders(service: Service, container: Resource, variables: Mapping[str, Node]) -> Iterator[str]:
    """The folders that tempfile tries, in order; empty text for one that is not known."""
    for name in _TEMPORARY_VARIABLES:
        variable = variables.get(name)
        if variable is not None:
            yield variable.text or ""
    yield from _TEMPORARY
    workdir = present(container.node, "workingDir")
    if workdir is None and service.image is not None:
        workdir = present(service.image.node, "workdir")
    if workdir is not None:
        yield workdir.text or ""


def _writable_paths(service: Service, container: Resource) -> Iterator[str]:
    yield _ALWAYS_WRITABLE
    volumes = service.pod.node.items_at("volumes") if service.pod is not None else ()
    fixed = {v.text_at("name") for v in volumes if any(kind in v.mapping for kind in _FIXED_VOLUMES)}
    for mount in container.node.items_at("volumeMounts"):
        path, read_only = mount.text_at("mountPath"), mount.get("readOnly")
        if path and mount.text_at("name") not in fixed and (read_only is None or read_only.scalar is not True):
            yield posixpath.normpath(path)
    for volume in service.image.node.items_at("volumes") if service.image is not None else ():
        if volume.text:
            yield posixpath.normpath(volume.text)


def _is_below(path: str, folders: frozenset[str]) -> bool:
    path = posixpath.normpath(path)
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)
