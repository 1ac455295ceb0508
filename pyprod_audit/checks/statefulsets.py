"""What a StatefulSet rests on: a headless Service for its names, volumes for its data."""

from __future__ import annotations

import posixpath

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.rollout import Replicas, least_replicas
from pyprod_audit.link.datastores import datastores, volumes_of
from pyprod_audit.link.network import nearest, same_namespace, services_of
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, Repository, Resource
from pyprod_audit.model.kubernetes import name_of


def stateful_gaps(workload: Resource, context: Context) -> Outcomes:
    """A StatefulSet without its headless Service; a database whose data dies with the pod."""
    if workload.kind == "k8s.statefulset":
        yield from _governing_service(workload, context.repository)
    yield from _lost_data(workload, context.repository)


def _governing_service(workload: Resource, repository: Repository) -> Outcomes:
    name = workload.node.get("spec.serviceName")
    if name is None or not name.value:
        return  # optional; its pods then have no names of their own, and nobody asks for any
    if name.is_unknown:
        yield cannot(name)
        return
    replicas = least_replicas(workload, repository)
    several = isinstance(replicas, Replicas) and replicas.number > 1
    named = [
        one for one in repository.of_kind("k8s.service") if name_of(one) == name.text and same_namespace(one, workload)
    ]
    named = together(named, workload, repository)
    if any(_is_headless(service) for service in named):
        return
    unknown = next((ip for one in named if (ip := one.node.get("spec.clusterIP")) is not None and ip.is_unknown), None)
    if unknown is not None:
        yield cannot(unknown)
        return
    if named:
        if not several:
            return  # a single pod is reached through the Service's own address just as well
        doubt = next((one for service in named if (one := origins.changes(service, repository))), None)
        service = nearest(named, workload)[0]
        place = service.node.get("spec.clusterIP") or service.node.get("spec") or service.node
        yield doubt or Hit(
            name.span,
            {"service": service.address, "pod": f"{name_of(workload)}-0.{name.text}"},
            ((place.anchor, "has a cluster IP: set clusterIP: None"),),
            message="{address} is governed by {service}, which is not headless: names such as {pod} do not resolve",
        )
        return
    yield from _no_service(workload, name, repository, several=several)


def _no_service(workload: Resource, name: Node, repository: Repository, *, several: bool) -> Outcomes:
    pod = next(iter(repository.children(workload, "k8s.podspec")), None)
    if not several and pod is not None and services_of(pod, repository):
        return  # one pod, and clients have another Service to reach it by
    folder = posixpath.dirname(workload.path)
    services = together(repository.of_kind("k8s.service"), workload, repository)
    if not any(posixpath.dirname(one.path) == folder for one in services):
        yield Cannot(name.span, f"no Service stands beside it: {name.text} may be deployed from elsewhere")
        return
    yield origins.additions(workload, repository) or Hit(
        name.span,
        {"service": name.text, "pod": f"{name_of(workload)}-0.{name.text}"},
        message="{address} is governed by the Service {service}, which does not exist: names such as {pod} do not "
        "resolve",
    )


def _is_headless(service: Resource) -> bool:
    return service.node.text_at("spec.clusterIP") == "None"


def _lost_data(workload: Resource, repository: Repository) -> Outcomes:
    stores = [one for one in datastores(repository) if one.runs_as == "container" and _owner(one.resource) is workload]
    if not stores:
        if workload.kind != "k8s.statefulset":
            yield Skip("it runs no database")
        return
    for store in stores:
        if store.lasting is None:
            yield Cannot(store.span, "its volumes are known only at deploy time")
        elif store.lasting is False:
            doubt = origins.changes(workload, repository)
            if doubt:
                yield doubt
                continue
            volume = next(
                (
                    volume
                    for _, volume in volumes_of(store.resource)
                    if volume is not None and volume.get("emptyDir") is not None
                ),
                None,
            )
            related = ((volume.anchor, "dies with the pod"),) if volume is not None else ()
            where = "an emptyDir" if volume is not None else "the container's own layer"
            yield Hit(
                store.span,
                {"container": store.resource.address, "database": store.kind, "where": where},
                related,
                f"{store.resource.address}/data",
                "{container}: {database} keeps its data in {where}: it is lost with the pod",
            )


def _owner(container: Resource) -> Resource | None:
    pod = container.parent
    return pod.parent if pod is not None else None
