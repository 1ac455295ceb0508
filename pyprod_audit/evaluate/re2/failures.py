"""Why there is no result."""

from __future__ import annotations


class InvalidPatternError(ValueError):
    """The pattern is refused by Go too; the text is Go's."""


class Unsupported(Exception):  # noqa: N818 - no error: Go has a result, which is not known here
    """The pattern, or this text with it, is not followed here; the text says why."""
