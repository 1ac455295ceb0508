"""Where an image's files come from: build context, paths in the container, Python project."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Sequence

from pyprod_audit.model import Copy, ImageFiles, Node, Resource, Unknown

_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "requirements.txt", "manage.py", "uv.lock")
_SH_FAMILIES = (
    ("bash before 5.1", ("ubi8", "ubi7", "centos", "rockylinux:8", "almalinux:8", "oraclelinux:8", "amazonlinux:2@")),
    ("busybox", ("alpine", "busybox")),
    ("bash", ("ubi", "rockylinux", "almalinux", "amazonlinux", "fedora", "centos", "redhat")),
    ("dash", ("debian", "ubuntu", "slim", "bookworm", "bullseye", "trixie", "buster")),
)
_DEBIAN_BY_DEFAULT = {"python", "node", "tiangolo/uvicorn-gunicorn-fastapi", "tiangolo/uwsgi-nginx-flask", "nginx"}


def image_files(
    stage: Resource, stages: Sequence[Resource], paths: Collection[str], folders: Collection[str]
) -> ImageFiles:
    """The files of `stage`; `stages` are all stages of its Dockerfile, in order.

    `paths` are all paths of the tree, `folders` all its folders (`all_folders`).
    """
    copies = list(_copies(stage, stages, set()))
    folder = posixpath.dirname(stage.path)
    context = _context(folder, copies, paths, folders)
    workdir = stage.node.text_at("workdir") or "/"
    return ImageFiles(context, tuple(copies), workdir, paths)


def shell_family(stage: Resource | None, container: Resource | None = None) -> str:
    """Which program is /bin/sh of an image: "dash", "bash", "bash before 5.1", "busybox", or "" when it is not known.

    Without a `stage` the image that the `container` of a pod names is looked at.
    """
    if stage is None:
        return _family_of(container.node.text_at("image") or "") if container is not None else ""
    shell = stage.node.items_at("shell")
    if shell and shell[0].text:
        name = posixpath.basename(shell[0].text)
        if name in ("bash", "dash"):
            return name
    return _family_of(stage.node.text_at("base.image") or "")


def _family_of(image: str) -> str:
    image = image.lower().partition("@")[0]
    for family, marks in _SH_FAMILIES:
        if any(mark in f"{image}@" for mark in marks):
            return family
    name = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
    name = name.rpartition("library/")[2].removeprefix("docker.io/")
    return "dash" if name in _DEBIAN_BY_DEFAULT else ""


def _copies(stage: Resource, stages: Sequence[Resource], seen: set[int]) -> Iterator[Copy]:
    """The copies from the context that reach `stage`: those of its base stages, its own, and through `--from`."""
    if id(stage) in seen:
        return
    seen.add(id(stage))
    base = stage.node.get("from.stage")
    if base is not None and isinstance(base.value, int) and base.value < len(stages):
        yield from _copies(stages[base.value], stages, seen)
    workdir = "/"
    for instruction in stage.node.items_at("instructions"):
        name = instruction.text_at("name")
        words = _texts(instruction)
        if name == "WORKDIR" and words:
            workdir = posixpath.join(workdir, words[0])
        if name not in ("COPY", "ADD") or len(words) < 2:
            continue
        target = posixpath.join(workdir if workdir != "/" else stage.node.text_at("workdir") or "/", words[-1])
        source_stage = instruction.text_at("flags.from")
        if source_stage is None:
            sources = tuple(word.lstrip("/") or "." for word in words[:-1] if "://" not in word)
            yield Copy(sources, posixpath.normpath(target), words[-1].endswith("/") or len(words) > 2)
            continue
        for other in stages:
            if source_stage in (other.node.text_at("name"), str(other.node.get("index") and _index(other))):
                yield from _through(other, stages, words[:-1], posixpath.normpath(target), seen)


def _through(
    other: Resource, stages: Sequence[Resource], sources: Sequence[str], target: str, seen: set[int]
) -> Iterator[Copy]:
    """Copies into `other` seen through a `COPY --from=other source target`."""
    for copy in list(_copies(other, stages, set(seen))):
        for source in sources:
            absolute = posixpath.normpath(posixpath.join(other.node.text_at("workdir") or "/", source))
            if copy.target == absolute or copy.target.startswith(absolute.rstrip("/") + "/"):
                moved = posixpath.normpath(target + copy.target[len(absolute) :])
                yield Copy(copy.sources, moved, copy.into_folder)
            elif absolute.startswith(copy.target.rstrip("/") + "/"):
                inside = absolute[len(copy.target.rstrip("/")) + 1 :]
                yield Copy(tuple(posixpath.join(one, inside) for one in copy.sources), target, copy.into_folder)


def _index(stage: Resource) -> int:
    found = stage.node.get("index")
    return found.value if found is not None and isinstance(found.value, int) else -1


def _texts(instruction: Node) -> list[str]:
    words = instruction.items_at("expanded") or instruction.items_at("words")
    return [word.text if word.text is not None else _raw(word) for word in words]


def _raw(word: Node) -> str:
    return word.value.expression if isinstance(word.value, Unknown) else str(word.scalar)


def _context(folder: str, copies: Sequence[Copy], paths: Collection[str], folders: Collection[str]) -> str:
    """The folder that was given to the build: the nearest one, from the Dockerfile upwards, that holds the sources."""
    sources = [s for copy in copies for s in copy.sources if s not in (".", "./") and "*" not in s and "$" not in s]
    if not sources:
        return folder
    candidates, current = [folder], folder
    while current:
        current = posixpath.dirname(current)
        candidates.append(current)

    def held(candidate: str) -> int:
        joined = (posixpath.normpath(posixpath.join(candidate, source)) for source in sources)
        return sum(path in paths or path in folders for path in joined)

    best = max(candidates, key=held)  # the first of equals: the nearest
    return best if held(best) else folder


def all_folders(paths: Collection[str]) -> frozenset[str]:
    """Every folder that holds one of `paths`, at any depth."""
    folders: set[str] = set()
    for path in paths:
        parent = posixpath.dirname(path)
        while parent and parent not in folders:
            folders.add(parent)
            parent = posixpath.dirname(parent)
    return frozenset(folders)


def project_of(files: ImageFiles, dockerfile: str) -> str | None:
    """The root folder of the Python project that the image runs, or None when there is no sign of one."""
    folders = [*files.folders(), files.context, posixpath.dirname(dockerfile)]
    for copy in files.copies:
        folders.extend(
            posixpath.dirname(posixpath.normpath(posixpath.join(files.context, source)).lstrip("/"))
            for source in copy.sources
            if posixpath.basename(source) in _PROJECT_FILES
        )
    for folder in folders:
        if any(posixpath.join(folder, name) in files.paths for name in _PROJECT_FILES):
            return folder
    return None
