"""TLS at load balancers, CDNs and API gateways that Terraform makes.

Defaults: an application load balancer's listener takes HTTP, and one with TLS that names no policy gets
ELBSecurityPolicy-2016-08 (registry.terraform.io, aws_lb_listener); Google's default SSL policy allows TLS 1.0
(cloud.google.com/load-balancing/docs/ssl-policies-concepts); CloudFront's default is TLSv1 (aws_cloudfront_distribution).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.evaluate.terraform import reference_target, reference_targets
from pyprod_audit.model import Node, Repository, Resource, Span

_OLD_ELB = re.compile(
    r"ELBSecurityPolicy-(?:20(?:1[1-9])-\d\d|TLS-1-[01]-.*|FS-1-1-.*|FS-2018-06|TLS13-1-[01]-.*)$|ELBSample-.*"
)
_ELB_DEFAULT = "ELBSecurityPolicy-2016-08"
_OLD_VERSION = re.compile(r"(?i)(?:SSLv3|TLSv?[ _.]?1(?:[ _.]?[01])?(?:_20\d\d)?|1\.[01])$")
_OLD_APPLICATION_GATEWAY = ("AppGwSslPolicy20150501", "AppGwSslPolicy20170401")
_REDIRECTS = ("default_url_redirect",)


def sibling(resource: Resource, address: str | None, repository: Repository) -> Resource | None:
    """The resource of that address in the same Terraform module."""
    if address is None or resource.parent is None:
        return None

    def build(repo: Repository) -> dict[tuple[int, str], Resource]:
        return {
            (id(child.parent), child.address): child
            for configuration in repo.of_kind("tf.configuration")
            for child in repo.children(configuration)
        }

    return repository.memo("terraform.siblings", build).get((id(resource.parent), address))


def referring(resource: Resource, kinds: tuple[str, ...], argument: str, repository: Repository) -> Iterator[Resource]:
    """The resources of these kinds in the same module whose argument refers to `resource`."""
    for other in repository.of_kind(*kinds):
        node = other.node.mapping.get(argument)
        if other.parent is resource.parent and node is not None and resource.address in reference_targets(node):
            yield other


# -- plain HTTP ----------------------------------------------------------------------------------------------


def plain_listener(listener: Resource, context: Context) -> Outcomes:
    """A listener that is open to the internet takes TLS, or only redirects to it."""
    match listener.kind.removeprefix("tf."):
        case "aws_lb_listener" | "aws_alb_listener":
            yield from _aws_listener(listener, context.repository)
        case "aws_elb":
            yield from _classic_balancer(listener)
        case "azurerm_application_gateway":
            yield from _application_gateway(listener)
        case _:
            yield from _google_proxy(listener, context.repository)


def _aws_listener(listener: Resource, repository: Repository) -> Outcomes:
    body = listener.node.mapping
    protocol, arn = body.get("protocol"), body.get("load_balancer_arn")
    balancer = sibling(listener, reference_target(arn) if arn is not None else None, repository)
    if protocol is None and (balancer is None or balancer.node.text_at("load_balancer_type") not in (None, "application")):
        yield Skip("not known to be a listener of an application load balancer")
        return
    if protocol is not None and protocol.is_unknown:
        yield cannot(protocol)
        return
    if protocol is not None and str(protocol.scalar).upper() != "HTTP":
        yield Skip("it does not take HTTP")
        return
    served = _served_by(listener, repository)
    if served is None:
        return
    if served.is_unknown:
        yield cannot(served)
        return
    if balancer is None:
        yield Cannot(listener.node.anchor, "whether the load balancer faces the internet is not in this folder")
        return
    internal = balancer.node.mapping.get("internal")
    if internal is not None and internal.is_unknown:
        yield cannot(internal)
    elif internal is None or str(internal.scalar).lower() != "true":
        related = ((served.anchor, "the action"), (balancer.node.anchor, "the load balancer"))
        yield Hit(protocol.span if protocol is not None else listener.node.anchor, {}, related)
    else:
        yield Skip("the load balancer is internal")


def _served_by(listener: Resource, repository: Repository) -> Node | None:
    """The action that answers a plain request with the application; Unknown when that is not known."""
    action = _application_action(listener.node.items_at("default_action"))
    if action is not None:
        return action
    for rule in referring(listener, ("tf.aws_lb_listener_rule", "tf.aws_alb_listener_rule"), "listener_arn", repository):
        redirected = any(one.text_at("type") == "redirect" for one in listener.node.items_at("default_action"))
        action = _application_action(rule.node.items_at("action"))
        if action is not None and not redirected:
            return action
    return None


def _application_action(actions: tuple[Node, ...]) -> Node | None:
    for action in actions:
        kind = action if action.is_unknown else action.get("type")
        if kind is None:
            continue
        if kind.is_unknown:
            return kind
        if kind.text == "forward" or (kind.text or "").startswith("authenticate"):
            return kind
        if kind.text == "redirect":
            for redirect in action.items_at("redirect"):
                protocol = redirect.get("protocol")
                if protocol is None or protocol.text in ("HTTP", "#{protocol}"):
                    return kind
                if protocol.is_unknown:
                    return protocol
    return None


def _classic_balancer(balancer: Resource) -> Outcomes:
    internal = balancer.node.mapping.get("internal")
    listeners = balancer.node.items_at("listener")
    protocols = [listener if listener.is_unknown else listener.get("lb_protocol") for listener in listeners]
    known = [one for one in protocols if one is not None]
    unknown = next((one for one in (internal, *known) if one is not None and one.is_unknown), None)
    if internal is not None and str(internal.scalar).lower() == "true":
        yield Skip("the load balancer is internal")
    elif unknown is not None:
        yield cannot(unknown)
    elif any(str(one.scalar).lower() in ("https", "ssl") for one in known):
        yield Skip("the application behind it may redirect")
    else:
        for one in known:
            if str(one.scalar).lower() == "http":
                yield Hit(one.span)
                return


def _google_proxy(proxy: Resource, repository: Repository) -> Outcomes:
    rules = ("tf.google_compute_global_forwarding_rule", "tf.google_compute_forwarding_rule")
    for rule in referring(proxy, rules, "target", repository):
        scheme = rule.node.mapping.get("load_balancing_scheme")
        if scheme is not None and (scheme.is_unknown or str(scheme.scalar).startswith("INTERNAL")):
            yield cannot(scheme) if scheme.is_unknown else Skip("the load balancer is internal")
            return
    written = proxy.node.mapping.get("url_map")
    url_map = sibling(proxy, reference_target(written) if written is not None else None, repository)
    if url_map is None:
        yield Cannot((written or proxy.node).anchor, "the URL map is not in this folder")
        return
    for redirect in url_map.node.items_at("default_url_redirect"):
        https = redirect if redirect.is_unknown else redirect.get("https_redirect")
        if https is not None and https.is_unknown:
            yield cannot(https)
            return
        if https is not None and str(https.scalar).lower() == "true":
            return
    yield Hit(proxy.node.anchor, {}, ((url_map.node.anchor, "the URL map, which does not redirect to https"),))


def _application_gateway(gateway: Resource) -> Outcomes:
    blocks = gateway.node.items_at("http_listener") + gateway.node.items_at("request_routing_rule")
    blocks += gateway.node.items_at("frontend_ip_configuration")
    unknown = next((block for block in blocks if block.is_unknown), None)
    if unknown is not None:
        yield cannot(unknown)
        return
    public = {
        block.text_at("name")
        for block in gateway.node.items_at("frontend_ip_configuration")
        if block.get("public_ip_address_id") is not None
    }
    for listener in gateway.node.items_at("http_listener"):
        protocol, name = listener.get("protocol"), listener.get("name")
        if protocol is None or protocol.text != "Http" or name is None:
            continue
        if listener.text_at("frontend_ip_configuration_name") not in public and not _is_unknown(
            listener.get("frontend_ip_configuration_name")
        ):
            continue
        for rule in gateway.node.items_at("request_routing_rule"):
            named = rule.get("http_listener_name")
            same = named is not None and _same(named, name)
            if same and rule.get("backend_address_pool_name") is not None:
                address = f"{gateway.address}/{name.text or 'http_listener'}"
                yield Hit(protocol.span, {}, ((rule.anchor, "the rule that serves it"),), address)
                break


def _is_unknown(node: Node | None) -> bool:
    return node is not None and node.is_unknown


def _same(one: Node, other: Node) -> bool:
    return one.span.text == other.span.text if one.is_unknown or other.is_unknown else one.scalar == other.scalar


# -- versions ------------------------------------------------------------------------------------------------


def old_versions(resource: Resource, context: Context) -> Outcomes:
    """TLS versions before 1.2 are refused."""
    match resource.kind.removeprefix("tf."):
        case "aws_lb_listener" | "aws_alb_listener":
            yield from _listener_policy(resource)
        case "aws_cloudfront_distribution":
            yield from _viewer_certificate(resource)
        case "google_compute_target_https_proxy" | "google_compute_region_target_https_proxy":
            yield from _google_policy(resource)
        case "google_compute_ssl_policy" | "google_compute_region_ssl_policy":
            yield from _least(resource, resource.node.mapping.get("min_tls_version"), "TLS_1_0")
        case "aws_api_gateway_domain_name":
            yield from _least(resource, resource.node.mapping.get("security_policy"), None)
        case "azurerm_application_gateway":
            yield from _gateway_policy(resource)
        case _:
            yield from _nested_least(resource)
    del context


def _old(span: Span, what: str, *, default: bool = False, address: str = "") -> Hit:
    values = {"what": f"{what}, the default" if default else what}
    return Hit(span, values, address=address)


def _listener_policy(listener: Resource) -> Outcomes:
    protocol, policy = listener.node.mapping.get("protocol"), listener.node.mapping.get("ssl_policy")
    if protocol is None or (not protocol.is_unknown and protocol.text not in ("HTTPS", "TLS")):
        yield Skip("it does not take TLS connections")
    elif policy is not None and policy.is_unknown:
        yield cannot(policy)
    elif policy is None or policy.value is None:
        if protocol.is_unknown:
            yield cannot(protocol)
        else:
            yield _old(listener.node.anchor, f"ssl_policy {_ELB_DEFAULT}", default=True)
    elif _OLD_ELB.match(policy.text or ""):
        yield _old(policy.span, f"ssl_policy {policy.text}")


def _viewer_certificate(distribution: Resource) -> Outcomes:
    certificates = distribution.node.items_at("viewer_certificate")
    if not certificates:
        yield Skip("it has no certificate of its own")
    for certificate in certificates:
        default = certificate.get("cloudfront_default_certificate")
        version = certificate.get("minimum_protocol_version")
        if certificate.is_unknown or _is_unknown(default):
            yield cannot(certificate if certificate.is_unknown or default is None else default)
        elif default is not None and str(default.scalar).lower() == "true":
            yield Skip("with the certificate of CloudFront the version cannot be chosen")
        elif version is not None and version.is_unknown:
            yield cannot(version)
        elif version is None or version.value is None:
            yield _old(certificate.anchor, "minimum_protocol_version TLSv1", default=True)
        elif _OLD_VERSION.match(str(version.scalar)):
            yield _old(version.span, f"minimum_protocol_version {version.scalar}")


def _google_policy(proxy: Resource) -> Outcomes:
    """A proxy without policy allows TLS 1.0; the policy it names is judged where it is made."""
    if proxy.node.mapping.get("ssl_policy") is None:
        yield _old(proxy.node.anchor, "no ssl_policy, so Google's with TLS 1.0", default=True)


def _least(resource: Resource, version: Node | None, default: str | None) -> Outcomes:
    if version is None or version.value is None:
        if default is None:
            yield Cannot(resource.node.anchor, "the version depends on when and where the resource was made")
        else:
            yield _old(resource.node.anchor, default, default=True)
    elif version.is_unknown:
        yield cannot(version)
    elif _OLD_VERSION.match(str(version.scalar)):
        yield _old(version.span, str(version.scalar))


def _gateway_policy(gateway: Resource) -> Outcomes:
    policies = [*gateway.node.items_at("ssl_policy")]
    for profile in gateway.node.items_at("ssl_profile"):
        policies += profile.items_at("ssl_policy")
    if not policies:
        yield Cannot(gateway.node.anchor, "the default policy depends on the version of the Azure API")
    for number, policy in enumerate(policies):
        name, version = policy.get("policy_name"), policy.get("min_protocol_version")
        address = gateway.address if number == 0 else f"{gateway.address}/ssl_policy[{number}]"
        for written in (name, version):
            if written is None:
                continue
            if written.is_unknown:
                yield cannot(written)
            elif written.text in _OLD_APPLICATION_GATEWAY or _OLD_VERSION.match(str(written.scalar)):
                yield _old(written.span, str(written.scalar), address=address)


def _nested_least(resource: Resource) -> Outcomes:
    """`minimum_tls_version` and its like, at the top or in the nested blocks of Azure's resources."""
    names = ("minimum_tls_version", "min_tls_version", "minimum_tls", "tls_minimum_version")
    found = False
    for place in resource.node.walk():
        for name in names:
            version = place.mapping.get(name)
            if version is None:
                continue
            found = True
            if version.is_unknown:
                yield cannot(version)
            elif re.fullmatch(r"(?i)1\.[01]|TLS1_?[01]|TLS_?1(?:_[01])?|TLS10|TLS11", str(version.scalar)):
                yield _old(version.span, f"{name} {version.scalar}")
    if not found:
        yield Skip("it leaves the version to the default, which is 1.2")
