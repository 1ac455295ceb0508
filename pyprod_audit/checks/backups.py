"""BKP-001: databases that keep their data in the cluster and that nothing in the repository backs up."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.backup_tools import DUMPS, dump_program, mention, speaks_of_backups
from pyprod_audit.checks.rehearsal import is_rehearsal
from pyprod_audit.link.datastores import Datastore, datastores
from pyprod_audit.model import Node, Repository, Resource, Span, Unknown
from pyprod_audit.model.kubernetes import object_of

_SCHEDULES = frozenset({"k8s.schedule", "k8s.volumesnapshot", "k8s.snapshotschedule", "k8s.replicationsource",
                        "k8s.recurringjob"})  # fmt: skip
_JUDGED = frozenset({"kubernetes", "kustomization", "shell", "crontab", "terraform", "dockerfile", "dockerignore"})
_ANNOTATIONS = ("backup.velero.io/", "k8up.io/", "stash.appscode.com/", "snapscheduler", "kanister")
_TERRAFORM = ("tf.aws_backup", "tf.aws_dlm_lifecycle_policy", "tf.google_gke_backup",
              "tf.azurerm_data_protection_backup", "tf.google_compute_resource_policy")  # fmt: skip
# A file with "backup" in its name says something when it is code, configuration or a description.
_TELLING = (".sh", ".bash", ".py", ".yaml", ".yml", ".json", ".tf", ".cron", ".md", ".rst", ".conf", ".service",
            ".timer")  # fmt: skip


def database_without_backup(repository: Repository, _context: Context) -> Outcomes:
    """A database in the cluster whose data outlives its pods, and no sign of a backup of it."""
    own = [one for one in datastores(repository) if one.runs_as != "cloud" and one.kind and not one.replica]
    lasting = [one for one in own if one.lasting is not False and not is_rehearsal(one.resource)]
    if not lasting:
        yield Skip("no database that is run here keeps its data")
        return
    seen: set[tuple[str, str]] = set()
    for datastore in lasting:
        key = (datastore.kind, datastore.name)
        if key in seen:  # another copy of the same manifest
            continue
        seen.add(key)
        yield from _judged(datastore, repository)


def _judged(datastore: Datastore, repository: Repository) -> Outcomes:
    if _backed_up(datastore, repository):
        return
    if datastore.lasting is None:
        yield Cannot(datastore.span, "whether its data outlives the pod is known only at deploy time")
        return
    maybe = _mentioned(datastore.kind, repository) or (
        _in_scripts(repository) if datastore.runs_as == "compose" else None
    )
    if maybe is not None:
        yield Cannot(maybe.span, f"{datastore.address}: {maybe.because}")
        return
    yield Hit(datastore.span, {"kind": datastore.kind}, address=datastore.address)


# -- surely backed up ------------------------------------------------------------------------------------------


def _backed_up(datastore: Datastore, repository: Repository) -> bool:
    return (
        _by_operator(datastore)
        or _annotated(datastore)
        or repository.memo(f"backups.{datastore.kind}", lambda repo: any(_arrangements(datastore.kind, repo)))
    )


def _by_operator(datastore: Datastore) -> bool:
    """Whether an operator's custom resource has a section about backups that is not switched off."""
    if datastore.runs_as != "operator":
        return False
    spec = datastore.resource.node.get("spec")
    for key, node in (spec.mapping if spec is not None else {}).items():
        if "backup" not in key.lower() or node.value in (None, False, {}, ()):
            continue
        enabled = node.get("enabled")
        if enabled is None or enabled.scalar is not False:
            return True
    plugins = spec.items_at("plugins") if spec is not None else ()
    return any(speaks_of_backups(name) or "barman" in name for name in (one.text_at("name") or "" for one in plugins))


def _annotated(datastore: Datastore) -> bool:
    owner = object_of(datastore.resource).node
    places = (owner.mapping_at("metadata.annotations"), owner.mapping_at("spec.template.metadata.annotations"))
    return any(key.startswith(_ANNOTATIONS) or speaks_of_backups(key) for place in places for key in place)


def _arrangements(kind: str, repository: Repository) -> Iterator[Resource]:
    """What in the repository makes backups of databases of this kind, whichever they are."""
    for resource_kind, found in repository.by_kind.items():
        is_backup = resource_kind.startswith("k8s.") and "backup" in resource_kind
        if is_backup or resource_kind in _SCHEDULES or resource_kind.startswith(_TERRAFORM):
            yield from found
    images = {id(service.workload): service.image for service in repository.services if service.image is not None}
    for job in repository.of_kind("k8s.cronjob"):
        image = images.get(id(job))
        if _job_backs_up(kind, job) and _dumps_at(image, repository) in ("", kind):
            yield job
    for service in repository.of_kind("compose.service"):
        if _service_backs_up(kind, service):
            yield service
    for script in repository.of_kind("shell.script", "cron.entry"):
        if any(_dumps(kind, command) for command in script.node.items_at("commands")):
            yield script


def _job_backs_up(kind: str, job: Resource) -> bool:
    """Whether a CronJob by its name, its images or its commands is about backups."""
    if speaks_of_backups(job.node.text_at("metadata.name") or ""):
        return True
    template = job.node.find(("spec", "jobTemplate", "spec", "template", "spec"))[0]
    if not isinstance(template, Node):
        return False
    for container in (*template.items_at("containers"), *template.items_at("initContainers")):
        texts = [_written(container.get("image"))]
        texts += [_written(word) for word in (*container.items_at("command"), *container.items_at("args"))]
        if any(speaks_of_backups(text) or mention(kind, text) for text in texts):
            return True
    return False


def _service_backs_up(kind: str, service: Resource) -> bool:
    """Whether a service of Compose by its name, its image or its command is about backups."""
    words = (*service.node.items_at("entrypoint"), *service.node.items_at("command"))
    texts = [service.address, _written(service.node.get("image")), *(_written(word) for word in words)]
    return any(speaks_of_backups(text) or mention(kind, text) for text in texts)


def _dumps_at(image: Resource | None, repository: Repository) -> str:
    """The database that the scripts beside the Dockerfile of a job's image dump; "" when that is not told."""
    if image is None:
        return ""
    folder = image.path.rpartition("/")[0] + "/"
    beside = [one for one in repository.of_kind("shell.script") if f"/{one.path}".startswith(f"/{folder.lstrip('/')}")]
    dumped = {
        kind for kind in sorted(set(DUMPS.values())) for one in beside
        if any(_dumps(kind, command) for command in one.node.items_at("commands"))
    }  # fmt: skip
    return dumped.pop() if len(dumped) == 1 else ""


def _dumps(kind: str, command: Node) -> bool:
    """Whether a command of a script runs a dump program of this database, also through `docker exec` and the like."""
    words = [word for node in command.items_at("words") if node.text for word in node.text.split()]
    return any(DUMPS.get(dump_program(word)) == kind for word in words) or any(
        word in ("wal-g", "pgbackrest", "barman", "restic", "velero") for word in words
    )


# -- perhaps backed up -----------------------------------------------------------------------------------------


def _mentioned(kind: str, repository: Repository) -> Cannot | None:
    """A file that speaks of backups without showing that they are made."""
    return repository.memo(f"backups.mentioned.{kind}", lambda repo: _mention(kind, repo))


def _in_scripts(repository: Repository) -> Cannot | None:
    """A script that speaks of backups: what is beside Compose may copy volumes with any tool."""
    for script in repository.of_kind("shell.script"):
        at = script.source.text.lower().find("backup")
        if at >= 0:
            return Cannot(Span(script.source, at, at + len("backup")), f"{script.path} speaks of backups")
    return None


def _mention(kind: str, repository: Repository) -> Cannot | None:
    for path, source in repository.files.items():
        found = mention(kind, source.text)
        if found is not None:
            at = Span(source, found.start(), found.end())
            return Cannot(at, f"{path} speaks of {found[0].strip(' :')}, which may be its backup")
    telling = (path for path in repository.paths if speaks_of_backups(path) and _is_telling(path, repository))
    path = min(telling, default="")
    return Cannot(None, f"{path} may be about its backup") if path else None


def _is_telling(path: str, repository: Repository) -> bool:
    """Whether a file may set up a backup in a way that nobody here has read."""
    source, name = repository.files.get(path), path.rpartition("/")[2]
    if source is not None and source.kind in _JUDGED:
        return False
    return name.endswith(_TELLING) or "." not in name


def _written(node: Node | None) -> str:
    if node is None:
        return ""
    return node.value.expression if isinstance(node.value, Unknown) else node.text or ""
