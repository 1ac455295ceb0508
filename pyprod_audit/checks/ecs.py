"""Amazon ECS services in Terraform: that one task, one deployment or a slow start does not take the service down.

Only services behind a load balancer are asked for a second task and for healthy tasks during a deployment: workers and
schedulers may be single on purpose. Sources:
https://github.com/hashicorp/terraform-provider-aws/blob/main/website/docs/r/ecs_service.html.markdown,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_definition_parameters.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyprod_audit.checks.api import Context, Hit, Outcome, Outcomes, Skip, cannot
from pyprod_audit.checks.terraform_view import mentioned, referred, refers, same_root
from pyprod_audit.model import Node, Repository, Resource

_HEALTHY_PERCENT = 100  # ECS's default of minimumHealthyPercent
_INTERVAL, _THRESHOLD = 30, 3  # defaults of aws_lb_target_group.health_check


def service_is_fragile(resource: Resource, context: Context) -> Outcomes:
    """An ECS service has a second task, rolls failed deployments back and lets tasks start in peace."""
    node = resource.node
    if node.text_at("scheduling_strategy") == "DAEMON":
        yield Skip("one task on each instance")
        return
    balanced = bool(node.items_at("load_balancer"))
    if balanced:
        yield from _single_task(resource, context.repository)
        yield from _healthy_percent(resource)
        yield from _start_in_peace(resource, context)
    controller = node.get("deployment_controller.0.type")
    if controller is not None and controller.is_unknown:
        yield cannot(controller)
    elif controller is None or controller.text == "ECS":
        yield from _circuit_breaker(resource)


def _single_task(resource: Resource, repository: Repository) -> Iterator[Outcome]:
    scaler = _scaler(resource, repository)
    if isinstance(scaler, Node):
        yield cannot(scaler)
        return
    name = "min_capacity" if scaler is not None else "desired_count"
    count = (scaler or resource).node.get(name)
    if count is None:
        return  # not set: whoever deploys sets it
    if count.is_unknown:
        yield cannot(count)
    elif count.scalar in (1, "1") and count.scalar is not True:
        yield _hit(resource, count, name, f"keeps one task ({name} = 1): while it is replaced nobody answers")


def _scaler(resource: Resource, repository: Repository) -> Resource | Node | None:
    """The scalable target of a service; the node of one that may be it, when that cannot be told."""
    name = resource.node.text_at("name")
    unclear: Node | None = None
    for target in repository.of_kind("tf.aws_appautoscaling_target"):
        if not same_root(target, resource) or target.node.text_at("service_namespace") not in ("ecs", None):
            continue
        called = target.node.get("resource_id")
        if called is None:
            continue
        if refers(target, called, resource) or (name and (called.text or "").endswith(f"/{name}")):
            return target
        if called.is_unknown and not any("aws_ecs_service." in one for one in mentioned(target, called)):
            unclear = called
    return unclear


def _healthy_percent(resource: Resource) -> Iterator[Outcome]:
    percent = resource.node.get("deployment_minimum_healthy_percent")
    if percent is None:
        return
    if percent.is_unknown:
        yield cannot(percent)
    elif percent.scalar in (0, "0") and percent.scalar is not False:
        yield _hit(
            resource,
            percent,
            "minimum_healthy_percent",
            f"may stop all tasks before new ones run (deployment_minimum_healthy_percent = 0, not {_HEALTHY_PERCENT})",
        )


def _circuit_breaker(resource: Resource) -> Iterator[Outcome]:
    node = resource.node
    for alarms in node.items_at("alarms"):
        if alarms.is_unknown or (alarms.get("rollback") is not None and alarms.get("enable") is not None):
            return
    breakers = node.items_at("deployment_circuit_breaker")
    if not breakers:
        yield _hit(
            resource,
            None,
            "circuit_breaker",
            "has no deployment_circuit_breaker: a release whose tasks do not start is retried for ever",
        )
        return
    for breaker in breakers:
        enable, rollback = breaker.get("enable"), breaker.get("rollback")
        for value in (breaker, enable, rollback):
            if value is not None and value.is_unknown:
                yield cannot(value)
                return
        if enable is None or enable.scalar in (False, "false"):
            yield _hit(resource, enable or breaker, "circuit_breaker", "switches its deployment_circuit_breaker off")
        elif rollback is None or rollback.scalar in (False, "false"):
            yield _hit(
                resource, rollback or breaker, "circuit_breaker",
                "stops a failed deployment but does not go back to the last one that worked (rollback is not true)",
            )  # fmt: skip


def _start_in_peace(resource: Resource, context: Context) -> Iterator[Outcome]:
    """Without a grace period the health check's own patience must be enough for the application to start."""
    grace = resource.node.get("health_check_grace_period_seconds")
    if grace is not None and (grace.is_unknown or grace.scalar not in (0, "0")):
        return
    for balancer in resource.node.items_at("load_balancer"):
        group = _target_group(balancer, resource, context.repository)
        if group is None:
            continue
        values: list[float] = []
        for name, default in (("interval", _INTERVAL), ("unhealthy_threshold", _THRESHOLD)):
            node = group.node.get(f"health_check.0.{name}")
            if node is not None and node.is_unknown:
                yield cannot(node)
                return
            values.append(_number(node, default))
        patience = values[0] * values[1]
        if patience < context.params["startup"]:
            check = group.node.get("health_check") or group.node
            yield Hit(
                (grace or resource.node).anchor,
                {"service": resource.address, "count": f"{values[1]:g}", "interval": f"{values[0]:g}",
                 "patience": f"{patience:g}"},
                related=((check.anchor, f"{values[1]:g} failed checks, one each {values[0]:g} s"),),
                address=f"{resource.address}/health_check_grace_period",
                message="{service} has no health_check_grace_period_seconds: a task that does not answer within "
                "{count} × {interval} s = {patience} s of its start is killed",
            )  # fmt: skip
            return


def _target_group(balancer: Node, resource: Resource, repository: Repository) -> Resource | None:
    group = referred(resource, balancer.get("target_group_arn"), repository)
    return group if group is not None and group.kind in ("tf.aws_lb_target_group", "tf.aws_alb_target_group") else None


def _number(node: Node | None, default: float) -> float:
    if node is None or node.scalar is None:
        return default
    try:
        return float(str(node.scalar))
    except ValueError:
        return default


def _hit(resource: Resource, node: Node | None, what: str, problem: str) -> Hit:
    at = node if node is not None else resource.node
    return Hit(at.anchor, {"service": resource.address, "problem": problem}, address=f"{resource.address}/{what}")
