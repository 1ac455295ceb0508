"""All of Sprig's functions (v3.3.0) that Helm 3 offers, and Helm's conversions (v3.19).

Helm has neither `env` nor `expandenv`; `fail`, `required`, `include`, `tpl` and `lookup` need the engine, and are not
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered
from pyprod_audit.evaluate.gotemplate.sprig_cases import CASES
from pyprod_audit.evaluate.gotemplate.sprig_conversion import CONVERSION
from pyprod_audit.evaluate.gotemplate.sprig_cutting import CUTTING
from pyprod_audit.evaluate.gotemplate.sprig_dates import DATES
from pyprod_audit.evaluate.gotemplate.sprig_defaults import DEFAULTS
from pyprod_audit.evaluate.gotemplate.sprig_dicts import DICTS
from pyprod_audit.evaluate.gotemplate.sprig_encoding import ENCODING
from pyprod_audit.evaluate.gotemplate.sprig_lists import LISTS
from pyprod_audit.evaluate.gotemplate.sprig_math import MATH
from pyprod_audit.evaluate.gotemplate.sprig_merge import MERGE
from pyprod_audit.evaluate.gotemplate.sprig_paths import PATHS
from pyprod_audit.evaluate.gotemplate.sprig_random import RANDOM
from pyprod_audit.evaluate.gotemplate.sprig_reflection import REFLECTION
from pyprod_audit.evaluate.gotemplate.sprig_regex import REGEX
from pyprod_audit.evaluate.gotemplate.sprig_semver import SEMVER
from pyprod_audit.evaluate.gotemplate.sprig_strings import STRINGS
from pyprod_audit.evaluate.gotemplate.undecided import guarded

FUNCTIONS: Final[Mapping[str, Registered]] = {
    name: guarded(function)
    for group in (
        STRINGS, CUTTING, CASES, MATH, LISTS, DICTS, MERGE, DEFAULTS, REFLECTION, REGEX, SEMVER, DATES, ENCODING,
        PATHS, RANDOM, CONVERSION,
    )
    for name, function in group.items()
}  # fmt: skip
"""By name. They say what they take, and deal with Unknown as `functions` describes."""

LENIENT: Final[frozenset[str]] = frozenset(
    name for name, function in FUNCTIONS.items() if getattr(function, "lenient", False)
)
"""Those that may get Unknown arguments."""
