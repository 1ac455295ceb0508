"""Builds the services: one for each container of a workload, one for each image that no workload runs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pyprod_audit.link import network, workloads
from pyprod_audit.link.compose import deployed_services, service_name
from pyprod_audit.link.compose_images import built_stage, proxies_of
from pyprod_audit.link.container_start import startup_of
from pyprod_audit.link.environment import Environment, environment
from pyprod_audit.link.images import all_folders, image_files, project_of
from pyprod_audit.link.pod_environment import pod_environment
from pyprod_audit.link.python_modules import ModuleFinder
from pyprod_audit.link.servers import process
from pyprod_audit.link.workplaces import shipped_stage
from pyprod_audit.model import (
    AppReference,
    Evidence,
    ImageFiles,
    Node,
    Process,
    Repository,
    Resource,
    Service,
    Unknown,
)
from pyprod_audit.model.kubernetes import name_of, object_of, place_of

# Images that everybody pulls: a container that names one is not built here unless a folder has exactly its name.
_PUBLIC = {
    "nginx", "redis", "valkey", "postgres", "mysql", "mariadb", "mongo", "rabbitmq", "memcached", "busybox", "alpine",
    "python", "traefik", "envoy", "haproxy", "kafka", "zookeeper", "elasticsearch", "prometheus", "grafana",
    "postgresql", "vault", "consul", "minio", "curl", "kubectl", "debian", "ubuntu", "otel", "jaeger", "pause",
    "pgbouncer", "cloudsqlproxy", "gcecloudsqlproxy", "nginxunprivileged", "opentelemetrycollectorcontrib", "fluentbit",
}  # fmt: skip


class Stated(Protocol):
    """A join that the user states: see `config.StatedService`."""

    @property
    def name(self) -> str:
        """What the user calls the service."""

    @property
    def dockerfile(self) -> str | None:
        """The path of its Dockerfile."""

    @property
    def workload(self) -> str | None:
        """The address or path of its workload."""

    @property
    def project(self) -> str | None:
        """The folder of its Python project."""


@dataclass(frozen=True, slots=True)
class Image:
    """A final stage with the files it holds and the project it runs."""

    stage: Resource
    files: ImageFiles
    project: str | None
    project_name: str = ""

    @property
    def names(self) -> set[str]:
        """What the image may be called: its folder, context or project, the Dockerfile's suffix or prefix."""
        path = self.stage.path
        file = posixpath.basename(path)
        folders = [posixpath.basename(posixpath.dirname(path)), posixpath.basename(self.files.context)]
        marks = re.split(r"[.]", re.sub(r"(?i)dockerfile|containerfile", "", file))
        return {normal(name) for name in (*folders, *marks, self.project_name) if name}


def normal(name: str) -> str:
    """A name as compared: lower case, without separators."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def build(repository: Repository, stated: Sequence[Stated] = ()) -> tuple[Service, ...]:
    """All services of the repository, in order of discovery; `stated` joins come before what names suggest."""
    images = list(_images(repository))
    used: set[int] = set()
    services = list(_deployed(repository, images, stated, used))
    services.extend(_composed(repository, images, used))
    services.extend(_undeployed(repository, images, used))
    return tuple(services)


def _images(repository: Repository) -> Iterator[Image]:
    folders = all_folders(repository.paths)
    for file in repository.of_kind("docker.file"):
        stages = repository.children(file, "docker.stage")
        if stages:
            stage = shipped_stage(stages)
            files = image_files(stage, stages, repository.paths, folders)
            project = project_of(files, file.path)
            yield Image(stage, files, project, _project_name(project, repository))


def _project_name(project: str | None, repository: Repository) -> str:
    """The name that the project's manifest declares."""
    return repository.memo("link.project_names", _project_names).get(project, "") if project is not None else ""


def _project_names(repository: Repository) -> dict[str, str]:
    """The first name that a manifest declares, by folder."""
    found: dict[str, str] = {}
    for manifest in repository.of_kind("py.manifest"):
        name = manifest.node.text_at("name")
        if name:
            found.setdefault(posixpath.dirname(manifest.path), name)
    return found


def _deployed(
    repository: Repository, images: Sequence[Image], stated: Sequence[Stated], used: set[int]
) -> Iterator[Service]:
    containers = repository.of_kind("k8s.container")
    nearest = _nearest_by_name(images)
    joins = {id(container): _stated(container, images, stated) or _join(container, nearest) for container in containers}
    lone = _only_match(containers, images, joins)
    for container in containers:
        pod = container.parent
        if pod is None:
            continue
        image, evidence = joins[id(container)]
        if image is None and lone is not None and any(container is one for one in lone[0]):
            image = lone[1]
            evidence = Evidence(
                "the only image left that is built here and the only image left that workloads run and is not public",
                container.node.anchor,
            )
        if image is not None:
            used.add(id(image.stage))
        workload = object_of(pod)
        siblings = repository.children(pod, "k8s.container")
        name = name_of(workload) or workload.address
        if len(siblings) > 1:
            name = f"{name}/{container.node.text_at('name') or siblings.index(container)}"
        yield _service(name, repository, image, workload, pod, container, evidence)


def _stated(
    container: Resource, images: Sequence[Image], stated: Sequence[Stated]
) -> tuple[Image | None, Evidence | None] | None:
    """The join that the configuration states for this container's workload, if any."""
    workload = object_of(container)
    for one in stated:
        if one.workload not in (workload.address, workload.path) or one.dockerfile is None:
            continue
        for image in images:
            if image.stage.path == one.dockerfile:
                joined = image if one.project is None else replace(image, project=one.project)
                return joined, Evidence(f"the configuration joins them as {one.name}", container.node.anchor)
    return None


def _nearest_by_name(images: Sequence[Image]) -> dict[tuple[str, str], Image]:
    """The first image by each of its names and each folder that it stands below ("" is the scan root)."""
    found: dict[tuple[str, str], Image] = {}
    for image in images:
        folders = list(_upwards(image.stage.path))
        for name in image.names:
            for folder in folders:
                found.setdefault((name, folder), image)
    return found


def _upwards(path: str) -> Iterator[str]:
    """The folder that a path stands in, the one above it, up to the scan root."""
    while path:
        path = posixpath.dirname(path)
        yield path


def _join(container: Resource, nearest: Mapping[tuple[str, str], Image]) -> tuple[Image | None, Evidence | None]:
    """The image built here that the container runs, by the name of the image."""
    node = container.node.get("image")
    text = _image_text(node)
    if node is None or not text:
        return None, None
    name = _repository_name(text)
    wanted = normal(name)
    if not wanted:
        return None, None
    near = next((nearest[key] for folder in _upwards(container.path) if (key := (wanted, folder)) in nearest), None)
    if near is not None and (wanted not in _PUBLIC or posixpath.basename(near.files.context) == name):
        return near, Evidence(f"the image {name} is built from {near.stage.path}", node.span)
    return None, None


def _repository_name(image: str) -> str:
    """The last part of an image's name, without tag and digest: `registry:5000/shop/web:1@sha256:…` is `web`."""
    return posixpath.basename(image.partition("@")[0]).partition(":")[0]


def _image_text(node: Node | None) -> str:
    if node is None:
        return ""
    if isinstance(node.value, Unknown):
        return re.sub(r"\$\{[^}]*\}|\{\{.*?\}\}|\$\w+", "", node.value.expression)
    return node.text or ""


def _only_match(
    containers: Sequence[Resource], images: Sequence[Image], joins: Mapping[int, tuple[Image | None, Evidence | None]]
) -> tuple[Sequence[Resource], Image] | None:
    """The one image left that is built here, and the containers left that run no public image, when all run the same.

    A web server, its worker and its migration often run one image.
    """
    joined = {id(image.stage) for image, _ in joins.values() if image is not None}
    left = [image for image in images if id(image.stage) not in joined and image.project is not None]
    own = [container for container in containers if joins[id(container)][0] is None and not _is_public(container)]
    names = {_image_text(container.node.get("image")).partition("@")[0].rpartition("/") for container in own}
    if len(left) != 1 or len({(folder, _repository_name(name)) for folder, _, name in names}) != 1:
        return None
    return (own, left[0]) if all(name for _, _, name in names) else None


def _is_public(container: Resource) -> bool:
    text = _image_text(container.node.get("image"))
    return normal(_repository_name(text)) in _PUBLIC or text.startswith(
        ("registry.k8s.io/", "quay.io/", "gcr.io/google-containers/")
    )


def _composed(repository: Repository, images: Sequence[Image], used: set[int]) -> Iterator[Service]:
    """The services of Compose projects that are deployed, where no workload of Kubernetes runs their image."""
    taken = {image.stage.path for image in images if id(image.stage) in used}
    for started in deployed_services(repository):
        built = built_stage(started, repository)
        if built is None or built.stage.path in taken:
            continue
        used.update(id(image.stage) for image in images if image.stage.path == built.stage.path)
        project = project_of(built.files, built.stage.path)
        image = Image(built.stage, built.files, project, _project_name(project, repository))
        yield _service(service_name(started), repository, image, None, None, None, built.evidence, started)


def _undeployed(repository: Repository, images: Sequence[Image], used: set[int]) -> Iterator[Service]:
    for image in images:
        if id(image.stage) in used:
            continue
        folder = posixpath.basename(posixpath.dirname(image.stage.path)) or posixpath.basename(image.files.context)
        mark = re.sub(r"(?i)\.?(dockerfile|containerfile)\.?", "", posixpath.basename(image.stage.path))
        name = folder or mark or "image"
        if folder and mark:
            name = f"{folder}-{mark}"
        evidence = Evidence(
            f"{image.stage.path} builds it; no workload in the repository runs it", image.stage.node.anchor
        )
        yield _service(name, repository, image, None, None, None, evidence)


def _service(
    name: str,
    repository: Repository,
    image: Image | None,
    workload: Resource | None,
    pod: Resource | None,
    container: Resource | None,
    evidence: Evidence | None,
    started: Resource | None = None,
) -> Service:
    stage = image.stage if image is not None else None
    files = image.files if image is not None else None
    project = image.project if image is not None else None
    env = environment(stage, container or started, repository)
    finder = ModuleFinder(repository, files, project, env)
    running = _process(stage, container or started, env, repository, files, finder, project)
    module = None
    modules: tuple[Resource, ...] = ()
    if running is not None and isinstance(running.app, AppReference):
        if running.chdir:
            finder = ModuleFinder(repository, files, project, env, running.chdir)
        module = running.script if running.app.module == "__main__" else finder.module(running.app.module)
    elif running is not None:
        module = running.script
    if files is not None and project is not None:
        modules = _modules_of(project, repository)
    entries: tuple[Resource, ...] = ()
    facts = dict(running.facts) if running is not None else {}
    if workload is not None and pod is not None and container is not None:
        entries = _entries(pod, repository)
        facts.update(workloads.facts(workload, pod, container, repository))
    elif started is not None:
        entries = proxies_of(started, repository)
    notes = [evidence] if evidence is not None else []
    notes += [Evidence(f"{entry.address} leads traffic to it", place_of(entry)) for entry in entries]
    if project is not None:
        notes.append(Evidence(f"the image holds the Python project in {project or 'the root folder'}"))
    return Service(
        name, project, stage, workload, pod, container, running, entries, files, module, modules, facts, tuple(notes),
        started,
    )  # fmt: skip


def _modules_of(project: str, repository: Repository) -> tuple[Resource, ...]:
    """The modules below a folder, in order of discovery."""
    known: dict[str, tuple[Resource, ...]] = repository.memo("link.modules_of", lambda _repo: {})
    if project not in known:
        known[project] = tuple(repository.memo("link.modules_below", _modules_below).get(project, ()))
    return known[project]


def _modules_below(repository: Repository) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for module in repository.of_kind("py.module"):
        for folder in _upwards(module.path):
            found.setdefault(folder, []).append(module)
    return found


def _entries(pod: Resource, repository: Repository) -> tuple[Resource, ...]:
    services = network.services_of(pod, repository)
    routes = [route for service in services for route in network.routes_to(service, repository)]
    proxies = network.proxies_to((host for service in services for host in _dns_names(service)), repository)
    return tuple(dict.fromkeys((*services, *routes, *proxies)))


def _dns_names(service: Resource) -> Iterator[str]:
    name = name_of(service)
    namespace = service.node.text_at("metadata.namespace")
    yield name
    if namespace:
        yield from (f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local")


def _process(
    stage: Resource | None,
    container: Resource | None,
    env: Environment,
    repository: Repository,
    files: ImageFiles | None,
    finder: ModuleFinder,
    project: str | None,
) -> Process | None:
    scripts_by_path = repository.memo(
        "link.scripts", lambda repo: {script.path: script for script in repo.of_kind("shell.script")}
    )

    def scripts(path: str) -> Resource | None:
        found = files.tree_path(path) if files is not None else None
        return scripts_by_path.get(found) if found is not None else None

    startup = startup_of(stage, container, env, pod_environment(container, repository), scripts)
    if startup is None:
        return None
    found = process(startup, finder, project or "")
    if container is not None and container.parent is not None:
        shared = container.parent.node.get("shareProcessNamespace")
        if shared is not None and shared.scalar is True:  # then the pause container is PID 1 for everybody
            return replace(found, signals=None, signals_because="the pod shares its process namespace")
    return found
