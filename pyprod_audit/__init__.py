"""Production-readiness audit of a repository's deployment files.

`scan(path)` returns a `Report`. Everything else is imported on first use, so that `import pyprod_audit` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyprod_audit.version import __version__

if TYPE_CHECKING:
    from pyprod_audit.findings import Finding, Report, Severity
    from pyprod_audit.pipeline import scan

__all__ = ["Finding", "Report", "Severity", "__version__", "scan"]

_HOMES = {
    "Finding": "pyprod_audit.findings",
    "Report": "pyprod_audit.findings",
    "Severity": "pyprod_audit.findings",
    "scan": "pyprod_audit.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
