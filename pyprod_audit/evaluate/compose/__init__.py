"""Compose files as projects: variables filled in, files merged, includes and extends followed, all in long form."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from pyprod_audit.evaluate.compose.context import Context
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.file_paths import resolved
from pyprod_audit.evaluate.compose.loading import Loader
from pyprod_audit.evaluate.compose.model_members import each_member, with_member, without_member
from pyprod_audit.evaluate.compose.project_environment import PROJECT_NAME, ProjectEnvironment, environment_of
from pyprod_audit.evaluate.compose.projects import ProjectFiles, project_files
from pyprod_audit.evaluate.compose.services import ServiceView, named_resource
from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.model import Node, Resource, Tree

_KINDS = {
    "services": "compose.service",
    "volumes": "compose.volume",
    "networks": "compose.network",
    "secrets": "compose.secret",
    "configs": "compose.config",
}


def evaluate(resources: Sequence[Resource], tree: Tree) -> Evaluated:
    """The projects that the Compose files make, with their services, volumes, networks, secrets and configs."""
    faults = Faults()
    documents: dict[str, list[Node]] = {}
    for resource in resources:
        documents.setdefault(resource.path, []).append(resource.node)
    found: list[Resource] = []
    loader = Loader(tree, documents, faults)
    for files in list(project_files(dict(documents), tree, faults)):
        found.extend(_project(files, loader))
    return Evaluated(found, faults.problems())


def _project(files: ProjectFiles, loader: Loader) -> list[Resource]:
    environment = environment_of([posixpath.join(files.folder, ".env")], loader.tree, loader.faults)
    name = _name(files, environment, loader)
    if name is not None:
        environment = environment.with_variable(PROJECT_NAME, name)
    model = loader.model(files.paths, Context(files.folder, environment))
    if model is None:
        return []
    model = resolved(without_member(model, "version"), files.folder)
    view = ServiceView(environment, loader.tree, loader.faults)
    model = each_member(model, "services", view.service)
    for section in ("volumes", "networks", "secrets", "configs"):
        members = model.mapping.get(section)
        if members is not None and isinstance(members.value, dict):
            model = _with_names(model, section, loader.faults)
    if name is not None:
        model = with_member(model, "name", name)
    model = with_member(model, "files", model.holding(tuple(_path_nodes(files, loader))))
    written = name.text if name is not None else None
    project = Resource("compose.project", written or files.folder or ".", model, None, files.variant)
    return [project, *_members(project)]


def _with_names(model: Node, section: str, faults: Faults) -> Node:
    found = model.mapping[section]
    names = iter(found.mapping)
    return each_member(model, section, lambda node: named_resource(next(names), node, faults))


def _members(project: Resource) -> list[Resource]:
    """The resources of a project; what another file than the project's first brings says so."""
    found = []
    for section, kind in _KINDS.items():
        for name, node in project.node.mapping_at(section).items():
            if isinstance(node.value, dict):
                found.append(Resource(kind, f"{section}.{name}", node, project, project.variant))
    return found


def _path_nodes(files: ProjectFiles, loader: Loader) -> list[Node]:
    nodes = []
    for path in files.paths:
        documents = loader.documents(path)
        if documents:
            source = documents[0].source
            nodes.append(Node(path, source, 0, 0))
    return nodes


def _name(files: ProjectFiles, environment: ProjectEnvironment, loader: Loader) -> Node | None:
    """The project's name: `COMPOSE_PROJECT_NAME` of `.env`, the last `name`, the folder's; None for the scan root."""
    stated = environment.variables.get(PROJECT_NAME)
    if stated is not None and stated.value != "":
        return stated
    documents = [node for path in files.paths for node in loader.documents(path) or ()]
    written = [node for document in documents if (node := document.mapping.get("name")) is not None]
    if written:
        filled = loader.values.text(written[-1], environment.lookup)
        text = filled.text
        return filled if text is None else filled.holding(_normal(text))
    folder = posixpath.basename(files.folder)
    if not folder or not documents or "{" in folder:  # cookiecutter's folders have names of their own only later
        return None
    first = documents[0]
    start = first.start
    return Node(_normal(folder), first.source, start, start)


def _normal(name: str) -> str:
    """A name as Compose writes it: lower case, without what no name may hold."""
    return re.sub("[^a-z0-9_-]", "", name.lower()).lstrip("_-")


__all__ = ["evaluate"]
