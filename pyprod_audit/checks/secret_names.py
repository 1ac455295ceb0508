"""Which names stand for secrets: variables, keys, arguments."""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import Final

from pyprod_audit.model.patterns import lazy


class Sort(enum.Enum):
    """What a name promises: something that a person chose, something that a machine made, or nothing secret."""

    NOTHING = ""
    PASSWORD = "password"  # noqa: S105 - a name, not a password
    KEY = "key"


_WORDS: Final = lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST: Final = 100
_PASSWORDS: Final = ("password", "passwd", "passphrase", "passwort", "contrasena")
_SHORT_PASSWORDS: Final = frozenset({
    "pwd", "pass", "passw", "pword", "pw", "dbpass", "dbpwd", "dbpw", "pgpass", "userpass", "rootpass", "adminpass",
    "smtppass", "mysqlpwd", "mailpass",
})  # fmt: skip
_KEYS: Final = ("secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "signingkey")
_KEY_OWNERS: Final = frozenset({
    "api", "access", "secret", "private", "signing", "signature", "encryption", "encrypt", "crypt", "crypto", "auth",
    "account", "storage", "master", "license", "licence", "shared", "jwt", "hmac", "aes", "fernet", "cipher", "ssh",
    "deploy", "integration", "functions", "webhook", "decryption", "ingest", "ingestion", "application", "app",
    "sas", "subscription",
})  # fmt: skip
# A word that may follow the secret's own: SECRET_KEY_BASE, DB_PASSWORD_PROD, token_value.
_TAILS: Final = frozenset({
    "value", "string", "base", "b", "prod", "production", "staging", "stage", "live", "primary", "secondary",
    "default", "current", "old", "new", "previous", "hex", "raw", "plain", "plaintext", "text", "literal", "v",
})  # fmt: skip
# With one of these in it, a name is about secrets without being one.
_ABOUT: Final = frozenset({
    "public", "pub", "csrf", "xsrf", "csrftoken", "min", "max", "num", "has", "is", "use", "uses", "allow",
    "require", "required", "requires", "enable", "disable", "show", "hide", "toggle", "check", "validate", "verify",
    "reset", "forgot", "forgotten", "change", "confirm", "confirmation", "hash", "hashed", "encrypted", "sealed",
    "existing", "next", "page", "continuation", "pagination", "cursor", "sync", "pad", "bos", "eos", "cls", "sep",
    "mask", "unk", "special", "stop", "cancel", "cancellation", "invalid", "missing", "wrong", "bad", "no", "not",
    "without", "dummy", "demo", "fake", "test", "tests", "example", "sample", "mock", "generate", "generated",
    "create", "delete", "get", "set", "find", "lookup", "parse", "split", "primary", "foreign", "sort", "partition",
    "cache", "routing", "idempotency", "error", "label", "title", "kind", "type", "random", "lexer",
})  # fmt: skip


@lru_cache(maxsize=8192)
def sort_of(name: str) -> Sort:
    """What the name of a variable, key or argument promises.

    `DB_PASSWORD`, `secretKeyBase` and `PGPASSWORD` do; `TOKEN_URL`, `password_min_length`, `csrf_token` and
    `SECRET_NAME` do not: the last word decides, and what is said *about* a secret is none.
    """
    if len(name) > _LONGEST:
        return Sort.NOTHING
    words = [word.lower() for word in _WORDS.findall(name)]
    while len(words) > 1 and words[-1] in _TAILS:
        words.pop()
    if not words or not _ABOUT.isdisjoint(words) or name.upper() in ("PWD", "OLDPWD"):
        return Sort.NOTHING
    last = words[-1]
    if last.endswith(_PASSWORDS) or last in _SHORT_PASSWORDS:
        return Sort.PASSWORD
    if last.endswith(_KEYS) or last in ("credential", "credentials", "creds"):
        return Sort.KEY
    if last == "key" and len(words) > 1 and words[-2] in _KEY_OWNERS:
        return Sort.KEY
    return Sort.NOTHING
