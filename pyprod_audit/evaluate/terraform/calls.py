"""Which folders of Terraform files call which others as modules, and from which ones an evaluation starts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from pyprod_audit.evaluate.terraform.modules import Folder, block_labels, is_variable_file, nearest
from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Tree

_LOCAL: Final = ("./", "../")
_CONFIGURATION: Final = (".tf", ".tf.json", ".tofu", ".tofu.json")


class LocalSource(NamedTuple):
    """A module's `source` that is a folder beside the caller's. `path` is relative to the scan root.

    `because` says why there is nothing at it ("" when there is); `missing`: nobody chose that, so it is a problem.
    """

    path: str
    because: str = ""
    missing: bool = False


def local_source(caller: str, source: str, folders: Mapping[str, Folder], tree: Tree) -> LocalSource | None:
    """Where the `source` of a module that the folder `caller` calls leads; None when it is not a path."""
    if not source.startswith(_LOCAL):
        return None
    path = posixpath.normpath(posixpath.join(caller, source))
    path = "" if path == "." else path
    if path.startswith("../") or path == "..":
        return LocalSource(path, "its folder lies outside of what is scanned", missing=True)
    if path in folders:
        return LocalSource(path)
    if any(other.endswith(_CONFIGURATION) and posixpath.dirname(other) == path for other in tree.paths):
        return LocalSource(path, "its folder is not judged")
    return LocalSource(path, f"there is no configuration in {path or 'the root'}", missing=True)


def called_folders(folders: Mapping[str, Folder], tree: Tree) -> dict[str, list[tuple[str, Node]]]:
    """The folders that local modules call: what each calls, with the block that does it."""
    return {path: list(_calls(folder, folders, tree)) for path, folder in folders.items()}


def _calls(folder: Folder, folders: Mapping[str, Folder], tree: Tree) -> Iterator[tuple[str, Node]]:
    for block in folder.of_type("module"):
        source = block.mapping_at("body").get("source")
        found = local_source(folder.path, source.text, folders, tree) if source is not None and source.text else None
        if found is not None and not found.because and len(block_labels(block)) == 1:
            yield found.path, block


def starting_folders(calls: Mapping[str, list[tuple[str, Node]]]) -> list[str]:
    """The folders that nobody calls; of folders that only call each other, the first."""
    called = {target for found in calls.values() for target, _ in found}
    starts = [path for path in calls if path not in called]
    reached: set[str] = set()
    _reach(starts, calls, reached)
    for path in calls:
        if path not in reached:
            starts.append(path)
            _reach([path], calls, reached)
    return starts


def _reach(starts: Iterable[str], calls: Mapping[str, list[tuple[str, Node]]], reached: set[str]) -> None:
    waiting = list(starts)
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting.extend(target for target, _ in calls[path])


def give_variable_files(
    named: Iterable[SourceFile], folders: Mapping[str, Folder], starts: Iterable[str]
) -> list[Problem]:
    """Gives the variable files that the user named to the root modules that they are for.

    A file is for the root module that it lies in or below; one that lies elsewhere is for all of them, or, when no
    folder is one by itself, for every folder that nobody calls and that declares a variable of the file. Returned are
    the problems of files that were not read before.
    """
    problems: list[Problem] = []
    parsed = {file.path: file for folder in folders.values() for file in (*folder.automatic, *folder.chosen)}
    own = {path: folders[path] for path in starts}
    for source in named:
        file = parsed.get(source.path)
        if file is None:
            read = _variable_file(source)
            problems += read.problems
            file = read.resources[0] if read.resources else None
        if file is not None:
            for folder in _receivers(file, own):
                folder.named.append(file)
    for folder in folders.values():
        paths = {file.path for file in folder.named}
        folder.automatic = [file for file in folder.automatic if file.path not in paths]
        if paths:
            folder.chosen = []  # the choice has been made
    return problems


def _variable_file(source: SourceFile) -> Parsed:
    """The file as a `tf.file`, whatever its name is."""
    if source.path.endswith(".json") and not is_variable_file(source.path):
        from pyprod_audit.parsers.json_tree import JsonError, read_json

        try:
            root = read_json(source)
        except JsonError as error:
            line = source.span(error.offset, error.offset).line
            return Parsed([], [Problem("parse", source.path, f"not JSON: {error}", line)])
        members = {"blocks": root.holding(()), "attributes": root.holding(dict(root.mapping))}
        return Parsed([Resource("tf.file", source.path, root.holding(members))])
    from pyprod_audit.parsers.terraform import parse  # needed with --var-file only

    return parse(source)


def _receivers(file: Resource, own: Mapping[str, Folder]) -> list[Folder]:
    owner = None if file.path.startswith(("../", "/")) else nearest(posixpath.dirname(file.path), own)
    if owner is not None:
        return [own[owner]]
    roots = [folder for folder in own.values() if folder.evidence is not None]
    if roots:
        return roots
    names = set(file.node.mapping_at("attributes"))
    return [
        f for f in own.values() if any(not names.isdisjoint(block_labels(block)) for block in f.of_type("variable"))
    ]
