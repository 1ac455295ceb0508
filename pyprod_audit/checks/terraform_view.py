"""Looks from one Terraform resource to others of its module, of what that calls and of what calls it."""

from __future__ import annotations

from pyprod_audit.evaluate.terraform.references import mentioned, referred, referring, refers, same_root, without_keys

__all__ = ["mentioned", "referred", "referring", "refers", "same_root", "without_keys"]
