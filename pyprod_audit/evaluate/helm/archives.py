"""Packed charts (`charts/*.tgz`), read in memory with caps on everything that an archive can be too much of."""

from __future__ import annotations

import io
import posixpath
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tarfile import TarFile

_MIB = 1024 * 1024
_MAX_UNPACKED = 32 * _MIB
_MAX_MEMBER = 5 * _MIB
_MAX_MEMBERS = 5_000
_MAX_NAME = 512
_GZIP = 31  # a window of 32 KiB behind the header of gzip: https://docs.python.org/3/library/zlib.html


def unpack(data: bytes) -> dict[str, bytes]:
    """The regular files of a packed chart by their path inside the chart; empty when it cannot be unpacked."""
    import tarfile  # few repositories have packed charts

    try:
        unzipped = zlib.decompressobj(_GZIP).decompress(data, _MAX_UNPACKED)
        with tarfile.open(fileobj=io.BytesIO(unzipped), mode="r:") as archive:
            return dict(_members(archive))
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError):
        return {}


def _members(archive: TarFile) -> Iterator[tuple[str, bytes]]:
    for count, member in enumerate(archive):
        if count >= _MAX_MEMBERS:
            return
        # A sparse member claims zeros without end; links and devices are never followed.
        if not member.isreg() or member.issparse() or member.size > _MAX_MEMBER or len(member.name) > _MAX_NAME:
            continue
        # Everything stands in one folder, named after the chart.
        name = posixpath.normpath(member.name).partition("/")[2]
        if not name or member.name.startswith("/") or ".." in member.name.split("/"):
            continue
        content = archive.extractfile(member)
        if content is not None:
            yield name, content.read()
