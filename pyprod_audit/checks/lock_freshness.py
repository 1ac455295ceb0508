"""Lock files that do not belong to their manifest any more.

What counts as stale is each tool's own test: poetry and Pipenv compare a hash of the manifest, uv the requirements it
recorded; where neither is there, names and versions are compared. Sources: https://docs.astral.sh/uv/concepts/projects/sync/,
https://python-poetry.org/docs/cli/#check, https://pipenv.pypa.io/en/latest/commands.html.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.requirement_files import by_path, compiled_from_manifest, is_fully_pinned, manifests_in
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.parsers.requirement_line import is_template, normal_name

_SHOWN = 3
_MANIFESTS = {
    "uv": ("pyproject.toml",), "poetry": ("pyproject.toml",), "pdm": ("pyproject.toml",), "pipenv": ("Pipfile",),
    "pylock": ("pyproject.toml",),
}  # fmt: skip
_TOOL_COMMANDS = {
    "uv": "uv lock", "poetry": "poetry lock", "pdm": "pdm lock", "pipenv": "pipenv lock", "pylock": "pip lock",
}  # fmt: skip


class Difference(NamedTuple):
    """One way in which a lock does not fit: what, in words, and where the manifest and the lock say so."""

    text: str
    at: Node
    locked: Node | None = None


def stale_lock(resource: Resource, context: Context) -> Outcomes:
    """A lock (or compiled requirements) fits the manifest it was made from."""
    if resource.kind == "py.requirements":
        yield from _compiled(resource, context.repository)
        return
    tool = resource.node.text_at("tool") or ""
    manifests = list(_manifests_of(resource, tool, context.repository))
    if not manifests:
        yield Skip("its manifest is not in the repository")
    for manifest in manifests:
        if _is_filled_in(manifest):
            yield Cannot(manifest.node.anchor, "the project is a template: its lock is made when it is filled in")
            continue
        fresh = _by_hash(resource, manifest)
        if fresh is True:
            continue
        if tool == "uv":
            found = list(_against_recorded(resource, manifest))
        else:
            found = list(_against_packages(_asked(manifest, tool), _locked(resource)))
        if fresh is False and not found:
            locked_hash = resource.node.get("content_hash")
            place = locked_hash or resource.node
            found = [Difference("the manifest was changed after it was locked", place)]
        if found:
            yield _hit(found, resource, manifest, _TOOL_COMMANDS.get(tool, "lock"))


def _hit(found: list[Difference], lock: Resource, manifest: Resource, command: str) -> Hit:
    more = len(found) - _SHOWN
    texts = "; ".join(one.text for one in found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    related = [(one.locked.anchor, "locked here") for one in found[:8] if one.locked is not None]
    related += [(one.at.anchor, one.text) for one in found[1:8]]
    return Hit(
        found[0].at.anchor,
        {"lock": lock.path, "manifest": manifest.path, "differences": texts, "command": command},
        related=tuple(related),
        address=f"{manifest.path}: {lock.path}",
    )


def _is_filled_in(manifest: Resource) -> bool:
    """Whether a manifest belongs to a template of projects, such as cookiecutter's."""
    name = manifest.node.get("name")
    return is_template(manifest.path) or (name is not None and (name.is_unknown or is_template(name.text or "")))


def _manifests_of(lock: Resource, tool: str, repository: Repository) -> Iterator[Resource]:
    folder = posixpath.dirname(lock.path)
    if posixpath.basename(lock.path) not in ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"):
        return  # pylock.<name>.toml is made from a part of the manifest
    members = {folder}
    if tool == "uv":
        for package in lock.node.items_at("packages"):
            if package.text_at("source") in ("path", "virtual", "editable") and package.text_at("url"):
                where = posixpath.normpath(posixpath.join(folder, package.text_at("url") or ""))
                members.add("" if where == "." else where)
    for where in sorted(members):
        for manifest in manifests_in(where, repository):
            if posixpath.basename(manifest.path) in _MANIFESTS.get(tool, ()) and _is_complete(manifest, tool):
                yield manifest


def _is_complete(manifest: Resource, tool: str) -> bool:
    """Whether the manifest itself says all that is locked: no dependencies that a build backend computes."""
    dynamic = {entry.text for entry in manifest.node.items_at("dynamic")}
    own = manifest.node.text_at("tool")
    return not dynamic & {"dependencies", "optional-dependencies"} and (own == "poetry") <= (tool == "poetry")


def _by_hash(lock: Resource, manifest: Resource) -> bool | None:
    """Whether the lock carries the hash of the manifest; None when one of them has none."""
    locked, known = lock.node.text_at("content_hash"), manifest.node.items_at("content_hashes")
    return None if locked is None or not known else locked.removeprefix("sha256:") in {one.text for one in known}


def _asked(manifest: Resource, tool: str) -> Iterator[Node]:
    """The requirements that must be in the lock; `groups` are left out where a lock may have been made without them."""
    yield from manifest.node.items_at("dependencies")
    if tool in ("uv", "poetry", "pipenv"):
        for groups in ("groups", "extras"):
            for group in manifest.node.mapping_at(groups).values():
                yield from (one for one in group.items if one.mapping)


def _locked(lock: Resource) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for package in lock.node.items_at("packages"):
        found.setdefault(package.text_at("name") or "", []).append(package)
    return found


def _against_recorded(lock: Resource, manifest: Resource) -> Iterator[Difference]:
    """uv: the requirements that it recorded when it locked, against those of the manifest now."""
    folder = posixpath.dirname(lock.path)
    inside = posixpath.relpath(posixpath.dirname(manifest.path) or ".", folder or ".")
    owners = {
        package.text_at("name")
        for package in lock.node.items_at("packages")
        if posixpath.normpath(package.text_at("url") or "-") == inside
        and package.text_at("source") in ("path", "virtual", "editable")
    }
    recorded: dict[str, set[str]] = {}
    for one in lock.node.items_at("declared"):
        name, package = one.text_at("name"), one.text_at("package")
        if name and (package in owners or (not package and inside == ".")):
            recorded.setdefault(name, set()).add(_normal(one.text_at("specifier") or ""))
    asked = [one for one in _asked(manifest, "uv") if one.text_at("name")]
    if not recorded:  # locks of early releases did not record them
        yield from _against_packages(asked, _locked(lock))
        return
    names = {one.text_at("name") for one in asked}
    own = manifest.node.text_at("name") or ""
    for one in asked:
        name = one.text_at("name") or ""
        if name not in recorded:
            if name != normal_name(own):
                yield Difference(f"{name} is not in the lock", one)
        elif not one.get("url") and not one.get("path") and _text(one.get("specifier")) is not None:
            wanted = _normal(one.text_at("specifier") or "")
            if wanted not in recorded[name]:
                yield Difference(f"{name} was locked for {_any(recorded[name])}, not {wanted or 'any version'}", one)
    gone = sorted(name for name in recorded if name not in names)
    if gone and asked:
        yield Difference(f"the lock still has {', '.join(gone[:3])}", asked[-1])


def _any(specifiers: set[str]) -> str:
    return " or ".join(sorted(one or "any version" for one in specifiers))


def _text(node: Node | None) -> str | None:
    return None if node is None else node.text


def _normal(specifier: str) -> str:
    """A specifier as everybody would write it: clauses in order, versions in normal form; unchanged if not PEP 440."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.utils import canonicalize_version

    try:
        clauses = [(one.operator, one.version) for one in SpecifierSet(specifier)]
    except InvalidSpecifier:
        return specifier
    return ",".join(
        sorted(
            operator + (version if version.endswith(".*") else canonicalize_version(version, strip_trailing_zero=False))
            for operator, version in clauses
        )
    )


def _against_packages(asked: Iterable[Node], locked: dict[str, list[Node]]) -> Iterator[Difference]:
    """Requirements whose distribution is not locked, or locked in a version that they do not allow."""
    for one in asked:
        name, specifier = one.text_at("name"), one.text_at("specifier")
        if name is None or specifier is None or one.get("path") is not None:
            continue
        packages = locked.get(name)
        if packages is None:
            if one.get("marker") is None and one.get("url") is None:
                yield Difference(f"{name} is not in the lock", one)
            continue
        versions = [package.get("version") for package in packages]
        known = [version for version in versions if version is not None and version.text]
        if one.get("url") is None and known and len(known) == len(packages) and not _satisfies(known, specifier):
            yield Difference(f"{name} {known[0].text} is locked, {specifier} is asked for", one, known[0])


def _satisfies(versions: list[Node], specifier: str) -> bool:
    """Whether one of the versions is allowed; also True when it cannot be told."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        wanted = SpecifierSet(specifier)
        return any(wanted.contains(Version(one.text or ""), prereleases=True) for one in versions)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _compiled(listed: Resource, repository: Repository) -> Outcomes:
    """`requirements.txt` against what pip-compile or uv made it of: `requirements.in`, or the manifest beside it."""
    if listed.path.endswith(".in"):
        compiled = by_path(repository).get(f"{listed.path[:-3]}.txt")
        source: Resource | None = listed
        asked = listed.node.items_at("requirements")
    else:
        compiled, path = listed, compiled_from_manifest(listed)
        beside = manifests_in(posixpath.dirname(listed.path), repository)
        source = next((one for one in beside if one.path == path and _is_complete(one, "pip")), None)
        asked = source.node.items_at("dependencies") if source is not None else ()
    if source is None or compiled is None or not is_fully_pinned(compiled):
        yield Skip("it is not compiled beside what it is made of")
        return
    locked: dict[str, list[Node]] = {}
    for one in compiled.node.items_at("requirements"):
        locked.setdefault(one.text_at("name") or "", []).append(one)
    found = list(_against_packages((one for one in asked if one.get("marker") is None), locked))
    if found:
        yield _hit(found, compiled, source, "pip-compile")
