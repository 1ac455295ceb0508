"""What the rules about pods and containers ask of a `k8s.container`, `k8s.initcontainer` or `k8s.podspec`."""

from __future__ import annotations

import re

from pyprod_audit.model import MISSING, Node, Resource
from pyprod_audit.model.kubernetes import object_of
from pyprod_audit.model.patterns import lazy

_ONE_SHOT_KINDS = frozenset({"k8s.job", "k8s.cronjob"})
_POD_KINDS = frozenset({"k8s.pod", "k8s.podtemplate"})
_INSERTED = lazy(r"^[ \t]*\{\{[^\n]*\}\}[ \t]*$|\{%-?[ \t]*include\b", re.MULTILINE)
_LINES_LOOKED_AT = 8
_OS_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")


def pod_of(container: Resource) -> Resource:
    """The `k8s.podspec` of a container; a pod itself."""
    return container if container.kind == "k8s.podspec" or container.parent is None else container.parent


def is_one_shot(resource: Resource) -> bool:
    """Whether the pod runs to its end instead of serving: a Job, a CronJob, a Pod that is not restarted when done."""
    owner = object_of(resource)
    if owner.kind in _ONE_SHOT_KINDS:
        return True
    return owner.kind in _POD_KINDS and pod_of(resource).node.text_at("restartPolicy") in ("Never", "OnFailure")


def ends_before_start(container: Resource) -> bool:
    """Whether this is an init container that ends before the pod's containers start; a native sidecar does not."""
    return container.kind == "k8s.initcontainer" and container.node.text_at("restartPolicy") != "Always"


def is_injected(container: Resource) -> bool:
    """Whether an admission webhook fills the container in: Istio's gateways say `image: auto`.

    https://istio.io/latest/docs/setup/additional-setup/gateway/
    """
    return container.node.text_at("image") == "auto"


def is_windows(pod: Resource) -> bool:
    """Whether the pod runs on Windows nodes, which know none of Linux' privileges."""
    if pod.node.text_at("os.name") == "windows":
        return True
    return any(_text(pod.node.find(("nodeSelector", label))[0]) == "windows" for label in _OS_LABELS)


def is_knative(resource: Resource) -> bool:
    """Whether Knative runs the pod, with defaults of its own."""
    return object_of(resource).kind.endswith(".serving.knative.dev")


def present(node: Node, *path: str) -> Node | None:
    """The node at `path` unless it is missing or null; an Unknown on the way is the answer."""
    found = node.find(path)[0]
    return None if found is MISSING or found.value is None else found


def is_added_to(node: Node) -> bool:
    """Whether a template inserts lines into a mapping, so that what is missing may be among them.

    Charts are rendered: what they leave open, the mapping itself says.
    """
    text = node.source.text
    if node.source.kind == "helm-template" or ("{{" not in text and "{%" not in text):
        return False
    return _INSERTED.search(text, node.start, node.end) is not None or _is_followed(node)


def _is_followed(node: Node) -> bool:
    """Whether a line of the template alone, indented like the mapping, comes right after it."""
    indent = node.span.column - 1
    lines = node.source.lines
    after = node.source.span(node.end, node.end).line  # 1-based, so the index of the next line
    for line in lines[after : after + _LINES_LOOKED_AT]:
        stripped = line.strip()
        if stripped and not stripped.startswith(("{%", "#")):
            return len(line) - len(line.lstrip()) >= indent and _INSERTED.match(line) is not None
    return False


def image_name(container: Resource) -> str:
    """The image without tag and digest, as it is written; empty when it is not known."""
    text = (container.node.text_at("image") or "").partition("@")[0]
    head, colon, tag = text.rpartition(":")
    return head if colon and "/" not in tag else text


def _text(node: object) -> str | None:
    return node.text if isinstance(node, Node) else None
