"""Sprig's encodings and checksums. What decodes to bytes that are no text is Unknown."""

from __future__ import annotations

import base64
import zlib
from types import ModuleType
from typing import Final

from pyprod_audit.evaluate.gotemplate.functions import Registered, takes
from pyprod_audit.evaluate.gotemplate.sprig_types import STRING
from pyprod_audit.evaluate.gotemplate.undecided import Undecided
from pyprod_audit.model import Unknown

_BASE_64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BASE_32: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_PADDING: Final = ord("=")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Undecided(Unknown(name, "its bytes are no text")) from error


@takes(STRING)
def b64enc(text: str) -> str:
    """`b64enc`."""
    return base64.b64encode(_bytes(text)).decode()


@takes(STRING)
def b64dec(text: str) -> str:
    """`b64dec`; the text of Go's error for what is not base64."""
    # Go's decoder skips line ends, but counts them in the offset that its error tells.
    kept = [(at, byte) for at, byte in enumerate(_bytes(text)) if byte not in b"\r\n"]
    fault = _base64_fault(kept, len(_bytes(text)))
    if fault is not None:
        return f"illegal base64 data at input byte {fault}"
    return _text(base64.b64decode(bytes(byte for _, byte in kept)), "b64dec")


def _base64_fault(kept: list[tuple[int, int]], size: int) -> int | None:
    """The offset at which Go's decoder gives up; None when it does not."""
    for index, (at, byte) in enumerate(kept):
        if byte in _BASE_64:
            continue
        if byte != _PADDING or index % 4 < 2:
            return at
        if index % 4 == 2:
            if index + 1 == len(kept):
                return size
            following, padding = kept[index + 1]
            if padding != _PADDING:
                return following - 1
            index += 1
        return kept[index + 1][0] if index + 1 < len(kept) else None
    return _base64_end(kept, size)


def _base64_end(kept: list[tuple[int, int]], size: int) -> int | None:
    """The offset for a text without padding that ends inside of four characters."""
    missing = len(kept) % 4
    return None if not missing else size - missing


@takes(STRING)
def b32enc(text: str) -> str:
    """`b32enc`."""
    return base64.b32encode(_bytes(text)).decode()


@takes(STRING)
def b32dec(text: str) -> str:
    """`b32dec`. Where Go has an error, the offset in its text is not worked out."""
    data = _bytes(text).replace(b"\r", b"").replace(b"\n", b"")
    digits = data.rstrip(b"=")
    padding = len(data) - len(digits)
    if not _BASE_32.issuperset(digits) or padding != {0: 0, 2: 6, 4: 4, 5: 3, 7: 1}.get(len(digits) % 8):
        raise Undecided(Unknown("b32dec", "it is no base32"))
    return _text(base64.b32decode(data), "b32dec")


def _hashes() -> ModuleType:
    import hashlib  # loads OpenSSL: only where it is used

    return hashlib


@takes(STRING)
def sha1sum(text: str) -> str:
    """`sha1sum`."""
    return str(_hashes().sha1(_bytes(text), usedforsecurity=False).hexdigest())


@takes(STRING)
def sha256sum(text: str) -> str:
    """`sha256sum`."""
    return str(_hashes().sha256(_bytes(text)).hexdigest())


@takes(STRING)
def sha512sum(text: str) -> str:
    """`sha512sum`."""
    return str(_hashes().sha512(_bytes(text)).hexdigest())


@takes(STRING)
def adler32sum(text: str) -> str:
    """`adler32sum`, in decimal digits."""
    return str(zlib.adler32(_bytes(text)))


ENCODING: Final[dict[str, Registered]] = {
    "b64enc": b64enc,
    "b64dec": b64dec,
    "b32enc": b32enc,
    "b32dec": b32dec,
    "sha1sum": sha1sum,
    "sha256sum": sha256sum,
    "sha512sum": sha512sum,
    "adler32sum": adler32sum,
}
