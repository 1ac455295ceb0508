"""What a Compose service runs, the stage of a Dockerfile that it is built from, and what leads requests to it."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import NamedTuple

from pyprod_audit.link.compose import service_name
from pyprod_audit.link.images import all_folders, image_files
from pyprod_audit.link.network import proxies_to
from pyprod_audit.model import Evidence, ImageFiles, Repository, Resource
from pyprod_audit.model.patterns import lazy

_ADDRESS = lazy(r"[a-z]+://|git@")


class Built(NamedTuple):
    """The stage of a Dockerfile that a service is built from, with its files, and what says so."""

    stage: Resource
    files: ImageFiles
    evidence: Evidence


def built_stage(service: Resource, repository: Repository) -> Built | None:
    """The stage that a service is built from; None when it is built from none of this repository, or that is not known.

    A service without `build` runs the image of another service of its project when it names that one's.
    """
    known: dict[int, Built | None] = repository.memo("link.compose_built", lambda _repo: {})
    if id(service) not in known:
        known[id(service)] = _built_stage(service, repository)
    return known[id(service)]


def _built_stage(service: Resource, repository: Repository) -> Built | None:
    builder = service if service.node.get("build") is not None else _builder(service, repository)
    if builder is None:
        return None
    context, dockerfile = builder.node.get("build.context"), builder.node.get("build.dockerfile")
    if context is None or dockerfile is None or context.text is None or dockerfile.text is None:
        return None
    if _ADDRESS.match(context.text):
        return None
    folder = "" if context.text == "." else context.text
    path = posixpath.normpath(posixpath.join(folder, dockerfile.text))
    file = repository.memo("link.dockerfiles", _dockerfiles).get(path)
    stages = repository.children(file, "docker.stage") if file is not None else []
    target = builder.node.get("build.target")
    stage = stages[-1] if stages and target is None else None
    if target is not None:
        stage = next((one for one in stages if one.node.text_at("name") == target.text), None)
    if stage is None:
        return None
    folders = repository.memo("link.folders", lambda repo: all_folders(repo.paths))
    files = replace(image_files(stage, stages, repository.paths, folders), context=folder)
    return Built(stage, files, Evidence(f"{builder.address} of {builder.path} is built from {path}", context.anchor))


def _dockerfiles(repository: Repository) -> dict[str, Resource]:
    return {file.path: file for file in repository.of_kind("docker.file")}


def proxies_of(service: Resource, repository: Repository) -> tuple[Resource, ...]:
    """The nginx locations of the same project that pass requests to a service, by its name on the project's network."""
    folder = posixpath.dirname(service.path)
    found = proxies_to((service_name(service),), repository)
    return tuple(location for location in found if not folder or location.path.startswith(f"{folder}/"))


def _builder(service: Resource, repository: Repository) -> Resource | None:
    """The service of the same project that builds the image that this one names."""
    image = service.node.text_at("image")
    project = service.parent
    if image is None or project is None:
        return None
    for other in repository.children(project, "compose.service"):
        if other.node.text_at("image") == image and other.node.get("build") is not None:
            return other
    return None
