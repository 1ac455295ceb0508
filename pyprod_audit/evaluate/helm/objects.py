"""What templates find beside `.Values`: `.Chart`, `.Files`, `.Release`, `.Capabilities`.

They are those of `helm template` with Helm 3.19 without a cluster (https://helm.sh/docs/chart_template_guide/builtin_objects/).
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Callable, ItemsView, Iterable, ValuesView
from typing import Final

from pyprod_audit.evaluate.gotemplate.values import Callables, Function, List, Map, Value
from pyprod_audit.evaluate.gotemplate.yaml_text import to_yaml
from pyprod_audit.evaluate.helm.charts import Chart, scalar_text
from pyprod_audit.evaluate.helm.globs import glob
from pyprod_audit.evaluate.helm.values import Part
from pyprod_audit.model import Node, Unknown, Via

RELEASE_NAME: Final = "release-name"
# client-go of Helm 3.19 is v0.34: https://github.com/helm/helm/blob/v3.19.2/Makefile, K8S_MODULES_MINOR_VER
KUBERNETES: Final = "1.34.0"
"""The version of the cluster that nobody asked."""
# `helm template` with `{{ .Capabilities.APIVersions }}`, Helm 3.19.2.
_API_VERSIONS: Final = {
    "": "v1",
    "admissionregistration.k8s.io": "v1 v1alpha1 v1beta1",
    "internal.apiserver.k8s.io": "v1alpha1",
    "apps": "v1 v1beta1 v1beta2",
    "authentication.k8s.io": "v1 v1alpha1 v1beta1",
    "authorization.k8s.io": "v1 v1beta1",
    "autoscaling": "v1 v2 v2beta1 v2beta2",
    "batch": "v1 v1beta1",
    "certificates.k8s.io": "v1 v1beta1 v1alpha1",
    "coordination.k8s.io": "v1alpha2 v1beta1 v1",
    "discovery.k8s.io": "v1 v1beta1",
    "events.k8s.io": "v1 v1beta1",
    "extensions": "v1beta1",
    "flowcontrol.apiserver.k8s.io": "v1 v1beta1 v1beta2 v1beta3",
    "networking.k8s.io": "v1 v1beta1",
    "node.k8s.io": "v1 v1alpha1 v1beta1",
    "policy": "v1 v1beta1",
    "rbac.authorization.k8s.io": "v1 v1beta1 v1alpha1",
    "resource.k8s.io": "v1 v1beta2 v1beta1 v1alpha3",
    "scheduling.k8s.io": "v1alpha1 v1beta1 v1",
    "storage.k8s.io": "v1beta1 v1 v1alpha1",
    "storagemigration.k8s.io": "v1alpha1",
    "apiextensions.k8s.io": "v1beta1 v1",
}
_STABLE: Final = frozenset({"v1", "v2"})
# Served by every cluster, from other programs than the API server's own code.
_OF_OTHERS: Final = frozenset({"apiregistration.k8s.io", "metrics.k8s.io"})
_TEXTS: Final = {
    "Name": "name", "Home": "home", "Version": "version", "Description": "description", "Icon": "icon",
    "APIVersion": "apiVersion", "Condition": "condition", "Tags": "tags", "AppVersion": "appVersion",
    "KubeVersion": "kubeVersion", "Type": "type",
}  # fmt: skip


def release() -> Map:
    """`.Release`: a first installation under Helm's own placeholder for a name."""
    return Map({
        "Name": RELEASE_NAME, "Namespace": "default", "IsUpgrade": False, "IsInstall": True, "Revision": 1,
        "Service": "Helm",
    })  # fmt: skip


def capabilities() -> Callables:
    """`.Capabilities` of a cluster that was not asked."""
    version = f"v{KUBERNETES}"
    major, minor, _ = KUBERNETES.split(".")
    kubernetes = Callables({"Version": version, "Major": major, "Minor": minor}, {"GitVersion": lambda: version})
    helm = Callables({"Version": "v3.19.2", "GitCommit": "", "GitTreeState": "clean", "GoVersion": ""}, {})
    return Callables({"KubeVersion": kubernetes, "APIVersions": Versions(), "HelmVersion": helm}, {})


class Versions(Callables, List):
    """`.Capabilities.APIVersions`: as in Go, a slice of texts that has a method."""

    go_type = "chartutil.VersionSet"

    def __init__(self) -> None:
        versions = ((group, name) for group, names in _API_VERSIONS.items() for name in names.split())
        List.__init__(self, (f"{group}/{name}" if group else name for group, name in versions))
        Callables.__init__(self, {}, {"Has": _has_version})


def _has_version(version: str) -> bool | Unknown:
    """What `helm template` answers, unless clusters answer otherwise.

    Without a cluster Helm knows the versions of its own client: those that clusters serve no longer, and not all that
    they do serve, nor their kinds (`apps/v1/Deployment`). Custom resources count as absent.
    """
    group, _, name = str(version).rpartition("/")
    kind = ""
    if group.rpartition("/")[2] in _API_VERSIONS.get(group.rpartition("/")[0], "").split():
        (group, _, name), kind = group.rpartition("/"), name
    known = name in _API_VERSIONS.get(group, "").split()
    if (known and (kind or name not in _STABLE)) or group in _OF_OTHERS:
        return Unknown(f".Capabilities.APIVersions.Has {version}", "clusters and helm without one answer differently")
    return known


def chart_object(part: Part, *, is_root: bool) -> Callables:
    """`.Chart`: the fields of Chart.yaml, empty where it has none."""
    node = part.chart.node
    fields = Map()
    for name, key in _TEXTS.items():
        found = node.get(key)
        fields[name] = scalar_text(found)
        if found is not None:
            fields.places[name] = (Via(found.anchor, "set by Chart.yaml"),)
    fields["Name"] = part.name
    fields["APIVersion"] = fields["APIVersion"] or "v1"
    fields["Sources"] = List(scalar_text(one) for one in node.items_at("sources"))
    fields["Keywords"] = List(scalar_text(one) for one in node.items_at("keywords"))
    fields["Maintainers"] = List(_maintainer(one) for one in node.items_at("maintainers"))
    fields["Deprecated"] = _is_true(node.get("deprecated"))
    fields["Annotations"] = Map({key: scalar_text(one) for key, one in node.mapping_at("annotations").items()})
    fields["Dependencies"] = List(
        Callables({"Name": one.key, "Version": one.version, "Repository": one.repository, "Alias": one.alias,
                   "Condition": one.condition, "Tags": List(one.tags), "Enabled": True}, {})
        for one in part.wanted
    )  # fmt: skip
    fields["IsRoot"] = is_root
    return Callables(fields, {})


def files_object(chart: Chart) -> Files:
    """`.Files`: what the chart has besides templates, sub-charts and its own description."""
    return Files(chart, chart.file_names)


class Files(Callables, Map):
    """Names of files and what is in them, read when asked for; as in Go, a map of bytes that has methods."""

    go_type = "engine.files"

    def __init__(self, chart: Chart, names: Iterable[str]) -> None:
        Map.__init__(self, dict.fromkeys(sorted(names)))
        methods: dict[str, Function] = {
            "Get": self._text, "GetBytes": lambda name: self.get(name, b""), "Lines": self._lines, "Glob": self._glob,
            "AsConfig": lambda: self._yaml(self._text), "AsSecrets": lambda: self._yaml(self._encoded),
        }  # fmt: skip
        Callables.__init__(self, self, methods)
        self._chart = chart

    def __getitem__(self, name: str) -> Value:
        value = dict.__getitem__(self, name)
        if value is None:
            data = self._chart.origin.data(name)
            if data is None:
                source = self._chart.origin.text(name)
                data = source.text.encode("utf-8", "replace") if source is not None else None
            value = data if data is not None else Unknown(name, f"{name} cannot be read")
            self[name] = value
        return value

    def get(self, name: str, default: Value = None) -> Value:
        """The bytes of a file."""
        return self[name] if name in self else default  # noqa: SIM401 - this is that method

    def items(self) -> ItemsView[str, Value]:  # type: ignore[override]  # a view of another dict, which none can tell
        """All names, and what is in them."""
        return {name: self[name] for name in self}.items()

    def values(self) -> ValuesView[Value]:  # type: ignore[override]  # likewise
        """What is in all of them."""
        return {name: self[name] for name in self}.values()

    def _text(self, name: Value) -> Value:
        data = self.get(str(name), b"")
        if isinstance(data, Unknown):
            return data
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return Unknown(str(name), f"{name} is not a text file")

    def _encoded(self, name: str) -> Value:
        data = self[name]
        return data if isinstance(data, Unknown) else base64.b64encode(data).decode()

    def _lines(self, name: Value) -> Value:
        text = self._text(name)
        return List(text.removesuffix("\n").split("\n") if text else ()) if isinstance(text, str) else text

    def _glob(self, pattern: Value) -> Files:
        return Files(self._chart, (name for name in self if glob(str(pattern), name)))

    def _yaml(self, read: Callable[[str], Value]) -> Value:
        made = Map()
        for name in self:
            text = read(name)
            if isinstance(text, Unknown):
                return text
            made[posixpath.basename(name)] = text
        return to_yaml(made, lambda unknown, _: unknown.expression)


def _maintainer(node: Node) -> Callables:
    return Callables({name: scalar_text(node.get(name.lower())) for name in ("Name", "Email", "URL")}, {})


def _is_true(node: Node | None) -> bool:
    return node is not None and node.scalar is True
