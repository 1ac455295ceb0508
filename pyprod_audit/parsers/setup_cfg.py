"""setuptools' setup.cfg.

Source: https://setuptools.pypa.io/en/latest/userguide/declarative_config.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.requirement_line import read_requirement

_SECTION = lazy(r"\[([^\]\n]+)\]")
_OPTION = lazy(r"([A-Za-z0-9_.:-]+)[ \t]*[=:][ \t]*")


@dataclass(slots=True)
class _Option:
    section: str
    name: str
    key_start: int
    key_end: int
    start: int
    end: int


def parse_setup_cfg(source: SourceFile) -> Parsed:
    """Reads a setup.cfg into one `py.manifest`; one that only configures other tools gives none."""
    options = list(_options(source.text))
    declared = {(o.section, o.name.lower().replace("-", "_")): o for o in options}
    sections = {option.section for option in options}
    if not sections & {"metadata", "options", "options.extras_require"}:
        return Parsed()
    problems: list[Problem] = []
    node: dict[str, Node] = {"tool": Node("setuptools", source, 0, 0), "buildable": Node(True, source, 0, 0)}
    for key, section, name in (("name", "metadata", "name"), ("requires_python", "options", "python_requires")):
        option = declared.get((section, name))
        if option is not None:
            text = source.text[option.start : option.end]
            if not text.startswith(("file:", "attr:")):
                node[key] = Node(text, source, option.start, option.end, option.key_start, option.key_end)
    dynamic: list[Node] = []
    install = declared.get(("options", "install_requires"))
    if install is None:
        node["dependencies"] = Node((), source, 0, 0)
    elif source.text.startswith("file:", install.start):
        node["dependencies"] = Node((), source, install.start, install.end, install.key_start, install.key_end)
        dynamic.append(Node("dependencies", source, install.key_start, install.key_end))
    else:
        node["dependencies"] = _requirements(source, install, problems)
    extras = {o.name: _requirements(source, o, problems) for o in options if o.section == "options.extras_require"}
    node["extras"] = Node(dict(extras), source, 0, 0)
    node["groups"] = Node({}, source, 0, 0)
    node["dynamic"] = Node(tuple(dynamic), source, 0, 0)
    resource = Resource("py.manifest", source.path, Node(node, source, 0, len(source.text)))
    return Parsed([resource], problems, partial=bool(problems))


def _options(text: str) -> Iterator[_Option]:
    """Every `name = value` with the place of its value, continuation lines included."""
    section = ""
    current: _Option | None = None
    at, end = 0, len(text)
    while at < end:
        newline = text.find("\n", at)
        stop = end if newline < 0 else newline
        line = text[at:stop].rstrip()
        content = line.lstrip()
        if not content or content[0] in "#;":
            pass
        elif line[0] in " \t" and current is not None:
            if current.start == current.end:
                current.start = at + len(line) - len(content)
            current.end = at + len(line)
        else:
            if current is not None:
                yield current
            current = None
            header = _SECTION.match(line)
            option = None if header else _OPTION.match(line)
            if header:
                section = header[1].strip()
            elif option:
                start = at + option.end()
                current = _Option(section, option[1], at, at + option.end(1), start, max(at + len(line), start))
        at = stop + 1
    if current is not None:
        yield current


def _requirements(source: SourceFile, option: _Option, problems: list[Problem]) -> Node:
    members: list[Node] = []
    value = source.text[option.start : option.end]
    on_lines = source.text.find("\n", option.key_end, option.end) >= 0
    at = option.start
    # setuptools splits a value on one line at its semicolons, one on several lines at the line ends.
    for line in value.split("\n") if on_lines else value.split(";"):
        text = line.partition(" #")[0].strip()
        if text and text[0] not in "#;":
            start = at + len(line) - len(line.lstrip())
            found = read_requirement(text)
            if isinstance(found, str):
                problems.append(Problem("parse", source.path, found, source.span(start, start).line))
            else:
                members.append(found.node(source, start, start + len(text)))
        at += len(line) + 1
    return Node(tuple(members), source, option.start, option.end, option.key_start, option.key_end)
