"""The kustomizations whose objects stand as they are written, and those whose objects are left out."""

from __future__ import annotations

from pyprod_audit.model import Repository, Resource


def unevaluated(repository: Repository) -> list[Resource]:
    """The `kustomize.kustomization` that no deployment has been evaluated with."""
    return repository.memo("link.unevaluated_kustomizations", _unevaluated)


def is_left_out(kustomization: Resource, repository: Repository) -> bool:
    """Whether only deployments that are not judged (overlays for development) are made with a kustomization."""
    return kustomization.path in repository.memo("link.kustomizations_left_out", _left_out)


def _left_out(repository: Repository) -> set[str | None]:
    return _files(repository, judged=False) - _files(repository, judged=True)


def _unevaluated(repository: Repository) -> list[Resource]:
    done = _files(repository, judged=True) | _files(repository, judged=False)
    return [one for one in repository.of_kind("kustomize.kustomization") if one.path not in done]


def _files(repository: Repository, *, judged: bool) -> set[str | None]:
    """The files of all deployments that were evaluated, those that are judged or those that are not."""
    return {
        path.text
        for build in repository.of_kind("kustomize.build")
        if _is_set(build, "evaluated") and _is_set(build, "judged") is judged
        for path in build.node.items_at("files")
    }


def _is_set(build: Resource, key: str) -> bool:
    found = build.node.get(key)
    return found is not None and found.value is True
