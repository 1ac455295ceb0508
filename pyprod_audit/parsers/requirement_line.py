"""One requirement, however it is written: PEP 508 text, a URL, a path, or the fields of a table, as one node.

Sources: https://packaging.python.org/en/latest/specifications/dependency-specifiers/ (PEP 508),
https://pip.pypa.io/en/stable/topics/vcs-support/ (references in VCS URLs),
https://packaging.python.org/en/latest/specifications/name-normalization/ (PEP 503).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.model.node import Value
from pyprod_audit.model.patterns import lazy

_SEPARATORS = lazy(r"[-_.]+")
_HEAD = lazy(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*")
_CLAUSE = lazy(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([A-Za-z0-9][A-Za-z0-9.*+!_-]*)\s*")
_TEMPLATE = lazy(r"\{\{|\{%|\$\{|\$\(|<%|%\(|@@")
_SCHEME = lazy(r"(?:(git|hg|svn|bzr)\+)?([A-Za-z][A-Za-z0-9+.-]*):")
_SCP = lazy(r"git\+[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:")
_COMMIT = lazy(r"[0-9a-f]{40}|[0-9a-f]{64}")
_RELEASE = lazy(
    r"(?:[A-Za-z][A-Za-z0-9_]*-)?[vV]?[0-9]{1,9}(?:\.[0-9]{1,9}){1,5}"
    r"(?:[.+_-]?(?:a|b|c|rc|alpha|beta|post|dev|final)[.-]?[0-9]{0,9}){0,2}"
)
_HASHED = lazy(r"(?:^|&)(?:sha256|sha384|sha512)=[0-9a-f]{32,}")
_EGG = lazy(r"(?:^|&)egg=([A-Za-z0-9._-]+)")
_WHEEL = lazy(r"([A-Za-z0-9._]+)-([0-9][A-Za-z0-9._!+]*)(?:-[A-Za-z0-9._]+){3,4}\.whl")
_SDIST = lazy(r"([A-Za-z][A-Za-z0-9._-]*)-([0-9][A-Za-z0-9.!+_]*)\.(?:tar\.gz|tar\.bz2|tar\.xz|tgz|zip)")
_ARCHIVE_REF = lazy(r"/(?:archive|tarball|zipball)/(?:refs/(heads|tags)/)?([^/?#]+?)(?:\.tar\.gz|\.tgz|\.zip)?$")
_ARCHIVES: Final = (".whl", ".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".zip")


def normal_name(name: str) -> str:
    """The normal form of a distribution's name by PEP 503: `Flask_SQLAlchemy` → `flask-sqlalchemy`."""
    return _SEPARATORS.sub("-", name).lower()


def is_template(text: str) -> bool:
    """Whether some tool fills in part of the text before a packaging tool reads it."""
    return bool(_TEMPLATE.search(text))


def commit_or_release(ref: str) -> bool:
    """Whether a VCS reference does not move: a full commit hash or a name like a release's tag."""
    return bool(_COMMIT.fullmatch(ref) or _RELEASE.fullmatch(ref))


@dataclass(slots=True)
class Requirement:
    """The parts of a requirement before they become a node; empty text means "not given"."""

    raw: str
    name: str = ""
    specifier: str = ""
    version: str = ""
    pinned: bool = False
    url: str = ""
    vcs: bool = False
    ref: str = ""
    path: str = ""
    editable: bool = False
    marker: str = ""
    extras: tuple[str, ...] = ()
    unknown: str = ""
    group: str = ""
    index: str = ""
    hashes: list[Node] = field(default_factory=list)

    def node(self, source: SourceFile, start: int, end: int, key: tuple[int, int] = (-1, -1)) -> Node:
        """The node of docs/model.md; its members stand where their text does, else at the whole requirement."""

        def at(value: Value, shown: str = "", behind: int = start) -> Node:
            found = source.text.find(shown, behind, end) if shown else -1
            return Node(value, source, start, end) if found < 0 else Node(value, source, found, found + len(shown))

        because = "filled in by a template or the environment"
        node: dict[str, Node] = {"raw": at(self.raw)}
        if self.name:
            templated = is_template(self.name)
            node["name"] = at(Unknown(self.name, because) if templated else normal_name(self.name), self.name)
        behind = node["name"].end if self.name and node["name"].end < end else start
        node["specifier"] = at(self.specifier, self.specifier, behind)
        if self.unknown:
            node["version"] = node["pinned"] = at(Unknown(self.unknown, because), self.unknown, behind)
            if not self.url:
                node["specifier"] = node["version"]
        else:
            if self.version:
                node["version"] = at(self.version, self.version, behind)
            node["pinned"] = at(self.pinned, self.specifier or self.ref, behind)
        for name in ("url", "path", "ref", "marker", "group", "index"):
            text: str = getattr(self, name)
            if text:
                node[name] = at(Unknown(text, because) if is_template(text) else text, text, behind)
        if self.url:
            node["vcs"] = at(self.vcs, self.url)
        node["editable"] = at(self.editable)
        node["hashes"] = Node(tuple(self.hashes), source, start, end)
        node["extras"] = Node(tuple(at(extra, extra) for extra in self.extras), source, start, end)
        return Node(node, source, start, end, *key)


def read_requirement(text: str) -> Requirement | str:
    """A requirement as pip takes it on one line (without options), or what is wrong with it, in words."""
    raw = text.strip()
    head = _HEAD.match(raw)
    rest = raw[head.end() :] if head else raw
    if head and rest.startswith("@") and not raw.startswith(("git@", "hg@")):
        address, marker = _split_marker(rest[1:].strip())
        found = Requirement(raw, name=head[1], extras=_extras(head[2]), marker=marker)
        return set_url(found, address) if address else "no URL after '@'"
    if _SCHEME.match(raw) or _SCP.match(raw) or raw.startswith("git@"):
        address, marker = _split_marker(raw)
        return set_url(Requirement(raw, marker=marker), address)
    if is_template(raw):
        return _templated(raw)
    if raw.startswith((".", "/", "~")) or "/" in raw.partition(";")[0] or "\\" in raw.partition(";")[0]:
        return _local(raw)
    address, marker = _split_marker(raw)
    if address.endswith(_ARCHIVES):
        return _local(raw)
    if not head:
        return f"not a requirement: {raw[:60]!r}"
    found = Requirement(raw, name=head[1], extras=_extras(head[2]))
    constraint, _, marker = rest.partition(";")
    found.marker = marker.strip()
    return set_specifier(found, constraint)


def set_specifier(found: Requirement, text: str) -> Requirement | str:
    """Puts version clauses (`>=1,<2`, `==1.4`) into a requirement, or says what is wrong with them."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if is_template(text):
        found.unknown = text
        return found
    clauses: list[tuple[str, str]] = []
    for part in text.split(",") if text else ():
        clause = _CLAUSE.fullmatch(part)
        if clause:
            clauses.append((clause[1], clause[2]))
        elif part.strip():
            return f"not a version specifier: {part.strip()[:60]!r}"
    found.specifier = text
    exact = [version for operator, version in clauses if operator in ("==", "===") and "*" not in version]
    if exact:
        found.version, found.pinned = exact[0], True
    return found


def set_url(found: Requirement, address: str) -> Requirement:
    """Puts a URL into a requirement: VCS or not, the reference, the version and whether what it names can change."""
    found.url = address
    scheme = _SCHEME.match(address)
    if scheme and scheme[2] == "file" and not scheme[1]:
        found.path = address.partition(":")[2].partition("#")[0]
        found.path = found.path.removeprefix("//") or "."
    location, _, fragment = address.partition("#")
    egg = _EGG.search(fragment)
    if egg and not found.name:
        found.name = egg[1]
    if (scheme and scheme[1]) or address.startswith(("git://", "git@", "git+")):
        found.vcs = True
        tail = location.rsplit("/", 1)[-1] if "@" in location.rsplit("/", 1)[-1] else location.partition("://")[2]
        path = tail if "@" in location.rsplit("/", 1)[-1] else tail.partition("/")[2]
        found.ref = path.rpartition("@")[2] if "@" in path else ""
        found.pinned = commit_or_release(found.ref)
        if is_template(found.ref or address):
            found.unknown = found.ref or address
        return found
    _describe_archive(found, location)
    found.pinned = found.pinned or bool(_HASHED.search(fragment))
    if is_template(address) and not found.pinned:
        found.unknown = address
    return found


def _describe_archive(found: Requirement, location: str) -> None:
    """The version or reference that the name of a downloaded archive tells."""
    file_name = location.partition("?")[0].rsplit("/", 1)[-1].replace("%2B", "+")
    archive = _ARCHIVE_REF.search(location.partition("?")[0])
    if archive:
        found.ref = archive[2]
        found.pinned = archive[1] != "heads" and (archive[1] == "tags" or commit_or_release(found.ref))
        return
    named = _WHEEL.fullmatch(file_name) or _SDIST.fullmatch(file_name)
    if named:
        found.name = found.name or named[1]
        found.version = named[2]
        found.pinned = True


def _local(raw: str) -> Requirement:
    address, marker = _split_marker(raw)
    found = Requirement(raw, marker=marker)
    if address.endswith("]") and "[" in address:
        address, _, extras = address[:-1].rpartition("[")
        found.extras = _extras(extras)
    location, _, fragment = address.partition("#")
    egg = _EGG.search(fragment)
    _describe_archive(found, location)
    if egg:
        found.name = egg[1]
    found.path = location
    return found


def _templated(raw: str) -> Requirement:
    constraint, marker = raw, ""
    if "{%" not in raw:
        constraint, _, marker = raw.partition(";")
    cut = _TEMPLATE.search(constraint)
    if not cut:  # only the marker hangs on the template
        found = read_requirement(constraint)
        if isinstance(found, str):
            return Requirement(raw, name=raw, unknown=raw)
        found.raw, found.marker = raw, marker.strip()
        return found
    head = _HEAD.match(constraint[: cut.start()])
    behind = constraint[head.end() :] if head else ""
    if not head or not behind.startswith(("=", "<", ">", "~", "!", "(")):
        return Requirement(raw, name=constraint.strip(), unknown=constraint.strip(), marker=marker.strip())
    return Requirement(raw, name=head[1], extras=_extras(head[2]), unknown=behind.strip(), marker=marker.strip())


def _split_marker(text: str) -> tuple[str, str]:
    """A URL or path and its marker: the semicolon counts only after white space, as PEP 508 has it."""
    found = re.search(r"\s;", text)
    if found:
        return text[: found.start()].strip(), text[found.end() :].strip()
    words = text.split(None, 1)
    return (words[0], "") if words else ("", "")


def _extras(text: str | None) -> tuple[str, ...]:
    parts: Iterable[str] = (text or "").split(",")
    return tuple(part.strip() for part in parts if part.strip())
