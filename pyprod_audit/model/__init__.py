"""The common model: what parsers produce and rules read."""

from pyprod_audit.model.image import Copy, ImageFiles
from pyprod_audit.model.node import MISSING, Derived, Missing, Node, OpenMapping, Scalar, Unknown
from pyprod_audit.model.repository import Repository
from pyprod_audit.model.resource import Parsed, Problem, Resource
from pyprod_audit.model.service import AppReference, Evidence, Fact, Process, Service
from pyprod_audit.model.source import SourceFile, Span, Via
from pyprod_audit.model.tree import Deployment, Tree

__all__ = [
    "MISSING", "AppReference", "Copy", "Deployment", "Derived", "Evidence", "Fact", "ImageFiles", "Missing", "Node",
    "OpenMapping", "Parsed", "Problem", "Process", "Repository", "Resource", "Scalar", "Service", "SourceFile", "Span",
    "Tree", "Unknown", "Via",
]  # fmt: skip
