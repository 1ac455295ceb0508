"""Lock files: uv.lock, poetry.lock, pdm.lock, Pipfile.lock and pylock.toml.

The TOML ones are generated, one key a line, so a scan of lines gives what rules need at a tenth of the cost of a TOML
reader: a lock of a megabyte is common. Sources: https://packaging.python.org/en/latest/specifications/pylock-toml/,
https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile, poetry's src/poetry/packages/locker.py,
https://pdm-project.org/latest/usage/lockfile/.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.requirement_line import Requirement, normal_name, set_specifier
from pyprod_audit.parsers.toml_tree import parse_toml

# A literal line end in front lets the engine skip from line to line; `^` with MULTILINE looks at every character.
_PACKAGE = lazy(r"\n\[\[packages?\]\][ \t]*(?=\r?\n|\Z)")
_FIELD = lazy(r"\n([A-Za-z][A-Za-z_-]*)[ \t]*=[ \t]*(\"[^\"\n]*\"|'[^'\n]*'|\{[^\n]*\}|\[[^\]\n]*\]|true|false)")
_TOP_FIELD = lazy(r"^([A-Za-z][A-Za-z_-]*)[ \t]*=[ \t]*([^\n]*)", re.MULTILINE)
_INLINE_TEXT = lazy(r"([A-Za-z_-]+)[ \t]*=[ \t]*(?:\"([^\"\n]*)\"|'([^'\n]*)')")
_QUOTED = lazy(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_FILES_OF = lazy(r"^\"?([A-Za-z0-9._-]+)\"?[ \t]*=[ \t]*\[[ \t]*(\]?)", re.MULTILINE)
_HASHES: Final = ("sha256:", "sha512:", "sha384:", "hashes =", "hashes=", ".hashes]", "md5:")
_METADATA_KEYS: Final = (
    ("content-hash", "content_hash"), ("content_hash", "content_hash"),
    ("lock-version", "version"), ("lock_version", "version"), ("version", "version"),
)  # fmt: skip
_PYTHON_KEYS: Final = ("requires-python", "requires_python", "python-versions")


def parse(source: SourceFile) -> Parsed:
    """Reads any lock into one `py.lock`. Never raises."""
    name = source.path.rsplit("/", 1)[-1]
    if name == "Pipfile.lock":
        from pyprod_audit.parsers.pipfile_lock import parse_pipfile_lock  # loads json

        return parse_pipfile_lock(source)
    return _Lock(source, name).parse()


class _Lock:
    def __init__(self, source: SourceFile, name: str) -> None:
        self.source = source
        self.text = source.text
        self.tool = "pylock" if name.startswith("pylock") else name.partition(".")[0]
        self.headers = [found.start() + 1 for found in _PACKAGE.finditer(self.text)]
        if _PACKAGE.match(f"\n{self.text[:64]}"):
            self.headers.insert(0, 0)
        self.end = len(self.text)
        first = self.headers[0] if self.headers else self.end
        last = self.headers[-1] if self.headers else 0
        # What is not a package stands before the first one (uv, pdm, pylock) or after the last one (poetry).
        self.outside = ((0, first), (last, self.end) if self.headers else (self.end, self.end))

    def parse(self) -> Parsed:
        metadata = self._metadata()
        if not self.headers and not metadata:
            return Parsed([], [Problem("parse", self.source.path, "not a lock file", 1)], partial=True)
        problems: list[Problem] = []
        conflict = self.text.find("\n<<<<<<< ") + 1
        if conflict:
            line = self.source.span(conflict, conflict).line
            problems.append(Problem("parse", self.source.path, "the lock holds an unresolved merge conflict", line))
        hashed = self._hashed_apart()
        declared: list[Node] = []
        packages: list[Node] = []
        # poetry 1.0 to 1.2 kept all hashes behind the last package.
        behind = self.text.find("\n[metadata", self.headers[-1]) if self.headers else -1
        for start, end in itertools.pairwise([*self.headers, self.end if behind < 0 else behind]):
            package = self._package(start, end, hashed)
            if package is not None:
                packages.append(package)
                if self.tool == "uv":
                    declared.extend(self._declared(package, start, end))
        node: dict[str, Node] = {
            "tool": Node(self.tool, self.source, 0, 0),
            "packages": Node(tuple(packages), self.source, 0, self.end),
        }
        python = next((metadata[key] for key in _PYTHON_KEYS if key in metadata), None)
        if python is not None:
            node["requires_python"] = python
        for key, shown in _METADATA_KEYS:
            if key in metadata:
                node.setdefault(shown, metadata[key])
        if self.tool == "uv":
            declared.extend(self._manifest_declared())
            node["declared"] = Node(tuple(declared), self.source, 0, self.end)
        resource = Resource("py.lock", self.source.path, Node(node, self.source, 0, self.end))
        return Parsed([resource], problems, partial=bool(problems))

    # -- what stands outside the packages ------------------------------------------------------------------

    def _metadata(self) -> dict[str, Node]:
        """The file's own keys: before any section, and those of `[metadata]` and `[[metadata.targets]]`."""
        found: dict[str, Node] = {}
        for start, end in self.outside:
            if start == 0:
                self._fields(0, self._section(0, end), found)
            for header in ("[metadata]", "[[metadata.targets]]"):
                at = self.text.find(f"\n{header}", start, end) + 1
                if at or self.text.startswith(header, start):
                    at = max(at, start) + len(header)
                    self._fields(at, self._section(at, end), found)
        return found

    def _section(self, start: int, end: int) -> int:
        """Where the next section's line begins, or `end`."""
        found = self.text.find("\n[", start, end)
        return end if found < 0 else found

    def _fields(self, start: int, end: int, into: dict[str, Node]) -> None:
        for found in _TOP_FIELD.finditer(self.text, start, end):
            value = found[2].strip()
            begin = found.start(2)
            if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
                value, begin = value[1:-1], begin + 1
            into.setdefault(found[1], Node(value, self.source, begin, begin + len(value), found.start(1), found.end(1)))

    def _hashed_apart(self) -> frozenset[str]:
        """Packages whose hashes stand in `[metadata.files]`, as poetry 1.0 to 1.2 wrote them."""
        names: set[str] = set()
        for header in ("\n[metadata.files]", "\n[metadata.hashes]"):
            at = self.text.rfind(header)
            if at >= 0:
                names.update(normal_name(found[1]) for found in _FILES_OF.finditer(self.text, at) if not found[2])
        return frozenset(names)

    # -- packages ------------------------------------------------------------------------------------------

    def _package(self, start: int, end: int, hashed: frozenset[str]) -> Node | None:
        text, source = self.text, self.source
        own_end = self._section(start + 2, end)
        fields = {found[1]: found.span(2) for found in _FIELD.finditer(text, start, own_end)}
        if "name" not in fields:
            return None
        name = self._scalar(fields["name"])
        node: dict[str, Node] = {"name": Node(normal_name(str(name.value)), source, name.start, name.end)}
        last = name.end
        if "version" in fields:
            node["version"] = self._scalar(fields["version"])
            last = max(last, node["version"].end)
        has_hashes = any(text.find(mark, start, end) >= 0 for mark in _HASHES)
        node["hashes"] = Node(has_hashes or node["name"].text in hashed, source, name.start, name.end)
        node.update(self._source_of(fields, start, end))
        for key, shown in (("marker", "marker"), ("markers", "marker")):
            if key in fields and text[fields[key][0]] in "\"'":
                node[shown] = self._scalar(fields[key])
        if "groups" in fields:
            begin, stop = fields["groups"]
            node["groups"] = Node(tuple(self._quoted(begin, stop)), source, begin, stop)
        elif "category" in fields:
            category = self._scalar(fields["category"])
            node["groups"] = Node((category,), source, category.start, category.end)
        return Node(node, source, name.start, last)

    def _scalar(self, place: tuple[int, int]) -> Node:
        start, end = place[0] + 1, place[1] - 1
        return Node(self.text[start:end], self.source, start, end)

    def _quoted(self, start: int, end: int) -> Iterator[Node]:
        for found in _QUOTED.finditer(self.text, start, end):
            yield Node(found[1] or found[2] or "", self.source, found.start() + 1, found.end() - 1)

    def _source_of(self, fields: dict[str, tuple[int, int]], start: int, end: int) -> dict[str, Node]:
        """`source`: registry, git, url, path (also editable, directory) or virtual; `url` where it has one."""
        text = self.text
        if "source" in fields:  # uv
            begin, stop = fields["source"]
            found = _INLINE_TEXT.search(text, begin, stop)
            if found:
                kind = {"editable": "path", "directory": "path"}.get(found[1], found[1])
                value = Node(
                    found[2] or found[3] or "",
                    self.source,
                    found.end() - len(found[2] or found[3] or "") - 1,
                    found.end() - 1,
                )
                return {"source": Node(kind, self.source, found.start(1), found.end(1)), "url": value}
        if self.tool == "poetry":
            at = text.find("\n[package.source]", start, end)
            if at < 0:
                return {}
            inner = {found[1]: found.span(2) for found in _FIELD.finditer(text, at + 1, end)}
            kinds = {"directory": "path", "file": "path", "legacy": "registry"}
            node: dict[str, Node] = {}
            if "type" in inner:
                written = self._scalar(inner["type"])
                kind = kinds.get(str(written.value), str(written.value))
                node["source"] = Node(kind, self.source, written.start, written.end)
            if "url" in inner:
                node["url"] = self._scalar(inner["url"])
            return node
        for key, kind in (
            ("git", "git"),
            ("vcs", "git"),
            ("url", "url"),
            ("archive", "url"),
            ("path", "path"),
            ("directory", "path"),
        ):
            if key in fields:
                begin, stop = fields[key]
                node = {"source": Node(kind, self.source, begin, stop)}
                if text[begin] in "\"'":
                    node["url"] = self._scalar(fields[key])
                return node
            at = text.find(f"\n[packages.{key}]", start, end)
            if at >= 0:
                return {"source": Node(kind, self.source, at + 1, at + len(key) + 12)}
        return {}

    # -- what uv recorded of the manifest ------------------------------------------------------------------

    def _declared(self, package: Node, start: int, end: int) -> Iterator[Node]:
        """The requirements that the project itself had when it was locked."""
        at = self.text.find("\n[package.metadata", start, end)
        if at < 0:
            return
        metadata = parse_toml(self.source, at + 1, end).root.get("package.metadata")
        if metadata is None:
            return
        name = package.text_at("name") or ""
        for entry in metadata.items_at("requires-dist"):
            yield self._recorded(entry, name, "")
        for group, entries in metadata.mapping_at("requires-dev").items():
            for entry in entries.items:
                yield self._recorded(entry, name, group)

    def _manifest_declared(self) -> Iterator[Node]:
        start, end = self.outside[0]
        at = self.text.find("\n[manifest", start, end)
        if at < 0:
            return
        root = parse_toml(self.source, at + 1, end).root
        for entry in root.items_at("manifest.requirements"):
            yield self._recorded(entry, "", "")
        for group, entries in root.mapping_at("manifest.dependency-groups").items():
            for entry in entries.items:
                yield self._recorded(entry, "", group)

    def _recorded(self, entry: Node, package: str, group: str) -> Node:
        found = Requirement(entry.span.text, name=entry.text_at("name") or "")
        set_specifier(found, entry.text_at("specifier") or "")
        found.marker = entry.text_at("marker") or ""
        found.extras = tuple(extra.text for extra in entry.items_at("extras") if extra.text)
        found.group = group
        found.url = entry.text_at("git") or entry.text_at("url") or ""
        found.vcs = "git" in entry.mapping
        found.path = next((t for t in map(entry.text_at, ("editable", "virtual", "directory", "path")) if t), "")
        node = found.node(self.source, entry.start, entry.end)
        members = {**node.mapping, "package": Node(package, self.source, entry.start, entry.end)}
        return Node(members, self.source, entry.start, entry.end)
