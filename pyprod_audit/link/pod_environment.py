"""The environment of a container with what ConfigMaps of the repository bring."""

from __future__ import annotations

from pyprod_audit.link.network import nearest, same_namespace
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import env_of


def configured_environment(container: Resource, repository: Repository) -> dict[str, Node]:
    """Variables by name: those of `envFrom` and `env`, ConfigMap values filled in; others as `env_of` has them."""
    values: dict[str, Node] = {}
    for origin in container.node.items_at("envFrom"):
        prefix = origin.text_at("prefix") or ""
        for name, node in _data(origin.text_at("configMapRef.name"), container, repository).items():
            values[prefix + name] = node
    values.update(env_of(container))
    for entry in container.node.items_at("env"):
        variable, reference = entry.text_at("name"), entry.get("valueFrom.configMapKeyRef")
        if variable is None or reference is None:
            continue
        found = _data(reference.text_at("name"), container, repository).get(reference.text_at("key") or "")
        if found is not None:
            values[variable] = found
    return values


def environment_is_open(container: Resource, repository: Repository) -> bool:
    """Whether `envFrom` may set variables that the repository does not show."""
    origins = container.node.get("envFrom")
    return origins is not None and (
        origins.is_unknown
        or any(not _data(origin.text_at("configMapRef.name"), container, repository) for origin in origins.items)
    )


def _data(name: str | None, container: Resource, repository: Repository) -> dict[str, Node]:
    """The entries of the nearest ConfigMap of that name."""
    if name is None:
        return {}
    by_name = repository.memo("link.config_maps", _by_name)
    maps = [one for one in by_name.get(name, ()) if same_namespace(one, container)]
    found: dict[str, Node] = {}
    for one in nearest(maps, container):
        found.update(one.node.mapping_at("data"))
    return found


def _by_name(repository: Repository) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for config in repository.of_kind("k8s.configmap"):
        name = config.node.text_at("metadata.name")
        if name is not None:
            found.setdefault(name, []).append(config)
    return found
