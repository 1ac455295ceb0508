"""Reports in the formats that people and machines read. A renderer is `render(report, options) -> str`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from pyprod_audit.findings import Report
from pyprod_audit.outputs.options import RenderOptions

__all__ = ["FORMATS", "RenderOptions", "render"]

FORMATS: Final[Mapping[str, str]] = {
    "text": "pyprod_audit.outputs.text:render",
    "json": "pyprod_audit.outputs.json:render",
    "sarif": "pyprod_audit.outputs.sarif:render",
    "github": "pyprod_audit.outputs.github:render",
    "markdown": "pyprod_audit.outputs.markdown:render",
}
"""Where the renderer of each format is; imported when it is asked for."""


def render(name: str, report: Report, options: RenderOptions) -> str:
    """The report in the format `name`, ending in a newline unless it is empty.

    Raises:
        KeyError: `name` is not in `FORMATS`.
    """
    module, function = FORMATS[name].split(":")
    rendered: str = getattr(import_module(module), function)(report, options)
    return rendered
