"""Small repositories as the linker sees them: files in, services out."""

from __future__ import annotations

from collections.abc import Sequence

from pyprod_audit.config import StatedService
from pyprod_audit.intake import from_sources
from pyprod_audit.link import build
from pyprod_audit.model import Repository, Service, SourceFile


def linked(files: dict[str, str], stated: Sequence[StatedService] = ()) -> Repository:
    """The repository that consists of `files`, with its services."""
    intake = from_sources([SourceFile(path, text) for path, text in files.items()])
    assert not intake.problems
    repository = Repository(intake.files, intake.paths, intake.resources)
    repository.services = build(repository, stated)
    return repository


def only_service(files: dict[str, str]) -> Service:
    """The one service of a small repository."""
    (service,) = linked(files).services
    return service


def deployment(name: str, container: str, *, pod: str = "", kind: str = "Deployment") -> str:
    """A workload with one container, given in YAML's flow style: `image: x, command: [y]`."""
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  template:\n"
        f"    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n{pod}      containers: [{{name: {name}, {container}}}]\n"
    )
