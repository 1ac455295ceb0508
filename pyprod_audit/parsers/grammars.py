"""The languages of tree-sitter, without what their packages import beside them."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

import tree_sitter


def language(package: str) -> tree_sitter.Language:
    """The language of an installed grammar package (`tree_sitter_bash`). Raises ImportError when there is none.

    The packages import `importlib.resources`, and with it `tempfile` and `zipfile`, to offer their query files, which
    nobody here asks for: 5 ms of each run. So only their compiled part is loaded, where it is the `_binding` that the
    generator of such packages makes.
    """
    binding = _binding(package)
    return tree_sitter.Language((binding or import_module(package)).language())


def _binding(package: str) -> ModuleType | None:
    found = importlib.util.find_spec(package)
    if found is None or found.submodule_search_locations is None:
        return None
    spec = PathFinder.find_spec(f"{package}._binding", list(found.submodule_search_locations))
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module if hasattr(module, "language") else None
