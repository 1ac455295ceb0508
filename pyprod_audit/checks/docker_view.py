"""What several rules ask Dockerfiles: which stages production runs, what they hold, where they start from.

A Dockerfile has no notion of production, so names decide: `Dockerfile.dev`, `.devcontainer/`, `compose/local/` and
stages called `dev` or `test` are somebody's workplace, everything else is shipped.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from pyprod_audit.lifecycles import product_of_image
from pyprod_audit.link.environment import Environment
from pyprod_audit.link.images import all_folders, image_files
from pyprod_audit.link.workplaces import is_workplace as is_workplace
from pyprod_audit.link.workplaces import names_a_workplace as names_a_workplace
from pyprod_audit.model import Copy, ImageFiles, Node, Repository, Resource, Unknown


def production_stage(file: Resource, repository: Repository) -> Resource | None:
    """The stage of a `docker.file` that production runs: the last one that is not for development; else None."""
    if is_workplace(file.path):
        return None
    for stage in reversed(repository.children(file, "docker.stage")):
        if not names_a_workplace(stage.node.text_at("name") or ""):
            return stage
    return None


def production_stage_of(stage: Resource | None, repository: Repository) -> Resource | None:
    """The stage that production runs, of the Dockerfile that `stage` stands in."""
    return production_stage(stage.parent, repository) if stage is not None and stage.parent is not None else None


def stages_behind(stage: Resource, repository: Repository) -> list[Resource]:
    """`stage` and the stages whose files it holds: as its base or by `COPY --from`, through any number of steps."""
    known: dict[Resource, list[Resource]] = repository.memo("checks.stages_behind", lambda _repo: {})
    if stage not in known:
        known[stage] = _stages_behind(stage, repository)
    return known[stage]


def _stages_behind(stage: Resource, repository: Repository) -> list[Resource]:
    if stage.parent is None:
        return [stage]
    stages = repository.children(stage.parent, "docker.stage")
    found: dict[int, Resource] = {}
    waiting = [stage]
    while waiting:
        current = waiting.pop()
        index = index_of(current)
        if index in found:
            continue
        found[index] = current
        base = current.node.get("from.stage")
        wanted = [str(base.value)] if base is not None else []
        wanted += [name for _, name in copies_from(current)]
        waiting.extend(other for name in wanted if (other := stage_called(name, stages, index)) is not None)
    return [found[index] for index in sorted(found)]


def stage_called(name: str, stages: list[Resource], before: int) -> Resource | None:
    """The stage ahead of the one with index `before` that `COPY --from=name` means; None for an image."""
    for stage in reversed(stages[:before]):
        if (stage.node.text_at("name") or "").lower() == name.lower():
            return stage
    return stages[int(name)] if name.isascii() and name.isdigit() and len(name) < 6 and int(name) < before else None


def index_of(stage: Resource) -> int:
    """The number of a stage in its file, from 0."""
    found = stage.node.get("index")
    return found.value if found is not None and isinstance(found.value, int) else 0


def copies_from(stage: Resource) -> Iterator[tuple[Node, str]]:
    """The COPY instructions of a stage that name another stage or image, with that name."""
    for instruction in stage.node.items_at("instructions"):
        if instruction.text_at("name") == "COPY":
            name = instruction.text_at("flags.from")
            if name:
                yield instruction, name


def shipped_stages(repository: Repository) -> list[Resource]:
    """All stages whose files reach what production runs, in order of discovery."""

    def build(repo: Repository) -> list[Resource]:
        found: list[Resource] = []
        for file in repo.of_kind("docker.file"):
            stage = production_stage(file, repo)
            if stage is not None:
                found.extend(stages_behind(stage, repo))
        return found

    return repository.memo("checks.shipped_stages", build)


def is_shipped(stage: Resource | None, repository: Repository) -> bool:
    """Whether the files of `stage` reach what production runs."""
    ids = repository.memo("checks.shipped_ids", lambda repo: {id(one) for one in shipped_stages(repo)})
    return stage is not None and id(stage) in ids


class ImageReference(NamedTuple):
    """An image from elsewhere that a build starts from or copies from. `span` covers the reference."""

    node: Node
    name: str | None
    tag: Node | None
    digest: Node | None

    @property
    def image(self) -> str:
        """The reference as it is written, for messages."""
        value = self.node.get("image")
        if value is None:
            return ""
        return value.value.expression if isinstance(value.value, Unknown) else str(value.scalar)


def base_reference(stage: Resource) -> ImageReference | None:
    """The image that a stage is built `FROM`; None when that is a stage of the same file."""
    node = stage.node.get("from")
    return None if node is None or node.get("stage") is not None else reference_of(node)


def root_reference(stage: Resource) -> ImageReference | None:
    """The image at the end of the chain of stages that a stage is built from."""
    node = stage.node.get("base")
    return None if node is None else reference_of(node)


def reference_of(node: Node) -> ImageReference:
    """A `ref` node (docs/model.md) as a value; `name` with its registry, None when it is not known."""
    name, registry = node.text_at("name"), node.text_at("registry")
    if name and registry and registry not in ("docker.io", "index.docker.io"):
        name = f"{registry}/{name}"
    return ImageReference(node, name, node.get("tag"), node.get("digest"))


def is_built_here(name: str, repository: Repository) -> bool:
    """Whether a bare name (`FROM base`) is a build context that `docker buildx bake` makes of another Dockerfile."""
    folders = repository.memo(
        "checks.built_folders",
        lambda repo: {posixpath.basename(posixpath.dirname(file.path)) for file in repo.of_kind("docker.file")},
    )
    return "/" not in name and name in folders and product_of_image(name) is None


def files_of(stage: Resource, repository: Repository) -> ImageFiles:
    """What a stage holds of the build context; made once for each stage."""

    def build(repo: Repository) -> ImageFiles:
        stages = repo.children(stage.parent, "docker.stage") if stage.parent is not None else [stage]
        folders = repo.memo("checks.folders", lambda one: all_folders(one.paths))
        files = image_files(stage, stages, repo.paths, folders)
        own_folder = posixpath.dirname(stage.path)
        if files.context == own_folder and stages[-1] is not stage:  # the last stage may tell more about the context
            files = replace(files, context=image_files(stages[-1], stages, repo.paths, folders).context)
        return files

    return repository.memo(f"checks.files_of.{id(stage)}", build)


def mounts_of(run: Resource) -> Iterator[Copy]:
    """What `RUN --mount=type=bind` puts in reach of one RUN, as copies from the build context."""
    workdir = workdir_at(run)
    for mount in run.node.items_at("flags.mount"):
        options = dict(part.partition("=")[::2] for part in (mount.text or "").split(","))
        if options.get("type", "bind") != "bind" or "from" in options:
            continue
        source = options.get("source") or options.get("src") or "."
        target = options.get("target") or options.get("dst") or options.get("destination") or ""
        if target:
            yield Copy((source.strip("/") or ".",), posixpath.normpath(posixpath.join(workdir, target)), False)


def workdir_at(run: Resource) -> str:
    """The working directory of one RUN; that of the end of the stage when it cannot be told."""
    stage = run.parent
    if stage is None:
        return "/"
    found = ""
    for instruction in stage.node.items_at("instructions"):
        if instruction.start >= run.node.start:
            break
        if instruction.text_at("name") == "WORKDIR":
            words = instruction.items_at("expanded")
            found = posixpath.join(found or _inherited_workdir(stage), (words[0].text if words else None) or "")
    return found or _inherited_workdir(stage)


def _inherited_workdir(stage: Resource) -> str:
    own = any(i.text_at("name") == "WORKDIR" for i in stage.node.items_at("instructions"))
    return "/" if own else stage.node.text_at("workdir") or "/"


def build_environment(stage: Resource) -> Environment:
    """The variables that a RUN of the stage sees: ARG and, stronger, ENV."""
    return Environment({**stage.node.mapping_at("args"), **stage.node.mapping_at("env")}, open=True)
