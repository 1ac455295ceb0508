"""Versions of Python: that what is declared agrees, and that what is deployed is still maintained."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcome, Outcomes, Skip, cannot
from pyprod_audit.checks.deployed_python import (
    DeployedPython,
    is_deployed_by_file,
    minor_of,
    nearest_files,
    python_of_platform,
    python_of_stage,
)
from pyprod_audit.checks.docker_view import (
    copies_from,
    index_of,
    production_stage,
    production_stage_of,
    stage_called,
    stages_behind,
)
from pyprod_audit.checks.made_environments import environments_made
from pyprod_audit.checks.requirement_files import manifests_in
from pyprod_audit.lifecycles import lifecycle
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown
from pyprod_audit.model.patterns import lazy

_IN_PATH = lazy(r"python([23]\.[0-9]{1,2})(?![0-9])")
_ENVIRONMENT = lazy(r"site-packages|(?:^|/)\.?v?env(?:/|$)|venv|virtualenv")
_PATCHES = 60


def end_of_life(resource: Resource, context: Context) -> Outcomes:
    """The Python that production runs on still gets security fixes."""
    found = _deployed(resource, context.repository)
    if found is None:
        yield Skip("it does not say which Python production runs on")
        return
    if isinstance(found, Node):
        yield cannot(found)
        return
    cycle = lifecycle("python", found.version)
    if cycle is None or not cycle.is_past(context.as_of) or cycle.end_of_life is None:
        return
    values = {"version": cycle.cycle, "ended": cycle.end_of_life.isoformat()}
    yield Hit(found.node.span, values, address=resource.path if resource.kind == "docker.file" else "")


def _deployed(resource: Resource, repository: Repository) -> DeployedPython | Node | None:
    """The Python that a Dockerfile, a version file or a resource of Terraform deploys; a node when it is not known."""
    if resource.kind == "docker.file":
        stage = production_stage(resource, repository)
        found = python_of_stage(stage, repository) if stage is not None else None
        if isinstance(found, Unknown) and stage is not None:
            return stage.node.get("base.tag")
        return None if isinstance(found, Unknown) else found
    if resource.kind == "py.version":
        version = resource.node.get("version")
        if (
            version is None
            or not is_deployed_by_file(resource, repository)
            or "implementation" in resource.node.mapping
        ):
            return None
        return version if version.is_unknown else DeployedPython(version.text or "", version)
    return python_of_platform(resource)


def versions_disagree(subject: Service | Resource, context: Context) -> Outcomes:
    """What is declared about the version of Python agrees with what is deployed."""
    repository = context.repository
    if isinstance(subject, Resource):
        yield from _platform_file(subject, repository)
        return
    stage = production_stage_of(subject.image, repository)
    if stage is None:
        yield Skip("no image of it is built here")
        return
    python = python_of_stage(stage, repository)
    if python is None:
        yield Skip("the image does not tell its Python")
        return
    if isinstance(python, Unknown):
        yield Cannot(stage.node.anchor, python.because or "the image's tag is known only when it is built")
        return
    yield from _copied_environments(stage, python, repository)
    if subject.project is not None:
        yield from _against_manifests(python, stage.path, subject.project, repository)
        yield from _against_files(python, stage.path, subject.project, repository)


def _platform_file(resource: Resource, repository: Repository) -> Iterator[Outcome]:
    """`runtime.txt` and the like, which a platform deploys, against the manifest and the files beside them."""
    version = resource.node.get("version")
    if version is None or version.text is None or not minor_of(version.text):
        yield Skip("it names no minor version")
        return
    if not is_deployed_by_file(resource, repository) or "implementation" in resource.node.mapping:
        yield Skip("no platform reads it")
        return
    python = DeployedPython(version.text, version)
    folder = posixpath.dirname(resource.path)
    yield from _against_manifests(python, resource.path, folder, repository)
    for other in nearest_files(folder, repository):
        if other is not resource and other.path == posixpath.join(folder, posixpath.basename(other.path)):
            yield from _file_differs(python, resource.path, other)


def _against_manifests(python: DeployedPython, where: str, folder: str, repository: Repository) -> Iterator[Outcome]:
    for manifest in manifests_in(folder, repository):
        requires = manifest.node.get("requires_python")
        if requires is None or requires.text is None:
            continue
        if _allows(requires.text, python) is False:
            asked = requires.span.text.strip("\"'")
            yield Hit(
                python.node.span,
                {"where": where, "version": python.version, "manifest": manifest.path, "asked": asked},
                related=((requires.anchor, f"requires Python {asked}"),),
                address=f"{where}: {manifest.path}",
                message="{where} runs Python {version}, but {manifest} asks for {asked}",
            )


def _against_files(python: DeployedPython, where: str, folder: str, repository: Repository) -> Iterator[Outcome]:
    for file in nearest_files(folder, repository):
        yield from _file_differs(python, where, file)


def _file_differs(python: DeployedPython, where: str, file: Resource) -> Iterator[Outcome]:
    minors = [minor_of(version.text or "") for version in file.node.items_at("versions")]
    if "implementation" in file.node.mapping or not all(minors) or python.minor in minors:
        return
    version = file.node.get("version")
    if version is not None:
        yield Hit(
            version.span,
            {"file": file.path, "said": version.text, "where": where, "version": python.version},
            related=((python.node.anchor, f"production runs Python {python.version}"),),
            address=f"{file.path}: {where}",
        )


def _allows(specifier: str, python: DeployedPython) -> bool | None:
    """Whether `requires-python` allows a version; one without a patch is any of its patches. None: not PEP 440."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only this rule needs it

    try:
        wanted = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    exact = python.version.count(".") > 1
    versions = [python.version] if exact else [f"{python.minor}.{patch}" for patch in range(_PATCHES)]
    return any(wanted.contains(version, prereleases=True) for version in versions)


def _copied_environments(stage: Resource, python: DeployedPython, repository: Repository) -> Iterator[Outcome]:
    """Site packages that come from a stage with another Python, or go where this one does not look."""
    stages = repository.children(stage.parent, "docker.stage") if stage.parent is not None else []
    chain = {id(one) for one in stages_behind(stage, repository)}
    for holder in stages:
        own = python_of_stage(holder, repository) if id(holder) in chain else None
        if not isinstance(own, DeployedPython) or own.minor != python.minor:
            continue
        for copy, name in copies_from(holder):
            words = copy.items_at("expanded")
            origin = stage_called(name, stages, index_of(holder))
            if len(words) < 2 or origin is None:
                continue
            other = python_of_stage(origin, repository)
            known = other if isinstance(other, DeployedPython) else None
            brings = _brings_environment(words, origin, repository)
            yield from _copy_differs(copy, words, own, known, stage.path, brings=brings)


def _brings_environment(words: tuple[Node, ...], origin: Resource, repository: Repository) -> bool:
    """Whether what is copied is, or holds, an environment that `origin` made."""
    sources = [word.text or "" for word in words[:-1]]
    if any(_ENVIRONMENT.search(source) for source in sources):
        return True
    workdir = origin.node.text_at("workdir") or "/"
    folders = [posixpath.normpath(posixpath.join(workdir, source)) for source in sources if source]
    made = [one.path for one in environments_made(origin, repository)]
    return any(f"{path}/".startswith(folder.rstrip("/") + "/") for folder in folders for path in made)


def _copy_differs(
    copy: Node, words: tuple[Node, ...], own: DeployedPython, other: DeployedPython | None, path: str, *, brings: bool
) -> Iterator[Outcome]:
    target = words[-1]
    told = _IN_PATH.search(target.text or "")
    if told and told[1] != own.minor:
        yield Hit(
            target.span,
            {"target": target.text, "version": own.minor},
            related=((own.node.anchor, f"the image runs Python {own.minor}"),),
            address=f"{path}: {target.text}",
            message="packages are copied to {target}, but the image runs Python {version}, which does not look there",
        )
    elif other is not None and other.minor != own.minor:
        sources = [word.text or "" for word in words[:-1]]
        if brings:
            yield Hit(
                copy.anchor,
                {"source": sources[0], "built": other.minor, "version": own.minor},
                related=(
                    (other.node.anchor, f"built with Python {other.minor}"),
                    (own.node.anchor, f"runs with Python {own.minor}"),
                ),
                address=f"{path}: {sources[0]}",
                message="{source} was built with Python {built} and is copied into an image with Python {version}, "
                "which does not find its packages",
            )
