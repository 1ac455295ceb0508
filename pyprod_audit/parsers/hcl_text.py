"""Text in HCL: quoted escapes, template escapes, and the indentation of heredocs.

Source: the HCL native syntax specification (github.com/hashicorp/hcl, hclsyntax/spec.md, "Template Expressions") and
developer.hashicorp.com/terraform/language/expressions/strings; details were compared with `terraform console`.
"""

from __future__ import annotations

import re

from pyprod_audit.model.patterns import lazy

_ESCAPE = lazy(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|\$\$\{|%%\{", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_LINES = lazy(r"[^\n]*\n|[^\n]+")


def _unescaped(found: re.Match[str]) -> str:
    short, long, simple = found.groups()
    if short is not None:
        return chr(int(short, 16))
    if long is not None:
        code = int(long, 16)
        return chr(code) if code < 0x110000 else found[0]
    if simple is not None:
        return _SIMPLE.get(simple, found[0])
    return found[0][1:]


def quoted(raw: str) -> str:
    """The value of literal text between double quotes; an escape that HCL does not know stays as it is."""
    return _ESCAPE.sub(_unescaped, raw) if "\\" in raw or "$" in raw or "%" in raw else raw


def verbatim(raw: str) -> str:
    """The value of literal text in a heredoc, where only `$${` and `%%{` are escapes."""
    return raw.replace("$${", "${").replace("%%{", "%{") if "{" in raw else raw


def without_indentation(literals: list[str | None]) -> list[str | None]:
    """The parts of a `<<-` heredoc with the indentation that all lines share removed.

    Parts are literal text, or None for an interpolation. Lines of nothing but whitespace neither count nor change.
    """
    split: list[list[str] | None] = []
    indents: list[int] = []
    at_line_start = True
    for literal in literals:
        if literal is None:
            split.append(None)
            at_line_start = False
            continue
        lines = _LINES.findall(literal)
        split.append(lines)
        for index, line in enumerate(lines):
            if (index or at_line_start) and not _blank(line):
                indents.append(len(line) - len(line.lstrip()))
        if literal:
            at_line_start = literal.endswith("\n")
    indent = min(indents, default=0)
    if not indent:
        return literals
    cut: list[str | None] = []
    at_line_start = True
    for part in split:
        if part is None:
            cut.append(None)
            at_line_start = False
            continue
        cut.append(
            "".join(
                line[indent:] if (index or at_line_start) and not _blank(line) else line
                for index, line in enumerate(part)
            )
        )
        if part:
            at_line_start = part[-1].endswith("\n")
    return cut


def _blank(line: str) -> bool:
    return line.endswith("\n") and not line.strip()
