"""The effective Terraform configuration: each folder's blocks once variables and locals are filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.evaluate.terraform_expressions import NO_NAMES, Names
from pyprod_audit.evaluate.terraform_functions import Unresolved, Value
from pyprod_audit.evaluate.terraform_modules import (
    Folder,
    Values,
    block_labels,
    block_type,
    called_folders,
    folders_of,
    root_evidence,
    type_text,
)
from pyprod_audit.model import Node, Problem, Resource, Tree, Unknown
from pyprod_audit.model.patterns import lazy

_LABELS: Final = {"resource": 2, "data": 2, "ephemeral": 2, "variable": 1, "output": 1, "provider": 1, "module": 1}
_MAX_INSTANCES: Final = 100
_TARGET = lazy(r"(data\.[\w-]+\.[\w-]+|module\.[\w-]+|[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*)(?=[.\[]|$)")
_MENTION = lazy(r"(?<![\w.-])(?:data\.[\w-]+\.[\w-]+|module\.[\w-]+|[A-Za-z][\w-]*_[\w-]*\.[A-Za-z_][\w-]*)")
_NOT_RESOURCES: Final = ("var", "local", "each", "count", "self", "path", "terraform", "data", "module")
_TRAVERSAL = lazy(r"""[A-Za-z_][\w-]*(?:\s*\.\s*[\w*-]+|\[[^\[\]]{0,200}\])*""")


def evaluate(files: Sequence[Resource], _tree: Tree) -> Evaluated:
    """The resources that the `tf.file` resources of a repository amount to, folder by folder; see docs/model.md.

    Every resource's parent is the `tf.configuration` of its folder, so that the children of a parent are one module.
    """
    problems: list[Problem] = []
    resources: list[Resource] = []
    folders = folders_of(files)
    called = called_folders(folders)
    for folder in folders.values():
        resources += _Emitter(folder, called.get(folder.path), problems).resources()
    return Evaluated(resources, problems)


def reference_target(value: Node | Unknown) -> str | None:
    """The address that an unknown reference names, in the same folder.

    `aws_lb.main.arn` gives `aws_lb.main`, `data.aws_vpc.x.id` gives `data.aws_vpc.x`, `module.db.endpoint` gives
    `module.db`; None for anything that is not one reference to one of these.
    """
    unknown = value.value if isinstance(value, Node) else value
    if not isinstance(unknown, Unknown):
        return None
    found = _TARGET.match(re.sub(r"\s", "", unknown.expression[:300]))
    if found is None or not _TRAVERSAL.fullmatch(unknown.expression):
        return None
    words = found[1].split(".")
    return found[1] if len(words) == 3 or words[0] == "module" or words[0] not in _NOT_RESOURCES else None


def reference_targets(value: Node | Unknown) -> tuple[str, ...]:
    """All addresses that an unknown expression of any form mentions, each once, in order."""
    unknown = value.value if isinstance(value, Node) else value
    if not isinstance(unknown, Unknown):
        return ()
    return tuple(dict.fromkeys(found[0] for found in _MENTION.finditer(unknown.expression)))


class _Emitter:
    """Turns the blocks of one folder into resources."""

    def __init__(self, folder: Folder, caller: Node | None, problems: list[Problem]) -> None:
        self._folder = folder
        self._problems = problems
        evidence = None if caller else root_evidence(folder)
        self._values = Values(folder, root=evidence is not None, problems=problems)
        self._evaluate = self._values.evaluator.evaluate
        self._configuration = _configuration(folder, caller, evidence)

    def resources(self) -> list[Resource]:
        """The configuration, then its blocks in order of the files, then its variable files."""
        found = [self._configuration]
        for block in self._folder.blocks:
            resource = self._resource(block)
            if resource is not None:
                found.append(resource)
        for file in (*self._folder.automatic, *self._folder.chosen):
            attributes = self._evaluate(file.node.mapping["attributes"])
            found.append(Resource("tf.tfvars", file.path, attributes, self._configuration))
        return found

    def _resource(self, block: Node) -> Resource | None:
        keyword, labels = block_type(block), block_labels(block)
        if len(labels) != _LABELS.get(keyword, len(labels)):
            message = f"{keyword} needs {_LABELS[keyword]} label{'s' * (_LABELS[keyword] > 1)}"
            self._problems.append(Problem("evaluate", block.source.path, message, block.span.line))
            return None
        names = self._instance_names(block)
        if names is None:
            return None
        node = self._locals(block) if keyword == "locals" else self._block(block, names)
        kind, address = _identity(keyword, labels, node)
        if keyword == "variable":
            node = _with_type_as_text(node)
        return Resource(kind, address, node, self._configuration)

    def _locals(self, block: Node) -> Node:
        members: dict[str, Node] = {}
        for name, written in block.mapping_at("body").items():
            value = self._values.local(name)
            members[name] = _object(written, value) if isinstance(value, Unknown) else value
        return _object(block, members)

    def _instance_names(self, block: Node) -> Names | None:
        """What `count` and `for_each` are inside the block; None when they say that it is not deployed at all."""
        body = block.mapping_at("body")
        count, for_each = body.get("count"), body.get("for_each")
        if count is not None:
            value = self._evaluate(count).value
            if value in (0, "0", False) and value is not None:
                return None
            if value in (1, "1"):
                return {"count": _object(count, {"index": _object(count, 0)})}
        if for_each is not None:
            instances = _instances(self._evaluate(for_each))
            if instances is not None and len(instances) < 2:
                return {"each": _iterator(*instances[0])} if instances else None
        return NO_NAMES

    # -- blocks --------------------------------------------------------------------------------------------

    def _block(self, block: Node, names: Names) -> Node:
        """One block as a mapping from arguments to values and from block types to tuples of mappings."""
        body = block.mapping["body"].mapping
        members = {name: self._evaluate(node, names) for name, node in body.items()} if body else {}
        nested: dict[str, list[Node]] = {}
        for inner in block.mapping["blocks"].items:
            labels = inner.mapping["labels"]
            if block_type(inner) == "dynamic" and labels.items:
                name = str(labels.items[0].value)
                nested.setdefault(name, []).extend(self._dynamic(inner, name, names))
            else:
                nested.setdefault(block_type(inner), []).append(self._block(inner, names))
        for name, group in nested.items():
            if group:
                first = group[0]
                members[name] = Node(tuple(group), first.source, first.start, first.end, first.key_start, first.key_end)
        if block.mapping["labels"].items and block_type(block) not in _LABELS:
            members["labels"] = block.mapping["labels"]
        return _object(block, members)

    def _dynamic(self, block: Node, name: str, names: Names) -> list[Node]:
        """The blocks that a `dynamic` block stands for, or one Unknown."""
        body = block.mapping["body"].mapping
        content = next((inner for inner in block.mapping["blocks"].items if block_type(inner) == "content"), None)
        for_each = self._evaluate(body["for_each"], names) if "for_each" in body else None
        instances = None if for_each is None else _instances(for_each)
        if instances is None or content is None:
            because = for_each.value.because if for_each and isinstance(for_each.value, Unknown) else ""
            return [_object(block, Unknown(f'dynamic "{name}"', because or "its for_each is not known"))]
        chosen = body.get("iterator")
        iterator = chosen.value.expression if chosen is not None and isinstance(chosen.value, Unknown) else name
        blocks: list[Node] = []
        for key, value in instances:
            try:
                self._values.evaluator.charge(10)
            except Unresolved as why:
                return [_object(block, Unknown(f'dynamic "{name}"', str(why)))]
            made = self._block(content, {**names, iterator: _iterator(key, value)})
            blocks.append(_object(block, made.value))
        return blocks


def _object(place: Node, value: Value) -> Node:
    return Node(value, place.source, place.start, place.end, place.key_start, place.key_end)


def _iterator(key: Node, value: Node) -> Node:
    return _object(value, {"key": key, "value": value})


def _instances(node: Node) -> list[tuple[Node, Node]] | None:
    """Keys and values that a known `for_each` goes through; None when it is not known or very long.

    A list is given as its members (dynamic blocks count them, sets of strings use the string as the key).
    """
    value = node.value
    if isinstance(value, dict):
        pairs = [(_object(member, key), member) for key, member in value.items()]
    elif isinstance(value, tuple):
        pairs = [
            (member if isinstance(member.value, str) else _object(member, index), member)
            for index, member in enumerate(value)
        ]
    else:
        return None
    return pairs if len(pairs) <= _MAX_INSTANCES else None


def _identity(keyword: str, labels: Sequence[str], node: Node) -> tuple[str, str]:
    """Kind and address of what a block declares."""
    if keyword == "resource":
        return f"tf.{labels[0]}", ".".join(labels)
    if keyword == "data":
        return f"tf.data.{labels[0]}", "data." + ".".join(labels)
    if keyword == "provider":
        alias = node.text_at("alias")
        return "tf.provider", f"provider.{labels[0]}.{alias}" if alias else f"provider.{labels[0]}"
    return f"tf.{keyword}", ".".join(("var" if keyword == "variable" else keyword, *labels))


def _with_type_as_text(node: Node) -> Node:
    declared = node.mapping.get("type")
    if declared is None or not isinstance(declared.value, Unknown):
        return node
    return _object(node, {**node.mapping, "type": _object(declared, type_text(declared))})


def _configuration(folder: Folder, caller: Node | None, evidence: Node | None) -> Resource:
    """The folder as a whole; it stands at what shows whether it is a root module, else at its first file."""
    first = folder.files[0].node
    place = evidence if evidence is not None and evidence.key_start >= 0 else first
    root = place if evidence is not None else caller or first
    members: dict[str, Node] = {
        "root": _object(root, evidence is not None),
        "called": _object(caller or first, caller is not None),
        "files": Node(_paths(folder.files), first.source, 0, 0),
        "tfvars": Node(_paths((*folder.automatic, *folder.chosen)), first.source, 0, 0),
    }
    return Resource("tf.configuration", folder.path or ".", _object(place, members))


def _paths(files: Iterable[Resource]) -> tuple[Node, ...]:
    return tuple(Node(file.path, file.source, 0, 0) for file in files)
