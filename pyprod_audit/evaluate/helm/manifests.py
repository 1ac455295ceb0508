"""Kubernetes objects out of what the templates of one deployment gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pyprod_audit.evaluate.helm.agreement import placed_like
from pyprod_audit.evaluate.helm.placement import Placed, read
from pyprod_audit.evaluate.helm.program import Manifest
from pyprod_audit.evaluate.helm.render import Fault, Rendering
from pyprod_audit.model import Node, OpenMapping, Resource, SourceFile, Via
from pyprod_audit.parsers.kubernetes import objects_of
from pyprod_audit.parsers.kubernetes_variables import mark_all_variables
from pyprod_audit.parsers.yaml_events import parse_documents

_MAX_DOCUMENTS = 5_000
_HOOK: Final = "helm.sh/hook"
# https://helm.sh/docs/topics/chart_tests/; `test-success` and `test-failure` are those of Helm 2.
_TESTS: Final = frozenset({"test", "test-success", "test-failure"})


class Manifests:
    """The objects of one deployment, and what may be missing from them."""

    def __init__(self, variant: str, via: tuple[Via, ...]) -> None:
        self.resources: list[Resource] = []
        self.faults: list[Fault] = []
        self.openings: list[Node] = []
        """What may stand for further objects."""
        self._variant = variant
        self._via = via
        self._documents = 0

    def add(self, rendering: Rendering) -> None:
        """Takes over what the templates gave, and what packed charts define."""
        for _, template, text in rendering.outputs:
            if not self._take(read(text, rendering.marks, template), template, has_variables="$" in text):
                return
        for source in rendering.crds:
            self._add(Placed(parse_documents(source).nodes), has_variables=False)

    def add_printed(self, manifests: Sequence[Manifest], rendering: Rendering) -> None:
        """Takes over what the helm program printed, with places from our own rendering."""
        own = {name: read(text, rendering.marks, template) for name, template, text in rendering.outputs}
        printed: dict[str, list[Manifest]] = {}
        for manifest in manifests:
            printed.setdefault(manifest.template, []).append(manifest)
        for name, found in printed.items():
            template = rendering.templates.get(name)
            if template is not None:
                placed = placed_like(found, own.get(name) or Placed(), template)
                if not self._take(placed, template, has_variables=any("$" in one.text for one in found)):
                    return

    def _take(self, placed: Placed, template: SourceFile, *, has_variables: bool) -> bool:
        """Takes one template's documents over; False when there are too many."""
        self.faults += [Fault(message, span) for message, span in placed.faults]
        self._add(placed, has_variables=has_variables)
        if self._documents > _MAX_DOCUMENTS:
            message = f"the chart gives more than {_MAX_DOCUMENTS} documents: the rest is not read"
            self.faults.append(Fault(message, template.span(0, 0)))
            return False
        return True

    def _add(self, placed: Placed, *, has_variables: bool) -> None:
        objects: dict[int, Resource] = {}
        for index, document in enumerate(placed.nodes):
            self._documents += 1
            _fill_in_head(document)
            opening = _opening(document)
            if opening is not None:
                self.openings.append(opening)
            if has_variables:
                mark_all_variables(document)
            found = list(objects_of(document, index, self._variant, self._via))
            version = document.mapping.get("apiVersion")
            if not found and opening is None and version is not None and version.is_unknown:
                self.openings.append(version)
            roots = [one for one in found if one.parent is None]
            if any(_is_test(root) for root in roots):
                continue
            self.resources += found
            if len(roots) == 1:
                objects[id(document)] = roots[0]
        self.resources += self._repeated(placed, objects)

    def _repeated(self, placed: Placed, objects: dict[int, Resource]) -> Iterator[Resource]:
        for document, repeated in placed.repeated:
            owner = objects.get(id(document))
            if owner is not None:
                address = f"{owner.address}/{'.'.join(repeated.path)}"
                yield Resource("yaml.duplicate_key", address, repeated.node, owner, self._variant, self._via)


def _fill_in_head(document: Node) -> None:
    """Says in so many words that version or kind are not known, where an undecided branch has them."""
    members = document.value
    if isinstance(members, OpenMapping):
        for key in ("apiVersion", "kind"):
            members.setdefault(key, members.rest)


def _opening(document: Node) -> Node | None:
    """What may stand for objects of which nothing is known: the document, its kind, or members of a list."""
    if document.is_unknown:
        return document
    kind = document.mapping.get("kind")
    if kind is None or kind.is_unknown:
        return kind
    items = document.mapping.get("items") if kind.text == "List" else None
    if items is None or items.is_unknown:
        return items
    return next((item for item in items.items if item.is_unknown), None)


def _is_test(found: Resource) -> bool:
    """Whether an object is made by `helm test` only."""
    hook = found.node.find(("metadata", "annotations", _HOOK))[0]
    text = hook.text if isinstance(hook, Node) else None
    return text is not None and all(one.strip().lower() in _TESTS for one in text.split(","))
