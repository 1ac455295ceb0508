"""Fills a rule's message with values.

`str.format` would let a user's rule reach attributes and items (`{x.__class__}`); this knows only names and
format specs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyprod_audit.model.patterns import lazy

_FIELD = lazy(r"\{([a-z_][a-z0-9_]*)(?::([^{}]{0,16}))?\}")
_LONGEST_VALUE = 200


def fill(template: str, values: Mapping[str, Any]) -> str:
    """`template` with each `{name}` or `{name:spec}` replaced; an unknown name stays as it is written."""

    def replace(found: re.Match[str]) -> str:
        name, spec = found.groups()
        if name not in values:
            return found[0]
        value = values[name]
        try:
            text = format(value, spec or "")
        except (ValueError, TypeError):
            text = str(value)
        return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"

    return _FIELD.sub(replace, template)


def fields(template: str) -> set[str]:
    """The names that `template` asks for."""
    return {found[1] for found in _FIELD.finditer(template)}
