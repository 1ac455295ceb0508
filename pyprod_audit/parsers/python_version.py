"""Files that name the Python version: .python-version, runtime.txt and .tool-versions.

Sources: https://github.com/pyenv/pyenv#choose-the-python-version, https://docs.astral.sh/uv/concepts/python-versions/,
https://devcenter.heroku.com/articles/python-runtimes, https://asdf-vm.com/manage/configuration.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.requirement_line import is_template

_VERSION = lazy(
    r"(?:c?python[-@]?)?v?([0-9]{1,2}(?:\.[0-9]{1,3}){0,2}(?:(?:a|b|rc)[0-9]{1,3}|-dev|t)?)(?:\.x|\.\*|:latest)?(?:-[a-z0-9_-]+)?"
)
_OTHER = lazy(
    r"(pypy|graalpy|graalpython|jython|ironpython|micropython|stackless|miniconda|anaconda|miniforge|mambaforge)"
)
_PYPY = lazy(r"pypy[-@]?([23]\.[0-9]{1,2})")
_MAX_LINES = 100


def parse(source: SourceFile) -> Parsed:
    """Reads a version file into one `py.version`: the first version rules, all of them are in `versions`."""
    name = source.path.rsplit("/", 1)[-1]
    if "\0" in source.text[:1024]:
        return Parsed([], [Problem("parse", source.path, "binary data, not a version file", 1)], partial=True)
    places = list(_tool_versions(source.text) if name == ".tool-versions" else _lines(source.text))
    if not places:
        return Parsed()
    versions = [_version(source, start, end) for start, end in places]
    start, end = versions[0].start, versions[-1].end
    node = {
        "version": versions[0],
        "versions": Node(tuple(versions), source, start, end),
        "declared_by": Node(name, source, start, versions[0].end),
    }
    alternative = _OTHER.match(source.text, places[0][0])
    if alternative:
        node["implementation"] = Node(alternative[1], source, alternative.start(), alternative.end())
    return Parsed([Resource("py.version", source.path, Node(node, source, start, end))])


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """The words of the lines that are no comments; pyenv takes several on a line too."""
    for found in re.finditer(r"[^\n]+", text[:65536]):
        line = found[0].partition("#")[0]
        for word in re.finditer(r"\S+", line.replace("\ufeff", " ")):
            yield found.start() + word.start(), found.start() + word.end()


def _tool_versions(text: str) -> Iterator[tuple[int, int]]:
    for found in re.finditer(r"^[ \t]*python[ \t]+([^\n#]+)", text, re.MULTILINE):
        for word in re.finditer(r"\S+", found[1]):
            yield found.start(1) + word.start(), found.start(1) + word.end()
        return


def _version(source: SourceFile, start: int, end: int) -> Node:
    text = source.text[start:end]
    found = _VERSION.fullmatch(text[:80]) or _PYPY.match(text)
    if found and not is_template(text):
        return Node(found[1], source, start + found.start(1), start + found.end(1))
    because = "filled in by a template" if is_template(text) else "not the number of a Python version"
    return Node(Unknown(text[:80], because), source, start, end)
