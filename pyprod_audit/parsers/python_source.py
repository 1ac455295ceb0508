"""Facts read statically from Python source; nothing is imported or executed."""

from __future__ import annotations

from typing import Final

from pyprod_audit.model import Parsed, Problem, Resource, SourceFile
from pyprod_audit.parsers.python_prefilter import is_interesting
from pyprod_audit.parsers.python_tree import Tree
from pyprod_audit.parsers.python_walk import Walk

# Sizes in bytes. Hand-written modules stay far below; what is larger is data or generated.
_LARGEST: Final = 3_000_000
_NOT_PYTHON: Final = 0.5
_BROKEN_LOOKED_AT: Final = 200


def parse(source: SourceFile) -> Parsed:
    """One `py.module` for a file that may hold a fact (docs/model.md, "Python source"); nothing for any other file.

    Broken parts are left out and the rest is read; a file that is mostly broken gives a problem and no resource.
    """
    data = source.text.encode("utf-8", "surrogatepass")
    return read_module(source, data) if is_interesting(source.path, data) else Parsed()


def read_module(source: SourceFile, data: bytes | None = None) -> Parsed:
    """Like `parse`, whatever the file holds: for a module that a process names. `data`: the text in UTF-8."""
    if data is None:
        data = source.text.encode("utf-8", "surrogatepass")
    if len(data) > _LARGEST:
        return Parsed(problems=[Problem("parse", source.path, "Python file too large to read", 1)], partial=True)
    name, package = module_name(source.path)
    walk = Walk(source, data, name, package=package)
    root = walk.syntax.root
    parsed = Parsed()
    if root.has_error:
        parsed.partial = True
        share, first = _broken(root, len(data))
        if share > _NOT_PYTHON:
            place = source.span(walk.syntax.at(first), walk.syntax.at(first))
            message = "most of the file is not valid Python (a template?)"
            parsed.problems.append(Problem("parse", source.path, message, place.line))
            return parsed
    walk.run()
    parsed.resources.append(Resource("py.module", name, walk.node()))
    return parsed


def module_name(path: str) -> tuple[str, bool]:
    """The dotted name of a file from the scan root, and whether it is a package's `__init__.py`."""
    parts = path.removesuffix(".py").removesuffix(".pyw").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        return ".".join(parts[:-1]), True
    return ".".join(parts), parts[-1] == "__init__"


def _broken(root: Tree, size: int) -> tuple[float, int]:
    """Which share of the bytes lies in errors, and where the first starts; looks at the outer levels only."""
    broken, first, looked = 0, size, 0
    stack = [root]
    while stack and looked < _BROKEN_LOOKED_AT:
        node = stack.pop()
        looked += 1
        if node.type == "ERROR":
            broken += node.end_byte - node.start_byte
            first = min(first, node.start_byte)
        elif node.has_error:
            stack.extend(node.children)
    return broken / max(size, 1), min(first, max(size - 1, 0))
