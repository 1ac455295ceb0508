"""Looks from one Terraform resource to others of its module."""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.evaluate.terraform import reference_target, reference_targets
from pyprod_audit.model import Node, Repository, Resource


def referred(resource: Resource, reference: Node | None, repository: Repository) -> Resource | None:
    """The resource of the same module that an argument of `resource` refers to."""
    address = reference_target(reference) if reference is not None else None
    if address is None or resource.parent is None:
        return None

    def build(repo: Repository) -> dict[tuple[int, str], Resource]:
        return {
            (id(child.parent), child.address): child
            for configuration in repo.of_kind("tf.configuration")
            for child in repo.children(configuration)
        }

    return repository.memo("terraform.siblings", build).get((id(resource.parent), address))


def referring(resource: Resource, kinds: tuple[str, ...], argument: str, repository: Repository) -> Iterator[Resource]:
    """The resources of these kinds in the same module whose argument refers to `resource`."""
    for other in repository.of_kind(*kinds):
        node = other.node.mapping.get(argument)
        if other.parent is resource.parent and node is not None and resource.address in reference_targets(node):
            yield other
