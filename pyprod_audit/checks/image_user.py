"""The user that the process of an image runs as.

Sources: https://docs.docker.com/reference/dockerfile/#user,
https://kubernetes.io/docs/tasks/configure-pod-container/security-context/, the kubelet's check of `runAsNonRoot`
(pkg/kubelet/kuberuntime/security_context.go), and the documentation of the base images.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.docker_view import files_of, is_built_here, is_workplace, production_stage_of, root_reference
from pyprod_audit.checks.workload_view import is_windows
from pyprod_audit.lifecycles import product_of_image
from pyprod_audit.model import Node, Process, Repository, Resource, Service, Span
from pyprod_audit.model.patterns import lazy

_REGISTRIES = ("docker.io/", "index.docker.io/", "public.ecr.aws/docker/", "mirror.gcr.io/", "library/")
# Base images whose configuration names another user than root: whole publishers, then single images.
_NON_ROOT_PUBLISHERS = (
    "cgr.dev/", "chainguard/", "dhi.io/", "bitnami/", "bitnamilegacy/", "bitnamisecure/", "nginxinc/nginx-unprivileged",
    "nginxinc/docker-nginx-unprivileged", "jupyter/", "quay.io/jupyter/", "selenium/", "apache/airflow", "grafana/",
    "prom/", "quay.io/prometheus/", "quay.io/keycloak/", "opensearchproject/", "docker.elastic.co/", "jenkins/",
    "mambaorg/micromamba", "public.ecr.aws/lambda/", "cimg/", "circleci/",
)  # fmt: skip
_NON_ROOT_IMAGES = frozenset((
    "elasticsearch", "kibana", "logstash", "sonarqube", "haproxy", "varnish", "memcached", "odoo", "jetty", "liquibase",
    "open-liberty", "websphere-liberty", "kong", "solr", "rocket.chat",
))  # fmt: skip
# They start as root to prepare folders or to bind a port, and work as a user of their own.
_DROPPING_IMAGES = frozenset((
    "postgres", "mysql", "mariadb", "percona", "mongo", "redis", "valkey/valkey", "rabbitmq", "cassandra", "couchdb",
    "influxdb", "zookeeper", "ghost", "neo4j", "flink", "postgis/postgis", "pgvector/pgvector", "timescale/timescaledb",
    "nginx", "httpd", "clickhouse/clickhouse-server", "clickhouse", "altinity/clickhouse-server",
))  # fmt: skip
_ROOT_PUBLISHERS = (
    "gcr.io/distroless/", "ghcr.io/astral-sh/uv", "tiangolo/", "nvidia/cuda", "pytorch/", "tensorflow/",
    "continuumio/", "condaforge/", "mcr.microsoft.com/playwright", "mcr.microsoft.com/devcontainers/",
    "public.ecr.aws/amazonlinux/", "registry.access.redhat.com/ubi", "node", "oven/bun", "pypy", "golang",
)  # fmt: skip
_UBI_BASE = lazy(r"registry\.(?:access\.)?redhat\.(?:com|io)/ubi[0-9]+/ubi(?:-minimal|-micro|-init)?")
_UBI_TOOLS = lazy(r"registry\.(?:access\.)?redhat\.(?:com|io)/ubi[0-9]+/")
_DROPPERS: Final = frozenset(("gosu", "su-exec", "setpriv", "chpst", "setuidgid", "s6-setuidgid", "runuser"))
_USER_OPTIONS: Final = ("--user", "-u", "--uid", "-U", "--chuid")
_ROOT: Final = frozenset(("", "0", "root"))


class ImageUser(NamedTuple):
    """The user of an image. `name` is "" for a base image's own; `root` is None when it cannot be told."""

    name: str
    root: bool | None
    place: Span
    because: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether the kubelet can see that it is not root."""
        return self.name.isascii() and self.name.isdigit()


def user_of(stage: Resource, repository: Repository) -> ImageUser:
    """The user that a container of the image starts as when nobody says otherwise."""
    user = stage.node.get("user")
    reference = root_reference(stage)
    if user is not None:
        if user.is_unknown:
            return ImageUser("", None, user.anchor, f"USER {user.span.text} is filled in when the image is built")
        name = (user.text or "").partition(":")[0].strip()
        return ImageUser(name, name.lower() in _ROOT, user.anchor)
    own = stage.node.get("from")
    place = own.anchor if own is not None else stage.node.anchor
    if reference is None or reference.name is None:
        return ImageUser("", None, place, "the base image is filled in when the image is built")
    tag = reference.tag.text or "" if reference.tag is not None else ""
    root = None if is_built_here(reference.name, repository) else _base_is_root(reference.name, tag)
    because = f"whether {reference.image} has a user of its own is not known" if root is None else ""
    return ImageUser("", root, place, because)


def _base_is_root(name: str, tag: str) -> bool | None:
    """Whether a base image starts as root, by the documentation of its publisher; None for images nobody here knows."""
    short = name.lower()
    for registry in _REGISTRIES:
        short = short.removeprefix(registry)
    if short == "scratch":
        return True
    if "nonroot" in tag or "rootless" in tag or "unprivileged" in short or "chiseled" in tag:
        return False
    if short.startswith("cgr.dev/chainguard/wolfi-base"):
        return True
    if short in _NON_ROOT_IMAGES or short.startswith(_NON_ROOT_PUBLISHERS):
        return False
    if _UBI_BASE.fullmatch(short):
        return True
    if _UBI_TOOLS.match(short):  # the language images for source-to-image run as 1001
        return False
    if "/" not in short or short.startswith(_ROOT_PUBLISHERS) or product_of_image(short) == "python":
        return True
    return None


def image_runs_as_root(service: Service, context: Context) -> Outcomes:
    """What an image starts does not run as root."""
    repository = context.repository
    stage = production_stage_of(service.image, repository)
    if stage is None or (service.workload is not None and is_workplace(service.workload.path)):
        yield Skip("no image for production is built here")
        return
    if service.pod is not None and is_windows(service.pod):
        yield Skip("it runs on Windows")
        return
    if service.workload is None and _is_a_base(stage):
        yield Skip("other images are built on it")
        return
    user = user_of(stage, repository)
    if user.root is False:
        return
    if _drops(service.process, stage):
        return
    script = _first_script(stage, repository)
    if script == "":
        yield Cannot(user.place, "the script that starts the image is not here, and may give up root")
        return
    if isinstance(script, Resource) and _script_drops(script):
        return
    decided = _decided_by_pod(service)
    if decided is not None:  # runAsUser decides, or runAsNonRoot keeps it from starting: other rules' findings
        if decided.is_unknown:
            yield cannot(decided)
        return
    if user.root is None:
        yield Cannot(user.place, user.because)
        return
    if service.workload is None and posixpath.join(posixpath.dirname(stage.path), "Procfile") in repository.paths:
        yield Cannot(user.place, "a Procfile beside the Dockerfile: the platform may build the application without it")
        return
    if service.workload is None and _set_by_a_chart(repository):
        yield Cannot(user.place, "a Helm chart of the repository sets the user of pods whose image may be this one")
        return
    how = f"USER {user.name}" if stage.node.get("user") is not None else "there is no USER instruction"
    related = []
    if service.container is not None:
        related.append((service.container.node.anchor, "neither runAsUser nor runAsNonRoot changes it"))
    yield Hit(user.place, {"how": how, "image": stage.path}, related=tuple(related), address=stage.path)


def _is_a_base(stage: Resource) -> bool:
    """Whether an image is made for others to start from, by its name: `docker/Dockerfile.base`, `images/base/`."""
    folder, name = posixpath.split(stage.path.lower())
    return posixpath.basename(folder) == "base" or "base" in re.split(r"[._-]", name)


def _decided_by_pod(service: Service) -> Node | None:
    """The `runAsUser` or `runAsNonRoot`, or Compose's `user`, that decides for the container instead of the image."""
    if service.compose is not None:
        user = service.compose.node.get("user")
        return None if user is None or (user.text or "").partition(":")[0] in ("0", "root") else user
    chosen, asked = _security(service, "runAsUser"), _security(service, "runAsNonRoot")
    if chosen is not None:
        return chosen
    return asked if asked is not None and (asked.is_unknown or asked.scalar is True) else None


def _security(service: Service, name: str) -> Node | None:
    for part in (service.container, service.pod):
        node = part.node.get(f"securityContext.{name}") if part is not None else None
        if node is not None and node.value is not None:
            return node
    return None


def _drops(process: Process | None, stage: Resource) -> bool:
    """Whether what starts gives up root by itself: gosu and its likes, a server's own option, a base image's script."""
    reference = root_reference(stage)
    name = (reference.name or "").lower().removeprefix("docker.io/") if reference is not None else ""
    entrypoint = stage.node.get("entrypoint")
    if name in _DROPPING_IMAGES and entrypoint is None:
        return True
    if name == "php" and entrypoint is None and "-cli" not in (stage.node.text_at("base.tag") or "-cli"):
        return True  # Apache and PHP-FPM, like nginx: the master is root, what answers requests is www-data
    if any(word.text in ("/init", "/usr/bin/s6-svscan") for word in stage.node.items_at("entrypoint.words")):
        return True  # s6-overlay supervises as root and starts each service as its own user
    if process is None:
        return False
    if any(posixpath.basename(part) in _DROPPERS for wrapper in process.wrappers for part in wrapper.split()[:1]):
        return True
    words = [word.text or "" for word in process.argv]
    if words and posixpath.basename(words[0]) in {*_DROPPERS, "su", "sudo", "supervisord", "s6-svscan"}:
        return True
    return process.server in ("gunicorn", "uwsgi", "celery") and any(
        word.partition("=")[0] in _USER_OPTIONS for word in words[1:]
    )


def _first_script(stage: Resource, repository: Repository) -> Resource | str | None:
    """The script that an image starts with; "" when it has one that is not in the tree, None when it has none."""
    scripts = repository.memo(
        "checks.scripts", lambda repo: {script.path: script for script in repo.of_kind("shell.script")}
    )
    for key in ("entrypoint", "cmd"):
        for word in stage.node.items_at(f"{key}.words")[:3]:
            text = word.text or ""
            name = posixpath.basename(text)
            if not (name.endswith(".sh") or "entrypoint" in name or "/" in text):
                continue
            path = files_of(stage, repository).tree_path(text)
            if path in scripts:
                return scripts[path]
            if path is None and (name.endswith(".sh") or "entrypoint" in name):
                return ""
    return None


def _script_drops(script: Resource) -> bool:
    """Whether a script hands over to another user somewhere, be it under a condition."""
    names = (posixpath.basename(command.text_at("name") or "") for command in script.node.items_at("commands"))
    return any(name in _DROPPERS or name in ("su", "sudo", "start-stop-daemon") for name in names)


def _set_by_a_chart(repository: Repository) -> bool:
    """Whether a chart sets `runAsUser` or `runAsNonRoot` of a pod whose image is not known to be built elsewhere."""

    def build(repo: Repository) -> bool:
        charts = {release.variant for release in repo.of_kind("helm.release")}
        return any(
            service.image is None and _decided_by_pod(service) is not None
            for service in repo.services
            if service.workload is not None and service.workload.variant in charts
        )

    return repository.memo("checks.chart_sets_user", build)


def cannot_prove_non_root(service: Service, context: Context) -> Outcomes:
    """With `runAsNonRoot` the kubelet can see from the image, or from `runAsUser`, that the user is not root."""
    asked = _security(service, "runAsNonRoot")
    stage = service.image
    if service.container is None or service.pod is None or asked is None or stage is None or is_windows(service.pod):
        yield Skip("no pod with runAsNonRoot runs an image that is built here")
        return
    if asked.is_unknown:
        yield cannot(asked)
        return
    if asked.scalar is not True:
        yield Skip("runAsNonRoot is not asked for")
        return
    yield from _judged(service, asked, stage, context.repository)


def _judged(service: Service, asked: Node, stage: Resource, repository: Repository) -> Iterator[Hit | Cannot]:
    chosen = _security(service, "runAsUser")
    container = service.container.address if service.container is not None else ""
    if chosen is not None:
        if chosen.is_unknown:
            yield cannot(chosen)
        elif chosen.scalar == 0 and chosen.scalar is not False:
            yield Hit(
                chosen.span,
                {"container": container},
                related=((asked.anchor, "runAsNonRoot is asked for"),),
                address=container,
                message="{container} asks for runAsNonRoot and for runAsUser 0: the kubelet refuses to start it",
            )
        return
    user = user_of(stage, repository)
    if user.root is None:
        yield Cannot(user.place, user.because)
        return
    if user.root:
        why = f"its image ({stage.path}) runs as root"
    elif user.name and not user.is_numeric:
        why = f"USER {user.name} of its image is a name, from which the kubelet cannot tell that it is not root"
    else:
        return
    yield Hit(
        user.place,
        {"container": container, "why": why},
        related=((asked.anchor, "runAsNonRoot is asked for"),),
        address=f"{stage.path}: {container}",
    )
