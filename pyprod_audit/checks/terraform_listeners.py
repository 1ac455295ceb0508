"""Load balancers of Terraform that answer over plain HTTP.

An application load balancer's listener takes HTTP when it names no protocol, and a redirect keeps the protocol unless
it names one: https://github.com/hashicorp/terraform-provider-aws/blob/main/website/docs/r/lb_listener.html.markdown
"""

from __future__ import annotations

from pyprod_audit.checks.api import Cannot, Context, Hit, Outcomes, Skip, cannot
from pyprod_audit.checks.terraform_view import referred, referring
from pyprod_audit.model import Node, Repository, Resource

_RULES = ("tf.aws_lb_listener_rule", "tf.aws_alb_listener_rule")


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
    protocol = body.get("protocol")
    balancer = referred(listener, body.get("load_balancer_arn"), repository)
    kind = balancer.node.text_at("load_balancer_type") if balancer is not None else "unknown"
    if protocol is None and kind not in (None, "application"):
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
    if any(one.text_at("type") == "redirect" for one in listener.node.items_at("default_action")):
        return None  # rules beside a redirect are exceptions from it
    rules = referring(listener, _RULES, "listener_arn", repository)
    actions = (_application_action(rule.node.items_at("action")) for rule in rules)
    return next((action for action in actions if action is not None), None)


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
    url_map = referred(proxy, written, repository)
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
