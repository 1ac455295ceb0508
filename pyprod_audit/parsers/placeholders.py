"""Template expressions (Jinja, cookiecutter, Go templates, ERB) in files of another language."""

from __future__ import annotations

from pyprod_audit.model.patterns import lazy

FILL = "\ue000"
"""Stands for each character of an expression in text masked by `filled`; no real file contains it."""

_CLOSERS = {"{{": "}}", "{%": "%}", "{#": "#}", "<%": "%>"}
_OPENER = lazy(r"\{\{|\{%|(?<!\$)\{#|<%|%%[A-Za-z_]")
_TOKEN = lazy(r"%%[A-Za-z_][A-Za-z0-9_]*%%")
_GO_CONTROL = lazy(r"\{\{-?\s*(?:if|else|end|range|with|define|template|block|/\*)\b")


def ranges(text: str) -> list[tuple[int, int, bool]]:
    """The template expressions in `text`: start, end, and whether it gives a value (or only steers the template).

    An expression ends on the line it starts on. Linear: what does not close on its line ends the search on that line.
    """
    found: list[tuple[int, int, bool]] = []
    at = 0
    while opener := _OPENER.search(text, at):
        start = opener.start()
        mark = text[start : start + 2]
        line_end = text.find("\n", start)
        if line_end < 0:
            line_end = len(text)
        if mark == "%%":
            token = _TOKEN.match(text, start)
            if token:
                found.append((start, token.end(), True))
            at = token.end() if token else opener.end()
            continue
        close = text.find(_CLOSERS[mark], start + 2, line_end)
        if close < 0:
            at = line_end
            continue
        at = close + 2
        steers = _GO_CONTROL.match(text, start) is not None if mark == "{{" else not text.startswith("<%=", start)
        found.append((start, at, not steers))
    return found


def filled(text: str) -> str:
    """`text` with every character of template expressions replaced by `FILL`: same length, no blanks, no quotes."""
    if "{{" not in text and "{%" not in text and "%%" not in text and "<%" not in text and "{#" not in text:
        return text
    return _replaced(text, FILL * 3, FILL)


def as_variables(text: str) -> str:
    """`text` with expressions that give a value as shell variables of the same length, and blanks for the others."""
    if "{{" not in text and "{%" not in text and "%%" not in text and "<%" not in text and "{#" not in text:
        return text
    return _replaced(text, "${}", " ")


def _replaced(text: str, frame: str, blank: str) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, value in ranges(text):
        pieces.append(text[at:start])
        middle = frame[0] if frame[0] == FILL else "_"
        pieces.append(frame[:2] + middle * (end - start - 3) + frame[2] if value else blank * (end - start))
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def control_end(text: str, start: int, end: int) -> int:
    """Where template statements (`{% if x %}`) that open the line `start` to `end` are over; `start` without any."""
    at = start
    while text.startswith(("{%", "{#", "{{", "<%"), at):
        mark = text[at : at + 2]
        if mark == "{{" and not _GO_CONTROL.match(text, at, end):
            return at
        close = text.find(_CLOSERS[mark], at + 2, end)
        if close < 0:
            return end
        at = close + 2
        while at < end and text[at] in " \t\r":
            at += 1
    return at
