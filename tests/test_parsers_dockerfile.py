"""Dockerfiles: reading as BuildKit reads, effective stages, RUN commands, and what broken input does."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprod_audit.model import Node, Parsed, Resource, SourceFile, Unknown
from pyprod_audit.parsers.dockerfile import parse


def read(text: str) -> Parsed:
    return parse(SourceFile("Dockerfile", text))


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


def stages(text: str) -> list[Resource]:
    return [resource for resource in read(text).resources if resource.kind == "docker.stage"]


def last(text: str) -> Node:
    return stages(text)[-1].node


def runs(text: str) -> list[Node]:
    return [resource.node for resource in read(text).resources if resource.kind == "docker.run"]


def words(run: Node) -> list[list[Any]]:
    return [plain(command.get("words")) for command in run.items_at("commands")]


TYPICAL = """\
# syntax=docker/dockerfile:1
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS builder
WORKDIR /build
COPY requirements.txt .
RUN --mount=type=cache,target=/root/.cache/pip \\
    --mount=type=secret,id=pypi,required=true \\
    pip install --prefix=/install -r requirements.txt

FROM python:${PYTHON}-slim
ENV PYTHONUNBUFFERED=1 \\
    PATH="/install/bin:$PATH"
WORKDIR /srv
WORKDIR app
COPY --from=builder --chown=app:app /install /usr/local
COPY . .
USER app:app
EXPOSE 8000 9000/udp 7000-7005
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \\
  CMD curl -fsS http://localhost:8000/healthz || exit 1
STOPSIGNAL SIGQUIT
ENTRYPOINT ["tini", "--"]
CMD exec gunicorn shop.wsgi:application --bind 0.0.0.0:$PORT
"""


def test_typical_file() -> None:
    parsed = read(TYPICAL)
    assert (parsed.problems, parsed.partial) == ([], False)
    assert [(r.kind, r.address) for r in parsed.resources] == [
        ("docker.file", "Dockerfile"),
        ("docker.stage", "stage[builder]"),
        ("docker.run", "stage[builder]/RUN[1]"),
        ("docker.stage", "stage[1]"),
    ]
    final = parsed.resources[3].node
    assert plain(final.get("from")) == {"image": "python:3.12-slim", "name": "python", "tag": "3.12-slim"}
    assert plain(final.get("workdir")) == "/srv/app"
    assert plain(final.get("user")) == "app:app"
    assert plain(final.get("stopsignal")) == "SIGQUIT"
    assert plain(final.get("env")) == {"PYTHONUNBUFFERED": "1", "PATH": '<"/install/bin:$PATH">'}
    assert plain(final.get("expose")) == [
        {"port": 8000, "protocol": "tcp"},
        {"port": 9000, "protocol": "udp"},
        {"port": 7000, "protocol": "tcp", "last": 7005},
    ]
    health = final.mapping["healthcheck"].mapping
    assert {key: plain(health[key]) for key in ("none", "interval", "timeout", "start_period", "retries")} == {
        "none": False,
        "interval": "30s",
        "timeout": "5s",
        "start_period": "10s",
        "retries": 3,
    }
    assert plain(health["cmd"].get("script")) == "curl -fsS http://localhost:8000/healthz || exit 1"
    assert plain(final.get("entrypoint.words")) == ["tini", "--"]
    command = final.items_at("cmd.commands")[0]
    assert plain(command.get("words")) == ["gunicorn", "shop.wsgi:application", "--bind", "<0.0.0.0:$PORT>"]
    assert plain(command.get("exec")) is True


def test_flags_and_mounts() -> None:
    run = runs(TYPICAL)[0]
    assert plain(run.get("flags")) == {
        "mount": ["type=cache,target=/root/.cache/pip", "type=secret,id=pypi,required=true"]
    }
    assert words(run) == [["pip", "install", "--prefix=/install", "-r", "requirements.txt"]]
    copied = last(TYPICAL).items_at("instructions")[3]
    assert plain(copied.get("flags")) == {"from": "builder", "chown": "app:app"}
    assert plain(copied.get("words")) == ["/install", "/usr/local"]


def test_places_are_exact() -> None:
    run = runs(TYPICAL)[0]
    word = run.items_at("commands")[0].items_at("words")[2]
    assert (word.span.line, word.span.column, word.span.text) == (8, 17, "--prefix=/install")
    user = last(TYPICAL).mapping["user"]
    assert user.span.text == "app:app"
    instruction = last(TYPICAL).items_at("instructions")[0]
    assert instruction.key is not None
    assert instruction.key.text == "ENV"
    assert instruction.span.text.startswith("ENV PYTHON")
    assert instruction.span.text.endswith('$PATH"')
    tag = last("FROM example.com:5000/team/web:1.2@sha256:abc AS x").get("from.tag")
    assert tag is not None
    assert tag.span.text == "1.2"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("python", {"name": "python"}),
        ("docker.io/library/python:3.12", {"registry": "docker.io", "name": "python", "tag": "3.12"}),
        ("localhost/web", {"registry": "localhost", "name": "web"}),
        ("example.com:5000/a/b", {"registry": "example.com:5000", "name": "a/b"}),
        ("team/web:1@sha256:0a", {"name": "team/web", "tag": "1", "digest": "sha256:0a"}),
    ],
)
def test_image_reference(reference: str, expected: dict[str, str]) -> None:
    assert plain(last(f"FROM {reference}\n").get("from")) == {"image": reference, **expected}


def test_unknown_tag_keeps_the_name() -> None:
    found = last("ARG V\nFROM python:${V}-slim\n")
    assert plain(found.get("from")) == {"image": "<python:${V}-slim>", "name": "python", "tag": "<${V}-slim>"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$V", "1.2.3-rc"),
        ("${V}", "1.2.3-rc"),
        ("${V:-x}", "1.2.3-rc"),
        ("${NONE:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${V:+yes}", "yes"),
        ("${EMPTY:+yes}", ""),
        ("${NONE:-${V}}", "1.2.3-rc"),
        ("${V#1.}", "2.3-rc"),
        ("${V#*.}", "2.3-rc"),
        ("${V##*.}", "3-rc"),
        ("${V%-*}", "1.2.3"),
        ("${V%%.*}", "1"),
        ("${V/./_}", "1_2.3-rc"),
        ("${V//./_}", "1_2_3-rc"),
        ("'$V'", "$V"),
        ('"a $V"', "a 1.2.3-rc"),
        (r"\$V", "$V"),
        ('"\\$V"', "$V"),
        ("a\\ b", "a b"),
        ("$UNSET", ""),
        ("${V:?needed}", "1.2.3-rc"),
    ],
)
def test_expansion(word: str, expected: str) -> None:
    text = f"ARG NONE\nFROM scratch\nARG V=1.2.3-rc\nARG NONE\nENV EMPTY=\nENV X={word}\n"
    assert plain(last(text).get("env.X")) == expected


@pytest.mark.parametrize(
    "word", ["$HOME", "${HOME:-x}", "${NONE}", "${V?}", "${", "${V", "'a", "${NONE:?no}", "${{V}}"]
)
def test_expansion_that_cannot_be_known(word: str) -> None:
    found = last(f"FROM python:3.12\nARG NONE\nENV X={word}\n").get("env.X")
    assert found is not None
    assert found.is_unknown


def test_scope_of_arguments() -> None:
    text = (
        "ARG A=1\nARG B=$A-2\nFROM scratch AS x\nENV P=$A\nARG A\nENV Q=$A R=$B\nENV A=3\nENV S=$A\nFROM x\nENV T=$A\n"
    )
    env = plain(last(text).get("env"))
    assert env == {"P": "", "Q": "1", "R": "", "A": "3", "S": "3", "T": "3"}
    assert plain(read(text).resources[0].node.get("args")) == {"A": "1", "B": "1-2"}


def test_env_uses_values_from_before_the_instruction() -> None:
    assert plain(last("FROM scratch\nENV a=1\nENV a=2 b=$a\n").get("env")) == {"a": "2", "b": "1"}


def test_platform_arguments_are_unknown() -> None:
    text = "FROM --platform=$BUILDPLATFORM golang:1 AS b\nARG TARGETARCH\nENV X=$TARGETARCH\n"
    assert plain(last(text).get("platform")) == "<$BUILDPLATFORM>"
    assert plain(last(text).get("env.X")) == "<$TARGETARCH>"


def test_env_forms() -> None:
    text = 'FROM scratch\nENV OLD some value\nENV A="x y" B=\'z\' C=a\\ b D=\nLABEL org.example.x=1 "two words"=2\n'
    assert plain(last(text).get("env")) == {"OLD": "some value", "A": "x y", "B": "z", "C": "a b", "D": ""}
    labels = last(text).mapping_at("labels")
    assert {name: plain(value) for name, value in labels.items()} == {"org.example.x": "1", "two words": "2"}


# -- lines ---------------------------------------------------------------------------------------------------


def test_comments_and_blank_lines_inside_continuations() -> None:
    text = "FROM x\nRUN apt-get update \\\n# a comment\n\n  # another\n && apt-get install -y \\   \n    curl \\\n    git\nUSER app\n"  # noqa: E501
    assert words(runs(text)[0]) == [["apt-get", "update"], ["apt-get", "install", "-y", "curl", "git"]]
    git = runs(text)[0].items_at("commands")[1].items_at("words")[-1]
    assert (git.span.line, git.span.text) == (8, "git")
    assert plain(last(text).get("user")) == "app"


def test_continuation_joins_without_a_blank() -> None:
    found = runs("FROM x\nRUN pip install foo\\\nbar\n")[0].items_at("commands")[0].items_at("words")[-1]
    assert found.value == "foobar"
    assert found.span.text == "foo\\\nbar"


def test_continuation_mark_at_the_end_of_the_file() -> None:
    assert words(runs("FROM x\nRUN pip install flask \\")[0]) == [["pip", "install", "flask"]]


def test_double_backslash_does_not_continue() -> None:
    assert plain(last("FROM x\nRUN echo a\\\\\nUSER app\n").get("user")) == "app"


def test_escape_directive() -> None:
    text = "# escape=`\nFROM x\nRUN a `\n  b\nCOPY c:\\x d:\\\nUSER app\n"
    parsed = read(text)
    assert words(runs(text)[0]) == [["a", "b"]]
    assert plain(last(text).items_at("instructions")[1].get("words")) == ["c:\\x", "d:\\"]
    assert plain(parsed.resources[0].node.get("escape")) == "`"


def test_escape_directive_after_a_comment_is_a_comment() -> None:
    assert plain(read("# hello\n# escape=`\nFROM x\n").resources[0].node.get("escape")) == "\\"


def test_crlf_gives_the_same_values() -> None:
    def strip(text: str) -> list[Any]:
        parsed = read(text)
        return [(r.kind, r.address, plain(r.node)) for r in parsed.resources if r.kind == "docker.run"]

    text = TYPICAL + "RUN <<EOF\nset -e\npip install x\nEOF\nRUN a \\\n  && b\n"
    unix, windows = strip(text), strip(text.replace("\n", "\r\n"))
    assert [w[2]["commands"] for w in windows] == [u[2]["commands"] for u in unix]
    assert plain(last(text.replace("\n", "\r\n")).get("user")) == "app:app"


def test_lower_case_instructions_and_odd_spacing() -> None:
    text = 'from python:3.12 as Web\n  run pip install x\n\tuser app\ncmd [ "a" , "b" ]\nFROM web\n'
    assert plain(last(text).get("user")) == "app"
    assert plain(last(text).get("cmd.words")) == ["a", "b"]
    assert plain(last(text).get("base.image")) == "python:3.12"


def test_heredocs() -> None:
    text = (
        "FROM x\n"
        "RUN <<EOF\nset -e\npip install flask\nUSER nobody\nEOF\n"
        "RUN <<-'EOT' bash -e\n\tapt-get update\n\tEOT\n"
        "RUN cat <<ONE > /a && pip install x\nfrom here\nONE\n"
        "COPY <<a.txt <<b.txt /dest/\nfirst\na.txt\nsecond\nb.txt\n"
        "RUN <<PY python3 -\nimport os\nPY\n"
        "RUN <<EOF\n#!/usr/bin/env python3\nprint('FROM x')\nEOF\n"
        "USER app\n"
    )
    assert read(text).problems == []
    found = runs(text)
    assert words(found[0]) == [["set", "-e"], ["pip", "install", "flask"], ["USER", "nobody"]]
    assert plain(found[0].items_at("commands")[1].items_at("words")[2]) == "flask"
    assert found[0].items_at("commands")[1].span.line == 4
    assert words(found[2]) == [["cat"], ["pip", "install", "x"]]
    assert words(found[4]) == []
    copy = next(i for i in last(text).items_at("instructions") if plain(i.get("name")) == "COPY")
    assert plain(copy.get("heredocs")) == ["first\n", "second\n"]
    assert plain(last(text).get("user")) == "app"


def test_here_strings_and_heredocs_elsewhere_are_not_heredocs() -> None:
    text = 'FROM x\nRUN cat <<<word\nCMD cat <<EOF\nRUN ["cat", "<<EOF"]\nUSER app\n'
    assert plain(last(text).get("user")) == "app"
    assert len(runs(text)) == 2


def test_heredoc_that_does_not_end() -> None:
    parsed = read("FROM x\nUSER app\nRUN <<EOF\npip install flask\n")
    assert [(p.line, "EOF" in p.message) for p in parsed.problems] == [(3, True)]
    assert parsed.partial
    assert plain(parsed.resources[1].node.get("user")) == "app"


# -- commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "form", "expected"),
    [
        ('CMD ["gunicorn", "a:b"]', "exec", ["gunicorn", "a:b"]),
        ('CMD ["a", "\\u0041\\n"]', "exec", ["a", "A\n"]),
        ("CMD ['gunicorn', 'a:b']", "shell", None),
        ('CMD ["gunicorn", "a:b",]', "shell", None),
        ('CMD ["gunicorn"] # trailing', "shell", None),
        ("CMD gunicorn a:b", "shell", None),
        ("CMD [ -f x ] && y", "shell", None),
    ],
)
def test_json_or_shell_form(line: str, form: str, expected: list[str] | None) -> None:
    found = last(f"FROM x\n{line}\n").mapping["cmd"]
    assert plain(found.get("form")) == form
    assert plain(found.get("words")) == expected


def test_array_of_something_else_is_a_problem() -> None:
    assert [p.line for p in read('FROM x\nCMD ["a", 1]\nUSER app\n').problems] == [2]


def test_entrypoint_resets_an_inherited_command_only() -> None:
    base = 'FROM x AS a\nCMD ["run"]\nFROM a\n'
    assert plain(last(base).get("cmd.own")) is False
    assert last(base + 'ENTRYPOINT ["e"]\n').get("cmd") is None
    assert plain(last(base + 'CMD ["c"]\nENTRYPOINT ["e"]\n').get("cmd.words")) == ["c"]
    assert plain(last('FROM x\nCMD ["c"]\nENTRYPOINT ["e"]\n').get("cmd.words")) == ["c"]


def test_empty_entrypoint() -> None:
    found = last("FROM x\nENTRYPOINT []\n").mapping["entrypoint"]
    assert (plain(found.get("empty")), plain(found.get("form"))) == (True, "exec")


def test_run_exec_form_looks_into_the_shell() -> None:
    text = 'FROM x\nRUN ["/bin/bash", "-o", "pipefail", "-c", "curl x | sh"]\nRUN ["pip", "install", "a"]\n'
    first, second = runs(text)
    assert words(first) == [["curl", "x"], ["sh"]]
    assert words(second) == [["pip", "install", "a"]]
    assert plain(second.get("form")) == "exec"


def test_other_shells_are_not_read_as_posix() -> None:
    text = 'FROM x\nSHELL ["powershell", "-Command"]\nRUN Write-Host "a"\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN a | b\n'  # noqa: E501
    first, second = runs(text)
    assert words(first) == []
    assert words(second) == [["a"], ["b"]]
    assert plain(last(text).get("shell")) == ["/bin/bash", "-o", "pipefail", "-c"]


def test_healthcheck_none_and_onbuild() -> None:
    text = "FROM x AS a\nHEALTHCHECK CMD true\nFROM a\nHEALTHCHECK NONE\nONBUILD RUN pip install x\nONBUILD USER root\n"
    found = last(text)
    assert plain(found.get("healthcheck.none")) is True
    assert found.get("user") is None
    assert runs(text) == []
    onbuild = found.items_at("instructions")[1]
    assert plain(onbuild.get("name")) == "ONBUILD"
    assert plain(onbuild.get("trigger.name")) == "RUN"


# -- stages --------------------------------------------------------------------------------------------------


def test_stages_inherit_and_reach_the_final_one() -> None:
    text = (
        "FROM python:3.12 AS base\nENV A=1\nUSER app\nWORKDIR /srv\nEXPOSE 80\nSTOPSIGNAL SIGINT\n"
        "FROM node:22 AS assets\nFROM assets AS bundle\nFROM alpine AS unused\n"
        "FROM BASE\nCOPY --from=bundle /x /y\nCOPY --from=nginx:1 /a /b\nWORKDIR web\n"
    )
    found = stages(text)
    reaches = {r.address: plain(r.node.get("reaches_final")) for r in found}
    assert reaches == {
        "stage[base]": True,
        "stage[assets]": True,
        "stage[bundle]": True,
        "stage[unused]": False,
        "stage[4]": True,
    }
    final = found[-1].node
    assert plain(final.get("final")) is True
    assert plain(final.get("from.stage")) == 0
    assert plain(final.get("base.image")) == "python:3.12"
    assert plain(final.get("workdir")) == "/srv/web"
    assert plain(final.get("user")) == "app"
    assert plain(final.get("env")) == {"A": "1"}
    assert len(final.items_at("instructions")) == 3
    user = final.mapping["user"]
    assert user.span.line == 3


def test_copy_from_a_number_and_from_later_stages() -> None:
    text = "FROM a\nFROM b\nFROM c\nCOPY --from=1 /x /y\nCOPY --from=2 /x /y\n"
    assert [plain(r.node.get("reaches_final")) for r in stages(text)] == [False, True, True]


def test_relative_workdir_on_an_image_from_elsewhere_is_unknown() -> None:
    assert plain(last("FROM python:3.12\nWORKDIR app\n").get("workdir")) == "<app>"
    assert plain(last("FROM scratch\nWORKDIR app\n").get("workdir")) == "/app"
    assert plain(last("FROM x\nWORKDIR /a/../b/\n").get("workdir")) == "/b"


def test_addresses_stay_unique() -> None:
    assert [r.address for r in stages("FROM a AS x\nFROM b AS x\n")] == ["stage[x]", "stage[1]"]


# -- what is not a plain Dockerfile --------------------------------------------------------------------------


def test_templated_dockerfile() -> None:
    text = (
        "{# comment\n over two lines #}\n"
        "{% if cookiecutter.use_node == 'y' -%}\nFROM node:22 AS assets\n{%- endif %}\n"
        "FROM docker.io/python:{{ cookiecutter.python }} AS run\n"
        "ENV NAME={{ cookiecutter.name }} OTHER=1\n"
        "RUN pip install {{ extra }} flask \\\n{% if x %}\n  && pip install uv \\\n{% endif %}\n  && true\n"
        "USER {{ user }}\n{{ trailer }}\nEXPOSE %%PORT%%\n"
    )
    parsed = read(text)
    assert parsed.problems == []
    final = last(text)
    assert plain(final.get("from.name")) == "python"
    assert plain(final.get("from.tag")) == "<{{ cookiecutter.python }}>"
    assert plain(final.get("env")) == {"NAME": "<{{ cookiecutter.name }}>", "OTHER": "1"}
    assert plain(final.get("user")) == "<{{ user }}>"
    assert plain(final.items_at("expose")[0].get("port")) == "<%%PORT%%>"
    assert words(runs(text)[0]) == [["pip", "install", "<{{ extra }}>", "flask"], ["pip", "install", "uv"], ["true"]]


def test_unknown_instruction_does_not_lose_the_rest() -> None:
    parsed = read("FROM x\nRUNN pip install x\nUSER app\n")
    assert [(p.line, p.stage) for p in parsed.problems] == [(2, "parse")]
    assert parsed.partial
    assert plain(parsed.resources[1].node.get("user")) == "app"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_nothing_in_nothing_out(text: str) -> None:
    parsed = read(text)
    assert (parsed.resources, parsed.problems) == ([], [])


@pytest.mark.parametrize("text", ["<!DOCTYPE html>\n<html>\n</html>", "RUN a\nUSER b\n", "hello world\n" * 50])
def test_not_a_dockerfile_is_one_problem(text: str) -> None:
    parsed = read(text)
    assert parsed.resources == []
    assert len(parsed.problems) == 1


def test_growing_values_are_cut() -> None:
    text = "FROM scratch\nENV a=xxxxxxxxxx\n" + "ENV a=$a$a$a$a\n" * 40
    found = last(text).get("env.a")
    assert found is not None
    assert found.is_unknown


@pytest.mark.parametrize(
    "text",
    [
        "FROM x\nENV a=" + "${a:-" * 5000,
        "FROM x\nCMD " + "[" * 5000,
        "FROM x\nRUN " + "(" * 3000,
        "FROM x\nRUN " + "$(" * 3000,
        "FROM x\n" + "ONBUILD " * 3000 + "RUN a",
        "FROM x\nRUN a " + "<<A" * 3000,
        "FROM " + "{{" * 5000,
        "FROM x\nRUN " + "a && " * 5000 + "b",
        "FROM x\nENV " + '"\\' * 5000,
        "FROM a AS b\n" * 2000,
    ],
)
def test_hostile_input(text: str) -> None:
    parsed = read(text)
    assert all(0 <= n.start <= n.end <= len(text) for n in nodes(parsed))


# -- against dockerfile-parse, where that is right -----------------------------------------------------------

ORDINARY = [
    'FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN pip install \\\n  -r requirements.txt\nCMD ["python", "-m", "web"]\n',  # noqa: E501
    "FROM debian:12 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /x /y\nENV A=1 B=2\nENTRYPOINT /y\n",
    "ARG TAG=22\nFROM node:$TAG\nENV NODE_ENV=production PORT=3000\nEXPOSE 3000\nUSER node\n# done\n",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_agrees_with_dockerfile_parse(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = DockerfileParser(fileobj=io.BytesIO(text.encode()))
        names = [entry["instruction"] for entry in oracle.structure if entry["instruction"] not in ("COMMENT", "ARG")]
        images, env = oracle.parent_images, dict(oracle.envs)
    found = stages(text)
    ours = [name for r in found for name in ("FROM", *(plain(i.get("name")) for i in r.node.items_at("instructions")))]
    assert ours == names
    assert [plain(r.node.get("from.image")) for r in found] == images
    assert plain(found[-1].node.get("env")) == env


# -- properties ----------------------------------------------------------------------------------------------


def nodes(parsed: Parsed) -> Iterator[Node]:
    for resource in parsed.resources:
        yield from resource.node.walk()


PIECES = st.sampled_from(
    [
        *(line + "\n" for line in TYPICAL.splitlines()),
        "RUN <<EOF\n",
        "EOF\n",
        "# escape=`\n",
        "\\\n",
        "\r\n",
        "{{ x }}",
        "{% if %}",
        "${A:-",
        "}",
        '"',
        "'",
        "$",
        "`",
        " ",
        "\t",
        "[",
        "]",
        "FROM ",
        "ONBUILD ",
        "HEALTHCHECK ",
        "ENV ",
        "é",
        "<<",
        "\x00",
        "\ud800",
        "&&",
        "|",
        ";",
        "--",
        "=",
        ":",
        "/",
        "CMD ",
        "SHELL ",
        "LABEL ",
        "EXPOSE 1-",
        "%%A%%",
        "\u2028",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join)))
def test_never_raises_and_stays_inside(text: str) -> None:
    for start in ("", "FROM x\n"):
        content = start + text
        for node in nodes(read(content)):
            assert 0 <= node.start <= node.end <= len(content)
            assert node.key_start <= node.key_end <= len(content)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(TYPICAL)), st.integers(0, 40), st.lists(PIECES, max_size=3).map("".join))
def test_damaged_files_keep_plain_words_in_place(at: int, length: int, put: str) -> None:
    text = TYPICAL[:at] + put + TYPICAL[at + length :]
    for resource in read(text).resources:
        if resource.kind != "docker.run":
            continue
        for command in resource.node.items_at("commands"):
            for word in command.items_at("words"):
                if word.text is not None and not set(word.span.text) & set("\\'\"$`\r\n"):
                    assert word.span.text == word.text
