"""`include`: other Compose files, each with a folder and variables of its own.

https://docs.docker.com/reference/compose-file/include/
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from pyprod_audit.evaluate.compose.context import MAX_NESTED, Context, Loaded
from pyprod_audit.evaluate.compose.file_paths import inside, joined, relative, resolved
from pyprod_audit.evaluate.compose.merging import NO_RULES, RULES, merge
from pyprod_audit.evaluate.compose.model_members import each_member, opened, with_member, without_member
from pyprod_audit.evaluate.compose.project_environment import ProjectEnvironment, environment_of
from pyprod_audit.evaluate.compose.resets import apply_resets
from pyprod_audit.evaluate.compose.texts import content, members_like
from pyprod_audit.model import Node

if TYPE_CHECKING:
    from pyprod_audit.evaluate.compose.loading import Loader

_SECTIONS = ("services", "volumes", "networks", "secrets", "configs", "models")


def include_files(loaded: Loaded, path: str, context: Context, loader: Loader) -> Node:
    """The model of the file at `path` with what it includes."""
    model = loaded.model
    include = model.mapping.get("include")
    if include is None:
        return model
    model = without_member(model, "include")
    if include.is_unknown:
        return _opened(model, include, "what it includes is not known")
    if include.value is not None and not isinstance(include.value, tuple):
        loader.faults.add("include is no list", include)
    inner = Context(context.folder, context.environment, (*context.included, path))
    for entry in include.items:
        imported = _imported(entry, inner, loader)
        if imported is None:
            model = _opened(model, entry, "what it includes is not in the repository")
        else:
            model = _with_sections(model, imported, loaded, loader)
    return model


def _imported(entry: Node, context: Context, loader: Loader) -> Node | None:
    """The model of one entry, its paths relative to the including project; None when it cannot be known."""
    paths = _paths(entry)
    if not paths:
        if not entry.is_unknown:
            loader.faults.add("include names no file", entry)
        return None
    files: list[str] = []
    for node in paths:
        file = loader.file_at(node, context.folder, "the included file")
        if file is None:
            return None
        files.append(file)
    if files[0] in context.included or len(context.included) > MAX_NESTED:
        loader.faults.add("files include each other in a circle", paths[0])
        return None
    folder = posixpath.dirname(files[0])
    directory = entry.mapping.get("project_directory")
    if directory is not None and directory.value is not None:
        text = directory.text
        if text is None or not inside(joined(context.folder, text)):
            if text is not None:
                loader.faults.add(f"the project directory {text} lies outside of the scanned folder", directory)
            return None
        folder = joined(context.folder, text)
    folder = "" if folder == "." else folder
    environment = _environment(entry, folder, context, loader)
    model = loader.model(files, Context(folder, environment, context.included))
    if model is None:
        return None
    model = each_member(model, "services", lambda service: _whole(service, environment))
    return resolved(model, relative(folder, context.folder))


def _paths(entry: Node) -> tuple[Node, ...]:
    if entry.text is not None:
        return (entry,)
    path = entry.mapping.get("path")
    if path is None:
        return ()
    return path.items if isinstance(path.value, tuple) else (path,)


def _environment(entry: Node, folder: str, context: Context, loader: Loader) -> ProjectEnvironment:
    """The variables of the including project, and those of the entry's own files where that has none."""
    files = entry.mapping.get("env_file")
    if files is None or files.value is None or files.value == ():
        paths = [posixpath.join(folder, ".env")]
    else:
        nodes = files.items if isinstance(files.value, tuple) else (files,)
        named = [node for node in nodes if node.text not in ("", "/dev/null")]
        paths = [path for node in named if (path := loader.file_at(node, context.folder, "the environment file"))]
    return environment_of(paths, loader.tree, loader.faults, context.environment)


def _whole(service: Node, environment: ProjectEnvironment) -> Node:
    """The service with what it gets in the included project: that folder as build context, and listed variables."""
    build = service.mapping.get("build")
    if build is not None and isinstance(build.value, dict) and "context" not in build.value:
        service = with_member(service, "build", with_member(build, "context", build.holding(".")))
    return _with_listed_variables(service, environment)


def _with_listed_variables(service: Node, environment: ProjectEnvironment) -> Node:
    """The service with the values of variables that are listed by name alone (`- NAME`), where files set them.

    Compose resolves those with the variables of the included project, `NAME:` with those of the including one.
    """
    variables = service.mapping.get("environment")
    if variables is None or not isinstance(variables.value, dict):
        return service
    found: dict[str, Node] = {}
    for name, node in variables.value.items():
        known = environment.variables.get(name) if node.value is None and node.start == node.key_start else None
        if known is not None:
            found[name] = Node(known.value, known.source, known.start, known.end, known.key_start, known.key_end)
    if not found:
        return service
    value = members_like({**variables.value, **found}, variables.value)
    return with_member(service, "environment", variables.holding(value))


def _with_sections(model: Node, imported: Node, loaded: Loaded, loader: Loader) -> Node:
    """The model with what it imports; its own definitions are laid over imported ones of the same name."""
    for section in _SECTIONS:
        source = imported.mapping.get(section)
        if source is None or not isinstance(source.value, dict):
            continue
        own = model.mapping.get(section)
        if own is None or not isinstance(own.value, dict):
            model = with_member(model, section, source)
            continue
        members = dict(own.value)
        for name, node in source.value.items():
            mine = members.get(name)
            if mine is None or mine.value is None:
                members[name] = node
            elif content(mine) != content(node):
                taken_back = [path[2:] for path in loaded.resets if path[:2] == (section, name) and len(path) > 2]
                rules = RULES.at(section)
                below = rules.at(name) if rules is not None else None
                members[name] = merge(apply_resets(node, taken_back), mine, loader.faults, below or NO_RULES)
        model = with_member(model, section, own.holding(members_like(members, source.value, own.value)))
    return model


def _opened(model: Node, entry: Node, because: str) -> Node:
    """Anything may be defined by a file that is not there."""
    for section in _SECTIONS[:-1]:
        found = model.mapping.get(section) or model.holding({})
        if isinstance(found.value, dict) or found.value is None:
            model = with_member(model, section, opened(found, because, entry, "include"))
    return model
