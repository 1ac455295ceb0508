"""Terraform files as trees: values, places, recovery, JSON, and agreement with python-hcl2."""

from __future__ import annotations

from typing import Any

import hcl2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, SourceFile, Unknown
from pyprod_audit.parsers.hcl_expression import Expression
from pyprod_audit.parsers.terraform import parse

DATABASE = """# Orders database – größer als gedacht
resource "aws_db_instance" "orders" {
  identifier        = "orders-é-db" # ünïcode
  engine            = "postgres"
  allocated_storage = 20
  iops              = 1.5e3
  multi_az          = true
  kms_key_id        = null
  offset            = -3
  ports             = [5432, 5433,]
  tags = {
    Team      = "orders"
    "cost:id" : "42"
    7         = "seven"
  }

  timeouts {
    create = "30m"
  }
  restore_to_point_in_time {
    use_latest_restorable_time = false
  }
}
"""


def read(text: str, path: str = "main.tf") -> Parsed:
    return parse(SourceFile(path, text))


def blocks(text: str, path: str = "main.tf") -> tuple[Node, ...]:
    return read(text, path).resources[0].node.items_at("blocks")


def attribute(expression: str) -> Node:
    parsed = read(f"x = {expression}\n")
    assert parsed.problems == []
    return parsed.resources[0].node.mapping_at("attributes")["x"]


def plain(node: Node) -> Any:
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    return value


class TestNativeSyntax:
    def test_block(self) -> None:
        (block,) = blocks(DATABASE)
        assert block.text_at("type") == "resource"
        assert plain(block.mapping["labels"]) == ["aws_db_instance", "orders"]
        assert plain(block.mapping["body"]) == {
            "identifier": "orders-é-db",
            "engine": "postgres",
            "allocated_storage": 20,
            "iops": 1500,
            "multi_az": True,
            "kms_key_id": None,
            "offset": -3,
            "ports": [5432, 5433],
            "tags": {"Team": "orders", "cost:id": "42", "7": "seven"},
        }
        assert [inner.text_at("type") for inner in block.items_at("blocks")] == [
            "timeouts", "restore_to_point_in_time",
        ]  # fmt: skip

    def test_places_count_code_points(self) -> None:
        (block,) = blocks(DATABASE)
        body = block.mapping["body"].mapping
        assert body["engine"].span.text == '"postgres"'
        assert body["engine"].span.position(body["engine"].start) == (4, 23)
        assert body["multi_az"].key is not None
        assert body["multi_az"].key.text == "multi_az"
        assert body["tags"].mapping["cost:id"].key.text == '"cost:id"'  # type: ignore[union-attr]  # it has one
        assert block.anchor.text == 'resource "aws_db_instance" "orders"'
        assert block.span.text == DATABASE[DATABASE.index("resource") :].rstrip("\n")

    def test_astral_characters_do_not_shift_places(self) -> None:
        (block,) = blocks('a "😀" {\n  x = "😀😀"\n  y = [1, "é", 22]\n}\n')
        assert [member.span.text for member in block.mapping["body"].mapping["y"].items] == ["1", '"é"', "22"]

    @pytest.mark.parametrize(
        ("written", "value"),
        [
            (r'"a\tb\n\"c\" \\ \u00e9\U0001F600"', 'a\tb\n"c" \\ é😀'),
            ('"$${x} %%{y} $ $$ 5%"', "${x} %{y} $ $$ 5%"),
            ('""', ""),
            ("1.50", 1.5),
            ("100000000000000000000", 10**20),
            ("[]", []),
            ("{}", {}),
            ("(7)", 7),
            ('[ # comment\n 1, /* two */ "b" ]', [1, "b"]),
            ('{ a = 1, b = { c = "d" } }', {"a": 1, "b": {"c": "d"}}),
            ("<<EOT\n  x \\n $${y}\nEOT", "  x \\n ${y}\n"),
            ("<<EOT\nEOT", ""),
            ("<<-EOT\n    one\n\n      two\n   EOT", "one\n\n  two\n"),
            ("<<-EOT\n\t\ta\n    b\n  EOT", "a\n  b\n"),
            ("<<-EOT\n    one\n      \n    b\n  EOT", "one\n      \nb\n"),
            ("<<-EOT\n      x\n \n      y\n  EOT", "x\n \ny\n"),
        ],
    )
    def test_literals(self, written: str, value: object) -> None:
        found = attribute(written)
        assert plain(found) == value
        assert type(plain(found)) is type(value)

    @pytest.mark.parametrize(
        ("written", "operator"),
        [
            ("var.a.b", "reference"),
            ('aws_subnet.private["a"].id', "reference"),
            ("module.a\n  .b", "template"),
            ('"${var.a}-x"', "template"),
            ("a ? b : c", "?:"),
            ("1 + x", "+"),
            ("!x", "!"),
            ("max(1, 2)", "call"),
            ("{ (x) = 1 }", "object"),
            ("[for x in y : x]", "for[]"),
            ("{for k, v in y : k => v... if v}", "for{}"),
            ('"%{ if x }y%{ endif }"', "template"),
            ("f(x).y", "traversal"),
        ],
    )
    def test_expressions_are_kept(self, written: str, operator: str) -> None:
        value = attribute(written).value
        if "\n" in written:  # a newline before `.attr` does not end the reference
            operator = "reference"
        assert isinstance(value, Expression)
        assert value.operator == operator
        assert value.expression == written

    def test_literals_inside_containers_stay_readable(self) -> None:
        node = attribute('{ name = "web", id = aws_vpc.main.id }')
        assert node.text_at("name") == "web"
        assert isinstance(node.mapping["id"].value, Unknown)

    def test_operands_are_grouped_as_written(self) -> None:
        value = attribute("a.b == 1 && -x.y > 3").value
        assert isinstance(value, Expression)
        assert [operand.span.text for operand in value.operands] == ["a.b == 1", "-x.y > 3"]

    def test_windows_line_ends(self) -> None:
        (block,) = blocks('variable "a" {\r\n  default = "x"\r\n}\r\n')
        assert block.mapping["body"].mapping["default"].text == "x"
        assert block.anchor.text == 'variable "a"'

    def test_variable_file(self) -> None:
        parsed = read('region = "eu-west-1"\nzones = ["a", "b"]\n', "prod.tfvars")
        assert plain(parsed.resources[0].node.mapping["attributes"]) == {"region": "eu-west-1", "zones": ["a", "b"]}


class TestBrokenFiles:
    BROKEN = (
        'variable "a" {\n  default = 1\n}\n\nresource "aws_s3_bucket" "logs" {\n  bucket = "open\n}\n\n'
        'resource "aws_sqs_queue" "jobs" {\n  name = "jobs"\n}\n'
    )

    def test_rest_of_the_file_counts(self) -> None:
        parsed = read(self.BROKEN)
        found = parsed.resources[0].node.items_at("blocks")
        assert [plain(block.mapping["labels"])[-1] for block in found] == ["a", "jobs"]
        assert found[1].mapping["body"].mapping["name"].span.text == '"jobs"'
        assert found[1].anchor.line == 9
        assert parsed.partial

    def test_problem_names_line_and_block(self) -> None:
        (problem,) = read(self.BROKEN).problems
        assert problem.line == 6
        assert "aws_s3_bucket" in problem.message
        assert problem.stage == "parse"

    def test_missing_brace_loses_one_block(self) -> None:
        parsed = read('resource "a" "b" {\n  x = 1\n\nresource "c" "d" {\n  y = 2\n}\n')
        assert [plain(block.mapping["labels"]) for block in parsed.resources[0].node.items_at("blocks")] == [["c", "d"]]
        assert len(parsed.problems) == 1

    def test_non_ascii_before_the_error(self) -> None:
        parsed = read("# ééé 😀\n" + self.BROKEN)
        assert parsed.problems[0].line == 7
        assert parsed.resources[0].node.items_at("blocks")[1].anchor.text == 'resource "aws_sqs_queue" "jobs"'

    def test_argument_set_twice(self) -> None:
        parsed = read("a {\n  x = 1\n  x = 2\n}\n")
        assert parsed.problems[0].line == 3
        assert parsed.resources[0].node.items_at("blocks")[0].get("body.x").value == 1  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        "text",
        [
            "x = " + "[" * 20_000 + "]" * 20_000,
            "x = " + "(" * 5_000 + "1" + ")" * 5_000,
            "x = " + "{a=" * 5_000 + "1" + "}" * 5_000,
            "a {\n" * 3_000 + "}\n" * 3_000,
            "x = " + '"${' * 2_000 + "1" + '}"' * 2_000,
            "x = 1" + " + 1" * 5_000,
            "x = a" + "[0]" * 5_000,
            "x = " + "!" * 5_000 + "a",
            "x = " + "[" * 20_000,
            "x = " + "9" * 10_000,
            "a = \n" * 20_000,
            "x = 1e999999",
            "\0",
            'x = "\ud800"',
        ],
        ids=range(14),
    )  # fmt: skip
    def test_hostile_input_ends(self, text: str) -> None:
        assert isinstance(read(text), Parsed)

    def test_deep_nesting_is_unknown(self) -> None:
        deepest = [node for node in attribute("[" * 200 + "1" + "]" * 200).walk() if node.is_unknown]
        assert "too deeply" in deepest[0].value.because  # type: ignore[union-attr]


class TestJson:
    MAIN = """{
  "//": "generated",
  "terraform": {"backend": {"s3": {"bucket": "state"}}, "required_version": ">= 1.5"},
  "resource": {
    "aws_db_instance": {
      "main": {
        "name": "${var.env}-db",
        "subnet": "${aws_subnet.a.id}",
        "price": "5 %%{x} $${y}",
        "tags": {"Team": "web"},
        "timeouts": {"create": "30m"},
        "dynamic": {"ingress": {"for_each": [1], "content": {"port": "${ingress.value}"}}}
      }
    }
  },
  "variable": {"env": {"default": {"a": 1}, "type": "string"}},
  "provider": {"aws": [{"region": "a"}, {"region": "b", "alias": "b"}]},
  "locals": {"x": {"y": "${1 + 1}"}}
}
"""

    def found(self) -> dict[tuple[str, ...], Node]:
        return {
            (str(plain(block.mapping["type"])), *plain(block.mapping["labels"])): block
            for block in blocks(self.MAIN, "main.tf.json")
        }

    def test_blocks(self) -> None:
        assert list(self.found()) == [
            ("terraform",), ("resource", "aws_db_instance", "main"), ("variable", "env"), ("provider", "aws"),
            ("locals",),
        ]  # fmt: skip

    def test_resource(self) -> None:
        block = self.found()["resource", "aws_db_instance", "main"]
        body = block.mapping["body"].mapping
        assert plain(body["tags"]) == {"Team": "web"}
        assert body["price"].value == "5 %{x} ${y}"
        subnet = body["subnet"].value
        assert isinstance(subnet, Expression)
        assert subnet.expression == "aws_subnet.a.id"
        assert body["subnet"].span.text == '"${aws_subnet.a.id}"'
        assert isinstance(body["name"].value, Expression)
        assert body["name"].value.expression == "${var.env}-db"
        timeouts, dynamic = block.items_at("blocks")
        assert plain(timeouts.mapping["body"]) == {"create": "30m"}
        assert plain(dynamic.mapping["labels"]) == ["ingress"]
        assert block.anchor.text == "main"

    def test_backend_has_its_label(self) -> None:
        (backend,) = self.found()["terraform",].items_at("blocks")
        assert plain(backend.mapping["labels"]) == ["s3"]

    def test_values_are_not_blocks(self) -> None:
        assert plain(self.found()["variable", "env"].mapping["body"])["default"] == {"a": 1}

    @pytest.mark.parametrize(
        "text", ["{", "[1,,2]", '{"a" 1}', '{"a": 1} x', "[" * 9_000, '{"a": 01.2.3}', '"\\x"', "]"]
    )
    def test_broken_json_is_a_problem(self, text: str) -> None:
        parsed = read(text, "main.tf.json")
        assert parsed.resources == []
        assert parsed.problems[0].line == 1

    def test_invalid_template_is_unknown(self) -> None:
        (block,) = blocks('{"locals": {"a": "${"}}', "x.tf.json")
        assert block.get("body.a").is_unknown  # type: ignore[union-attr]

    def test_variable_file(self) -> None:
        parsed = read('{"a": ["é", 1.5, false]}', "x.tfvars.json")
        assert plain(parsed.resources[0].node.mapping["attributes"]) == {"a": ["é", 1.5, False]}


# -- differential: python-hcl2 reads the same literals ---------------------------------------------------------------

NETWORK = """
terraform {
  required_version = ">= 1.5"
  backend "gcs" {
    bucket = "state"
  }
}
provider "google" {
  project = "shop"
}
resource "google_sql_database_instance" "main" {
  name                = "shop"
  database_version    = "POSTGRES_16"
  deletion_protection = true
  settings {
    tier = "db-custom-2-7680"
    disk_size = 50
    backup_configuration {
      enabled    = false
      start_time = "03:00"
    }
    database_flags {
      name  = "log_connections"
      value = "on"
    }
    database_flags {
      name  = "max_connections"
      value = "200"
    }
  }
}
"""


def ours(block: Node) -> tuple[Any, ...]:
    body = {name: value for name, value in plain(block.mapping["body"]).items() if not isinstance(value, Unknown)}
    return (
        block.text_at("type"),
        plain(block.mapping["labels"]),
        body,
        sorted((ours(inner) for inner in block.items_at("blocks")), key=repr),
    )


def theirs(keyword: str, body: dict[str, Any]) -> tuple[Any, ...]:
    labels: list[str] = []
    while len(body) and "__is_block__" not in body:
        ((label, body),) = body.items()
        labels.append(label.strip('"'))
    attributes: dict[str, Any] = {}
    nested: list[tuple[Any, ...]] = []
    for name, value in body.items():
        if name in ("__is_block__", "__comments__", "__inline_comments__"):
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict) and _holds_block(value[0]):
            nested += [theirs(name, inner) for inner in value]
        else:
            attributes[name] = _unquoted(value)
    return keyword, labels, attributes, sorted(nested, key=repr)


def _holds_block(value: Any) -> bool:
    return isinstance(value, dict) and ("__is_block__" in value or any(_holds_block(inner) for inner in value.values()))


def _unquoted(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key).strip('"'): _unquoted(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_unquoted(member) for member in value]
    return value[1:-1] if isinstance(value, str) and value.startswith('"') else value


@pytest.mark.parametrize("text", [NETWORK, DATABASE.replace("kms_key_id        = null", "").replace("1.5e3", "15")])
def test_agrees_with_python_hcl2(text: str) -> None:
    oracle = hcl2.loads(text)
    expected = [theirs(keyword, body) for keyword, bodies in oracle.items() if keyword != "__comments__"
                and keyword != "__inline_comments__" for body in bodies]  # fmt: skip
    assert sorted(map(ours, blocks(text)), key=repr) == sorted(expected, key=repr)


# -- properties ------------------------------------------------------------------------------------------------------


def check_places(parsed: Parsed, text: str) -> None:
    for resource in parsed.resources:
        for node in resource.node.walk():
            assert 0 <= node.start <= node.end <= len(text)
            assert -1 <= node.key_start <= node.key_end <= len(text)
    assert all(problem.line is not None and problem.line >= 1 for problem in parsed.problems)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["a.tf", "a.tf.json", "a.tfvars"]))
def test_any_text_is_read(text: str, path: str) -> None:
    check_places(read(text, path), text)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([DATABASE, NETWORK, TestBrokenFiles.BROKEN, 'x = <<-E\n  ${a}\n E\ny = "${f(b[0], c...)}é"\n']),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.text('"{}[]()$%<=é\n. ?:!-', max_size=4)), max_size=4),
)
def test_mutated_configuration_is_read(text: str, edits: list[tuple[float, int, str]]) -> None:
    for where, gone, new in edits:
        at = int(where * len(text))
        text = text[:at] + new + text[at + gone :]
    check_places(read(text), text)


@settings(max_examples=80, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
       | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_json_values_survive(value: object) -> None:
    import json

    for dumped in (json.dumps({"x": value}), json.dumps({"x": value}, ensure_ascii=False, indent=1)):
        parsed = read(dumped, "a.tfvars.json")
        assert plain(parsed.resources[0].node.mapping["attributes"]) == {"x": value}
