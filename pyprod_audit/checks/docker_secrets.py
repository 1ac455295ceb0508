"""Secrets that a Dockerfile writes into an image or its history."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace, names_a_workplace
from pyprod_audit.checks.secret_names import Sort, sort_of
from pyprod_audit.checks.secret_text import Syntax, known_formats_in, secrets_in
from pyprod_audit.checks.secret_values import Value, judge
from pyprod_audit.model import Node, Repository, Resource, Span
from pyprod_audit.model.patterns import lazy

_SECRET_FILES: Final = lazy(
    r"(?:^|/)(?:\.ssh|\.aws|\.azure|\.kube|kubeconfig|\.netrc|_netrc|\.git-credentials|\.vault-token"
    r"|\.pgpass|\.dockercfg|\.dockerconfigjson|\.pypirc|\.npmrc|terraform\.tfstate|\.env(?:\.(?:prod|production|live|staging|secrets?))?"
    r"|secrets?\.(?:ya?ml|json|toml|env|ini|txt)|(?:\.config/)?gcloud|application_default_credentials\.json"
    r"|[\w.-]*(?:service[-_]?account|client[-_]secrets?|gcp[-_]key|gcloud[-_]key|credentials)[\w.-]*\.json|\.aws/credentials)/?$",
    re.IGNORECASE,
)
_OFTEN_HARMLESS: Final = (".npmrc", ".pypirc", ".env")
_CHPASSWD: Final = lazy(
    r"(?:echo|printf)[ \t]+(?:-\w+[ \t]+)*[\"']?[\w.-]{1,32}:(?P<password>[^\s\"'|:$`\\]{1,64})[\"']?[ \t]*\|[ \t]*"
    r"(?:sudo[ \t]+)?chpasswd"
)
# Tools take these from the environment of a RUN without anybody naming them there.
_READ_BY_TOOLS: Final = lazy(
    r"(?:NPM|GH|GITHUB|GITLAB|HF|NODE_AUTH|SENTRY_AUTH|CODEARTIFACT_AUTH)_TOKEN|AWS_SECRET_ACCESS_KEY|TWINE_PASSWORD"
    r"|POETRY_HTTP_BASIC_\w{1,60}_PASSWORD|POETRY_PYPI_TOKEN_\w{1,60}|UV_INDEX_\w{1,60}_PASSWORD"
)
_TEXTS: Final = frozenset({"CMD", "ENTRYPOINT", "LABEL", "HEALTHCHECK"})


def secret_in_image(stage: Resource, context: Context) -> Outcomes:
    """ENV, ARG, COPY or RUN put a secret into the image or its history."""
    if is_workplace(stage.path) or names_a_workplace(stage.node.text_at("name") or ""):
        yield Skip("an image for development or tests")
        return
    instructions = stage.node.items_at("instructions")
    told: set[str] = set()
    for number, instruction in enumerate(instructions):
        name = instruction.text_at("name")
        if name == "ENV":
            yield from _variables(stage, instruction, told, context)
        elif name == "ARG":
            yield from _arguments(stage, instruction, instructions[number + 1 :], told, context)
        elif name in ("COPY", "ADD"):
            yield from _copies(stage, instruction, context.repository)
        elif name == "RUN":
            yield from _runs(stage, instruction, told, context)
        elif name in _TEXTS:
            for secret in known_formats_in(stage.source.text, instruction.start, instruction.end):
                span = stage.source.span(secret.start, secret.end)
                values: dict[str, object] = {"what": secret.what, "name": name}
                yield _hit(stage, span, secret.name or name, "{what} stands in {name}", values)


def _variables(stage: Resource, instruction: Node, told: set[str], context: Context) -> Iterator[Hit]:
    for name, value, span in _pairs(instruction):
        sort = sort_of(name)
        if sort is Sort.NOTHING:
            for secret in known_formats_in(stage.source.text, span.start, span.end):
                at = stage.source.span(secret.start, secret.end)
                yield _hit(stage, at, name, "ENV {name} holds {what} in the image", {"name": name, "what": secret.what})
            continue
        argument = _argument_in(value, stage)
        if argument:
            if name not in told and argument not in told:
                told.update((name, argument))
                message = "ENV {name} keeps the build argument {argument} in the image: `docker inspect` shows it"
                yield _hit(stage, span, name, message, {"name": name, "argument": argument}, redact=False)
        elif judge(value, sort, context.as_of) >= _least(sort):
            told.add(name)
            yield _hit(
                stage,
                span,
                name,
                "ENV {name} holds a secret in the image, where `docker inspect` shows it",
                {"name": name},
            )


def _arguments(
    stage: Resource, instruction: Node, later: tuple[Node, ...], told: set[str], context: Context
) -> Iterator[Hit]:
    for word in instruction.items_at("words"):
        name, _, default = (word.text or "").partition("=")
        sort = sort_of(name)
        if sort is Sort.NOTHING or name in told:
            continue
        if default.strip("\"'") and "$" not in default:
            if judge(default, sort, context.as_of) >= _least(sort):
                told.add(name)
                message = "ARG {name} has a secret as its default, which the image's history shows"
                yield _hit(stage, word.span, name, message, {"name": name})
            continue  # with a stand-in as its default, nothing secret is meant to come
        use = next((one for one in later if _uses(one, name)), None)
        if use is not None:
            told.add(name)
            message = "build argument {name} is used by {by}: its value stays readable in the image's history"
            by = use.text_at("name") or "RUN"
            related = ((use.span.first_line, "used here"),)
            yield _hit(stage, word.span, name, message, {"name": name, "by": by}, related, redact=False)


def _copies(stage: Resource, instruction: Node, repository: Repository) -> Iterator[Hit]:
    if instruction.get("flags.from") is not None or not _reaches_final(stage, repository):
        return
    for source in instruction.items_at("expanded")[:-1]:
        path = (source.text or "").removeprefix("./")
        if path and _SECRET_FILES.search(path) and not _is_harmless(path, stage, repository):
            yield _hit(stage, source.span, path, "{name} copies {path} into the image: whoever pulls the image has it",
                       {"name": instruction.text_at("name"), "path": path}, redact=False)  # fmt: skip


def _runs(stage: Resource, instruction: Node, told: set[str], context: Context) -> Iterator[Hit]:
    text = stage.source.text
    at = set()
    for found in _CHPASSWD.finditer(text, instruction.start, instruction.end):
        if judge(found["password"], Sort.PASSWORD) >= Value.DEFAULT:
            at.add(found.start("password"))
            span = stage.source.span(*found.span("password"))
            yield _hit(
                stage, span, f"chpasswd@{len(at)}", "RUN sets a login password that stands in the Dockerfile", {}
            )
    for secret in secrets_in(text, Syntax.SHELL, instruction.start, instruction.end, day=context.as_of, strict=True):
        if secret.start in at or secret.name in told:
            continue
        span = stage.source.span(secret.start, secret.end)
        named = f"{secret.what} ({secret.name})" if secret.name else secret.what
        message = "RUN uses {what} that stands in the Dockerfile: the image's history shows it"
        yield _hit(stage, span, secret.name or secret.what, message, {"what": named})


def _hit(
    stage: Resource,
    span: Span,
    slug: str,
    message: str,
    values: dict[str, object],
    related: tuple[tuple[Span, str], ...] = (),
    *,
    redact: bool = True,
) -> Hit:
    address = f"{stage.path}/{stage.address}/{slug}"
    return Hit(span, values, related=related, address=address, message=message, redact=redact)


def _least(sort: Sort) -> Value:
    """A password that is written down is set, however weak; a key may be a stand-in for the build."""
    return Value.DEFAULT if sort is Sort.PASSWORD else Value.PLAIN


def _pairs(instruction: Node) -> Iterator[tuple[str, str, Span]]:
    """The variables of an ENV: name, value with quotes resolved (as written where that is not known), place."""
    words, expanded = instruction.items_at("words"), instruction.items_at("expanded")
    first = words[0].text if words else None
    if first is not None and "=" not in first and len(words) > 1:
        source = instruction.source
        yield first, source.text[words[1].start : words[-1].end], source.span(words[1].start, words[-1].end)
        return
    for word, resolved in zip(words, expanded, strict=False):
        name, equals, raw = (word.text or "").partition("=")
        if equals:
            value = (resolved.text or "").partition("=")[2] if resolved.text is not None else raw
            yield name, value.strip("\"'"), word.source.span(word.start + len(name) + 1, word.end)


def _argument_in(value: str, stage: Resource) -> str:
    """The build argument that a value is taken from."""
    found = re.fullmatch(r"\$\{?(\w{1,100})(?::?[-+][^}]{0,100})?\}?", value)
    return found[1] if found is not None and found[1] in stage.node.mapping_at("args") else ""


def _uses(instruction: Node, name: str) -> bool:
    kind = instruction.text_at("name")
    if kind not in ("RUN", "ENV"):
        return False
    if kind == "RUN" and _READ_BY_TOOLS.fullmatch(name):
        return True
    text = instruction.source.text[instruction.start : instruction.end]
    return re.search(rf"\$(?:{re.escape(name)}\b|\{{{re.escape(name)}[}}:])", text) is not None


def _reaches_final(stage: Resource, repository: Repository) -> bool:
    """Whether the final image is built on this stage, with all its layers."""
    if stage.parent is None:
        return True
    stages = repository.children(stage.parent, "docker.stage")
    index: object = len(stages) - 1
    for _ in stages:
        if not isinstance(index, int):
            return False
        if stages[index] is stage:
            return True
        base = stages[index].node.get("from.stage")
        index = base.value if base is not None else None
    return False


def _is_harmless(path: str, stage: Resource, repository: Repository) -> bool:
    """Whether the file is in the repository and holds nothing secret: a `.npmrc` that only names a registry."""
    name = posixpath.basename(path.rstrip("/"))
    if name not in _OFTEN_HARMLESS:
        return False
    folder = posixpath.dirname(stage.path)
    for candidate in (posixpath.normpath(posixpath.join(folder, path)), posixpath.normpath(path)):
        source = repository.files.get(candidate)
        if source is not None:
            return not secrets_in(source.text, Syntax.LINES, strict=False)
        if candidate in repository.paths:
            return True
    return False
