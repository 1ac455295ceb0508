"""What leads traffic into a cluster: Ingresses, Gateways, and Services that go around them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from pyprod_audit.checks import compose_ports
from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.nginx_view import is_public
from pyprod_audit.link.network import nearest, same_namespace
from pyprod_audit.link.variants import together
from pyprod_audit.model import Node, Repository, Resource, Service, Unknown
from pyprod_audit.model.kubernetes import annotations_of, name_of, place_of

_PREFIX = "nginx.ingress.kubernetes.io/"
_SNIPPETS = (
    "configuration-snippet", "server-snippet", "stream-snippet", "auth-snippet", "modsecurity-snippet",
)  # fmt: skip
# Certificates that other controllers are given by annotation, or TLS that is switched on in the controller.
_CERTIFICATES = (
    "alb.ingress.kubernetes.io/certificate-arn", "networking.gke.io/managed-certificates",
    "networking.gke.io/pre-shared-certs", "ingress.gcp.kubernetes.io/pre-shared-cert", "networking.gke.io/certmap",
    "route.openshift.io/termination", "appgw.ingress.kubernetes.io/appgw-ssl-certificate",
    "service.beta.kubernetes.io/aws-load-balancer-ssl-cert",
)  # fmt: skip
_TRAEFIK = ("traefik.ingress.kubernetes.io/router.tls", "traefik.ingress.kubernetes.io/router.entrypoints")
_INTERNAL = {
    "networking.gke.io/load-balancer-type": "internal",
    "cloud.google.com/load-balancer-type": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "service.beta.kubernetes.io/oci-load-balancer-internal": "true",
    "service.beta.kubernetes.io/openstack-internal-load-balancer": "true",
    "service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type": "private",
    "alb.ingress.kubernetes.io/scheme": "internal",
    "kubernetes.io/ingress.class": "gce-internal",
}
_INTERNAL_CLASSES = ("internal", "private")
# Controllers that reach pods inside the cluster, so that a NodePort serves only those who go around them.
_NEEDS_NO_NODE_PORT = ("nginx", "traefik", "haproxy", "contour", "kong", "istio", "cilium", "ambassador")


def ingress_class(ingress: Resource) -> str:
    """The class an Ingress asks for, by field or by the older annotation; "" when it names none."""
    named = ingress.node.get("spec.ingressClassName") or annotations_of(ingress).get("kubernetes.io/ingress.class")
    if named is None:
        return ""
    return named.value.expression if isinstance(named.value, Unknown) else str(named.scalar)


def is_ingress_nginx(ingress: Resource) -> bool:
    """Whether an Ingress is meant for the ingress-nginx controller: its class or its annotations say so."""
    return ingress_class(ingress) == "nginx" or any(key.startswith(_PREFIX) for key in annotations_of(ingress))


def snippets(ingress: Resource, _context: Context) -> Outcomes:
    """No annotation puts raw nginx configuration into the controller."""
    found = False
    for name in _SNIPPETS:
        written = annotations_of(ingress).get(_PREFIX + name)
        if written is not None:
            found = True
            yield Hit(written.key or written.anchor, {"annotation": name}, address=f"{ingress.address}/{name}")
    if not found and not is_ingress_nginx(ingress):
        yield Skip("it is not for ingress-nginx")


# -- TLS -----------------------------------------------------------------------------------------------------


def plaintext(entry: Resource, context: Context) -> Outcomes:
    """Every host that is let in is let in over TLS."""
    if entry.kind == "k8s.ingress":
        yield from _ingress_plaintext(entry)
    elif (entry.node.text_at("apiVersion") or "").startswith("networking.istio.io/"):
        yield from _istio_plaintext(entry)
    else:
        yield from _gateway_plaintext(entry, context.repository)


def _ingress_plaintext(ingress: Resource) -> Outcomes:
    annotations = annotations_of(ingress)
    if _is_internal(annotations) or any(word in ingress_class(ingress) for word in _INTERNAL_CLASSES):
        yield Skip("it is reached from inside only")
        return
    if any(name in annotations for name in _CERTIFICATES):
        return
    for name in _TRAEFIK:
        if name in annotations:
            yield Cannot(annotations[name].span, "Traefik ends TLS where its entry points say so")
            return
    spec = ingress.node.get("spec")
    tls = spec.get("tls") if spec is not None else None
    entries = tls.items if tls is not None else ()
    if tls is not None and (tls.is_unknown or any(entry.is_unknown for entry in entries)):
        yield cannot(tls)
        return
    if any(entry.get("hosts") is None for entry in entries):
        return  # without hosts the certificate is for all of them
    covered = [host for entry in entries for host in entry.items_at("hosts")]
    hosts = [host for rule in ingress.node.items_at("spec.rules") if (host := rule.get("host")) is not None]
    if not hosts and not entries:
        yield Skip("it names no host")
    for host in hosts:
        if host.is_unknown or any(one.is_unknown for one in covered):
            if not any(_written(one) == _written(host) for one in covered):
                yield cannot(host if host.is_unknown else covered[0])
        elif is_public(str(host.scalar)) and not any(_covers(one, host) for one in covered):
            related = tuple((one.span, "a host with TLS") for one in covered[:1])
            yield Hit(host.span, {"host": host.scalar}, related, f"{ingress.address}/{host.scalar}")


def _written(node: Node) -> str:
    return node.value.expression if isinstance(node.value, Unknown) else str(node.scalar)


def _covers(certificate: Node, host: Node) -> bool:
    """Whether a certificate's host is the rule's, or a wildcard over its first label."""
    one, other = _written(certificate).lower(), _written(host).lower()
    return one == other or (one.startswith("*.") and other.partition(".")[2] == one[2:])


def _gateway_plaintext(gateway: Resource, repository: Repository) -> Outcomes:
    """A Gateway whose listeners are all plain, unless its routes only redirect."""
    listeners = gateway.node.items_at("spec.listeners")
    if any(word in (gateway.node.text_at("spec.gatewayClassName") or "") for word in ("internal", "-rilb", "mesh")):
        yield Skip("it is reached from inside only")
        return
    protocols = [listener.get("protocol") for listener in listeners]
    unknown = next((one for one in protocols if one is not None and one.is_unknown), None)
    if unknown is not None:
        yield cannot(unknown)
        return
    if any(one is not None and one.text in ("HTTPS", "TLS") for one in protocols):
        return
    routes = [route for route in repository.of_kind("k8s.httproute", "k8s.grpcroute") if _attached(route, gateway)]
    routes = nearest(together(routes, gateway, repository), gateway)
    if not routes:
        yield Skip("no route leads through it")
        return
    if all(map(_only_redirects, routes)):
        return
    for listener, protocol in zip(listeners, protocols, strict=True):
        if protocol is not None and protocol.text == "HTTP":
            name = listener.text_at("name") or "http"
            message = "{address} takes HTTP and has no listener with TLS"
            related = ((place_of(routes[0]), "a route that is reached through it"),)
            yield Hit(protocol.span, {}, related, f"{gateway.address}/{name}", message)


def _attached(route: Resource, gateway: Resource) -> bool:
    names = {parent.text_at("name") for parent in route.node.items_at("spec.parentRefs")}
    return name_of(gateway) in names and same_namespace(route, gateway)


def _only_redirects(route: Resource) -> bool:
    rules = route.node.items_at("spec.rules")
    return bool(rules) and all(
        any(one.text_at("requestRedirect.scheme") == "https" for one in rule.items_at("filters")) for rule in rules
    )


def _istio_plaintext(gateway: Resource) -> Outcomes:
    """An Istio Gateway whose servers are all plain and do not redirect."""
    servers = gateway.node.items_at("spec.servers")
    selector = " ".join(_written(value) for value in gateway.node.mapping_at("spec.selector").values())
    if "egress" in selector or "eastwest" in selector:
        yield Skip("it lets traffic out, not in")
        return
    protocols = [(server, server.get("port.protocol")) for server in servers]
    if any(one is not None and one.text in ("HTTPS", "TLS") for _, one in protocols):
        return
    for server, protocol in protocols:
        if protocol is None or protocol.text not in ("HTTP", "HTTP2", "GRPC"):
            continue
        redirect = server.get("tls.httpsRedirect")
        if redirect is not None and redirect.value is not False:
            continue
        name = server.text_at("port.name") or "http"
        message = "{address} takes HTTP and has no server with TLS"
        yield Hit(protocol.span, {}, (), f"{gateway.address}/{name}", message)


# -- ways around the proxy -----------------------------------------------------------------------------------


def bypassed(service: Service, context: Context) -> Outcomes:
    """Nothing but the proxy is reached from outside when there is a proxy."""
    if service.compose is not None:
        yield from compose_ports.bypassed(service, service.compose, context.repository)
        return
    services = [entry for entry in service.entries if entry.kind == "k8s.service"]
    proxies = [entry for entry in service.entries if entry.kind != "k8s.service"]
    if not services or not proxies:
        yield Skip("no proxy stands in front of it")
        return
    for entry in services:
        kind = entry.node.get("spec.type")
        beside = [proxy for proxy in proxies if _deployed_together(entry, proxy, context.repository)]
        if kind is None or not beside or not _exposes(entry, kind, beside):
            continue
        values = {"kind": kind.scalar, "service": entry.address, "proxy": beside[0].address}
        related = ((place_of(beside[0]), "the proxy that requests are meant to come through"),)
        yield Hit(kind.span, values, related, entry.address)


def _deployed_together(service: Resource, proxy: Resource, repository: Repository) -> bool:
    """Whether both are of one deployment: variants (overlays, examples) hold the same Service several times."""
    if posixpath.dirname(service.path) == posixpath.dirname(proxy.path):
        return True
    name = name_of(service)
    return sum(name_of(other) == name for other in repository.of_kind("k8s.service")) == 1


def _exposes(service: Resource, kind: Node, proxies: list[Resource]) -> bool:
    if kind.text == "LoadBalancer":
        ranges = service.node.items_at("spec.loadBalancerSourceRanges")
        open_to_all = not ranges or any(one.text in ("0.0.0.0/0", "::/0") for one in ranges)
        return open_to_all and not _is_internal(annotations_of(service))
    if kind.text != "NodePort":
        return False
    classes = [ingress_class(proxy) or _class_by_annotation(proxy) for proxy in proxies if proxy.kind == "k8s.ingress"]
    return bool(classes) and all(any(word in name for word in _NEEDS_NO_NODE_PORT) for name in classes)


def _class_by_annotation(ingress: Resource) -> str:
    return "nginx" if is_ingress_nginx(ingress) else ""


def _is_internal(annotations: Mapping[str, Node]) -> bool:
    return any(
        key in annotations and _written(annotations[key]).lower() not in ("false", "")
        and (not value or _written(annotations[key]).lower() == value)
        for key, value in _INTERNAL.items()
    )  # fmt: skip
