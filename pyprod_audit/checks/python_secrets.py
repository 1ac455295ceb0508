"""Keys that sign sessions and tokens, written into Python source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.secret_names import Sort
from pyprod_audit.checks.secret_values import Value, judge
from pyprod_audit.model import Node, Repository, Resource

SHORTEST: Final = 32
"""Characters; RFC 7518 section 3.2 asks for 256 bits with HS256."""

_NAMES: Final = frozenset({
    "SECRET_KEY", "FLASK_SECRET_KEY", "DJANGO_SECRET_KEY", "APP_SECRET_KEY", "APP_SECRET", "JWT_SECRET_KEY",
    "JWT_SECRET", "JWT_KEY", "JWT_SIGNING_KEY", "SIGNING_KEY", "SECRET_KEY_FALLBACKS", "SESSION_SECRET",
    "SESSION_SECRET_KEY", "COOKIE_SECRET", "AUTH_SECRET", "AUTH_SECRET_KEY", "TOKEN_SECRET", "ACCESS_TOKEN_SECRET",
    "REFRESH_TOKEN_SECRET", "ENCRYPTION_KEY", "FERNET_KEY", "SECRET",
})  # fmt: skip
_ARGUMENTS: Final = frozenset({"SECRET_KEY", "JWT_SECRET_KEY", "JWT_SECRET", "COOKIE_SECRET", "SIGNING_KEY"})
_JWT_CALLS: Final = frozenset({"jwt.encode", "jwt.decode", "jose.jwt.encode", "jose.jwt.decode"})
_OVERRIDES: Final = ("from_pyfile", "from_envvar", "from_prefixed_env", "from_object", "from_file")
_UNDEPLOYED_CLASSES: Final = ("Test", "Testing", "Dev", "Development", "Local", "Debug", "CI")
_INSECURE: Final = "django-insecure-"


class Key(NamedTuple):
    """A key that is set: by which name, and to what. `may_change`: a later line can load another one."""

    name: str
    node: Node
    may_change: str = ""


def signing_key_in_source(module: Resource, context: Context) -> Outcomes:
    """A key that signs sessions or tokens is a literal."""
    if is_workplace(module.path):
        yield Skip("settings for development or tests")
        return
    keys, fallbacks = list(keys_of(module)), list(_fallbacks(module))
    yield from fallbacks
    if not keys and not fallbacks:
        yield Skip("no such key is set here")
        return
    for key in keys:
        value = key.node.text
        if not value:
            continue  # an empty key: Django and Flask refuse to work with it
        if key.may_change or _is_replaced(key.name, module, context.repository):
            because = key.may_change or "another settings module replaces it"
            yield Cannot(key.node.key or key.node.span.first_line, because)
            continue
        yield Hit(key.node.span, {"key": key.name}, address=f"{module.address}:{key.name}", message=_message(value))


def _fallbacks(module: Resource) -> Iterator[Cannot]:
    """Keys that are written down for when the environment has none; whether it has one is told where it is deployed."""
    for read in module.node.items_at("env_reads"):
        name, default = (read.text_at("name") or "").upper(), read.get("default")
        if (name in _NAMES or name.endswith(("_SECRET_KEY", "_SIGNING_KEY"))) and default is not None and default.text:
            yield Cannot(default.span.first_line, f"a literal is the key wherever {name} is not set")


def keys_of(module: Resource) -> Iterator[Key]:
    """The keys that a module sets to literals, in the order of the model."""
    node = module.node
    local = _local_import(node)
    for name, value in node.mapping_at("assignments").items():
        if name.rpartition(".")[2].upper() in _NAMES:
            for one in value.items or (value,):
                yield from _written(name, one, local)
        elif value.mapping:  # SIMPLE_JWT = {"SIGNING_KEY": "…"}
            for key, member in value.mapping.items():
                if key in _ARGUMENTS:
                    yield from _written(f"{name}[{key}]", member, local)
    for name, cls in node.mapping_at("classes").items():
        if not name.startswith(_UNDEPLOYED_CLASSES) and not name.endswith(_UNDEPLOYED_CLASSES):
            for key, value in cls.mapping_at("assignments").items():
                if key.upper() in _NAMES:
                    yield from _written(f"{name}.{key}", value, "")
    for later in node.items_at("later_assignments"):
        target, set_to = later.text_at("target") or "", later.get("value")
        if set_to is not None and later.text_at("function") and target.rpartition(".")[2].upper() in _NAMES:
            yield from _written(later.text_at("written") or target, set_to, _loads_more(module))
    yield from _arguments(module)


def python_places(repository: Repository) -> Iterator[Node]:
    """The nodes that the rule of this module judges."""
    for module in repository.of_kind("py.module"):
        for key in keys_of(module):
            yield key.node


def _arguments(module: Resource) -> Iterator[Key]:
    """Keys given to a call: `jwt.encode(claims, "…")`, `config.update(SECRET_KEY="…")`, `secret_key="…"`."""
    for call in module.node.items_at("calls"):
        name = call.text_at("name") or ""
        args = call.items_at("args")
        if name in _JWT_CALLS:
            key = call.get("kwargs.key") or (args[1] if len(args) > 1 else None)
            if key is not None:
                yield from _written(f"the key of {name}", key, "")
            continue
        for argument, value in call.mapping_at("kwargs").items():
            if argument.upper() in _ARGUMENTS:
                function = name.rpartition(".")[2]
                yield from _written(f"{argument} of {function}()", value, _loads_more(module, function))


def _written(name: str, node: Node, may_change: str) -> Iterator[Key]:
    """The key when it is a literal at its own place, not a name that stands for one."""
    if node.text is not None and node.source.text[node.start : node.start + 3].lstrip("rRbBuU")[:1] in ("'", '"', "("):
        yield Key(name, node, may_change)


def _loads_more(module: Resource, function: str = "") -> str:
    text = module.source.text
    other = next((name for name in _OVERRIDES if name != function and f".{name}(" in text), "")
    return f"{other}() may load another value" if other else ""


def _local_import(node: Node) -> str:
    """The star import of a file that is made for one host: `from .local_settings import *`."""
    for imported in node.items_at("star_imports"):
        last = (imported.text or "").rpartition(".")[2].lower()
        if any(word in last for word in ("local", "secret", "private", "override", "env", "prod")):
            return f"{imported.text} may replace it"
    return ""


def _is_replaced(name: str, module: Resource, repository: Repository) -> bool:
    """Whether a settings module that starts from this one sets the key from elsewhere, as production settings do."""

    def build(repo: Repository) -> dict[str, list[Resource]]:
        users: dict[str, list[Resource]] = {}
        for one in repo.of_kind("py.module"):
            for imported in one.node.items_at("star_imports"):
                users.setdefault((imported.text or "").rpartition(".")[2], []).append(one)
        return users

    users = repository.memo("checks.star_imports", build)
    for user in users.get(module.address.rpartition(".")[2], ()):
        if user is module or is_workplace(user.path):
            continue
        own = user.node.mapping_at("assignments").get(name)
        if own is not None and own.text is None:
            return True
    return False


def _message(value: str) -> str:
    if value.startswith(_INSECURE):
        return (
            "{key} is the one that startproject wrote (django-insecure-…): whoever reads the source can sign sessions"
        )
    if judge(value, Sort.PASSWORD) <= Value.DEFAULT:
        return (
            "{key} is a stand-in that everybody can guess, in the source: anybody can sign sessions and tokens with it"
        )
    if len(value) < SHORTEST:
        size = f"{len(value)} characters, {SHORTEST} are the least"
        return (
            "{key} is a literal, and a short one (" + size + "): whoever reads the source can sign sessions and tokens"
        )
    return "{key} is a literal: whoever reads the source can sign sessions and tokens"
