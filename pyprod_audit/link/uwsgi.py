"""Reads the part of a uWSGI configuration that stands in an INI file.

Syntax: "Configuring uWSGI" and "Configuration logic" of the uWSGI 2.0 documentation. Placeholders (`$(NAME)`,
`%(name)`, `@(file)`, `%d` and the like) and what stands under `if-…`/`for` are known only when uWSGI runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.link.server_options import GRAMMARS
from pyprod_audit.model import Node, SourceFile, Unknown

_SECTION = re.compile(r"\s*\[([^\]]{0,100})\]")
_SETTING = re.compile(r"[ \t]*([A-Za-z][\w-]{0,80})[ \t]*(?:=[ \t]*(.*?))?[ \t]*$")
_PLACEHOLDER = re.compile(r"[$%@]\(|%[a-zA-Z]")
_TRUE = {"", "true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def settings(source: SourceFile) -> Iterator[tuple[str, Node]]:
    """Names of settings (as `server_options` has them) and their values, in order; the last of a name wins in uWSGI."""
    grammar = GRAMMARS["uwsgi"]
    section, conditional = "uwsgi", False
    for number, line in enumerate(source.lines):
        start = source.line_starts[number]
        header = _SECTION.match(line)
        if header:
            section = header[1].strip()
            continue
        found = _SETTING.match(line)
        if section != "uwsgi" or found is None or line.lstrip().startswith((";", "#")):
            continue
        option, value = found[1].lower(), found[2]
        if option.startswith("if-") or option == "for":
            conditional = True
        elif option in ("endif", "endfor", "end-if", "end-for"):
            conditional = False
        name = grammar.values.get(f"--{option}") or grammar.switches.get(f"--{option}")
        if name is None:
            continue
        at = (start + found.start(2), start + found.end(2)) if value else (start + found.start(1), start + found.end(1))
        yield name, Node(_value(value or "", conditional=conditional), source, *at)


def _value(text: str, *, conditional: bool) -> str | bool | Unknown:
    if conditional:
        return Unknown(text, "it is set only under a condition")
    if _PLACEHOLDER.search(text):
        return Unknown(text, f"{text} is filled in when uWSGI starts")
    if text.lower() in _TRUE and text != "1":
        return True
    return False if text.lower() in _FALSE and text != "0" else text
