"""Which Python production runs on, by what its images, platforms and version files say."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import NamedTuple

from pyprod_audit.checks.docker_view import root_reference, stages_behind
from pyprod_audit.lifecycles import image_product
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy

_RUNTIME = lazy(r"python([23])\.?([0-9]{1,2})")
_MINOR = lazy(r"([23])\.([0-9]{1,2})(?![0-9])")
# Terraform resources whose function or site runs on a Python of the platform, with the way to its name.
_PLATFORMS = {
    "tf.aws_lambda_function": ("runtime",),
    "tf.google_cloudfunctions_function": ("runtime",),
    "tf.google_cloudfunctions2_function": ("build_config.0.runtime",),
    "tf.google_app_engine_standard_app_version": ("runtime",),
    "tf.azurerm_linux_function_app": ("site_config.0.application_stack.0.python_version",),
    "tf.azurerm_linux_web_app": ("site_config.0.application_stack.0.python_version",),
}


class DeployedPython(NamedTuple):
    """A version of Python with the place that sets it. `version` is as written: "3.12" or "3.12.4"."""

    version: str
    node: Node

    @property
    def minor(self) -> str:
        """The version without its patch: "3.12"."""
        return minor_of(self.version)


def minor_of(version: str) -> str:
    """The first two numbers of a version; empty when it has only one."""
    found = _MINOR.match(version)
    return f"{found[1]}.{found[2]}" if found else ""


def python_of_stage(stage: Resource, repository: Repository) -> DeployedPython | Unknown | None:
    """The Python of an image: of the base image's tag, else what `uv python install` fetches; None: not told."""
    reference = root_reference(stage)
    if reference is None:
        return None
    if reference.name is not None and reference.tag is not None:
        if isinstance(reference.tag.value, Unknown):
            return reference.tag.value if image_product(reference.name, "python3.1") is not None else None
        product = image_product(reference.name, reference.tag.text or "")
        if product is not None and product[0] == "python":
            return DeployedPython(product[1], reference.tag) if minor_of(product[1]) else None
    fetched = [word for one in stages_behind(stage, repository) for word in _fetched_by_uv(one, repository)]
    return DeployedPython(fetched[-1].text or "", fetched[-1]) if fetched else None


def _fetched_by_uv(stage: Resource, repository: Repository) -> Iterator[Node]:
    for run in repository.children(stage, "docker.run"):
        for command in run.node.items_at("commands"):
            words = command.items_at("words")
            texts = [word.text for word in words]
            if texts[:3] == ["uv", "python", "install"]:
                yield from (word for word in words[3:] if minor_of(word.text or ""))


def platform_pythons(repository: Repository) -> Iterator[tuple[Resource, DeployedPython | Node]]:
    """Functions and sites in Terraform that name a Python: the version, or the node whose value is not known."""
    for kind, paths in _PLATFORMS.items():
        for resource in repository.of_kind(kind):
            for path in paths:
                found = python_of_platform(resource, path)
                if found is not None:
                    yield resource, found


def python_of_platform(resource: Resource, path: str = "") -> DeployedPython | Node | None:
    """The Python of one such resource; None when it runs something else."""
    for one in (path,) if path else _PLATFORMS.get(resource.kind, ()):
        node = resource.node.get(one)
        if node is None:
            continue
        if node.is_unknown:
            return node
        text = str(node.scalar)
        named = _RUNTIME.fullmatch(text)
        if named:
            return DeployedPython(f"{named[1]}.{named[2]}", node)
        if one.endswith("python_version") and minor_of(text):
            return DeployedPython(text, node)
    return None


def is_deployed_by_file(resource: Resource, repository: Repository) -> bool:
    """Whether a version file decides what a platform runs: Heroku and Cloud Foundry read it beside a Procfile."""
    folder, name = posixpath.split(resource.path)
    if name == "runtime.txt":
        return True
    beside = {posixpath.join(folder, one) for one in ("Procfile", "runtime.txt")}
    return name == ".python-version" and beside & repository.paths == {posixpath.join(folder, "Procfile")}


def nearest_files(folder: str, repository: Repository) -> Iterator[Resource]:
    """The version files that hold in a folder: of each name the nearest one, from the folder upwards."""
    files = repository.memo("checks.version_files", lambda repo: {one.path: one for one in repo.of_kind("py.version")})
    for name in (".python-version", "runtime.txt", ".tool-versions"):
        current = folder
        while True:
            found = files.get(posixpath.join(current, name))
            if found is not None:
                yield found
                break
            if not current:
                break
            current = posixpath.dirname(current)
