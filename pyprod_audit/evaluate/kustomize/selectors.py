"""Which objects a patch or a replacement is for: regular expressions of names and kinds, label selectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from pyprod_audit.evaluate.kustomize.expressions import compiled
from pyprod_audit.evaluate.kustomize.objects import Gvk, Item, effective_namespace
from pyprod_audit.evaluate.kustomize.place import Budget, Refused
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node
from pyprod_audit.model.patterns import lazy

_FIELDS: Final = ("group", "version", "kind", "name", "namespace")
_REQUIREMENT = lazy(
    r"\s*(?:(?P<absent>!)\s*(?P<gone>[^\s!=,()<>]+)|(?P<key>[^\s!=,()<>]+)"
    r"(?:\s*(?P<sign>==?|!=)\s*(?P<value>[^\s!=,()<>]*)|\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\))?)\s*"
)


class Requirement(NamedTuple):
    """One part of a label selector: whether the label `key` is (`wanted`) one of `values`; None: whatever it is."""

    key: str
    values: frozenset[str] | None
    wanted: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it. A label that is absent satisfies `!=` and `notin`."""
        has = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return has == self.wanted


class Selector:
    """The `target` of a patch: every part must match, each of them a regular expression for the whole text."""

    def __init__(self, node: Node) -> None:
        """Raises Refused for an expression that cannot be read."""
        self._texts = {field: text_of(node.get(field)) for field in _FIELDS}
        self._parts = {}
        for field, text in self._texts.items():
            if text:
                expression = compiled(text, whole=True)
                if expression is None:
                    raise Refused(f"the {field} {text} is no regular expression that can be followed", node.get(field))
                self._parts[field] = expression
        self._labels = requirements(node.get("labelSelector"))
        self._annotations = requirements(node.get("annotationSelector"))

    def selects(self, item: Item) -> bool:
        """Whether the object, by its first or its current name, is meant."""
        gvk, first, now = item.gvk, item.original, item.current
        return (
            self._matches("kind", gvk.kind)
            and self._matches("group", gvk.group)
            and self._matches("version", gvk.version)
            and self._matches("name", first.name, now.name)
            and self._matches("namespace", first.namespace, now.namespace)
            and self.has_labels(item)
        )

    def selects_exactly(self, item: Item) -> bool:
        """Whether the parts are, taken as plain text, one of the object's names ever: replacements of kustomize 5.7."""
        gvk = Gvk(self._texts["group"], self._texts["version"], self._texts["kind"])
        name = self._texts["name"]
        for one in item.ids:
            namespace = self._texts["namespace"]
            same = not namespace or effective_namespace(one.gvk, namespace) == one.namespace
            if same and name in ("", one.name) and gvk.selects(one.gvk):
                return True
        return False

    def selects_any(self, item: Item) -> bool:
        """Whether one of the object's names ever matches the expressions: replacements of later kustomizes."""
        return any(
            self._matches("kind", one.gvk.kind)
            and self._matches("group", one.gvk.group)
            and self._matches("version", one.gvk.version)
            and self._matches("name", one.name)
            and self._matches("namespace", one.namespace)
            for one in item.ids
        )

    def has_labels(self, item: Item) -> bool:
        """Whether labels and annotations are as the selector wants them."""
        labels, annotations = self._labels, self._annotations
        return (not labels or all(one.holds(item.labels()) for one in labels)) and (
            not annotations or all(one.holds(item.labels("annotations")) for one in annotations)
        )

    @property
    def names_something(self) -> bool:
        """Whether it asks for a group, version, kind, name or namespace."""
        return bool(self._parts)

    @property
    def asks_for_labels(self) -> bool:
        """Whether it asks for labels or annotations."""
        return bool(self._labels or self._annotations)

    def _matches(self, field: str, *texts: str) -> bool:
        expression = self._parts.get(field)
        return expression is None or any(expression.found_in(text) for text in texts)


def select(selector: Selector, items: Iterable[Item], budget: Budget) -> Iterator[Item]:
    """The objects that a selector means, in order."""
    for item in items:
        budget.spend()
        if selector.selects(item):
            yield item


def requirements(node: Node | None) -> list[Requirement]:
    """The parts of `app=web,tier in (a, b),!canary`. Raises Refused when it is not of that form."""
    found: list[Requirement] = []
    text = text_of(node)
    at = 0
    while text.strip() and at <= len(text):
        match = _REQUIREMENT.match(text, at)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            raise Refused(f"{text} is no label selector", node)
        found.append(_requirement(match.groupdict()))
        at = match.end() + 1
    return found


def _requirement(parts: Mapping[str, str | None]) -> Requirement:
    if parts["absent"]:
        return Requirement(parts["gone"] or "", None, wanted=False)
    key = parts["key"] or ""
    if parts["sign"]:
        return Requirement(key, frozenset({parts["value"] or ""}), wanted=parts["sign"] != "!=")
    if parts["word"]:
        values = frozenset(value.strip() for value in (parts["values"] or "").split(","))
        return Requirement(key, values, wanted=parts["word"] == "in")
    return Requirement(key, None, wanted=True)
