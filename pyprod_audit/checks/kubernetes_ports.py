"""Which ports containers declare and servers listen on, and the Services that ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pyprod_audit.checks import kubernetes_origins as origins
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.kubernetes_selection import select
from pyprod_audit.link.network import nearest
from pyprod_audit.model import Fact, Node, Repository, Resource, Service, Span, Unknown

_QUOTED = (
    '{address}: {field} is "{port}", text without a letter: the API server takes it for the name of a port and refuses '
    "the object"
)


def quoted_number(node: Node) -> bool:
    """Whether a port is a number in quotes: https://kubernetes.io/docs/reference/kubernetes-api/ wants a name there."""
    return node.text is not None and node.text.strip().isdigit()


def quoted_hit(node: Node, field: str, address: str) -> Hit:
    """The finding for a number in quotes."""
    return Hit(node.span, {"field": field, "port": node.text}, address=address, message=_QUOTED)


def services_by_container(repository: Repository) -> Mapping[int, Service]:
    """The service that each container runs, by `id(container)`."""

    def build(repo: Repository) -> dict[int, Service]:
        return {id(service.container): service for service in repo.services if service.container is not None}

    return repository.memo("checks.service_of_container", build)


def bind_port(container: Resource, repository: Repository) -> Fact | None:
    """The port that the server in a container listens on, when nothing can change it."""
    service = services_by_container(repository).get(id(container))
    fact = service.fact("app.bind_port") if service is not None else None
    return fact if fact is not None and (fact.declared or not fact.label) else None


def bind_ports(containers: Sequence[Resource], repository: Repository) -> dict[int, Fact] | None:
    """The known port of each container, by `id(container)`; None when one of them is not known."""
    found = {}
    for container in containers:
        fact = bind_port(container, repository)
        if fact is None:
            return None
        found[id(container)] = fact
    return found


def declared(container: Resource) -> tuple[set[int], Node | None]:
    """The numbers of the ports that a container declares, and a node that leaves others open."""
    numbers: set[int] = set()
    ports = container.node.get("ports")
    unknown = ports if ports is not None and ports.is_unknown else None
    for port in ports.items if ports is not None else ():
        number = port if port.is_unknown else port.get("containerPort")
        if number is not None and isinstance(number.scalar, int):
            numbers.add(number.scalar)
        elif number is not None and number.is_unknown:
            unknown = unknown or number
    return numbers, unknown


def ports_in_words(container: Resource) -> str:
    """`http 8000, 9090`, or `no ports`."""
    shown = []
    for port in container.node.items_at("ports"):
        name, number = port.text_at("name"), port.get("containerPort")
        written = "" if number is None or number.scalar is None else str(number.scalar)
        shown.append(f"{name} {written}".strip() if name else written)
    return ", ".join(one for one in shown if one) or "no ports"


def mentioned(port: int, container: Resource, repository: Repository) -> str:
    """The file of a container's command or image that contains the number: it may listen there too."""
    service = services_by_container(repository).get(id(container))
    pattern = re.compile(rf"(?<![\w.]){port}(?![\w.])")
    for word in service.process.argv if service is not None and service.process is not None else ():
        if pattern.search(word.value.expression if isinstance(word.value, Unknown) else str(word.scalar)):
            return word.source.path
    for module in service.modules if service is not None else ():
        if pattern.search(module.source.text):
            return module.path
    return ""


def asks_for(service: Resource) -> Iterator[Node]:
    """The target of each port of a Service; a port without `targetPort` is its own."""
    for port in service.node.items_at("spec.ports"):
        target = port.get("targetPort")
        if target is None or target.value is None:
            target = port.get("port")
        if target is not None:
            yield target


def target_port_unknown(service: Resource, context: Context) -> Outcomes:
    """A Service that sends requests to a port that its pods do not have."""
    selector = service.node.get("spec.selector")
    if selector is None or not selector.mapping or service.node.text_at("spec.type") == "ExternalName":
        yield Skip("it selects no pods")
        return
    repository = context.repository
    pods = nearest(select(selector, service, repository).sure, service)
    if not pods:
        yield Skip("its pods are not in the repository")
        return
    for index, port in enumerate(service.node.items_at("spec.ports")):
        name = port.text_at("name") or index
        target = port.get("targetPort")
        if target is None or target.value is None:
            target = port.get("port")
        if target is not None:
            yield from _judge(service, f"{service.address}/ports[{name}]", port, target, pods, context)


def _judge(
    service: Resource, address: str, port: Node, target: Node, pods: Sequence[Resource], context: Context
) -> Outcomes:
    if target.is_unknown:
        yield cannot(target)
    elif quoted_number(target):
        yield quoted_hit(target, "targetPort", address)
    elif target.text is not None:
        yield from _named(address, port, target, pods, context)
    elif isinstance(target.scalar, int) and service.node.text_at("spec.clusterIP") != "None":
        # clients of a headless Service talk to the pods directly: it forwards nothing
        alone = len(service.node.items_at("spec.ports")) == 1
        yield from _numbered(address, target, pods, context, alone=alone)


def _named(address: str, port: Node, target: Node, pods: Sequence[Resource], context: Context) -> Outcomes:
    protocol = port.text_at("protocol") or "TCP"
    containers = [one for pod in pods for one in containers_of(pod, context.repository)]
    other_protocol: tuple[Span, str] | None = None
    for container in containers:
        for declared_port in container.node.items_at("ports"):
            name = declared_port.get("name")
            if declared_port.is_unknown or (name is not None and name.is_unknown):
                yield cannot(declared_port if name is None else name)
                return
            if name is not None and name.text == target.text:
                spoken = declared_port.get("protocol")
                if (spoken.text if spoken is not None else "TCP") in (protocol, None):
                    return
                other_protocol = (name.span, f"declared for {spoken.text if spoken else 'TCP'}")
    doubt = _doubt(pods, context.repository)
    if doubt:
        yield doubt
        return
    if other_protocol is not None:
        yield Hit(
            target.span, {"port": target.text, "protocol": protocol, "found": other_protocol[1]}, (other_protocol,),
            address, '{address} sends {protocol} to the port "{port}", which its pods have {found} only',
        )  # fmt: skip
        return
    yield Hit(
        target.span, {"port": target.text, "declared": _declared_in_words(containers)}, _places(containers), address,
        '{address} sends requests to the port "{port}", but its pods declare {declared}',
    )  # fmt: skip


def _numbered(address: str, target: Node, pods: Sequence[Resource], context: Context, *, alone: bool) -> Outcomes:
    """A target that is a number; `alone`: it is the only port of its Service."""
    number, repository = target.scalar, context.repository
    containers = [one for pod in pods for one in containers_of(pod, repository)]
    open_node = None
    for container in containers:
        numbers, unknown = declared(container)
        if number in numbers:
            return
        open_node = open_node or unknown
    if open_node is not None:
        yield cannot(open_node)
        return
    known = bind_ports(containers, repository)
    if known is None:
        if not any(_is(bind_port(container, repository), number) for container in containers):
            yield (_asked_elsewhere(address, target, containers, repository) if alone else None) or Cannot(
                target.span, f"no container declares port {number}; whether one listens there is not known"
            )
        return
    if any(_is(fact, number) for fact in known.values()):
        return
    where = next((path for one in containers if (path := mentioned(int(str(number)), one, repository))), "")
    doubt = Cannot(target.span, f"{where} mentions port {number}") if where else _doubt(pods, repository)
    if doubt:
        yield doubt
        return
    listens = ", ".join(sorted({f"{fact.value:g}" for fact in known.values() if not isinstance(fact.value, str)}))
    yield Hit(
        target.span, {"port": number, "declared": _declared_in_words(containers), "listens": listens},
        tuple((fact.span, f"listens on {fact.value:g}") for fact in known.values() if not isinstance(fact.value, str)),
        address,
        "{address} sends requests to port {port}, but its pods declare {declared} and listen on {listens}",
    )  # fmt: skip


def _asked_elsewhere(address: str, target: Node, containers: Sequence[Resource], repository: Repository) -> Hit | None:
    """The finding for a pod of one container whose only port has another number, and whose probe asks that port."""
    if len(containers) != 1:
        return None
    (container,) = containers
    ports = container.node.items_at("ports")
    if len(ports) != 1 or ports[0].text_at("protocol") not in (None, "TCP"):
        return None
    number, name = ports[0].get("containerPort"), ports[0].text_at("name")
    asked = container.node.get("readinessProbe.httpGet.port") or container.node.get("readinessProbe.tcpSocket.port")
    if number is None or asked is None or asked.scalar not in (number.scalar, name):
        return None
    if mentioned(int(str(target.scalar)), container, repository) or origins.changes(container, repository):
        return None
    return Hit(
        target.span, {"port": target.scalar, "declared": ports_in_words(container)},
        ((asked.span, "is ready when this port answers"), *_places(containers)), address,
        "{address} sends requests to port {port}, but its pods declare {declared} only and are probed there",
    )  # fmt: skip


def containers_of(pod: Resource, repository: Repository) -> list[Resource]:
    """The containers that run beside each other in a pod: its containers and native sidecars."""
    sidecars = [
        one for one in repository.children(pod, "k8s.initcontainer") if one.node.text_at("restartPolicy") == "Always"
    ]
    return [*repository.children(pod, "k8s.container"), *sidecars]


def _is(fact: Fact | None, number: object) -> bool:
    return fact is not None and fact.value == number


def _doubt(pods: Sequence[Resource], repository: Repository) -> Cannot | None:
    return next((found for pod in pods if (found := origins.changes(pod, repository))), None)


def _declared_in_words(containers: Sequence[Resource]) -> str:
    words = list(dict.fromkeys(ports_in_words(container) for container in containers))
    declared_ones = [word for word in words if word != "no ports"]
    return ", ".join(declared_ones[:4]) or "no ports"


def _places(containers: Sequence[Resource]) -> tuple[tuple[Span, str], ...]:
    found = []
    for container in containers[:3]:
        ports = container.node.get("ports")
        name = container.node.text_at("name") or "container"
        found.append(((ports or container.node).anchor, f"{name} declares {ports_in_words(container)}"))
    return tuple(found)
