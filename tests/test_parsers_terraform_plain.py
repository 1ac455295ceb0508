"""Plain Terraform files are read without a syntax tree, and give the same nodes as with one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, SourceFile
from pyprod_audit.parsers.hcl_expression import Expression
from pyprod_audit.parsers.hcl_plain import read_plain
from pyprod_audit.parsers.hcl_tree import FileReader

_FILE = """\
# The database and what guards it.
variable "size" {}

/* Two engines
   are supported. */
resource "aws_db_instance" "main" { // the only one
  identifier = "${var.name}-main-${local.zone[0]}"
  allocated_storage = 20 # GiB
  multi_az = true
  ratio = 0.5
  password = null
  subnets = [aws_subnet.a.id, module.net.zones["b"].subnet, "c",]
  tags = merge(local.tags, { Name = "main", "cost-center" : 12
    note = "50% \\"off\\""
  })

  timeouts {
    create = "30m"
  }
  policy = <<-EOT
    line one
      ${var.size} of é
  EOT
  nested = { list = [
    1, # first
    { deep = tostring(var.x) }
  ] }
}
"""


def described(node: Node) -> list[object]:
    """Everything a node holds, in an order that only depends on it."""
    found: list[object] = []
    waiting: list[object] = [node]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Node):
            found.append(part)
            continue
        value = part.value
        found.append((part.start, part.end, part.key_start, part.key_end, type(value)))
        if isinstance(value, dict):
            found.append(tuple(value))
            waiting.extend(value.values())
        elif isinstance(value, tuple):
            waiting.extend(value)
        elif isinstance(value, Expression):
            found.append((value.expression, value.because, value.operator, value.name))
            waiting.extend((*value.operands, *value.steps))
        else:
            found.append(value)
    return found


def through_the_tree(text: str) -> tuple[list[object], list[str]]:
    """What the syntax tree gives, and its problems."""
    source = SourceFile("main.tf", text, "terraform")
    reader = FileReader(source)
    reader.read(text, 0)
    both = Node((Node(reader.attributes, source, 0, 0), *reader.blocks), source, 0, 0)
    return described(both), [problem.message for problem in reader.problems]


def plainly(text: str) -> list[object] | None:
    """What the plain reader gives, if the text is plain."""
    source = SourceFile("main.tf", text, "terraform")
    found = read_plain(source)
    return (
        None if found is None else described(Node((Node(found.attributes, source, 0, 0), *found.blocks), source, 0, 0))
    )


def test_a_plain_file_gives_what_the_syntax_tree_gives() -> None:
    found = plainly(_FILE)
    assert found is not None
    assert (found, []) == through_the_tree(_FILE)


@pytest.mark.parametrize(
    "text",
    [
        "a = b + 1\n",
        "a = [for x in y : x]\n",
        "a = b[*].c\n",
        'a = "%{ if b }c%{ endif }"\n',
        "a = 1\na = 2\n",
        "a {\n",
        'a = "b\n',
        "a = <<EOT\nb\n",
        "a = 1 b = 2\n",
        "a = (1)\n",
        "a = -1\n",
        'a = "\x00"\n',
        "a {" * 300,
        "a = " + "[" * 300 + "]" * 300 + "\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_syntax_tree(text: str) -> None:
    assert plainly(text) is None


_MARKS = ('"', "{", "}", "[", "]", "(", ")", "\n", " ", "=", ",", "#", "/*", "*/", "${", "%", "\\", ".", "a", "0", "-",
          "<<EOT\n", "EOT", "true", "for", ":", "?", "é", "\r", '"a"', "a.b", "$${", "1e5", "..", "[0]")  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(_FILE)), st.integers(0, 4), st.sampled_from(_MARKS)), min_size=1, max_size=3)
)
def test_whatever_is_plain_gives_what_the_syntax_tree_gives(edits: list[tuple[int, int, str]]) -> None:
    text = _FILE
    for at, removed, added in edits:
        text = text[:at] + added + text[at + removed :]
    found = plainly(text)
    if found is not None:
        assert (found, []) == through_the_tree(text)
