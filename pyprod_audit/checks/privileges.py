"""Containers that hold the node's powers: privileged ones, and capabilities that amount to the same.

What pods take from the node by name (hostNetwork, hostPID, hostPath, docker.sock) is K8S-014's finding. Sources:
https://kubernetes.io/docs/concepts/security/pod-security-standards/, capabilities(7).
"""

from __future__ import annotations

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.compose_services import holds_the_host
from pyprod_audit.checks.workload_view import is_windows, pod_of
from pyprod_audit.model import Node, Resource
from pyprod_audit.model.kubernetes import namespace_of, object_of

_NODE_NAMESPACES = frozenset(("kube-system", "kube-node-lease"))
_NODE_ACCESS = ("hostNetwork", "hostPID", "hostIPC")
# What loads kernel modules or sets kernel parameters before the application starts cannot do so otherwise.
_NODE_COMMANDS = ("sysctl", "modprobe", "nsenter", "/proc/sys", "/sys/kernel")


def container_is_privileged(container: Resource, context: Context) -> Outcomes:
    """A container neither runs privileged nor adds capabilities that let it out."""
    if container.kind == "compose.service":
        yield from holds_the_host(container, context)
        return
    pod = pod_of(container)
    if is_windows(pod) or _serves_the_node(pod):
        yield Skip("a part of the node itself")
        return
    privileged = container.node.get("securityContext.privileged")
    if privileged is not None and privileged.is_unknown:
        yield cannot(privileged)
    elif privileged is not None and privileged.scalar is True:
        if not _prepares_the_kernel(container):
            yield Hit(privileged.span, {"container": container.address}, address=f"{container.address}/privileged")
        return
    escapes = {str(name).upper() for name in context.params["capabilities"]}
    for added in container.node.items_at("securityContext.capabilities.add"):
        if added.is_unknown:
            yield cannot(added)
            continue
        name = str(added.scalar).upper().removeprefix("CAP_")
        if name in escapes:
            yield Hit(
                added.span,
                {"capability": name, "container": container.address},
                address=f"{container.address}/{name}",
                message="{container} adds the capability {capability}, which lets it take over the node",
            )


def _serves_the_node(pod: Resource) -> bool:
    """Whether the pod is the node's plumbing: a DaemonSet that shares the node's namespaces or mounts its folders."""
    workload = object_of(pod)
    if namespace_of(workload) in _NODE_NAMESPACES:
        return True
    if workload.kind != "k8s.daemonset":
        return False
    shares = any(_is_true(pod.node.get(name)) for name in _NODE_ACCESS)
    return shares or any(volume.get("hostPath") is not None for volume in pod.node.items_at("volumes"))


def _is_true(node: Node | None) -> bool:
    return node is not None and node.scalar is True


def _prepares_the_kernel(container: Resource) -> bool:
    if container.kind != "k8s.initcontainer":
        return False
    words = [*container.node.items_at("command"), *container.node.items_at("args")]
    return any(mark in (word.text or "") for word in words for mark in _NODE_COMMANDS)
