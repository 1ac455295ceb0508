"""Facts of a Kubernetes workload: how many pods, how long they may take to stop, what they may use."""

from __future__ import annotations

from pyprod_audit.link.kustomizations import unevaluated
from pyprod_audit.link.network import nearest, same_namespace
from pyprod_audit.link.variants import exclude_each_other, together
from pyprod_audit.model import Fact, Node, Repository, Resource, Unknown
from pyprod_audit.model.kubernetes import name_of, place_of
from pyprod_audit.model.units import quantity

_SCALED = {"k8s.deployment", "k8s.statefulset", "k8s.replicaset", "k8s.replicationcontroller", "k8s.rollout"}
_GRACE = 30  # seconds; Kubernetes API reference, PodSpec.terminationGracePeriodSeconds


def facts(workload: Resource, pod: Resource, container: Resource, repository: Repository) -> dict[str, Fact | Unknown]:
    """The facts `k8s.*` of one container of a workload."""
    found: dict[str, Fact | Unknown] = {}
    grace = pod.node.get("terminationGracePeriodSeconds")
    found["k8s.termination_grace"] = (
        Fact(_GRACE, pod.node.anchor, "s", declared=False) if grace is None else number(grace, "s")
    )
    prestop = prestop_seconds(container)
    if prestop is not None:
        found["k8s.prestop"] = prestop
    found.update(_replicas(workload, repository))
    for kind in ("requests", "limits"):
        for resource, unit in (("cpu", "cores"), ("memory", "bytes")):
            node = container.node.get(f"resources.{kind}.{resource}")
            if node is not None:
                found[f"k8s.{resource}_{kind[:-1]}"] = number(node, unit)
    return found


def number(node: Node, unit: str = "") -> Fact | Unknown:
    """A number or quantity as a fact."""
    if isinstance(node.value, Unknown):
        return node.value
    try:
        return Fact(quantity(node.scalar), node.span, unit)
    except ValueError:
        return Unknown(str(node.scalar), f"{node.scalar!r} is not a quantity")


def prestop_seconds(container: Resource) -> Fact | Unknown | None:
    """How long the preStop hook sleeps: `sleep` action or an `exec` of sleep; None without a hook."""
    hook = container.node.get("lifecycle.preStop")
    if hook is None:
        return None
    if isinstance(hook.value, Unknown):
        return hook.value
    seconds = hook.get("sleep.seconds")
    if seconds is not None:
        return number(seconds, "s")
    words = hook.items_at("exec.command")
    text = " ".join(word.text or "" for word in words)
    tokens = text.replace(";", " ").replace("&&", " ").replace("&", " ").split()
    total, at = 0.0, False
    for token in tokens:
        if at:
            try:
                total += float(token.removesuffix("s"))
            except ValueError:
                return Unknown(text, "how long the preStop command takes is not written in it")
        at = token.rsplit("/", 1)[-1] == "sleep"
    if total:
        return Fact(total, hook.anchor, "s")
    return Unknown(text or "preStop", "how long the preStop hook takes is not known")


def autoscalers(workload: Resource, repository: Repository) -> list[Resource]:
    """The HorizontalPodAutoscalers and KEDA ScaledObjects that target `workload`."""
    by_target = repository.memo("link.scalers_by_target", _scalers_by_target)
    candidates = by_target.get((workload.kind, name_of(workload)), ())
    own = [one for one in candidates if same_namespace(one, workload) and _is_nearest(workload, one, repository)]
    return nearest(together(own, workload, repository), workload)


def _is_nearest(workload: Resource, scaler: Resource, repository: Repository) -> bool:
    """Whether no other copy of the workload (another variant of the deployment) stands nearer to the autoscaler."""
    by_name = repository.memo("link.workloads_by_name", _workloads_by_name)
    copies = [
        one for one in by_name.get((workload.kind, name_of(workload)), ())
        if same_namespace(one, scaler) and not exclude_each_other(one, scaler, repository)
    ]  # fmt: skip
    return workload in nearest(copies, scaler)


def _workloads_by_name(repository: Repository) -> dict[tuple[str, str], list[Resource]]:
    found: dict[tuple[str, str], list[Resource]] = {}
    for workload in repository.of_kind(*sorted(_SCALED)):
        found.setdefault((workload.kind, name_of(workload)), []).append(workload)
    return found


def replica_range(scaler: Resource) -> tuple[Node | int, Node | int | None]:
    """The fewest and the most pods that an autoscaler may set: what is written, else the default.

    An HPA has 1 at least and no default at most. KEDA has 0 and 100, and goes down to `idleReplicaCount` where one is
    set: https://keda.sh/docs/latest/reference/scaledobject-spec/.
    """
    get = scaler.node.get
    if scaler.kind == "k8s.scaledobject":
        return get("spec.idleReplicaCount") or get("spec.minReplicaCount") or 0, get("spec.maxReplicaCount") or 100
    return get("spec.minReplicas") or 1, get("spec.maxReplicas")


def _scalers_by_target(repository: Repository) -> dict[tuple[str, str], list[Resource]]:
    found: dict[tuple[str, str], list[Resource]] = {}
    for scaler in repository.of_kind("k8s.horizontalpodautoscaler", "k8s.scaledobject"):
        target = scaler.node.get("spec.scaleTargetRef")
        name = target.text_at("name") if target is not None else None
        if target is not None and name is not None:
            kind = (target.text_at("kind") or "Deployment").lower()
            found.setdefault((f"k8s.{kind}", name), []).append(scaler)
    return found


def _most_in_overlays(workload: Resource, repository: Repository) -> Fact | None:
    """The greatest number of pods that kustomizations which were not evaluated give a workload of this name."""
    if workload.variant:
        return None
    by_name = repository.memo("link.kustomize_replicas", _overlay_replicas)
    return by_name.get(name_of(workload))


def _overlay_replicas(repository: Repository) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    for kustomization in unevaluated(repository):
        for entry in kustomization.node.items_at("replicas"):
            name, count = entry.text_at("name"), entry.get("count")
            if name is None or count is None or not isinstance(count.scalar, int):
                continue
            if name not in found or found[name].number < count.scalar:
                found[name] = Fact(count.scalar, count.span)
    return found


def _replicas(workload: Resource, repository: Repository) -> dict[str, Fact | Unknown]:
    if workload.kind not in _SCALED:
        return {}
    declared = workload.node.get("spec.replicas")
    replicas: Fact | Unknown = Fact(1, place_of(workload), declared=False) if declared is None else number(declared)
    found: dict[str, Fact | Unknown] = {
        "k8s.replicas": replicas, "k8s.min_replicas": replicas, "k8s.max_replicas": replicas,
    }  # fmt: skip
    if (most := _most_in_overlays(workload, repository)) is not None:
        if not isinstance(replicas, Fact) or most.number > replicas.number:
            found["k8s.max_replicas"] = most
    for scaler in autoscalers(workload, repository):
        for name, bound in zip(("k8s.min_replicas", "k8s.max_replicas"), replica_range(scaler), strict=True):
            if bound is not None:
                found[name] = (
                    number(bound) if isinstance(bound, Node) else Fact(bound, place_of(scaler), declared=False)
                )
    return found
