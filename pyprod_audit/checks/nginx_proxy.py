"""nginx and what it passes requests to: targets that exist, and timeouts that agree.

`proxy_read_timeout` is 60 s by default: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout;
gunicorn's `timeout` limits a request only where the worker that answers it also sends the heartbeat, which is the
sync worker: https://gunicorn.org/reference/settings/#timeout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip
from pyprod_audit.checks.ingress import is_ingress_nginx
from pyprod_audit.checks.nginx_view import (
    Endpoint,
    configurations_in,
    endpoints,
    in_official_image,
    is_address,
    is_local,
    last_argument,
    open_ended,
    own_names,
)
from pyprod_audit.link.network import same_namespace
from pyprod_audit.model import Fact, Node, Repository, Resource, Service, Span, Unknown
from pyprod_audit.model.kubernetes import annotations_of, name_of, namespace_of, object_of, place_of
from pyprod_audit.model.patterns import lazy
from pyprod_audit.model.units import duration, in_words

_READ_TIMEOUT = 60.0  # seconds; the default of nginx and of ingress-nginx
_BLOCKS = ("nginx.location", "nginx.if", "nginx.limit_except")
_TIMEOUTS = {"proxy_pass": "proxy_read_timeout", "uwsgi_pass": "uwsgi_read_timeout", "grpc_pass": "grpc_read_timeout"}
_INGRESS_TIMEOUT = "nginx.ingress.kubernetes.io/proxy-read-timeout"
_COMPOSE = lazy(r"(?:^|/)(?:docker-)?compose[\w.-]*\.ya?ml$")
_PORTS = {"http": 80, "https": 443, "": 80}


# -- targets -------------------------------------------------------------------------------------------------


def unknown_target(service: Service, context: Context) -> Outcomes:
    """What the nginx of a workload passes requests to is a Service of the repository, on one of its ports."""
    repository = context.repository
    workload = service.workload
    configurations = configurations_in(service) if workload is not None else frozenset()
    blocks = [block for block in repository.of_kind(*_BLOCKS) if block.path in configurations]
    if workload is None or not blocks or not repository.of_kind("k8s.service"):
        yield Skip("no nginx that is deployed beside Kubernetes Services")
        return
    for block in blocks:
        for endpoint in endpoints(block, repository):
            if isinstance(endpoint, Unknown):
                yield Cannot(block.node.anchor, endpoint.because)
            elif endpoint.host and not is_address(endpoint.host) and not is_local(endpoint.host):
                yield from _looked_up(endpoint, block, workload, repository)


def _looked_up(endpoint: Endpoint, block: Resource, workload: Resource, repository: Repository) -> Outcomes:
    name, *rest = endpoint.host.rstrip(".").split(".")
    if (len(rest) > 1 and rest[1] != "svc") or any(character in endpoint.host for character in "${}"):
        return  # a host of the internet
    namespaces = {namespace_of(one) for one in repository.of_technology("k8s")} - {""}
    if rest and rest[0] not in namespaces:
        return  # another domain, or a namespace that others fill
    named = [one for one in repository.of_kind("k8s.service") if name_of(one) == name]
    found = [one for one in named if (namespace_of(one) or rest[0]) == rest[0]] if rest else [
        one for one in named if same_namespace(one, workload)
    ]  # fmt: skip
    values = {"host": endpoint.host, "workload": workload.address}
    address = f"{block.address}/{endpoint.host}"
    if not found:
        doubt = _made_elsewhere(name, repository)
        if doubt:
            yield Cannot(endpoint.place.anchor, doubt)
        else:
            related = ((place_of(workload), "the workload that nginx runs in"),)
            yield Hit(endpoint.place.anchor, values, related, address)
        return
    port = endpoint.port or _PORTS.get(endpoint.scheme)
    if port is None or any(_takes(one, port) for one in found):
        return
    listed = ", ".join(sorted({str(number) for one in found for number in _ports(one)}))
    message = "nginx passes requests to {host}:{port}, and the Service {host} has the port {listed}"
    ports = found[0].node.get("spec.ports") or found[0].node
    values.update(port=str(port), listed=listed)
    yield Hit(endpoint.place.anchor, values, ((ports.anchor, "the ports of the Service"),), address, message)


def _made_elsewhere(name: str, repository: Repository) -> str:
    """Why a Service of that name may exist although no manifest shows it; "" when there is no reason to think so."""
    for file in repository.files.values():
        if file.kind == "helm-template":
            return "the Helm templates of the repository may create the Service"
        if file.kind in ("compose", "yaml") and _COMPOSE.search(file.path) and f" {name}:\n" in file.text:
            return f"{name} is a service of {file.path}, for which the configuration may be meant"
    for kustomization in repository.of_kind("kustomize.kustomization"):
        if kustomization.node.get("namePrefix") is not None or kustomization.node.get("nameSuffix") is not None:
            return "Kustomize changes the names of Services"
        if any("://" in (one.text or "") for one in kustomization.node.items_at("resources")):
            return "Kustomize brings in resources from elsewhere"
    return ""


def _takes(service: Resource, port: int) -> bool:
    """Whether a Service takes connections on a port; a headless one or one with unknown ports takes any."""
    spec = service.node.get("spec")
    if spec is None or spec.text_at("clusterIP") == "None" or spec.text_at("type") == "ExternalName":
        return True
    numbers = list(_ports(service))
    return port in numbers or len(numbers) < len(spec.items_at("ports")) or not numbers


def _ports(service: Resource) -> Iterator[int]:
    for port in service.node.items_at("spec.ports"):
        number = port.get("port")
        if number is not None and isinstance(number.value, int):
            yield number.value


# -- timeouts ------------------------------------------------------------------------------------------------


def timeouts_disagree(service: Service, context: Context) -> Outcomes:
    """The proxy waits as long as a gunicorn worker may work, and not much longer."""
    process = service.process
    kind, threads = service.fact("app.worker_class"), service.fact("app.threads")
    if process is None or process.server != "gunicorn":
        yield Skip("the service is not run by gunicorn")
        return
    if kind is None or kind.value != "sync" or threads is None or threads.value != 1:
        yield Skip("gunicorn's timeout limits requests only in sync workers")
        return
    proxies = _proxies(service, context.repository)
    timeout = service.fact("app.timeout")
    if not proxies:
        yield Skip("no nginx or ingress-nginx stands in front of it in the repository")
        return
    if timeout is None:
        unknown = service.unknown("app.timeout")
        yield Cannot(process.span, unknown.because if unknown is not None else "gunicorn's timeout is not known")
        return
    if timeout.number <= 0:
        yield Skip("gunicorn's timeout is off")
        return
    for proxy in proxies:
        waits = _ingress_wait(proxy) if proxy.kind == "k8s.ingress" else _nginx_wait(proxy, context.repository)
        if isinstance(waits, Cannot):
            yield waits
        else:
            yield from _compared(proxy, waits, timeout, context)


def _compared(proxy: Resource, waits: Fact, timeout: Fact, context: Context) -> Outcomes:
    values = {
        "wait": _said(waits),
        "timeout": _said(timeout),
        "proxy": "ingress-nginx" if proxy.kind == "k8s.ingress" else "nginx",
        "after": in_words(min(waits.number, timeout.number)),
    }
    related = ((timeout.span, "gunicorn's timeout"),)
    if waits.number < timeout.number:
        yield Hit(waits.span, values, related, proxy.address)
    elif waits.declared and waits.number > context.params["ratio"] * timeout.number:
        message = (
            "{proxy} waits {wait} for an answer, but gunicorn kills a worker after {timeout}: "
            "the client gets a 502 after {after}"
        )
        yield Hit(waits.span, values, related, proxy.address, message)


def _said(fact: Fact) -> str:
    return in_words(fact.number) if fact.declared else f"{in_words(fact.number)} (the default)"


def _proxies(service: Service, repository: Repository) -> list[Resource]:
    """The locations and ingresses that lead to the service."""
    found = [entry for entry in service.entries if entry.kind == "nginx.location"]
    found += [entry for entry in service.entries if entry.kind == "k8s.ingress" and is_ingress_nginx(entry)]
    if service.workload is None:
        for location in repository.of_kind("nginx.location"):
            if any(_leads_to(endpoint, service, repository.services) for endpoint in endpoints(location, repository)):
                found.append(location)
    return list(dict.fromkeys(found))


def _leads_to(endpoint: Endpoint | Unknown, service: Service, services: Sequence[Service]) -> bool:
    """Whether an endpoint is where the service listens: the same socket, or a port that only this service has."""
    if isinstance(endpoint, Unknown):
        return False
    if endpoint.unix:
        socket = service.fact("app.bind_socket")
        return socket is not None and socket.value == endpoint.unix
    port = service.fact("app.bind_port")
    if port is None or endpoint.port is None or port.value != endpoint.port or "." in endpoint.host.strip("0127."):
        return False
    others = [one for one in services if (found := one.fact("app.bind_port")) and found.value == endpoint.port]
    return len(others) == 1


def _nginx_wait(location: Resource, repository: Repository) -> Fact | Cannot:
    own = own_names(location)
    directive = next((name for passed, name in _TIMEOUTS.items() if passed in own), "proxy_read_timeout")
    written = last_argument(location, directive)
    if written is not None:
        return _seconds(written)
    doubt = open_ended(location, inherited=not in_official_image(location.path, repository))
    passed = next((occurrence for name in _TIMEOUTS if (occurrence := _written(location, name)) is not None), None)
    return doubt or Fact(_READ_TIMEOUT, passed or location.node.anchor, "s", declared=False)


def _written(location: Resource, name: str) -> Span | None:
    found = location.node.mapping.get(name)
    return found.items[0].key if found is not None and found.items else None


def _ingress_wait(ingress: Resource) -> Fact | Cannot:
    written = annotations_of(ingress).get(_INGRESS_TIMEOUT)
    if written is not None:
        return _seconds(written)
    return Fact(_READ_TIMEOUT, place_of(object_of(ingress)), "s", declared=False)


def _seconds(written: Node) -> Fact | Cannot:
    if isinstance(written.value, Unknown):
        return Cannot(written.span, written.value.because)
    try:
        return Fact(duration(written.scalar), written.span, "s")
    except ValueError:
        return Cannot(written.span, f"{written.scalar} is not a duration")
