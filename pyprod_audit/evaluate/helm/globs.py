"""Patterns of paths as Helm has them: in `.helmignore`, and in `.Files.Glob`.

Both are matched in steps that grow with pattern times path, so that no pattern of a chart can make a scan slow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

_MAX_PATTERN = 500
_MAX_RULES = 1_000
_MAX_ALTERNATIVES = 64
# What one element of a pattern takes: any run without a slash, any run at all; else a test of one character.
_RUN: Final = "*"
_DEEP_RUN: Final = "**"
_SPECIAL: Final = frozenset("*?[\\")
_Step = str | Callable[[str], bool]


class Ignored(NamedTuple):
    """One line of a `.helmignore`: what a path has to be, or how its name has to end, or else steps."""

    exact: str | None
    ending: str | None
    steps: tuple[_Step, ...]
    whole: bool
    folders: bool
    negated: bool

    def covers(self, path: str, name: str, *, is_folder: bool) -> bool:
        """Whether the line has `path` ignored; `name` is its last part."""
        if self.folders and not is_folder:
            return self.negated
        # Helm's own reading of `!`: whatever the rest of the line does not match is left out.
        return self._matches(path if self.whole else name) != self.negated

    def _matches(self, text: str) -> bool:
        if self.exact is not None:
            return text == self.exact
        if self.ending is not None:
            return text.endswith(self.ending) and "/" not in text
        return _takes(self.steps, text)


class HelmIgnore:
    """A `.helmignore`, with what every chart leaves out: hidden files in `templates/`."""

    def __init__(self, text: str = "") -> None:
        lines = [line.strip() for line in (*text.split("\n")[:_MAX_RULES], "templates/.?*")]
        self._rules = [_rule(line) for line in lines if line and line[0] != "#" and "**" not in line]
        self._folders: dict[str, bool] = {"": False}

    def __call__(self, path: str) -> bool:
        """Whether the file at `path`, counted from the chart, is left out."""
        return self._folder(path.rpartition("/")[0]) or self._covers(path, is_folder=False)

    def _folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            above = False
            parts = folder.split("/")
            for count in range(1, len(parts) + 1):
                part = "/".join(parts[:count])
                if part not in self._folders:
                    self._folders[part] = above or self._covers(part, is_folder=True)
                above = self._folders[part]
            known = self._folders[folder]
        return known

    def _covers(self, path: str, *, is_folder: bool) -> bool:
        name = path.rpartition("/")[2]
        return any(rule.covers(path, name, is_folder=is_folder) for rule in self._rules)


def glob(pattern: str, path: str) -> bool:
    """Whether `.Files.Glob pattern` finds `path`: `*` stays in a folder, `**` does not, `{a,b}` are alternatives."""
    return any(_takes(steps, path) for steps in _alternatives(pattern[:_MAX_PATTERN]))


def _rule(line: str) -> Ignored:
    negated, line = line.startswith("!"), line.removeprefix("!")
    folders, line = line.endswith("/"), line.removesuffix("/")
    whole, line = "/" in line, line.removeprefix("/")[:_MAX_PATTERN]
    exact = line if _SPECIAL.isdisjoint(line) else None
    ending = line[1:] if line[:1] == "*" and _SPECIAL.isdisjoint(line[1:]) else None
    return Ignored(exact, ending, () if exact or ending else _steps(line), whole, folders, negated)


@lru_cache(maxsize=256)
def _alternatives(pattern: str) -> tuple[tuple[_Step, ...], ...]:
    """A glob without its braces, one after the other."""
    done: list[str] = []
    pending = [pattern]
    while pending and len(done) + len(pending) <= _MAX_ALTERNATIVES:
        one = pending.pop()
        start = one.find("{")
        end = one.find("}", start)
        if start < 0 or end < 0:
            done.append(one)
        else:
            pending.extend(one[:start] + part + one[end + 1 :] for part in one[start + 1 : end].split(","))
    return tuple(_steps(one, deep=True) for one in done)


def _steps(pattern: str, *, deep: bool = False) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "*":
            run = len(pattern) - at - len(pattern[at:].lstrip("*"))
            at += run
            steps.append(_DEEP_RUN if run and deep else _RUN)
        elif sign == "?":
            steps.append(_any_but_slash)
        elif sign == "[" and (end := pattern.find("]", at + 1)) > 0:
            steps.append(_one_of(pattern[at:end]))
            at = end + 1
        else:
            if sign == "\\" and at < len(pattern):
                sign = pattern[at]
                at += 1
            steps.append(_exactly(sign))
    return tuple(steps)


def _any_but_slash(character: str) -> bool:
    return character != "/"


def _exactly(sign: str) -> Callable[[str], bool]:
    return sign.__eq__


def _one_of(members: str) -> Callable[[str], bool]:
    negated = members[0] in "^!"
    members = members[1:] if negated else members
    ranges = []
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            ranges.append((members[at], members[at + 2]))
            at += 3
        else:
            ranges.append((members[at], members[at]))
            at += 1
    return lambda sign: sign != "/" and any(low <= sign <= high for low, high in ranges) != negated


def _takes(steps: tuple[_Step, ...], path: str) -> bool:
    """Whether the steps take the whole path: all places in the pattern that a prefix can lead to, sign by sign."""
    places = _behind_runs(steps, {0})
    for sign in path:
        reached = set()
        for place in places:
            if place == len(steps):
                continue
            step = steps[place]
            if not isinstance(step, str):
                if step(sign):
                    reached.add(place + 1)
            elif step == _DEEP_RUN or sign != "/":
                reached.add(place)
        if not reached:
            return False
        places = _behind_runs(steps, reached)
    return len(steps) in places


def _behind_runs(steps: tuple[_Step, ...], places: set[int]) -> set[int]:
    """The places, and those behind a run at one of them: a run may be empty."""
    found = set(places)
    for place in places:
        while place < len(steps) and isinstance(steps[place], str):
            place += 1
            found.add(place)
    return found
