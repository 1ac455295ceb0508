"""From Compose files to one model: each file is filled in, its includes and extends followed, and laid over the last.

The order is that of compose-go's loader: variables, includes, what the file takes back, extends, merge, long forms.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from pyprod_audit.evaluate.compose.context import Context, Loaded
from pyprod_audit.evaluate.compose.document_values import DocumentValues
from pyprod_audit.evaluate.compose.extending import extend_services
from pyprod_audit.evaluate.compose.faults import Faults
from pyprod_audit.evaluate.compose.file_paths import inside, is_remote, joined, relative, resolved
from pyprod_audit.evaluate.compose.including import include_files
from pyprod_audit.evaluate.compose.merging import merge
from pyprod_audit.evaluate.compose.resets import Paths, apply_resets, has_tags, take_back
from pyprod_audit.evaluate.compose.short_syntax import long_form
from pyprod_audit.evaluate.compose.uniqueness import without_repeats
from pyprod_audit.model import Node, Tree
from pyprod_audit.parsers.compose import parse


class Loader:
    """Loads the files of one tree. Documents are parsed once, whichever projects they belong to."""

    def __init__(self, tree: Tree, documents: dict[str, list[Node]], faults: Faults) -> None:
        """`documents`: what the parser made of the Compose files, by path; others are read when they are named."""
        self.tree = tree
        self.faults = faults
        self.values = DocumentValues(faults)
        self._documents = documents

    def documents(self, path: str) -> list[Node] | None:
        """The documents of a file; None when it is not there or must not be read."""
        if path not in self._documents:
            source = self.tree.text(path) if inside(path) else None
            if source is None:
                return None
            parsed = parse(source)
            for problem in parsed.problems:
                self.faults.add(problem.message, source.line_span(problem.line or 1))
            self._documents[path] = [r.node for r in parsed.resources if r.kind == "compose.file"]
        return self._documents[path]

    def model(self, paths: Sequence[str], context: Context) -> Node | None:
        """The files of a project, in their long form and merged; its relative paths are relative to its folder."""
        model: Node | None = None
        for path in paths:
            for document in self.documents(path) or ():
                loaded = self.fill(document, context)
                cfg = include_files(loaded, path, context, self)
                if model is not None:
                    model = apply_resets(model, loaded.resets)
                cfg = extend_services(Loaded(cfg, loaded.resets), path, context, self)
                model = self.laid_over(model, cfg)
        return model

    def base_model(self, path: str, context: Context) -> tuple[Node, Paths] | None:
        """A file that a service extends: without its includes and extends, its paths relative to `context.folder`."""
        documents = self.documents(path)
        if documents is None:
            return None
        model: Node | None = None
        resets: Paths = ()
        for document in documents:
            loaded = self.fill(document, context)
            resets = loaded.resets
            if model is not None:
                model = apply_resets(model, resets)
            model = self.laid_over(model, loaded.model)
        if model is None:
            return None
        return resolved(model, relative(posixpath.dirname(path), context.folder)), resets

    def fill(self, document: Node, context: Context) -> Loaded:
        """A document with its variables filled in, and what it takes back."""
        resets: Paths = ()
        if has_tags(document.source.text):
            document, resets = take_back(document)
        return Loaded(self.values.fill(document, context.environment.lookup), resets)

    def laid_over(self, model: Node | None, over: Node) -> Node:
        """`over` merged into `model`, in its long form."""
        merged = over if model is None else merge(model, over, self.faults)
        return without_repeats(long_form(without_repeats(merged), self.faults))

    def file_at(self, node: Node, folder: str, what: str) -> str | None:
        """The path that a node names, relative to the scan root, if a file is there; else the reason is reported.

        What is elsewhere (a repository, an artifact) or not known is no fault: None.
        """
        text = node.text
        if text is None or not text or is_remote(text):
            return None
        path = joined(folder, text)
        if not inside(path):
            self.faults.add(f"{what} {text} lies outside of the scanned folder", node)
            return None
        if path not in self.tree.paths:
            self.faults.add(f"{what} {text} does not exist", node)
            return None
        return path
