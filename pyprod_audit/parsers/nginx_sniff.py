"""Telling nginx configurations from the many other files named `*.conf`."""

from __future__ import annotations

import re

from pyprod_audit.model.patterns import lazy
from pyprod_audit.parsers.nginx_directives import DISTINCTIVE

_HEAD = 65536
_NAMED = lazy(
    r"(?:^|[/._-])(?:nginx|openresty|angie)|\.nginx|(?:^|/)(?:sites-(?:available|enabled)|conf\.d)/", re.IGNORECASE
)
_CERTAIN = lazy(r"(?:^|/)nginx\.conf(?:\.[a-z0-9]+)?$", re.IGNORECASE)
# `<VirtualHost>` (Apache) and `[section]` (supervisord, systemd, php-fpm, ini files).
_FOREIGN = lazy(r"^[ \t]*(?:</?[A-Z][A-Za-z]+[ >]|\[[A-Za-z][^\]\n;{}]*\][ \t]*$)", re.MULTILINE)
# A directive with its `;`; braces in it only as `${name}` or `{{ name }}`, and few, so that a long line costs little.
_DIRECTIVE = lazy(
    r"(?:^|[{;])[ \t]*([a-z][a-z0-9_]*)[ \t]+(?=[^\s;}])[^;\n{}]*+(?:\{{1,2}[^{}\n;]*+\}{1,2}[^;\n{}]*+){0,9}+;",
    re.MULTILINE,
)
_LOCATION = lazy(r"^[ \t]*location[ \t]+(?:(?:=|~\*?|\^~)[ \t]+\S|/)[^\n;]*\{", re.MULTILINE)
_INCLUDE = lazy(r"include[ \t]+[^\s\"';{}]+\.conf[ \t]*;")
_FIRST_WORD = lazy(r"(?:[ \t\r\n]++|#[^\n]*+)*+([a-z][a-z0-9_]*+)[ \t]")
_BLOCK = lazy(
    r"""^[ \t]*(?:http|events|server|stream|types|upstream[ \t]+\S+|location[ \t]+[^{};\n]+|map[ \t]+\S+[ \t]+\$\w+)
    [ \t]*(?:\r?\n[ \t]*)?\{""",
    re.MULTILINE | re.VERBOSE,
)
# A block of nginx that takes its contents from files; the others that know `server {` quote the names of files.
_BLOCK_OF_FILES = lazy(
    r"(?:http|events|server|stream)\s*+\{[^{}]{0,500}?(?<=[\s;{])include[ \t]++[^\s\"';{}]++[ \t]*+;"
)
# Too short or too common to be told apart without a path that speaks of nginx.
_COMMON = frozenset(
    {"root", "index", "return", "include", "resolver", "expires", "internal", "gzip", "deny", "allow", "set"}
)


def looks_like_nginx(path: str, text: str) -> bool:
    """Whether the file is an nginx configuration, a snippet or a template of one.

    `path` decides for `nginx.conf`; elsewhere a path that speaks of nginx makes one directive of nginx enough, and
    without such a path there must also be a block of nginx, or the file must begin with a directive of nginx. Only the
    head of `text` is looked at.
    """
    head = text[:_HEAD]
    if "\0" in head or _FOREIGN.search(head):
        return False
    if _CERTAIN.search(path):
        return True
    names = {found[1] for found in _DIRECTIVE.finditer(head)}
    named = _NAMED.search(path) is not None
    block = _BLOCK.search(head) is not None
    if names & DISTINCTIVE:
        first = _FIRST_WORD.match(head)
        return named or block or (first is not None and first[1] in DISTINCTIVE and first[1] in names)
    if names.isdisjoint(_COMMON):
        return named and block
    if named or _LOCATION.search(head) is not None:
        return True
    return "include" in names and ((block and _BLOCK_OF_FILES.search(head) is not None) or _only_includes(head))


def _only_includes(head: str) -> bool:
    """Whether every statement is an `include` with an unquoted name; BIND and dhcpd have quotes around it."""
    lines = [line.partition("#")[0].strip() for line in head.split("\n")]
    return all(_INCLUDE.fullmatch(line) for line in lines if line)
