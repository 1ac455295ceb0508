"""Parsers, one module a format. The table is lazy: a scan imports only what its files need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TypeAlias, cast

from pyprod_audit.model import Parsed, SourceFile

Parser: TypeAlias = Callable[[SourceFile], Parsed]

PARSERS: Mapping[str, str] = {
    "dockerfile": "dockerfile:parse",
    "compose": "compose:parse",
    "shell": "shell:parse",
    "kubernetes": "kubernetes:parse",
    "kustomization": "kubernetes:parse",
    "kustomize-patch": "kustomize_patches:parse",
    "helm-chart": "helm_chart:parse",
    "helm-template": "helm_chart:parse_template",
    "helm-values": "helm_values:parse",
    "nginx": "nginx:parse",
    "terraform": "terraform:parse",
    "terraform-plan": "terraform_plan:parse",
    "requirements": "requirements:parse",
    "manifest": "manifests:parse",
    "lock": "locks:parse",
    "python-version": "python_version:parse",
    "python": "python_source:parse",
    "crontab": "crontab:parse",
}


@cache
def parser_for(kind: str) -> Parser | None:
    """The parser of files of `kind`, imported now; None when files of this kind are only read."""
    place = PARSERS.get(kind)
    if place is None:
        return None
    module, _, name = place.partition(":")
    return cast("Parser", getattr(import_module(f"pyprod_audit.parsers.{module}"), name))
