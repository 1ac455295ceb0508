"""Pods that nothing brings back."""

from __future__ import annotations

from typing import Final

from pyprod_audit.checks.api import Context, Hit, Outcomes, Skip
from pyprod_audit.model import Resource
from pyprod_audit.model.kubernetes import annotations_of, name_of, namespace_of
from pyprod_audit.model.patterns import lazy

_HOOKS: Final = (
    "helm.sh/hook",
    "argocd.argoproj.io/hook",
    "kubernetes.io/config.mirror",
    "kubernetes.io/config.source",
)
# Pods for a person at a terminal, and patterns that other programs make pods from.
_ERRANDS: Final = frozenset({
    "debug", "debugger", "tmp", "temp", "shell", "toolbox", "test", "tester", "netshoot", "dnsutils", "curl", "sandbox",
    "playground", "template", "jumpbox", "inspector", "bastion", "manual",
})  # fmt: skip
_PATTERN_WORDS: Final = frozenset({"template", "templates", "jenkins"})
_TOKEN = lazy(r"[^a-z0-9]+")


def bare_pod(pod: Resource, _context: Context) -> Outcomes:
    """A Pod without a controller: when its node goes, it is gone."""
    if pod.node.get("metadata.ownerReferences") is not None:
        yield Skip("it has an owner")
        return
    reason = _reason(pod)
    if reason:
        yield Skip(reason)
        return
    place = pod.node.get("kind") or pod.node
    yield Hit(place.anchor)


def _reason(pod: Resource) -> str:
    """Why nobody misses the pod when it is gone; empty when somebody may."""
    if any(hook in annotations_of(pod) for hook in _HOOKS):
        return "a tool or the kubelet starts it anew each time"
    if namespace_of(pod) == "kube-system":
        return "the kubelet runs it as a static pod"
    if pod.node.text_at("spec.restartPolicy") in ("Never", "OnFailure"):
        return "it is meant to end"
    if not _ERRANDS.isdisjoint(_words(name_of(pod))):
        return "somebody starts it by hand"
    if not _PATTERN_WORDS.isdisjoint(_words(pod.path)) or _has_agent(pod):
        return "a program makes its pods from it"
    return ""


def _has_agent(pod: Resource) -> bool:
    """Jenkins' agents and Airflow's workers have containers with fixed names."""
    names = {one.text_at("name") for one in pod.node.items_at("spec.containers")}
    return "jnlp" in names or ("base" in names and "airflow" in _words(pod.path))


def _words(text: str) -> set[str]:
    return set(_TOKEN.split(text.lower()))
