"""Plans as JSON: what is planned, what is known only later, what is sensitive; and plans beside their configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate import evaluate
from pyprod_audit.model import Node, Parsed, Resource, SourceFile, Tree, Unknown
from pyprod_audit.options import ScanOptions
from pyprod_audit.parsers import parser_for
from pyprod_audit.parsers.recognise import classify_content
from pyprod_audit.parsers.terraform import parse as parse_configuration
from pyprod_audit.parsers.terraform_plan import SENSITIVE, looks_like_plan, parse
from pyprod_audit.pipeline import scan_sources


def resource(address: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A resource of `planned_values`."""
    own = address.rsplit("module.", 1)[-1].split(".", 1)[-1] if "module." in address else address
    mode = "data" if own.startswith("data.") else "managed"
    kind, _, name = own.removeprefix("data.").partition(".")
    return {
        "address": address, "mode": mode, "type": kind, "name": name.partition("[")[0], "values": values,
        "sensitive_values": {}, **more,
    }  # fmt: skip


def change(address: str, unknown: dict[str, Any] | None = None, actions: list[str] | None = None) -> dict[str, Any]:
    return {"address": address, "change": {"actions": actions or ["create"], "after_unknown": unknown or {}}}


def plan(
    resources: list[dict[str, Any]],
    changes: list[dict[str, Any]] | None = None,
    configuration: dict[str, Any] | None = None,
    modules: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "variables": {"size": {"value": "b"}},
        "planned_values": {"root_module": {"resources": resources, "child_modules": modules or []}},
        "resource_changes": changes or [],
        "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": []}}},
        "configuration": {"root_module": configuration or {}},
    }


def read(content: Any, indent: int | None = 1) -> Parsed:
    return parse(SourceFile("plan.json", json.dumps(content, indent=indent), "terraform-plan"))


def resources_of(content: Any, files: dict[str, str] | None = None, path: str = "plan.json") -> list[Resource]:
    """The effective resources of a plan, with configuration beside it."""
    parsed = parse(SourceFile(path, json.dumps(content, indent=1), "terraform-plan")).resources
    for name, text in (files or {}).items():
        parsed += parse_configuration(SourceFile(name, text, "terraform")).resources
    evaluated = evaluate(parsed, Tree({path, *(files or {})}))
    found, problems = evaluated.resources, evaluated.problems
    assert problems == []
    return [one for one in found if one.kind not in ("tf.file", "tf.plan")]


def find(resources: list[Resource], address: str) -> Resource:
    (found,) = [one for one in resources if one.address == address and one.kind != "tf.module"]
    return found


def plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    return value


DATABASE = resource(
    "aws_db_instance.main",
    {
        "engine": "postgres", "backup_retention_period": 0, "password": "s3cr3t-and-long", "kms_key_id": None,
        "restore_to_point_in_time": [], "tags": {"team": "shop"}, "timeouts": None,
    },
    sensitive_values={"password": True, "tags": {}},
)  # fmt: skip


class TestRecognition:
    @pytest.mark.parametrize("sort_keys", [False, True])
    @pytest.mark.parametrize("indent", [None, 2])
    def test_plans(self, *, sort_keys: bool, indent: int | None) -> None:
        text = json.dumps(plan([DATABASE]), indent=indent, sort_keys=sort_keys)
        assert classify_content("infra/tfplan.json", text) == "terraform-plan"

    @pytest.mark.parametrize(
        "text",
        [
            '{"format_version": "1.0", "values": {"root_module": {}}}',
            '{"version": 4, "terraform_version": "1.5.0", "resources": []}',
            '{"examples": [{"format_version": "1.2", "planned_values": {}}]}',
            '[{"format_version": "1.2", "planned_values": {}}]',
            "{}",
            "",
        ],
    )
    def test_other_json(self, text: str) -> None:
        assert not looks_like_plan(text)
        assert classify_content("x.json", text) == "text"

    def test_has_a_parser(self) -> None:
        assert parser_for("terraform-plan") is parse


class TestValues:
    def test_kinds_addresses_and_modules(self) -> None:
        content = plan(
            [DATABASE, resource("data.aws_ami.base", {"owner": "self"})],
            modules=[
                {
                    "address": 'module.web["eu"]',
                    "resources": [resource('module.web["eu"].aws_lb.main[0]', {"internal": False})],
                    "child_modules": [
                        {
                            "address": 'module.web["eu"].module.dns',
                            "resources": [resource('module.web["eu"].module.dns.aws_route53_zone.z', {"name": "x"})],
                        }
                    ],
                }
            ],
        )
        found = resources_of(content)
        assert [(one.kind, one.address, one.variant) for one in found] == [
            ("tf.configuration", "plan.json", ""),
            ("tf.aws_db_instance", "aws_db_instance.main", ""),
            ("tf.data.aws_ami", "data.aws_ami.base", ""),
            ("tf.configuration", "plan.json", 'module.web["eu"]'),
            ("tf.aws_lb", 'module.web["eu"].aws_lb.main[0]', 'module.web["eu"].aws_lb.main[0]'),
            ("tf.configuration", "plan.json", 'module.web["eu"].module.dns'),
            ("tf.aws_route53_zone", 'module.web["eu"].module.dns.aws_route53_zone.z', 'module.web["eu"].module.dns'),
        ]
        assert [one.parent and one.parent.variant for one in found] == [
            None, "", "", "", 'module.web["eu"]', 'module.web["eu"]', 'module.web["eu"].module.dns',
        ]  # fmt: skip

    def test_what_nobody_sets_is_absent(self) -> None:
        node = find(resources_of(plan([DATABASE])), "aws_db_instance.main").node
        assert sorted(node.mapping) == ["backup_retention_period", "engine", "lifecycle", "password", "tags"]
        assert plain(node.mapping["tags"]) == {"team": "shop"}

    def test_an_empty_list_that_is_written_stays(self) -> None:
        listed = resource("aws_x.y", {"ports": [], "rule": []})
        written = {"resources": [{"address": "aws_x.y", "expressions": {"ports": {"constant_value": []}}}]}
        node = find(resources_of(plan([listed], configuration=written)), "aws_x.y").node
        assert sorted(node.mapping) == ["lifecycle", "ports"]

    def test_places(self) -> None:
        node = find(resources_of(plan([DATABASE])), "aws_db_instance.main").node
        assert node.anchor.text == "aws_db_instance.main"
        retention = node.mapping["backup_retention_period"]
        assert (retention.value, retention.span.text) == (0, "0")
        assert retention.key is not None
        assert retention.key.text == "backup_retention_period"

    def test_sensitive_values_are_not_told(self) -> None:
        node = find(resources_of(plan([DATABASE])), "aws_db_instance.main").node
        assert node.mapping["password"].value == SENSITIVE

    def test_known_after_apply(self) -> None:
        written = {
            "resources": [
                {
                    "address": "aws_lb_listener.http",
                    "expressions": {
                        "load_balancer_arn": {"references": ["aws_lb.main.arn", "aws_lb.main"]},
                        "policy": {"references": ["aws_a.b.id", "aws_a.b", "aws_c.d.id", "aws_c.d"]},
                        "default_action": [{"target_group_arn": {"references": ["aws_tg.x.arn", "aws_tg.x"]}}],
                        "rule": [{"port": {"references": ["aws_p.q.port", "aws_p.q"]}}],
                    },
                }
            ]
        }
        listener = resource("aws_lb_listener.http", {"port": 80, "default_action": [{"type": "forward"}]})
        unknown = {
            "arn": True, "id": True, "load_balancer_arn": True, "policy": True, "rule": True,
            "default_action": [{"target_group_arn": True}],
        }  # fmt: skip
        content = plan([listener], [change("aws_lb_listener.http", unknown)], written)
        node = find(resources_of(content), "aws_lb_listener.http").node
        assert "arn" not in node.mapping, "what the provider computes and nobody writes is absent as in configuration"
        assert node.mapping["load_balancer_arn"].value == Unknown("aws_lb.main.arn", "known after apply")
        assert node.mapping["policy"].value == Unknown("aws_a.b.id aws_a.b aws_c.d.id aws_c.d", "known after apply")
        assert plain(node.mapping["default_action"]) == [
            {"type": "forward", "target_group_arn": Unknown("aws_tg.x.arn", "known after apply")}
        ]
        (rule,) = node.mapping["rule"].items
        assert rule.is_unknown

    def test_without_configuration_all_that_is_unknown_is_told(self) -> None:
        content = plan([resource("aws_x.y", {"port": 80})], [change("aws_x.y", {"arn": True, "list": [False, True]})])
        content["configuration"] = None
        node = find(resources_of(content), "aws_x.y").node
        assert node.mapping["arn"].value == Unknown("", "known after apply")

    def test_unknown_members_of_a_list(self) -> None:
        content = plan(
            [resource("aws_x.y", {"ids": ["a", None]})],
            [change("aws_x.y", {"ids": [False, True]})],
            {"resources": [{"address": "aws_x.y", "expressions": {"ids": {"references": ["aws_z.q.id", "aws_z.q"]}}}]},
        )
        node = find(resources_of(content), "aws_x.y").node
        assert plain(node.mapping["ids"]) == ["a", Unknown("aws_z.q.id", "known after apply")]

    def test_deleted_resources_are_left_out(self) -> None:
        content = plan([DATABASE], [change("aws_db_instance.main", actions=["delete"]), change("aws_old.x")])
        assert [one.kind for one in resources_of(content)] == []

    def test_only_changes(self) -> None:
        content = {
            "format_version": "1.1",
            "resource_changes": [
                {"address": "aws_x.y", "mode": "managed", "type": "aws_x", "name": "y",
                 "change": {"actions": ["update"], "after": {"size": 1}, "after_unknown": {}, "after_sensitive": {}}},
                {"address": "aws_x.gone", "mode": "managed", "type": "aws_x", "name": "gone",
                 "change": {"actions": ["delete"], "after": None, "after_unknown": {}}},
                {"address": "module.m.aws_x.y", "module_address": "module.m", "mode": "managed", "type": "aws_x",
                 "change": {"actions": ["create"], "after": {"size": 2}, "after_unknown": {}}},
            ],
        }  # fmt: skip
        found = resources_of(content)
        assert [(one.address, one.variant) for one in found if one.kind == "tf.aws_x"] == [
            ("aws_x.y", ""), ("module.m.aws_x.y", "module.m"),
        ]  # fmt: skip

    def test_a_state_is_no_plan(self) -> None:
        assert read({"format_version": "1.0", "values": {}}) == Parsed()
        assert read({"planned_values": {}}) == Parsed()

    def test_broken_json_is_a_problem(self) -> None:
        parsed = parse(SourceFile("p.json", '{"format_version": "1.2",\n "planned_values": {"root_module": [}}'))
        assert [(one.stage, one.line) for one in parsed.problems] == [("parse", 2)]
        assert parsed.partial

    def test_what_a_plan_does_not_tell(self) -> None:
        node = find(resources_of(plan([DATABASE])), "aws_db_instance.main").node
        (lifecycle,) = node.items_at("lifecycle")
        assert lifecycle.is_unknown


CONFIGURATION = """\
provider "aws" {}
variable "days" {}
variable "more" {}
module "web" {
  source = "./web"
}
resource "aws_db_instance" "main" {
  backup_retention_period = var.days
  engine                  = "postgres"
  password                = "s3cr3t-and-long"
  tags = {
    team = "shop"
  }
  lifecycle {
    prevent_destroy = true
  }
}
resource "aws_x" "open" {
  count = var.more
}
resource "aws_x" "later" {}
"""
WEB = 'resource "aws_lb" "main" {\n  count = 2\n  name = "lb-${count.index}"\n}\n'


class TestBesideConfiguration:
    def found(self) -> list[Resource]:
        content = plan(
            [DATABASE],
            [change("aws_db_instance.main", {"arn": True})],
            modules=[
                {
                    "address": "module.web",
                    "resources": [
                        resource("module.web.aws_lb.main[0]", {"name": "lb-0", "internal": False}),
                        resource("module.web.aws_lb.main[1]", {"name": "lb-1", "internal": True}),
                    ],
                }
            ],
        )
        files = {"infra/main.tf": CONFIGURATION, "infra/web/main.tf": WEB}
        return resources_of(content, files, "infra/plan.json")

    def test_planned_values_stand_where_they_are_written(self) -> None:
        database = find(self.found(), "aws_db_instance.main")
        retention = database.node.mapping["backup_retention_period"]
        assert (retention.value, retention.source.path, retention.span.text) == (0, "infra/main.tf", "var.days")
        (via,) = retention.via
        assert (via.span.file.path, via.span.text, via.label) == ("infra/plan.json", "0", "planned in plan.json")
        assert database.node.anchor.text == 'resource "aws_db_instance" "main"'
        team = database.node.get("tags.team")
        assert team is not None
        assert (team.value, team.span.text) == ("shop", '"shop"')

    def test_sensitive_values_are_those_that_are_written(self) -> None:
        assert find(self.found(), "aws_db_instance.main").node.text_at("password") == "s3cr3t-and-long"

    def test_what_a_plan_does_not_have_is_kept(self) -> None:
        node = find(self.found(), "aws_db_instance.main").node
        assert plain(node.mapping["lifecycle"]) == [{"prevent_destroy": True}]

    def test_each_address_once(self) -> None:
        assert sorted(one.address for one in self.found() if "_" in one.kind) == [
            "aws_db_instance.main", "aws_x.later", "module.web.aws_lb.main[0]", "module.web.aws_lb.main[1]",
        ]  # fmt: skip

    def test_instances_of_a_module(self) -> None:
        first, second = (find(self.found(), f"module.web.aws_lb.main[{at}]") for at in (0, 1))
        assert (first.node.text_at("name"), second.node.text_at("name")) == ("lb-0", "lb-1")
        assert first.node.mapping["name"].span.text == '"lb-${count.index}"'
        assert first.parent is not None
        assert [via.label for via in first.parent.via] == ["called here as module.web"]

    def test_sets_are_matched_by_what_they_say(self) -> None:
        text = (
            'provider "x" {}\nresource "aws_sg" "s" {\n  rule {\n    port = 80\n  }\n  rule {\n    port = 22\n  }\n}\n'
        )
        content = plan([resource("aws_sg.s", {"rule": [{"port": 22}, {"port": 80}, {"port": 443}]})])
        node = find(resources_of(content, {"main.tf": text}), "aws_sg.s").node
        assert [(one.get("port").value, one.get("port").span.line) for one in node.items_at("rule")] == [  # type: ignore[union-attr]  # it has one
            (22, 7), (80, 4), (443, 3),
        ]  # fmt: skip

    def test_a_plan_elsewhere_stands_for_itself(self) -> None:
        found = resources_of(
            plan([DATABASE]), {"infra/main.tf": CONFIGURATION, "infra/web/main.tf": WEB}, "ci/plan.json"
        )
        assert [one.path for one in found if one.address == "aws_db_instance.main"] == ["infra/main.tf", "ci/plan.json"]

    def test_several_plans_of_one_folder_are_several_deployments(self) -> None:
        parsed = [
            parse(SourceFile(path, json.dumps(plan([DATABASE])), "terraform-plan")).resources[0]
            for path in ("infra/prod.json", "infra/test.json")
        ]
        parsed += parse_configuration(SourceFile("infra/main.tf", CONFIGURATION, "terraform")).resources
        evaluated = evaluate(parsed, Tree({"infra/main.tf"}))
        found = evaluated.resources
        assert [one.variant for one in found if one.address == "aws_db_instance.main"] == [
            "infra/prod.json", "infra/test.json",
        ]  # fmt: skip


def test_findings_of_a_plan() -> None:
    content = json.dumps(plan([DATABASE], [change("aws_db_instance.main", {"arn": True})]))
    report = scan_sources([SourceFile("tfplan.json", content)], options=ScanOptions(select=("BKP-002", "SEC")))
    assert [(one.rule_id, one.primary.span.text) for one in report.findings] == [("BKP-002", "0")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "root_module", "resources", "child_modules", "module_calls", "module", "address", "mode", "type", "values",
            "sensitive_values", "change", "after", "after_unknown", "actions", "expressions", "references", "x",
        ]),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(JSON, JSON, JSON)
def test_any_plan_is_read(values: Any, changes: Any, configuration: Any) -> None:
    content = {
        "format_version": "1.2", "planned_values": values, "resource_changes": changes, "configuration": configuration,
    }  # fmt: skip
    text = json.dumps(content)
    for one in parse(SourceFile("plan.json", text, "terraform-plan")).resources:
        for node in one.node.walk():
            assert 0 <= node.start <= node.end <= len(text)
        evaluate([one], Tree({"plan.json"}))


PLANNED = st.recursive(
    st.none() | st.booleans() | st.integers(0, 90) | st.sampled_from(["postgres", "lb-0", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "tags", "team", "rule", "port", "lifecycle", "engine"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["aws_db_instance.main", "aws_x.later", "module.web.aws_lb.main[0]"]), PLANNED))
)
def test_any_values_find_their_places(written: list[tuple[str, Any]]) -> None:
    files = {"infra/main.tf": CONFIGURATION, "infra/web/main.tf": WEB}
    content = plan([resource(address, {"name": value, "tags": value, "rule": value}) for address, value in written])
    for one in resources_of(content, files, "infra/plan.json"):
        for node in one.node.walk():
            assert 0 <= node.start <= node.end <= len(node.source.text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.integers(0, 400))
def test_any_text_is_read(more: str, cut: int) -> None:
    text = json.dumps(plan([DATABASE]))
    parse(SourceFile("plan.json", text[:cut] + more, "terraform-plan"))
