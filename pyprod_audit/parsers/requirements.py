"""pip's requirements and constraints files.

Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/. A line that cannot be read is a problem; the
others still count. A file that is something else altogether (a web page, prose) is one problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pyprod_audit.model import Node, Parsed, Problem, Resource, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.requirement_line import Requirement, is_template, read_requirement

_COMMENT = lazy(r"(?:^|\s)#")
_OPTION_START = lazy(r"(?:^|\s)(?=-{1,2}[A-Za-z])")
_WORD = lazy(r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'])++")
_SHORT: Final = {"-i": "--index-url", "-r": "-r", "-c": "-c", "-e": "-e", "-f": "--find-links"}
_LONG: Final = {
    "--requirement": "-r", "--constraint": "-c", "--editable": "-e", "--pypi-url": "--index-url",
    "--index-url": "--index-url", "--extra-index-url": "--extra-index-url", "--find-links": "--find-links",
    "--no-binary": "--no-binary", "--only-binary": "--only-binary", "--trusted-host": "--trusted-host",
    "--use-feature": "--use-feature", "--global-option": "--global-option", "--hash": "--hash",
    "--install-option": "--install-option", "--config-setting": "--config-settings",
    "--config-settings": "--config-settings", "--uploaded-prior-to": "--uploaded-prior-to",
}  # fmt: skip
_FLAGS: Final = frozenset(
    ("--no-index", "--pre", "--prefer-binary", "--require-hashes", "--no-use-wheel", "--use-wheel")
)
_MAX_PROBLEMS: Final = 50


@dataclass(slots=True)
class _File:
    source: SourceFile
    requirements: list[Node] = field(default_factory=list)
    includes: list[Node] = field(default_factory=list)
    options: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    hashed: Node | None = None

    def problem(self, message: str, at: int) -> None:
        line = self.source.span(at, at).line
        self.problems.append(Problem("parse", self.source.path, message, line))


def parse(source: SourceFile) -> Parsed:
    """Reads a requirements or constraints file into one `py.requirements`. Never raises."""
    text = source.text
    if "\0" in text[:8192]:
        return _refused(source, "binary data, not a requirements file")
    if text[:256].lstrip("\ufeff \t\r\n").startswith("<"):
        return _refused(source, "a web page, not a requirements file")
    file = _File(source)
    for start, line in _logical_lines(text):
        _read_line(file, start, line)
    found = len(file.requirements) + len(file.includes) + len(file.options)
    if len(file.problems) >= 3 and len(file.problems) > found:
        return _refused(source, f"not a requirements file: {len(file.problems)} lines cannot be read")
    end = len(text)
    hashed = file.hashed
    node: dict[str, Node] = {
        "requirements": Node(tuple(file.requirements), source, 0, end),
        "includes": Node(tuple(file.includes), source, 0, end),
        "options": Node(tuple(file.options), source, 0, end),
        "hashed": Node(hashed is not None, source, hashed.start if hashed else 0, hashed.end if hashed else 0),
    }
    resource = Resource("py.requirements", source.path, Node(node, source, 0, end))
    return Parsed([resource], file.problems[:_MAX_PROBLEMS], partial=bool(file.problems))


def _refused(source: SourceFile, message: str) -> Parsed:
    return Parsed([], [Problem("parse", source.path, message, 1)], partial=True)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Offset and text of each line, continuations joined and comments cut; characters keep their offsets."""
    at, begin, parts = 0, 0, list[str]()
    end = len(text)
    while at < end:
        newline = text.find("\n", at)
        stop = end if newline < 0 else newline
        line = text[at:stop].rstrip("\r")
        after = stop + 1
        if not parts:
            begin = at
        is_comment = line.lstrip("\ufeff \t").startswith("#")
        if line.endswith("\\") and not is_comment and newline >= 0:
            parts.append(line[:-1] + " " * (after - at - len(line) + 1))
        else:
            if not is_comment:
                parts.append(line)
            yield from _uncommented(begin, "".join(parts))
            parts.clear()
        at = after
    if parts:
        yield from _uncommented(begin, "".join(parts))


def _uncommented(begin: int, line: str) -> Iterator[tuple[int, str]]:
    comment = _COMMENT.search(line)
    kept = (line[: comment.start()] if comment else line).rstrip()
    content = kept.lstrip("\ufeff \t\r\n\f\v")
    if content and not content.startswith(("{%", "{#", "%}", "#}")):
        yield begin + len(kept) - len(content), content


def _read_line(file: _File, start: int, line: str) -> None:
    cut = _OPTION_START.search(line)
    text = line[: cut.start()].rstrip() if cut else line
    options = list(_options(line, cut.end(), start)) if cut else []
    if text:
        _add_requirement(file, text, start, options, editable=False)
        return
    for position, (name, value, begin, end) in enumerate(options):
        if name in ("-r", "-c"):
            if not value:
                file.problem(f"{name} without a file", begin)
                continue
            path = _scalar(file.source, value, end - len(value), end)
            node = {"option": Node(name, file.source, begin, end), "path": path}
            file.includes.append(Node(node, file.source, begin, end))
        elif name == "-e":
            if value:
                _add_requirement(file, value, end - len(value), options[position + 1 :], editable=True)
            else:
                file.problem("-e without a path or URL", begin)
            return
        elif name:
            _add_option(file, name, value, begin, end)
        else:
            file.problem(f"unknown option {value[:40]!r}", begin)


def _add_requirement(
    file: _File, text: str, start: int, options: list[tuple[str, str, int, int]], *, editable: bool
) -> None:
    found = read_requirement(text)
    if isinstance(found, str):
        file.problem(found, start)
        return
    found.editable = editable
    for name, value, begin, end in options:
        if name == "--hash":
            found.hashes.append(Node(value, file.source, begin, end))
        elif name:
            _add_option(file, name, value, begin, end)
        else:
            file.problem(f"unknown option {value[:40]!r}", begin)
    _pin_by_hash(found)
    node = found.node(file.source, start, start + len(text.rstrip()))
    if found.hashes and file.hashed is None:
        file.hashed = found.hashes[0]
    file.requirements.append(node)


def _pin_by_hash(found: Requirement) -> None:
    """A hash fixes what a plain URL delivers."""
    if found.hashes and found.url and not found.vcs and not found.unknown:
        found.pinned = True


def _add_option(file: _File, name: str, value: str, begin: int, end: int) -> None:
    source = file.source
    node = {"option": Node(name, source, begin, end)}
    if value:
        node["value"] = _scalar(source, value, end - len(value), end)
    file.options.append(Node(node, source, begin, end))
    if name == "--require-hashes" and file.hashed is None:
        file.hashed = file.options[-1]


def _scalar(source: SourceFile, value: str, start: int, end: int) -> Node:
    if is_template(value):
        return Node(Unknown(value, "filled in by a template or the environment"), source, start, end)
    return Node(value, source, start, end)


def _options(line: str, at: int, start: int) -> Iterator[tuple[str, str, int, int]]:
    """Each option as name ("" when pip does not know it), value, and the offsets of the whole option in the file."""
    words = list(_WORD.finditer(line, at))
    index = 0
    while index < len(words):
        word = words[index]
        text = word[0]
        index += 1
        name, equals, value = text.partition("=")
        known = _LONG.get(name, "") if text.startswith("--") else _SHORT.get(text[:2], "")
        if text in _FLAGS:
            yield text, "", start + word.start(), start + word.end()
            continue
        if not known:
            yield "", text, start + word.start(), start + word.end()
            continue
        if not text.startswith("--"):
            value = text[2:].removeprefix("=")
            equals = value
        end = word.end()
        if not equals and index < len(words):
            value, end = words[index][0], words[index].end()
            index += 1
        if known == "-e":  # may contain blanks (`name @ url`): ends where the next option starts
            first = end - len(value)
            while index < len(words) and not words[index][0].startswith("-"):
                end = words[index].end()
                index += 1
            value = line[first:end]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value, end = value[1:-1], end - 1
        yield known, value, start + word.start(), start + end
