"""Secrets in plain text: tokens of providers, literals under the names of secrets, passwords in URLs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Final

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.backup_scripts import password_places
from pyprod_audit.checks.docker_view import is_workplace, names_a_workplace
from pyprod_audit.checks.kubernetes_secrets import kubernetes_places
from pyprod_audit.checks.python_secrets import python_places
from pyprod_audit.checks.secret_text import Secret, Syntax, known_formats_in, secrets_in
from pyprod_audit.checks.terraform_secrets import terraform_places
from pyprod_audit.model import Node, Repository, SourceFile
from pyprod_audit.model.patterns import lazy

MOST: Final = 50
"""Findings of one file; a dump of credentials is told often enough by then."""

# Key material has a rule of its own, and what a Dockerfile holds is told as such. A plan repeats what Terraform was
# given: what the configuration writes is told there, and a value from elsewhere is not in the repository.
_OTHER_RULES: Final = frozenset({"dockerfile", "dockerignore", "lock", "python-version", "terraform-plan"})
_KEY_FILES: Final = (".pem", ".key", ".crt", ".cer", ".p8", ".pub", ".asc", ".gpg")
_SKIPPED_FILES: Final = lazy(
    r"google-services\.json|\.secrets\.baseline|package\.json|composer\.json|tsconfig[\w.-]*\.json|[\w.-]*schema[\w.-]*\.json"
    r"|openapi[\w.-]*|swagger[\w.-]*|[\w.-]*\.min\.\w+|\.?htpasswd|[\w.-]*\.sops\.\w+|[\w.-]*\.enc\.\w+"
)
_SKIPPED_FOLDERS: Final = frozenset({
    "locale", "locales", "i18n", "translations", "lang", "cassettes", "snapshots", "__snapshots__", "node_modules",
    "dist", "static", "staticfiles", "public", "migrations", "dashboards",
})  # fmt: skip
_SAMPLES: Final = frozenset({
    "example", "examples", "sample", "samples", "template", "templates", "tmpl", "dist", "default", "defaults",
    "mock", "mocks", "fixture", "fixtures", "demo", "stub", "stubs", "dummy", "spec", "seed", "seeds", "tutorial",
    "playground",
})  # fmt: skip
_PARTS: Final = lazy(r"[^a-z0-9]+")
_SYNTAXES: Final = {
    "python": Syntax.PYTHON,
    "shell": Syntax.SHELL,
    "yaml": Syntax.YAML,
    "compose": Syntax.YAML,
    "kubernetes": Syntax.YAML,
    "kustomization": Syntax.YAML,
    "kustomize-patch": Syntax.YAML,
    "helm-values": Syntax.YAML,
    "terraform": Syntax.HCL,
    "requirements": Syntax.LINES,
}
_QUOTED_SUFFIXES: Final = (".json", ".toml")
_COMPOSE: Final = lazy(r"(?:^|/)(?:docker-)?compose[\w.-]*\.ya?ml$")
_FOR_DEVELOPERS: Final = lazy(
    r"^[ \t]+(?:(?:context|dockerfile):[ \t]*[\"']?(?:\./)?(?:dev|develop|development|local)/"
    r"|target:[ \t]*[\"']?(?:dev|develop|development|local)[\"']?[ \t]*$)",
    re.MULTILINE,
)
_NETRC: Final = frozenset({".netrc", "_netrc"})


def is_sample(path: str) -> bool:
    """Whether a file is there to be copied, or serves developers and tests: what it holds opens nothing."""
    folder, _, name = path.lower().rpartition("/")
    return _is_sample_folder(folder) or not _SAMPLES.isdisjoint(_PARTS.split(name)) or names_a_workplace(name)


@lru_cache(maxsize=4096)
def _is_sample_folder(folder: str) -> bool:
    return is_workplace(f"{folder}/") or not _SAMPLES.isdisjoint(_PARTS.split(folder))


@lru_cache(maxsize=4096)
def _is_skipped_folder(folder: str) -> bool:
    return not _SKIPPED_FOLDERS.isdisjoint(folder.split("/"))


def literal_secret(file: SourceFile, context: Context) -> Outcomes:
    """A secret stands in plain text in a file that the other rules about secrets do not judge."""
    path = file.path
    folder, _, name = path.lower().rpartition("/")
    if file.kind in _OTHER_RULES or name.endswith(_KEY_FILES):
        yield Skip("another rule judges such files")
        return
    if _is_skipped_folder(folder) or _SKIPPED_FILES.fullmatch(name):
        yield Skip("not configuration of this service")
        return
    found = _secrets_of(file, context)
    if not found:
        return
    owned = owned_places(context.repository).get(path, ())
    seen: dict[str, int] = {}
    hits = 0
    for secret in found:
        if hits >= MOST or _is_within(secret, owned):
            continue
        hits += 1
        slug = secret.name or secret.what.partition(" ")[2].replace(" ", "-")
        seen[slug] = seen.get(slug, 0) + 1
        address = f"{path}/{slug}" if seen[slug] == 1 else f"{path}/{slug}#{seen[slug]}"
        yield Hit(
            file.span(secret.start, secret.end), {"what": secret.what}, address=address, message=message_of(secret)
        )


def message_of(secret: Secret) -> str:
    """What a finding says about `secret`, which must not show it."""
    if secret.host:
        user = f" of {secret.who}" if secret.who else ""
        return f"a URL holds the password{user} for {secret.host} in plain text".replace("{", "(").replace("}", ")")
    if secret.what == "a password":
        return f"{secret.name} is a password in plain text"
    if secret.what == "a key or token":
        return f"{secret.name} is set to what looks like a real secret, in plain text"
    under = f" ({secret.name})" if secret.name else ""
    return f"{secret.what}{under} stands in plain text"


def syntax_of(file: SourceFile) -> Syntax:
    """How values are written in a file."""
    known = _SYNTAXES.get(file.kind)
    if known is not None:
        return known
    name = file.path.rpartition("/")[2].lower()
    if name in _NETRC:
        return Syntax.NETRC
    return Syntax.QUOTED if name.endswith(_QUOTED_SUFFIXES) else Syntax.LINES


def owned_places(repository: Repository) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """The ranges, by path, that the structured rules about secrets judge: disjoint and in order."""

    def build(repo: Repository) -> dict[str, tuple[tuple[int, int], ...]]:
        places: dict[str, list[tuple[int, int]]] = {}
        for node in _owned_nodes(repo):
            places.setdefault(node.source.path, []).append((node.start, node.end))
        return {path: _merged(ranges) for path, ranges in places.items()}

    return repository.memo("checks.secret_places", build)


def _owned_nodes(repository: Repository) -> Iterator[Node]:
    yield from kubernetes_places(repository)
    yield from terraform_places(repository)
    yield from python_places(repository)
    yield from password_places(repository)
    for values in repository.of_kind("helm.values"):
        yield values.node


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _is_within(secret: Secret, owned: tuple[tuple[int, int], ...]) -> bool:
    at = bisect_right(owned, secret.start, key=itemgetter(0)) - 1
    return at >= 0 and secret.start < owned[at][1]


def _composes_development(file: SourceFile) -> bool:
    """Whether a Compose file takes what it builds from a folder or a stage for developers (`context: ./dev/db`)."""
    return _COMPOSE.search(file.path) is not None and _FOR_DEVELOPERS.search(file.text) is not None


def _secrets_of(file: SourceFile, context: Context) -> list[Secret]:
    if is_sample(file.path) or file.kind == "nginx" or _composes_development(file):
        return known_formats_in(file.text)
    return secrets_in(file.text, syntax_of(file), day=context.as_of)
