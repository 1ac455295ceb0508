"""What the value under a secret's name is: a real secret, a well-known default, a placeholder or a reference."""

from __future__ import annotations

import base64
import binascii
import enum
import json
import math
import re
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Final

from pyprod_audit.checks.secret_names import Sort
from pyprod_audit.model.patterns import lazy


class Value(enum.IntEnum):
    """How much a literal looks like the secret that its name promises."""

    NOTHING = 0
    """A placeholder, a template, or the name of something that lies elsewhere."""
    DEFAULT = 1
    """What everybody tries first: `postgres`, `admin123`, `supersecret`."""
    PLAIN = 2
    """A word that somebody chose; tells nothing where the name could mean something else."""
    STRONG = 3
    """Random characters, or a password of several kinds of them."""


LONGEST: Final = 4096
"""Longer values are certificates, images and documents."""

# Words of which somebody makes a stand-in: all of a value's words are among them in `my-secret-key`, `db_password`.
_STAND_INS: Final = (
    "password", "passw0rd", "p@ssw0rd", "passwd", "passphrase", "pass", "pwd", "secret", "s3cr3t", "token", "apikey",
    "access", "private", "administrator", "admin", "username", "user", "root", "postgresql", "postgres", "database",
    "mariadb", "mysql", "mongodb", "mongo", "rabbitmq", "redis", "minioadmin", "minio", "elastic", "grafana",
    "keycloak", "airflow", "django", "flask", "fastapi", "celery", "default", "simple", "super", "very", "strong",
    "safe", "long", "guest", "master", "main", "service", "server", "client", "webapp", "web", "app", "auth", "jwt",
    "api", "key", "demo", "docker", "ubuntu", "vagrant", "oracle", "letmein", "qwerty", "welcome", "hello", "world",
    "foobar", "foo", "bar", "baz", "the", "new", "my", "db", "sa", "or", "is", "this", "and", "for", "of", "to", "a",
    "1q2w3e4r", "1q2w3e", "abc", "toor",
)  # fmt: skip
_STAND_IN: Final = lazy(
    r"(?:"
    + "|".join(re.escape(word) for word in sorted(_STAND_INS, key=len, reverse=True))
    + r"|[0-9]{1,6}|[-_ .!@#$])++"
)
_EXACT_DEFAULTS: Final = frozenset({
    "changeme", "changeit", "test", "test123", "testing", "testpassword", "testpass", "123456", "12345678",
    "123456789", "1234567890", "12345", "1234", "123", "0000", "iloveyou", "monkey", "dragon", "trustno1", "cisco",
    "raspberry", "alpine",
})  # fmt: skip
_PLACEHOLDER: Final = lazy(
    r"change|chang3|replace|placeholder|example|sample|dummy|fake|fixme|todo|insert|your|enter|fill|redact|removed|hidden|mask"
    r"|notset|not[-_ ]?set|unset|unused|undefined|not[-_ ]?real|not[-_ ]?secret|notsecret|do[-_ ]?not|donot|insecure"
    r"|unsafe|set[-_ ]?me"
    r"|testing|test|mock|lorem|xxx|\*\*\*|\.\.\.|___|---|ignore|local|develop|secret[-_ ]?here|goes[-_ ]?here|put[-_ ]"
    r"|generate"
    r"|template|build[-_ ]?time|collectstatic|ci[-_ ]only|foobar|deadbeef|cafebabe|123456789|abcdefgh|asdf|qwerty"
)
_TEMPLATE: Final = lazy(
    r"\$\{|\$\(|\{\{|\}\}|\{%|<%|%\(|%\{|%s|%[A-Z_]+%|^<[^<>]*>$|^\$[A-Za-z_]|^\{[\w .]*\}$"
    r"|^\[[\w .-]*\]$|^@[\w.]+@$|^__\w+__$|^%\w+%?$|^#\{"
)
_REFERENCE: Final = lazy(
    r"^(?:ENC\[|vault:|ref\+|ssm:|arn:|sm://|gs://|s3://|op://|secretsmanager|awssm|gcpsm|akv|keyvault|projects/[^/]+/secrets"
    r"|resolve:|file:|env:|env\.|var\.|local\.|module\.|data\.|secrets\.|os\.|process\.|self\.|settings\.|config\.|app\.|request\."
    r"|!|&|\*|@Microsoft\.KeyVault|\{\"?\$?ref|<path:|\$ANSIBLE_VAULT|AQICAH|cipher:|encrypted:)"
)
_HASH: Final = lazy(
    r"^(?:\$(?:2[aby]|argon2\w*|6|5|1|apr1|y|scrypt|pbkdf2\S*)\$|pbkdf2_|argon2|bcrypt|scrypt:|pbkdf2:|SCRAM-|\{SSHA|\{SHA"
    r"|md5:|md5[a-f0-9]{32}$|sha(?:1|256|384|512)[:-])"
)
_PUBLIC: Final = lazy(
    r"^(?:ssh-|ecdsa-|sk-ssh|-----BEGIN (?:CERTIFICATE|PUBLIC|RSA PUBLIC|PGP PUBLIC)|pk_|sk_test_|rk_test_|age1|data:)"
)
_PATH: Final = lazy(
    r"^(?:[A-Za-z]:\\|~|\.{0,2}/)[\w./~-]*$|^[\w.-]+/[\w./-]+/[\w./-]*\.\w{2,5}$|^[\w./-]+\.(?:pem|key|crt|json|ya?ml|txt|env|py|ini|toml|cfg|conf|jks|p12|asc|gpg|pub)$",
    re.IGNORECASE,
)
_URL: Final = lazy(r"^[a-z][a-z0-9+.-]{0,20}://", re.IGNORECASE)
_UUID: Final = lazy(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)
_CALL: Final = lazy(r"^[\w.]+\(.*\)$")
_CONSTANT: Final = lazy(r"^[A-Z][A-Z_]+$|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")
# The samples of RFC 6749 and RFC 6750, which every OAuth library repeats.
_DOCUMENTED: Final = frozenset({
    "2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", "czZCaGRSa3F0MzpnWDFmQmF0M2JW",
    "czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", "mF_9.B5f-4.1JqM", "SplxlOBeZQQYbYS6WxSbIA",
    "7Fjfp0ZBr1KtDRbnfVdmIw", "gX1fBat3bV",
})  # fmt: skip
_CAMEL: Final = lazy(r"[a-z][A-Z][a-z]")
_DOTTED: Final = lazy(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){1,6}(?:\(.*\))?$")
_JWT: Final = lazy(r"^eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]{16,}$")
_SEGMENT: Final = lazy(r"[A-Za-z0-9]+")
_WORD_LIKE: Final = lazy(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,4}|[a-zA-Z][0-9]{1,2}|[A-Z]?[a-z]{2,}[0-9]{1,4}")
_HUMPS: Final = lazy(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,5}(?![a-z]))++[0-9]{0,4}")
_SWITCHES: Final = frozenset({
    "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "enabled", "disabled", "required", "optional",
    "auto", "always", "never", "hidden", "masked", "empty", "static", "dynamic", "include", "same-origin", "omit",
    "bearer", "basic", "string", "text", "str", "int", "bool", "bytes", "object", "any", "undefined", "default",
    "opaque", "header", "cookie", "query", "redis", "vault", "kubernetes", "file", "env", "n/a", "na", "tbd", "read",
    "write", "admin:read",
})  # fmt: skip


def judge(value: str, sort: Sort, day: date | None = None) -> Value:
    """How much `value` looks like the secret that a name of this `sort` promises; `day`: for tokens that expire."""
    text = value.strip().strip("\"'")
    if len(text) < 3 or len(text) > LONGEST:
        return Value.NOTHING
    lowered = text.lower()
    if (sort is Sort.PASSWORD or len(text) >= 6) and _is_default(text):
        return Value.DEFAULT
    if _JWT.match(text):
        return Value.STRONG if _is_live_jwt(text, day) else Value.NOTHING
    if is_stand_in(text) or text in _DOCUMENTED or lowered in _SWITCHES or is_reference(text, sort):
        return Value.NOTHING
    if _PLACEHOLDER.search(lowered):
        return Value.NOTHING
    if text.isdigit() and (sort is Sort.KEY or len(text) > 20):
        return Value.NOTHING
    if _is_chosen_well(text, sort):
        return Value.STRONG
    return Value.PLAIN


def _is_default(text: str) -> bool:
    lowered = text.lower()
    if _CONSTANT.match(text) or _CAMEL.search(text):
        return False  # the name of a variable or field
    return lowered in _EXACT_DEFAULTS or (len(text) <= 40 and _STAND_IN.fullmatch(lowered) is not None)


def is_stand_in(text: str) -> bool:
    """Whether a template or a person is to fill it in: `${X}`, `<password>`, `xxxxxxxx`, `abcdefgh`, `EXAMPLE`."""
    if _TEMPLATE.search(text) or "…" in text or not text.isascii():
        return True
    lowered = text.lower()
    characters = [c for c in lowered if c.isalnum()]
    if len(set(characters)) < min(4, len(text) - 1):
        return True
    return "example" in lowered or _ascends(lowered)


def is_reference(text: str, sort: Sort) -> bool:
    """Whether it names something instead of being it: a path, an ARN, a variable, a hash, a public key, prose."""
    if " " in text or "\n" in text or "\t" in text:
        return True
    if _REFERENCE.match(text) or _HASH.match(text) or _PUBLIC.match(text) or _URL.match(text):
        return True
    if _PATH.match(text) and not (sort is Sort.KEY and len(text) >= 40):
        return True
    if (
        _CONSTANT.match(text)
        or (_DOTTED.match(text) and not is_random(text))
        or _CALL.match(text)
        or (_UUID.match(text) and sort is not Sort.PASSWORD)
    ):
        return True
    return sort is Sort.KEY and _names_a_thing(text)


def is_random(text: str, least: int = 16) -> bool:
    """Whether it looks like a machine made it: long, letters and digits mixed, no words."""
    if len(text) < least or entropy(text) < 3.0:
        return False
    covered = 0
    for segment in _SEGMENT.findall(text):
        if len(segment) <= 3 or _WORD_LIKE.fullmatch(segment) or _HUMPS.fullmatch(segment):
            continue
        mixed = any(c.isdigit() for c in segment) and any(c.isalpha() for c in segment)
        # Base64 may have no digit in it; then it takes more changes to tell it from words.
        if _switches(segment) >= len(segment) * (0.15 if mixed else 0.35) and (mixed or len(segment) >= 10):
            covered += len(segment)
    return covered >= len(text) * 0.4


def entropy(text: str) -> float:
    """Shannon's entropy in bits a character."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) if size else 0.0


def decoded(text: str) -> str | None:
    """What base64 hides, when that is text; None otherwise."""
    compact = "".join(text.split())
    try:
        data = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
        return data.decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _is_chosen_well(text: str, sort: Sort) -> bool:
    if sort is Sort.KEY:
        return is_random(text)
    kinds = sum((any(c.islower() for c in text), any(c.isupper() for c in text), any(c.isdigit() for c in text),
                 any(not c.isalnum() for c in text)))  # fmt: skip
    if _names_a_thing(text):
        return False
    return (len(text) >= 8 and kinds >= 3) or is_random(text, 10)


def _names_a_thing(text: str) -> bool:
    """`api-token`, `userToken`, `auth.token`: words and separators only, as resources, fields and routes are called."""
    segments = _SEGMENT.findall(text)
    if not all(_WORD_LIKE.fullmatch(s) or (s.isalpha() and _HUMPS.fullmatch(s)) for s in segments):
        return False
    return not set(text) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:")


def _switches(text: str) -> int:
    """How often the kind of character changes between lower case, upper case and digit."""
    kinds = [(c.islower(), c.isupper(), c.isdigit()) for c in text]
    return sum(a != b for a, b in pairwise(kinds))


def _ascends(text: str) -> bool:
    """Whether most of it counts up or repeats: `123456789`, `abcdef0123456789`, `AKIA1111…`."""
    runs = sum(ord(b) - ord(a) in (0, 1) for a, b in pairwise(text))
    return len(text) >= 8 and runs >= (len(text) - 1) * 0.6


def _is_live_jwt(text: str, day: date | None) -> bool:
    """Whether a JSON web token may still open something: no sample, not for the public, not expired on `day`."""
    head, body = (_json_of(part) for part in text.split(".")[:2])
    if head is None or "alg" not in head or body is None or str(head["alg"]).lower() == "none":
        return False
    if body.get("role") == "anon" or str(body.get("sub", "")).startswith("1234567890"):
        return False
    expires = body.get("exp")
    if day is not None and isinstance(expires, (int, float)) and not isinstance(expires, bool):
        return expires >= datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return True


def _json_of(part: str) -> dict[str, object] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
