"""Regular expressions of Go (package regexp, the syntax of RE2): what Helm, Terraform and kustomize take.

`compile_pattern(text)` gives a `Regex`, whose `search`, `matches`, `found_in` and `replace` give Go's results in time
that grows with pattern and text only. `InvalidPatternError`: Go refuses the pattern. `Unsupported`: Go has a result,
which is not known here. Work is told to a callable (`Charge`) that may raise; `Steps` is one with a fixed limit.
"""

from __future__ import annotations

from pyprod_audit.evaluate.re2.failures import InvalidPatternError, Unsupported
from pyprod_audit.evaluate.re2.matcher import Captures, Charge, Regex, Steps, compile_pattern
from pyprod_audit.evaluate.re2.replacement import quoted

__all__ = ["Captures", "Charge", "InvalidPatternError", "Regex", "Steps", "Unsupported", "compile_pattern", "quoted"]
