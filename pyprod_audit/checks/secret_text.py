"""Secrets in text of any format: `name = value` where the name promises a secret and the value looks like one.

The text is searched for a few words; only where one stands is a name read, and only after a secret's name a value.
Names, gaps and values are bounded, so that the cost is linear in the text.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

from pyprod_audit.checks.secret_names import Sort, sort_of
from pyprod_audit.checks.secret_patterns import tokens
from pyprod_audit.checks.secret_values import Value, decoded, judge
from pyprod_audit.model.patterns import lazy


class Syntax(enum.Enum):
    """How values are written."""

    QUOTED = "quoted"
    """Literals are always quoted: JSON, TOML."""
    PYTHON = "python"
    """As QUOTED, with annotations and prefixes."""
    HCL = "hcl"
    """As QUOTED, with shell scripts in heredocs."""
    YAML = "yaml"
    LINES = "lines"
    """`name = value` to the end of the line, quoted or not: .env, ini, properties."""
    SHELL = "shell"
    NETRC = "netrc"
    """Words after each other: `password` is followed by the password."""


class Secret(NamedTuple):
    """A secret in a text. `what`: what it is, with an article; `name`: the name it stands under, where there is one."""

    what: str
    name: str
    start: int
    end: int
    who: str = ""
    host: str = ""


_HINTS: Final = ("passw", "passphrase", "pwd", "secret", "token", "key", "credential", "authorization", "_pass",
                 "dbpass", '"auth"')  # fmt: skip
_NAME_END: Final = lazy(r"[A-Za-z0-9_.-]{0,60}")
_NAME_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_GAP: Final = r"[ \t]{0,20}"
_ASSIGN: Final = lazy(rf"[\"'\]]{{0,2}}{_GAP}(?:=>|:=|[=:])(?!=){_GAP}")
_ANNOTATED: Final = lazy(
    rf"[\"'\]]{{0,2}}{_GAP}(?::{_GAP}[A-Za-z][\w.\[\], |]{{0,40}}?)?{_GAP}[=:](?!=){_GAP}\(?{_GAP}"
)
_ARGUMENT: Final = lazy(rf"(?:={_GAP}|[ \t]{{1,4}})(?=[^\s=-])")
_BESIDE: Final = lazy(r"[\"']?[ \t\r\n]{0,40},?[ \t\r\n]{0,40}[\"']?[Vv]alue[\"']?[ \t]{0,4}[:=][ \t]{0,4}")
_NEXT_ARGUMENT: Final = lazy(r"[\"'][ \t\r\n]{0,40},[ \t\r\n]{0,40}(?=[\"'][^-])")
_INSIDE_QUOTES: Final = lazy(r"(?P<value>[^\s\"'$`;&|<>(){}\\]{1,400})(?=[\"'])")
_IN_STRING: Final = lazy(r"=(?P<value>[^\s\"'`$;&,(){}<>\\|]{6,200})(?=[\s\"';&\\])")
_IN_CONNECTION: Final = lazy(r"=(?P<value>[^\s\"';{}<>\\]{3,200})(?=[\"';\\])")
_FALLBACK: Final = lazy(r":?[-=]?(?P<value>[^\s\"'$`;&|<>(){}\\]{1,400})\}")
_WORDS_AFTER: Final = lazy(r"[ \t]{1,20}")
_QUOTED: Final = lazy(
    r"(?P<prefix>[rRbBuUfF]{0,2})(?P<quote>\"\"\"|'''|\\?\"|\\?')(?P<value>[^\"'\\\r\n]{1,400})(?P=quote)"
    r"(?P<after>[ \t]{0,4}[%+.]?)"
)
_SHELL_WORD: Final = lazy(r"(?P<value>[^\s\"'$`;&|<>(){}\\]{1,400})(?=[\s;&|)]|\Z)")
_FLOW: Final = lazy(r"(?P<value>[^\s\"'#;,{}\[\]]{1,400})(?=[ \t]{0,4}[,}\]])")
_PLAIN: Final = {
    Syntax.HCL: _SHELL_WORD,
    Syntax.SHELL: _SHELL_WORD,
    Syntax.NETRC: _SHELL_WORD,
    Syntax.YAML: _FLOW,
}
_LONGEST_LINE: Final = 420
_MOST_JUDGED: Final = 5_000
"""Values of one text that are looked at: enough for any real file, and a bound for one made to cost time."""
_HEADER: Final = lazy(
    r"[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\"']?(?P<scheme>Bearer|Basic|Token|token|bearer|basic)[ \t]{1,4}"
    r"(?P<value>[\w.~+/=-]{16,600})"
)


def secrets_in(
    text: str, syntax: Syntax, start: int = 0, end: int | None = None, *, day: date | None = None, strict: bool = True
) -> list[Secret]:
    """The secrets between `start` and `end`, in order and without overlaps.

    Args:
        text: any text.
        syntax: how its values are written.
        start: where to begin.
        end: where to stop; None: at the end of the text.
        day: tokens that had expired then are left out.
        strict: only values that look random or chosen with care; otherwise also plain words (where the text is known
            to be configuration).
    """
    end = len(text) if end is None else end
    found = [Secret(t.what, "", t.start, t.end, t.who, t.host) for t in tokens(text, start, end)]
    found.extend(_named(text, syntax, start, end, day, Value.STRONG if strict else Value.PLAIN))
    found.sort(key=lambda one: (one.start, -one.end))
    return _without_overlaps(found, text)


def known_formats_in(text: str, start: int = 0, end: int | None = None) -> list[Secret]:
    """The tokens of providers and the passwords in URLs only, in order."""
    found = [Secret(t.what, "", t.start, t.end, t.who, t.host) for t in tokens(text, start, end)]
    found.sort(key=lambda one: (one.start, -one.end))
    return _without_overlaps(found, text)


def _without_overlaps(found: list[Secret], text: str) -> list[Secret]:
    kept: list[Secret] = []
    for one in found:
        if kept and one.start < kept[-1].end:
            previous = kept[-1]
            if previous.name and not one.name:
                # The format says more than the name; the name still tells which of several it is.
                kept[-1] = one._replace(name=previous.name)
            elif one.name and not previous.name:
                kept[-1] = previous._replace(name=one.name)
        else:
            kept.append(one)
    return [one if one.name else one._replace(name=_name_before(text, one.start)) for one in kept]


def _name_before(text: str, at: int) -> str:
    """The name that a token on its own is assigned to, when that can be told from what stands before it."""
    low = max(at - 120, 0)
    line = text[max(text.rfind("\n", low, at) + 1, low) : at]
    found = re.search(r"([A-Za-z][\w.-]{0,60})[\"'\]]{0,2}[ \t]{0,8}(?:=>|:=|[=:])[ \t]{0,8}[\"']?$", line)
    return found[1] if found else ""


def _named(text: str, syntax: Syntax, start: int, end: int, day: date | None, least: Value) -> Iterator[Secret]:
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text  # a few letters grow when lowered (İ): offsets matter more than names in capitals
    judged = 0
    for begin, stop in _names(text, lowered, start, end):
        if judged >= _MOST_JUDGED:
            return
        name = text[begin:stop]
        if lowered.startswith("authorization", begin) or name.lower().endswith("authorization"):
            yield from _header(text, name, stop, end)
            continue
        if name == "auth":
            yield from _registry(text, stop, end)
            continue
        sort = sort_of(name)
        if text.startswith("::", begin - 2) and begin >= 2:
            continue  # the last part of a type's name: `AWS::ApiGateway::ApiKey`
        if sort is Sort.NOTHING or (syntax is not Syntax.NETRC and _in_comment(text, begin, syntax)):
            continue
        place = _value(text, syntax, begin, stop, end)
        if place is None:
            continue
        value = text[place[0] : place[1]]
        judged += 1
        if value.lower() != name.lower() and judge(value, sort, day) >= least:
            yield Secret(f"a {sort.value}" if sort is Sort.PASSWORD else "a key or token", name, *place)


def _names(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The names that have one of the hints in them, each once."""
    places: set[int] = set()
    for hint in _HINTS:
        at = lowered.find(hint, start, end)
        while at >= 0:
            places.add(at + hint.startswith('"'))
            at = lowered.find(hint, at + len(hint), end)
    done = start
    for at in sorted(places):
        if at < done:
            continue
        rest = _NAME_END.match(text, at)
        stop = min(rest.end() if rest is not None else at, end)
        begin, low = at, max(done, at - 60)
        while begin > low and text[begin - 1] in _NAME_CHARACTERS:
            begin -= 1
        while begin < at and not text[begin].isalpha() and text[begin] != "_":
            begin += 1
        done = stop
        yield begin, stop


def _in_comment(text: str, at: int, syntax: Syntax) -> bool:
    low = max(at - 200, 0)
    begin = text.rfind("\n", low, at) + 1
    if begin == 0 and low > 0:
        return False
    line = text[begin:at].lstrip()
    if syntax in (Syntax.LINES, Syntax.NETRC):
        return line.startswith(("#", ";", "//", "!"))
    return line.startswith(("#", "//", "*", "--", "/*", "<!--"))


def _value(text: str, syntax: Syntax, begin: int, stop: int, end: int) -> tuple[int, int] | None:
    """Where the literal after a name stands; None when what follows is no literal."""
    if begin >= 2 and text.startswith("${", begin - 2):
        fallback = _FALLBACK.match(text, stop, end)  # `${NAME:-value}`, `${name:value}`
        return fallback.span("value") if fallback else None
    if text.startswith("=", stop) and _in_string(text, begin):
        inner = _IN_CONNECTION if text[max(begin - 2, 0) : begin].rstrip().endswith(";") else _IN_STRING
        found = inner.match(text, stop, end)  # "host=db user=shop password=…", "https://…?api_key=…&"
        return found.span("value") if found else None
    after = _separator(text, syntax, begin, stop, end)
    if after is None or after >= end:
        return None
    quoted = _QUOTED.match(text, after, end)
    if quoted is not None:
        if quoted["prefix"] and syntax is not Syntax.PYTHON:
            return None
        if "f" in quoted["prefix"].lower() and "{" in quoted["value"]:
            return None
        if syntax in (Syntax.PYTHON, Syntax.QUOTED, Syntax.HCL) and quoted["after"].strip():
            return None  # joined with or formatted by something else
        if (
            syntax is Syntax.SHELL
            and quoted["quote"].endswith('"')
            and ("$" in quoted["value"] or "`" in quoted["value"])
        ):
            return None
        return quoted.span("value")
    if begin >= 3 and text[begin - 3] in "\"'" and (inside := _INSIDE_QUOTES.match(text, after, end)):
        return inside.span("value")
    if syntax is Syntax.HCL and after != stop + 1:
        return None  # an expression; in a script there is no space around `=`
    if syntax is Syntax.LINES or (syntax is Syntax.YAML and not _in_flow(text, begin)):
        place = _to_line_end(text, after, end, syntax)
        if place is not None:
            return place
    pattern = _PLAIN.get(syntax)
    found = pattern.match(text, after, end) if pattern is not None else None
    return found.span("value") if found is not None else None


def _in_string(text: str, at: int) -> bool:
    """Whether a quote that opened earlier on the line is still open, and not just before this place."""
    low = max(at - 300, 0)
    before = text[max(text.rfind("\n", low, at) + 1, low) : at]
    return before[-1:] not in ("", '"', "'", "-") and bool(before.count('"') % 2 or before.count("'") % 2)


def _in_flow(text: str, at: int) -> bool:
    """Whether a place stands in `{…}` or `[…]` that opened on the same line."""
    low = max(at - 300, 0)
    before = text[max(text.rfind("\n", low, at) + 1, low) : at]
    return before.count("{") + before.count("[") > before.count("}") + before.count("]")


def _to_line_end(text: str, start: int, end: int, syntax: Syntax) -> tuple[int, int] | None:
    """A value without quotes, up to a comment or the line's end; None when the line is long or it is no literal."""
    if text[start] in ("|>&*!{[@`%,#" if syntax is Syntax.YAML else ";,#"):
        return None
    stop = text.find("\n", start, min(end, start + _LONGEST_LINE))
    if stop < 0:
        if end - start > _LONGEST_LINE:
            return None
        stop = end
    value = text[start:stop]
    for mark in (" #", "\t#", " ;"):
        value = value.partition(mark)[0]
    value = value.rstrip()
    if value.endswith(('"', "'")) and text[max(start - 200, 0) : start].rpartition("\n")[2].count(value[-1]) % 2:
        value = value[:-1]  # the whole `- "NAME=value"` is quoted
    return (start, start + len(value)) if value else None


def _separator(text: str, syntax: Syntax, begin: int, stop: int, end: int) -> int | None:
    """Where the value after a name begins."""
    if syntax is Syntax.NETRC:
        found = _WORDS_AFTER.match(text, stop, end)
        return found.end() if found else None
    if begin >= 2 and text.startswith("--", begin - 2):
        if syntax in (Syntax.SHELL, Syntax.YAML, Syntax.LINES) and (found := _ARGUMENT.match(text, stop, end)):
            return found.end()
        found = _NEXT_ARGUMENT.match(text, stop, end)
        return found.end() if found else None
    if syntax in (Syntax.QUOTED, Syntax.HCL, Syntax.YAML) and _is_value_of_name(text, begin):
        found = _BESIDE.match(text, stop, end)
        return found.end() if found else None
    if syntax is Syntax.SHELL:
        return stop + 1 if text.startswith("=", stop) and not text.startswith("==", stop) else None
    found = (_ANNOTATED if syntax is Syntax.PYTHON else _ASSIGN).match(text, stop, end)
    if found is None or (syntax is Syntax.YAML and found[0].endswith(":")):
        return None  # `key:value` is one word in YAML
    return found.end()


def _is_value_of_name(text: str, begin: int) -> bool:
    """Whether a name stands as the value of `name:`, with its own value beside it: `{"name": "X", "value": "…"}`."""
    before = text[max(begin - 16, 0) : begin].rstrip("\"' \t")
    return before.endswith((":", "=")) and before.rstrip(":= \t\"'").lower().endswith(("name", "key"))


def _registry(text: str, stop: int, end: int) -> Iterator[Secret]:
    """`"auth": "<base64 of user:password>"` in the configuration of a Docker client."""
    separator = _ASSIGN.match(text, stop, end)
    quoted = _QUOTED.match(text, separator.end(), end) if separator else None
    if quoted is None:
        return
    user, _, password = (decoded(quoted["value"]) or "").partition(":")
    if user and judge(password, Sort.PASSWORD) >= Value.PLAIN:
        yield Secret("the login of a registry", "auth", *quoted.span("value"))


def _header(text: str, name: str, stop: int, end: int) -> Iterator[Secret]:
    """`Authorization: Bearer …`."""
    found = _HEADER.match(text, stop, end)
    if found is None:
        return
    value = found["value"]
    if found["scheme"].lower() == "basic":
        pair = decoded(value)
        if pair is None or ":" not in pair or judge(pair.partition(":")[2], Sort.PASSWORD) < Value.PLAIN:
            return
    elif judge(value, Sort.KEY) < Value.STRONG:
        return
    yield Secret("the credentials of a request header", name, *found.span("value"))
