"""Image references that mean something else tomorrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kustomize_view import image_override, is_built_by_skaffold, patch_that_sets
from pyprod_audit.checks.workload_view import image_name, is_injected, is_one_shot, present
from pyprod_audit.link.kustomizations import is_left_out
from pyprod_audit.model import Node, Repository, Resource, Span
from pyprod_audit.model.patterns import lazy

# distribution/reference: a registry's host may have capitals, the repository's path may not.
_REPOSITORY = lazy(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")
_TAG = lazy(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# Tags that are moved to whatever was built or released last. Others without a digit may be anybody's release names.
_MOVING: Final = frozenset({
    "latest", "main", "master", "trunk", "head", "develop", "development", "dev", "edge", "nightly", "canary",
    "unstable", "snapshot", "rolling", "stable", "mainline", "alpine", "slim", "lts",
})  # fmt: skip
_LONGEST_REFERENCE: Final = 512


def moving_tag(subject: Resource, context: Context) -> Outcomes:
    """An image is named by a tag that moves, so that nobody can say what runs, nor go back to it."""
    if subject.kind == "kustomize.kustomization":
        yield from _kustomization_tags(subject, context)
        return
    image = present(subject.node, "image")
    if image is None or is_injected(subject):
        yield Skip("the image is filled in elsewhere")
        return
    if image.is_unknown:
        yield cannot(image)
        return
    text = image.text or ""
    tag = _tag_of(text)
    if tag is None:
        return
    if not _is_reference(text):
        yield Cannot(image.span, f"{text or 'an empty text'} is no image reference: a tool fills it in")
        return
    if not _moves(tag):
        return
    filled_in = _filled_in(subject, context)
    if filled_in:
        yield Cannot(image.span, filled_in)
        return
    policy = subject.node.text_at("imagePullPolicy")
    values = {"image": text, "tag": tag or "latest", "effect": _effect(tag, policy, runs_once=is_one_shot(subject))}
    related = _policy_place(subject.node, policy)
    message = "{address} runs {image}, {effect}" if tag else "{address} runs {image} without a tag, {effect}"
    yield Hit(image.span, values, related=related, message=message)


def _kustomization_tags(kustomization: Resource, context: Context) -> Outcomes:
    """Tags that a kustomization writes over those of images that are not in the repository."""
    if is_left_out(kustomization, context.repository):
        yield Skip("it is for development")
        return
    told = context.repository.memo("checks.image_places", lambda repo: frozenset(_image_places(repo)))
    entries = kustomization.node.items_at("images")
    if not entries:
        yield Skip("it replaces no images")
        return
    for entry in entries:
        tag = present(entry, "newTag")
        if tag is None or present(entry, "digest") is not None or (tag.source.path, tag.start) in told:
            continue
        if tag.is_unknown:
            yield cannot(tag)
        elif _moves(str(tag.scalar)):
            name = entry.text_at("newName") or entry.text_at("name") or "the image"
            yield Hit(
                tag.span,
                {"image": name, "tag": tag.scalar},
                message="{address} sets {image} to the tag {tag}, which moves",
                address=f"{kustomization.address}/images[{entry.text_at('name')}]",
            )


def _image_places(repository: Repository) -> Iterator[tuple[str, int]]:
    """Where the images of containers stand, as far as kustomizations set them."""
    for container in repository.of_kind("k8s.container", "k8s.initcontainer"):
        image = container.node.get("image")
        if image is not None and image.source.kind == "kustomization":
            yield image.source.path, image.start


def _tag_of(text: str) -> str | None:
    """The tag of a reference, empty when it has none; None when a digest says what it is."""
    if "@" in text:
        return None
    _, colon, tag = text.rpartition(":")
    return tag if colon and "/" not in tag else ""


def _is_reference(text: str) -> bool:
    if not text or len(text) > _LONGEST_REFERENCE:
        return False
    tag = _tag_of(text)
    name = text.removesuffix(f":{tag}") if tag else text
    return _REPOSITORY.fullmatch(name) is not None and (not tag or _TAG.fullmatch(tag) is not None)


def _moves(tag: str) -> bool:
    lowered = tag.lower()
    return not tag or lowered in _MOVING or lowered.startswith("latest-") or lowered.endswith("-latest")


def _filled_in(container: Resource, context: Context) -> str:
    """What in the repository replaces the tag before the manifest is applied; empty when nothing does."""
    name = image_name(container)
    if image_override(container, name, context.repository) is not None:
        return f"a kustomization replaces the tag of {name}"
    if is_built_by_skaffold(name, context.repository):
        return f"Skaffold builds {name} and fills in its tag"
    patch = patch_that_sets(container, "image", context.repository)
    return f"a Kustomize patch sets the image: {patch}" if patch else ""


def _effect(tag: str, policy: str | None, *, runs_once: bool) -> str:
    # An absent policy is Always for :latest and IfNotPresent for any other tag.
    always = policy == "Always" or (policy is None and (not tag or tag == "latest"))
    if always and runs_once:
        return "so each run may be another version, and nobody can say which one it was"
    if always:
        return "so a restarted pod may run another version than its siblings, and a rollback brings nothing back"
    shown, comma = (policy, "") if policy else ("IfNotPresent, the default", ",")
    return f"and with imagePullPolicy {shown}{comma} each node keeps the version that it pulled first"


def _policy_place(container: Node, policy: str | None) -> tuple[tuple[Span, str], ...]:
    node = container.get("imagePullPolicy")
    return ((node.span, "the pull policy"),) if node is not None and policy in ("Never", "IfNotPresent") else ()
