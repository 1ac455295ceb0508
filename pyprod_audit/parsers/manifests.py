"""What a Python project declares: pyproject.toml; setup.cfg, setup.py and Pipfile are handed to their own modules.

Sources: https://packaging.python.org/en/latest/specifications/pyproject-toml/ (PEP 621),
https://packaging.python.org/en/latest/specifications/dependency-groups/ (PEP 735),
https://python-poetry.org/docs/pyproject/, https://docs.astral.sh/uv/reference/settings/,
https://pdm-project.org/latest/reference/pep621/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Unknown
from pyprod_audit.parsers.dependency_tables import add_source, table_requirements
from pyprod_audit.parsers.poetry_constraints import pep440
from pyprod_audit.parsers.requirement_line import is_template, normal_name, read_requirement
from pyprod_audit.parsers.toml_tree import parse_toml

_PACKAGING_TOOLS: Final = ("uv", "poetry", "pdm", "hatch", "setuptools", "flit", "rye")
_EMPTY: Final[Mapping[str, Node]] = {}


def parse(source: SourceFile) -> Parsed:
    """Reads any manifest into one `py.manifest`; a pyproject.toml that only configures tools gives none."""
    name = source.path.rsplit("/", 1)[-1]
    if name == "setup.py":
        from pyprod_audit.parsers.setup_script import parse_setup_script  # loads tree-sitter

        return parse_setup_script(source)
    if name == "setup.cfg":
        from pyprod_audit.parsers.setup_cfg import parse_setup_cfg

        return parse_setup_cfg(source)
    if name == "Pipfile":
        from pyprod_audit.parsers.pipfile import parse_pipfile

        return parse_pipfile(source)
    return _parse_pyproject(source)


def _parse_pyproject(source: SourceFile) -> Parsed:
    tree = parse_toml(source)
    problems, root = tree.problems, tree.root
    project, poetry = root.get("project"), root.get("tool.poetry")
    uv, pdm = root.get("tool.uv"), root.get("tool.pdm")
    groups_table = root.find(("dependency-groups",))[0]
    development = (
        (uv and uv.get("dev-dependencies")) or (uv and uv.get("workspace")) or (pdm and pdm.get("dev-dependencies"))
    )
    if not (project or poetry or development or isinstance(groups_table, Node)):
        return Parsed([], problems, partial=bool(problems))
    node = _PyprojectReader(source, root, problems).read()
    return Parsed(
        [Resource("py.manifest", source.path, Node(node, source, 0, len(source.text)))], problems, bool(problems)
    )


class _PyprojectReader:
    def __init__(self, source: SourceFile, root: Node, problems: list[Problem]) -> None:
        self.source = source
        self.root = root
        self.problems = problems
        self.project = root.mapping_at("project")
        self.poetry = root.mapping_at("tool.poetry")
        self.uv_sources = {normal_name(name): value for name, value in root.mapping_at("tool.uv.sources").items()}

    def read(self) -> dict[str, Node]:
        of_poetry = bool(self.poetry) and "dependencies" not in self.project
        start = self.root.start
        node: dict[str, Node] = {
            "tool": self._place("poetry" if of_poetry else "pep621", "tool.poetry" if of_poetry else "project")
        }
        name = self.project.get("name") or self.poetry.get("name")
        if name is not None:
            node["name"] = _templated(name)
        requires = self.project.get("requires-python")
        if requires is not None:
            node["requires_python"] = _templated(requires)
        elif "dependencies" in self.poetry and "python" in self.poetry["dependencies"].mapping:
            node["requires_python"] = _poetry_python(self.poetry["dependencies"].mapping["python"])
        extras = {extra: self._texts(value) for extra, value in self._mapping("optional-dependencies").items()}
        groups = self._groups()
        if of_poetry:
            node["dependencies"] = self._of_table(self.poetry.get("dependencies"))
            for extra, members in self.poetry.get("extras", self._nothing()).mapping.items():
                extras.setdefault(extra, Node(members.items, self.source, members.start, members.end, *_key(members)))
        else:
            node["dependencies"] = self._texts(self.project.get("dependencies"))
        node["groups"] = Node(groups, self.source, start, start)
        node["extras"] = Node(dict(extras), self.source, start, start)
        node["dynamic"] = self.project.get("dynamic") or self._nothing(())
        build = self.root.find(("build-system",))[0]
        node["buildable"] = (
            Node(True, self.source, build.start, build.end)
            if isinstance(build, Node)
            else Node(False, self.source, start, start)
        )
        tools = [value for name, value in self.root.mapping_at("tool").items() if name in _PACKAGING_TOOLS]
        node["tools"] = Node(
            tuple(Node(t.source.text[t.key_start : t.key_end], t.source, t.key_start, t.key_end) for t in tools),
            self.source,
            start,
            start,
        )
        node["indexes"] = Node(self._indexes(), self.source, start, start)
        workspace = self.root.get("tool.uv.workspace.members")
        if workspace is not None:
            node["workspace"] = workspace
        if self.poetry:
            from pyprod_audit.parsers.freshness import poetry_hashes

            place = self._place("", "tool.poetry")
            hashes = [] if self.problems else poetry_hashes(self.source.text)
            if hashes:
                node["content_hashes"] = Node(
                    tuple(Node(h, self.source, place.start, place.end) for h in hashes),
                    self.source,
                    place.start,
                    place.end,
                )
        return node

    # -- parts ---------------------------------------------------------------------------------------------

    def _nothing(self, value: tuple[Node, ...] | dict[str, Node] | None = None) -> Node:
        return Node({} if value is None else value, self.source, self.root.start, self.root.start)

    def _place(self, value: str, path: str) -> Node:
        """`value` at the header of the table at `path`."""
        found = self.root.get(path)
        if found is None:
            return Node(value, self.source, self.root.start, self.root.start)
        return Node(value, self.source, found.key_start, found.key_end)

    def _mapping(self, name: str) -> Mapping[str, Node]:
        found = self.project.get(name)
        return found.mapping if found is not None else _EMPTY

    def _indexes(self) -> tuple[Node, ...]:
        found = (
            *self.root.items_at("tool.uv.index"),
            *self.root.items_at("tool.poetry.source"),
            *self.root.items_at("tool.pdm.source"),
        )
        urls = [self.root.get("tool.uv.index-url"), *self.root.items_at("tool.uv.extra-index-url")]
        plain = [Node({"url": url}, url.source, url.start, url.end) for url in urls if url is not None]
        return (*found, *plain)

    def _groups(self) -> dict[str, Node]:
        groups: dict[str, Node] = {}
        table = self.root.find(("dependency-groups",))[0]
        if isinstance(table, Node):
            normal = {normal_name(name): value for name, value in table.mapping.items()}
            for name, value in table.mapping.items():
                groups[name] = self._requirements(_expanded(normal, normal_name(name)), value)
        for name, value in self.root.mapping_at("tool.pdm.dev-dependencies").items():
            groups.setdefault(name, self._texts(value))
        development = self.root.get("tool.uv.dev-dependencies")
        if development is not None:
            groups.setdefault("dev", self._texts(development))
        for name, value in self.root.mapping_at("tool.poetry.group").items():
            groups.setdefault(name, self._of_table(value.mapping.get("dependencies")))
        old = self.poetry.get("dev-dependencies")
        if old is not None:
            groups.setdefault("dev", self._of_table(old))
        return groups

    def _of_table(self, table: Node | None) -> Node:
        if table is None:
            return self._nothing(())
        members = {name: value for name, value in table.mapping.items() if name != "python"}
        found = tuple(table_requirements(members, pep440, self.problems))
        return Node(found, self.source, table.start, table.end, *_key(table))

    def _texts(self, array: Node | None) -> Node:
        return self._nothing(()) if array is None else self._requirements(array.items, array)

    def _requirements(self, texts: Iterable[Node], holder: Node) -> Node:
        members: list[Node] = []
        for entry in texts:
            if entry.text is None:
                continue
            found = read_requirement(entry.text)
            if isinstance(found, str):
                self.problems.append(Problem("parse", self.source.path, found, entry.span.line))
                continue
            override = self.uv_sources.get(normal_name(found.name)) if found.name else None
            if override is not None:
                for table in override.items or (override,):
                    add_source(found, table.mapping)
            members.append(found.node(self.source, *_within_quotes(entry)))
        return Node(tuple(members), self.source, holder.start, holder.end, *_key(holder))


def _expanded(groups: Mapping[str, Node], name: str) -> list[Node]:
    """The requirement strings of a group and of those it includes, each group once."""
    found: list[Node] = []
    seen, stack = {name}, [name]
    while stack:
        value = groups.get(stack.pop())
        for entry in value.items if value is not None else ():
            included = entry.text_at("include-group")
            if included is None:
                found.append(entry)
            elif normal_name(included) not in seen:
                seen.add(normal_name(included))
                stack.append(normal_name(included))
    return found


def _poetry_python(value: Node) -> Node:
    constraint = value.text if value.text is not None else value.text_at("version")
    if constraint is None or is_template(constraint):
        return _templated(value)
    specifier = pep440(constraint)
    unknown = Unknown(constraint, "alternatives have no PEP 440 form")
    return Node(unknown if specifier is None else specifier, value.source, value.start, value.end, *_key(value))


def _templated(node: Node) -> Node:
    text = node.text
    if text is None or not is_template(text):
        return node
    return Node(Unknown(text, "filled in by a template"), node.source, node.start, node.end, *_key(node))


def _within_quotes(node: Node) -> tuple[int, int]:
    """The place of a string's text without its quotes."""
    text = node.source.text
    width = 3 if text.startswith(('"""', "'''"), node.start) else 1
    return node.start + width, max(node.end - width, node.start + width)


def _key(node: Node) -> tuple[int, int]:
    return node.key_start, node.key_end
