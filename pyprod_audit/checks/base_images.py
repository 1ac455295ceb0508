"""Base images: that their tags fix a version, and that their distribution still gets security fixes.

Only stages whose files reach what production runs are looked at. Sources: https://docs.docker.com/reference/dockerfile/#from,
https://hub.docker.com/_/python, https://docs.docker.com/build/building/best-practices/#pin-base-image-versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.docker_view import (
    ImageReference,
    base_reference,
    copies_from,
    index_of,
    is_built_here,
    is_shipped,
    stage_called,
)
from pyprod_audit.lifecycles import distro_of_tag, image_product, lifecycle, product_of_image, python_version_of_tag
from pyprod_audit.model import Node, Resource
from pyprod_audit.model.patterns import lazy

_DISTRIBUTIONS = frozenset(("debian", "ubuntu", "alpine-linux", "amazon-linux", "rocky-linux", "almalinux", "rhel"))
# Images that are a distribution and nothing more: the suite is their version.
_SUITE_IMAGES = frozenset(("debian", "ubuntu", "buildpack-deps", "bitnami/minideb"))
# What a tag says of the distribution below: `3.20` in `golang:alpine3.20` is no version of Go.
_DISTRIBUTION_WORD = lazy(r"(?:alpine|debian|ubuntu|ubi|el|rocky|almalinux|windowsservercore-ltsc|ltsc)-?[0-9][0-9.]*")
_COMMIT = lazy(r"[0-9a-f]{7,40}")


def python_minor_not_fixed(stage: Resource, context: Context) -> Outcomes:
    """A Python image names at least the minor version."""
    reference = base_reference(stage)
    if reference is None or not is_shipped(stage, context.repository) or not _is_python(reference):
        yield Skip("not a Python image that production builds on")
        return
    if reference.digest is not None:
        return
    tag = reference.tag
    if tag is not None and tag.is_unknown:
        yield cannot(tag)
        return
    text = "" if tag is None else tag.text or ""
    if "." not in (python_version_of_tag(text) or ""):
        moves = f"the tag {text} is whatever Python 3 is newest" if text else "without a tag it is python:latest"
        yield Hit((tag or reference.node).span, {"image": reference.image, "moves": moves})


def base_image_moves(stage: Resource, context: Context) -> Outcomes:
    """An image that a build starts from, or copies from, has a tag with a version or a digest."""
    if not is_shipped(stage, context.repository):
        yield Skip("production does not run it")
        return
    references = list(_references(stage, context))
    if not references:
        yield Skip("it is built from a stage of the same file")
    for reference, at, verb in references:
        if reference.digest is not None or reference.image == "scratch" or _is_python(reference):
            continue
        if reference.name is None or (reference.tag is not None and reference.tag.is_unknown):
            yield Cannot(at.anchor, f"{reference.image} is filled in when the image is built")
            continue
        tag = "" if reference.tag is None else reference.tag.text or ""
        if _fixes_a_version(reference.name, tag) or (not tag and is_built_here(reference.name, context.repository)):
            continue
        if "$" in at.span.text:
            yield Cannot(at.anchor, f"{reference.image} is the default of an ARG, which the build may replace")
            continue
        why = f"the tag {tag} moves with every release" if tag else "without a tag it is :latest"
        yield Hit(
            (reference.tag or at).span if at is reference.node else at.span,
            {"verb": verb, "image": reference.image, "why": why},
            address=f"{stage.address}/{reference.name}",
        )


def _references(stage: Resource, context: Context) -> Iterator[tuple[ImageReference, Node, str]]:
    base = base_reference(stage)
    if base is not None:
        yield base, base.node, "builds on"
    stages = context.repository.children(stage.parent, "docker.stage") if stage.parent is not None else []
    for instruction, name in copies_from(stage):
        flag = instruction.get("flags.from")
        if flag is not None and stage_called(name, stages, index_of(stage)) is None and ("/" in name or ":" in name):
            yield _named(name, flag), flag, "copies from"


def _named(image: str, at: Node) -> ImageReference:
    """The reference in a `COPY --from=image`, every part at the place of the whole."""
    rest, _, digest = image.partition("@")
    colon = rest.find(":", rest.rfind("/") + 1)
    name, tag = (rest, "") if colon < 0 else (rest[:colon], rest[colon + 1 :])

    def here(text: str) -> Node:
        return Node(text, at.source, at.start, at.end)

    node = Node({"image": here(image)}, at.source, at.start, at.end)
    return ImageReference(node, name, here(tag) if tag else None, here(digest) if digest else None)


def _is_python(reference: ImageReference) -> bool:
    """Python's own images and those that count like it; uv's tags begin with its own version."""
    name = reference.name or ""
    return product_of_image(name) == "python" and not name.endswith("astral-sh/uv")


def _fixes_a_version(name: str, tag: str) -> bool:
    base = name.rpartition("/")[2]
    if re.search(r"[-_]?(?:debian|ubuntu|ubi|alpine)?[0-9]", base) and "distroless" in name:
        return True  # gcr.io/distroless/python3-debian12 carries the release in its name and has no versioned tags
    if base in _SUITE_IMAGES or name in _SUITE_IMAGES:
        return distro_of_tag(tag) is not None or bool(re.match(r"[0-9]", tag))
    rest = _DISTRIBUTION_WORD.sub("", tag.lower())
    return bool(re.search(r"[0-9]", rest)) or bool(_COMMIT.fullmatch(tag))


def distribution_out_of_support(stage: Resource, context: Context) -> Outcomes:
    """The distribution that a base image's tag names still gets security fixes."""
    reference = base_reference(stage)
    if reference is None or reference.name is None or not is_shipped(stage, context.repository):
        yield Skip("no image from elsewhere that production builds on")
        return
    tag = reference.tag
    if tag is None:
        return
    if tag.text is None:
        yield cannot(tag)
        return
    found = distro_of_tag(tag.text)
    if found is None or not found[1]:
        product = image_product(reference.name, tag.text)
        found = product if product is not None and product[0] in _DISTRIBUTIONS else None
    cycle = lifecycle(*found) if found is not None else None
    if cycle is None or not cycle.is_past(context.as_of):
        return
    name = f"{_DISPLAY.get(cycle.product, cycle.product)} {cycle.cycle}"
    ended = f"ended on {cycle.end_of_life.isoformat()}" if cycle.end_of_life is not None else "has ended"
    yield Hit(tag.span, {"image": reference.image, "distribution": name, "ended": ended})


_DISPLAY = {
    "debian": "Debian", "ubuntu": "Ubuntu", "alpine-linux": "Alpine", "amazon-linux": "Amazon Linux", "rhel": "RHEL",
    "rocky-linux": "Rocky Linux", "almalinux": "AlmaLinux",
}  # fmt: skip
