"""HCL expressions as nodes: loops, templates, splats, numbers, and what the grammar in use gets wrong."""

from __future__ import annotations

import pytest

from pyprod_audit.model import Node, SourceFile
from pyprod_audit.parsers.hcl_expression import Expression, ForExpression
from pyprod_audit.parsers.hcl_number import ExactNumber, number_of, rounded
from pyprod_audit.parsers.hcl_text import lines_without_indentation
from pyprod_audit.parsers.hcl_tree import read_template
from pyprod_audit.parsers.terraform import parse


def attribute(expression: str) -> Node:
    parsed = parse(SourceFile("main.tf", f"x = {expression}\n"))
    assert parsed.problems == []
    return parsed.resources[0].node.mapping_at("attributes")["x"]


def expression(text: str) -> Expression:
    value = attribute(text).value
    assert isinstance(value, Expression)
    return value


def shape(node: Node) -> object:
    """The operators of an expression, nested as they are read."""
    value = node.value
    if isinstance(value, Expression):
        return (value.operator, *map(shape, value.operands)) if value.operands else value.expression
    return [shape(one) for one in value] if isinstance(value, tuple) else value


class TestFor:
    def test_tuple(self) -> None:
        found = expression("[for i, é in xs : i + é if é > 1]")
        assert isinstance(found, ForExpression)
        assert (found.operator, found.key_name, found.value_name, found.group) == ("for[]", "i", "é", False)
        assert [one.span.text for one in found.operands] == ["xs", "i + é"]
        assert found.condition is not None
        assert found.condition.span.text == "é > 1"

    def test_object(self) -> None:
        found = expression("{for x in xs : x.k => x...}")
        assert isinstance(found, ForExpression)
        assert (found.operator, found.key_name, found.value_name, found.group) == ("for{}", "", "x", True)
        assert found.key is not None
        assert [one.span.text for one in (found.key, found.operands[1])] == ["x.k", "x"]

    def test_template(self) -> None:
        found = expression('"a%{ for k, v in m ~}  ${v}%{ endfor }"')
        loop = found.operands[1].value
        assert isinstance(loop, ForExpression)
        assert (loop.operator, loop.key_name, loop.value_name) == ("%for", "k", "v")
        assert shape(loop.operands[1]) == ("text", "v")
        assert found.operands[1].span.text == "%{ for k, v in m ~}  ${v}%{ endfor }"


class TestOperators:
    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("a ? b : c ? d : e", ("?:", "a", "b", ("?:", "c", "d", "e"))),
            ("a ? b ? c : d : e", ("?:", "a", ("?:", "b", "c", "d"), "e")),
            ("(a ? b : c) ? d : e", ("?:", ("?:", "a", "b", "c"), "d", "e")),
            ("a ? b : c ? d : e ? f : g", ("?:", "a", "b", ("?:", "c", "d", ("?:", "e", "f", "g")))),
            ("a || b && c", ("||", "a", ("&&", "b", "c"))),
            ("a - b - c", ("-", ("-", "a", "b"), "c")),
            ("!a == b", ("==", ("!", "a"), "b")),
            ("-a.b", ("-x", "a.b")),
        ],
    )
    def test_grouping(self, written: str, read: object) -> None:
        assert shape(attribute(written)) == read

    def test_the_rest_of_a_conditional_chain_has_its_place(self) -> None:
        assert expression("a ? b : c ? d : e").operands[2].span.text == "c ? d : e"

    def test_members_follow_all_steps_behind_a_full_splat(self) -> None:
        assert expression("a[*].b[0].c").steps == (None, "b", 0, "c")

    def test_members_follow_attributes_only_behind_an_attribute_splat(self) -> None:
        found = expression("a.*.b[0].c")
        assert (found.operator, found.steps) == ("traversal", (0, "c"))
        inner = found.operands[0].value
        assert isinstance(inner, Expression)
        assert (inner.operator, inner.name, inner.steps, inner.expression) == ("reference", "a", (None, "b"), "a.*.b")


class TestTemplates:
    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ('"$$${x}"', "$${x}"),
            ('"$$$$${x}"', "$$$${x}"),
            ('"a\u0301"', "á"),
            ("<<EOT\n$$${x}\nEOT", "$${x}\n"),
        ],
    )
    def test_literals(self, written: str, value: str) -> None:
        assert attribute(written).value == value

    @pytest.mark.parametrize(
        ("written", "parts"),
        [
            ('"a ${~ b ~} c"', ["a", "b", "c"]),
            ('"a${b ~}\\n c"', ["a", "b", "c"]),
            ('"  ${~ b}"', ["", "b"]),
            ("<<EOT\n  ${~ b ~}\n  c\nEOT", ["b", "  c\n"]),
            ("<<-EOT\n   ${b ~}\n  c\n d\n EOT", ["  ", "b", "  c\nd\n"]),
            ("<<-EOT\n  c\n${b}\nEOT", ["  c\n", "b", "\n"]),
        ],
    )
    def test_strip_markers_and_indentation(self, written: str, parts: list[str]) -> None:
        assert [shape(one) for one in expression(written).operands] == parts

    @pytest.mark.parametrize(
        "written",
        [
            '"%{ if a }b"',
            '"%{ else }"',
            '"%{ endif }"',
            '"%{ if a }b%{ endfor }"',
            '"a\nb"',
            "{ a = 1 b = 2 }",
            "a.0.1",
        ],
    )
    def test_incomplete_ones_are_opaque(self, written: str) -> None:
        parsed = parse(SourceFile("main.tf", f"x = {written}\n"))
        found = parsed.resources[0].node.mapping_at("attributes").get("x")
        assert parsed.problems or (
            found is not None and isinstance(found.value, Expression) and found.value.operator == "opaque"
        )

    def test_nested_directives(self) -> None:
        found = expression('"%{ if a }x%{ for v in b }${v}%{ endfor }%{ else }y%{ endif }"')
        assert shape(found.operands[0]) == (
            "%if", "a", ("text", "x", ("%for", "b", ("text", "v"))), ("text", "y"),
        )  # fmt: skip

    def test_whole_files_keep_their_places(self) -> None:
        source = SourceFile("t.tftpl", "é ${a}\n%{ if b ~}\n  c\n%{ endif ~}\n")
        value = read_template(source).value
        assert isinstance(value, Expression)
        assert [one.span.text for one in value.operands[:2]] == ["é ", "a"]
        assert [shape(one) for one in value.operands] == ["é ", "a", "\n", ("%if", "b", ("text", "  c\n"), "")]

    def test_a_file_that_is_no_template_is_opaque(self) -> None:
        value = read_template(SourceFile("t.tftpl", "a ${")).value
        assert isinstance(value, Expression)
        assert value.operator == "opaque"

    def test_what_a_marker_left_of_a_line_counts_for_the_indentation(self) -> None:
        assert lines_without_indentation(["  a\n", "", None, "  b\n"]) == ["  a\n", "", None, "  b\n"]
        assert lines_without_indentation(["  a\n", " \n", "    b\n"]) == ["a\n", " \n", "  b\n"]


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("1", 1),
            ("1.0", 1),
            ("1.50", 1.5),
            ("1e3", 1000),
            ("1e30", 10**30),
            ("1.5e-3", 0.0015),
            (".5", 0.5),
            ("100000000000000000000", 10**20),
            ("1e400", None),
            (" 1", None),
            ("1_0", None),
            ("nan", None),
            ("0x1", None),
            ("9" * 500, None),
        ],
    )
    def test_text(self, text: str, number: float | None) -> None:
        found = number_of(text)
        assert found == number
        assert type(found) is type(number)

    def test_digits_beyond_a_float_are_kept(self) -> None:
        found = number_of("0.12345678901234567890123")
        assert isinstance(found, ExactNumber)
        assert found == 0.12345678901234568
        assert round(found.exact * 10**23) == 12345678901234567890123

    def test_rounding_is_that_of_floats(self) -> None:
        from fractions import Fraction

        for numerator, denominator in ((1, 3), (2, 3), (10**30 + 1, 7), (1, 10**25), (2**53 + 1, 1), (2**54 + 6, 1)):
            exact = Fraction(numerator, denominator)
            assert rounded(exact, 53) == Fraction(numerator / denominator)

    @pytest.mark.parametrize(("written", "value"), [("1e9", 10**9), ("[2E-2, 1e+2]", [0.02, 100]), ("-1e3", -1000)])
    def test_exponents_without_a_point(self, written: str, value: object) -> None:
        """Which the grammar in use does not know."""
        assert shape(attribute(written)) == value
