"""`$(NAME)` in `env`, `command` and `args` of a container, as the kubelet expands it.

The rules are those of kubernetes, third_party/forked/golang/expansion/expand.go: `$$` is a dollar, so that `$$(NAME)`
is the text `$(NAME)`; a name ends at the first `)` and may be anything; what is not defined, or not closed, stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pyprod_audit.model.node import Node, Unknown
from pyprod_audit.model.patterns import lazy

_REFERENCE = lazy(r"\$\$|\$\(([^)]*+)\)")
_BROKEN = lazy(r"\$[^\x00-\x7f]")
# What the kubelet adds for each Service (kubernetes, pkg/kubelet/envvars/envvars.go), unless `enableServiceLinks` is
# false; those of the Service `kubernetes` come always.
_OF_SERVICES = lazy(
    r"[A-Z0-9_]+_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|[A-Z0-9_]+_PORT(?:_[0-9]{1,5}_[A-Z]{2,5}(?:_[A-Z]{4,5})?)?"
)


def expanded(text: str, value_of: Callable[[str], str | Unknown | None]) -> str | Unknown:
    """`text` with its references replaced.

    Args:
        text: what is written.
        value_of: the value of a variable; None when it is certainly not defined.

    Returns:
        Unknown when a variable is: its expression then has the values of the others.
    """
    if "$" not in text:
        return text
    if _BROKEN.search(text):
        return Unknown(text, "the kubelet breaks a character behind a dollar that is not ASCII")
    unknown: list[Unknown] = []

    def replace(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        value = value_of(found[1])
        if isinstance(value, Unknown):
            unknown.append(value)
            return found[0]
        return found[0] if value is None else value

    closed = text.rfind(")") + 1  # behind it nothing can be a reference
    result = _REFERENCE.sub(replace, text[:closed]) + text[closed:].replace("$$", "$")
    return Unknown(result, unknown[0].because or f"{unknown[0].expression} is not known") if unknown else result


def value_in(variables: Mapping[str, Node], name: str, missing: str, *, service_links: bool) -> str | Unknown | None:
    """The value of `name` for `expanded`.

    Args:
        variables: those that the container sets.
        name: the variable.
        missing: why others may be set that are not known; empty when all are.
        service_links: whether the variables of Services are added.
    """
    found = variables.get(name)
    if found is not None:
        if isinstance(found.value, Unknown):
            return found.value
        return str(found.scalar) if found.scalar is not None else ""
    if (service_links or name.startswith("KUBERNETES_")) and _OF_SERVICES.fullmatch(name):
        return Unknown(f"$({name})", f"the cluster sets {name} when there is such a Service")
    return Unknown(f"$({name})", missing) if missing else None
