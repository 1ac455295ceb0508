"""The regular expressions of kustomizations: names of patches' targets, of images, and steps of field paths."""

from __future__ import annotations

from pyprod_audit.evaluate.kustomize.place import Refused
from pyprod_audit.evaluate.re2 import InvalidPatternError, Regex, Steps, Unsupported, compile_pattern


class Expression:
    """A compiled regular expression with a limit of work for all texts that it is asked about."""

    __slots__ = ("_regex", "_steps")

    def __init__(self, regex: Regex) -> None:
        self._regex = regex
        self._steps = Steps()

    def found_in(self, text: str) -> bool:
        """Whether any part of `text` matches. Raises Refused when that takes too much work to find out."""
        try:
            return self._regex.found_in(text, self._steps)
        except Unsupported as reason:
            raise Refused(f"the expression {self._regex.text} is not followed: {reason}") from reason


def compiled(pattern: str, *, whole: bool = False) -> Expression | None:
    """The expression (`whole`: for texts from start to end); None when it is not valid or not understood here."""
    try:
        return Expression(compile_pattern(pattern, whole=whole))
    except (InvalidPatternError, Unsupported):
        return None
