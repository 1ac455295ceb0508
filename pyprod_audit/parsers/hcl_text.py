"""Text in HCL: quoted escapes, template escapes, and the indentation of heredocs.

Source: the HCL native syntax specification (github.com/hashicorp/hcl, hclsyntax/spec.md, "Template Expressions") and
developer.hashicorp.com/terraform/language/expressions/strings; details were compared with `terraform console`.
"""

from __future__ import annotations

import re
import unicodedata

from pyprod_audit.model.patterns import lazy

_ESCAPE = lazy(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|\$\$\{|%%\{", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_LINES = lazy(r"[^\n]*\n|[^\n]+")
WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go calls white space, which strip markers remove."""


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
    if "\\" in raw or "$" in raw or "%" in raw:
        raw = _ESCAPE.sub(_unescaped, raw)
    return raw if raw.isascii() else normal(raw)


def verbatim(raw: str) -> str:
    """The value of literal text in a heredoc, where only `$${` and `%%{` are escapes."""
    if "{" in raw:
        raw = raw.replace("$${", "${").replace("%%{", "%{")
    return raw if raw.isascii() else normal(raw)


def normal(text: str) -> str:
    """The text with characters composed (Unicode's form C), as Terraform keeps all strings."""
    return unicodedata.normalize("NFC", text)


def without_indentation(literals: list[str | None]) -> list[str | None]:
    """The parts of a `<<-` heredoc with the indentation that all lines share removed.

    Parts are literal text (of any number of lines, "" for none), or None for an interpolation. Lines of nothing but
    whitespace neither count nor change.
    """
    lines: list[str | None] = []
    owners: list[int] = []
    for index, literal in enumerate(literals):
        split = [None] if literal is None else _LINES.findall(literal)
        lines += split
        owners += [index] * len(split)
    cut: list[str | None] = [None if literal is None else "" for literal in literals]
    for owner, line in zip(owners, lines_without_indentation(lines), strict=True):
        if line is not None:
            cut[owner] = (cut[owner] or "") + line
    return cut


def lines_without_indentation(tokens: list[str | None]) -> list[str | None]:
    """The same for single lines and parts of lines; a token that is "" is what a strip marker left of one."""
    indents: list[int] = []
    leading: list[int] = []
    at_line_start = True
    for index, token in enumerate(tokens):
        if at_line_start:
            at_line_start = False
            if token is None:
                indents.append(0)
            elif not token.endswith("\n") or token.strip(WHITESPACE):
                indents.append(len(token) - len(token.lstrip(WHITESPACE)))
                leading.append(index)
        if token is not None and token.endswith("\n"):
            at_line_start = True
    indent = min(indents, default=0)
    if not indent:
        return tokens
    cut = list(tokens)
    for index in leading:
        cut[index] = (cut[index] or "")[indent:]
    return cut


def lines_of(text: str) -> list[str]:
    """The lines of a literal, each with its end."""
    found: list[str] = _LINES.findall(text)
    return found
