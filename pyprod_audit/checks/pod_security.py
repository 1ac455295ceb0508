"""What a container could do to its node once somebody else runs code in it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.chart_defaults import left_to_installer
from pyprod_audit.checks.kustomize_view import patch_that_sets
from pyprod_audit.checks.workload_view import (
    ends_before_start,
    is_added_to,
    is_injected,
    is_one_shot,
    is_windows,
    pod_of,
    present,
)
from pyprod_audit.model import Node, Resource, Span
from pyprod_audit.model.kubernetes import namespace_of, object_of

_SECCOMP: Final = frozenset({"RuntimeDefault", "Localhost"})
_SOCKETS: Final = frozenset({
    "docker.sock", "containerd.sock", "crio.sock", "podman.sock", "cri-dockerd.sock", "dockershim.sock",
})  # fmt: skip
# Read-only facts about the machine, and devices, which no other kind of volume offers.
_HARMLESS: Final = ("/etc/localtime", "/etc/timezone", "/etc/ssl/certs", "/etc/pki", "/usr/share/zoneinfo",
                    "/usr/share/ca-certificates", "/dev/", "/etc/machine-id")  # fmt: skip
_WHOLE_NODE: Final = frozenset({
    "/", "/boot", "/etc", "/etc/kubernetes", "/home", "/proc", "/root", "/run", "/sys", "/usr", "/var", "/var/lib",
    "/var/lib/docker", "/var/lib/kubelet", "/var/run",
})  # fmt: skip
_SECCOMP_MISSING: Final = "seccompProfile.type: RuntimeDefault"


def privileges_not_dropped(container: Resource, context: Context) -> Outcomes:
    """A container keeps privileges that the restricted Pod Security Standard takes away."""
    skip = _not_judged(container)
    if skip is not None:
        yield skip
        return
    own = present(container.node, "securityContext")
    pods = present(pod_of(container).node, "securityContext")
    for node in (own, pods):
        if node is not None and node.is_unknown:
            yield cannot(node)
            return
    if own is not None and _scalar(own, "privileged") is True:
        yield Skip("it is privileged, and nothing less applies")
        return
    missing = list(_missing(own, pods))
    if not missing:
        return
    doubt = _doubt(container, context)
    if doubt is not None:
        yield doubt
        return
    place = own.anchor if own is not None else container.node.anchor
    if missing == [_SECCOMP_MISSING] and _effective("seccompProfile", own, pods) is None:
        yield Cannot(place, "the kubelet's seccompDefault says which profile applies where none is named")
        return
    yield Hit(place, {"missing": ", ".join(missing)})


def _missing(own: Node | None, pods: Node | None) -> Iterator[str]:
    """The settings that are not there, as one writes them; a value known only at deploy time counts as there."""
    user = _effective("runAsUser", own, pods)
    non_root = _effective("runAsNonRoot", own, pods)
    if non_root is None or non_root.scalar is False:
        if user is not None and user.scalar == 0:
            yield "runAsUser other than 0"
        elif user is None or user.value is None:
            yield "runAsNonRoot: true"
    escalation = present(own, "allowPrivilegeEscalation") if own is not None else None
    if escalation is None or escalation.scalar is True:
        yield "allowPrivilegeEscalation: false"
    if not _drops_all(own):
        yield "capabilities.drop: [ALL]"
    profile = _effective("seccompProfile", own, pods)
    if profile is None or (not profile.is_unknown and not _is_seccomp(profile)):
        yield _SECCOMP_MISSING


def _drops_all(own: Node | None) -> bool:
    dropped = present(own, "capabilities", "drop") if own is not None else None
    if dropped is None:
        return False
    return dropped.is_unknown or any(one.is_unknown or str(one.scalar).upper() == "ALL" for one in dropped.items)


def _is_seccomp(profile: Node) -> bool:
    kind = present(profile, "type")
    return kind is not None and (kind.is_unknown or kind.scalar in _SECCOMP)


def _effective(key: str, own: Node | None, pods: Node | None) -> Node | None:
    """A setting that containers take from their pod unless they have their own."""
    found = present(own, key) if own is not None else None
    if found is None and pods is not None:
        found = present(pods, key)
    return found


def _scalar(node: Node, key: str) -> object:
    found = node.get(key)
    return None if found is None else found.scalar


def _not_judged(container: Resource) -> Skip | Cannot | None:
    if ends_before_start(container):
        return Skip("an init container prepares the pod, often as root, and is gone before it serves")
    if is_windows(pod_of(container)):
        return Skip("Windows containers have none of these settings")
    if object_of(container).kind == "k8s.deploymentconfig":
        return Skip("OpenShift sets them by its security context constraints")
    if is_injected(container):
        return Cannot(container.node.anchor, "an admission webhook fills in this container")
    return None


def _doubt(container: Resource, context: Context) -> Cannot | None:
    patch = patch_that_sets(container, "securityContext", context.repository)
    if patch:
        return Cannot(container.node.anchor, f"a Kustomize patch sets securityContext: {patch}")
    if is_added_to(container.node) or is_added_to(pod_of(container).node):
        return Cannot(container.node.anchor, "a template adds to the container or its pod")
    return left_to_installer(container, "securityContext", context.repository)


def shares_node(resource: Resource, context: Context) -> Outcomes:
    """A pod takes part in its node's network, processes or files, which is for the node's own agents."""
    if resource.kind == "k8s.persistentvolume":
        yield from _volume_on_node(resource)
        return
    owner = object_of(resource)
    if namespace_of(owner) == "kube-system":
        yield Skip("a part of the cluster itself")
        return
    is_agent = owner.kind == "k8s.daemonset"
    if not is_agent:
        yield from _namespaces(resource)
        yield from _host_ports(resource, context)
    yield from _host_paths(resource, context, is_agent=is_agent)


def _namespaces(pod: Resource) -> Iterator[Hit | Cannot]:
    effects = {
        "hostNetwork": "it listens on the node's own addresses, past every NetworkPolicy",
        "hostPID": "it sees and may signal every process of the node",
        "hostIPC": "it reads the shared memory of the node's processes",
    }
    for key, effect in effects.items():
        node = present(pod.node, key)
        if node is None:
            continue
        if node.is_unknown:
            yield cannot(node)
        elif node.scalar is True:
            message = "{owner} sets {key}: {effect}"
            yield Hit(
                node.span,
                {"owner": object_of(pod).address, "key": key, "effect": effect},
                message=message,
                address=f"{pod.address}/{key}",
            )


def _host_ports(pod: Resource, context: Context) -> Iterator[Hit]:
    if _scalar(pod.node, "hostNetwork") is True:
        return  # every port is one of the node's then
    for container in context.repository.children(pod):
        for port in container.node.items_at("ports"):
            node = present(port, "hostPort")
            if node is not None and isinstance(node.scalar, int) and node.scalar > 0:
                message = (
                    "{container} takes port {port} of its node: one such pod fits on a node, and it is reachable"
                    " past every Service"
                )
                yield Hit(
                    node.span,
                    {"container": container.address, "port": node.scalar},
                    message=message,
                    address=f"{container.address}/hostPort[{node.scalar}]",
                )


def _host_paths(pod: Resource, context: Context, *, is_agent: bool) -> Iterator[Hit | Cannot]:
    for volume in pod.node.items_at("volumes"):
        path = present(volume, "hostPath", "path")
        if path is not None and path.is_unknown and not is_agent:
            yield cannot(path)
        if path is None or not path.text:
            continue
        written = posixpath.normpath(path.text)
        name = volume.text_at("name") or ""
        writable = _writable_mount(pod, name, context)
        effect = _effect(written, writable=writable is not None, ends=is_one_shot(pod))
        if is_agent and not (_is_socket(written) or (written == "/" and writable is not None)):
            continue
        if effect:
            related = ((writable, "mounted writable here"),) if writable is not None else ()
            yield Hit(
                path.span,
                {"owner": object_of(pod).address, "path": written, "effect": effect},
                message="{owner} mounts {path} of its node: {effect}",
                related=related,
                address=f"{pod.address}/volumes[{name}]",
            )


def _effect(path: str, *, writable: bool, ends: bool) -> str:
    """What mounting `path` of the node means; empty when it is harmless. `ends`: the pod runs once."""
    if _is_socket(path):
        return "whoever runs code in this container can start any other on the node, as root"
    if f"{path}/".startswith(_HARMLESS):
        return ""
    if path in _WHOLE_NODE:
        how = "change" if writable else "read"
        return f"whoever runs code in this container can {how} the node's own files"
    if writable:
        return "what it writes stays on that node, and a pod that moves finds other files or none"
    return "" if ends else "it works only on nodes that have these files, and shows them to the container"


def _is_socket(path: str) -> bool:
    return posixpath.basename(path) in _SOCKETS


def _writable_mount(pod: Resource, volume: str, context: Context) -> Span | None:
    for container in context.repository.children(pod):
        for mount in container.node.items_at("volumeMounts"):
            if mount.text_at("name") == volume and _scalar(mount, "readOnly") is not True:
                return mount.anchor
    return None


def _volume_on_node(volume: Resource) -> Outcomes:
    path = present(volume.node, "spec", "hostPath", "path")
    if path is None:
        yield Skip("it is not a folder of a node")
        return
    yield Hit(
        path.span,
        {"path": path.scalar if not path.is_unknown else "a folder"},
        message="{address} keeps its data in {path} of whichever node the pod runs on: on another node it is empty",
    )
