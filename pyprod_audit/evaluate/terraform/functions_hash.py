"""Terraform's hash functions."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Final

from pyprod_audit.evaluate.terraform.functions import Call, Function, function
from pyprod_audit.evaluate.terraform.functions_file import bytes_of
from pyprod_audit.evaluate.terraform.values import Invalid, Value

_NAMESPACES: Final = {
    "dns": uuid.NAMESPACE_DNS, "url": uuid.NAMESPACE_URL, "oid": uuid.NAMESPACE_OID, "x500": uuid.NAMESPACE_X500,
}  # fmt: skip


def _digest(name: str, data: bytes, *, as_base64: bool) -> str:
    made = hashlib.new(name, data, usedforsecurity=False).digest()
    return base64.b64encode(made).decode() if as_base64 else made.hex()


def _of_text(name: str, *, as_base64: bool = False) -> Callable[[Call, str], Value]:
    return lambda _call, text: _digest(name, text.encode("utf-8", "surrogatepass"), as_base64=as_base64)


def _of_file(name: str, *, as_base64: bool = False) -> Callable[[Call, str], Value]:
    return lambda call, path: _digest(name, bytes_of(call, path), as_base64=as_base64)


def _uuidv5(_call: Call, namespace: str, name: str) -> Value:
    space = _NAMESPACES.get(namespace)
    if space is None:
        try:
            space = uuid.UUID(namespace)
        except ValueError:
            raise Invalid("it is no namespace") from None
    return str(uuid.uuid5(space, name))


FUNCTIONS: Final[Mapping[str, Function]] = {
    "base64sha256": function(_of_text("sha256", as_base64=True), "text"),
    "base64sha512": function(_of_text("sha512", as_base64=True), "text"),
    "filebase64sha256": function(_of_file("sha256", as_base64=True), "text"),
    "filebase64sha512": function(_of_file("sha512", as_base64=True), "text"),
    "filemd5": function(_of_file("md5"), "text"),
    "filesha1": function(_of_file("sha1"), "text"),
    "filesha256": function(_of_file("sha256"), "text"),
    "filesha512": function(_of_file("sha512"), "text"),
    "md5": function(_of_text("md5"), "text"),
    "sha1": function(_of_text("sha1"), "text"),
    "sha256": function(_of_text("sha256"), "text"),
    "sha512": function(_of_text("sha512"), "text"),
    "uuidv5": function(_uuidv5, "text text"),
}
