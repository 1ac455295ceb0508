"""Secrets as literals in Terraform and in the values of Helm charts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.checks.docker_view import is_workplace
from pyprod_audit.checks.secret_names import Sort, sort_of
from pyprod_audit.checks.secret_text import known_formats_in
from pyprod_audit.checks.secret_values import Value, judge
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.patterns import lazy

_NOT_JUDGED: Final = frozenset(
    {"tf.file", "tf.plan", "tf.configuration", "tf.output", "tf.terraform", "tf.moved", "tf.import", "tf.check"}
)
# Arguments that are a secret's value whatever they are called: resource type → argument.
_VALUES: Final = {
    "tf.azurerm_key_vault_secret": "value",
    "tf.google_secret_manager_secret_version": "secret_data",
    "tf.aws_secretsmanager_secret_version": "secret_string",
    "tf.vault_generic_secret": "data_json",
    "tf.github_actions_secret": "plaintext_value",
    "tf.github_actions_organization_secret": "plaintext_value",
    "tf.gitlab_project_variable": "value",
}
_AWS_KEY: Final = lazy(r"AKIA[A-Z0-9]{16}|[A-Za-z0-9/+]{40}")
_LIMIT: Final = 200_000


class Literal(NamedTuple):
    """A literal under a secret's name. `path` leads to it from the resource; `sort` is what its name promises."""

    name: str
    path: str
    node: Node
    sort: Sort


def literal_in_terraform_or_values(resource: Resource, context: Context) -> Outcomes:
    """Terraform or the values of a chart write a secret down."""
    if resource.kind in _NOT_JUDGED:
        yield Skip("no values are set here")
        return
    if resource.kind == "helm.values":
        yield from _values_file(resource, context)
        return
    for literal in _literals_of(resource):
        value = judge(literal.node.text or "", literal.sort, context.as_of)
        if _AWS_KEY.fullmatch(literal.node.text or "") and literal.name.lower().endswith("key"):
            value = Value.STRONG  # a static key does not belong here even while it is the one of the documentation
        # A password that everybody knows is as bad as one that everybody reads; as a key it is rather a stand-in.
        least = Value.DEFAULT if literal.sort is Sort.PASSWORD and not is_workplace(resource.path) else Value.PLAIN
        if value < least:
            continue
        yield Hit(
            literal.node.span,
            {"place": _place(resource, literal), "weak": value is Value.DEFAULT},
            address=f"{resource.address}.{literal.path}" if literal.path else resource.address,
            message=_MESSAGES[value is Value.DEFAULT, resource.kind == "tf.variable"],
        )


_MESSAGES: Final = {
    (False, False): "{place} is a literal secret: it is in the repository and in the Terraform state",
    (True, False): "{place} is a well-known password, which is tried first",
    (False, True): "the default of {place} is a literal secret, used wherever nobody sets the variable",
    (True, True): "the default of {place} is a well-known password, used wherever nobody sets the variable",
}


def terraform_places(repository: Repository) -> Iterator[Node]:
    """The literals in Terraform that the rule of this module judges."""
    for resource in repository.of_technology("tf"):
        if resource.kind not in _NOT_JUDGED:
            for literal in _literals_of(resource):
                yield literal.node


def _literals_of(resource: Resource) -> Iterator[Literal]:
    if resource.kind == "tf.variable":
        default = resource.node.get("default")
        if default is None:
            return
        name = resource.address.removeprefix("var.")
        sort = sort_of(name)
        sensitive = resource.node.get("sensitive")
        if sort is Sort.NOTHING and sensitive is not None and sensitive.value is True:
            sort = Sort.KEY
        yield from _below(default, name, sort)
        return
    own = _VALUES.get(resource.kind, "")
    if resource.kind == "tf.aws_ssm_parameter" and resource.node.text_at("type") == "SecureString":
        own = "value"
    names = [resource.node.text_at(key) or "" for key in ("name", "secret_name", "key")] if own else []
    promised = Sort.PASSWORD if any(sort_of(name) is Sort.PASSWORD for name in names) else Sort.KEY
    yield from _below(resource.node, "", Sort.NOTHING, (own, promised))


def _below(root: Node, name: str, sort: Sort, own: tuple[str, Sort] = ("", Sort.NOTHING)) -> Iterator[Literal]:
    """The literals under a secret's name at or below `root`; `own`: an argument whose value is a secret anyway."""
    waiting: list[tuple[str, str, Sort, Node]] = [(name, "" if root.mapping else "default" if name else "", sort, root)]
    steps = 0
    while waiting and steps < _LIMIT:
        steps += 1
        name, path, sort, node = waiting.pop()
        value = node.value
        if isinstance(value, str):
            if sort is not Sort.NOTHING and _is_written(node):
                yield Literal(name, path, node, sort)
        elif isinstance(value, tuple):
            waiting.extend(
                (name, f"{path}[{i}]" if len(value) > 1 else path, sort, item) for i, item in enumerate(value)
            )
        elif isinstance(value, dict):
            paired = value.get("name") or value.get("key")
            label = paired.text if paired is not None else None
            for key, member in value.items():
                if key == "value" and label:
                    called, kind = label, sort_of(label)
                else:
                    called, kind = key, own[1] if key == own[0] else sort_of(key)
                deeper = f"{path}.{called}" if path else called
                waiting.append((called, deeper, kind, member))


def _is_written(node: Node) -> bool:
    """Whether the value stands here as a literal, not as the variable that has it."""
    return node.source.text.startswith(('"', "<<", "'"), node.start) or node.source.kind != "terraform"


def _place(resource: Resource, literal: Literal) -> str:
    if resource.kind == "tf.tfvars":
        return literal.path
    return f"{resource.address}.{literal.path}" if resource.kind != "tf.variable" else resource.address


def _values_file(resource: Resource, context: Context) -> Outcomes:
    if is_workplace(resource.path):
        yield Skip("values for development or tests")
        return
    for literal in _below(resource.node, "", Sort.NOTHING):
        if judge(literal.node.text or "", literal.sort, context.as_of) >= Value.PLAIN:
            yield Hit(
                literal.node.span,
                {"place": literal.path},
                address=f"{resource.path}/{literal.path}",
                message="{place} is a literal secret in the chart's values",
            )
    judged = [(one.node.start, one.node.end) for one in _below(resource.node, "", Sort.NOTHING)]
    seen = 0
    for secret in known_formats_in(resource.source.text):
        if any(start <= secret.start < end for start, end in judged):
            continue
        seen += 1
        yield Hit(
            resource.source.span(secret.start, secret.end),
            {"what": secret.what},
            address=f"{resource.path}/{secret.name or secret.what}#{seen}",
            message="{what} stands in the chart's values in plain text",
        )
