"""Compose projects among the ways in which a repository is deployed: which of them is production's, what they start.

Most Compose files are for developers, and nothing in them says so. A project counts as deployed only when something
shows that, its names or that its services are restarted, and nothing shows that developers work in it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pyprod_audit.link.workplaces import is_workplace, names_a_workplace
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.patterns import lazy

_TOKEN = lazy(r"[^a-z0-9]+")
_PRODUCTION: Final = frozenset({
    "prod", "production", "prd", "live", "deploy", "deployment", "deployments", "release", "staging",
})  # fmt: skip
_SAMPLES: Final = frozenset({"example", "examples", "sample", "samples", "template", "demo"})
_OVERRIDES: Final = frozenset({
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
})  # fmt: skip
_SOURCES: Final = (".py", ".js", ".ts", ".tsx", ".jsx", ".vue", ".rb", ".go", ".php", ".java", ".rs", ".cs")
_SETTINGS: Final = ("/etc/", "/config", "/data", "/var/", "/docker-entrypoint")
_RELOADING: Final = frozenset({
    "--reload", "runserver", "runserver_plus", "--watch", "watchmedo", "nodemon", "watchfiles", "--py-autoreload",
    "debugpy", "--autoreload", "livereload", "--debug",
})  # fmt: skip
_DEBUG: Final = frozenset({"DEBUG", "DJANGO_DEBUG", "FLASK_DEBUG", "APP_DEBUG"})
_STAGES: Final = frozenset({"FLASK_ENV", "NODE_ENV", "ENVIRONMENT", "APP_ENV", "ENV", "RAILS_ENV", "ENV_NAME"})
_OFF: Final = frozenset({"", "0", "false", "no", "off", "none"})
_RESTARTED: Final = ("always", "unless-stopped", "on-failure")
_ONCE: Final = frozenset({
    "migrate", "migration", "migrations", "migrator", "init", "setup", "bootstrap", "seed", "createbuckets",
    "createbucket", "installer", "permissions", "once",
})  # fmt: skip
_ONCE_WORDS: Final = frozenset({"migrate", "collectstatic", "createsuperuser", "loaddata", "makemigrations", "alembic"})
_ELSEWHERE: Final = (
    "k8s.deployment", "k8s.statefulset", "k8s.daemonset", "k8s.rollout", "k8s.service.serving.knative.dev",
    "helm.release", "tf.aws_ecs_service", "tf.google_cloud_run_service", "tf.google_cloud_run_v2_service",
    "tf.azurerm_container_app",
)  # fmt: skip


class Purpose(NamedTuple):
    """What a Compose project is for: `deployed`, or not, with what shows it (or that nothing does)."""

    deployed: bool
    because: str


def purpose_of(project: Resource, repository: Repository) -> Purpose:
    """What a `compose.project` is for."""
    known: dict[int, Purpose] = repository.memo("link.compose_purposes", lambda _repo: {})
    if id(project) not in known:
        known[id(project)] = _purpose(project, repository)
    return known[id(project)]


def deployed_services(repository: Repository) -> tuple[Resource, ...]:
    """The `compose.service`s that go on running in production, in order of discovery."""
    return repository.memo(
        "link.deployed_compose_services",
        lambda repo: tuple(
            service
            for project in repo.of_kind("compose.project")
            if purpose_of(project, repo).deployed
            for service in repo.children(project, "compose.service")
            if not_running(service, repo) is None
        ),
    )


def is_deployed(service: Resource, repository: Repository) -> bool:
    """Whether a `compose.service` goes on running in production."""
    ids = repository.memo("link.deployed_compose_ids", lambda repo: {id(one) for one in deployed_services(repo)})
    return id(service) in ids


def not_running(service: Resource, repository: Repository) -> str | None:
    """Why a service of a project that is deployed does not go on running there; None when it does."""
    profiles = [profile.text or "" for profile in service.node.items_at("profiles")]
    if profiles and all(names_a_workplace(profile) for profile in profiles):
        return "only developers start it"
    if service.node.get("image") is None and service.node.get("build") is None:
        return "what it runs is said by another file"
    return "it runs to its end" if runs_once(service, repository) else None


def runs_once(service: Resource, repository: Repository) -> bool:
    """Whether a service ends when it is done: others wait for its end, or its name or command says so."""
    name = service_name(service)
    if not _ONCE.isdisjoint(_TOKEN.split(name.lower())):
        return True
    if service.node.text_at("restart") == "no" or service.node.text_at("deploy.restart_policy.condition") == "none":
        return True
    if (service.node.text_at("deploy.mode") or "").endswith("-job"):
        return True
    words = {posixpath.basename(word.text or "") for word in service.node.items_at("command")}
    if not _ONCE_WORDS.isdisjoint(words):
        return True
    project = service.parent
    others = repository.children(project, "compose.service") if project is not None else ()
    return any(
        other.node.text_at(f"depends_on.{name}.condition") == "service_completed_successfully" for other in others
    )


def service_name(service: Resource) -> str:
    """The name under which a project has a service."""
    return service.address.removeprefix("services.")


def is_restarted(service: Resource) -> bool | None:
    """Whether the engine starts a service again when it ends; None when that is not known."""
    restart = service.node.get("restart")
    policy = service.node.get("deploy.restart_policy")
    if restart is None and policy is None:
        return False
    if (restart is not None and restart.is_unknown) or (policy is not None and policy.is_unknown):
        return None
    if policy is not None:
        return policy.text_at("condition") != "none"
    return restart is not None and (restart.text or "").partition(":")[0] in _RESTARTED


# -- what a project is for ---------------------------------------------------------------------------------------


def _purpose(project: Resource, repository: Repository) -> Purpose:
    paths = [node.text or "" for node in project.node.items_at("files")]
    services = repository.children(project, "compose.service")
    workplace = _named_workplace(project, paths)
    if workplace:
        return Purpose(False, workplace)
    production = next((path for path in paths if not _PRODUCTION.isdisjoint(_tokens(path))), "")
    if production:
        return Purpose(True, f"{production} is named after production")
    completed = _completed_by(project, paths, repository)
    if completed:
        return Purpose(False, f"{completed} is laid over it")
    work = next((why for service in services if (why := _work_in(service, repository))), "")
    if work:
        return Purpose(False, work)
    if any(repository.of_kind(kind) for kind in _ELSEWHERE):
        return Purpose(False, "the repository is deployed in another way")
    running = [service for service in services if not_running(service, repository) is None]
    restarted = [service for service in running if is_restarted(service)]
    if restarted and 2 * len(restarted) >= len(running):
        return Purpose(True, f"{restarted[0].address} is restarted when it ends")
    return Purpose(False, "nothing shows that it is deployed")


def _completed_by(project: Resource, paths: Sequence[str], repository: Repository) -> str:
    """The file that is laid over these for production; empty when there is none."""
    for other in repository.of_kind("compose.project"):
        files = [node.text or "" for node in other.node.items_at("files")]
        if other is not project and files[: len(paths)] == list(paths) and len(files) > len(paths):
            if not _PRODUCTION.isdisjoint(_tokens(files[-1])) and not _named_workplace(other, files):
                return files[-1]
    return ""


def _tokens(path: str) -> set[str]:
    """The words in the path of a Compose file, without those that say that it is one."""
    return set(_TOKEN.split(path.lower())) - {"docker", "compose", "yaml", "yml", ""}


def _named_workplace(project: Resource, paths: Sequence[str]) -> str:
    for path in paths:
        if is_workplace(path) or not _SAMPLES.isdisjoint(_tokens(path)):
            return f"{path} is named after development, tests or samples"
        if posixpath.basename(path) in _OVERRIDES:
            return f"{path} is what developers change"
    if names_a_workplace(project.node.text_at("name") or ""):
        return "the project is named after development"
    return ""


def _work_in(service: Resource, repository: Repository) -> str:
    """Why somebody works in a service: its source is mounted, it reloads, it is built or set up for development."""
    node = service.node
    target, dockerfile = node.text_at("build.target") or "", node.text_at("build.dockerfile") or ""
    if names_a_workplace(target) or is_workplace(dockerfile) or is_workplace(node.text_at("build.context") or ""):
        return f"{service.address} is built for development"
    if node.get("develop") is not None:
        return f"{service.address} has a develop section"
    words = [word.text or "" for key in ("entrypoint", "command") for word in node.items_at(key)]
    spoken = {part for word in words for part in word.split()}
    if not _RELOADING.isdisjoint(spoken) or "dev" in spoken:
        return f"{service.address} starts a server for development"
    for name, value in node.mapping_at("environment").items():
        text = (value.text or "").lower()
        if (name in _DEBUG and value.text is not None and text not in _OFF) or (
            name in _STAGES and names_a_workplace(text)
        ):
            return f"{service.address} sets {name} to {value.text}"
    mounted = next(mounted_sources(service, repository), None)
    return f"{service.address} mounts its source from {mounted.text}" if mounted is not None else ""


def mounted_sources(service: Resource, repository: Repository) -> Iterator[Node]:
    """The folders of source code that are mounted into a service that is built here or runs an interpreter's image."""
    context = service.node.text_at("build.context")
    image = posixpath.basename(service.node.text_at("image") or "").partition(":")[0]
    if context is None and image not in ("python", "node", "ruby", "golang", "php"):
        return
    for mount in service.node.items_at("volumes"):
        source = mount.get("source")
        if source is None or source.text is None or mount.text_at("type") != "bind":
            continue
        if (mount.text_at("target") or "").startswith(_SETTINGS):
            continue
        if source.text == context or _holds_source(source.text, repository):
            yield source


def _holds_source(path: str, repository: Repository) -> bool:
    if path.endswith(_SOURCES):
        return path in repository.paths
    folders = repository.memo("link.source_folders", _source_folders)
    return path in folders


def _source_folders(repository: Repository) -> frozenset[str]:
    """Every folder that holds source code at any depth; the scan root is `.`."""
    found: set[str] = set()
    for path in repository.paths:
        if path.endswith(_SOURCES):
            folder = posixpath.dirname(path)
            while folder and folder not in found:
                found.add(folder)
                folder = posixpath.dirname(folder)
            found.add(".")
    return frozenset(found)
