"""YAML as nodes with exact places, from the events of libyaml (or of PyYAML's own parser where libyaml is missing).

Events rather than `load`, because `load` loses places, repeated keys, custom tags and the way numbers are written, and
rather than `compose`, because that recurses in C. One broken document does not lose the others of its file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from pyprod_audit.model import Node, Problem, Resource, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.yaml_scalars import KUBERNETES, Schema
from pyprod_audit.parsers.yaml_template import Masked
from pyprod_audit.parsers.yaml_tree import MAX_DEPTH, DuplicateKey, TooDeep, TreeBuilder

_MAX_PROBLEMS = 20
_MAX_BROKEN = 50
_DOCUMENT_LINE = lazy(r"^---(?!\S)", re.MULTILINE)
_UNREADABLE = lazy("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE_ESCAPE = lazy(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


@dataclass(slots=True)
class Documents:
    """The documents of one file.

    `nodes`: a root for each document that is not empty; `duplicates`: keys written twice in one mapping (the tree has
    the last one); `tags`: explicit tags by the offset at which their value starts; `partial`: something was given up.
    """

    nodes: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    duplicates: list[DuplicateKey] = field(default_factory=list)
    tags: dict[int, str] = field(default_factory=dict)
    partial: bool = False


def parse_documents(source: SourceFile, masked: Masked | None = None, schema: Schema = KUBERNETES) -> Documents:
    """Every YAML (or JSON) document of `source`.

    Args:
        source: The file; all offsets are into its text.
        masked: The text to read in its place when it is a template; scalars that a tag touches become Unknown.
        schema: How plain scalars are read: `yaml_scalars.KUBERNETES` or `yaml_scalars.CORE`.

    Returns:
        The documents that could be read, and a problem with its line for each that could not.
    """
    text = source.text if masked is None else masked.text
    # libyaml swallows a byte order mark without counting it.
    base = 1 if text.startswith("\ufeff") else 0
    builder = TreeBuilder(source, text, masked, schema)
    result = Documents(builder.nodes, [], builder.duplicates, builder.tags)
    try:
        builder.read(text[1:] if base else text, base)
    except (yaml.YAMLError, ValueError, TooDeep):
        _read_around(builder, source, text, max(builder.resume_at, base), result)
    for start, message in builder.faults:
        _complain(result, source, start, message)
    return result


def duplicate_key_resources(documents: Documents, parents: dict[int, Resource]) -> Iterator[Resource]:
    """A `yaml.duplicate_key` resource for each repeated key; `parents` maps the start of a document or item to it.

    The node is the second value, with its key's place; the address is the parent's and the path of keys.
    """
    for duplicate in documents.duplicates:
        path, parent = duplicate.path, None
        for depth, start in enumerate(duplicate.within):
            if start in parents:
                path, parent = duplicate.path[depth:], parents[start]
        address = ".".join(path)
        yield Resource(
            "yaml.duplicate_key", f"{parent.address}/{address}" if parent else address, duplicate.node, parent
        )


def _read_around(builder: TreeBuilder, source: SourceFile, text: str, start: int, result: Documents) -> None:
    """Reads from `start` on what is not broken: a `---` at the start of a line ends whatever came before it."""
    builder.discard_unfinished()
    bounds = [start, *(m.start() for m in _DOCUMENT_LINE.finditer(text, start) if m.start() > start), len(text)]
    last = len(bounds) - 1
    current = broken = 0
    while current < last:
        if broken == _MAX_BROKEN:
            _complain(result, source, bounds[current], f"more than {broken} broken documents: the rest is not read")
            return
        # libyaml reads ahead, and would give up documents in front of a character that it refuses.
        bad = _UNREADABLE.search(text, bounds[current])
        until = bisect_right(bounds, bad.start(), hi=last) - 1 if bad else last
        if bad and until == current:
            message = f"not valid YAML: the character U+{ord(bad[0]):04X} is not allowed"
            _complain(result, source, bad.start(), message)
        else:
            try:
                builder.read(text[bounds[current] : bounds[until]], bounds[current])
            except (yaml.YAMLError, ValueError, TooDeep) as error:
                failed = min(max(bisect_right(bounds, builder.resume_at) - 1, current), until - 1)
                builder.discard_unfinished()
                if not _read_json(builder, text[bounds[failed] : bounds[failed + 1]], bounds[failed]):
                    _complain(result, source, *_reason(error, bounds[current]))
                current = failed
            else:
                current = until
                continue
        current += 1
        broken += 1


def _read_json(builder: TreeBuilder, part: str, at: int) -> bool:
    """Whether `part` can be read once its JSON escapes of surrogate pairs, which YAML refuses, are replaced."""
    readable = _SURROGATE_ESCAPE.sub(r"\\ufffd", part)
    if readable == part:
        return False
    try:
        builder.read(readable, at)
    except (yaml.YAMLError, ValueError, TooDeep):
        builder.discard_unfinished()
        return False
    return True


def _reason(error: Exception, base: int) -> tuple[int, str]:
    """The offset at which the text that starts at `base` became unreadable, and why."""
    if isinstance(error, TooDeep):
        return base + error.offset, f"nested more than {error.limit} levels deep"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        if "nesting depth" in (error.problem or ""):  # libyaml's own limit, behind ours, but it reads ahead
            return base + error.problem_mark.index, f"nested more than {MAX_DEPTH} levels deep"
        return base + error.problem_mark.index, f"not valid YAML: {error.problem}"
    return base, "not valid YAML"


def _complain(result: Documents, source: SourceFile, offset: int, message: str) -> None:
    result.partial = True
    if len(result.problems) < _MAX_PROBLEMS:
        line = source.span(offset, offset).line
        result.problems.append(Problem("parse", source.path, message, line))
