"""Questions that the linker and the checks ask Kubernetes objects.

`resource` is any `k8s.*` resource; views (pod, container) answer for the object that they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pyprod_audit.model.node import MISSING, Node, OpenMapping, Unknown
from pyprod_audit.model.resource import Resource
from pyprod_audit.model.source import Span

Labels: TypeAlias = Mapping[str, Node] | Unknown
_TEMPLATES = (("spec", "template"), ("spec", "jobTemplate", "spec", "template"), ("template",), ())


def object_of(resource: Resource) -> Resource:
    """The object that a view belongs to; an object itself."""
    for ancestor in resource.ancestors():
        resource = ancestor
    return resource


def place_of(resource: Resource) -> Span:
    """Where to point for the whole of a resource: an object's `metadata.name`, else its `kind`; a view's own anchor.

    Without `via`: how an object came by its name says nothing about what it does.
    """
    if resource.parent is None and resource.kind.startswith("k8s."):
        for path in ("metadata.name", "kind"):
            found = resource.node.get(path)
            if found is not None and found.value:
                return found.anchor._replace(via=())
    return resource.node.anchor._replace(via=())


def name_of(resource: Resource) -> str:
    """The object's `metadata.name`, as written when it is unknown; empty when it has none."""
    return _written(object_of(resource).node.get("metadata.name"))


def namespace_of(resource: Resource) -> str:
    """The object's namespace, as written when it is unknown; empty when it declares none."""
    return _written(object_of(resource).node.get("metadata.namespace"))


def labels_of(resource: Resource) -> Labels:
    """The labels of the object itself."""
    return _labels(object_of(resource).node)


def annotations_of(resource: Resource) -> Mapping[str, Node]:
    """The annotations of the object itself."""
    return object_of(resource).node.mapping_at("metadata.annotations")


def template_of(pod: Resource) -> Node:
    """What holds the spec of a `k8s.podspec` and, beside it, the metadata of its pods; the spec alone without one."""
    for path in _TEMPLATES if pod.parent is not None else ():
        template = pod.parent.node.find(path)[0] if pod.parent is not None else MISSING
        if template is not MISSING and template.mapping.get("spec") is pod.node:
            return template
    return pod.node


def pod_labels(pod: Resource) -> Labels:
    """The labels of the pods that a `k8s.podspec` describes: they stand beside the spec, in the template."""
    template = template_of(pod)
    return {} if template is pod.node else _labels(template)


def selector_matches(selector: Node, labels: Labels) -> bool | None:
    """Whether `selector` selects something that has `labels`.

    Args:
        selector: A LabelSelector (`matchLabels`, `matchExpressions`) or the plain map of a Service. An empty one
            matches everything, as in a NetworkPolicy; that a Service without selector selects nothing is the caller's.
        labels: Labels by key.

    Returns:
        None when the answer hangs on a value that exists only at deploy time.
    """
    if isinstance(labels, Unknown) or isinstance(selector.value, Unknown):
        return None
    members = selector.mapping
    plain = "matchLabels" not in members and "matchExpressions" not in members
    wanted = selector if plain else members.get("matchLabels")
    expressions = None if plain else members.get("matchExpressions")
    if any(node is not None and node.is_unknown for node in (wanted, expressions)):
        return None
    pairs = wanted.mapping if wanted is not None else {}
    answers = [_has(labels, key, (value,)) for key, value in pairs.items()]
    answers += [_satisfies(labels, expression) for expression in (expressions.items if expressions else ())]
    if isinstance(members, OpenMapping) or isinstance(pairs, OpenMapping):
        answers.append(None)  # a template may ask for more
    return _all(answers)


def named_ports(container: Resource) -> dict[str, Node]:
    """The `containerPort` nodes of a container by port name; ports without a name are left out."""
    ports = {}
    for port in container.node.items_at("ports"):
        name, number = port.text_at("name"), port.get("containerPort")
        if name is not None and number is not None:
            ports[name] = number
    return ports


def _written(node: Node | None) -> str:
    if node is None or node.value is None or isinstance(node.value, (dict, tuple)):
        return ""
    return node.value.expression if isinstance(node.value, Unknown) else str(node.value)


def _labels(owner: Node) -> Labels:
    found = owner.find(("metadata", "labels"))[0]
    if found is MISSING:
        return {}
    return found.value if isinstance(found.value, Unknown) else found.mapping


def _has(labels: Mapping[str, Node], key: str, wanted: tuple[Node, ...]) -> bool | None:
    """Whether the label `key` is one of the `wanted` values."""
    found = labels.get(key)
    if found is None:
        return None if _any_unknown_key(labels) or _is_template(key) else False
    if found.is_unknown:
        return None
    if any(not node.is_unknown and _written(node) == _written(found) for node in wanted):
        return True
    return None if any(node.is_unknown for node in wanted) else False


def _satisfies(labels: Mapping[str, Node], expression: Node) -> bool | None:
    """One of `matchExpressions`. NotIn and DoesNotExist hold for labels that are absent."""
    key, operator, values = expression.text_at("key"), expression.text_at("operator"), expression.get("values")
    if key is None or operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        return None
    if operator in ("Exists", "DoesNotExist"):
        if key not in labels and (_any_unknown_key(labels) or _is_template(key)):
            return None
        return (key in labels) == (operator == "Exists")
    if values is not None and values.is_unknown:
        return None
    answer = _has(labels, key, values.items if values else ())
    return answer if operator == "In" or answer is None else not answer


def _any_unknown_key(labels: Mapping[str, Node]) -> bool:
    return isinstance(labels, OpenMapping) or any(_is_template(key) for key in labels)


def _is_template(key: str) -> bool:
    return "{{" in key or "${" in key


def _all(answers: Iterable[bool | None]) -> bool | None:
    """Kleene's `and`."""
    unknown = False
    for answer in answers:
        if answer is False:
            return False
        unknown = unknown or answer is None
    return None if unknown else True
