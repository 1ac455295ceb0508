"""TLS versions that load balancers, CDNs and API gateways of Terraform accept.

Defaults: a listener with TLS that names no policy gets ELBSecurityPolicy-2016-08
(https://github.com/hashicorp/terraform-provider-aws/blob/main/website/docs/r/lb_listener.html.markdown), Google's
default SSL policy allows TLS 1.0 (https://cloud.google.com/load-balancing/docs/ssl-policies-concepts), CloudFront's
default is TLSv1
(https://github.com/hashicorp/terraform-provider-aws/blob/main/website/docs/r/cloudfront_distribution.html.markdown).
"""

from __future__ import annotations

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.model import Node, Resource, Span
from pyprod_audit.model.patterns import lazy

_OLD_ELB = lazy(
    r"ELBSecurityPolicy-(?:20(?:1[1-9])-\d\d|TLS-1-[01]-.*|FS-1-1-.*|FS-2018-06|TLS13-1-[01]-.*)$|ELBSample-.*"
)
_ELB_DEFAULT = "ELBSecurityPolicy-2016-08"
_OLD_VERSION = lazy(r"(?i)(?:SSLv3|TLSv?[ _.]?1(?:[ _.]?[01])?(?:_20\d\d)?|1\.[01])$")
_OLD_APPLICATION_GATEWAY = ("AppGwSslPolicy20150501", "AppGwSslPolicy20170401")


def old_versions(resource: Resource, _context: Context) -> Outcomes:
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
    """`minimum_tls_version` of Azure's web apps and Front Door domains, where absence means 1.2.

    Before version 4 of the provider, web apps were `azurerm_app_service` and the argument `min_tls_version`.
    """
    found = False
    for place in resource.node.walk():
        name = "minimum_tls_version" if "minimum_tls_version" in place.mapping else "min_tls_version"
        version = place.mapping.get(name)
        if version is None:
            continue
        found = True
        if version.is_unknown:
            yield cannot(version)
        elif _OLD_VERSION.match(str(version.scalar)):
            yield _old(version.span, f"{name} {version.scalar}")
    if not found:
        yield Skip("it leaves the version to the default, which is 1.2")


def _is_unknown(node: Node | None) -> bool:
    return node is not None and node.is_unknown
