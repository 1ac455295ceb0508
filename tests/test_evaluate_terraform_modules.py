"""Modules as they are deployed: inputs, outputs, instances, variable files, hostile graphs."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.terraform.evaluation import evaluate
from pyprod_audit.evaluate.terraform.expressions import Evaluator
from pyprod_audit.evaluate.terraform.instances import Instance
from pyprod_audit.evaluate.terraform.outputs import LazyObject
from pyprod_audit.evaluate.terraform.values import Unresolved
from pyprod_audit.model import Deployment, Node, Problem, SourceFile, Tree, Unknown
from pyprod_audit.parsers.hcl_expression import Expression
from pyprod_audit.parsers.terraform import parse
from tests.terraform_samples import BACKEND, find, plain, run, vias

DB = (
    'variable "size" {\n  default = "small"\n}\n'
    'resource "aws_db_instance" "main" {\n  instance_class = var.size\n}\n'
    'output "class" {\n  value = aws_db_instance.main.instance_class\n}\n'
    'output "endpoint" {\n  value = aws_db_instance.main.endpoint\n}\n'
)


class TestCalls:
    def test_addresses_parents_variants_and_what_calls(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "stack" {{\n  source = "./stack"\n}}\n',
            "stack/main.tf": 'module "db" {\n  source = "../db"\n  size = "large"\n}\n',
            "db/main.tf": DB,
        }
        resources, problems = run(files)
        assert problems == []
        database = find(resources, "module.stack.module.db.aws_db_instance.main")
        assert (database.kind, database.path, database.variant) == (
            "tf.aws_db_instance", "db/main.tf", "module.stack.module.db",
        )  # fmt: skip
        assert [(via.span.file.path, via.span.line, via.label) for via in database.via] == [
            ("stack/main.tf", 1, "called here as module.stack.module.db"),
            ("main.tf", 4, "called here as module.stack"),
        ]
        assert [(one.kind, one.address, one.variant) for one in database.ancestors()] == [
            ("tf.configuration", "db", "module.stack.module.db"),
            ("tf.configuration", "stack", "module.stack"),
            ("tf.configuration", ".", ""),
        ]
        configuration = next(database.ancestors())
        assert configuration.node.text_at("module") == "module.stack.module.db"
        assert [node.value for key, node in configuration.node.mapping.items() if key in ("root", "called")] == [
            False,
            True,
        ]
        assert not [one for one in resources if one.address.startswith("aws_db_instance")], (
            "not as a reusable module too"
        )

    def test_root_modules_elsewhere_are_named(self) -> None:
        files = {
            "envs/prod/main.tf": f'{BACKEND}module "db" {{\n  source = "../../db"\n}}\n',
            "envs/test/main.tf": f'{BACKEND}module "db" {{\n  source = "../../db"\n}}\n',
            "db/main.tf": DB,
        }
        found = [one for one in run(files)[0] if one.kind == "tf.aws_db_instance"]
        assert [(one.address, one.variant) for one in found] == [
            ("module.db.aws_db_instance.main", "envs/prod (module.db)"),
            ("module.db.aws_db_instance.main", "envs/test (module.db)"),
        ]

    def test_values_stand_in_the_module_and_tell_where_they_come_from(self) -> None:
        files = {
            "main.tf": f'{BACKEND}variable "size" {{}}\nmodule "db" {{\n  source = "./db"\n  size = var.size\n}}\n',
            "terraform.tfvars": '# sizes\nsize = "large"\n',
            "db/main.tf": DB,
        }
        node = find(run(files)[0], "module.db.aws_db_instance.main").node.mapping["instance_class"]
        assert (node.value, node.source.path, node.span.text) == ("large", "db/main.tf", "var.size")
        assert vias(node) == [
            ("main.tf", 7, "the caller sets size"), ("terraform.tfvars", 2, "terraform.tfvars sets var.size"),
        ]  # fmt: skip

    def test_defaults_tell_where_they_stand(self) -> None:
        text = (
            'variable "a" {\n  default = "x"\n}\n'
            'variable "b" {\n  type = object({\n    c = optional(string, "deep")\n  })\n  default = {}\n}\n'
            'resource "a_b" "c" {\n  a = var.a\n  b = var.b.c\n}\n'
        )
        files = {"main.tf": f'{BACKEND}module "m" {{\n  source = "./m"\n}}\n', "m/main.tf": text}
        node = find(run(files)[0], "module.m.a_b.c").node
        assert vias(node.mapping["a"]) == [("m/main.tf", 2, "the default of var.a")]
        assert (node.text_at("b"), vias(node.mapping["b"])) == ("deep", [("m/main.tf", 6, "the default of c")])

    def test_outputs_flow_back(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "db" {{\n  source = "./db"\n}}\n'
            'resource "aws_x" "y" {\n  class = module.db.class\n  host = module.db.endpoint\n}\n',
            "db/main.tf": DB,
        }
        node = find(run(files)[0], "aws_x.y").node
        assert node.text_at("class") == "small"
        assert ("db/main.tf", 5) in [(path, line) for path, line, _ in vias(node.mapping["class"])]
        assert isinstance(node.mapping["host"].value, Unknown)
        assert node.mapping["host"].value.because == "computed by module.db.aws_db_instance.main"

    @pytest.mark.parametrize(
        ("source", "because"),
        [
            ("terraform-aws-modules/rds/aws", "module.m is not in the repository"),
            ("git::https://example.com/m.git?ref=v1", "module.m is not in the repository"),
            ("./tests/m", "module.m is not in the repository: its folder is not judged"),
        ],
    )
    def test_modules_from_elsewhere(self, source: str, because: str) -> None:
        text = f'{BACKEND}module "m" {{\n  source = "{source}"\n}}\nresource "a_b" "c" {{\n  v = module.m.x\n}}\n'
        sources = {"infra/main.tf": SourceFile("infra/main.tf", text, "terraform")}
        evaluated = evaluate(
            parse(sources["infra/main.tf"]).resources, Tree({"infra/main.tf", "infra/tests/m/main.tf"})
        )
        assert evaluated.problems == []
        assert find(evaluated.resources, "a_b.c").node.mapping["v"].value == Unknown("module.m.x", because)
        assert find(evaluated.resources, "module.m").kind == "tf.module"

    def test_a_folder_outside_of_the_root_is_a_problem_at_the_source(self) -> None:
        text = f'{BACKEND}module "m" {{\n  source = "../../m"\n}}\nresource "a_b" "c" {{\n  v = module.m.x\n}}\n'
        resources, problems = run({"infra/main.tf": text})
        because = "its folder lies outside of what is scanned"
        assert problems == [Problem("evaluate", "infra/main.tf", f"module.m: {because}", 5)]
        value = find(resources, "a_b.c").node.mapping["v"].value
        assert value == Unknown("module.m.x", f"module.m is not in the repository: {because}")

    def test_a_missing_folder_is_a_problem_at_the_source(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "m" {{\n  source = "./m"\n}}\nresource "a_b" "c" {{\n  v = module.m.x\n}}\n'
        }
        resources, problems = run(files)
        assert problems == [Problem("evaluate", "main.tf", "module.m: there is no configuration in m", 5)]
        assert find(resources, "a_b.c").node.mapping["v"].is_unknown

    def test_what_nobody_calls_is_reusable(self) -> None:
        resources, _ = run({"modules/db/main.tf": DB, "main.tf": BACKEND})
        database = find(resources, "aws_db_instance.main")
        assert (database.variant, database.via) == ("", ())
        assert database.node.mapping["instance_class"].value == Unknown("var.size", "set by the module's caller")

    def test_a_reusable_module_calls_others(self) -> None:
        files = {
            "modules/app/main.tf": 'variable "n" {}\nmodule "db" {\n  source = "../db"\n  size = "fixed"\n}\n'
            'module "other" {\n  source = "../db"\n  size = var.n\n}\n',
            "modules/db/main.tf": DB,
        }
        resources, _ = run(files)
        sizes = {one.address: one.node.mapping["instance_class"].value for one in resources if "aws_db" in one.kind}
        assert sizes == {
            "module.db.aws_db_instance.main": "fixed",
            "module.other.aws_db_instance.main": Unknown("var.size", "set by the module's caller"),
        }

    def test_a_module_that_is_called_no_time_is_not_deployed(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "db" {{\n  source = "./db"\n  count = 0\n}}\n',
            "db/main.tf": DB,
        }
        assert [one.kind for one in run(files)[0]] == ["tf.configuration", "tf.terraform"]

    def test_declarations_are_told_once(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "a" {{\n  source = "./db"\n}}\nmodule "b" {{\n  source = "./db"\n}}\n',
            "db/main.tf": f'{DB}terraform {{\n  required_version = ">= 1.5"\n}}\nlocals {{\n  x = 1\n}}\n',
        }
        kinds = [one.kind for one in run(files)[0] if one.path == "db/main.tf"]
        assert kinds.count("tf.aws_db_instance") == 2
        assert [kinds.count(kind) for kind in ("tf.variable", "tf.terraform", "tf.locals", "tf.output")] == [1, 1, 1, 0]

    def test_providers_that_are_handed_over(self) -> None:
        files = {
            "main.tf": 'provider "aws" {\n  alias = "eu"\n}\n'
            'module "m" {\n  source = "./m"\n  providers = { aws = aws.eu }\n}\n',
            "m/main.tf": 'terraform {\n  required_providers {\n    aws = {\n      source = "hashicorp/aws"\n'
            '      configuration_aliases = [aws.other]\n    }\n  }\n}\n'
            'resource "a_b" "c" {\n  provider = aws.other\n}\nmoved {\n  from = a_b.a\n  to = a_b.c\n}\n'
            'import {\n  to = a_b.c\n  id = "x"\n}\nremoved {\n  from = a_b.z\n}\ncheck "x" {\n}\n',
        }  # fmt: skip
        resources, problems = run(files)
        assert problems == []
        assert find(resources, "module.m.a_b.c").node.mapping["provider"].is_unknown

    def test_tofu_files_take_the_place_of_their_twins(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "m" {{\n  source = "./m"\n}}\n',
            "m/main.tf": 'resource "a_b" "terraform" {}\n',
            "m/main.tofu": 'resource "a_b" "tofu" {}\n',
            "m/more.tf": 'resource "a_b" "more" {}\n',
        }
        assert sorted(one.address for one in run(files)[0] if one.kind == "tf.a_b") == [
            "module.m.a_b.more", "module.m.a_b.tofu",
        ]  # fmt: skip


class TestInstances:
    def test_instances_are_told_apart_when_they_differ(self) -> None:
        text = (
            f'{BACKEND}resource "a_b" "c" {{\n  for_each = {{ eu = 1, us = 2 }}\n  n = each.value\n}}\n'
            'resource "a_b" "same" {\n  for_each = { eu = 1, us = 2 }\n  n = 3\n}\n'
            'resource "a_b" "odd" {\n  for_each = toset(["a\\"b", "c\\\\d"])\n  n = each.key\n}\n'
        )
        found = [one for one in run({"main.tf": text})[0] if one.kind == "tf.a_b"]
        assert [(one.address, one.variant, one.node.mapping["n"].value) for one in found] == [
            ('a_b.c["eu"]', 'a_b.c["eu"]', 1), ('a_b.c["us"]', 'a_b.c["us"]', 2), ("a_b.same", "", 3),
            ('a_b.odd["a\\"b"]', 'a_b.odd["a\\"b"]', 'a"b'), ('a_b.odd["c\\\\d"]', 'a_b.odd["c\\\\d"]', "c\\d"),
        ]  # fmt: skip

    def test_instances_of_modules(self) -> None:
        files = {
            "main.tf": BACKEND
            + 'module "m" {\n  source = "./m"\n  for_each = { a = "x", b = "y" }\n  n = each.value\n}\n'
            'module "s" {\n  source = "./m"\n  count = 2\n  n = count.index > 5 ? "big" : "small"\n}\n',
            "m/main.tf": 'variable "n" {}\nresource "a_b" "c" {\n  n = var.n\n}\n',
        }
        found = [one for one in run(files)[0] if one.kind == "tf.a_b"]
        assert [(one.address, one.node.text_at("n")) for one in found] == [
            ('module.m["a"].a_b.c', "x"), ('module.m["b"].a_b.c', "y"), ("module.s.a_b.c", "small"),
        ]  # fmt: skip
        assert [one.address for one in run(files)[0] if one.kind == "tf.module"] == [
            'module.m["a"]', 'module.m["b"]', "module.s",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "repeated", ["count = var.n", "for_each = var.n", "count = 21", "for_each = { for i in range(30) : i => i }"]
    )
    def test_one_stands_for_many_or_unknown_ones(self, repeated: str) -> None:
        key = "count.index" if repeated.startswith("count") else "each.key"
        text = f'{BACKEND}variable "n" {{}}\nresource "a_b" "c" {{\n  {repeated}\n  x = {key}\n  y = 1\n}}\n'
        node = find(run({"main.tf": text})[0], "a_b.c").node
        assert node.mapping["x"].is_unknown
        assert node.mapping["y"].value == 1

    @pytest.mark.parametrize("members", ["range(150)", "{ for i in range(150) : i => i }"])
    def test_blocks_without_end(self, members: str) -> None:
        text = (
            f'{BACKEND}resource "a_b" "c" {{\n  dynamic "d" {{\n    for_each = {members}\n    content {{}}\n  }}\n}}\n'
        )
        (one,) = find(run({"main.tf": text})[0], "a_b.c").node.items_at("d")
        assert one.is_unknown

    def test_too_many_modules(self) -> None:
        twenty = "  count = 20\n  n = var.n + count.index\n}\n"
        files = {
            "main.tf": f'{BACKEND}module "a" {{\n  source = "./a"\n  count = 20\n  n = count.index\n}}\n',
            "a/main.tf": 'variable "n" {}\nmodule "b" {\n  source = "../b"\n' + twenty,
            "b/main.tf": 'variable "n" {}\nmodule "c" {\n  source = "../c"\n' + twenty,
            "c/main.tf": 'variable "n" {}\nresource "a_b" "c" {\n  n = var.n\n}\n',
        }
        resources, problems = run(files)
        assert "a root module has more than 500 modules: module.c is not looked into here" in {
            p.message for p in problems
        }
        assert 400 < len([one for one in resources if one.kind == "tf.configuration"]) <= 501

    def test_what_is_not_reached_is_looked_at_by_itself(self) -> None:
        chain = {f"m{n}/main.tf": f'module "n" {{\n  source = "../m{n + 1}"\n}}\n' for n in range(14)}
        files = {**chain, "m14/main.tf": DB, "main.tf": f'{BACKEND}module "n" {{\n  source = "./m0"\n}}\n'}
        resources, problems = run(files)
        assert [problem.message for problem in problems] == [
            "modules are called more than 12 deep: module.n is not looked into here"
        ]
        assert find(resources, "module.n.module.n.aws_db_instance.main").variant == "m12 (module.n.module.n)"


class TestCycles:
    def test_a_module_that_calls_itself(self) -> None:
        text = f'module "me" {{\n  source = "./"\n}}\n{DB}'
        resources, problems = run({"m/main.tf": text})
        assert [(one.path, one.line, one.message) for one in problems] == [
            ("m/main.tf", 2, "module.me calls the module that it stands in")
        ]
        assert find(resources, "aws_db_instance.main").node.mapping["instance_class"].is_unknown

    def test_modules_that_call_each_other(self) -> None:
        files = {
            "a/main.tf": f'module "b" {{\n  source = "../b"\n}}\n{DB}',
            "b/main.tf": f'module "a" {{\n  source = "../a"\n}}\n{DB}',
        }
        resources, problems = run(files)
        assert [one.message for one in problems] == ["module.a calls the module that it stands in"]
        assert [one.address for one in resources if one.kind == "tf.aws_db_instance"] == [
            "aws_db_instance.main", "module.b.aws_db_instance.main",
        ]  # fmt: skip

    def test_values_in_a_circle_through_modules(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "a" {{\n  source = "./a"\n  x = module.a.y\n}}\n'
            'resource "a_b" "c" {\n  v = module.a.y\n  w = module.a.z\n}\n',
            "a/main.tf": 'variable "x" {}\noutput "y" {\n  value = var.x\n}\noutput "z" {\n  value = 1\n}\n',
        }
        resources, problems = run(files)
        assert "refers to itself" in problems[0].message
        node = find(resources, "a_b.c").node
        assert (node.mapping["v"].is_unknown, node.mapping["w"].value) == (True, 1)

    def test_a_count_that_hangs_on_itself(self) -> None:
        files = {
            "main.tf": f'{BACKEND}module "a" {{\n  source = "./a"\n  count = length(module.a)\n}}\n'
            'resource "a_b" "c" {\n  count = length(a_b.c)\n}\n',
            "a/main.tf": 'output "y" {\n  value = 1\n}\n',
        }
        _, problems = run(files)
        assert len(problems) == 2

    def test_a_long_chain_of_modules_ends(self) -> None:
        calls = [f'module "m{n}" {{\n  source = "./m"\n  x = module.m{n + 1}.x\n}}\n' for n in range(200)]
        files = {
            "main.tf": BACKEND + "".join(calls) + 'module "m200" {\n  source = "./m"\n  x = 1\n}\n',
            "m/main.tf": 'variable "x" {}\noutput "x" {\n  value = var.x\n}\nresource "a_b" "c" {\n  x = var.x\n}\n',
        }
        resources, _ = run(files)
        assert find(resources, "module.m200.a_b.c").node.mapping["x"].value == 1


class TestVariableFiles:
    DECLARED = f'{BACKEND}variable "a" {{\n  default = "default"\n}}\nresource "x_y" "z" {{\n  a = var.a\n}}\n'

    def values(self, files: dict[str, str], *named: str) -> list[Any]:
        return [plain(one.node.mapping["a"]) for one in run(files, *named)[0] if one.kind == "tf.x_y"]

    def test_a_named_file_wins(self) -> None:
        files = {
            "infra/main.tf": self.DECLARED,
            "infra/terraform.tfvars": 'a = "t"\n',
            "infra/prod.tfvars": 'a = "p"\n',
        }
        assert self.values(files, "infra/prod.tfvars") == ["p"]
        assert self.values(files) == [Unknown("var.a", "infra/prod.tfvars sets var.a")]

    def test_later_ones_win(self) -> None:
        files = {"main.tf": self.DECLARED, "1.tfvars": 'a = "1"\n', "2.tfvars": 'a = "2"\n'}
        assert self.values(files, "1.tfvars", "2.tfvars") == ["2"]
        assert self.values(files, "2.tfvars", "1.tfvars") == ["1"]

    def test_other_files_do_not_count_once_one_is_named(self) -> None:
        files = {"main.tf": self.DECLARED, "prod.tfvars": 'b = "x"\n', "test.tfvars": 'a = "t"\n'}
        assert self.values(files, "prod.tfvars") == ["default"]

    def test_a_file_is_for_the_root_module_that_it_lies_in(self) -> None:
        files = {"a/main.tf": self.DECLARED, "b/main.tf": self.DECLARED, "a/env/prod.tfvars": 'a = "p"\n'}
        assert self.values(files, "a/env/prod.tfvars") == ["p", "default"]

    def test_a_file_outside_is_for_all_of_them(self) -> None:
        files = {"a/main.tf": self.DECLARED, "b/main.tf": self.DECLARED, "env/prod.tfvars": 'a = "p"\n'}
        assert self.values(files, "env/prod.tfvars") == ["p", "p"]

    def test_a_file_outside_of_the_scan_is_for_all_of_them(self) -> None:
        sources = {path: SourceFile(path, self.DECLARED, "terraform") for path in ("main.tf", "b/main.tf")}
        files = [one for source in sources.values() for one in parse(source).resources]
        for path in ("../prod.tfvars", "/etc/prod.tfvars"):
            named = Deployment(variables=(SourceFile(path, 'a = "p"\n'),))
            resources = evaluate(files, Tree(set(sources), sources, deployment=named)).resources
            assert [one.node.text_at("a") for one in resources if one.kind == "tf.x_y"] == ["p", "p"]
            assert "tf.tfvars" not in {one.kind for one in resources}

    def test_a_named_file_shows_where_terraform_runs(self) -> None:
        files = {
            "main.tf": self.DECLARED.removeprefix(BACKEND),
            "other/main.tf": 'variable "q" {}\n',
            "env/p.json": '{"a": 3}',
        }
        resources, _ = run(files, "env/p.json")
        assert find(resources, "x_y.z").node.mapping["a"].value == 3
        assert [one.node.mapping["root"].value for one in resources if one.kind == "tf.configuration"] == [True, False]

    @pytest.mark.parametrize(("path", "text"), [("env/p.json", "{"), ("env/p", 'a = "x\n'), ("env/p.tfvars", "a = [")])
    def test_a_named_file_that_cannot_be_read(self, path: str, text: str) -> None:
        source = SourceFile("main.tf", self.DECLARED, "terraform")
        named = Deployment(variables=(SourceFile(path, text, "terraform"),))
        evaluated = evaluate(parse(source).resources, Tree({"main.tf"}, {"main.tf": source}, deployment=named))
        assert [(one.stage, one.path) for one in evaluated.problems] == [("parse", path)]
        assert find(evaluated.resources, "x_y.z").node.text_at("a") == "default"

    def test_named_files_are_told_as_such(self) -> None:
        files = {"main.tf": self.DECLARED, "prod.tfvars": 'a = "p"\n'}
        resources, _ = run(files, "prod.tfvars")
        assert vias(find(resources, "x_y.z").node.mapping["a"]) == [("prod.tfvars", 1, "prod.tfvars sets var.a")]
        assert find(resources, "prod.tfvars").kind == "tf.tfvars"

    def test_a_value_that_does_not_fit_its_type(self) -> None:
        text = self.DECLARED.replace('"default"', '"many"\n  type = number')
        (value,) = self.values({"main.tf": text})
        assert value == Unknown("var.a", "the value does not fit the type of var.a: it is not a number")


def test_members_of_lazy_objects_are_made_once() -> None:
    made: list[str] = []

    def make(key: str) -> Node:
        made.append(key)
        return Node(key.upper(), SourceFile("x", ""), 0, 0)

    lazy = LazyObject(("a", "b"), make)
    assert (list(lazy), "a" in lazy, len(lazy), made) == (["a", "b"], True, 2, [])
    assert [lazy["a"].value, lazy.get("a").value, lazy.get("z")] == ["A", "A", None]
    assert made == ["a"]
    for copied in (dict(lazy), {**lazy}, lazy.copy(), dict(lazy.items()), dict(zip(lazy, lazy.values(), strict=True))):
        assert [node.value for node in copied.values()] == ["A", "B"]
    assert made == ["a", "b"]


def test_nothing_of_the_evaluation_stays_behind() -> None:
    """A scan collects no cycles: what holds itself, or a traceback holds, would stay to its end."""
    text = (
        'variable "x" {}\nresource "a_b" "c" {\n  a = var.x || true\n  b = var.x && var.x\n  c = upper(var.x)\n'
        '  d = var.x + 1\n  e = [var.x] == ["a"]\n  f = try(var.x.y, "z")\n}\noutput "o" {\n  value = var.x\n}\n'
    )
    files = {"main.tf": f'{BACKEND}module "m" {{\n  source = "./m"\n  x = module.m.o\n}}\n', "m/main.tf": text}
    gc.collect()
    gc.disable()
    try:
        resources, _ = run(files)
        left = {type(one).__name__ for one in gc.get_objects() if isinstance(one, (Instance, Evaluator, Unresolved))}
    finally:
        gc.enable()
    assert find(resources, "module.m.a_b.c").node.mapping["a"].value is True
    assert left == set()


FOLDERS = ("", "a", "b", "a/c")
NAMES = st.sampled_from(["x", "y", "z"])
VALUES = st.sampled_from([
    "1", '"t"', "null", "var.x", "var.y", "local.x", "local.z", "module.x", "module.x.y", "module.y[0].x", "each.key",
    'module.z["k"].x', "each.value", "count.index", "[var.x, module.y.z]", "{ k = var.y, l = local.y }", "a_b.x.id",
    "{ for k, v in module.x : k => v }", "module.y[*].x", 'try(module.x.z, "d")', "var.z ? 1 : module.z.z", "a_b.y",
    'toset(["k", "l"])', "length(module.y)", "merge(var.x, { k = 1 })", "path.module", "file(var.y)",
])  # fmt: skip
SOURCES = st.sampled_from(["./", "./a", "./b", "../b", "../a", "./c", "../", "../../x", "./nowhere", "registry/x/y"])
REPEATED = st.sampled_from(
    ["", "", "  count = 2\n", "  count = {}\n", "  for_each = {}\n", '  for_each = toset(["k", "l"])\n']
)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["module", "module", "variable", "local", "output", "resource"]))
    name, value = draw(NAMES), draw(VALUES)
    repeated = draw(REPEATED).format(draw(VALUES))
    if kind == "module":
        arguments = "".join(f"  {one} = {draw(VALUES)}\n" for one in draw(st.sets(NAMES)))
        return f'module "{name}" {{\n  source = "{draw(SOURCES)}"\n{repeated}{arguments}}}\n'
    if kind == "variable":
        types = ["any", "string", "list(any)", "map(object({ k = optional(number, 3) }))", "object({ k = any })"]
        constraint = draw(st.sampled_from(types))
        default = draw(st.sampled_from(["", "  default = {}\n", "  default = 1\n", "  default = null\n"]))
        return f'variable "{name}" {{\n  type = {constraint}\n{default}}}\n'
    if kind == "local":
        return f"locals {{\n  {name} = {value}\n}}\n"
    if kind == "output":
        return f'output "{name}" {{\n  value = {value}\n}}\n'
    dynamic = f'  dynamic "d" {{\n    for_each = {value}\n    content {{}}\n  }}\n'
    return f'resource "a_b" "{name}" {{\n{repeated}  v = {value}\n{dynamic}}}\n'


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FOLDERS), blocks()), max_size=14), st.booleans())
def test_any_graph_of_modules_is_evaluated(written: list[tuple[str, str]], named: bool) -> None:
    files: dict[str, str] = {"v.tfvars": "x = 1\ny = { k = 2 }\n"} if named else {}
    for folder, text in written:
        path = f"{folder}/main.tf".removeprefix("/")
        files[path] = files.get(path, BACKEND if not folder else "") + text
    resources, _ = run(files, *(["v.tfvars"] if named else []))
    for one in resources:
        for node in one.node.walk():
            assert not isinstance(node.value, Expression)
            assert 0 <= node.start <= node.end <= len(node.source.text)
