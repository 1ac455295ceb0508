"""Shell scripts: commands with their words, conditions, pipelines and places, in files and inside other files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, SourceFile, Unknown
from pyprod_audit.parsers.shell import commands_in, commands_of, parse


def plain(node: Node | None) -> Any:
    """The tree without places; Unknown as its expression in angle brackets."""
    if node is None:
        return None
    value = node.value
    if isinstance(value, Unknown):
        return f"<{value.expression}>"
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, tuple) else value


def script(text: str) -> Node:
    return parse(SourceFile("start.sh", text)).resources[0].node


def commands(text: str) -> tuple[Node, ...]:
    return script(text).items_at("commands")


def words(text: str) -> list[list[Any]]:
    return [plain(command.get("words")) for command in commands(text)]


def field(text: str, name: str) -> list[Any]:
    return [plain(command.get(name)) for command in commands(text)]


ENTRYPOINT = """\
#!/usr/bin/env bash
set -euo pipefail

wait_for() {
  until nc -z "$1" "$2"; do
    sleep 1
  done
}

wait_for "$DB_HOST" 5432
python manage.py migrate --noinput

case "${1:-web}" in
  web)
    exec gunicorn shop.wsgi:application \\
      --bind 0.0.0.0:8000 --workers "${WORKERS}"
    ;;
  worker) exec celery -A shop worker ;;
  *) exec "$@" ;;
esac
"""


def test_entrypoint_script() -> None:
    node = script(ENTRYPOINT)
    assert plain(node.get("interpreter")) == "bash"
    assert plain(node.get("options")) == ["errexit", "nounset", "pipefail"]
    assert plain(node.get("functions")) == ["wait_for"]
    assert words(ENTRYPOINT) == [
        ["set", "-euo", "pipefail"],
        ["nc", "-z", '<"$1">', '<"$2">'],
        ["sleep", "1"],
        ["wait_for", '<"$DB_HOST">', "5432"],
        ["python", "manage.py", "migrate", "--noinput"],
        ["gunicorn", "shop.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", '<"${WORKERS}">'],
        ["celery", "-A", "shop", "worker"],
        ['<"$@">'],
    ]
    assert field(ENTRYPOINT, "exec") == [False] * 5 + [True] * 3
    assert field(ENTRYPOINT, "last") == [False] * 5 + [True] * 3
    assert field(ENTRYPOINT, "condition") == ["", "loop", "loop", "", "", "case", "case", "case"]
    assert field(ENTRYPOINT, "function")[1:4] == ["wait_for", "wait_for", None]


def test_places_are_exact() -> None:
    bind = commands(ENTRYPOINT)[5].items_at("words")[3]
    assert (bind.span.line, bind.span.text) == (16, "0.0.0.0:8000")
    name = commands(ENTRYPOINT)[5].mapping["name"]
    assert (name.span.line, name.span.text) == (15, "gunicorn")
    option = script(ENTRYPOINT).items_at("options")[2]
    assert (option.span.line, option.span.text) == (2, "pipefail")


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("plain", "plain"),
        ("'a b'", "a b"),
        ('"a b"', "a b"),
        ("a'b'\"c\"d", "abcd"),
        (r"a\ b", "a b"),
        (r'"a\"b\$c\d"', r'a"b$c\d'),
        ("$'a\\tb\\x41'", "a\tbA"),
        ("''", ""),
        ("'$HOME'", "$HOME"),
        ("--x='y z'", "--x=y z"),
        ("*.py", "*.py"),
        ("é'ü'", "éü"),
        ("$HOME/x", "<$HOME/x>"),
        ('"${A:-b c}"', '<"${A:-b c}">'),
        ('"$(date +%s)"', '<"$(date +%s)">'),
        ("`id`", "<`id`>"),
        ('"$@"', '<"$@">'),
        ("{{ name }}", "<{{ name }}>"),
        ("'{{ a }}:{{ b }}'", "<'{{ a }}:{{ b }}'>"),
    ],
)
def test_words(word: str, meaning: str) -> None:
    found = commands(f"run {word} end")[0].items_at("words")
    assert [plain(node) for node in found] == ["run", meaning, "end"]
    assert found[1].span.text == word


def test_operators_and_pipelines() -> None:
    text = "a | b |& c && d || e; f & g\n"
    assert words(text) == [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]]
    assert field(text, "operator") == ["", "|", "|", "&&", "||", ";", ";"]
    assert field(text, "pipeline") == [1, 1, 1, None, None, None, None]
    assert field(text, "background") == [False] * 5 + [True, False]
    assert field(text, "last") == [False] * 6 + [True]


def test_two_pipelines_have_two_numbers() -> None:
    assert field("a | b\nc | d", "pipeline") == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "program", "executed", "env"),
    [
        ("exec gunicorn a:b", "gunicorn", True, {}),
        ("cd /srv && exec gunicorn a:b", "gunicorn", True, {}),
        ("exec -a web /usr/bin/gunicorn a:b", "gunicorn", True, {}),
        ("env A=1 B='x y' gunicorn a:b", "gunicorn", False, {"A": "1", "B": "x y"}),
        ("exec env -u X A=$P /opt/venv/bin/gunicorn", "gunicorn", True, {"A": "<$P>"}),
        ("A=1 B=$C gunicorn", "gunicorn", False, {"A": "1", "B": "<$C>"}),
        ("env", "env", False, {}),
        ("nohup gunicorn a:b", "nohup", False, {}),
        ("export A=1 B", "export", False, {"A": "1"}),
    ],
)
def test_program_behind_exec_and_env(text: str, program: str, executed: bool, env: dict[str, str]) -> None:
    command = commands(text)[-1]
    assert plain(command.get("name")) == program
    assert plain(command.get("exec")) is executed
    assert plain(command.get("env")) == env


def test_assignments_and_redirections_alone() -> None:
    text = "A=1 B=2\nexec > /var/log/x 2>&1\n"
    assert words(text) == [[], []]
    assert plain(commands(text)[0].get("env")) == {"A": "1", "B": "2"}
    assert commands(text)[0].get("name") is None
    assert plain(commands(text)[1].get("exec")) is True
    assert plain(commands(text)[1].get("redirects")) == ["> /var/log/x", "2>&1"]


def test_redirects_belong_to_the_last_command() -> None:
    text = "a && b > f 2>&1\nc | d >> g\n{ e; f; } > h\ni >j k\n"
    assert field(text, "redirects") == [[], ["> f", "2>&1"], [], [">> g"], ["> h"], ["> h"], [">j"]]
    assert words(text)[-1] == ["i", "k"]


def test_control_structures() -> None:
    text = "if a; then b; elif c; then d; else e; fi\nfor i in 1 2; do f $i; done\n(g; h)\n[ -f x ] && i\n! j\n"
    names = field(text, "name")
    assert names == ["a", "b", "c", "d", "e", "f", "g", "h", "[", "i", "j"]
    assert field(text, "condition") == ["", "if", "if", "if", "if", "loop", "", "", "", "", ""]
    assert words(text)[8] == ["[", "-f", "x", "]"]


def test_every_branch_at_the_end_is_last() -> None:
    assert field("a\nif b; then c; exec d; else e; fi", "last") == [False, False, False, True, True]


def test_functions_are_not_last() -> None:
    assert field("main\nf() { x; }", "last") == [True, False]


def test_heredocs() -> None:
    text = "cat <<EOF > out | tee x\npip install nothing $A\nEOF\nnext <<'E2' && after\nbody\nE2\nend\n"
    assert words(text) == [["cat"], ["tee", "x"], ["next"], ["after"], ["end"]]
    assert field(text, "operator") == ["", "|", ";", "&&", ";"]
    assert field(text, "redirects")[0] == ["<<EOF", "> out"]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("#!/bin/sh -eu\na", ["errexit", "nounset"]),
        ("#!/usr/bin/env -S bash -e\na", ["errexit"]),
        ("set -e\nset -o pipefail\n", ["errexit", "pipefail"]),
        ("set -o errexit -o nounset", ["errexit", "nounset"]),
        ("set +e", []),
        ("set -- a b", []),
        ("if x; then set -e; fi", []),
        ("f() { set -e; }", []),
        ("echo set -e", []),
    ],
)
def test_options(text: str, options: list[str]) -> None:
    assert plain(script(text).get("options")) == options


def test_script_of_another_language() -> None:
    node = script("#!/usr/bin/env python3\nimport os; os.system('x')\n")
    assert plain(node.get("interpreter")) == "python3"
    assert plain(node.get("commands")) == []


def test_crlf_gives_the_same_commands() -> None:
    text = ENTRYPOINT + "cat <<EOF\nx\nEOF\n"
    windows = SourceFile("start.sh", text.replace("\n", "\r\n"))
    parsed = parse(windows)
    assert parsed.problems == []
    assert plain(parsed.resources[0].node.get("commands")) == plain(script(text).get("commands"))
    bind = parsed.resources[0].node.items_at("commands")[5].items_at("words")[3]
    assert (bind.span.line, bind.span.text) == (16, "0.0.0.0:8000")


def test_template_statements_are_blank() -> None:
    text = "{% if a %}\npip install {{ x }} \\\n {% if b %}uv{% endif %}\n{% endif %}\nend\n"
    assert words(text) == [["pip", "install", "<{{ x }}>", "uv"], ["end"]]


def test_braces_of_the_shell_are_no_templates() -> None:
    assert words("a ${#x} {b,c} ${y%%.*} end") == [["a", "<${#x}>", "{b,c}", "<${y%%.*}>", "end"]]


def test_broken_script_keeps_what_can_be_read() -> None:
    parsed = parse(SourceFile("x.sh", "set -e\npip install flask\nif true; then\n  exec gunicorn a:b\n"))
    assert parsed.partial
    assert [problem.stage for problem in parsed.problems] == ["parse"]
    assert ["pip", "install", "flask"] in [plain(c.get("words")) for c in parsed.resources[0].node.items_at("commands")]


def test_commands_in_a_range() -> None:
    source = SourceFile("web.yaml", "command: |\n  cd /srv\n  exec gunicorn é:b\nother: x\n")
    start, end = source.text.index("cd"), source.text.index("other")
    cd, server = commands_in(source, start, end)
    assert plain(cd.get("words")) == ["cd", "/srv"]
    assert server.items_at("words")[1].span.text == "é:b"
    assert server.mapping["name"].span.line == 3


def test_commands_of_a_text_point_at_the_anchor() -> None:
    source = SourceFile("Dockerfile", 'CMD ["sh", "-c", "exec a \\"b c\\" && d"]')
    anchor = source.span(17, 38)
    first, second = commands_of('exec a "b c" && d', anchor)
    assert plain(first.get("words")) == ["a", "b c"]
    assert plain(second.get("last")) is True
    assert {(node.start, node.end) for node in first.walk()} == {(17, 38)}


HOSTILE = (
    "(", "$(", "{ ", "if a; then ", "a | ", "a && ", '"', "\\", "'", "<<A ", "f() { ", "case x in a) ", "${x:-", "a;", "`",  # noqa: E501
    "{{", "! ", "a=( ", "[[ a && ",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_input(piece: str) -> None:
    text = piece * (20_001 // len(piece))
    parsed = parse(SourceFile("x.sh", text))
    assert all(0 <= node.start <= node.end <= len(text) for node in parsed.resources[0].node.walk())


PIECES = st.sampled_from(
    [
        *(line + "\n" for line in ENTRYPOINT.splitlines()),
        "<<EOF\n",
        "EOF\n",
        "|",
        "&&",
        "||",
        ";",
        "&",
        "(",
        ")",
        "{",
        "}",
        "$(",
        "`",
        '"',
        "'",
        "\\",
        "$",
        "${",
        "if ",
        "then ",
        "fi",
        "case ",
        "esac",
        ";;",
        "do ",
        "done",
        "function ",
        "[[ ",
        "]]",
        "((",
        "))",
        "{{ x }}",
        "{% y %}",
        "é",
        "\x00",
        "\ud800",
        "\r\n",
        "\t",
        "exec ",
        "env ",
        "A=",
        "A[1]+=",
        ">",
        "2>&1",
        "set -o ",
        "#!",
        "#",
        "\u2028",
        "export ",
        "-a ",
        "! ",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join)))
def test_never_raises_and_plain_words_stand_where_they_say(text: str) -> None:
    parsed = parse(SourceFile("x.sh", text))
    for node in parsed.resources[0].node.walk():
        assert 0 <= node.start <= node.end <= len(text)
    for command in parsed.resources[0].node.items_at("commands"):
        for word in command.items_at("words"):
            if word.text is not None and not set(word.span.text) & set("\\'\"$`\r\n"):
                assert word.span.text == word.text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_anchored_nodes_never_leave_the_anchor(text: str) -> None:
    anchor = SourceFile("f", "0123456789").span(2, 5)
    for command in commands_of(text, anchor):
        assert {(node.start, node.end) for node in command.walk()} == {(2, 5)}
