"""Private keys that are committed, or copied into images.

Only what decodes to a key counts: PEM bodies with an ellipsis, a variable or a made-up text in them do not, nor do keys
under a passphrase. Forms: RFC 7468 (PEM), RFC 5958 and RFC 8017 (DER), and OpenSSH's PROTOCOL.key.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace, names_a_workplace
from pyprod_audit.model import Node, Repository, Resource, SourceFile
from pyprod_audit.model.patterns import lazy

_BEGIN = lazy(r"-----BEGIN ((?:RSA |EC |DSA |OPENSSH )?PRIVATE KEY)-----")
_MARK = "PRIVATE KEY-----"
_ENCODED_MARK = "LS0tLS1CRUdJTi"  # "-----BEGIN" in base64
_LONGEST = 32_768
_BASE64 = lazy(r"[A-Za-z0-9+/]+={0,2}")
_NOISE = lazy(r"[\s\"'\\,|]+")
_OPENSSH = b"openssh-key-v1\0"
_MADE_UP = lazy(
    r"(?:^|[/_.-])(?:localhost|example|sample|dummy|fake|mock|snakeoil|insecure)(?=[/_.-]|$)", re.IGNORECASE
)
_KEY_FILE = lazy(
    r"id_(?:rsa|dsa|ecdsa|ed25519)|privkey[\w.-]{0,40}\.pem|(?:[\w.*-]{0,60}[_.-])?(?:private|key)\.pem"
    r"|[\w.*-]{1,60}\.(?:key|p12|pfx)"
)
_PUBLIC_FILE = lazy(r"pub|gpg|pgp|asc|keyring|signing|archive|apt|repo|trusted", re.IGNORECASE)


def committed(subject: SourceFile | Resource, context: Context) -> Outcomes:
    """No private key is in the repository or put into an image."""
    if isinstance(subject, Resource):
        yield from _copied(subject, context.repository)
        return
    text = subject.text
    if (_MARK not in text and _ENCODED_MARK not in text) or _is_for_tests(subject.path):
        yield Skip("no key")
        return
    for number, (start, end, kind) in enumerate(sorted({*_written(text), *_encoded(text)}), start=1):
        address = subject.path if number == 1 else f"{subject.path}#{number}"
        yield Hit(subject.span(start, end), {"kind": kind, "path": subject.path}, address=address)


def _is_for_tests(path: str) -> bool:
    return is_workplace(path) or any(map(names_a_workplace, path.split("/"))) or _MADE_UP.search(path) is not None


def _written(text: str) -> Iterator[tuple[int, int, str]]:
    """The keys in PEM form: start and end of the first line, and what it calls the key."""
    for found in _BEGIN.finditer(text):
        end = text.find("-----END", found.end(), found.end() + _LONGEST)
        if end >= 0 and _is_key(text[found.end() : end]):
            yield found.start(), found.end(), found[1]


def _encoded(text: str) -> Iterator[tuple[int, int, str]]:
    """The PEM keys that stand in base64 as in a Secret's `data`."""
    at = text.find(_ENCODED_MARK)
    while at >= 0:
        found = _BASE64.match(text, at, at + _LONGEST)
        end = found.end() if found else at + len(_ENCODED_MARK)
        decoded = _decode(text[at:end])
        if decoded is not None and _MARK.encode() in decoded:
            for _, _, kind in _written(decoded.decode("latin-1")):
                yield at, end, kind
                break
        at = text.find(_ENCODED_MARK, end)


def _is_key(body: str) -> bool:
    """Whether a PEM body is that of a key without passphrase."""
    joined = _NOISE.sub("", body.replace("\\r", "").replace("\\n", "\n"))
    if not _BASE64.fullmatch(joined):
        return False
    data = _decode(joined)
    if data is None:
        return False
    if data.startswith(_OPENSSH):
        return data[len(_OPENSSH) :].startswith(b"\0\0\0\4none")
    return _der_length(data) == len(data) and len(data) >= 40


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _der_length(data: bytes) -> int:
    """The length that a DER sequence states for itself; -1 when it is none."""
    if len(data) < 4 or data[0] != 0x30:
        return -1
    first = data[1]
    if first < 0x80:
        return 2 + first
    size = first & 0x7F
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big") if size <= 3 else -1


def _copied(stage: Resource, repository: Repository) -> Outcomes:
    """Files that by their name are keys and that a stage of the shipped image copies from the build's folder."""
    final = stage.node.get("final")
    if is_workplace(stage.path) or final is None or final.value is not True:
        yield Skip("its layers are not shipped")
        return
    for instruction in stage.node.items_at("instructions"):
        if instruction.text_at("name") not in ("COPY", "ADD") or instruction.get("flags.from") is not None:
            continue
        for word in instruction.items_at("words")[:-1]:
            if _names_a_key(word) and not _is_read(word.text or "", stage, repository):
                address = f"{stage.address}/{word.text}"
                message = "{path} copies the private key {name} into the image"
                values = {"path": stage.path, "name": word.text}
                yield Hit(word.span, values, address=address, message=message)


def _names_a_key(word: Node) -> bool:
    text = word.text or ""
    name = posixpath.basename(text)
    if "://" in text or _MADE_UP.search(text) or _PUBLIC_FILE.search(name):
        return False
    return _KEY_FILE.fullmatch(name) is not None


def _is_read(written: str, stage: Resource, repository: Repository) -> bool:
    """Whether the file is in the repository and was read, so that its content tells what it is."""
    tail = written.removeprefix("./").lstrip("/")
    folder = posixpath.dirname(stage.path)
    return any(candidate in repository.files for candidate in (posixpath.join(folder, tail), tail)) or any(
        path.endswith("/" + tail) for path in repository.files
    )
