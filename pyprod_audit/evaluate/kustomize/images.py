"""The `images` of a kustomization: other names, tags and digests for the images of containers."""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.evaluate.kustomize.expressions import Expression, compiled
from pyprod_audit.evaluate.kustomize.field_specs import Field, FieldSpec
from pyprod_audit.evaluate.kustomize.objects import Item
from pyprod_audit.evaluate.kustomize.place import Budget, Refused, over, placed, with_items, with_members
from pyprod_audit.evaluate.kustomize.scalars import text_of
from pyprod_audit.model import Node, Unknown

_REST: Final = r"(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?"
_LISTS: Final = frozenset({"containers", "initContainers"})
_IN_MANIFEST: Final = "the image in the manifest"


class Reference(NamedTuple):
    """The parts of an image reference; empty ones are not there."""

    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


class ImageChange:
    """One entry of `images`."""

    def __init__(self, entry: Node, text: dict[str, str]) -> None:
        """`text` has the entry's fields as text."""
        self._entry = entry
        self._text = text
        # The name is put into a regular expression as it is: its dots stand for anything.
        self._expression: Expression | None = compiled(f"^{text.get('name', '')}{_REST}$")

    def set_in(self, item: Item, specs: tuple[FieldSpec, ...], budget: Budget) -> None:
        """Changes the images of an object: in every list of containers, and in the configured fields."""
        if item.kind == "CustomResourceDefinition":
            return
        item.node = self._in_lists(item.node, budget)
        for spec in specs:
            Field(spec._replace(create=False), self._changed, budget).set_in(item)

    def _in_lists(self, node: Node, budget: Budget) -> Node:
        budget.spend()
        value = node.value
        if isinstance(value, tuple):
            return with_items(node, tuple(self._in_lists(item, budget) for item in value))
        if not isinstance(value, dict):
            return node
        members = {key: self._in_lists(member, budget) for key, member in value.items()}
        for key in _LISTS & members.keys():
            if isinstance(members[key].value, tuple):
                members[key] = self._in_containers(members[key])
        if all(new is old for new, old in zip(members.values(), value.values(), strict=True)):
            return node
        return with_members(node, members)

    def _in_containers(self, containers: Node) -> Node:
        items = []
        for item in containers.items:
            image = item.mapping.get("image")
            if item.value is not None and not isinstance(item.value, (dict, Unknown)):
                raise Refused("a list of containers holds something else than mappings", item)
            if image is None:
                items.append(item)
                continue
            new = self._changed(image)
            items.append(item if new is image else item.holding({**item.mapping, "image": new}))
        return with_items(containers, tuple(items))

    def _changed(self, image: Node) -> Node:
        if image.is_unknown or image.value is None:
            return image
        if isinstance(image.value, (dict, tuple)):
            raise Refused("an image is a scalar", image)
        written = text_of(image)
        if self._expression is None or not self._expression.found_in(written):
            return image
        text = str(self._result(split(written)))
        if text == written:
            return image
        return over(placed(text, self._place()), image, _IN_MANIFEST)

    def _result(self, old: Reference) -> Reference:
        name = self._text.get("newName") or old.name
        tag, digest, suffix = (self._text.get(key, "") for key in ("newTag", "digest", "tagSuffix"))
        if tag or digest:
            return Reference(name, tag, digest)
        return Reference(name, old.tag + suffix, "") if suffix else Reference(name, old.tag, old.digest)

    def _place(self) -> Node:
        """What a reader would change: the tag, the digest, the name."""
        found = (self._entry.get(key) for key in ("newTag", "digest", "tagSuffix", "newName") if self._text.get(key))
        return next((node for node in found if node is not None), self._entry)


def split(reference: str) -> Reference:
    """The parts of a reference, as kustomize takes it apart (api/internal/image)."""
    slash = reference.find("/")
    start = max(slash, 0)
    at, colon = reference.find("@", start), reference.find(":", start)
    if at < 0 and colon < 0:
        return Reference(reference, "", "")
    if at >= 0 and (at < colon or colon < 0):
        return Reference(reference[:at], "", reference[at + 1 :])
    if at >= 0:
        return Reference(reference[:colon], reference[colon + 1 : at], reference[at + 1 :])
    return Reference(reference[:colon], reference[colon + 1 :], "")
