"""Secrets in Kubernetes manifests: real ones in a committed Secret, and any in a ConfigMap or a variable's value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.secret_names import Sort, sort_of
from pyprod_audit.checks.secret_text import Secret, Syntax, known_formats_in, secrets_in
from pyprod_audit.checks.secret_values import Value, decoded, judge
from pyprod_audit.model import Node, Repository, Resource

_PUBLIC_KEYS: Final = (".crt", ".cer", ".pub", "known_hosts", "ca.pem", "ca-cert.pem", "cert.pem", "fullchain.pem")
_DOCKER_KEYS: Final = frozenset({".dockerconfigjson", ".dockercfg"})
_HELM_RELEASE: Final = "helm.sh/release.v1"
_MOST_RELATED: Final = 8
_MOST_NAMED: Final = 4
_CODE_SUFFIXES: Final = {".json": Syntax.QUOTED, ".toml": Syntax.QUOTED, ".py": Syntax.PYTHON, ".sh": Syntax.SHELL}
_YAML_SUFFIXES: Final = (".yaml", ".yml")


class Entry(NamedTuple):
    """One value that a manifest gives to a name. `text` is decoded; None: bytes that are no text."""

    name: str
    node: Node
    text: str | None


def secret_committed(resource: Resource, context: Context) -> Outcomes:
    """A Secret, or a Kustomize generator of one, holds real values."""
    if resource.node.get("sops") is not None or resource.node.text_at("type") == _HELM_RELEASE:
        yield Skip("encrypted, or written by a tool")
        return
    entries = [entry for entry in entries_of(resource) if not _is_told_elsewhere(entry)]
    if not entries:
        yield Skip("no value is written here")
        return
    least = Value.STRONG if is_workplace(resource.path) else Value.PLAIN
    real = [entry for entry in entries if _is_real(entry, least, context)]
    if not real:
        return
    names = ", ".join(entry.name for entry in real[:_MOST_NAMED])
    more = f" and {len(real) - _MOST_NAMED} more" if len(real) > _MOST_NAMED else ""
    related = tuple((entry.node.span, entry.name) for entry in real[1 : 1 + _MOST_RELATED])
    yield Hit(real[0].node.span, {"names": names + more}, related=related)


def secret_beside_configuration(resource: Resource, context: Context) -> Outcomes:
    """A ConfigMap or a variable of a container holds a secret."""
    if resource.kind == "k8s.configmap":
        yield from _config_map(resource, context)
        return
    least = Value.STRONG if is_workplace(resource.path) else Value.PLAIN
    for entry in entries_of(resource):
        what = _what(entry, least, context) if not _is_told_elsewhere(entry) else ""
        if what:
            yield Hit(
                entry.node.span,
                {"what": what, "variable": entry.name},
                address=f"{resource.address}/env[{entry.name}]",
                message="{variable} holds {what} in the manifest: whoever may read the pod or the repository has it",
            )


def entries_of(resource: Resource) -> Iterator[Entry]:
    """The names and values that a Secret, ConfigMap, container, Compose service or Kustomize generator writes down.

    Values that a tool fills in, and those that come from elsewhere (`valueFrom`), are left out. What Kustomize
    generates is told at the generator, as far as it is written there.
    """
    if resource.kind == "k8s.secret" and _is_generated(resource):
        return
    if resource.kind == "k8s.secret":
        for key, node in resource.node.mapping_at("data").items():
            if node.text:
                yield Entry(key, node, decoded(node.text) if _is_base64(node.text) else None)
        yield from _plain(resource.node.mapping_at("stringData"))
    elif resource.kind == "k8s.configmap":
        data = resource.node.mapping_at("data")
        own = {key: node for key, node in data.items() if node.source is resource.source}
        yield from _plain(own if _is_generated(resource) else data)
    elif resource.kind == "kustomize.kustomization":
        for literal in _literals(resource, "secretGenerator"):
            key, _, text = (literal.text or "").partition("=")
            yield Entry(key, literal, text.strip("\"'"))
    elif resource.kind == "compose.service":
        for key, node in resource.node.mapping_at("environment").items():
            # What comes from environment files or variables stands there, and may be set to something else.
            if node.text and node.source.kind == "compose" and not node.via and "$" not in node.span.text:
                yield Entry(key, node, node.text)
    else:
        for variable in resource.node.items_at("env"):
            name, value = variable.text_at("name"), variable.get("value")
            if name and value is not None and value.scalar is not None:
                yield Entry(name, value, str(value.scalar))


def kubernetes_places(repository: Repository) -> Iterator[Node]:
    """The nodes that the rules of this module judge."""
    for resource in repository.of_kind("k8s.secret", "k8s.configmap"):
        if _is_generated(resource):
            yield from (entry.node for entry in entries_of(resource))
            continue
        for key in ("data", "stringData", "binaryData"):
            node = resource.node.get(key)
            if node is not None:
                yield node
                yield from (one for one in node.mapping.values() if one.source is not node.source)
    for sealed in repository.of_kind("k8s.sealedsecret"):  # its values are encrypted, whatever they look like
        yield sealed.node
    for container in repository.of_kind("k8s.container", "k8s.initcontainer"):
        node = container.node.get("env")
        if node is not None:
            yield node
            yield from (one for one in node.walk() if one.source is not node.source)
    for kustomization in repository.of_kind("kustomize.kustomization"):
        yield from _literals(kustomization, "secretGenerator")


def _is_generated(resource: Resource) -> bool:
    """Whether a ConfigMap or Secret is made by a generator of a kustomization, where it stands."""
    return resource.source.kind == "kustomization"


def _plain(members: Mapping[str, Node]) -> Iterator[Entry]:
    for key, node in members.items():
        if node.scalar is not None:
            yield Entry(key, node, str(node.scalar))


def _literals(kustomization: Resource, generator: str) -> Iterator[Node]:
    for one in kustomization.node.items_at(generator):
        for literal in one.items_at("literals"):
            if literal.text and "=" in literal.text:
                yield literal


def _is_base64(text: str) -> bool:
    return not any(mark in text for mark in ("<", "$", "{", "*", "."))


def _is_told_elsewhere(entry: Entry) -> bool:
    """Whether the value came from the values file of a chart, which another rule judges."""
    return any(via.span.file.kind == "helm-values" for via in entry.node.via)


def _is_real(entry: Entry, least: Value, context: Context) -> bool:
    """Whether an entry of a Secret is something that must not be known."""
    if entry.name.lower().endswith(_PUBLIC_KEYS):
        return False
    if entry.text is None:
        written = entry.node.text or ""
        return _is_base64(written) and len(written) >= 24 and judge(written, Sort.KEY) is Value.STRONG
    if "PRIVATE KEY-----" in entry.text:
        return False  # private keys have a rule of their own, which reads Secrets too
    if entry.name in _DOCKER_KEYS:
        return _has_registry_password(entry.text)
    if _what(entry, least, context):
        return True
    # In a Secret, what looks random is the secret, whatever its key is called.
    text = entry.text.strip()
    return sort_of(entry.name) is Sort.NOTHING and judge(text, Sort.KEY, context.as_of) is Value.STRONG


def _what(entry: Entry, least: Value, context: Context) -> str:
    """What kind of secret a value is, with an article; empty when it is none."""
    text = (entry.text or "").strip()
    if not text:
        return ""
    sort = sort_of(entry.name)
    if sort is not Sort.NOTHING and "\n" not in text:
        if judge(text, sort, context.as_of) >= least:
            return f"a {sort.value}" if sort is Sort.PASSWORD else "a key or token"
    found = known_formats_in(text) if "\n" not in text else secrets_in(text, Syntax.LINES, day=context.as_of)
    if not found:
        return ""
    return f"the password in the URL of {found[0].host}" if found[0].host else found[0].what


def _has_registry_password(text: str) -> bool:
    """Whether the configuration of a Docker client logs in somewhere."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return False
    registries = parsed.get("auths", parsed) if isinstance(parsed, dict) else {}
    for registry in registries.values() if isinstance(registries, dict) else ():
        if not isinstance(registry, dict):
            continue
        pair = decoded(str(registry.get("auth", ""))) or ""
        for password in (str(registry.get("password", "")), pair.partition(":")[2]):
            if judge(password, Sort.PASSWORD) >= Value.PLAIN:
                return True
    return False


def _config_map(resource: Resource, context: Context) -> Outcomes:
    least = Value.STRONG if is_workplace(resource.path) else Value.PLAIN
    for entry in entries_of(resource):
        address = f"{resource.address}/data[{entry.name}]"
        if "\n" not in (entry.text or ""):
            what = _what(entry, least, context) if not _is_told_elsewhere(entry) else ""
            if what:
                yield Hit(entry.node.span, {"what": what, "key": entry.name}, address=address)
            continue
        seen: dict[str, int] = {}
        for secret in _in_file(entry, strict=least is Value.STRONG, context=context):
            slug = secret.name or secret.what
            seen[slug] = seen.get(slug, 0) + 1
            place = f"{address}/{slug}" if seen[slug] == 1 else f"{address}/{slug}#{seen[slug]}"
            named = f"{secret.what} ({secret.name})" if secret.name else secret.what
            span = entry.node.source.span(secret.start, secret.end)
            yield Hit(span, {"what": named, "key": entry.name}, address=place)


def _in_file(entry: Entry, *, strict: bool, context: Context) -> list[Secret]:
    """The secrets in a file that a ConfigMap carries, at their places in the manifest."""
    node, name = entry.node, entry.name.lower()
    syntax = next((one for suffix, one in _CODE_SUFFIXES.items() if name.endswith(suffix)), Syntax.LINES)
    if name.endswith(_YAML_SUFFIXES):
        syntax = Syntax.YAML
    code = name.endswith(tuple(_CODE_SUFFIXES)) or "." not in name
    return secrets_in(
        node.source.text,
        syntax,
        node.start,
        node.end,
        day=context.as_of,
        strict=strict or code or len(entry.text or "") > 20_000,
    )
