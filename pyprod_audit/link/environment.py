"""The environment of a process, and the expansion of what refers to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyprod_audit.link.pod_environment import pod_environment
from pyprod_audit.model import Node, OpenMapping, Repository, Resource, Unknown
from pyprod_audit.model.patterns import lazy

_SHELL = lazy(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+?=])([^${}]*))?\})")
# Single quotes, double quotes, a backslash, a bare variable, anything else.
_PIECE = lazy(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|\\(.)|(\$\w+|\$\{[^}]*\})|([^'\"\\$]+|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables by name. `open`: others may come at deploy time (a bare image, `envFrom`)."""

    variables: Mapping[str, Node] = field(default_factory=dict)
    open: bool = True

    def text(self, name: str) -> str | None:
        """The value, when it is written in the repository."""
        found = self.variables.get(name)
        return None if found is None or found.scalar is None else str(found.scalar)

    def excludes(self, name: str) -> bool:
        """Whether the variable is certainly not set."""
        return name not in self.variables and not self.open


def environment(image: Resource | None, container: Resource | None, repository: Repository) -> Environment:
    """What the image sets, overridden by what the container of a pod sets, ConfigMaps of the repository included.

    `container` may be a `compose.service` instead.
    """
    variables: dict[str, Node] = dict(image.node.mapping_at("env")) if image is not None else {}
    if container is None:
        return Environment(variables, open=True)
    if container.kind == "compose.service":
        own = container.node.get("environment")
        variables.update(own.mapping if own is not None else {})
        more = own is not None and (own.is_unknown or isinstance(own.value, OpenMapping))
        return Environment(variables, open=more or image is None)
    given = pod_environment(container, repository)
    variables.update(given.variables)
    return Environment(variables, open=bool(given.missing) or image is None)


def expand_shell(word: Node, env: Environment) -> Node:
    """A shell word with `$X`, `${X}` and `${X:-default}` replaced where the value is known, as one word.

    A word that is not known as a whole comes back unchanged. The place stays that of the word.
    """
    fields = _fields(word, env)
    if fields is None:
        return word
    return Node(" ".join(fields), word.source, word.start, word.end, word.key_start, word.key_end)


def split_shell(word: Node, env: Environment) -> tuple[Node, ...]:
    """Like `expand_shell`, as the words that the shell makes of it: what a bare `$ARGS` holds is split at blanks."""
    fields = _fields(word, env)
    if fields is None:
        return (word,)
    return tuple(Node(text, word.source, word.start, word.end, word.key_start, word.key_end) for text in fields)


def _fields(word: Node, env: Environment) -> list[str] | None:
    """The words that an unknown shell word becomes; None when it is known already or stays unknown."""
    unknown = word.value
    if not isinstance(unknown, Unknown) or "$(" in unknown.expression or "`" in unknown.expression:
        return None
    fields, current = [], ""
    started = False
    for single, double, escaped, variable, plain in _PIECE.findall(unknown.expression):
        if variable:
            value = _filled_in(variable, env)
            if value is None:
                return None
            head, *others = re.split(r"\s+", value.strip(" \t\n")) if value.strip() else [""]
            started = started or bool(head)
            current += head
            for field in others:
                fields.append(current)
                current = field
            continue
        piece = _filled_in(double, env) if double else single or escaped or plain
        if piece is None or "$" in plain:
            return None
        current, started = current + piece, True
    return [*fields, current] if started else fields


def _filled_in(text: str, env: Environment) -> str | None:
    """`text` with its variables replaced; None when one of them is not known."""
    missing = False

    def replace(found: re.Match[str]) -> str:
        nonlocal missing
        name, operator, alternative = found[1] or found[2], found[3] or "", found[4] or ""
        value = env.text(name)
        if value is not None and operator.lstrip(":") != "+":
            return value if value or not operator.startswith(":") else alternative
        if operator in ("-", ":-", "=", ":=") and name not in env.variables:
            return alternative.strip("\"'")
        if not operator and env.excludes(name):
            return ""
        missing = True
        return ""

    filled = _SHELL.sub(replace, text)
    return None if missing or "$" in filled else filled
