"""Secrets that can be guessed: made by a predictable generator, or left at what everybody tries first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.kubernetes_secrets import Entry, entries_of
from pyprod_audit.checks.secret_names import Sort, sort_of
from pyprod_audit.checks.secret_values import Value, judge
from pyprod_audit.link.compose import is_deployed
from pyprod_audit.model import Node, Resource
from pyprod_audit.model.patterns import lazy

_PREDICTABLE: Final = frozenset({
    "random.choice", "random.choices", "random.sample", "random.randint", "random.randrange", "random.getrandbits",
    "random.randbytes", "random.random", "random.uniform", "random.shuffle",
})  # fmt: skip
_NUMBERS: Final = frozenset({"random.randint", "random.randrange", "random.getrandbits", "random.randbytes"})
_CHARACTERS: Final = lazy(
    r"string\.|ascii|letters|digits|alphabet|alnum|chars?\b|characters|[\"'][A-Za-z0-9]{8,}", re.IGNORECASE
)
_SECRETS: Final = frozenset({
    "token", "password", "passwd", "passphrase", "secret", "otp", "totp", "apikey", "nonce", "csrf", "salt", "pin",
    "passcode",
})  # fmt: skip
_PAIRS: Final = frozenset({
    ("api", "key"), ("secret", "key"), ("session", "id"), ("session", "key"), ("verification", "code"),
    ("reset", "code"), ("auth", "code"), ("activation", "key"), ("activation", "code"), ("confirmation", "code"),
    ("invite", "code"), ("access", "key"), ("one", "time"), ("backup", "code"), ("recovery", "code"),
    ("signing", "key"), ("encryption", "key"),
})  # fmt: skip
# Tokens of language models, lexers and rate limits.
_OTHER_TOKENS: Final = frozenset({
    "tokens", "tokenizer", "tokenize", "masked", "mask", "vocab", "prompt", "next", "page", "sample", "batch",
    "fake", "mock", "dummy", "test", "bucket", "pad", "num", "idx", "index", "len", "length", "count", "delay",
    "placeholder",
})  # fmt: skip
_WORDS: Final = lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_KEYS_THAT_SIGN: Final = lazy(
    r"(?:SECRET|SIGNING|ENCRYPTION|JWT|ACCESS)_?(?:KEY|SECRET)(?:_BASE)?$|(?:^|_)(?:JWT|SESSION|COOKIE|AUTH|APP)_SECRET$",
    re.IGNORECASE,
)
_URL: Final = lazy(
    r"^[a-z][a-z0-9+.-]{1,30}://(?P<user>[^\s:/@]{0,64}):(?P<password>[^\s:/@${}<>]{1,64})@(?P<host>[\w.-]{1,200})"
)


class Guessable(NamedTuple):
    """A credential at its well-known default: `who` it is for, in words, and what the password is like."""

    entry: Entry
    why: str


def guessable_secret(resource: Resource, context: Context) -> Outcomes:
    """A secret comes from a predictable generator, or was left at what everybody tries first."""
    if is_workplace(resource.path):
        yield Skip("for development or tests")
    elif resource.kind == "py.module":
        yield from _predictable_tokens(resource)
    elif resource.kind == "compose.service" and not is_deployed(resource, context.repository):
        yield Skip("nothing shows that it is deployed")
    elif resource.node.get("sops") is not None:
        yield Skip("encrypted")
    else:
        yield from _default_credentials(resource, context)


def _predictable_tokens(module: Resource) -> Iterator[Hit]:
    seen: dict[str, int] = {}
    for call in module.node.items_at("calls"):
        name = call.text_at("name") or ""
        if name != "uuid.uuid1" and name not in _PREDICTABLE:
            continue
        made = _what_is_made(call)
        if not made or (name != "uuid.uuid1" and not _makes_characters(call, name)):
            continue
        seen[made] = seen.get(made, 0) + 1
        if seen[made] > 1:
            continue
        message = (
            "{made} comes from uuid1(): the time and the network card's address, which can be guessed"
            if name == "uuid.uuid1"
            else "{made} comes from {function}(): whoever sees a few values can compute the next"
        )
        yield Hit(
            call.span.first_line,
            {"made": made, "function": name},
            address=f"{module.address}:{made}",
            message=message,
            redact=False,
        )


def _default_credentials(resource: Resource, context: Context) -> Iterator[Hit]:
    for found in _guessable(resource, context):
        entry = found.entry
        yield Hit(
            entry.node.span,
            {"variable": entry.name, "why": found.why},
            address=f"{resource.address}/{entry.name}",
            message="{variable} is {why}: it is tried first",
        )


def _guessable(resource: Resource, context: Context) -> Iterator[Guessable]:
    for entry in entries_of(resource):
        text = (entry.text or "").strip()
        if not text or "\n" in text or len(text) > 300:
            continue
        sort = sort_of(entry.name)
        if sort is Sort.PASSWORD or (sort is Sort.KEY and _KEYS_THAT_SIGN.search(entry.name)):
            if judge(text, sort, context.as_of) is Value.DEFAULT:
                yield Guessable(
                    entry, "a well-known password" if sort is Sort.PASSWORD else "a key that can be guessed"
                )
            continue
        url = _URL.match(text)
        if url is None or url["host"].startswith(("localhost", "127.")):
            continue
        password = url["password"]
        same = password.lower() == url["user"].lower() and password.isalnum() and not password.isupper()
        if same or judge(password, Sort.PASSWORD) is Value.DEFAULT:
            yield Guessable(entry, f"a URL with a well-known password for {url['host']}")


def _what_is_made(call: Node) -> str:
    """The secret's name, from what the value is assigned to or the function that makes it; empty for anything else."""
    target = call.text_at("target") or ""
    if target:
        return target if _is_secret(target) else ""
    function = (call.text_at("function") or "").rpartition(".")[2]
    return f"what {function}() returns" if _is_secret(function) else ""


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not _OTHER_TOKENS.isdisjoint(words):
        return False
    return not _SECRETS.isdisjoint(words) or any(pair in _PAIRS for pair in pairwise(words))


def _makes_characters(call: Node, name: str) -> bool:
    """Whether the call makes characters or a number, and does not pick one of some things."""
    if name in _NUMBERS:
        return True
    if name in ("random.random", "random.uniform"):
        return False
    args = call.items_at("args")
    if not args:
        return False
    written = args[0].source.text[args[0].start : min(args[0].end, args[0].start + 400)]
    return _CHARACTERS.search(written) is not None
