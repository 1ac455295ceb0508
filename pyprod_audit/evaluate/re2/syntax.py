"""Regular expressions of Go, parsed: the syntax of RE2 with Perl's extensions (regexp/syntax of Go 1.26)."""

from __future__ import annotations

from typing import Final, NamedTuple

from pyprod_audit.evaluate.re2.classes import (
    ANY,
    LAST,
    NOT_NEWLINE,
    PERL,
    POSIX,
    CharClass,
    of_ranges,
    property_class,
    single,
    union,
)
from pyprod_audit.evaluate.re2.failures import InvalidPatternError, Unsupported

_MAX_REPEAT: Final = 1000
_MAX_PATTERN: Final = 2_000
_MAX_NESTING: Final = 50


class Node(NamedTuple):
    """A part of a pattern.

    `kind`: "set" (one character of `accepted`), "empty", "assert" (`name` is "^", "$", "A", "z", "b" or "B"), "cat" and
    "alt" of `parts`, "repeat" of the one part from `least` to `most` times (-1: any number), "group" number `number`.
    """

    kind: str
    parts: tuple[Node, ...] = ()
    accepted: CharClass | None = None
    name: str = ""
    least: int = 0
    most: int = 0
    greedy: bool = True
    number: int = 0


class Pattern(NamedTuple):
    """A parsed pattern, and the names of its groups in order ("": it has none)."""

    root: Node
    groups: tuple[str, ...]


_ESCAPES: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_OCTAL: Final = frozenset("01234567")
_EMPTY: Final = Node("empty")


class _Level(NamedTuple):
    """An open group: what stands before it, its number (0: none), and the flags that hold behind it."""

    alternatives: list[Node]
    items: list[Node]
    number: int
    flags: frozenset[str]


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags: frozenset[str] = frozenset()
        self.groups: list[str] = []
        self.alternatives: list[Node] = []
        self.items: list[Node] = []
        self.levels: list[_Level] = []

    def parse(self) -> Pattern:
        text = self.text
        repeated = False
        while self.at < len(text):
            character = text[self.at]
            was_repeated, repeated = repeated, False
            if character in "*+?":
                self.at += 1
                self.repeat(*{"*": (0, -1), "+": (1, -1), "?": (0, 1)}[character], was_repeated)
                repeated = True
            elif character == "{":
                bounds = self.bounds()
                if bounds is None:
                    self.at += 1
                    self.literal(ord("{"))
                else:
                    self.repeat(*bounds, was_repeated)
                    repeated = True
            else:
                self.item(character)
        if self.levels:
            raise InvalidPatternError("missing closing )")
        return Pattern(self.closed(), tuple(self.groups))

    def item(self, character: str) -> None:
        if character == "(":
            self.open()
        elif character == ")":
            self.close()
        elif character == "[":
            self.items.append(self.char_class())
        elif character == "\\":
            self.escape()
        else:
            self.at += 1
            if character == "|":
                self.alternatives.append(_cat(self.items))
                self.items = []
            elif character == "^":
                self.items.append(Node("assert", name="^" if "m" in self.flags else "A"))
            elif character == "$":
                self.items.append(Node("assert", name="$" if "m" in self.flags else "z"))
            elif character == ".":
                self.items.append(_set(ANY if "s" in self.flags else NOT_NEWLINE))
            else:
                self.literal(ord(character))

    def closed(self) -> Node:
        """The alternatives up to here as one node."""
        last = _cat(self.items)
        return Node("alt", (*self.alternatives, last)) if self.alternatives else last

    # -- groups --------------------------------------------------------------------------------------------------

    def open(self) -> None:
        text, start = self.text, self.at
        number = 0
        flags = self.flags
        if text.startswith("(?P<", start) or text.startswith("(?<", start):
            self.named(start)
            number = len(self.groups)
        elif text.startswith("(?", start):
            opens, flags = self.read_flags()
            if not opens:
                self.flags = flags
                return
        else:
            self.at += 1
            self.groups.append("")
            number = len(self.groups)
        if len(self.levels) >= _MAX_NESTING:
            raise Unsupported("the pattern is nested too deeply")
        self.levels.append(_Level(self.alternatives, self.items, number, self.flags))
        self.alternatives, self.items, self.flags = [], [], flags

    def named(self, start: int) -> None:
        begin = start + (4 if self.text[start + 2] == "P" else 3)
        end = self.text.find(">", start)
        name = self.text[begin:end] if end >= 0 else ""
        if not name or not name.isascii() or not name.replace("_", "a").isalnum():
            # (?<= and (?<! end here too: Go has no lookbehind.
            raise InvalidPatternError("invalid named capture")
        self.groups.append(name)  # Go lets several groups have one name
        self.at = end + 1

    def read_flags(self) -> tuple[bool, frozenset[str]]:
        """What stands behind "(?": whether a group opens, and the flags from here on."""
        at = self.at + 2
        flags = set(self.flags)
        minus = seen = False
        while at < len(self.text):
            sign = self.text[at]
            at += 1
            if sign in "imsU":
                (flags.discard if minus else flags.add)(sign)
                seen = True
            elif sign == "-" and not minus:
                minus, seen = True, False
            elif sign in ":)" and (seen or not minus):
                self.at = at
                return sign == ":", frozenset(flags)
            else:
                break
        raise InvalidPatternError("invalid or unsupported Perl syntax")

    def close(self) -> None:
        if not self.levels:
            raise InvalidPatternError("unexpected )")
        self.at += 1
        node = self.closed()
        self.alternatives, self.items, number, self.flags = self.levels.pop()
        self.items.append(Node("group", (node,), number=number) if number else Node("cat", (node,)))

    # -- repetition ----------------------------------------------------------------------------------------------

    def bounds(self) -> tuple[int, int] | None:
        """The numbers of {n}, {n,} or {n,m}; None when the brace is a character like others."""
        end = self.text.find("}", self.at)
        least, comma, most = self.text[self.at + 1 : max(end, 0)].partition(",")
        if end < 0 or not _is_number(least) or (most and not _is_number(most)):
            return None
        self.at = end + 1
        low = int(least) if len(least) < 6 else _MAX_REPEAT + 1
        high = low if not comma else -1 if not most else int(most) if len(most) < 6 else _MAX_REPEAT + 1
        if low > _MAX_REPEAT or high > _MAX_REPEAT or (high >= 0 and low > high):
            raise InvalidPatternError("invalid repeat count")
        return low, high

    def repeat(self, least: int, most: int, was_repeated: bool) -> None:
        greedy = "U" not in self.flags
        if self.text.startswith("?", self.at):
            self.at += 1
            greedy = not greedy
        if was_repeated:
            raise InvalidPatternError("invalid nested repetition operator")
        if not self.items:
            raise InvalidPatternError("missing argument to repetition operator")
        node = Node("repeat", (self.items[-1],), least=least, most=most, greedy=greedy)
        if _copies(node) > _MAX_REPEAT:
            raise InvalidPatternError("invalid repeat count")
        self.items[-1] = node

    # -- characters ----------------------------------------------------------------------------------------------

    def literal(self, code: int) -> None:
        self.items.append(_set(single(code, "i" in self.flags)))

    def folded(self, accepted: CharClass) -> CharClass:
        """The class with the other case of its letters, when that does not count."""
        return accepted.folded() if "i" in self.flags else accepted

    def escape(self) -> None:
        following = self.text[self.at + 1 : self.at + 2]
        if following in ("A", "b", "B", "z"):
            self.at += 2
            self.items.append(Node("assert", name=following))
        elif following == "Q":
            quoted, end, _ = self.text[self.at + 2 :].partition("\\E")
            self.at += 2 + len(quoted) + len(end)
            for character in quoted:
                self.literal(ord(character))
        else:
            accepted = self.escaped_class()
            if accepted is None:
                self.literal(self.escaped_code())
            else:
                self.items.append(_set(accepted))

    def escaped_class(self) -> CharClass | None:
        """The class that an escape with d, s, w or p is; None for other escapes."""
        letter = self.text[self.at + 1 : self.at + 2]
        if letter in ("p", "P"):
            accepted, negative = self.unicode_class(), letter == "P"
            if self.text.startswith("{^", self.at):
                negative = not negative
            self.at = self.text.index("}", self.at) + 1 if self.text.startswith("{", self.at) else self.at + 1
            return accepted.negated() if negative else accepted
        if letter.lower() not in PERL:
            return None
        self.at += 2
        accepted = self.folded(PERL[letter.lower()])
        return accepted if letter.islower() else accepted.negated()

    def unicode_class(self) -> CharClass:
        """The class named behind an escape with p; `at` is then where its name starts."""
        self.at += 2
        name = self.text[self.at : self.at + 1]
        if name == "{":
            name, end, _ = self.text[self.at + 1 :].partition("}")
            name = name.removeprefix("^") if end else ""
        elif name not in tuple("CLMNPSZ"):
            name = ""
        if not name:
            raise InvalidPatternError("invalid character class range")
        return self.folded(property_class(name))

    def escaped_code(self) -> int:
        """The character that an escape stands for."""
        text = self.text
        self.at += 1
        if self.at >= len(text):
            raise InvalidPatternError("trailing backslash at end of expression")
        character = text[self.at]
        self.at += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character in _OCTAL and (character == "0" or text[self.at : self.at + 1] in _OCTAL):
            start = self.at - 1
            while self.at < start + 3 and text[self.at : self.at + 1] in _OCTAL:
                self.at += 1
            return int(text[start : self.at], 8)
        if character == "x":
            return self.hexadecimal()
        if ord(character) < 128 and not character.isalnum():
            return ord(character)
        raise InvalidPatternError("invalid escape sequence")

    def hexadecimal(self) -> int:
        if self.text.startswith("{", self.at):
            digits, end, _ = self.text[self.at + 1 :].partition("}")
            self.at += 1 + len(digits) + len(end)
            complete = bool(end)
        else:
            digits = self.text[self.at : self.at + 2]
            self.at += 2
            complete = len(digits) == 2
        if not complete or not digits or not set(digits) <= set("0123456789abcdefABCDEF"):
            raise InvalidPatternError("invalid escape sequence")
        code = int(digits, 16)
        if code > LAST:
            raise InvalidPatternError("invalid escape sequence")
        return code

    def char_class(self) -> Node:
        text = self.text
        self.at += 1
        negative = text.startswith("^", self.at)
        self.at += negative
        parts: list[CharClass] = []
        ranges: list[tuple[int, int]] = []
        first = True
        while not text.startswith("]", self.at) or first:
            first = False
            if self.at >= len(text):
                raise InvalidPatternError("missing closing ]")
            named = self.posix_class()
            if named is None and text[self.at] == "\\":
                named = self.escaped_class()
            if named is not None:
                parts.append(named)
                continue
            low = high = self.class_code()
            if text.startswith("-", self.at) and self.at + 1 < len(text) and text[self.at + 1] != "]":
                self.at += 1
                high = self.class_code()
                if high < low:
                    raise InvalidPatternError("invalid character class range")
            ranges.append((low, high))
        self.at += 1
        accepted = union([*parts, self.folded(of_ranges(tuple(ranges)))])
        return _set(accepted.negated() if negative else accepted)

    def posix_class(self) -> CharClass | None:
        """The class that [:name:] is; None where there is no such thing."""
        text = self.text
        if not text.startswith("[:", self.at) or self.at + 2 >= len(text):
            return None
        end = text.find(":]", self.at + 2)
        if end < 0:
            return None
        name = text[self.at + 2 : end]
        negative = name.startswith("^")
        accepted = POSIX.get(name.removeprefix("^"))
        if accepted is None:
            raise InvalidPatternError("invalid character class range")
        self.at = end + 2
        accepted = self.folded(accepted)
        return accepted.negated() if negative else accepted

    def class_code(self) -> int:
        if self.at >= len(self.text):
            raise InvalidPatternError("missing closing ]")
        if self.text[self.at] == "\\":
            return self.escaped_code()
        self.at += 1
        return ord(self.text[self.at - 1])


def _copies(node: Node) -> int:
    """How often counted repetitions write out what stands in them."""
    inner = max(map(_copies, node.parts), default=1)
    return inner * max(node.least, node.most, 1) if node.kind == "repeat" else inner


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")


def _cat(items: list[Node]) -> Node:
    return items[0] if len(items) == 1 else Node("cat", tuple(items)) if items else _EMPTY


def _set(accepted: CharClass) -> Node:
    return Node("set", accepted=accepted)


def parse(text: str) -> Pattern:
    """The pattern that `text` is.

    Raises:
        InvalidPatternError: where regexp.Compile returns an error.
        Unsupported: for some classes of Unicode, and patterns that are too long or nested too deeply.
    """
    if len(text) > _MAX_PATTERN:
        raise Unsupported("the pattern is too long")
    return _Parser(text).parse()
