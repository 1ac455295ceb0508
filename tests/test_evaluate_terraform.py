"""What Terraform configuration amounts to: variables, locals, functions, dynamic blocks, root and reusable modules."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.terraform.evaluation import evaluate, reference_target, reference_targets
from pyprod_audit.model import Node, Problem, Resource, SourceFile, Tree, Unknown
from pyprod_audit.parsers.hcl_expression import Expression
from pyprod_audit.parsers.terraform import parse

ROOT = 'provider "aws" {\n  region = "eu-west-1"\n}\n'


def run(files: dict[str, str]) -> tuple[list[Resource], list[Problem]]:
    parsed = [parse(SourceFile(path, text)) for path, text in files.items()]
    assert [problem for each in parsed for problem in each.problems] == []
    gc.disable()  # as a scan does; collecting while a hundred thousand nodes are made takes most of the time
    try:
        evaluated = evaluate([resource for each in parsed for resource in each.resources], Tree(set(files)))
    finally:
        gc.enable()
    return evaluated.resources, evaluated.problems


def find(files: dict[str, str], address: str, path: str = "") -> Resource:
    (found,) = [r for r in run(files)[0] if r.address == address and r.path.startswith(path)]
    return found


def plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    return value


def result(expression: str, more: str = "") -> Any:
    """The value of one expression in a root module."""
    output = find({"main.tf": f'{ROOT}{more}\noutput "x" {{\n  value = {expression}\n}}\n'}, "output.x")
    return plain(output.node.mapping["value"])


class TestOperatorsAndFunctions:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ('"true" == true', False),
            ('1 == "1"', False),
            ("1 == 1.0", True),
            ("true == 1", False),
            ("null == null", True),
            ("1 == null", False),
            ('"1" + 2', 3),
            ("10 / 4", 2.5),
            ("7 / 7", 1),
            ("-7 % 3", -1),
            ("0.1 + 0.2 == 0.3", True),
            ('1 > "0"', True),
            ('true && "true"', True),
            ('!"true"', False),
            ('-"3"', -3),
            ('"true" ? 1 : 2', 1),
            ('true ? 1 : "a"', "1"),
            ('"${1.50} ${1.0e3} ${true} ${10/4} ${0.1+0.2}"', "1.5 1000 true 2.5 0.3"),
            ("false && var.unset", False),
            ("true || aws_x.y.z", True),
            ('[1, 2]["0"]', 1),
            ("{ a = { b = 3 } }.a.b", 3),
            ('{ "1" = 2 }[1]', 2),
            ('coalesce("", null, "a")', "a"),
            ('coalesce(1, "a")', "1"),
            ("coalesce(null, 3)", 3),
            ("try([][0], 5)", 5),
            ("try({}.a.b, null)", None),
            ("can([][0])", False),
            ('lookup({ a = 1 }, "b", "x")', "x"),
            ('lookup({ a = 1 }, "a")', 1),
            ("merge({ a = 1 }, null, { a = 2, b = 3 })", {"a": 2, "b": 3}),
            ('merge([{ a = 1 }, { b = "x" }]...)', {"a": 1, "b": "x"}),
            ('concat([1], [], ["a"])', [1, "a"]),
            ('element(["a", "b"], 3)', "b"),
            ("tostring(1.0)", "1"),
            ('tonumber("1e3")', 1000),
            ("tostring(null)", None),
            ('tobool("1")', True),
            ('length("añ")', 2),
            ("length({ a = 1 })", 1),
            ('join(",", ["a", 1, true])', "a,1,true"),
            ("upper(true)", "TRUE"),
            ('lower("ÀB")', "àb"),
            ('replace("a.b", ".", "-")', "a-b"),
            ('format("%s-%d-%03d-%v-%.2f%%|%5s|%-3s|", "a", 3, 4, true, 1.5, "b", "c")',
             "a-3-004-true-1.50%|    b|c  |"),
            ('toset(["b", "a", "b"])', ["a", "b"]),
            ('contains([1, 2], "1")', False),
            ("flatten([[1, [2]], 3])", [1, 2, 3]),
            ('compact(["a", "", null])', ["a"]),
            ("keys({ b = 1, a = 2 })", ["a", "b"]),
            ("values({ b = 1, a = 2 })", [2, 1]),
            ('min("2", 1)', 1),
            ("one([])", None),
            ('"${[1, 2]}"', [1, 2]),
            ("jsonencode({ maxReceiveCount = 1 + 4 })", {"maxReceiveCount": 5}),
            ("<<-EOT\n    a ${1 + 1}\n      b\n  EOT", "a 2\n  b\n"),
        ],
    )  # fmt: skip
    def test_known(self, expression: str, value: object) -> None:
        found = result(expression)
        assert found == value
        assert isinstance(found, type(value))
        assert isinstance(found, bool) is isinstance(value, bool)

    @pytest.mark.parametrize(
        ("expression", "because"),
        [
            ("aws_vpc.main.id", "computed by aws_vpc.main"),
            ("data.aws_ami.base.id", "read by data.aws_ami.base"),
            ("module.db.endpoint", "module.db is not declared in this folder"),
            ('"${aws_vpc.main.id}-x"', "computed by aws_vpc.main"),
            ("var.missing", "var.missing is not declared in this folder"),
            ("local.missing", "local.missing is not declared in this folder"),
            ("var.unset", "var.unset has no default"),
            ("1 / 0", "it divides by zero"),
            ('"a${null}"', "null is not a string"),
            ('"x" ? 1 : 2', "it is neither true nor false"),
            ("var.unset ? 1 : 2", "var.unset has no default"),
            ("each.key", "it differs between the instances of for_each"),
            ("path.cwd", "it depends on where terraform runs"),
            ("try(aws_x.y[0].arn, 1)", "computed by aws_x.y"),
            ("upper()", "upper has the wrong number of arguments"),
            ("max()", "max cannot take these arguments"),
        ],
    )
    def test_unknown(self, expression: str, because: str) -> None:
        found = result(expression, 'variable "unset" {}\n')
        assert found == Unknown(expression, because)
        assert type(found) is Unknown

    def test_containers_keep_their_known_members(self) -> None:
        assert result("{ a = 1 + 1, b = [aws_x.y.id, 3] }") == {
            "a": 2, "b": [Unknown("aws_x.y.id", "computed by aws_x.y"), 3],
        }  # fmt: skip

    def test_values_stand_where_the_expression_is_written(self) -> None:
        resource = find(
            {"main.tf": f'{ROOT}locals {{\n  é = "üü"\n}}\nresource "r_t" "x" {{\n  v = local.é\n}}\n'}, "r_t.x"
        )
        node = resource.node.mapping["v"]
        assert (node.text, node.span.text, node.span.line) == ("üü", "local.é", 8)
        assert node.key is not None
        assert node.key.text == "v"


class TestVariables:
    DECLARED = (
        'variable "size" {\n  type    = string\n  default = 5\n}\n'
        'variable "tags" {\n  type = map(string)\n  default = { Team = "web" }\n}\n'
        'variable "region" {}\n'
        'resource "r_t" "x" {\n  size = var.size\n  tags = var.tags\n  team = var.tags.Team\n  region = var.region\n}\n'
    )

    def test_defaults_of_a_root_module(self) -> None:
        node = find({"main.tf": ROOT + self.DECLARED}, "r_t.x").node
        assert plain(node) == {
            "size": "5",
            "tags": {"Team": "web"},
            "team": "web",
            "region": Unknown("var.region", "var.region has no default"),
        }

    def test_automatic_variable_files(self) -> None:
        node = find(
            {
                "b.auto.tfvars": 'region = "b"\n',
                "terraform.tfvars": 'region = "t"\nsize = "9"\n',
                "a.auto.tfvars.json": '{"region": "a"}',
                "main.tf": self.DECLARED,
            },
            "r_t.x",
        ).node
        assert (node.text_at("region"), node.text_at("size")) == ("b", "9")

    def test_files_chosen_at_deploy_time(self) -> None:
        files = {
            "infra/main.tf": self.DECLARED,
            "infra/env/prod.tfvars": 'region = "eu"\nsize = "9"\n',
            "infra/env/test.tfvars": 'region = "eu"\n',
        }
        node = find(files, "r_t.x").node
        assert node.text_at("region") == "eu"
        assert node.mapping["size"].value == Unknown("var.size", "infra/env/prod.tfvars sets var.size")
        assert find(files, "infra/env/prod.tfvars").kind == "tf.tfvars"

    def test_reusable_module(self) -> None:
        node = find({"main.tf": self.DECLARED}, "r_t.x").node
        assert node.mapping["size"].value == Unknown("var.size", "set by the module's caller")
        assert node.mapping["team"].value == Unknown("var.tags.Team", "set by the module's caller")

    def test_called_module_is_no_root_even_with_a_provider(self) -> None:
        files = {
            "modules/db/main.tf": ROOT + self.DECLARED,
            "main.tf": 'terraform {\n  backend "s3" {}\n}\n'
            'module "db" {\n  source = "./modules/db"\n  size = 1 + 1\n}\n',
        }  # fmt: skip
        assert find(files, "module.db.r_t.x").node.mapping["size"].value == "2"
        call = find(files, "module.db")
        assert (call.kind, plain(call.node)) == ("tf.module", {"source": "./modules/db", "size": 2})
        root = find(files, ".")
        assert (root.kind, root.node.mapping["root"].value) == ("tf.configuration", True)
        assert root.node.anchor.text == 'backend "s3"'
        assert find(files, "modules/db").node.mapping["called"].value is True

    def test_locals_of_locals(self) -> None:
        assert (
            result("local.c.x", "locals {\n  a = 1\n  b = local.a + 1\n}\nlocals {\n  c = { x = local.b * 2 }\n}") == 4
        )

    def test_references_pass_through_locals(self) -> None:
        found = result("local.a", "locals {\n  a = aws_vpc.main.id\n}")
        assert found == Unknown("aws_vpc.main.id", "computed by aws_vpc.main")

    def test_cycle(self) -> None:
        resources, problems = run({"main.tf": "locals {\n  a = local.b\n  b = local.a\n}\n"})
        (problem,) = problems
        assert (problem.stage, problem.path, problem.line) == ("evaluate", "main.tf", 2)
        assert "refers to itself" in problem.message
        assert all(node.is_unknown for node in resources[-1].node.mapping.values())

    @pytest.mark.parametrize("expression", ['"${local.x%d}${local.x%d}"', "[local.x%d, local.x%d]"])
    def test_doubling_locals_end(self, expression: str) -> None:
        lines = ['  x0 = "0123456789"'] + [f"  x{n + 1} = {expression % (n, n)}" for n in range(60)]
        resources, _ = run({"main.tf": ROOT + "locals {\n" + "\n".join(lines) + "\n}\n"})
        node = resources[-1].node
        assert not node.mapping["x9"].is_unknown
        assert any(inner.is_unknown for inner in node.mapping["x60"].walk())
        assert sum(1 for _ in zip(node.walk(), range(1_000_000), strict=False)) < 1_000_000

    def test_long_chain_of_locals_ends(self) -> None:
        lines = [f"  x{n} = local.x{n + 1}" for n in range(3000)]
        _, problems = run({"main.tf": "locals {\n" + "\n".join(lines) + "\n  x3000 = 1\n}\n"})
        assert problems == []


class TestBlocks:
    def test_kinds_and_addresses(self) -> None:
        text = (
            'terraform {\n  required_version = ">= 1.5"\n  required_providers {\n'
            '    aws = { version = "~> 5.0" }\n  }\n'
            '  backend "s3" {\n    bucket = "state"\n  }\n}\n'
            'provider "aws" {\n  alias = "eu"\n}\nvariable "a" {\n  type = map(string)\n}\n'
            'output "o" {\n  value = 1\n}\n'
            'locals {\n  b = 1\n}\ndata "aws_ami" "x" {}\nmodule "m" {\n  source = "terraform-aws-modules/vpc/aws"\n}\n'
            'resource "aws_db_instance" "main" {}\nmoved {\n  from = a_b.c\n  to = a_b.d\n}\n'
        )
        resources, problems = run({"infra/main.tf": text})
        assert problems == []
        assert [(r.kind, r.address) for r in resources] == [
            ("tf.configuration", "infra"), ("tf.terraform", "terraform"), ("tf.provider", "provider.aws.eu"),
            ("tf.variable", "var.a"), ("tf.output", "output.o"), ("tf.locals", "locals"),
            ("tf.data.aws_ami", "data.aws_ami.x"), ("tf.module", "module.m"),
            ("tf.aws_db_instance", "aws_db_instance.main"), ("tf.moved", "moved"),
        ]  # fmt: skip
        settings_node = resources[1].node
        assert plain(settings_node.mapping["backend"]) == [{"bucket": "state", "labels": ["s3"]}]
        assert settings_node.get("required_providers.0.aws.version") is not None
        assert resources[3].node.text_at("type") == "map(string)"
        assert all(r.parent is resources[0] for r in resources[1:])

    def test_nested_blocks_are_tuples(self) -> None:
        node = find(
            {"main.tf": 'resource "a_b" "c" {\n  x {\n    y { z = 1 }\n  }\n  w { n = 1 }\n  w { n = 2 }\n}\n'}, "a_b.c"
        ).node
        assert plain(node) == {"x": [{"y": [{"z": 1}]}], "w": [{"n": 1}, {"n": 2}]}
        assert node.mapping["x"].anchor.text == "x"
        assert node.anchor.text == 'resource "a_b" "c"'

    @pytest.mark.parametrize(
        ("setting", "emitted"),
        [
            ("count = 0", False), ("count = false ? 1 : 0", False), ("for_each = {}", False),
            ("for_each = toset([])", False),
            ("count = 1", True), ("count = var.n", True), ("for_each = var.n", True), ('for_each = toset(["a"])', True),
            ("count = null", True),
        ],
    )  # fmt: skip
    def test_count_and_for_each(self, setting: str, emitted: bool) -> None:
        resources, _ = run({"main.tf": f'{ROOT}variable "n" {{}}\nresource "a_b" "c" {{\n  {setting}\n}}\n'})
        assert ("a_b.c" in [r.address for r in resources]) is emitted

    def test_null_is_as_if_it_were_not_written(self) -> None:
        text = 'resource "a_b" "c" {\n  x = null\n  y = { z = null }\n  n {\n    v = null\n    w = 1\n  }\n}\n'
        assert plain(find({"main.tf": text}, "a_b.c").node) == {"y": {"z": None}, "n": [{"w": 1}]}

    def test_single_instance_is_known(self) -> None:
        text = 'resource "a_b" "c" {\n  for_each = { k = { size = 3 } }\n  x = "${each.key}-${each.value.size}"\n}\n'
        assert find({"main.tf": text}, "a_b.c").node.text_at("x") == "k-3"

    def test_dynamic_block_with_known_members(self) -> None:
        text = (
            'resource "a_b" "c" {\n  rule {\n    port = 22\n  }\n  dynamic "rule" {\n    for_each = [80, 443]\n'
            '    iterator = it\n'
            '    content {\n      port = it.value\n      nth = it.key\n    }\n  }\n'
            '  dynamic "none" {\n    for_each = []\n    content {}\n  }\n}\n'
        )  # fmt: skip
        assert plain(find({"main.tf": text}, "a_b.c").node) == {
            "rule": [{"port": 22}, {"port": 80, "nth": 0}, {"port": 443, "nth": 1}]
        }

    def test_dynamic_block_with_unknown_members(self) -> None:
        text = (
            'resource "a_b" "c" {\n  dynamic "rule" {\n    for_each = var.r\n    content {}\n  }\n}\nvariable "r" {}\n'
        )
        node = find({"main.tf": text}, "a_b.c").node
        assert plain(node) == {"rule": [Unknown('dynamic "rule"', "set by the module's caller")]}
        found, _ = node.find(("rule", "0", "port"))
        assert isinstance(found, Node)
        assert found.is_unknown

    def test_override_file(self) -> None:
        files = {
            "main_override.tf": 'resource "a_b" "c" {\n  x = 2\n  n { v = 2 }\n}\n',
            "main.tf": 'resource "a_b" "c" {\n  x = 1\n  y = 1\n  n { v = 1 }\n  m { v = 1 }\n}\n',
        }
        assert plain(find(files, "a_b.c").node) == {"x": 2, "y": 1, "m": [{"v": 1}], "n": [{"v": 2}]}

    def test_missing_label_is_a_problem(self) -> None:
        resources, problems = run({"main.tf": 'resource "a_b" {\n}\nresource "a_b" "c" {}\n'})
        assert [r.address for r in resources] == [".", "a_b.c"]
        assert problems[0].line == 1

    def test_folders_are_apart(self) -> None:
        files = {
            "a/main.tf": ROOT + 'locals {\n  x = 1\n}\nresource "a_b" "c" {\n  v = local.x\n}\n',
            "b/main.tf": ROOT + 'resource "a_b" "c" {\n  v = local.x\n}\n',
        }
        assert find(files, "a_b.c", "a/").node.mapping["v"].value == 1
        assert find(files, "a_b.c", "b/").node.mapping["v"].is_unknown

    def test_json_and_native_syntax_share_a_module(self) -> None:
        files = {
            "main.tf": ROOT + 'variable "env" {\n  default = "prod"\n}\n',
            "db.tf.json": '{"resource": {"a_b": {"c": {"name": "${var.env}-db", "n": {"ok": "${1 == 1}"}}}}}',
        }
        assert plain(find(files, "a_b.c").node) == {"name": "prod-db", "n": [{"ok": True}]}


class TestReferences:
    @pytest.mark.parametrize(
        ("expression", "target"),
        [
            ("aws_lb.main.arn", "aws_lb.main"),
            ('aws_subnet.private["a"].id', "aws_subnet.private"),
            ("aws_subnet.private[*].id", "aws_subnet.private"),
            ("aws_subnet.private[each.key].id", "aws_subnet.private"),
            ("data.aws_vpc.x.id", "data.aws_vpc.x"),
            ("module.db", "module.db"),
            ("module.db.endpoint", "module.db"),
            ("aws_lb.main\n  .arn", "aws_lb.main"),
            ("var.x", None),
            ("each.value.id", None),
            ("data.aws_vpc", None),
            ("aws_lb", None),
            ('"${aws_lb.main.arn}/x"', None),
            ("try(aws_lb.main.arn, null)", None),
            ("aws_lb.main.arn == 1", None),
        ],
    )
    def test_target(self, expression: str, target: str | None) -> None:
        assert reference_target(Unknown(expression)) == target

    def test_known_values_refer_to_nothing(self) -> None:
        node = Node("aws_lb.main", SourceFile("a", ""), 0, 0)
        assert reference_target(node) is None
        assert reference_targets(node) == ()

    def test_targets(self) -> None:
        unknown = Unknown('join(",", [aws_lb.a.arn, data.aws_ami.b.id, module.c.d, var.e_f.g, aws_lb.a.id])')
        assert reference_targets(unknown) == ("aws_lb.a", "data.aws_ami.b", "module.c")


PIECES = st.sampled_from([
    "local.a", "local.b", "var.v", "1", '"x"', "null", "true", "[", "]", "{", "}", "(", ")", " + ", " == ", " ? ",
    " : ", ", ", "...", "max(", "merge(", "try(", 'format("%d", ', '"${', '}"', ".a", "[0]", "[*]", " = ", "!", "-",
    "é", "concat(", "coalesce(", "lookup(", "element(", "toset(", "replace(", "join(", "keys(", "aws_x.y", "each.key",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=10), st.lists(PIECES, max_size=10))
def test_any_expression_is_evaluated(first: list[str], second: list[str]) -> None:
    a, b = "".join(first), "".join(second)
    text = (
        f'{ROOT}variable "v" {{\n  default = {a}\n}}\nlocals {{\n  a = {a}\n  b = {b}\n}}\n'
        f'resource "a_b" "c" {{\n  v = {b}\n}}\n'
    )
    resources = evaluate(parse(SourceFile("main.tf", text)).resources, Tree({"main.tf"})).resources
    for resource in resources:
        for node in resource.node.walk():
            assert not isinstance(node.value, Expression)
            assert 0 <= node.start <= node.end <= len(text)
