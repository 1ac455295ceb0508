"""Terraform's functions of files and paths. Only files below the scan root are read; all others are Unknown."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.conversion import as_set
from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.templates import rendered, template_of, template_of_text
from pyprod_audit.evaluate.terraform.values import STRING, FileText, Invalid, Unresolved, Value
from pyprod_audit.model import Node, SourceFile
from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.hcl_expression import Expression
from pyprod_audit.parsers.hcl_text import normal

_LONGEST: Final = 1 << 20
_LONGEST_GLOB: Final = 400
_MOST_FOLDERS: Final = 3
_PLAIN = lazy(r"[^*?\[\]{}\\]*")
_GLOB_PART = lazy(r"\*\*/|\*+|\[\^?[^\]]+\]|\\.", re.DOTALL)


def file_at(call: Call, path: str) -> SourceFile:
    """The file at a path, relative to where terraform runs. Raises Invalid when there is none, Unresolved."""
    found = call.definitions.file(_below_root(call, path))
    if found is None:
        if _listed(call, path) in call.definitions.paths():
            raise Unresolved("the file cannot be read")
        raise Invalid(f"there is no file {path[:80]}")
    if len(found.text) > _LONGEST:
        raise Unresolved("the file is too long")
    call.charge(len(found.text) // 64)
    call.evaluator.came_through(Node(None, found, 0, len(found.text)), found.path)
    return found


def bytes_of(call: Call, path: str) -> bytes:
    """The bytes of the file at a path. Raises Invalid, Unresolved."""
    file = file_at(call, path)
    if file.encoding != "utf-8":
        raise Unresolved("the file is not in UTF-8")
    return file.text.encode("utf-8", "surrogatepass")


def _below_root(call: Call, path: str) -> str:
    if path.startswith(("/", "~")) or "\0" in path:
        raise Unresolved("the file is not in the repository")
    if _listed(call, path).startswith("../"):
        raise Unresolved("the file is outside of what is scanned")
    return posixpath.normpath(path) if path else "."


def _listed(call: Call, path: str) -> str:
    """The path relative to the scan root."""
    return posixpath.normpath(posixpath.join(call.definitions.root_folder, path))


def _file(call: Call, path: str) -> Value:
    file = file_at(call, path)
    if file.encoding != "utf-8":
        raise Invalid("the file is not in UTF-8")
    return FileText(file, file.text if file.text.isascii() else normal(file.text))


def _filebase64(call: Call, path: str) -> Value:
    return base64.b64encode(bytes_of(call, path)).decode()


def _fileexists(call: Call, path: str) -> Value:
    _below_root(call, path)
    listed, paths = _listed(call, path), call.definitions.paths()
    if listed in paths:
        return True
    call.charge(len(paths) // 64)
    if any(other.startswith(listed + "/") for other in paths) or listed == ".":
        raise Invalid("it is a folder")
    return False


def _fileset(call: Call, path: str, pattern: str) -> Value:
    folder = _listed(call, _below_root(call, path))
    whole = posixpath.normpath(posixpath.join(folder, pattern))
    if pattern.startswith("/"):
        whole = posixpath.normpath(folder + pattern)
    if whole.startswith("../"):
        raise Unresolved("the files are outside of what is scanned")
    matching = _glob(whole)
    paths = call.definitions.paths()
    call.charge(len(paths) // 8)
    plain = _PLAIN.match(whole)
    start = plain[0] if plain is not None else ""
    beside = 0 if folder == "." else len(folder) + 1
    found = [other for other in paths if other.startswith(start) and matching.fullmatch(other)]
    inside = folder == "." or start.startswith(folder + "/")
    return as_set([call.node(one[beside:] if inside else posixpath.relpath(one, folder)) for one in found], STRING)


def _glob(pattern: str) -> re.Pattern[str]:
    """The paths that a pattern of `fileset` stands for. Raises Invalid, Unresolved."""
    made: list[str] = []
    at = depth = folders = 0
    while at < len(pattern):
        found = _GLOB_PART.match(pattern, at)
        part = found[0] if found is not None else pattern[at]
        starts = at == 0 or pattern[at - 1] in "/{,"
        at += len(part)
        if part.startswith("**") and starts and (at == len(pattern) or part.endswith("/")):
            made.append("(?:.*/)?" if part.endswith("/") else ".+")
            folders += 1
        elif part.startswith("*"):
            made.append("[^/]*" + part.lstrip("*"))
        elif part == "?":
            made.append("[^/]")
        elif part == "{":
            depth += 1
            made.append("(?:")
        elif part == "}" and depth:
            depth -= 1
            made.append(")")
        elif part == "," and depth:
            made.append("|")
        else:
            made.append(_glob_characters(part))
    if depth:
        raise Invalid("the pattern is no pattern")
    if len(made) > _LONGEST_GLOB or folders > _MOST_FOLDERS:
        raise Unresolved("the pattern is too large")
    try:
        return re.compile("".join(made), re.DOTALL)
    except re.error:
        raise Unresolved("the pattern is not evaluated") from None


def _glob_characters(part: str) -> str:
    """The regular expression of a class in brackets, an escaped character or a plain one."""
    if part == "[":
        raise Unresolved("the pattern is not evaluated")
    if part.startswith("[") and len(part) > 1:
        inside = part[1:-1]
        if "\\" in inside or "[" in inside:
            raise Unresolved("the pattern is not evaluated")
        negated = inside.startswith("^")
        kept = re.escape(inside[negated:]).replace("\\-", "-")
        return f"[^/{kept}]" if negated else f"[{kept}]"
    return re.escape(part[1:] if part.startswith("\\") and len(part) > 1 else part)


def _abspath(_call: Call, path: str) -> Value:
    if not path.startswith("/"):
        raise Unresolved("it depends on where terraform runs")
    return "/" + posixpath.normpath(path).lstrip("/")


def _pathexpand(_call: Call, path: str) -> Value:
    if path.startswith("~"):
        raise Unresolved("it depends on who runs terraform")
    return path


def _basename(_call: Call, path: str) -> Value:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _dirname(_call: Call, path: str) -> Value:
    folder = path.rpartition("/")[0] if "/" in path else ""
    if path.startswith("/") and not folder.strip("/"):
        return "/"
    cleaned = posixpath.normpath(folder) if folder else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def _templatefile(call: Call, path: str, variables: Value) -> Value:
    return rendered(call, template_of(call, file_at(call, path)), variables)


def _templatestring(call: Call, text: str, variables: Value) -> Value:
    written = call.place.value
    named = written.operands[0].value if isinstance(written, Expression) and written.operands else None
    if not isinstance(named, Expression) or named.operator != "reference":
        raise Invalid("the template of templatestring is named, not written")
    return rendered(call, template_of_text(text), variables)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "abspath": function(_abspath, "text"),
    "basename": function(_basename, "text"),
    "dirname": function(_dirname, "text"),
    "file": function(_file, "text"),
    "filebase64": function(_filebase64, "text"),
    "fileexists": function(_fileexists, "text"),
    "fileset": function(_fileset, "text text"),
    "pathexpand": function(_pathexpand, "text"),
    "templatefile": function(_templatefile, "text value"),
    "templatestring": function(_templatestring, "text value"),
}
