"""References between Terraform resources, within a module, between instances and across modules."""

from __future__ import annotations

from typing import ClassVar

from pyprod_audit.evaluate.terraform.references import referred, referring
from pyprod_audit.model import Repository, SourceFile, Unknown
from pyprod_audit.options import ScanOptions
from pyprod_audit.pipeline import scan_sources
from tests.terraform_samples import BACKEND, find, plain, run, vias


class TestLinksBetweenModules:
    FILES: ClassVar = {
        "main.tf": f'{BACKEND}module "lb" {{\n  source = "./lb"\n}}\n'
        'module "app" {\n  source = "./app"\n  lb_arn = module.lb.arn\n}\n'
        'resource "aws_lb_listener" "own" {\n  load_balancer_arn = module.lb.arn\n}\n',
        "lb/main.tf": 'resource "aws_lb" "main" {}\noutput "arn" {\n  value = aws_lb.main.arn\n}\n',
        "app/main.tf": 'variable "lb_arn" {}\nresource "aws_lb" "main" {}\n'
        'resource "aws_lb_listener" "l" {\n  load_balancer_arn = var.lb_arn\n}\n'
        'resource "aws_lb_listener" "local" {\n  load_balancer_arn = aws_lb.main.arn\n}\n',
    }

    def test_references_lead_across_modules(self) -> None:
        resources, _ = run(self.FILES)
        repository = Repository({}, (), resources)
        found = {}
        for listener in repository.of_kind("tf.aws_lb_listener"):
            balancer = referred(listener, listener.node.mapping["load_balancer_arn"], repository)
            found[listener.address] = balancer and balancer.address
        assert found == {
            "aws_lb_listener.own": "module.lb.aws_lb.main",
            "module.app.aws_lb_listener.l": "module.lb.aws_lb.main",
            "module.app.aws_lb_listener.local": "module.app.aws_lb.main",
        }

    def test_and_back(self) -> None:
        resources, _ = run(self.FILES)
        repository = Repository({}, (), resources)
        kinds = ("tf.aws_lb_listener",)
        found = {
            one.address: [other.address for other in referring(one, kinds, "load_balancer_arn", repository)]
            for one in repository.of_kind("tf.aws_lb")
        }
        assert found == {
            "module.lb.aws_lb.main": ["aws_lb_listener.own", "module.app.aws_lb_listener.l"],
            "module.app.aws_lb.main": ["module.app.aws_lb_listener.local"],
        }

    def test_instances_of_a_module_refer_to_their_own(self) -> None:
        files = {
            "main.tf": BACKEND + 'module "m" {\n  source = "./m"\n  for_each = { a = 1, b = 2 }\n  n = each.value\n}\n',
            "m/main.tf": 'variable "n" {}\nresource "aws_lb" "m" {\n  n = var.n\n}\n'
            'resource "aws_lb_listener" "l" {\n  load_balancer_arn = aws_lb.m.arn\n}\n',
        }
        repository = Repository({}, (), run(files)[0])
        found = []
        for listener in repository.of_kind("tf.aws_lb_listener"):
            balancer = referred(listener, listener.node.mapping["load_balancer_arn"], repository)
            found.append((listener.address, balancer and balancer.address))
        assert found == [
            (f'module.m["{key}"].aws_lb_listener.l', f'module.m["{key}"].aws_lb.m') for key in ("a", "b")
        ]  # fmt: skip

    def test_texts_that_a_resource_writes_are_known(self) -> None:
        text = (
            f'{BACKEND}resource "aws_g" "g" {{\n  name = "main"\n  size = "5"\n  on = "true"\n  port = 5432\n'
            '  kept = "x"\n'
            "  lifecycle {\n    ignore_changes = [kept, tags[0]]\n  }\n}\n"
            'resource "aws_h" "h" {\n  count = 2\n  name = "n${count.index}"\n}\n'
            'resource "a_b" "c" {\n  name = aws_g.g.name\n  size = aws_g.g.size\n  on = aws_g.g.on\n'
            "  port = aws_g.g.port\n  kept = aws_g.g.kept\n  arn = aws_g.g.arn\n"
            "  names = aws_h.h[*].name\n  ids = aws_h.h[*].id\n}\n"
        )
        node = find(run({"main.tf": text})[0], "a_b.c").node
        assert (node.text_at("name"), vias(node.mapping["name"])) == ("main", [("main.tf", 5, "aws_g.g")])
        for name in ("size", "on", "port", "kept", "arn"):
            assert node.mapping[name].value == Unknown(f"aws_g.g.{name}", "computed by aws_g.g")
        assert plain(node.mapping["names"]) == ["n0", "n1"]
        assert [one.is_unknown for one in node.items_at("ids")] == [True, True]

    def test_instances_refer_to_the_one_with_their_key(self) -> None:
        text = (
            f'{BACKEND}resource "aws_lb" "m" {{\n  for_each = {{ a = true, b = false }}\n  internal = each.value\n}}\n'
            'resource "aws_lb_listener" "l" {\n  for_each = { a = 80, b = 81 }\n  port = each.value\n'
            "  load_balancer_arn = aws_lb.m[each.key].arn\n}\n"
            'resource "aws_lb_listener" "one" {\n  load_balancer_arn = aws_lb.m["b"].arn\n}\n'
        )
        repository = Repository({}, (), run({"main.tf": text})[0])
        found = {}
        for listener in repository.of_kind("tf.aws_lb_listener"):
            balancer = referred(listener, listener.node.mapping["load_balancer_arn"], repository)
            found[listener.address] = balancer and balancer.address
        assert found == {
            'aws_lb_listener.l["a"]': 'aws_lb.m["a"]', 'aws_lb_listener.l["b"]': 'aws_lb.m["b"]',
            "aws_lb_listener.one": 'aws_lb.m["b"]',
        }  # fmt: skip


def test_findings_of_several_calls_are_one() -> None:
    """The place is in the module; the callers are told."""
    call = '  source = "./db"\n'
    files = {
        "main.tf": f'{BACKEND}module "a" {{\n{call}}}\nmodule "b" {{\n{call}}}\nmodule "c" {{\n{call}  days = 14\n}}\n',
        "db/main.tf": 'variable "days" {\n  default = 0\n}\n'
        'resource "aws_db_instance" "main" {\n  backup_retention_period = var.days\n}\n',
    }
    sources = [SourceFile(path, text) for path, text in files.items()]
    (finding,) = scan_sources(sources, options=ScanOptions(select=("BKP-002",))).findings
    assert (finding.path, finding.primary.span.line, finding.variants) == ("db/main.tf", 5, ("module.a", "module.b"))
    assert [(one.span.file.path, one.span.line, one.label) for one in finding.related] == [
        ("db/main.tf", 2, "the default of var.days"), ("main.tf", 4, "called here as module.a"),
    ]  # fmt: skip


def test_findings_that_name_their_resource_are_one_too() -> None:
    """The message of SEC-005 has the address of the argument in it."""
    call = '  source = "./db"\n'
    files = {
        "main.tf": f'{BACKEND}module "a" {{\n{call}}}\nmodule "b" {{\n{call}}}\n',
        "db/main.tf": 'resource "aws_db_instance" "main" {\n  password = "gY7-pq2Lw9zKe4"\n}\n',
    }
    sources = [SourceFile(path, text) for path, text in files.items()]
    (finding,) = scan_sources(sources, options=ScanOptions(select=("SEC-005",))).findings
    assert finding.variants == ("module.a", "module.b")


def test_what_only_rehearsals_deploy_is_not_judged_as_production() -> None:
    files = {
        f"envs/{one}/main.tf": f'{BACKEND}module "db" {{\n  source = "../../db"\n}}\n' for one in ("prod", "staging")
    }
    files["db/main.tf"] = 'resource "aws_db_instance" "main" {\n  backup_retention_period = 0\n}\n'
    sources = [SourceFile(path, text) for path, text in files.items()]
    (finding,) = scan_sources(sources, options=ScanOptions(select=("BKP-002",))).findings
    assert finding.variants == ("envs/prod (module.db)",)
