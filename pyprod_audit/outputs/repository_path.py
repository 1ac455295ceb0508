"""Paths as GitHub wants them: from the root of the repository, not of the scanned folder."""

from __future__ import annotations


def from_repository(prefix: str, path: str) -> str:
    """`path` of the scan, from the repository's root. `prefix` leads there: "" or "services/web"."""
    folder = prefix.strip("/")
    return f"{folder}/{path}" if folder else path


def uri(prefix: str, path: str) -> str:
    """The relative reference (RFC 3986) of a file: percent-encoded bytes, so any file name has one."""
    from urllib.parse import quote  # not at start-up

    name = from_repository(prefix, path)
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a Windows name with half a surrogate pair
        raw = name.encode("utf-8", "surrogatepass")
    return quote(raw, safe="/~")
