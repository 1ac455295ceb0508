"""Reads the part of a uWSGI configuration that stands in an INI file.

Syntax: "Configuring uWSGI" and "Configuration logic" of the uWSGI 2.0 documentation. Placeholders (`$(NAME)`,
`%(name)`, `@(file)`, `%d` and the like) and what stands under `if-…`/`for` are known only when uWSGI runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.link.environment import Environment
from pyprod_audit.link.server_options import GRAMMARS
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.model.patterns import lazy

_SECTION = lazy(r"\s*\[([^\]]{0,100})\]")
_SETTING = lazy(r"[ \t]*([A-Za-z][\w-]{0,80})[ \t]*(?:=[ \t]*(.*))?$")
_VARIABLE = lazy(r"\$\((\w{1,100})\)")
_PLACEHOLDER = lazy(r"[$%@]\(|%[a-zA-Z]")
_TRUE = {"", "true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def settings(source: SourceFile, env: Environment) -> Iterator[tuple[str, Node]]:
    """Names of settings (as `server_options` has them) and their values, in order; the last of a name counts.

    `env` fills in `$(NAME)`.
    """
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
        option, value = found[1].lower(), (found[2] or "").rstrip()
        if option.startswith("if-") or option == "for":
            conditional = True
        elif option in ("endif", "endfor", "end-if", "end-for"):
            conditional = False
        name = grammar.values.get(f"--{option}") or grammar.switches.get(f"--{option}")
        if name is None:
            continue
        first = found.start(2) if value else found.start(1)
        last = first + len(value) if value else found.end(1)
        filled = _VARIABLE.sub(lambda variable: env.text(variable[1]) or variable[0], value)
        yield name, Node(_value(filled, conditional=conditional), source, start + first, start + last)


def _value(text: str, *, conditional: bool) -> str | bool | Unknown:
    if conditional:
        return Unknown(text, "it is set only under a condition")
    if _PLACEHOLDER.search(text):
        return Unknown(text, f"{text} is filled in when uWSGI starts")
    if text.lower() in _TRUE and text != "1":
        return True
    return False if text.lower() in _FALSE and text != "0" else text
