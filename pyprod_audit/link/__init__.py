"""Joins what belongs together across technologies: images, workloads, processes, entries, and their facts."""

from pyprod_audit.link.services import build

__all__ = ["build"]
