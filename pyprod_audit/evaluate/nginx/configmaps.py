"""nginx configurations in ConfigMaps, as the containers that mount them see them."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from pyprod_audit.evaluate.evaluated import Evaluated
from pyprod_audit.model.kubernetes import name_of, namespace_of
from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.resource import Problem, Resource
from pyprod_audit.model.tree import Tree

_SUFFIXES: Final = (".conf", ".template", ".nginx", ".tmpl", ".vhost")
_NAMES: Final = frozenset({"nginx", "default", "site", "vhost"})
_MAX_GROUPS: Final = 2_000


def evaluate(resources: Sequence[Resource], _tree: Tree) -> Evaluated:
    """The nginx configurations of ConfigMaps, file by file and as effective blocks.

    Those that a container mounts lie where it mounts them. Of a ConfigMap that nobody mounts, all lie in one folder.

    Args:
        resources: of the kinds `k8s.configmap`, `k8s.podspec` and `k8s.container`.
    """
    evaluated = Evaluated()
    held = [found for one in resources if one.kind == "k8s.configmap" and (found := _Held(one)).files]
    if not held:
        return evaluated
    from pyprod_audit.evaluate.nginx.evaluation import Reported, evaluate_together
    from pyprod_audit.evaluate.nginx.files import ConfigFile, Files

    by_name: dict[str, list[_Held]] = {}
    for found in held:
        by_name.setdefault(name_of(found.config), []).append(found)
        evaluated.resources += found.files.values()
        evaluated.problems += found.problems
    groups = [(one, _mounted(one, by_name)) for one in resources if one.kind == "k8s.container"]
    mounted = {id(file) for _, files in groups for _, file in files}
    groups += [(found.config, _unmounted(found, mounted)) for found in held]
    reported = Reported()
    for owner, files in groups[:_MAX_GROUPS]:
        if files:
            together = Files([ConfigFile(location, file) for location, file in files])
            found_here = evaluate_together(together, reported, owner.variant, owner.via)
            evaluated.resources += found_here.resources
            evaluated.problems += found_here.problems
    return evaluated


def _unmounted(found: _Held, mounted: Collection[int]) -> list[tuple[str, Resource]]:
    return [(key, file) for key, file in found.files.items() if id(file) not in mounted]


class _Held:
    """The configurations of one ConfigMap, by key."""

    def __init__(self, config: Resource) -> None:
        self.config = config
        self.problems: list[Problem] = []
        self.files: dict[str, Resource] = {}
        for key, text in config.node.mapping_at("data").items():
            if key in _NAMES or key.endswith(_SUFFIXES):
                self._take(key, text)

    def _take(self, key: str, text: Node) -> None:
        from pyprod_audit.parsers.nginx_embedded import parse_text
        from pyprod_audit.parsers.nginx_sniff import looks_like_nginx

        written = text.value.expression if isinstance(text.value, Unknown) else text.text
        if not written or not looks_like_nginx(f"{name_of(self.config)}/{key}", written):
            return
        node, problems = parse_text(text, key)
        self.problems += problems
        address = f"{self.config.address}/{key}"
        self.files[key] = Resource("nginx.config", address, node, None, self.config.variant, self.config.via)


def _mounted(container: Resource, held: Mapping[str, list[_Held]]) -> list[tuple[str, Resource]]:
    """The configurations that a container mounts, with their places."""
    mounted: list[tuple[str, Resource]] = []
    pod = container.parent.node.items_at("volumes") if container.parent is not None else ()
    volumes = {name: volume for volume in pod if (name := volume.text_at("name"))}
    for mount in container.node.items_at("volumeMounts"):
        volume, place = volumes.get(mount.text_at("name") or ""), mount.text_at("mountPath")
        if volume is None or place is None or not place.startswith("/"):
            continue
        below = mount.text_at("subPath")
        for one in (volume, *volume.items_at("projected.sources")):
            source = one.get("configMap")
            found = _nearest(held.get(source.text_at("name") or "", ()), container) if source is not None else None
            if source is not None and found is not None:
                places = ((_place(place, path, below), file) for path, file in _projected(source, found.files))
                mounted += [(where, file) for where, file in places if where]
    return mounted


def _projected(source: Node, files: Mapping[str, Resource]) -> Iterator[tuple[str, Resource]]:
    """The files of a volume: all keys, or those of `items` under the paths that these give them."""
    items = source.get("items")
    if items is None:
        yield from files.items()
        return
    for item in items.items:
        file, path = files.get(item.text_at("key") or ""), item.text_at("path")
        if file is not None and path is not None:
            yield path, file


def _place(mount: str, path: str, below: str | None) -> str:
    """Where a file of a volume lies in the container; empty when the `subPath` of the mount leaves it out."""
    if below is not None:
        below = posixpath.normpath(below)
        if path == below:
            return posixpath.normpath(mount).lstrip("/")
        if below != "." and not path.startswith(f"{below}/"):
            return ""
        path = path if below == "." else path.removeprefix(f"{below}/")
    return posixpath.normpath(posixpath.join(mount, path)).lstrip("/")


def _nearest(candidates: Sequence[_Held], container: Resource) -> _Held | None:
    """The ConfigMap that lies with the container: of its deployment, in its file, else in its folder."""
    own = [one for one in candidates if one.config.variant == container.variant and _same_namespace(one, container)]
    folder = posixpath.dirname(container.path)
    same_file = [one for one in own if one.config.path == container.path]
    near = same_file or [one for one in own if posixpath.dirname(one.config.path) == folder]
    return near[-1] if near else own[0] if len(own) == 1 else None


def _same_namespace(one: _Held, container: Resource) -> bool:
    first, second = namespace_of(one.config), namespace_of(container)
    return not first or not second or first == second
