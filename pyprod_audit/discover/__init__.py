"""Which files there are, what they are, and what is in them."""

from pyprod_audit.discover.classify import (
    KINDS,
    NEEDS_CONTENT,
    classify,
    helm_kinds,
    role_of,
)
from pyprod_audit.discover.limits import Limits
from pyprod_audit.discover.read import Reader, Skipped, decode, read
from pyprod_audit.discover.walk import Discovery, discover, git_root_of

__all__ = [
    "KINDS", "NEEDS_CONTENT", "Discovery", "Limits", "Reader",
    "Skipped", "classify", "decode", "discover", "git_root_of", "helm_kinds",
    "read", "role_of",
]  # fmt: skip
