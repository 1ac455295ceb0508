"""Template syntax inside nginx configurations, masked so that the tokenizer sees ordinary characters.

Jinja, Go templates and ERB. Variables of nginx (`$host`, `${host}`) are ordinary text; what `envsubst` and Terraform
fill in is told from them by `filled_in`.
"""

from __future__ import annotations

import re

from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.nginx_tokens import STATEMENT_MARK, VALUE_MARK

_SUFFIXES = (
    ".j2",
    ".jinja",
    ".jinja2",
    ".template",
    ".tmpl",
    ".tpl",
    ".tftpl",
    ".gotmpl",
    ".erb",
    ".ctmpl",
    ".tmp",
    ".in",
)
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}", "<%": "%>"}
_OPENING = lazy(r"\{\{|\{%|\{#|<%")
# Words that make `{{ … }}` of Go templates a statement.
_GO_STATEMENT = lazy(r"\{\{-?\s*(?:if|else|end|range|with|define|block|/\*|\$?\w+\s*:=)(?![\w.])")
_INSERTS = lazy(r"(?:\{%|<%)[-+=]?\s*(?:include|block|call|import|render|yield)\b")
_REFERENCE = lazy(r"\$\{([^{}\n]*)\}")
_ENVSUBST = lazy(r"\$([A-Z_][A-Z0-9_]*)(?![A-Za-z0-9_])")
_NGINX_NAME = lazy(r"[a-z0-9_]+", re.IGNORECASE)


def without_template_suffix(path: str) -> str:
    """The path that a template has once it is rendered: `default.conf.template` gives `default.conf`."""
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            return path.removesuffix(suffix)
    return path


def masked(path: str, text: str) -> str:
    """`text` with template syntax replaced by marks, character by character, so that offsets stay the same."""
    if "{{" not in text and "{%" not in text and "<%" not in text:
        return text
    comments = "{%" in text or without_template_suffix(path) != path
    parts: list[str] = []
    kept = at = 0
    closings = {"\n": -1, **dict.fromkeys(_CLOSING.values(), -1)}

    def next_of(what: str, start: int) -> int:
        """`text.find`, remembering the answer: each kind of end is looked for once per occurrence."""
        if closings[what] < start:
            found = text.find(what, start)
            closings[what] = len(text) if found < 0 else found
        return closings[what]

    while opened := _OPENING.search(text, at):
        start, opening = opened.start(), opened[0]
        closing = next_of(_CLOSING[opening], start + 2)
        at = start + 2
        if (
            closing == len(text)
            or (opening == "{{" and next_of("\n", at) < closing)
            or (opening == "{#" and not comments)
        ):
            continue
        at = closing + 2
        statement = opening in ("{%", "{#") or (opening == "<%" and text[start + 2 : start + 3] != "=")
        if statement or _GO_STATEMENT.match(text, start, at):
            mark = STATEMENT_MARK
        else:
            mark = VALUE_MARK
        parts += (text[kept:start], mark * (at - start))
        kept = at
    parts.append(text[kept:])
    return "".join(parts)


def inserts_text(statement: str) -> bool:
    """Whether a template statement brings in directives that are not in this file (`{% include %}`, `{% block %}`)."""
    return _INSERTS.search(statement[:4096]) is not None


def filled_in(path: str, word: str) -> str:
    """What is filled in before nginx reads `word`, as it is written; empty when all of it is nginx's own.

    `${DOMAIN}` in upper case and `${var.domain}` are no variables of nginx; `$DOMAIN` is one except in a template,
    where the entry point of the official image runs `envsubst` with the names of the environment.
    """
    if "${" in word:
        terraform = path.endswith((".tftpl", ".tpl"))
        for found in _REFERENCE.finditer(word):
            name = found[1]
            if terraform or name.isupper() or not _NGINX_NAME.fullmatch(name):
                return found[0]
    if path.endswith(".template") and (variable := _ENVSUBST.search(word)):
        return variable[0]
    return ""
