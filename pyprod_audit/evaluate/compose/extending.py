"""`extends`: a service that starts from another one, of the same file or of another.

https://docs.docker.com/reference/compose-file/services/#extends
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyprod_audit.evaluate.compose.context import MAX_NESTED, Context, Loaded
from pyprod_audit.evaluate.compose.merging import SERVICE, merge
from pyprod_audit.evaluate.compose.model_members import opened, with_member, without_member
from pyprod_audit.evaluate.compose.resets import Paths, apply_resets
from pyprod_audit.evaluate.compose.texts import members_like
from pyprod_audit.model import Node, Via

if TYPE_CHECKING:
    from pyprod_audit.evaluate.compose.loading import Loader


def extend_services(loaded: Loaded, path: str, context: Context, loader: Loader) -> Node:
    """The model of the file at `path` with what its services extend."""
    services = loaded.model.mapping.get("services")
    if services is None or not isinstance(services.value, dict):
        return loaded.model
    if not any("extends" in service.mapping for service in services.value.values()):
        return loaded.model
    extending = _Extending(context, loader)
    members = dict(services.value)
    scope = _Scope(path, members, loaded.resets)
    for name in list(members):
        extending.resolve(name, scope, ())
    return with_member(loaded.model, "services", services.holding(members_like(members, services.value)))


class _Scope:
    """The services of one file, some of them resolved already, and what the file takes back."""

    def __init__(self, path: str, services: dict[str, Node], resets: Paths) -> None:
        self.path = path
        self.services = services
        self.resets = resets


class _Extending:
    def __init__(self, context: Context, loader: Loader) -> None:
        self._context = context
        self._loader = loader
        self._scopes: dict[str, _Scope | None] = {}

    def resolve(self, name: str, scope: _Scope, chain: tuple[tuple[str, str], ...]) -> Node | None:
        """The service with what it extends, which then stands in its scope."""
        service = scope.services.get(name)
        if service is None or not isinstance(service.value, dict) or "extends" not in service.value:
            return service if service is not None and service.value is not None else None
        extends = service.value["extends"]
        if (scope.path, name) in chain or len(chain) > MAX_NESTED:
            self._loader.faults.add("services extend each other in a circle", extends)
            return self._open(service, extends, "services extend each other in a circle")
        result = self._extended(name, service, extends, scope, (*chain, (scope.path, name)))
        scope.services[name] = result
        return result

    def _extended(
        self, name: str, service: Node, extends: Node, scope: _Scope, chain: tuple[tuple[str, str], ...]
    ) -> Node:
        file = extends.mapping.get("file")
        reference = extends.mapping.get("service") if isinstance(extends.value, dict) else extends
        base_name = reference.text if reference is not None else None
        if reference is None or base_name is None:
            if reference is None or not reference.is_unknown:
                self._loader.faults.add("extends names no service", extends)
            return self._open(service, extends, "what it extends is not known")
        base_scope: _Scope | None = scope
        if file is not None and file.value is not None:
            base_scope = self._scope_of(file)
            if base_scope is None:
                return self._open(service, file, f"{file.text or 'the file that it extends'} is not in the repository")
        if base_scope is None or base_name not in base_scope.services:
            self._loader.faults.add(f"extends names the service {base_name}, which does not exist", reference)
            return self._open(service, reference, f"there is no service {base_name}")
        base = self.resolve(base_name, base_scope, chain)
        if base is None:
            return service
        if base_scope is not scope:
            base = _through(base, Via(extends.anchor, f"extended by {name}"))
        taken_back = [path[2:] for path in scope.resets if path[:2] == ("services", name) and len(path) > 2]
        merged = merge(apply_resets(base, taken_back), service, self._loader.faults, SERVICE)
        return service.holding(without_member(merged, "extends").value)

    def _scope_of(self, file: Node) -> _Scope | None:
        path = self._loader.file_at(file, self._context.folder, "the file that a service extends,")
        if path is None:
            return None
        if path not in self._scopes:
            loaded = self._loader.base_model(path, self._context)
            services = loaded[0].mapping.get("services") if loaded is not None else None
            members = dict(services.mapping) if services is not None else {}
            self._scopes[path] = _Scope(path, members, loaded[1] if loaded is not None else ())
        return self._scopes[path]

    def _open(self, service: Node, place: Node, because: str) -> Node:
        return opened(without_member(service, "extends"), because, place, "extends")


def _through(node: Node, via: Via) -> Node:
    """The node and all below it as having come through `via`."""
    value = node.value
    if isinstance(value, dict):
        members = {name: _through(member, via) for name, member in value.items()}
        return node.holding(members_like(members, value)).coming(via)
    if isinstance(value, tuple):
        return node.holding(tuple(_through(member, via) for member in value)).coming(via)
    return node.coming(via)
