"""Terraform expressions: where values stand, what they came through, what stays unknown, and that all of it ends.

What they amount to is compared with Terraform in `test_oracle_terraform.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.evaluate.terraform.expressions import Evaluator
from pyprod_audit.evaluate.terraform.values import EncodedMapping, Unresolved, VersionDependent, type_of
from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers.hcl_expression import Expression
from tests.terraform_console import Console, as_json, evaluated, written
from tests.terraform_samples import BACKEND, find, plain, run, vias


def resource(text: str, **files: str) -> Node:
    """The node of `r_t.x` in a root module of these lines."""
    resources, problems = run({"main.tf": BACKEND + text, **files})
    assert problems == []
    return find(resources, "r_t.x").node


def places(node: Node) -> dict[str, Any]:
    """Each scalar's way down, with the text where it stands."""
    found: dict[str, Any] = {}
    stack = [("", node)]
    while stack:
        path, inner = stack.pop()
        if isinstance(inner.value, dict):
            stack += [(f"{path}.{key}".lstrip("."), member) for key, member in inner.value.items()]
        elif isinstance(inner.value, tuple):
            stack += [(f"{path}.{at}".lstrip("."), member) for at, member in enumerate(inner.value)]
        else:
            found[path] = inner.span.text
    return found


class TestPlaces:
    """The primary place is where the value takes effect; `via` leads to where it was written."""

    LOCALS = """
variable "size" {
  default = 5
}
locals {
  api      = 1
  name     = "db-${var.size}"
  services = {
    web = { port = 80, hosts = ["a", "b"] }
    api = { port = 8080, hosts = [] }
  }
}
"""

    def test_scalars_through_variables_and_locals(self) -> None:
        node = resource(self.LOCALS + 'resource "r_t" "x" {\n  v = local.name\n}\n').mapping["v"]
        assert (node.text, node.span.text, node.span.line) == ("db-5", "local.name", 17)
        assert vias(node) == [("main.tf", 10, "local.name"), ("main.tf", 6, "the default of var.size")]
        assert [via.span.text for via in node.via] == ['"db-${var.size}"', "5"]

    def test_a_container_that_is_taken_whole_has_its_members_where_it_is_taken(self) -> None:
        node = resource(self.LOCALS + 'resource "r_t" "x" {\n  v = local.services.web\n}\n').mapping["v"]
        assert plain(node) == {"port": 80, "hosts": ["a", "b"]}
        assert set(places(node).values()) == {"local.services.web"}
        host = node.items_at("hosts")[1]
        assert vias(host) == [("main.tf", 12, "local.services")]
        assert host.via[0].span.text == '"b"'

    def test_literal_containers_keep_their_places(self) -> None:
        node = resource(self.LOCALS + 'resource "r_t" "x" {\n  v = merge({ a = 1 }, { b = [var.size] })\n}\n')
        assert places(node.mapping["v"]) == {"a": "1", "b.0": "var.size"}
        assert node.mapping["v"].mapping["a"].via == ()

    def test_members_made_by_for(self) -> None:
        text = 'resource "r_t" "x" {\n  v = { for name, s in local.services : name => { p = s.port, n = 1 } }\n}\n'
        node = resource(self.LOCALS + text).mapping["v"]
        assert places(node) == {"web.p": "s.port", "web.n": "1", "api.p": "s.port", "api.n": "1"}
        assert vias(node.mapping["web"].mapping["p"]) == [("main.tf", 12, "local.services")]
        assert node.mapping["web"].key is not None
        assert node.mapping["web"].key.text == "name"

    def test_members_of_a_literal_collection(self) -> None:
        node = resource('resource "r_t" "x" {\n  v = [for s in [{ a = 1 }, { a = 2 }] : s]\n}\n').mapping["v"]
        assert places(node) == {"0.a": "1", "1.a": "2"}

    def test_values_of_a_decoded_file_lead_to_its_lines(self) -> None:
        text = 'locals {\n  config = yamldecode(file("${path.module}/config.yaml"))\n}\n'
        text += 'resource "r_t" "x" {\n  v = local.config.db.size\n  w = jsondecode(file("./data.json"))\n}\n'
        node = resource(text, **{"config.yaml": "db:\n  size: 7\n", "data.json": '{\n  "a": [1,\n 2.5]}\n'})
        size = node.mapping["v"]
        assert (size.value, size.span.text) == (7, "local.config.db.size")
        assert vias(size)[-1] == ("config.yaml", 2, "config.yaml")
        member = node.mapping["w"].items_at("a")[1]
        assert (member.value, member.span.text) == (2.5, 'jsondecode(file("./data.json"))')
        assert vias(member) == [("data.json", 3, "data.json")]

    def test_text_of_a_template_file(self) -> None:
        text = 'resource "r_t" "x" {\n  v = templatefile("t.tftpl", { names = ["a", "b"] })\n}\n'
        node = resource(text, **{"t.tftpl": "%{ for n in names ~}\n- ${n}\n%{ endfor ~}\n"}).mapping["v"]
        assert node.text == "- a\n- b\n"
        assert node.span.line == 5
        assert vias(node) == [("t.tftpl", 1, "t.tftpl")]

    def test_what_jsonencode_writes_is_the_structure_with_its_places(self) -> None:
        node = resource(self.LOCALS + 'resource "r_t" "x" {\n  v = jsonencode({ a = [var.size] })\n}\n').mapping["v"]
        assert isinstance(node.value, EncodedMapping)
        assert plain(node) == {"a": [5]}
        assert places(node) == {"a.0": "var.size"}

    def test_it_is_text_wherever_text_is_needed(self) -> None:
        text = "locals {\n  policy = jsonencode({ a = [1] })\n}\n"
        text += 'resource "r_t" "x" {\n  a = length(local.policy)\n  b = "${local.policy}!"\n  c = local.policy\n'
        text += "  d = jsondecode(local.policy).a[0]\n  e = [local.policy][0]\n}\n"
        assert plain(resource(text)) == {"a": 9, "b": '{"a":[1]}!', "c": {"a": [1]}, "d": 1, "e": {"a": [1]}}

    def test_the_condition_and_the_chosen_result_are_stops_the_other_is_not(self) -> None:
        text = 'variable "on" {\n  default = true\n}\nresource "r_t" "x" {\n  v = var.on ? local.name : local.api\n}\n'
        node = resource(self.LOCALS + text).mapping["v"]
        assert [label for _, _, label in vias(node)] == [
            "the default of var.on",
            "local.name",
            "the default of var.size",
        ]

    def test_at_most_four_stops(self) -> None:
        names = "".join(f"  x{n} = local.x{n + 1}\n" for n in range(8))
        node = resource(f'locals {{\n{names}  x8 = 1\n}}\nresource "r_t" "x" {{\n  v = local.x0\n}}\n').mapping["v"]
        assert [label for _, _, label in vias(node)] == ["local.x0", "local.x1", "local.x2", "local.x3"]

    def test_asking_for_the_length_of_a_local_does_not_change_where_its_members_stand(self) -> None:
        text = 'resource "r_t" "x" {\n  n = length(local.b)\n  v = local.b.w.k\n}\n'
        text += "locals {\n  a = { k = { v = 1 } }\n  b = { w = local.a }\n}\n"
        member = resource(text).mapping["v"].mapping["v"]
        assert member.span.text == "local.b.w.k"
        assert [via.span.text for via in member.via] == ["local.a", "1"]


class TestUnknown:
    @pytest.mark.parametrize(
        ("expression", "because"),
        [
            ("aws_vpc.main.id", "computed by aws_vpc.main"),
            ("data.aws_ami.x.id", "read by data.aws_ami.x"),
            ('"a-${aws_vpc.main.id}"', "computed by aws_vpc.main"),
            ("[for s in aws_subnet.all : s.id]", "computed by aws_subnet.all"),
            ("{for k, s in aws_subnet.all : k => s.id}", "computed by aws_subnet.all"),
            ("length(aws_subnet.all)", "computed by aws_subnet.all"),
            ('join(",", ["a", aws_vpc.main.id])', "computed by aws_vpc.main"),
            ('aws_vpc.main.id == "a"', "computed by aws_vpc.main"),
            ("[aws_vpc.main.id] == [1]", "computed by aws_vpc.main"),
            ("true && aws_vpc.main.on", "computed by aws_vpc.main"),
            ("aws_vpc.main.on ? 1 : 2", "computed by aws_vpc.main"),
            ("try(aws_vpc.main.id, 1)", "computed by aws_vpc.main"),
            ("try({ a = aws_vpc.main.id }, 1)", "computed by aws_vpc.main"),
            ("can(aws_vpc.main.id)", "computed by aws_vpc.main"),
            ('toset([aws_vpc.main.id, "a"])[*]', "computed by aws_vpc.main"),
            ('length(toset([aws_vpc.main.id, "a"]))', "computed by aws_vpc.main"),
            ("jsondecode(aws_secret.x.value).a", "computed by aws_secret.x"),
            ("terraform.workspace", "the workspace is chosen at deploy time"),
            ("path.cwd", "it depends on where terraform runs"),
            ("timestamp()", "function timestamp: it is the time of the deployment"),
            ("uuid()", "function uuid: it is random"),
            ('provider::aws::arn_parse("x")', "function provider::aws::arn_parse is not known"),
            ('pathexpand("~/x")', "it depends on who runs terraform"),
            ('file("/etc/passwd")', "the file is not in the repository"),
            ('file("../../x")', "the file is outside of what is scanned"),
            ("false && [][0]", "it depends on the version of Terraform: [][0] does not exist in the known value"),
            ('sha1(file("nosuch"))', "there is no file nosuch"),
            ("each.value.x", "it differs between the instances of for_each"),
            ("issensitive(var.password)", "var.password has no default"),
        ],
    )  # fmt: skip
    def test_because(self, expression: str, because: str) -> None:
        assert evaluated(expression).value == Unknown(expression, because)

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("aws_vpc.main.on ? 1 : 1", 1),
            ("aws_vpc.main.on ? { a = 1 } : { a = 1 }", {"a": 1}),
            ("false && aws_vpc.main.on", False),
            ("aws_vpc.main.on || true", True),
            ("length([aws_vpc.main.id, 1])", 2),
            ("keys({ a = aws_vpc.main.id })", ["a"]),
            ('contains([aws_vpc.main.id, "a"], "a")', True),
            ("[aws_vpc.main.id, 1] == [1, 2]", False),
            ('[for s in [aws_vpc.main, 1] : "x"]', ["x", "x"]),
            ('lookup({ a = 1 }, "a", aws_vpc.main.id)', 1),
            ("try(aws_x.y[0].nosuch.z[*], 1) == 1 || true", True),
            ("[{ a = aws_vpc.main.id, b = 2 }][*].b", [2]),
            ('coalesce("a", aws_vpc.main.id)', "a"),
            ("alltrue([aws_vpc.main.on, false])", None),
        ],
    )  # fmt: skip
    def test_what_is_certain_all_the_same(self, expression: str, value: object) -> None:
        found = evaluated(expression)
        assert found.is_unknown if value is None else plain(found) == value

    def test_members_stay_known_beside_unknown_ones(self) -> None:
        found = evaluated("merge({ a = 1, b = aws_vpc.main.id }, { c = [aws_x.y.z, 2] })")
        assert plain(found) == {
            "a": 1, "b": Unknown("aws_vpc.main.id", "computed by aws_vpc.main"),
            "c": [Unknown("aws_x.y.z", "computed by aws_x.y"), 2],
        }  # fmt: skip

    def test_a_reference_goes_on_from_what_a_local_refers_to(self) -> None:
        source = SourceFile("main.tf", "")
        console = Console({"local.all": Node({"vpc": Node(Unknown("aws_vpc.main"), source, 0, 0)}, source, 0, 0)})
        assert evaluated("local.all.vpc.id", console).value == Unknown("aws_vpc.main.id")
        assert evaluated('local.all.vpc.tags["Name"]', console).value == Unknown("aws_vpc.main.tags.Name")
        assert evaluated("[for v in [local.all.vpc] : v.subnets[0].id][0]", console).value == Unknown(
            "aws_vpc.main.subnets[0].id"
        )

    def test_an_error_is_not_hidden_by_what_is_unknown_beside_it(self) -> None:
        assert evaluated("try(aws_vpc.main.id + [][0], 5)").value == 5
        assert evaluated('try("${aws_vpc.main.id}${[]}x", "y")').value == "y"
        assert evaluated("try({ a = [][0] }, 3)").value == 3

    def test_where_terraform_runs(self) -> None:
        assert evaluated("path.module", Console(folder="modules/db")).value == "modules/db"
        assert evaluated('"${path.module}/x ${path.root}"').value == "./x ."

    def test_files_are_relative_to_where_terraform_runs(self) -> None:
        files = {"infra/t.txt": SourceFile("infra/t.txt", "x")}

        class Infra(Console):
            def __init__(self) -> None:
                super().__init__(files=files, folder="infra/modules/m")
                self.root_folder = "infra"

            def file(self, path: str) -> SourceFile | None:
                return files.get(f"infra/{path}")

        assert evaluated('file("${path.module}/../../t.txt")', Infra()).value == "x"
        assert evaluated('fileexists("t.txt")', Infra()).value is True
        assert plain(evaluated('fileset(path.root, "*.txt")', Infra())) == ["t.txt"]


class TestTypes:
    def test_collections_remember_what_they_are(self) -> None:
        assert type_of(evaluated('toset(["b", "a"])').value) == ("set", "string")
        assert type_of(evaluated("tomap({ a = 1 })").value) == ("map", "number")
        assert type_of(evaluated('[1, "a"]').value) == ("tuple", "number", "string")

    def test_sets_and_maps_go_in_order(self) -> None:
        assert plain(evaluated('[for k, v in { b = 1, a = 2 } : "${k}${v}"]')) == ["a2", "b1"]
        assert plain(evaluated('[for v in toset(["b", "a"]) : v]')) == ["a", "b"]

    def test_numbers_keep_what_a_float_cannot(self) -> None:
        third = evaluated("1 / 3").value
        assert third == 1 / 3
        assert as_json(evaluated("1 / 3 * 3")) == "1"
        assert evaluated("0.1 + 0.2").value == 0.3  # which floats do not give
        assert evaluated("9007199254740993 + 1").value == 9007199254740994


class TestBounds:
    @pytest.mark.parametrize(
        "expression",
        [
            "range(1e6)",
            "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a + b + c]]]",
            "{for a in range(1000) : a => {for b in range(1000) : b => [for c in range(1000) : c]}}",
            "setproduct(range(1000), range(1000), range(1000))",
            'join(",", [for a in range(1000) : join("-", range(1000))])',
            '"%{ for a in range(1000) }%{ for b in range(1000) }%{ for c in range(1000) }x%{endfor}%{endfor}%{endfor}"',
            'format("%99999s", "x")',
            'indent(60000, "\\n\\n\\n\\n")',
            'regex("(x+x+)+y", join("", [for a in range(1000) : join("", [for b in range(50) : "x"])]))',
            'regexall("(a?){1000}b", join("", [for a in range(1000) : "aaaaaaaaaaaaaaaa"]))',
            "[" * 80 + "]" * 80 + "[0]" * 5,
            "pow(2, 1e9)",
            "1e300 * 1e300 * 1e300",
            'parseint(join("", [for a in range(1000) : "9"]), 10)',
            'jsondecode("' + "[" * 400 + "]" * 400 + '")',
            'yamldecode("' + "[" * 400 + "]" * 400 + '")',
            "chunklist(range(1024), 1)[*][*][*]",
        ],
        ids=range(17),
    )  # fmt: skip
    def test_ends(self, expression: str) -> None:
        found = evaluated(expression)
        assert sum(1 for _ in found.walk()) < 1_000_000

    def test_budget_is_one_for_all_expressions(self) -> None:
        evaluator = Evaluator(Console())
        big = written("[for a in range(1000) : [for b in range(1000) : b]]")
        inner = evaluator.evaluate(big).items
        assert (inner[0].items[9].value, inner[-1].value) == (
            9, Unknown("[for b in range(1000) : b]", "the folder's values grow too large"),
        )  # fmt: skip
        assert evaluator.effort.budget < 0
        with pytest.raises(Unresolved):
            evaluator.charge(1)

    def test_values_nest_no_deeper_than_can_be_walked(self) -> None:
        lines = ["  x0 = [1]"] + [f"  x{n + 1} = [local.x{n}]" for n in range(300)]
        resources, _ = run({"main.tf": BACKEND + "locals {\n" + "\n".join(lines) + "\n}\n"})
        found = find(resources, "locals").node
        assert not found.mapping["x40"].is_unknown
        assert any(node.is_unknown for node in found.mapping["x300"].walk())


PIECES = st.sampled_from([
    "local.a", "var.v", "1", "0.5", '"x"', "null", "true", "[", "]", "{", "}", "(", ")", " + ", " / ", " == ", " ? ",
    " : ", ", ", "...", "for x in ", "for k, v in ", " : x", " => ", " if ", "[*]", ".*", ".a", "[0]", " = ", "!", "-",
    "<<-E\n  a\n  E\n", '"${', '}"', "%{ if ", "%{ else }", "%{ endif }", "~}", "${~ ", "é", "try(", "can(", "merge(",
    "regex(", "format(", "jsonencode(", "jsondecode(", "yamldecode(", "toset(", "tolist(", "cidrsubnet(", "file(",
    "templatefile(", "setproduct(", "flatten(", "range(", "formatdate(", "substr(", "fileset(", "lookup(", "path.root",
])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=14))
def test_any_expression_is_evaluated(pieces: list[str]) -> None:
    check("".join(pieces))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_evaluated(text: str) -> None:
    check(text)


FUNCTIONS = st.sampled_from([
    "regex", "replace", "format", "formatlist", "formatdate", "timeadd", "substr", "split", "jsondecode", "yamldecode",
    "csvdecode", "base64decode", "cidrsubnet", "cidrhost", "parseint", "tonumber", "title", "trim", "indent", "fileset",
    "textdecodebase64", "urlencode", "templatefile", "strrev", "regexall", "chomp", "log", "pow", "element", "slice",
])  # fmt: skip
ARGUMENTS = (
    st.text(alphabet=st.characters(exclude_characters='"\\\n\r$%', exclude_categories=["Cs"]), max_size=12).map(
        '"{}"'.format
    )
    | st.integers(-10, 10_000).map(str)
    | st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda number: f"{number:.9f}")
    | st.sampled_from(["null", "true", "[]", '["a", 1]', "{}", "{ a = 1 }"])
)


@settings(max_examples=500, deadline=None)
@given(FUNCTIONS, st.lists(ARGUMENTS, max_size=3))
def test_any_arguments_are_taken(function: str, arguments: list[str]) -> None:
    check(f"{function}({', '.join(arguments)})")


def check(expression: str) -> None:
    node = written(expression)
    found = Evaluator(Console()).evaluate(node)
    for inner in found.walk():
        assert not isinstance(inner.value, Expression)
        assert 0 <= inner.start <= inner.end <= len(inner.source.text)
        assert len(inner.via) <= 4
    as_json(found)


def test_a_kept_exception_keeps_its_kind_and_no_frames() -> None:
    with pytest.raises(VersionDependent) as caught:
        raise VersionDependent("it depends")
    kept = caught.value.anew()
    assert caught.value.__traceback__ is not None
    assert (type(kept), str(kept), kept.__traceback__) == (VersionDependent, "it depends", None)
