"""Which resources a value that is known only at deploy time refers to, within its module and across modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pyprod_audit.evaluate.terraform.traversal import like, with_members
from pyprod_audit.model import Node, Repository, Resource, Unknown
from pyprod_audit.model.node import OpenMapping
from pyprod_audit.model.patterns import lazy

_TARGET = lazy(r"(data\.[\w-]+\.[\w-]+|module\.[\w-]+|[A-Za-z_][\w-]*\.[A-Za-z_][\w-]*)(?=[.\[]|$)")
_MENTION = lazy(r"(?<![\w.-])(?:data\.[\w-]+\.[\w-]+|module\.[\w-]+|[A-Za-z][\w-]*_[\w-]*\.[A-Za-z_][\w-]*)")
_NOT_RESOURCES: Final = ("var", "local", "each", "count", "self", "path", "terraform", "data", "module")
_TRAVERSAL = lazy(r"""[A-Za-z_][\w-]*(?:\s*\.\s*[\w*-]+|\[[^\[\]]{0,200}\])*""")
_KEY = lazy(r'\[(?:[0-9]{1,9}|"(?:[^"\\]|\\.)*")\]')
_LONGEST: Final = 300
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Passed(Unknown):
    """A value that another module's resources have: it came through a module's variable or output.

    `target` is the address, from the root module and without instance keys, of what it is (`module.lb.aws_lb.main`; ""
    when it is not one reference), `targets` are all that it mentions.
    """

    target: str = ""
    targets: tuple[str, ...] = ()


def reference_target(value: Node | Unknown) -> str | None:
    """The address that an unknown reference names, in the same module.

    `aws_lb.main.arn` gives `aws_lb.main`, `data.aws_vpc.x.id` gives `data.aws_vpc.x`, `module.db.endpoint` gives
    `module.db`; None for anything that is not one reference to one of these.
    """
    unknown = value.value if isinstance(value, Node) else value
    if not isinstance(unknown, Unknown) or isinstance(unknown, Passed):
        return None
    found = _TARGET.match(re.sub(r"\s", "", unknown.expression[:_LONGEST]))
    if found is None or not _TRAVERSAL.fullmatch(unknown.expression):
        return None
    words = found[1].split(".")
    return found[1] if len(words) == 3 or words[0] == "module" or words[0] not in _NOT_RESOURCES else None


def reference_targets(value: Node | Unknown) -> tuple[str, ...]:
    """All addresses of the same module that an unknown expression of any form mentions, each once, in order."""
    unknown = value.value if isinstance(value, Node) else value
    if not isinstance(unknown, Unknown) or isinstance(unknown, Passed):
        return ()
    return tuple(dict.fromkeys(found[0] for found in _MENTION.finditer(unknown.expression)))


def without_keys(address: str) -> str:
    """The address as the configuration has it: `module.db["eu"].aws_x.y[0]` is `module.db.aws_x.y`."""
    return _KEY.sub("", address) if "[" in address else address


# -- between modules ------------------------------------------------------------------------------------------------


def passed(node: Node, name: str, prefix: str, charge: Callable[[int], None]) -> Node:
    """A value as the module on the other side of a call sees it: what is unknown in it has the name `name` there.

    `prefix` is the address of the module that the value comes from, with a dot behind it, or "" for the root module.
    `charge` is told how many values were looked at.
    """
    return _passed(node, name, prefix, charge, 0)


def _passed(node: Node, name: str, prefix: str, charge: Callable[[int], None], depth: int) -> Node:
    value = node.value
    if isinstance(value, Unknown):
        return node.holding(_unknown_passed(value, name, prefix))
    if not isinstance(value, (dict, tuple)) or not value:
        return node
    charge(len(value))
    if depth > _MOST:
        return node.holding(Unknown(name, "it is nested too deeply"))
    if isinstance(value, tuple):
        items = tuple([_passed(member, f"{name}[{at}]", prefix, charge, depth + 1) for at, member in enumerate(value)])
        if all(new is old for new, old in zip(items, value, strict=True)):
            return node
        return node.holding(like(value, items))
    members = {key: _passed(member, f"{name}.{key}", prefix, charge, depth + 1) for key, member in value.items()}
    if isinstance(value, OpenMapping):
        return node.holding(OpenMapping(members, _passed(value.rest, name, prefix, charge, depth + 1)))
    if all(members[key] is member for key, member in value.items()):
        return node
    return node.holding(with_members(value, members))


def _unknown_passed(unknown: Unknown, name: str, prefix: str) -> Unknown:
    because = unknown.because or f"{unknown.expression} is known only at deploy time"
    if isinstance(unknown, Passed):
        return Passed(name, because, unknown.target, unknown.targets)
    target = reference_target(unknown)
    if target is not None and because == f"computed by {target}":
        because = f"computed by {prefix}{target}"
    targets = tuple(prefix + found for found in reference_targets(unknown)[:_MOST])
    if not targets and target is None:
        return Unknown(name, because)
    return Passed(name, because, "" if target is None else prefix + target, targets)


# -- among resources -------------------------------------------------------------------------------------------------


def referred(resource: Resource, reference: Node | None, repository: Repository) -> Resource | None:
    """The resource that an argument of `resource` refers to, in the same module or another one of the same root.

    Of several instances (`count`, `for_each`) it is the one with the key of `resource` or the key that the reference
    has; None when that is not clear.
    """
    if reference is None or not isinstance(reference.value, Unknown):
        return None
    address = _target_of(resource, reference.value)
    if address is None:
        return None
    found = _by_address(repository).get((id(_root_of(resource)), address), [])
    found = [one for one in found if one.parent is resource.parent] or found
    if len(found) < 2:
        return found[0] if found else None
    wanted = _keys(reference.value.expression[:_LONGEST]) or _keys(resource.address)
    matching = [one for one in found if _keys(one.address) == wanted]
    return matching[0] if len(matching) == 1 else None


def referring(resource: Resource, kinds: tuple[str, ...], argument: str, repository: Repository) -> Iterator[Resource]:
    """The resources of these kinds in the same root module and those it calls whose argument refers to `resource`."""
    for other in repository.of_kind(*kinds):
        node = other.node.mapping.get(argument)
        if node is not None and same_root(other, resource) and refers(other, node, resource):
            yield other


def same_root(one: Resource, other: Resource) -> bool:
    """Whether two resources are deployed together: by the same root module, or by modules that it calls."""
    return _root_of(one) is _root_of(other)


def refers(owner: Resource, value: Node, target: Resource) -> bool:
    """Whether `value`, which stands in `owner`, mentions `target`."""
    unknown = value.value
    if not isinstance(unknown, Unknown):
        return False
    address = without_keys(target.address)
    if isinstance(unknown, Passed):
        if not same_root(owner, target):
            return False
        ours, theirs = _keys(owner.address), _keys(target.address)
        return address in unknown.targets and not (ours and theirs and set(ours).isdisjoint(theirs))
    if owner.parent is not target.parent:
        return False
    prefix = _prefix(owner)
    return any(prefix + found == address for found in reference_targets(unknown))


def mentioned(owner: Resource, value: Node) -> tuple[str, ...]:
    """The addresses of all that `value`, which stands in `owner`, mentions: from the root module, without keys."""
    unknown = value.value
    if isinstance(unknown, Passed):
        return unknown.targets
    prefix = _prefix(owner)
    return tuple(prefix + found for found in reference_targets(value))


def _target_of(owner: Resource, unknown: Unknown) -> str | None:
    if isinstance(unknown, Passed):
        return unknown.target or None
    target = reference_target(unknown)
    return None if target is None else _prefix(owner) + target


def _prefix(resource: Resource) -> str:
    """The address of the module that a resource stands in, without keys and with a dot behind it; "" for the root."""
    module = resource.parent.node.text_at("module") if resource.parent is not None else None
    return f"{without_keys(module)}." if module else ""


def _root_of(resource: Resource) -> Resource:
    root = resource
    while root.parent is not None:
        root = root.parent
    return root


def _keys(address: str) -> tuple[str, ...]:
    """The instance keys in an address, outer ones first."""
    return tuple(found[0] for found in _KEY.finditer(address)) if "[" in address else ()


def _by_address(repository: Repository) -> dict[tuple[int, str], list[Resource]]:
    def build(repo: Repository) -> dict[tuple[int, str], list[Resource]]:
        found: dict[tuple[int, str], list[Resource]] = {}
        for configuration in repo.of_kind("tf.configuration"):
            root = id(_root_of(configuration))
            for child in repo.children(configuration):
                found.setdefault((root, without_keys(child.address)), []).append(child)
        return found

    return repository.memo("terraform.addresses", build)
