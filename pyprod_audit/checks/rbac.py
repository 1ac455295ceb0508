"""Rights that a workload's service account has and no web service needs."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final, NamedTuple

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.link.network import nearest
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import name_of, namespace_of, object_of

_ADMIN: Final = "cluster-admin"
_NO_LOGIN: Final = frozenset({"system:anonymous", "system:unauthenticated"})
_EVERYBODY: Final = _NO_LOGIN | {"system:authenticated", "system:serviceaccounts"}
# Roles that write to everything in a namespace; edit and admin read its secrets too.
# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
_WRITERS: Final = frozenset({"admin", "edit"})
# What the API server itself binds for everybody.
_PUBLIC_ROLES: Final = frozenset({"system:public-info-viewer", "system:discovery", "system:basic-user"})
_LISTS: Final = frozenset({"list", "watch", "*"})
_READS: Final = _LISTS | {"get"}
# Groups of the API server itself; others, also of *.k8s.io, are what an operator or adapter brings.
_BUILT_IN: Final = frozenset({
    "*", "admissionregistration.k8s.io", "apiextensions.k8s.io", "certificates.k8s.io", "networking.k8s.io",
    "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
})  # fmt: skip
# Resources that lead to other rights, or to code in other pods.
_POWERFUL: Final = frozenset({
    "clusterrolebindings", "clusterroles", "cronjobs", "daemonsets", "deployments", "jobs", "nodes", "pods",
    "pods/attach", "pods/exec", "replicasets", "rolebindings", "roles", "secrets", "serviceaccounts",
    "serviceaccounts/token", "statefulsets",
})  # fmt: skip
# Controllers whose work it is to read secrets or to manage all of something.
_CONTROLLERS: Final = (
    "argocd", "calico", "cert-manager", "cluster-autoscaler", "external-secrets", "flux", "gatekeeper", "ingress-nginx",
    "istio", "keda", "kube-state-metrics", "kyverno", "linkerd", "metallb", "nginx-ingress", "prometheus-operator",
    "rancher", "reloader", "sealed-secrets", "system:", "tekton", "traefik", "velero",
)  # fmt: skip


class _Grant(NamedTuple):
    """A binding of a role to an account, and a pod that runs as this account."""

    binding: Resource
    account: str
    pod: Resource

    @property
    def scope(self) -> str:
        if self.binding.kind == "k8s.clusterrolebinding":
            return "every namespace"
        return f"the namespace {namespace_of(self.binding)}" if namespace_of(self.binding) else "its namespace"


def excessive_rights(resource: Resource, context: Context) -> Outcomes:
    """A binding to cluster-admin, or a role of a workload with wildcards or all secrets."""
    if resource.kind in ("k8s.rolebinding", "k8s.clusterrolebinding"):
        yield from _binding(resource)
    else:
        yield from _role(resource, context.repository)


def _binding(binding: Resource) -> Outcomes:
    role = binding.node.get("roleRef.name")
    if role is None or name_of(binding).startswith("system:"):
        yield Skip("it binds nothing")
        return
    if role.is_unknown:
        yield cannot(role)
        return
    for index, subject in enumerate(binding.node.items_at("subjects")):
        account, strangers = _account(subject), subject.text_at("name") in _NO_LOGIN
        if not account or (strangers and role.text in _PUBLIC_ROLES):
            continue
        if role.text == _ADMIN and binding.node.text_at("roleRef.kind") != "Role":
            where = "every namespace" if binding.kind == "k8s.clusterrolebinding" else "its namespace"
            message = "{binding} makes {account} cluster-admin: whoever gets its token may do anything in {where}"
        elif strangers:
            where, message = "", "{binding} gives {account}, which needs no login, the role {role}"
        elif subject.text_at("name") in _EVERYBODY and role.text in _WRITERS:
            where = "every namespace" if binding.kind == "k8s.clusterrolebinding" else "its namespace"
            message = "{binding} gives {account}, and with it every pod of the cluster, the role {role} in {where}"
        else:
            continue
        values = {"binding": binding.address, "account": account, "where": where, "role": role.text}
        related = ((subject.anchor, "who gets it"),)
        yield Hit(role.span, values, related, f"{binding.address}/subjects[{_label(subject, index)}]", message)


def _account(subject: Node) -> str:
    """A service account (or everybody) in words; empty for people and groups of them."""
    kind, name = subject.text_at("kind"), subject.text_at("name") or ""
    if kind == "ServiceAccount":
        namespace = subject.text_at("namespace")
        return f"the service account {namespace}/{name}" if namespace else f"the service account {name}"
    if name in _EVERYBODY or name.startswith(("system:serviceaccounts:", "system:serviceaccount:")):
        return name
    return ""


def _label(subject: Node, index: int) -> str:
    return subject.text_at("name") or str(index)


def _role(role: Resource, repository: Repository) -> Outcomes:
    if name_of(role).startswith(_CONTROLLERS) or posixpath.basename(role.path).startswith(_CONTROLLERS):
        yield Skip("a known controller, which needs what it asks for")
        return
    grant = _grant(role, repository)
    if grant is None:
        yield Skip("no workload of the repository has it")
        return
    for index, rule in enumerate(role.node.items_at("rules")):
        outcome = _judge(role, index, rule, grant)
        if outcome is not None:
            yield outcome


def _judge(role: Resource, index: int, rule: Node, grant: _Grant) -> Hit | Cannot | None:
    verbs, resources, groups = (_texts(rule, key) for key in ("verbs", "resources", "apiGroups"))
    for key in ("verbs", "resources", "apiGroups"):
        listed = rule.get(key)
        unknown = next((one for one in (listed, *listed.items) if one.is_unknown), None) if listed is not None else None
        if unknown is not None:
            return cannot(unknown)
    found = _excess(verbs, resources, groups, named="resourceNames" in rule.mapping, grant=grant)
    if found is None:
        return None
    key, what = found
    values = {
        "role": role.address, "account": grant.account, "workload": object_of(grant.pod).address, "what": what,
        "scope": grant.scope,
    }  # fmt: skip
    place = rule.get(key) or rule
    reference = grant.binding.node.get("roleRef.name") or grant.binding.node
    return Hit(
        place.anchor,
        values,
        related=((reference.anchor, "bound here"), (grant.pod.node.anchor, "runs with it")),
        address=f"{role.address}/rules[{index}]",
        message="{role} lets {workload} (as {account}) {what} in {scope}",
    )


def _excess(
    verbs: frozenset[str], resources: frozenset[str], groups: frozenset[str], *, named: bool, grant: _Grant
) -> tuple[str, str] | None:
    """Which list of a rule goes too far and what it allows; None when it is in proportion."""
    if named or not any(_is_built_in(group) for group in groups):
        return None
    if "*" in resources:
        if "*" in verbs:
            return "resources", f"do anything with {_everything(groups)}"
        if verbs & _READS and groups & {"", "*"}:
            return "resources", "read everything, secrets included,"
        return "resources", f"{_words(verbs)} {_everything(groups)}"
    if "secrets" in resources and groups & {"", "*"}:
        if verbs & _LISTS:
            return "resources", "read every secret"
        if "get" in verbs and grant.binding.kind == "k8s.clusterrolebinding":
            return "resources", "read any secret whose name it knows"
    if "*" in verbs and resources & _POWERFUL:
        return "verbs", f"do anything with {_words(resources & _POWERFUL)}"
    return None


def _is_built_in(group: str) -> bool:
    return group in _BUILT_IN or "." not in group


def _everything(groups: frozenset[str]) -> str:
    return "everything" if groups & {"", "*"} else f"everything of {_words(groups)}"


def _words(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _texts(rule: Node, key: str) -> frozenset[str]:
    return frozenset(one.text for one in rule.items_at(key) if one.text is not None)


def _grant(role: Resource, repository: Repository) -> _Grant | None:
    """How a workload of the repository comes to have the role; the widest scope first."""
    namespace = "" if role.kind == "k8s.clusterrole" else namespace_of(role)
    key = (role.node.text_at("kind") or "", name_of(role), namespace)
    own = together(repository.memo("k8s.bindings_of_role", _bindings).get(key, ()), role, repository)
    pods = repository.memo("k8s.pods_of_account", _pods)
    for binding in sorted(own, key=lambda one: one.kind != "k8s.clusterrolebinding"):
        for subject in binding.node.items_at("subjects"):
            account = _account(subject)
            if subject.text_at("kind") != "ServiceAccount" or not account:
                continue
            namespace = subject.text_at("namespace") or namespace_of(binding)
            running = together(
                (pod for pod in pods.get(subject.text_at("name") or "", ())
                 if not namespace or namespace_of(pod) in ("", namespace)),
                binding, repository,
            )  # fmt: skip
            if running:
                return _Grant(binding, account, nearest(running, binding)[0])
    return None


def _bindings(repository: Repository) -> Mapping[tuple[str, str, str], list[Resource]]:
    """The bindings by kind, name and (of a Role) namespace of what they bind."""
    found: dict[tuple[str, str, str], list[Resource]] = {}
    for binding in repository.of_kind("k8s.rolebinding", "k8s.clusterrolebinding"):
        reference = binding.node.get("roleRef")
        if reference is not None:
            kind = reference.text_at("kind") or ""
            namespace = namespace_of(binding) if kind == "Role" else ""
            found.setdefault((kind, reference.text_at("name") or "", namespace), []).append(binding)
    return found


def _pods(repository: Repository) -> Mapping[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for pod in repository.of_kind("k8s.podspec"):
        account = pod.node.text_at("serviceAccountName") or pod.node.text_at("serviceAccount") or "default"
        found.setdefault(account, []).append(pod)
    return found
